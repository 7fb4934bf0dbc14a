#include "guest-tests/demo/canvas.h"

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/font.h"
#include "guest-tests/lib/string.h"

uint32_t blend(uint32_t under, uint32_t over, uint32_t alpha)
{
	uint32_t rb = ((over & 0xff00ff) * alpha + (under & 0xff00ff) * (256 - alpha)) >> 8 & 0xff00ff;
	uint32_t g = ((over & 0xff00) * alpha + (under & 0xff00) * (256 - alpha)) >> 8 & 0xff00;

	return rb | g;
}

static int32_t clamp(int32_t v, int32_t max)
{
	return v < 0 ? 0 : v > max ? max : v;
}

static struct rect clip(const struct canvas *c, int32_t x, int32_t y, int32_t w, int32_t h)
{
	return (struct rect){ clamp(x, c->width), clamp(y, c->height), clamp(x + w, c->width), clamp(y + h, c->height) };
}

static bool empty(const struct rect *r)
{
	return r->x0 >= r->x1 || r->y0 >= r->y1;
}

static uint32_t *at(const struct canvas *c, int32_t x, int32_t y)
{
	return c->px + (int64_t)y * c->width + x;
}

void canvas_touch(struct canvas *c, int32_t x, int32_t y, int32_t w, int32_t h)
{
	struct rect r = clip(c, x, y, w, h), *last;

	if (empty(&r))
		return;
	if (c->rects < CANVAS_RECTS) {
		c->rect[c->rects++] = r;
		return;
	}
	last = &c->rect[CANVAS_RECTS - 1];
	last->x0 = r.x0 < last->x0 ? r.x0 : last->x0;
	last->y0 = r.y0 < last->y0 ? r.y0 : last->y0;
	last->x1 = r.x1 > last->x1 ? r.x1 : last->x1;
	last->y1 = r.y1 > last->y1 ? r.y1 : last->y1;
}

void canvas_shade(struct canvas *c, int32_t x, int32_t y, int32_t w, int32_t h, uint32_t top, uint32_t bottom)
{
	struct rect r = clip(c, x, y, w, h);

	for (int32_t j = r.y0; j < r.y1; j++) {
		uint32_t color = blend(top, bottom, (uint32_t)((j - y) * 256 / h)), *p = at(c, r.x0, j);
		for (int32_t i = r.x0; i < r.x1; i++)
			*p++ = color;
	}
	canvas_touch(c, x, y, w, h);
}

void canvas_fill(struct canvas *c, int32_t x, int32_t y, int32_t w, int32_t h, uint32_t color)
{
	canvas_shade(c, x, y, w, h, color, color);
}

void canvas_text(struct canvas *c, int32_t x, int32_t y, const char *s, uint32_t color)
{
	int32_t x0 = x;

	for (; *s; s++, x += FONT_WIDTH) {
		const uint8_t *g = font_glyph(*s);
		struct rect r = clip(c, x, y, FONT_WIDTH, 2 * FONT_HEIGHT);
		for (int32_t j = r.y0; j < r.y1; j++)
			for (int32_t i = r.x0; i < r.x1; i++)
				if (g[(j - y) / 2] >> (FONT_WIDTH - 1 - (i - x)) & 1)
					*at(c, i, j) = color;
	}
	canvas_touch(c, x0, y, x - x0, 2 * FONT_HEIGHT);
}

/* A glyph's bit as 0 or 256; nothing outside of the cell. */
static int32_t glyph_bit(const uint8_t *g, int32_t x, int32_t y)
{
	if (x < 0 || y < 0 || x >= FONT_WIDTH || y >= FONT_HEIGHT)
		return 0;
	return g[y] >> (FONT_WIDTH - 1 - x) & 1 ? 256 : 0;
}

/* The glyph as a smooth field, cut at its middle: corners become round. u and v in 1/256 of a glyph's pixel. */
static uint32_t glyph_alpha(const uint8_t *g, int32_t u, int32_t v, int32_t size)
{
	int32_t x = u >> 8, y = v >> 8, fx = u & 255, fy = v & 255;
	int32_t top = glyph_bit(g, x, y) * (256 - fx) + glyph_bit(g, x + 1, y) * fx;
	int32_t bottom = glyph_bit(g, x, y + 1) * (256 - fx) + glyph_bit(g, x + 1, y + 1) * fx;
	int32_t field = (top * (256 - fy) + bottom * fy) >> 16;

	return (uint32_t)clamp((field - 112) * size / FONT_WIDTH + 128, 256);
}

int32_t canvas_title(struct canvas *c, int32_t x, int32_t y, int32_t size, const char *s, uint32_t color)
{
	const int32_t x0 = x;

	for (; *s; s++, x += size) {
		const uint8_t *g = font_glyph(*s);
		struct rect r = clip(c, x, y, size, size);
		for (int32_t j = r.y0; j < r.y1; j++)
			for (int32_t i = r.x0; i < r.x1; i++) {
				int32_t u = (2 * (i - x) + 1) * 128 * FONT_WIDTH / size - 128;
				int32_t v = (2 * (j - y) + 1) * 128 * FONT_HEIGHT / size - 128;
				*at(c, i, j) = blend(*at(c, i, j), color, glyph_alpha(g, u, v, size));
			}
	}
	canvas_touch(c, x0, y, x - x0, size);
	return x - x0;
}

bool canvas_keep(struct canvas *c)
{
	const uint64_t size = (uint64_t)c->width * (uint64_t)c->height * 4;

	if (!c->back)
		c->back = ram_alloc(size);
	if (c->back)
		memcpy(c->back, c->px, size);
	return c->back;
}

void canvas_restore(struct canvas *c, const struct rect *r)
{
	struct rect in = clip(c, r->x0, r->y0, r->x1 - r->x0, r->y1 - r->y0);

	for (int32_t y = in.y0; y < in.y1 && in.x0 < in.x1; y++)
		memcpy(at(c, in.x0, y), c->back + (at(c, in.x0, y) - c->px), (uint64_t)(in.x1 - in.x0) * 4);
	canvas_touch(c, in.x0, in.y0, in.x1 - in.x0, in.y1 - in.y0);
}

void canvas_flush(struct canvas *c)
{
	for (unsigned i = 0; i < c->rects; i++) {
		const struct rect *r = &c->rect[i];
		for (int32_t y = r->y0; y < r->y1; y++) {
			volatile uint32_t *to = head_row(c->head, (uint32_t)y) + r->x0;
			const uint32_t *from = at(c, r->x0, y);
			uint64_t n = (uint64_t)(r->x1 - r->x0);
			__asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(n)::"memory");
		}
	}
	c->rects = 0;
}
