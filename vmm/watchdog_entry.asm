; A call that an NMI can end: the stack as it was, callee's registers back (vmm/watchdog.h).
bits 64
section .text

; bool watchdog_call(void (*fn)(void *arg), void *arg)
global watchdog_call
watchdog_call:
	push rbp
	push rbx
	push r12
	push r13
	push r14
	push r15
	sub rsp, 8			; the ABI's alignment
	mov [rel stack], rsp
	mov rax, rdi
	mov rdi, rsi
	call rax
	xor eax, eax
leave:
	add rsp, 8
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbx
	pop rbp
	ret

global watchdog_land
watchdog_land:
	mov rsp, [rel stack]
	mov eax, 1
	jmp leave

section .bss
alignb 8
stack:	resq 1
