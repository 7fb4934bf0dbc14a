/* Drawing on a head and on its shadow at once, each by its own stores: the shadow is what the screen must show. */
#ifndef GUEST_PAINTER_H
#define GUEST_PAINTER_H

#include "guest-tests/lib/heads.h"

/** One pixel; outside of the head nothing happens. */
void paint_pixel(const struct head *h, uint32_t x, uint32_t y, uint32_t color);

/** A rectangle, clipped. */
void paint_fill(const struct head *h, uint32_t x, uint32_t y, uint32_t width, uint32_t height, uint32_t color);

/** A string of 8x16 cells, clipped. */
void paint_text(const struct head *h, uint32_t x, uint32_t y, const char *s, uint32_t ink, uint32_t paper);

/**
 * Finds the nth page boundary of VRAM that has `room` visible bytes on either side, next to each other in VRAM: within one row, or
 * in two rows with nothing between them. Returns false when there is none; *vram and *shadow: the boundary in both.
 */
bool find_boundary(const struct head *h, unsigned nth, uint32_t room, volatile uint8_t **vram, uint8_t **shadow);

#endif
