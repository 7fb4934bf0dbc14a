#include "devices/vga_text.h"

#include <string.h>

#include "devices/vga_font.h"

#define CELL_MASK (VGA_TEXT_MEMORY / 2 - 1)
#define NO_CELL UINT32_MAX
#define LINE_GRAPHICS_FIRST 0xc0u
#define LINE_GRAPHICS_LAST 0xdfu
#define CURSOR_ATTRIBUTE 0x0fu /* it has its character's foreground */

void vga_text_scanout(const struct vga_text *t, const struct vga_text_mode *m, const uint32_t *palette, struct scanout *so)
{
	*so = (struct scanout){
		.base = t->picture,
		.palette = palette,
		.stride = m->columns * (uint32_t)m->width,
		.width = (uint16_t)(m->columns * m->width),
		.height = (uint16_t)(m->rows * m->height),
		.bpp = 8,
	};
}

/* Number of the cell with the cursor, from the upper left corner, or NO_CELL. */
static uint32_t cursor_cell(const struct vga_text_mode *m)
{
	unsigned distance = (m->cursor - m->start) & CELL_MASK;

	if (m->cursor_from > m->cursor_to || !m->pitch || distance / m->pitch >= m->rows || distance % m->pitch >= m->columns)
		return NO_CELL;
	return distance / m->pitch * m->columns + distance % m->pitch;
}

/* The dots of one row, bit 8 leftmost. */
static unsigned dots(const struct vga_text_mode *m, uint8_t character, unsigned row)
{
	unsigned d = row < VGA_FONT_ROWS ? vga_font[character][row] * 2u : 0;

	if (m->line_graphics && character >= LINE_GRAPHICS_FIRST && character <= LINE_GRAPHICS_LAST)
		d |= d >> 1 & 1;
	return d;
}

static void draw_cell(struct vga_text *t, const struct vga_text_mode *m, uint32_t n, bool cursor)
{
	uint8_t character = (uint8_t)t->cell[n], attribute = (uint8_t)(t->cell[n] >> 8);
	uint8_t front = m->colour[attribute & CURSOR_ATTRIBUTE], back = m->colour[attribute >> 4 & (m->blink ? 7 : 15)];
	uint32_t stride = m->columns * (uint32_t)m->width;
	uint8_t *p = t->picture + (uint64_t)(n / m->columns) * m->height * stride + n % m->columns * m->width;

	for (unsigned y = 0; y < m->height; y++, p += stride) {
		unsigned d = cursor && y >= m->cursor_from && y <= m->cursor_to ? 0x1ff : dots(m, character, y);

		for (unsigned x = 0; x < m->width; x++)
			p[x] = d >> (8 - x) & 1 ? front : back;
	}
}

/* Cells first to end, of one row, were drawn. */
static void damage(const struct vga_text_mode *m, struct display_tx *tx, unsigned head, uint32_t first, uint32_t end)
{
	uint32_t stride = m->columns * (uint32_t)m->width;
	uint64_t at = (uint64_t)(first / m->columns) * m->height * stride + first % m->columns * m->width;

	for (unsigned y = 0; y < m->height; y++, at += stride)
		dtx_damage(tx, head, at, (uint64_t)(end - first) * m->width);
}

/* What matters to each cell, and not only to where they are or to the cursor. */
static bool same_look(const struct vga_text_mode *a, const struct vga_text_mode *b)
{
	return a->columns == b->columns && a->rows == b->rows && a->width == b->width && a->height == b->height &&
	       a->blink == b->blink && a->line_graphics == b->line_graphics && !memcmp(a->colour, b->colour, sizeof(a->colour));
}

void vga_text_draw(struct vga_text *t, const struct vga_text_mode *m, const volatile uint8_t *memory, struct display_tx *tx,
		   unsigned head)
{
	bool all = !same_look(&t->mode, m);
	bool shape = m->cursor_from != t->mode.cursor_from || m->cursor_to != t->mode.cursor_to;
	uint32_t cursor = cursor_cell(m), old = cursor_cell(&t->mode), n = 0;

	for (unsigned row = 0; row < m->rows; row++) {
		uint32_t first = NO_CELL;

		for (unsigned column = 0; column < m->columns; column++, n++) {
			unsigned at = ((m->start + row * m->pitch + column) & CELL_MASK) * 2;
			uint16_t cell = (uint16_t)(memory[at] | memory[at + 1] << 8);
			bool moved = (n == cursor) != (n == old) || (n == cursor && shape);

			if (!all && !moved && cell == t->cell[n]) {
				if (first != NO_CELL)
					damage(m, tx, head, first, n);
				first = NO_CELL;
				continue;
			}
			t->cell[n] = cell;
			draw_cell(t, m, n, n == cursor);
			if (first == NO_CELL)
				first = n;
		}
		if (first != NO_CELL)
			damage(m, tx, head, first, n);
	}
	t->mode = *m;
}
