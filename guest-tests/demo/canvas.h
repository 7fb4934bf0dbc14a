/*
 * A head's picture drawn in RAM and copied to VRAM by rectangles, so that no half-drawn frame shows. The picture in RAM is the
 * head's shadow: what the screen must show after canvas_flush. All drawing is clipped; integers only.
 */
#ifndef DEMO_CANVAS_H
#define DEMO_CANVAS_H

#include "guest-tests/lib/heads.h"

#define CANVAS_RECTS 64

struct rect {
	int32_t x0, y0, x1, y1; /* right and bottom are outside */
};

struct canvas {
	const struct head *head;
	int32_t width, height;
	uint32_t *px;	/* the head's shadow */
	uint32_t *back; /* what canvas_restore brings back; NULL until canvas_keep */
	void *scene;	/* the scene's own */
	unsigned rects;
	struct rect rect[CANVAS_RECTS]; /* changed since the last flush */
};

#define RGB(r, g, b) ((uint32_t)(r) << 16 | (uint32_t)(g) << 8 | (uint32_t)(b))

/** Mixes: alpha 0 gives under, 256 over. */
uint32_t blend(uint32_t under, uint32_t over, uint32_t alpha);

/** Notes that a rectangle changed. */
void canvas_touch(struct canvas *c, int32_t x, int32_t y, int32_t w, int32_t h);

/** A plain rectangle, and one shaded from top to bottom. */
void canvas_fill(struct canvas *c, int32_t x, int32_t y, int32_t w, int32_t h, uint32_t color);
void canvas_shade(struct canvas *c, int32_t x, int32_t y, int32_t w, int32_t h, uint32_t top, uint32_t bottom);

/** Text in cells of 8 x 16 pixels on what is there. */
void canvas_text(struct canvas *c, int32_t x, int32_t y, const char *s, uint32_t color);

/** Text with rounded edges in square cells of `size` pixels; returns its width. */
int32_t canvas_title(struct canvas *c, int32_t x, int32_t y, int32_t size, const char *s, uint32_t color);

/** A disc, a ring and a thick line with round ends, all with smooth edges. Coordinates and sizes in 1/16 pixels. */
void canvas_disc(struct canvas *c, int32_t cx, int32_t cy, int32_t radius, uint32_t color);
void canvas_ring(struct canvas *c, int32_t cx, int32_t cy, int32_t radius, int32_t width, uint32_t color);
void canvas_line(struct canvas *c, int32_t x0, int32_t y0, int32_t x1, int32_t y1, int32_t width, uint32_t color);

/** Remembers the picture as it is for canvas_restore. False when memory is short. */
bool canvas_keep(struct canvas *c);
void canvas_restore(struct canvas *c, const struct rect *r);

/** Copies what changed to VRAM. */
void canvas_flush(struct canvas *c);

#endif
