; The multiboot 1 header of a kernel that asks for no framebuffer: it finds the screen in VGA text mode.
%include "guest-tests/lib/multiboot.inc"

section .multiboot progbits alloc noexec nowrite align=4
FLAGS	equ MB_ALIGN | MB_MEMORY
	dd MB_MAGIC, FLAGS, -(MB_MAGIC + FLAGS)
