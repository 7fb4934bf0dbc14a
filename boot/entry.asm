; Multiboot headers, and the way from the loader's 32-bit protected mode into C in long mode.
; Multiboot 1 (version 0.6.96) 3.2, multiboot 2 (version 2.0) 3.3: paging off, A20 on, EAX = magic, EBX = information.

MB1_MAGIC	equ 0x1badb002
MB1_FLAGS	equ 3			; modules on page boundaries, memory information
MB1_EAX		equ 0x2badb002
MB2_MAGIC	equ 0xe85250d6
MB2_EAX		equ 0x36d76289

CR0_PE_PG_WP	equ 0x80010001
CR0_EM_TS	equ 0xc
CR4_PAE		equ 1 << 5
CR4_OSFXSR	equ 1 << 9
MSR_EFER	equ 0xc0000080
EFER_LME	equ 1 << 8
PTE_P_W		equ 3
PTE_P_W_PS	equ 0x83

COM1		equ 0x3f8
VGA_TEXT	equ 0xb8000
FAILED		equ 62			; QEMU's isa-debug-exit makes 125 of it: the VMM failed

section .multiboot progbits alloc noexec nowrite align=8
	dd MB1_MAGIC, MB1_FLAGS, -(MB1_MAGIC + MB1_FLAGS)
	align 8, db 0
mb2_header:
	dd MB2_MAGIC, 0, mb2_end - mb2_header, -(MB2_MAGIC + mb2_end - mb2_header)
	dw 1, 1				; information request, optional
	dd 8 + 4 * 6
	dd 1, 2, 3, 6, 14, 15		; command line, loader, modules, memory map, ACPI RSDP old and new
	dw 6, 0				; modules on page boundaries
	dd 8
	dw 0, 0				; end
	dd 8
mb2_end:

; The stacks of the boot CPU (boot/image.h), each with its guard page below.
section .stacks nobits alloc noexec write align=4096
%macro stack 2
	resb 4096
global %1
%1:	resb %2
%endmacro
	stack boot_stack, 0x10000
	stack ist_stack_df, 0x3000
	stack ist_stack_nmi, 0x3000
	stack ist_stack_mc, 0x3000
	stack ist_stack_pf, 0x3000

section .bss align=4096
early_pml4:	resb 4096
early_pdpt:	resb 4096
early_pd:	resb 4 * 4096		; 4 GiB in 2 MiB pages

section .rodata
align 8
early_gdt:
	dq 0
	dq 0x00af9a000000ffff		; 64-bit code
	dq 0x00cf92000000ffff		; data
early_gdtr:
	dw $ - early_gdt - 1
	dd early_gdt

no_loader:	db "Tessera: not started by a multiboot loader. Load it with GRUB's multiboot2 command or QEMU's -kernel.", 0
no_cpuid:	db "Tessera: this CPU has no CPUID instruction. It needs an x86-64 CPU with VMX or SVM.", 0
no_long_mode:	db "Tessera: this CPU has no 64-bit mode. In QEMU use qemu-system-x86_64 -cpu max; "
		db "on metal it needs an x86-64 CPU.", 0

section .text
bits 32
global entry32
entry32:
	cli
	cld
	mov esp, boot_stack + 0x10000
	mov edi, eax			; the magic and the information's address, until boot_main takes them
	mov esi, ebx

	mov ebp, no_loader
	cmp eax, MB1_EAX
	je .check_cpuid
	cmp eax, MB2_EAX
	jne fail

.check_cpuid:				; EFLAGS.ID can be changed (SDM vol. 1 3.4.3.3)
	mov ebp, no_cpuid
	pushfd
	pop eax
	mov ecx, eax
	xor eax, 1 << 21
	push eax
	popfd
	pushfd
	pop eax
	push ecx
	popfd
	xor eax, ecx
	test eax, 1 << 21
	jz fail

	mov ebp, no_long_mode
	mov eax, 0x80000000
	cpuid
	cmp eax, 0x80000001
	jb fail
	mov eax, 0x80000001
	cpuid
	test edx, 1 << 29
	jz fail

	call map_early
	mov eax, cr4
	or eax, CR4_PAE | CR4_OSFXSR	; memset uses SSE2, which all 64-bit CPUs have
	mov cr4, eax
	mov eax, early_pml4
	mov cr3, eax
	mov ecx, MSR_EFER
	rdmsr
	or eax, EFER_LME
	wrmsr
	mov eax, cr0
	and eax, ~CR0_EM_TS
	or eax, CR0_PE_PG_WP
	mov cr0, eax
	lgdt [early_gdtr]
	jmp 0x08:entry64

; Identity map of the first 4 GiB, until mm/map.c has built the real one.
map_early:
	mov dword [early_pml4], early_pdpt + PTE_P_W
	mov eax, early_pd + PTE_P_W
	xor ecx, ecx
.pdpt:	mov [early_pdpt + ecx * 8], eax
	add eax, 4096
	inc ecx
	cmp ecx, 4
	jb .pdpt
	mov eax, PTE_P_W_PS
	xor ecx, ecx
.pd:	mov [early_pd + ecx * 8], eax
	add eax, 1 << 21
	inc ecx
	cmp ecx, 4 * 512
	jb .pd
	ret

; Says the sentence at EBP on COM1 and on the VGA text screen, ends the emulator if there is one, and halts.
fail:
	mov dx, COM1 + 3		; line control: divisor latch, then 8N1 (PC16550D 8.1)
	mov al, 0x83
	out dx, al
	mov dx, COM1
	mov al, 1
	out dx, al
	inc dx
	xor al, al
	out dx, al
	mov dx, COM1 + 3
	mov al, 0x03
	out dx, al

	mov edi, VGA_TEXT
	mov ecx, 80 * 25
	mov eax, 0x0720
	rep stosw
	mov edi, VGA_TEXT
	mov esi, ebp
.next:	lodsb
	test al, al
	jz .end
	mov ah, 0x07
	stosw
	call send
	jmp .next
.end:	mov al, 13
	call send
	mov al, 10
	call send
	mov bl, 0x40			; transmitter quite empty, or the emulator's end cuts the last characters
	call wait_line
	mov al, FAILED
	out 0xf4, al
	mov dx, 0x8900
	mov esi, shutdown
	mov ecx, 8
	rep outsb
.halt:	hlt
	jmp .halt

send:	push eax
	mov bl, 0x20
	call wait_line
	pop eax
	mov dx, COM1
	out dx, al
	ret

; Waits for the line status bits BL, but not for ever: there may be no UART.
wait_line:
	mov ecx, 100000
	mov dx, COM1 + 5
.again:	in al, dx
	test al, bl
	loopz .again
	ret

section .rodata
shutdown:	db "Shutdown"

section .text
bits 64
extern boot_main
entry64:
	mov ax, 0x10
	mov ds, ax
	mov es, ax
	mov ss, ax
	xor eax, eax
	mov fs, ax
	mov gs, ax
	mov rsp, boot_stack + 0x10000
	xor ebp, ebp			; ends the chain of frames
	mov edi, edi			; upper halves are undefined after the mode switch
	mov esi, esi
	call boot_main
.halt:	cli
	hlt
	jmp .halt
