; A kernel by Linux's boot protocol (Documentation/x86/boot.rst) that checks what its entry finds and says so on COM1. ENTRY: 32 or 64,
; the entry that it has beside the 16-bit one; the other one says FAIL.
COM1	equ 0x3f8
EXIT	equ 0xf4
LOAD	equ 0x200000
ROOM	equ 0x40000			; init_size: what must be there, and mapped

bits 16
org 0
	times 0x1f1 db 0
	db 2				; setup_sects
	times 0x1fe - ($ - $$) db 0
	dw 0xaa55
	jmp short header_end
	db "HdrS"
	dw 0x20f			; protocol 2.15
	times 0x211 - ($ - $$) db 0
	db 1				; LOADED_HIGH
	times 0x22c - ($ - $$) db 0
	dd 0x7fffffff			; initrd_addr_max
	dd 0x200000			; kernel_alignment
	db 0, 21			; not relocatable
%if ENTRY == 64
	dw 1				; XLF_KERNEL_64
%else
	dw 0
%endif
	dd 255				; cmdline_size
	times 0x258 - ($ - $$) db 0
	dq LOAD				; pref_address
	dd ROOM				; init_size
	times 0x268 - ($ - $$) db 0
header_end:

; ---- the 16-bit entry, for who is booted by firmware. Offsets are from DS, which is where the file lies; CS is 0x20 more.
%macro CHECK16 2
	mov si, %%name
	j%2 fail16
	jmp short %%on
%%name:	db %1, 10, 0
%%on:
%endmacro
	cld
	mov ax, cs
	sub ax, 0x20
	mov bx, ds
	cmp ax, bx
	CHECK16 "CS", ne
	smsw ax
	test al, 1
	CHECK16 "PE", nz
	cmp byte [0x210], 0
	CHECK16 "type_of_loader", e
	test byte [0x211], 0x80
	CHECK16 "loadflags", z
	cmp dword [0x218], 0x100000
	CHECK16 "ramdisk_image", b
	cmp dword [0x21c], 9		; "initramfs"
	CHECK16 "ramdisk_size", ne
	mov eax, [0x228]
	shr eax, 4
	mov es, ax
	cmp dword [es:0], "argu"
	CHECK16 "the command line", ne
	int 0x12			; the BIOS is there: KiB of memory, and text mode 3
	cmp ax, 512
	CHECK16 "INT 12", b
	mov ah, 0x0f
	int 0x10
	cmp al, 3
	CHECK16 "INT 10", ne
	push ds				; VESA: 640x480 at 32 bpp of Bochs' list lies where head 0's BAR 0 is (VBE 3.0, function 01)
	pop es
	mov di, mode_info
	mov cx, 0x142
	mov ax, 0x4f01
	int 0x10
	cmp ax, 0x4f
	CHECK16 "VESA mode", ne
	mov dx, 0xcf8
	mov eax, 0x80001010		; 00:02.0
	out dx, eax
	mov dx, 0xcfc
	in eax, dx
	and al, 0xf0
	cmp eax, [mode_info + 0x28]
	CHECK16 "VESA framebuffer", ne
	mov bx, 0x4142
	mov ax, 0x4f02
	int 0x10
	cmp ax, 0x4f
	CHECK16 "VESA mode set", ne
	mov dx, 0x1ce			; it is on: the DISPI's register 4, and 1, the width
	mov ax, 4
	out dx, ax
	inc dx
	in ax, dx
	test al, 1
	CHECK16 "DISPI", z
	dec dx
	mov ax, 1
	out dx, ax
	inc dx
	in ax, dx
	cmp ax, 640
	CHECK16 "the mode's width", ne
	mov ax, 3
	int 0x10
	mov si, passed16
	call print16
	xor eax, eax
	jmp end16
fail16:	push si
	mov si, failed16
	call print16
	pop si
	call print16
	mov eax, 1
end16:	mov dx, EXIT
	out dx, eax
	hlt
print16:
	mov dx, COM1 + 5
	in al, dx
	test al, 0x20
	jz print16
	lodsb
	test al, al
	jz .end
	mov dx, COM1
	out dx, al
	mov ah, 0x0e
	mov bx, 7
	int 0x10
	jmp print16
