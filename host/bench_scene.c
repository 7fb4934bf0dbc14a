#include "host/bench_scene.h"

#include <stdbool.h>
#include <string.h>

#include "devices/vga_font.h"

#define W SCENE_WIDTH
#define H SCENE_HEIGHT

/* A number that depends on v alone. */
static uint32_t mixed(uint32_t v)
{
	v = (v ^ v >> 16) * 0x7feb352du;
	v = (v ^ v >> 15) * 0x846ca68bu;
	return v ^ v >> 16;
}

static void put(uint32_t *px, int32_t x, int32_t y, uint32_t colour)
{
	if (x >= 0 && x < W && y >= 0 && y < H)
		px[y * W + x] = colour;
}

static void box(uint32_t *px, int32_t x0, int32_t y0, int32_t w, int32_t h, uint32_t colour)
{
	for (int32_t y = y0; y < y0 + h; y++)
		for (int32_t x = x0; x < x0 + w; x++)
			put(px, x, y, colour);
}

/* One character in a cell of 9 x 17 pixels; spread: every stroke leaves a shade on its right, as antialiased fonts do. */
static void letter(uint32_t *px, int32_t x0, int32_t y0, uint8_t c, uint32_t ink, uint32_t paper, bool spread)
{
	for (int32_t y = 0; y < 17; y++) {
		uint32_t bits = y < 16 ? vga_font[c][y] : 0, shade = (ink >> 1 & 0x7f7f7f) + (paper >> 1 & 0x7f7f7f);

		for (int32_t x = 0; x < 9; x++) {
			bool on = x < 8 && bits >> (7 - x) & 1, before = x && bits >> (8 - x) & 1;

			put(px, x0 + x, y0 + y, on ? ink : spread && before ? shade : paper);
		}
	}
}

/* A line of words that line number n alone decides. */
static void text_line(uint32_t *px, int32_t x0, int32_t y0, uint32_t n, uint32_t chars, uint32_t ink, uint32_t paper, bool spread)
{
	static const char *const words[] = { "page",   "fault", "at",	 "0x7f",   "guest", "write",	"tile",	  "the",
					     "of",     "frame", "line",	 "serial", "ok",    "[  12.5]", "error:", "device",
					     "mapped", "and",	"dirty", "queue",  "-",	    "=" };
	char line[128];
	uint32_t length = 0;

	memset(line, ' ', sizeof(line));
	for (uint32_t i = 0; length + 12 < chars - mixed(n) % (chars / 2); i++) {
		const char *word = words[mixed(n * 64 + i) % (sizeof(words) / sizeof(*words))];

		memcpy(line + length, word, strlen(word));
		length += (uint32_t)strlen(word) + 1;
	}
	for (uint32_t i = 0; i < chars; i++)
		letter(px, x0 + (int32_t)i * 9, y0, (uint8_t)line[i], ink, paper, spread);
}

/* A console that scrolls by some lines. */
static void paint_console(uint32_t *px, uint32_t frame)
{
	static uint32_t next;
	uint32_t lines = frame ? mixed(frame) % 4 : 35;

	next = frame ? next : 0;
	memmove(px, px + lines * 17 * W, (size_t)(H - lines * 17) * W * 4);
	for (uint32_t i = 0; i < lines; i++)
		text_line(px, 0, (int32_t)(H - (lines - i) * 17), next++, 80, 0xaaaaaa, 0, false);
}

/* A terminal of several colours, shaded letters, with a status line; some lines change in place. */
static void paint_editor(uint32_t *px, uint32_t frame)
{
	static const uint32_t inks[] = { 0xd0d0d0, 0x80c0ff, 0xffc060, 0x90e090 };

	if (!frame)
		box(px, 0, 0, W, H, 0x202430);
	for (uint32_t i = 0; i < 30; i++)
		if (!frame || mixed(frame * 31 + i) % 9 == 0)
			text_line(px, 11, 23 + (int32_t)i * 17, mixed(frame * 100 + i), 70, inks[i % 4], 0x202430, true);
	box(px, 0, 570, W, 20, 0x405080);
	text_line(px, 11, 572, frame / 4, 60, 0xffffff, 0x405080, true);
}

