; A hypercall from 32-bit code of a 64-bit kernel (compatibility mode).
BITS 64
DEFAULT REL
KERNEL_CS	equ 0x08		; cpu.h
KERNEL_CS32	equ 0x18

global hypercall_compat

section .text
; int64_t hypercall_compat(uint32_t number, uint64_t rbx, uint64_t rcx, uint64_t rdx, uint64_t rsi, bool vmcall)
hypercall_compat:
	push rbx
	mov eax, edi
	mov rbx, rsi
	xchg rcx, rdx			; the third argument is in rdx, the fourth in rcx
	mov rsi, r8
	movzx edi, r9b
	push qword KERNEL_CS32
	lea r10, [narrow]
	push r10
	retfq
back:	pop rbx
	ret

BITS 32
narrow:	test edi, edi
	jz .vmmcall
	vmcall
	jmp KERNEL_CS:back
.vmmcall:
	vmmcall
	jmp KERNEL_CS:back
