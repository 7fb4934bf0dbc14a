; uint32_t legacy_run(void): out of 64-bit mode, to code as `legacy` tells (modes.h), and back from whatever ends it: its vector.
; Intel SDM vol. 3, 9.8.5, 9.9, 6.12.1, 20.3.
LOW_PAGE	equ 0x8000			; boot.h
KERNEL_CS	equ 0x08			; cpu.h, entry.asm's GDT
KERNEL_DS	equ 0x10
KERNEL_CS32	equ 0x18
CS16		equ 0x48
DS16		equ 0x50
TSS_SELECTOR	equ 0x38
TSS32		equ 0x70			; modes.c
EFER		equ 0xc0000080
EFER_LMA	equ 1 << 10
CR0_PE		equ 1
CR0_ET_NE	equ 0x30
CR0_PG		equ 1 << 31
EFLAGS_VM	equ 1 << 17
REAL_TRAP	equ 0xfe			; real mode's stubs know no vector

; struct legacy
L_CR0		equ 0
L_CR3		equ 4
L_CR4		equ 8
L_EFER		equ 12
L_REAL		equ 16
L_GPR		equ 20				; eax ecx edx ebx ebp esi edi
L_EIP		equ 48
L_CS		equ 52
L_EFLAGS	equ 56
L_ESP		equ 60
L_SS		equ 64
L_DS		equ 68				; and ES, FS, GS

global legacy_run, legacy_stubs, legacy_blob, legacy_blob_end, legacy_real_trap, legacy_stack_top
extern legacy, legacy_idt, gdt, gdt_pointer

section .text
BITS 64
legacy_run:
	push rbx
	push rbp
	push r12
	push r13
	push r14
	push r15
	pushfq
	cli
	sidt [saved_idt]
	mov [saved_rsp], rsp
	mov rax, cr4
	mov [saved_cr4], rax
	mov rax, cr3
	mov [saved_cr3], rax
	mov rax, cr0
	mov [saved_cr0], rax
	mov ecx, EFER
	rdmsr
	mov [saved_efer], eax
	push KERNEL_CS32
	push compatibility
	o64 retf

BITS 32
compatibility:
	mov eax, KERNEL_DS
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov esp, legacy_stack_top
	mov eax, cr0
	and eax, ~CR0_PG
	mov cr0, eax
	mov ecx, EFER
	xor edx, edx
	mov eax, [legacy + L_EFER]
	wrmsr
	mov eax, [legacy + L_CR4]
	mov cr4, eax
	mov eax, [legacy + L_CR3]
	mov cr3, eax
	lidt [idt_pointer]
	mov eax, TSS32
	ltr ax
	cmp dword [legacy + L_REAL], 0
	jne .real
	mov eax, [legacy + L_CR0]
	mov cr0, eax
	jmp .mode
.mode:	mov ebx, legacy
	test dword [ebx + L_EFLAGS], EFLAGS_VM
	jz .not_v86
	push dword [ebx + L_DS]
	push dword [ebx + L_DS]
	push dword [ebx + L_DS]
	push dword [ebx + L_DS]
	jmp .outer
.not_v86:
	test dword [ebx + L_CS], 3
	jnz .outer
	mov ss, [ebx + L_SS]			; CPL 0: IRET takes no stack along
	mov esp, [ebx + L_ESP]
	jmp .frame
.outer:	push dword [ebx + L_SS]
	push dword [ebx + L_ESP]
.frame:	push dword [ebx + L_EFLAGS]
	push dword [ebx + L_CS]
	push dword [ebx + L_EIP]
	mov eax, [ebx + L_DS]
	test dword [ebx + L_EFLAGS], EFLAGS_VM
	jnz .registers
	mov es, eax
	mov fs, eax
	mov gs, eax
	mov ds, eax
.registers:
	mov eax, [cs:legacy + L_GPR]
	mov ecx, [cs:legacy + L_GPR + 4]
	mov edx, [cs:legacy + L_GPR + 8]
	mov ebx, [cs:legacy + L_GPR + 12]
	mov ebp, [cs:legacy + L_GPR + 16]
	mov esi, [cs:legacy + L_GPR + 20]
	mov edi, [cs:legacy + L_GPR + 24]
	iretd
.real:	jmp CS16:LOW_PAGE

; 256 gates' stubs of 16 bytes. An error code below the vector is left where it is: the stack is given up.
align 16
legacy_stubs:
%assign vector 0
%rep 256
	align 16
	push dword vector
	jmp near legacy_trap
%assign vector vector + 1
%endrep

legacy_trap:
	mov eax, KERNEL_DS
	mov ds, eax
	pop ecx
	mov [seen], ecx
back_in_32:
	mov eax, KERNEL_DS
	mov ds, eax
	mov es, eax
	mov ss, eax
	mov esp, legacy_stack_top
	mov eax, CR0_PE | CR0_ET_NE
	mov cr0, eax
	lgdt [gdt_pointer]
	mov eax, [saved_cr4]
	mov cr4, eax
	mov eax, [saved_cr3]
	mov cr3, eax
	mov ecx, EFER
	xor edx, edx
	mov eax, [saved_efer]
	and eax, ~EFER_LMA
	wrmsr
	mov eax, [saved_cr0]
	mov cr0, eax
	jmp KERNEL_CS:back_in_64

BITS 64
back_in_64:
	mov eax, KERNEL_DS
	mov ss, eax
	mov rsp, [saved_rsp]
	xor eax, eax
	mov fs, eax
	mov gs, eax
	and byte [gdt + TSS_SELECTOR + 5], ~2	; not busy
	mov eax, TSS_SELECTOR
	ltr ax
	lidt [saved_idt]
	popfq
	pop r15
	pop r14
	pop r13
	pop r12
	pop rbp
	pop rbx
	mov eax, [seen]
	ret

; Copied to LOW_PAGE; offsets are relative to it. All segments have base 0 but CS.
BITS 16
legacy_blob:
	mov ax, DS16
	mov ds, ax
	mov es, ax
	mov ss, ax
	mov fs, ax
	mov gs, ax
	mov eax, cr0
	and eax, ~CR0_PE
	mov cr0, eax
	jmp (LOW_PAGE >> 4):(.real - legacy_blob)
.real:	xor ax, ax
	mov es, ax
	mov fs, ax
	mov gs, ax
	mov ax, 0x2000				; not on top of the vectors: they are the way back
	mov ds, ax
	mov ax, 0x3000
	mov es, ax
	mov ax, 0x4000
	mov ss, ax
	mov sp, 0x7f00
	lidt [cs:.vectors - legacy_blob]
	push word 0x202				; the watchdog's interrupt is not all that comes
	push word LOW_PAGE >> 4
	push word 0x800
	mov eax, 0x1234
	iret

legacy_real_trap equ $ - legacy_blob
	cli
	o32 lgdt [cs:.gdt - legacy_blob]
	mov eax, cr0
	or eax, CR0_PE
	mov cr0, eax
	jmp dword KERNEL_CS32:from_real
align 4
.vectors: dw 0x3ff
	dd 0
.gdt:	dw 127
	dd gdt
legacy_blob_end:

BITS 32
from_real:
	mov eax, KERNEL_DS
	mov ds, eax
	mov dword [seen], REAL_TRAP
	jmp back_in_32

section .data
align 8
idt_pointer:
	dw 2047
	dd legacy_idt
	dw 0
saved_rsp dq 0
saved_cr0 dq 0
saved_cr3 dq 0
saved_cr4 dq 0
saved_efer dd 0
seen	dd 0
saved_idt: times 10 db 0

section .bss
alignb 16
	resb 8192
legacy_stack_top:
