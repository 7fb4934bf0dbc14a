; Entry of all 256 vectors: save all registers as a struct trap_frame (boot/trap.h), call trap(), restore, return.
bits 64

VECTORS_WITH_ERROR_CODE	equ 0x60227d00	; vmm/hw/x86.h

section .text
extern trap

; Stubs of 16 bytes each, so that the table needs no symbols: vector n starts at isr_stubs + 16 * n.
global isr_stubs
align 16
isr_stubs:
%assign vector 0
%rep 256
	align 16
%if vector >= 32 || ((VECTORS_WITH_ERROR_CODE >> vector) & 1) == 0
	push 0
%endif
	push vector
	jmp near isr_common
%assign vector vector + 1
%endrep

; The CPU aligned RSP to 16 before it pushed; frame and padding keep it so for the call.
align 16
isr_common:
	push rax
	push rbx
	push rcx
	push rdx
	push rsi
	push rdi
	push rbp
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
	call trap
	pop r15
	pop r14
	pop r13
	pop r12
	pop r11
	pop r10
	pop r9
	pop r8
	pop rbp
	pop rdi
	pop rsi
	pop rdx
	pop rcx
	pop rbx
	pop rax
	add rsp, 16			; vector and error code
	iretq

; void trap_capture(struct trap_frame *f)
global trap_capture
trap_capture:
	mov [rdi + 0 * 8], r15
	mov [rdi + 1 * 8], r14
	mov [rdi + 2 * 8], r13
	mov [rdi + 3 * 8], r12
	mov [rdi + 4 * 8], r11
	mov [rdi + 5 * 8], r10
	mov [rdi + 6 * 8], r9
	mov [rdi + 7 * 8], r8
	mov [rdi + 8 * 8], rbp
	mov [rdi + 9 * 8], rdi
	mov [rdi + 10 * 8], rsi
	mov [rdi + 11 * 8], rdx
	mov [rdi + 12 * 8], rcx
	mov [rdi + 13 * 8], rbx
	mov [rdi + 14 * 8], rax
	mov qword [rdi + 15 * 8], 0
	mov qword [rdi + 16 * 8], 0
	mov rax, [rsp]
	mov [rdi + 17 * 8], rax
	mov ax, cs
	movzx eax, ax
	mov [rdi + 18 * 8], rax
	pushfq
	pop qword [rdi + 19 * 8]
	lea rax, [rsp + 8]
	mov [rdi + 20 * 8], rax
	mov ax, ss
	movzx eax, ax
	mov [rdi + 21 * 8], rax
	ret
