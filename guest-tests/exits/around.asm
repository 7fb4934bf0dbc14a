; Functions that load every general register and the flags, run one instruction, and store them all back (struct regs in exits.h).
BITS 64
DEFAULT REL
section .text

%macro AROUND 2+
global around_%1
around_%1:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	push rdi
	push qword [rdi + 15 * 8]
	popfq
	mov rax, [rdi]
	mov rbx, [rdi + 1 * 8]
	mov rcx, [rdi + 2 * 8]
	mov rdx, [rdi + 3 * 8]
	mov rsi, [rdi + 4 * 8]
	mov rbp, [rdi + 6 * 8]
	mov r8, [rdi + 7 * 8]
	mov r9, [rdi + 8 * 8]
	mov r10, [rdi + 9 * 8]
	mov r11, [rdi + 10 * 8]
	mov r12, [rdi + 11 * 8]
	mov r13, [rdi + 12 * 8]
	mov r14, [rdi + 13 * 8]
	mov r15, [rdi + 14 * 8]
	mov rdi, [rdi + 5 * 8]
	%2
	push rdi
	mov rdi, [rsp + 8]
	mov [rdi], rax
	mov [rdi + 1 * 8], rbx
	mov [rdi + 2 * 8], rcx
	mov [rdi + 3 * 8], rdx
	mov [rdi + 4 * 8], rsi
	pop qword [rdi + 5 * 8]
	mov [rdi + 6 * 8], rbp
	mov [rdi + 7 * 8], r8
	mov [rdi + 8 * 8], r9
	mov [rdi + 9 * 8], r10
	mov [rdi + 10 * 8], r11
	mov [rdi + 11 * 8], r12
	mov [rdi + 12 * 8], r13
	mov [rdi + 13 * 8], r14
	mov [rdi + 14 * 8], r15
	pushfq
	pop qword [rdi + 15 * 8]
	cld
	pop rdi
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret
%endmacro

	AROUND cpuid, cpuid
	AROUND rdmsr, rdmsr
	AROUND wrmsr, wrmsr
	AROUND in8, in al, dx
	AROUND in16, in ax, dx
	AROUND in32, in eax, dx
	AROUND out8, out dx, al
	AROUND vmcall, vmcall
	AROUND vmmcall, vmmcall
	AROUND rdtsc, rdtsc
