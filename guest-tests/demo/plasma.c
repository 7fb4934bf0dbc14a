/* A plasma: four waves through a palette, in a frame. Cells of 4 x 4 pixels. */
#include "guest-tests/demo/scenes.h"
#include "guest-tests/demo/trig.h"

#define CELL 4

static uint32_t palette[256];
static struct rect panels[HEADS_MAX];

static void make_palette(void)
{
	for (int32_t i = 0; i < 256; i++) {
		int32_t a = i * TRIG_TURN / 256;
		palette[i] = RGB(136 + sine(a) * 110 / TRIG_ONE, 96 + sine(a + TRIG_TURN / 3) * 90 / TRIG_ONE,
				 150 + sine(a + TRIG_TURN * 2 / 3) * 100 / TRIG_ONE);
	}
}

static void cells(struct canvas *c, unsigned frame)
{
	const struct rect *r = c->scene;
	const int32_t t = (int32_t)(frame * 12);

	for (int32_t y = r->y0; y < r->y1; y += CELL)
		for (int32_t x = r->x0; x < r->x1; x += CELL) {
			int32_t u = x - r->x0, v = y - r->y0;
			int32_t wave = sine(u * 3 + t) + sine(v * 4 - t * 2) + sine((u + v) * 2 + t) +
				       sine((u * cosine(t / 3) + v * sine(t / 2)) / (TRIG_ONE / 3) + t);
			uint32_t color = palette[(wave * 48 / TRIG_ONE + t / 4) & 255];
			for (int32_t j = y; j < y + CELL && j < r->y1; j++)
				for (int32_t i = x; i < x + CELL && i < r->x1; i++)
					c->px[(int64_t)j * c->width + i] = color;
		}
	canvas_touch(c, r->x0, r->y0, r->x1 - r->x0, r->y1 - r->y0);
}

static bool plasma_start(struct canvas *c)
{
	struct rect *r = &panels[c->head->index % HEADS_MAX];
	int32_t top, h;

	make_palette();
	canvas_shade(c, 0, 0, c->width, c->height, RGB(36, 28, 44), RGB(20, 16, 28));
	top = title_strip(c, "plasma");
	h = c->height - top;
	*r = (struct rect){ c->width / 4, top + h / 4, c->width * 3 / 4, top + h * 3 / 4 };
	canvas_fill(c, r->x0 - 10, r->y0 - 10, r->x1 - r->x0 + 20, r->y1 - r->y0 + 20, RGB(96, 72, 48));
	canvas_fill(c, r->x0 - 7, r->y0 - 7, r->x1 - r->x0 + 14, r->y1 - r->y0 + 14, RGB(190, 152, 96));
	canvas_fill(c, r->x0 - 3, r->y0 - 3, r->x1 - r->x0 + 6, r->y1 - r->y0 + 6, RGB(70, 52, 36));
	c->scene = r;
	cells(c, 0);
	return true;
}

static void plasma_step(struct canvas *c, unsigned frame)
{
	cells(c, frame);
}

const struct scene plasma_scene = { "plasma", plasma_start, plasma_step };