.end:	ret
passed16: db "PASS bzimage-16", 10, 0
failed16: db "FAIL bzimage: wrong ", 0
	times 0x600 - ($ - $$) db 0
mode_info equ 0x1000			; 256 bytes behind the setup part, which the boot ROM leaves free

; ---- the 32-bit code, from LOAD on. FIX: an address as it is there.
bits 32
payload:
%define FIX(x) (LOAD + (x) - payload)

; %1: a name; %2: the condition under which it is wrong
%macro CHECK 2
	mov edi, FIX(%%name)
	j%2 FIX_FAIL
	jmp short %%on
%%name:	db %1, 0
%%on:
%endmacro

; __BOOT_CS and __BOOT_DS, at either entry.
%macro SELECTORS 0
	mov ax, cs
	cmp ax, 0x10
	CHECK "CS", ne
	mov ax, ds
	cmp ax, 0x18
	CHECK "DS", ne
	mov ax, es
	cmp ax, 0x18
	CHECK "ES", ne
	mov ax, ss
	cmp ax, 0x18
	CHECK "SS", ne
%endmacro

%if ENTRY == 32
%define FIX_FAIL fail
	mov esp, FIX(stack)
	SELECTORS
	mov eax, cr0
	and eax, 0x80000001
	cmp eax, 1
	CHECK "CR0", ne
	or ebp, ebp
	CHECK "EBP", nz
	or ebx, ebx
	CHECK "EBX", nz
	jmp both
%else
	mov edi, FIX(wrong_entry)
	jmp fail
wrong_entry: db "the 32-bit entry was taken", 0
%endif
	times 0x200 - ($ - payload) db 0

; ---- the 64-bit entry, 0x200 behind
bits 64
%if ENTRY == 64
%define FIX_FAIL fail
	mov esp, FIX(stack)
	SELECTORS
	mov rax, cr0
	shr eax, 31
	CHECK "CR0.PG", z
	mov rax, cr4
	test al, 1 << 5
	CHECK "CR4.PAE", z
	mov ecx, 0xc0000080
	rdmsr
	and eax, 0x500
	cmp eax, 0x500
	CHECK "EFER", ne
	mov rax, -1			; 32-bit code would decrement EAX and go on with its 1
	shr rax, 33
	cmp eax, 0x7fffffff
	CHECK "64-bit code", ne
	mov rax, rsi
	shr rax, 32
	CHECK "RSI", nz
	mov eax, 0x18			; the GDT really holds them
	mov ds, eax
	mov es, eax
	mov ss, eax
	push 0x10
	push FIX(reloaded)
	retfq
reloaded:
%endif

; ---- for both
bits ENTRY
both:
	cmp dword [FIX(ROOM_PROBE)], 0	; all of init_size is there
	CHECK "memory of init_size", ne
	cmp dword [esi + 0x202], "HdrS"
	CHECK "the header in the zero page", ne
	cmp byte [esi + 0x210], 0
	CHECK "type_of_loader", e
	cmp byte [esi + 0x1e8], 2
	CHECK "the memory map", b
	cmp byte [esi + 0x0f], 0x70
	CHECK "screen_info", ne
	mov ebx, [esi + 0x228]
	cmp dword [ebx], "argu"
	CHECK "the command line", ne
	pushf				; 32 or 64 bits wide
	pop ax
	test ah, 2
	CHECK "IF", nz
	mov edi, FIX(passed)
	call print
	xor eax, eax
	mov dx, EXIT
	out dx, eax
	hlt

fail:
	mov ebx, edi
	mov edi, FIX(failed)
	call print
	mov edi, ebx
	call print
	mov edi, FIX(newline)
	call print
	mov eax, 1
	mov dx, EXIT
	out dx, eax
	hlt

; EDI: a string for COM1
print:
	mov dx, COM1 + 5
.wait:	in al, dx
	test al, 0x20
	jz .wait
	mov al, [edi]
	test al, al
	jz .end
	mov dx, COM1
	out dx, al
	add edi, 1
	jmp print
.end:	ret

%if ENTRY == 64
passed:	db "PASS bzimage-64", 10, 0
%else
passed:	db "PASS bzimage-32", 10, 0
%endif
failed:	db "FAIL bzimage: wrong ", 0
newline: db 10, 0
	align 16
	times 256 db 0
stack:
ROOM_PROBE equ payload + ROOM - 4
