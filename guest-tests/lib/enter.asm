; void program_enter(const struct start *s): loads all general registers, and goes on at the frame behind them (enter.h).
BITS 64
DEFAULT REL
section .text
global program_enter

program_enter:
	push qword [rdi + 19 * 8]
	push qword [rdi + 18 * 8]
	push qword [rdi + 17 * 8]
	push qword [rdi + 16 * 8]
	push qword [rdi + 15 * 8]
	mov rax, [rdi]
	mov rcx, [rdi + 1 * 8]
	mov rdx, [rdi + 2 * 8]
	mov rbx, [rdi + 3 * 8]
	mov rbp, [rdi + 4 * 8]
	mov rsi, [rdi + 5 * 8]
	mov r8, [rdi + 7 * 8]
	mov r9, [rdi + 8 * 8]
	mov r10, [rdi + 9 * 8]
	mov r11, [rdi + 10 * 8]
	mov r12, [rdi + 11 * 8]
	mov r13, [rdi + 12 * 8]
	mov r14, [rdi + 13 * 8]
	mov r15, [rdi + 14 * 8]
	mov rdi, [rdi + 6 * 8]
	iretq
