/* Shapes with smooth edges: a pixel's share of colour is how far its middle lies inside the edge, in 1/16 pixels. */
#include "guest-tests/demo/canvas.h"
#include "guest-tests/demo/trig.h"

#define ONE 16 /* a pixel */
#define HALF 8

/* What a shape is told by: the distance from its skeleton (a point, a circle, a segment) against half its width. */
struct shape {
	int64_t ax, ay, bx, by; /* segment; a point when both are the same */
	int64_t ring;		/* radius of a circle around the point, 0: the point itself */
	int64_t reach;		/* half the width */
};

static int64_t square_to_segment(const struct shape *s, int64_t x, int64_t y)
{
	int64_t dx = s->bx - s->ax, dy = s->by - s->ay, px = x - s->ax, py = y - s->ay;
	int64_t length = dx * dx + dy * dy, along = px * dx + py * dy;

	if (along > 0 && length) {
		if (along > length)
			along = length;
		px -= along * dx / length;
		py -= along * dy / length;
	}
	return px * px + py * py;
}

/* 0 to 256. The square root is needed near an edge only. */
static uint32_t coverage(const struct shape *s, int64_t x, int64_t y)
{
	int64_t square = square_to_segment(s, x, y), d, near = s->reach - HALF, far = s->reach + HALF;

	if (s->ring) {
		int64_t out = s->ring + far, in = s->ring - far;
		if (square >= out * out || (in > 0 && square <= in * in))
			return 0;
		d = (int64_t)isqrt((uint64_t)square) - s->ring;
		d = d < 0 ? -d : d;
	} else {
		if (square >= far * far)
			return 0;
		if (near > 0 && square <= near * near)
			return 256;
		d = (int64_t)isqrt((uint64_t)square);
	}
	d = (far - d) * 256 / ONE;
	return d < 0 ? 0 : d > 256 ? 256 : (uint32_t)d;
}

static int64_t min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

static int64_t max(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

static void draw(struct canvas *c, const struct shape *s, uint32_t color)
{
	const int64_t margin = s->ring + s->reach + ONE;
	const int32_t x0 = (int32_t)max(0, (min(s->ax, s->bx) - margin) / ONE),
		      y0 = (int32_t)max(0, (min(s->ay, s->by) - margin) / ONE);
	const int32_t x1 = (int32_t)min(c->width, (max(s->ax, s->bx) + margin) / ONE + 1);
	const int32_t y1 = (int32_t)min(c->height, (max(s->ay, s->by) + margin) / ONE + 1);

	for (int32_t y = y0; y < y1; y++) {
		uint32_t *p = c->px + (int64_t)y * c->width + x0;
		for (int32_t x = x0; x < x1; x++, p++) {
			uint32_t alpha = coverage(s, x * ONE + HALF, y * ONE + HALF);
			if (alpha)
				*p = blend(*p, color, alpha);
		}
	}
	canvas_touch(c, x0, y0, x1 - x0, y1 - y0);
}

void canvas_disc(struct canvas *c, int32_t cx, int32_t cy, int32_t radius, uint32_t color)
{
	draw(c, &(struct shape){ cx, cy, cx, cy, 0, radius }, color);
}

void canvas_ring(struct canvas *c, int32_t cx, int32_t cy, int32_t radius, int32_t width, uint32_t color)
{
	draw(c, &(struct shape){ cx, cy, cx, cy, radius, width / 2 }, color);
}

void canvas_line(struct canvas *c, int32_t x0, int32_t y0, int32_t x1, int32_t y1, int32_t width, uint32_t color)
{
	draw(c, &(struct shape){ x0, y0, x1, y1, 0, width / 2 }, color);
}
