; Interrupt stubs, and the two ways into code that may fault: trap_run and user_enter.
BITS 64
DEFAULT REL
global trap_stubs, trap_run, trap_unwind, trap_stack, user_enter, user_return
extern trap_dispatch

section .text

; 256 stubs of 16 bytes each: every frame gets an error code, then its vector.
align 16
trap_stubs:
%assign vector 0
%rep 256
	align 16
%if !(vector = 8 || (vector >= 10 && vector <= 14) || vector = 17 || vector = 21 || vector = 29 || vector = 30)
	push byte 0
%endif
	push qword vector
	jmp near save_all
%assign vector vector + 1
%endrep

align 16
save_all:
	push rax
	push rcx
	push rdx
	push rbx
	push rbp
	push rsi
	push rdi
	push r8
	push r9
	push r10
	push r11
	push r12
	push r13
	push r14
	push r15
	cld
	mov rdi, rsp
	mov rbx, rsp
	and rsp, -16
	call trap_dispatch
	mov rsp, rbx
	pop r15
	pop r14
	pop r13
	pop r12
	pop r11
	pop r10
	pop r9
	pop r8
	pop rdi
	pop rsi
	pop rbp
	pop rbx
	pop rdx
	pop rcx
	pop rax
	add rsp, 16
	iretq

; bool trap_run(void (*fn)(void *), void *arg): true when a trap cut fn short.
trap_run:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	push qword [trap_stack]
	mov [trap_stack], rsp
	mov rax, rdi
	mov rdi, rsi
	call rax
	xor eax, eax
trap_leave:
	mov rsp, [trap_stack]
	pop qword [trap_stack]
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret

; trap_dispatch resumes here, at CPL 0 with rsp = trap_stack, to end the innermost trap_run.
trap_unwind:
	mov eax, 1
	jmp trap_leave

; void user_enter(rip, rsp, arg, cs): CPL 3 with IF clear and flat data segments; never returns (the trap does, through trap_run).
user_enter:
	mov eax, 0x23
	mov ds, eax
	mov es, eax
	push 0x23
	push rsi
	push 2
	push rcx
	push rdi
	mov rdi, rdx
	iretq

; Where a function called by user_enter returns to: tells the kernel by vector 0x30.
user_return:
	int 0x30
	ud2

section .data
trap_stack dq 0
