; The multiboot 1 header of a flat image: flag bit 16 says that the addresses below count, whatever the file's format.
%include "guest-tests/lib/multiboot.inc"
extern image_start, image_data_end, image_end, start

section .multiboot progbits alloc noexec nowrite align=4
FLAGS	equ MB_ALIGN | MB_MEMORY | MB_VIDEO | MB_ADDRESSES
header:	dd MB_MAGIC, FLAGS, -(MB_MAGIC + FLAGS)
	dd header, image_start, image_data_end, image_end, start
	MB_VIDEO_MODE
