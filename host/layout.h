/* Heads beside each other as monitors on one picture: rows of about as many columns. */
#ifndef HOST_LAYOUT_H
#define HOST_LAYOUT_H

#include <stdint.h>

#include "stream/display.h"

struct layout_place {
	unsigned x, y, width, height; /* width 0: the head is not there */
};

struct layout {
	unsigned width, height; /* of all; 0 where no head is there */
	struct layout_place head[DISPLAY_HEADS];
};

/** Places the heads whose width and height are given in l->head (0: absent), `gap` pixels between them. */
void layout_make(struct layout *l, unsigned gap);

/** Copies a head's pixels to its place in a picture of l->width * l->height words; what lies outside of its place is cut. */
void layout_paint(const struct layout *l, unsigned head, const struct canvas *c, uint32_t *px);

#endif
