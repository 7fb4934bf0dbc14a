/* A test card: colour bars, greys, a circle, single-pixel lines, and the head's number and size. A marker runs along its foot. */
#include "guest-tests/demo/scenes.h"
#include "guest-tests/lib/print.h"

#define INK RGB(240, 244, 248)
#define DARK RGB(18, 22, 30)

static const uint32_t bars[] = {
	RGB(235, 235, 235), RGB(235, 235, 16), RGB(16, 235, 235), RGB(16, 235, 16),
	RGB(235, 16, 235),  RGB(235, 16, 16),  RGB(16, 16, 235),  RGB(16, 16, 16),
};
#define BARS ((int32_t)(sizeof(bars) / sizeof(bars[0])))

static void grid(struct canvas *c)
{
	const int32_t cell = c->height / 12 > 8 ? c->height / 12 : 8;

	canvas_fill(c, 0, 0, c->width, c->height, RGB(72, 78, 88));
	for (int32_t x = c->width / 2 % cell; x < c->width; x += cell)
		canvas_fill(c, x, 0, 1, c->height, RGB(150, 156, 166));
	for (int32_t y = c->height / 2 % cell; y < c->height; y += cell)
		canvas_fill(c, 0, y, c->width, 1, RGB(150, 156, 166));
}

static void corners(struct canvas *c)
{
	const int32_t n = c->height / 24 + 2;

	for (int32_t i = 0; i < 4; i++)
		canvas_fill(c, i & 1 ? c->width - n : 0, i & 2 ? c->height - n : 0, n, n,
			    i & 1 ? RGB(255, 80, 60) : RGB(60, 160, 255));
	canvas_fill(c, 0, 0, c->width, 1, INK); /* the outermost pixels on all four sides */
	canvas_fill(c, 0, c->height - 1, c->width, 1, INK);
	canvas_fill(c, 0, 0, 1, c->height, INK);
	canvas_fill(c, c->width - 1, 0, 1, c->height, INK);
}

/* Between x0 and x1: bars above, greys, and lines one pixel apart below. */
static void panels(struct canvas *c, int32_t x0, int32_t x1)
{
	const int32_t w = x1 - x0, h = c->height;

	for (int32_t i = 0; i < BARS; i++)
		canvas_fill(c, x0 + w * i / BARS, h * 18 / 100, w * (i + 1) / BARS - w * i / BARS, h * 26 / 100, bars[i]);
	for (int32_t i = 0; i < 16; i++)
		canvas_fill(c, x0 + w * i / 16, h * 44 / 100, w * (i + 1) / 16 - w * i / 16, h * 8 / 100,
			    RGB(i * 17, i * 17, i * 17));
	canvas_fill(c, x0, h * 70 / 100, w, h * 10 / 100, DARK);
	for (int32_t i = 0; i < w; i++)
		if (i * 8 / w % 2 ? i & 1 : i >> 1 & 1)
			canvas_fill(c, x0 + i, h * 70 / 100, 1, h * 10 / 100, INK);
}

static bool card_start(struct canvas *c)
{
	const int32_t h = c->height, short_side = c->width < h ? c->width : h, size = short_side / 14 > 8 ? short_side / 14 : 8;
	const int32_t x0 = c->width * 18 / 100, x1 = c->width * 82 / 100;
	char name[16], mode[16];
	int32_t n, m;

	grid(c);
	canvas_ring(c, c->width * 8, h * 8, short_side * 16 * 47 / 100, 32, INK);
	panels(c, x0, x1);
	canvas_shade(c, x0, h * 52 / 100, x1 - x0, h * 18 / 100, RGB(30, 60, 110), DARK);
	n = (int32_t)print_to(name, sizeof(name), "HEAD %u", c->head->index);
	m = (int32_t)print_to(mode, sizeof(mode), "%ux%u", c->head->width, c->head->height);
	canvas_title(c, c->width / 2 - n * size / 2, h * 61 / 100 - size, size, name, INK);
	canvas_title(c, c->width / 2 - m * size * 3 / 8, h * 61 / 100 + size / 4, size * 3 / 4, mode, RGB(140, 200, 255));
	corners(c);
	canvas_fill(c, x0, h * 84 / 100, x1 - x0, 20, DARK);
	return canvas_keep(c);
}

static void card_step(struct canvas *c, unsigned frame)
{
	const int32_t x0 = c->width * 18 / 100, w = c->width * 64 / 100, y = c->height * 84 / 100;
	const struct rect foot = { x0, y, x0 + w, y + 20 };
	const int32_t run = w > 120 ? w - 100 : 20, at = (int32_t)(frame * 8 % (unsigned)(2 * run));
	const unsigned t = seconds_of_day(frame);
	char text[24];

	canvas_restore(c, &foot);
	canvas_fill(c, x0 + (at < run ? at : 2 * run - at), y + 3, 14, 14, RGB(255, 190, 40));
	print_to(text, sizeof(text), "%02u:%02u:%02u", t / 3600, t / 60 % 60, t % 60);
	canvas_text(c, x0 + w - 72, y + 2, text, INK);
}

const struct scene card_scene = { "test card", card_start, card_step };
