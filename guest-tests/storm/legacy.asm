; uint32_t legacy_run(void): out of 64-bit mode, to code as `legacy` tells (modes.h), and back from whatever ends it: its vector.
; Intel SDM vol. 3, 9.8.5, 9.9, 6.12.1, 20.3.
%include "guest-tests/lib/trip.inc"

TSS_SELECTOR	equ 0x38
TSS32		equ 0x70			; modes.c
CR0_ET_NE	equ 0x30
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
	trip_leave compatibility

BITS 32
compatibility:
	trip_data32
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
	trip_data32
	mov esp, legacy_stack_top
	mov eax, CR0_PE | CR0_ET_NE
	mov cr0, eax
	lgdt [gdt_pointer]
	trip_back
	and byte [gdt + TSS_SELECTOR + 5], ~2	; not busy
	mov eax, TSS_SELECTOR
	ltr ax
	trip_return
	mov eax, [seen]
	ret

; Copied to LOW_PAGE; offsets are relative to it. All segments have base 0 but CS.
BITS 16
legacy_blob:
	trip_real .real - legacy_blob
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
	trip_memory
seen	dd 0

section .bss
alignb 16
	resb 8192
legacy_stack_top:
