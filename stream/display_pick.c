/*
 * display.h: what goes first. Of the heads: one that was passed over for long; then those of which little changed, as when a key's
 * echo or a clock is drawn; then the rest in turn. Of a head's tiles: what changed since its round began, if that is little, for
 * which the round is given up; of a first picture what is no texture, since that costs little and says most.
 */
#include "stream/display.h"
#include "stream/display_internal.h"

#define PASSED_MAX 4096 /* bytes that others may send while a head has something to send */
#define HOLD_ECHO 1	/* the same while an answer to an input is awaited */
#define SMALL_SHARE 8	/* little is so many tiles: one in eight */

static bool little_is_new(const struct dtx_head *h)
{
	return h->fresh && h->fresh * SMALL_SHARE <= dtx_tiles(h);
}

bool dtx_must_break(const struct display_tx *tx, const struct dtx_head *h)
{
	return dtx_is_on(h) && h->begin == DTX_GO_ON && !dense_enc_idle(h->enc) && !h->urgent && little_is_new(h) &&
	       h->held >= (tx->echo ? HOLD_ECHO : DTX_HOLD);
}

void dtx_put_off(struct dtx_head *h)
{
	for (uint32_t t = 0; t < dtx_tiles(h); t++)
		if (h->flags[t] & DTX_LOOK)
			h->flags[t] = (uint8_t)((h->flags[t] & ~DTX_LOOK) | DTX_LATER);
	h->later = true;
	h->skipped = false;
	h->urgent = true; /* what ends the round is waited for */
}

void dtx_put_off_new(struct dtx_head *h)
{
	if (!h->fresh || little_is_new(h))
		return;
	for (uint32_t t = 0; t < dtx_tiles(h); t++)
		if (h->flags[t] & DTX_NEW)
			h->flags[t] = (uint8_t)((h->flags[t] & ~DTX_NEW) | DTX_LATER);
	h->later = true;
	h->fresh = 0;
}

void dtx_select(struct dtx_head *h)
{
	/* What was put off once is not put off again before it had a round, whatever is new. */
	bool skip = h->later && h->fresh && !h->skipped;
	unsigned take = skip ? DTX_NEW : DTX_NEW | DTX_LATER;

	for (uint32_t t = 0; t < dtx_tiles(h); t++)
		if (h->flags[t] & take)
			h->flags[t] = (uint8_t)((h->flags[t] & ~take) | DTX_LOOK);
	h->urgent = little_is_new(h) && (skip || !h->later);
	h->later = skip;
	h->skipped = skip;
	h->fresh = 0;
	h->held = 0;
}

/* Texture: pixels of which most are like none beside them. */
static bool is_texture(const struct dtx_head *h, uint32_t x, uint32_t y)
{
	uint32_t px[2][TILE], wide = h->so.width - x < TILE ? h->so.width - x : TILE, unlike = 0;
	uint32_t high = h->so.height - y < TILE ? h->so.height - y : TILE;

	for (uint32_t r = 0; r < high; r++) {
		const uint32_t *row = px[r & 1], *above = px[~r & 1];

		picture_read(&h->so, x, y + r, wide, px[r & 1]);
		for (uint32_t i = 1; r && i < wide; i++)
			unlike += row[i] != row[i - 1] && row[i] != above[i];
	}
	return unlike * 2 > wide * high;
}

void dtx_sort_row(struct dtx_head *h)
{
	for (uint32_t c = 0; c < h->cols; c++) {
		uint8_t *flags = &h->flags[(uint32_t)h->sorted * h->cols + c];

		if (!(*flags & DTX_NEW) || !is_texture(h, c * TILE, h->sorted * (uint32_t)TILE))
			continue;
		*flags = (uint8_t)((*flags & ~DTX_NEW) | DTX_LATER);
		h->fresh--;
		h->later = true;
	}
	h->sorted++;
}

/* The lower, the sooner; above all others where there is nothing to do. */
static unsigned rank(const struct display_tx *tx, const struct dtx_head *h, bool complete)
{
	bool urgent;

	if (complete ? !h->len : !h->len && !dtx_has_work(h))
		return 3;
	if (h->passed > PASSED_MAX)
		return 0;
	if (h->len)
		urgent = h->len_urgent;
	else if (dtx_is_on(h) && h->begin == DTX_GO_ON && !dense_enc_idle(h->enc))
		urgent = h->urgent || dtx_must_break(tx, h);
	else
		urgent = h->begin == DTX_GO_ON && little_is_new(h);
	return urgent ? 1 : 2;
}

unsigned dtx_pick(const struct display_tx *tx, bool complete)
{
	unsigned best = DISPLAY_HEADS, best_rank = 3;

	for (unsigned i = 0; i < DISPLAY_HEADS; i++) {
		unsigned head = (tx->turn + i) % DISPLAY_HEADS, r = rank(tx, &tx->head[head], complete);

		if (r < best_rank) {
			best = head;
			best_rank = r;
		}
	}
	return best;
}

void dtx_took(struct display_tx *tx, unsigned head, size_t len)
{
	for (unsigned i = 0; i < DISPLAY_HEADS; i++) {
		struct dtx_head *h = &tx->head[i];

		if (i == head || !(h->len || dtx_has_work(h)))
			h->passed = 0;
		else
			h->passed += (uint32_t)len;
	}
	tx->turn = head + 1;
}
