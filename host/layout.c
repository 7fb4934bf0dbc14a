#include "host/layout.h"

#include <string.h>

void layout_make(struct layout *l, unsigned gap)
{
	unsigned count = 0, columns = 1, column = 0, x = 0, y = 0, tallest = 0;

	for (unsigned h = 0; h < DISPLAY_HEADS; h++)
		count += l->head[h].width != 0;
	while (columns * columns < count)
		columns++;
	l->width = l->height = 0;
	for (unsigned h = 0; h < DISPLAY_HEADS; h++) {
		struct layout_place *p = &l->head[h];

		if (!p->width)
			continue;
		if (column == columns) {
			column = x = 0;
			y += tallest + gap;
			tallest = 0;
		}
		p->x = x;
		p->y = y;
		x += p->width;
		l->width = x > l->width ? x : l->width;
		tallest = p->height > tallest ? p->height : tallest;
		l->height = y + tallest;
		x += gap;
		column++;
	}
}

void layout_paint(const struct layout *l, unsigned head, const struct canvas *c, uint32_t *px)
{
	const struct layout_place *p = &l->head[head];
	unsigned width = c->width < p->width ? c->width : p->width, height = c->height < p->height ? c->height : p->height;

	for (unsigned y = 0; y < height; y++)
		memcpy(px + (size_t)(p->y + y) * l->width + p->x, c->px + (size_t)y * c->width, (size_t)width * 4);
}
