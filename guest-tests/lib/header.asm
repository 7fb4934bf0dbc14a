; The multiboot 1 header of an ELF kernel (Multiboot 0.6.96, 3.1): page-aligned modules, memory information, a 32 bpp framebuffer.
%include "guest-tests/lib/multiboot.inc"

section .multiboot progbits alloc noexec nowrite align=4
FLAGS	equ MB_ALIGN | MB_MEMORY | MB_VIDEO
	dd MB_MAGIC, FLAGS, -(MB_MAGIC + FLAGS)
	times 5 dd 0			; addresses come from the ELF headers
	MB_VIDEO_MODE
