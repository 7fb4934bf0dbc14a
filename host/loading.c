#include "host/loading.h"

#include <stdlib.h>
#include <string.h>

#include "host/say.h"

#define RATE_US 500000u	 /* the time over which the rate is taken */
#define QUIET_US 800000u /* then a first picture is complete */

static void begin(struct loading_head *h, const struct canvas *c)
{
	free(h->seen);
	h->columns = (c->width + LOADING_CELL - 1u) / LOADING_CELL;
	h->cells = h->left = h->columns * ((c->height + LOADING_CELL - 1u) / LOADING_CELL);
	h->seen = h->cells ? xalloc(h->cells) : NULL;
}

void loading_changed(struct loading *l, unsigned head, bool resized, const struct canvas *c, unsigned x0, unsigned y0, unsigned x1,
		     unsigned y1, uint64_t now_us)
{
	struct loading_head *h = &l->head[head];

	if (resized)
		begin(h, c);
	else if (loading_left(l, head, now_us) == 0)
		h->left = 0;
	h->changed_us = now_us;
	if (resized || !h->left || x1 > c->width || y1 > c->height)
		return;
	for (unsigned y = y0 / LOADING_CELL; y * LOADING_CELL < y1; y++) {
		for (unsigned x = x0 / LOADING_CELL; x * LOADING_CELL < x1; x++) {
			uint8_t *seen = &h->seen[y * h->columns + x];

			h->left -= !*seen;
			*seen = 1;
		}
	}
}

void loading_bytes(struct loading *l, uint64_t bytes, uint64_t now_us)
{
	if (now_us - l->at_us < RATE_US)
		return;
	l->rate = bytes < l->bytes || !l->at_us ? 0 : (uint32_t)((bytes - l->bytes) * 1000000 / (now_us - l->at_us));
	l->bytes = bytes;
	l->at_us = now_us;
}

unsigned loading_left(const struct loading *l, unsigned head, uint64_t now_us)
{
	const struct loading_head *h = &l->head[head];

	return now_us - h->changed_us < QUIET_US ? h->left : 0;
}

unsigned loading_percent(const struct loading *l, unsigned head, uint64_t now_us)
{
	const struct loading_head *h = &l->head[head];
	unsigned left = loading_left(l, head, now_us);

	return left ? (unsigned)((uint64_t)(h->cells - left) * 100 / h->cells) : 100;
}

void loading_free(struct loading *l)
{
	for (unsigned h = 0; h < DISPLAY_HEADS; h++)
		free(l->head[h].seen);
	memset(l, 0, sizeof(*l));
}
