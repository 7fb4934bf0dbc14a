#include "guest-tests/lib/painter.h"

#include "guest-tests/lib/font.h"

#define PAGE 4096u

void paint_pixel(const struct head *h, uint32_t x, uint32_t y, uint32_t color)
{
	if (x >= h->width || y >= h->height)
		return;
	head_row(h, y)[x] = color;
	h->shadow[(uint64_t)y * h->width + x] = color;
}

void paint_fill(const struct head *h, uint32_t x, uint32_t y, uint32_t width, uint32_t height, uint32_t color)
{
	for (uint32_t j = y; j < y + height && j < h->height; j++)
		for (uint32_t i = x; i < x + width && i < h->width; i++)
			paint_pixel(h, i, j, color);
}

void paint_text(const struct head *h, uint32_t x, uint32_t y, const char *s, uint32_t ink, uint32_t paper)
{
	for (; *s; s++, x += FONT_WIDTH) {
		const uint8_t *g = font_glyph(*s);
		for (uint32_t j = 0; j < 2 * FONT_HEIGHT; j++)
			for (uint32_t i = 0; i < FONT_WIDTH; i++)
				paint_pixel(h, x + i, y + j, g[j / 2] >> (7 - i) & 1 ? ink : paper);
	}
}

bool find_boundary(const struct head *h, unsigned nth, uint32_t room, volatile uint8_t **vram, uint8_t **shadow)
{
	const uint64_t end = (uint64_t)h->stride * h->height, row_bytes = h->width * 4;

	for (uint64_t at = PAGE - ((uint64_t)h->vram & (PAGE - 1)); at + room <= end; at += PAGE) {
		uint64_t row = at / h->stride, byte = at % h->stride;
		bool one_row = byte >= room && byte + room <= row_bytes;
		if (!one_row && (h->stride != row_bytes || at < room))
			continue;
		if (nth--)
			continue;
		*vram = h->vram + at;
		*shadow = (uint8_t *)h->shadow + row * row_bytes + byte;
		return true;
	}
	return false;
}
