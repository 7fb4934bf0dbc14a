; A system call: uint64_t user_syscall(uint64_t n) at CPL 3 returns n + 1, as syscall_entry computes it at CPL 0.
BITS 64
DEFAULT REL
section .text
global user_syscall, syscall_entry, syscall_seen

user_syscall:
	std				; FMASK clears it, SYSRET brings it back
	mov rax, rdi
	syscall
	cld
	ret

syscall_entry:
	mov r8, cs
	mov [syscall_seen], r8
	mov r8, ss
	mov [syscall_seen + 8], r8
	mov r9, rsp
	mov rsp, call_stack_top
	pushfq
	pop qword [syscall_seen + 16]
	mov rsp, r9
	inc rax
	o64 sysret

section .data
syscall_seen dq 0, 0, 0

section .bss
alignb 16
	resb 256
call_stack_top:
