; uint32_t mode_trip(void): 64-bit -> compatibility -> protected without paging -> 32-bit paging -> protected -> 16-bit protected
; -> real mode and all the way back (Intel SDM vol. 3, 9.8.5.4, 9.9). What it meets is stored in mode_seen.
%include "guest-tests/lib/trip.inc"

CR4_PSE		equ 1 << 4
CR4_PAE		equ 1 << 5
VEC_TIMER	equ 0x20
VEC_OWN		equ 0x40
PIC1_COMMAND	equ 0x20

global mode_trip, mode_blob, mode_blob_end, mode_directory, mode_seen, mode_probe
extern pml4

section .text
BITS 64
mode_trip:
	trip_leave compatibility

BITS 32
compatibility:
	trip_data32
	mov eax, cr0
	and eax, ~CR0_PG
	mov cr0, eax
	mov ecx, EFER
	rdmsr
	mov [mode_seen + 0], eax
	and eax, ~EFER_LME
	wrmsr

	mov eax, CR4_PSE			; 32-bit paging with 4 MiB pages
	mov cr4, eax
	mov eax, [mode_directory]
	mov cr3, eax
	mov eax, cr0
	or eax, CR0_PG
	mov cr0, eax
	rdmsr
	mov [mode_seen + 4], eax
	mov eax, [mode_probe]
	mov [mode_seen + 8], eax
	mov eax, cr0
	and eax, ~CR0_PG
	mov cr0, eax
	xor eax, eax
	mov cr4, eax

	jmp CS16:LOW_PAGE

back_in_32:
	trip_data32
	trip_back
	trip_return
	ret

; Copied to LOW_PAGE; all offsets are relative to it. DS and SS have base 0 in 16-bit protected mode and LOW_PAGE in real mode.
BITS 16
mode_blob:
	trip_real real - mode_blob

real:
	mov ax, cs
	mov ds, ax
	mov ss, ax
	mov sp, 0x1000
	xor ax, ax
	mov es, ax
	lidt [real_idt - mode_blob]

	mov eax, [es:VEC_OWN * 4]		; the page of vectors may be the loader's: put back what was there
	push eax
	mov eax, [es:VEC_TIMER * 4]
	push eax
	mov word [es:VEC_OWN * 4], on_own - mode_blob
	mov [es:VEC_OWN * 4 + 2], cs
	mov word [es:VEC_TIMER * 4], on_timer - mode_blob
	mov [es:VEC_TIMER * 4 + 2], cs

	int VEC_OWN
	sti
	hlt
	cli
	xor eax, eax
	cpuid
	mov [own_cpuid - mode_blob], ebx
	mov eax, cr0
	mov [own_cr0 - mode_blob], eax
	mov ax, [0]
	mov [own_segment - mode_blob], ax

	pop eax
	mov [es:VEC_TIMER * 4], eax
	pop eax
	mov [es:VEC_OWN * 4], eax

	mov esi, [own_cpuid - mode_blob]
	mov edi, [own_cr0 - mode_blob]
	mov ebx, [own_interrupts - mode_blob]
	mov ecx, [own_ticks - mode_blob]
	movzx edx, word [own_segment - mode_blob]
	mov eax, cr0
	or eax, CR0_PE
	mov cr0, eax
	jmp dword KERNEL_CS32:from_real

on_own:	inc dword [cs:own_interrupts - mode_blob]
	iret

on_timer:
	push ax
	inc dword [cs:own_ticks - mode_blob]
	mov al, 0x20
	out PIC1_COMMAND, al
	pop ax
	iret

align 4
own_interrupts dd 0
own_ticks dd 0
own_cpuid dd 0
own_cr0	dd 0
own_segment dw 0
real_idt: dw 0x3ff
	dd 0
mode_blob_end:

BITS 32
from_real:
	mov eax, KERNEL_DS
	mov ds, eax
	mov [mode_seen + 12], edi
	mov [mode_seen + 16], ebx
	mov [mode_seen + 20], esi
	mov [mode_seen + 24], edx
	mov [mode_seen + 28], ecx
	jmp back_in_32

section .data
align 8
mode_directory dq 0
mode_probe dq 0x0badcafe
mode_seen times 8 dd 0
	trip_memory
