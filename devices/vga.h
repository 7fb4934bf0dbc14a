/*
 * VGA registers (IBM VGA Technical Reference; ports 0x3b4 to 0x3df): what text modes need, and the DAC of 8 bpp modes. Each head's
 * function has such a set, seen through its BAR 2; the first head's is at the ports too. There are no planes: text lies in plain
 * guest memory, a loaded font is not looked at, and graphics modes of the VGA show nothing.
 */
#ifndef DEVICES_VGA_H
#define DEVICES_VGA_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/bus.h"
#include "devices/clock.h"

#define VGA_PORT 0x3b0u /* vga_ops' region */
#define VGA_PORTS 0x30u

#define VGA_TEXT_MEMORY 0x8000u /* bytes at b0000 or b8000: character and attribute in turn */
#define VGA_TEXT_COLUMNS 132u	/* larger modes show nothing */
#define VGA_TEXT_LINES 480u
#define VGA_TEXT_CELLS (VGA_TEXT_COLUMNS * 60u)

struct vga {
	struct clock *clock;
	uint32_t *palette; /* 256 words 0x00RRGGBB: the DAC's */
	void (*changed)(void *arg, bool palette);
	void *arg;
	bool dac8; /* the DAC takes 8 bits a colour, not 6 */
	uint8_t misc, feature, seq_index, crtc_index, graphics_index, attribute_index;
	bool attribute_data; /* the next write to 3c0 is data */
	uint8_t seq[5], crtc[25], graphics[9], attribute[21];
	uint8_t dac_mask, dac_write, dac_part, dac_read, dac_read_part, dac_rgb[3];
};

/* A text mode as the registers describe it. */
struct vga_text_mode {
	uint32_t base;			/* guest-physical: 0xb0000 or 0xb8000 */
	uint16_t columns, rows;		/* characters */
	uint16_t start, pitch;		/* of the first, and from one row to the next; characters */
	uint16_t cursor;		/* the character that it is at */
	uint8_t cursor_from, cursor_to; /* its first and last row of dots; from > to: there is none */
	uint8_t width, height;		/* dots of a character */
	bool blink;			/* attribute bit 7 asks for blinking, else it is a fourth background bit */
	bool line_graphics;		/* the ninth dot of c0 to df repeats the eighth */
	uint8_t colour[16];		/* index into the palette */
};

extern const struct bus_ops vga_ops; /* VGA_PORTS ports at VGA_PORT; dev is the vga */

/** changed is called when a register that shows took another value; palette: a word of it did. */
void vga_init(struct vga *v, struct clock *clock, uint32_t *palette, void (*changed)(void *arg, bool palette), void *arg);

/** What a video BIOS leaves: mode 3, 80x25 characters of 9x16 dots, its 16 colours, at 0xb8000. */
void vga_reset(struct vga *v);

/** One port, by its number. */
uint8_t vga_read(struct vga *v, unsigned port);
void vga_write(struct vga *v, unsigned port, uint8_t value);

/** True when the attribute controller shows anything at all (palette address source). */
bool vga_shows(const struct vga *v);

/** The text mode that is set. False: none is, it is blanked, or it has sizes past the limits above. */
bool vga_text_mode(const struct vga *v, struct vga_text_mode *m);

#endif
