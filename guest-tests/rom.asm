; A firmware image: real mode from the reset vector on. Says on COM1 what it found.
COM1	equ 0x3f8
EXIT	equ 0xf4
DEBUG	equ 0x402
STACK	equ 0x7000
TICKS	equ 0x500			; in memory: timer interrupts so far
SOFT	equ 0x502			; set by a software interrupt
IMAGE	equ 0x10000

bits 16
org 0

; %1: a name. Said as passed when the flags of the last comparison say equal.
%macro SAY 1
	mov si, %%name
	call verdict
	jmp short %%on
%%name:	db %1, 10, 0
%%on:
%endmacro

; ---- in the copy at the top of 4 GiB, as CS's base after power-on has it; CS's value is that of the copy below 1 MiB
high:
	cli
	cld
	mov ax, cs
	mov bx, ds
	mov cx, ss
	smsw di
	xor dx, dx
	mov ds, dx
	mov ss, dx
	mov sp, STACK
	mov [SOFT], di
	mov byte [SOFT + 2], 1		; no failure so far
	cmp ax, 0xf000
	SAY "rom-cs"
	or bx, cx
	SAY "rom-segments"
	test word [SOFT], 1
	SAY "rom-real-mode"
	mov ax, [cs:0xfff0]
	mov [SOFT], ax
	jmp 0xf000:low

; ---- in the copy below 1 MiB
low:
	mov ax, [cs:0xfff0]
	cmp ax, [SOFT]
	SAY "rom-copy"

	mov word [0x60 * 4], soft_handler
	mov [0x60 * 4 + 2], cs
	mov word [SOFT], 0
	int 0x60
	cmp word [SOFT], 0x1234
	SAY "rom-int"

	; the 8259s at 8 and 0x70, only the timer open; the 8254 at 1 kHz
	mov word [8 * 4], timer_handler
	mov [8 * 4 + 2], cs
	mov word [TICKS], 0
	mov al, 0x11
	out 0x20, al
	mov al, 8
	out 0x21, al
	mov al, 4
	out 0x21, al
	mov al, 1
	out 0x21, al
	mov al, 0xfe
	out 0x21, al
	mov al, 0x34
	out 0x43, al
	mov al, 1193 & 0xff
	out 0x40, al
	mov al, 1193 >> 8
	out 0x40, al
.wait:	sti
	hlt
	cli
	cmp word [TICKS], 5
	jb .wait
	cmp ax, ax
	SAY "rom-timer"

	; segments that keep a limit of 4 GiB in real mode (SDM vol. 3, 9.9.2: what firmware calls big real mode)
	lgdt [cs:gdt_pointer]
	mov eax, cr0
	or al, 1
	mov cr0, eax
	mov bx, 8
	mov es, bx
	and al, 0xfe
	mov cr0, eax
	mov edi, 0xfffffff0
	mov eax, [es:edi]
	cmp eax, [cs:0xfff0]
	SAY "rom-high-copy"
	mov edi, 0x123456
	mov dword [es:edi], 0x5aa55aa5
	xor eax, eax
	mov eax, [es:edi]
	cmp eax, 0x5aa55aa5
	SAY "rom-big-real-mode"

	mov dx, DEBUG
	in al, dx
	cmp al, 0xe9
	SAY "rom-debug-port"
	mov si, greeting
.say:	cs lodsb
	out dx, al
	test al, al
	jnz .say

	; PAM registers hold what is written (82441FX)
	mov eax, 0x80000058
	mov dx, 0xcf8
	out dx, eax
	mov dx, 0xcfc
	mov eax, 0x33333055
	out dx, eax
	in eax, dx
	cmp eax, 0x33333000
	SAY "rom-pam"

	; no firmware was here before: the first head's function decodes nothing
	mov eax, 0x80001004
	mov dx, 0xcf8
	out dx, eax
	mov dx, 0xcfc
	in ax, dx
	and ax, 7
	SAY "rom-pci"

	movzx eax, byte [SOFT + 2]
	xor al, 1			; 0: all passed
	mov dx, EXIT
	out dx, eax
	hlt

soft_handler:
	mov word [SOFT], 0x1234
	iret

timer_handler:
	push ax
	inc word [TICKS]
	mov al, 0x20
	out 0x20, al
	pop ax
	iret

; SI: a name; ZF: it passed
verdict:
	mov di, si
	mov si, passed
	je .print
	mov si, failed
	mov byte [SOFT + 2], 0
.print:	call print
	mov si, di
print:
	push ax
	push dx
.next:	mov dx, COM1 + 5
	in al, dx
	test al, 0x20
	jz .next
	cs lodsb
	test al, al
	jz .end
	mov dx, COM1
	out dx, al
	jmp .next
.end:	pop dx
	pop ax
	ret

passed:	db "PASS ", 0
failed:	db "FAIL ", 0
greeting: db "hello from the reset vector", 10, 0

	align 8
gdt:	dq 0, 0x008f92000000ffff | 0x0040000000000000
gdt_pointer:
	dw 15
	dd 0xf0000 + gdt

	times IMAGE - 16 - ($ - $$) db 0xff
	jmp near high			; the reset vector
	times IMAGE - ($ - $$) db 0x5a
