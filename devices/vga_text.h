/*
 * A VGA text mode as a picture: 8 bpp, so that another colour in the palette is no other picture. The real one is shown dot for
 * dot: mode 3 is 720x400, characters of 9 dots, because that is what line graphics and text written for it count on; a guest that
 * asks for 8 dots (sequencer's clocking mode) gets 640x400.
 *
 * Nothing blinks: a cursor and characters that ask for it are shown all the time. A still screen costs no byte on the line.
 */
#ifndef DEVICES_VGA_TEXT_H
#define DEVICES_VGA_TEXT_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/vga.h"
#include "stream/display.h"

#define VGA_TEXT_BYTES (VGA_TEXT_COLUMNS * 9u * VGA_TEXT_LINES) /* of a picture, at most */

struct vga_text {
	uint8_t *picture;	       /* VGA_TEXT_BYTES; the owner's */
	struct vga_text_mode mode;     /* that it was drawn in; 0 columns: it was not */
	uint16_t cell[VGA_TEXT_CELLS]; /* as drawn: character, and attribute in the high byte */
};

/** The scanout of a picture in that mode. */
void vga_text_scanout(const struct vga_text *t, const struct vga_text_mode *m, const uint32_t *palette, struct scanout *so);

/**
 * Draws the cells that differ from what was drawn, all of them after another size or colours, and tells the stream where.
 * @memory  VGA_TEXT_MEMORY bytes at the mode's base
 */
void vga_text_draw(struct vga_text *t, const struct vga_text_mode *m, const volatile uint8_t *memory, struct display_tx *tx,
		   unsigned head);

#endif
