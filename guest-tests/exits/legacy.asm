; Exceptions that only 32-bit code can raise. Called from 64-bit code through trap_run, which the exception ends.
BITS 64
section .text
global into_overflow, bound_range

KERNEL_CS32 equ 0x18

%macro TO_32 1
	push KERNEL_CS32
	push %1
	o64 retf
%endmacro

into_overflow:
	TO_32 .code32
BITS 32
.code32:
	mov al, 0x7f
	add al, 1
	into
	ud2

BITS 64
bound_range:
	TO_32 .code32
BITS 32
.code32:
	mov eax, 11
	bound eax, [limits]
	ud2

section .rodata
limits	dd -10, 10