static uint32_t gradient(int32_t x, int32_t y)
{
	uint32_t ripple = mixed((uint32_t)(y * W + x)) >> 30;

	return ((uint32_t)(x * 180 / W) + ripple) << 16 | ((uint32_t)(y * 200 / H) + ripple) << 8 |
	       ((uint32_t)((x + y) / 8) + ripple);
}

/* A window of text that is dragged over a gradient with a little noise. */
static void paint_window(uint32_t *px, uint32_t frame)
{
	int32_t x0 = 60 + (int32_t)(frame * 17), y0 = 40 + (int32_t)(frame * frame % 190);

	for (int32_t y = 0; y < H; y++)
		for (int32_t x = 0; x < W; x++)
			px[y * W + x] = gradient(x, y);
	box(px, x0, y0, 330, 230, 0x606060);
	box(px, x0 + 1, y0 + 1, 328, 18, 0x3050a0);
	box(px, x0 + 1, y0 + 20, 328, 209, 0xf8f8f0);
	text_line(px, x0 + 8, y0 + 2, 1, 30, 0xffffff, 0x3050a0, false);
	for (int32_t i = 0; i < 12; i++)
		text_line(px, x0 + 8, y0 + 24 + i * 17, (uint32_t)i, 34, 0x101010, 0xf8f8f0, false);
}

/* A picture that moves and is noisy everywhere, as video is, in a part of the screen. */
static void paint_video(uint32_t *px, uint32_t frame)
{
	for (int32_t y = 100; y < 340; y++)
		for (int32_t x = 200; x < 520; x++) {
			int32_t u = x + (int32_t)frame * 3, v = y - (int32_t)frame;
			uint32_t noise = mixed((uint32_t)(y * W + x) + frame * 1000003u);
			uint32_t luma = (uint32_t)((u * v / 97) & 63) + (uint32_t)(u / 5 & 127) + (noise & 7);

			px[y * W + x] = luma << 16 | (luma * 3 / 4 + (noise >> 8 & 3)) << 8 | (luma / 2 + (noise >> 16 & 7));
		}
}

/* Lines that grow, frame by frame. */
static void paint_plot(uint32_t *px, uint32_t frame)
{
	if (!frame) {
		box(px, 0, 0, W, H, 0xffffff);
		for (int32_t i = 0; i < 11; i++) {
			box(px, 60, 40 + i * 50, 700, 1, 0xd8d8d8);
			box(px, 60 + i * 70, 40, 1, 500, 0xd8d8d8);
		}
	}
	for (int32_t curve = 0; curve < 3; curve++)
		for (int32_t x = 60 + (int32_t)frame * 29; x < 60 + (int32_t)(frame + 1) * 29; x++) {
			int32_t t = x * (curve + 2) % 400, y = 290 + (t < 200 ? t - 100 : 300 - t) * (curve + 1) / 2;
			uint32_t colour = curve == 0 ? 0xc03020 : curve == 1 ? 0x2060c0 : 0x209040;

			put(px, x, y - 1, (colour >> 1 & 0x7f7f7f) + 0x7f7f7f);
			put(px, x, y, colour);
			put(px, x, y + 1, (colour >> 1 & 0x7f7f7f) + 0x7f7f7f);
		}
	text_line(px, 300, 10, frame / 6, 24, 0, 0xffffff, true);
}

const struct scene scenes[] = {
	{ "console", paint_console }, { "editor", paint_editor }, { "window", paint_window },
	{ "video", paint_video },     { "plot", paint_plot },	  { 0 },
};

const struct scene *scene_find(const char *name)
{
	for (const struct scene *s = scenes; s->name; s++)
		if (!strcmp(s->name, name))
			return s;
	return NULL;
}
