/* The 8x16 font of the text modes: code page 437, drawn for this project. */
#ifndef DEVICES_VGA_FONT_H
#define DEVICES_VGA_FONT_H

#include <stdint.h>

#define VGA_FONT_ROWS 16

extern const uint8_t vga_font[256][VGA_FONT_ROWS];

#endif
