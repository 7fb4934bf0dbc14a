; From the boot loader's 32-bit state (Multiboot 0.6.96, 3.2) to main() in 64-bit mode.
;
; The 4 GiB below are mapped twice with the same page directories: at 0 for the kernel, at USER_BASE for CPL 3.
BITS 32

PTE_P	equ 1
PTE_W	equ 2
PTE_U	equ 4
PTE_PS	equ 0x80
CR4_PAE	equ 1 << 5
EFER	equ 0xc0000080
EFER_LME equ 1 << 8
CR0_PG	equ 1 << 31
CR0_PE	equ 1
KERNEL_CS equ 0x08			; cpu.h
COM1	equ 0x3f8
EXIT_PORT equ 0xf4

global start, boot_magic, boot_info, pml4, gdt, gdt_pointer, boot_stack_top
extern main, guest_exit

section .text
start:
	cli
	cld
	mov esp, boot_stack_top
	mov [boot_magic], eax
	mov [boot_info], ebx

	mov eax, 0x80000000
	cpuid
	cmp eax, 0x80000001
	jb no_long_mode
	mov eax, 0x80000001
	cpuid
	bt edx, 29			; LM
	jnc no_long_mode

	mov edi, directories		; 4 * 512 leaves of 2 MiB
	mov eax, PTE_P | PTE_W | PTE_U | PTE_PS
	mov ecx, 2048
.leaf:	mov [edi], eax
	mov dword [edi + 4], 0
	add eax, 0x200000
	add edi, 8
	loop .leaf

	mov eax, directories + PTE_P + PTE_W
	xor ecx, ecx
.pdpt:	mov [pdpt_kernel + ecx * 8], eax
	lea edx, [eax + PTE_U]
	mov [pdpt_user + ecx * 8], edx
	add eax, 4096
	inc ecx
	cmp ecx, 4
	jne .pdpt
	mov dword [pml4], pdpt_kernel + PTE_P + PTE_W
	mov dword [pml4 + 8], pdpt_user + PTE_P + PTE_W + PTE_U

	mov eax, cr4
	or eax, CR4_PAE
	mov cr4, eax
	mov eax, pml4
	mov cr3, eax
	mov ecx, EFER
	rdmsr
	or eax, EFER_LME
	wrmsr
	mov eax, cr0
	or eax, CR0_PG | CR0_PE
	mov cr0, eax
	lgdt [gdt_pointer]
	jmp KERNEL_CS:start64

no_long_mode:
	mov esi, no_long_mode_text
.next:	lodsb
	test al, al
	jz .end
	mov ah, al
	mov ecx, 1000000
.busy:	mov dx, COM1 + 5
	in al, dx
	test al, 0x20
	loopz .busy
	mov al, ah
	mov dx, COM1
	out dx, al
	jmp .next
.end:	mov eax, 1
	mov dx, EXIT_PORT
	out dx, eax
.halt:	cli
	hlt
	jmp .halt

BITS 64
start64:
	mov eax, KERNEL_CS + 8
	mov ds, eax
	mov es, eax
	mov ss, eax
	xor eax, eax
	mov fs, eax
	mov gs, eax
	mov rsp, boot_stack_top
	xor ebp, ebp
	call main
	mov edi, eax
	call guest_exit
.halt:	hlt
	jmp .halt

section .rodata
no_long_mode_text db "FAIL boot: this CPU has no 64-bit mode", 10, 0

section .data
boot_magic dd 0
boot_info dd 0

; Selectors are named in cpu.h. The TSS descriptor's base is filled in by trap_init.
align 16
gdt:	dq 0
	dq 0x00af9b000000ffff		; 0x08 kernel code, 64-bit
	dq 0x00cf93000000ffff		; 0x10 kernel data
	dq 0x00cf9b000000ffff		; 0x18 kernel code, 32-bit
	dq 0x00cff3000000ffff		; 0x20 user data
	dq 0x00affb000000ffff		; 0x28 user code, 64-bit
	dq 0x00cffb000000ffff		; 0x30 user code, 32-bit
	dq 0, 0				; 0x38 TSS
	dq 0x00009b000000ffff		; 0x48 code, 16-bit, for the way to real mode
	dq 0x000093000000ffff		; 0x50 data, 16-bit
	times 5 dq 0			; 0x58 for tests to fill
gdt_pointer:
	dw $ - gdt - 1
	dq gdt

section .bss
alignb 4096
pml4:	resb 4096
pdpt_kernel: resb 4096
pdpt_user: resb 4096
directories: resb 4 * 4096
	resb 32768
boot_stack_top:
