; Worlds: from the library's 64-bit mode into a mode under test and back (Intel SDM vol. 3, 9.8.5), and what runs there. All of it lies
; below 4 MiB, which every world maps at its own address; so nothing moves when paging goes off or on.
KERNEL_CS	equ 0x08			; cpu.h; the world's GDT has the same layout, and two more descriptors
KERNEL_DS	equ 0x10
KERNEL_CS32	equ 0x18
USER_DS		equ 0x23
USER_CS		equ 0x2b
USER_CS32	equ 0x33
TSS_64		equ 0x38
TSS_32		equ 0x48
EFER		equ 0xc0000080
EFER_LME	equ 1 << 8
EFER_LMA	equ 1 << 10
CR0_PG		equ 1 << 31
CR4_PAE		equ 1 << 5
RFLAGS_FIXED	equ 2
RFLAGS_AC	equ 1 << 18
USER_CODE	equ 0x800000			; pagewalk.h
USER_STACK_TOP	equ 0x801f00

; struct op
OP_ROUTINE	equ 0
OP_DI		equ 8
OP_AX		equ 16
OP_CX		equ 24
OP_SI		equ 32
OP_DX		equ 40
OP_BX		equ 48
OP_FLAGS	equ 56
OP_REPAIRS	equ 60
OP_REPAIR	equ 64				; va, value, size: 8 bytes each
OP_SIZE		equ 112
OPF_USER	equ 1
; struct result
RES_FAULTS	equ 0
RES_DONE	equ 4
RES_AX		equ 8
RES_CX		equ 16
RES_SI		equ 24
RES_DI		equ 32
RES_DX		equ 40
RES_FAULT	equ 48				; vector and error of 4 bytes, CR2, IP, CX of 8 bytes: 32 bytes each
RES_FAULTS_MAX	equ 3
RES_SIZE	equ 144
; struct world
WORLD_LONG	equ 0
WORLD_CR0	equ 8
WORLD_CR3	equ 16
WORLD_CR4	equ 24
WORLD_EFER	equ 32

global world_enter, world_stubs_64, world_stubs_32, world_return_64, world_return_32, world_trap_stack_top
global script_op, script_end, script_result, world_fatal, world_fatal_ip, world_fatal_cr2, world_fatal_error
extern world_gdt_pointer, world_idt_64_pointer, world_idt_32_pointer, routines

section .text
BITS 64
; void world_enter(const struct world *w): runs the script there.
world_enter:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	mov [home_sp], rsp
	mov rax, cr0
	mov [home_cr0], rax
	mov rax, cr3
	mov [home_cr3], rax
	mov rax, cr4
	mov [home_cr4], rax
	mov ecx, EFER
	rdmsr
	mov [home_efer], eax
	mov rbp, rdi
	lgdt [world_gdt_pointer]
	mov eax, USER_DS
	mov ds, eax
	mov es, eax
	cmp dword [rbp + WORLD_LONG], 0
	je leave_long

	lidt [world_idt_64_pointer]
	mov eax, TSS_64
	ltr ax
	mov ecx, EFER
	mov eax, [rbp + WORLD_EFER]
	xor edx, edx
	wrmsr
	mov rax, [rbp + WORLD_CR4]
	mov cr4, rax
	mov rax, [rbp + WORLD_CR3]
	mov cr3, rax
	mov rax, [rbp + WORLD_CR0]
	mov cr0, rax
	jmp script_run_64

leave_long:
	mov eax, KERNEL_DS
	mov ss, eax
	push KERNEL_CS32
	push compatibility
	o64 retf

BITS 32
compatibility:
	mov eax, cr0
	and eax, ~CR0_PG
	mov cr0, eax
	mov ecx, EFER
	mov eax, [ebp + WORLD_EFER]
	xor edx, edx
	wrmsr
	lidt [world_idt_32_pointer]
	mov eax, TSS_32
	ltr ax
	mov eax, [ebp + WORLD_CR4]
	mov cr4, eax
	mov eax, [ebp + WORLD_CR3]
	mov cr3, eax
	mov eax, [ebp + WORLD_CR0]
	mov cr0, eax
	jmp script_run_32

script_over_32:
	mov eax, cr0
	and eax, ~CR0_PG
	mov cr0, eax
	mov eax, [home_cr4]
	mov cr4, eax
	mov eax, [home_cr3]
	mov cr3, eax
	mov ecx, EFER
	mov eax, [home_efer]
	and eax, ~EFER_LMA			; the CPU's own
	xor edx, edx
	wrmsr
	mov eax, [home_cr0]
	mov cr0, eax
	jmp KERNEL_CS:home

BITS 64
script_over_64:
	mov rax, [home_cr0]
	mov cr0, rax
	mov rax, [home_cr4]
	mov cr4, rax
	mov rax, [home_cr3]
	mov cr3, rax
	mov ecx, EFER
	mov eax, [home_efer]
	xor edx, edx
	wrmsr
home:
	mov rsp, [home_sp]
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	ret

%define W 64
%define P 8
%define xax rax
%define xbx rbx
%define xcx rcx
%define xdx rdx
%define xsi rsi
%define xdi rdi
%define xbp rbp
%define xsp rsp
%define XWORD qword
%define XIRET iretq
%define XPOPF popfq
%define XUSER_CS USER_CS
BITS 64
%include "guest-tests/pagewalk/script.inc"

%define W 32
%define P 4
%define xax eax
%define xbx ebx
%define xcx ecx
%define xdx edx
%define xsi esi
%define xdi edi
%define xbp ebp
%define xsp esp
%define XWORD dword
%define XIRET iretd
%define XPOPF popfd
%define XUSER_CS USER_CS32
BITS 32
%include "guest-tests/pagewalk/script.inc"

section .data
align 8
script_op dq 0					; the next op, where they end, and where its result goes
script_end dq 0
script_result dq 0
script_sp dq 0
world_fatal_ip dq 0
world_fatal_cr2 dq 0
world_fatal_error dq 0
home_sp	dq 0
home_cr0 dq 0
home_cr3 dq 0
home_cr4 dq 0
home_efer dd 0
in_access dd 0
world_fatal dd 0				; 1 + the vector of a trap outside of an access

section .bss
alignb 16
	resb 4096
world_trap_stack_top:
