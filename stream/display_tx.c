/* display.h: the sender's heads, and what is known of the far end */
#include <errno.h>
#include <string.h>

#include "stream/display.h"
#include "stream/display_internal.h"

/* Marks every tile. */
static void mark_all(struct dtx_head *h)
{
	uint32_t n = dtx_tiles(h);

	for (uint32_t t = 0; t < n; t++)
		h->flags[t] = (uint8_t)((h->flags[t] & DTX_LOOK) | DTX_NEW);
	h->fresh = n;
	h->later = false;
}

static void mark(struct dtx_head *h, uint32_t tile)
{
	h->fresh += !(h->flags[tile] & DTX_NEW);
	h->flags[tile] |= DTX_NEW;
}

static int check_scanout(const struct scanout *so)
{
	if (so->width > DISPLAY_MAX_SIDE || so->height > DISPLAY_MAX_SIDE ||
	    (uint32_t)so->width * so->height > DISPLAY_MAX_PIXELS || !scanout_bytes(so->bpp) || !so->base ||
	    so->stride < so->width * scanout_bytes(so->bpp) || (so->bpp == 8 && !so->palette))
		return -EINVAL;
	return 0;
}

/* The head begins anew: what is being built and what is on its way is for nothing. */
static void begin_anew(struct display_tx *tx, unsigned head, enum dtx_begin begin)
{
	struct dtx_head *h = &tx->head[head];

	for (unsigned i = 0; i < DTX_PACKETS; i++)
		if (tx->packet[i].head == head)
			tx->packet[i].serial = 0;
	h->fast = h->known ? h->fast : tx->fast;
	h->known = true;
	h->begin = begin;
	h->preparing = false;
	h->blackened = 0;
	h->open = false;
	h->len = 0;
}

static void turn_off(struct display_tx *tx, unsigned head)
{
	struct dtx_head *h = &tx->head[head];

	if (!dtx_is_on(h))
		return;
	h->so = (struct scanout){ 0 };
	h->cols = h->rows = 0;
	h->enc = NULL;
	h->fresh = 0;
	h->later = false;
	begin_anew(tx, head, DTX_OFF);
}

/* Where the parts of a head's memory lie, in bytes from its beginning. */
struct room {
	size_t sent, flags, end;
};

static struct room room_for(uint32_t width, uint32_t height)
{
	uint32_t tiles = ((width + TILE - 1) / TILE) * ((height + TILE - 1) / TILE);
	struct room r;

	r.sent = (sizeof(struct dense_enc) + 15) & ~(size_t)15; /* for vectors */
	r.flags = r.sent + (size_t)width * height * 4;
	r.end = r.flags + tiles;
	return r;
}

size_t dtx_room(unsigned width, unsigned height)
{
	return room_for(width, height).end;
}

int dtx_mode(struct display_tx *tx, unsigned head, const struct scanout *so, void *room, size_t bytes)
{
	if (head >= DISPLAY_HEADS)
		return -EINVAL;
	struct dtx_head *h = &tx->head[head];

	if (!so->width || !so->height) {
		turn_off(tx, head);
		return 0;
	}
	struct room r = room_for(so->width, so->height);
	int err = check_scanout(so);

	if (!err && (!room || bytes < r.end))
		err = -ENOMEM;
	if (err) {
		turn_off(tx, head);
		return err;
	}
	uint8_t *at = room;

	h->so = *so;
	h->cols = (uint16_t)((so->width + TILE - 1u) / TILE);
	h->rows = (uint16_t)((so->height + TILE - 1u) / TILE);
	h->enc = room;
	h->sent = (uint32_t *)(void *)(at + r.sent);
	h->flags = at + r.flags;
	memset(h->flags, 0, dtx_tiles(h));
	mark_all(h);
	begin_anew(tx, head, DTX_PICTURE);
	return 0;
}

int dtx_pan(struct display_tx *tx, unsigned head, const struct scanout *so)
{
	if (head >= DISPLAY_HEADS || !dtx_is_on(&tx->head[head]))
		return -EINVAL;
	struct dtx_head *h = &tx->head[head];

	if (so->width != h->so.width || so->height != h->so.height || check_scanout(so))
		return -EINVAL;
	h->so = *so;
	dense_enc_source(h->enc, so);
	mark_all(h);
	return 0;
}

/* Marks the tiles of one row of pixels that show bytes [from, to) of that row; to <= stride. */
static void damage_row(struct dtx_head *h, uint32_t row, uint32_t from, uint32_t to)
{
	uint32_t bytes = scanout_bytes(h->so.bpp), end = h->so.width * bytes, base = row / TILE * h->cols;

	if (to > end)
		to = end;
	if (from >= to)
		return;
	for (uint32_t col = from / (bytes * TILE); col <= (to - 1) / (bytes * TILE); col++)
		mark(h, base + col);
}

void dtx_damage(struct display_tx *tx, unsigned head, uint64_t offset, uint64_t len)
{
	if (head >= DISPLAY_HEADS || !dtx_is_on(&tx->head[head]) || !len)
		return;
	struct dtx_head *h = &tx->head[head];
	uint64_t stride = h->so.stride, size = stride * h->so.height;

	if (offset >= size)
		return;
	uint64_t last = len > size - offset ? size - 1 : offset + len - 1;
	uint32_t first_row = (uint32_t)(offset / stride), last_row = (uint32_t)(last / stride);
	uint32_t from = (uint32_t)(offset % stride), to = (uint32_t)(last % stride + 1);

	if (first_row == last_row) {
		damage_row(h, first_row, from, to);
		return;
	}
	damage_row(h, first_row, from, (uint32_t)stride);
	damage_row(h, last_row, 0, to);
	/* The rows between are whole, so whole rows of tiles are marked, each once. */
	if (last_row - first_row < 2)
		return;
	uint32_t tile = (first_row + 1) / TILE * h->cols, end = ((last_row - 1) / TILE + 1) * h->cols;

	for (; tile < end; tile++)
		mark(h, tile);
}

void dtx_reset(struct display_tx *tx, uint64_t now_ns)
{
	for (unsigned i = 0; i < DISPLAY_HEADS; i++) {
		struct dtx_head *h = &tx->head[i];

		h->fast = tx->fast;
		choose_init(&h->choose, now_ns);
		if (!h->known)
			continue;
		begin_anew(tx, i, dtx_is_on(h) ? DTX_PICTURE : DTX_OFF);
		if (dtx_is_on(h))
			mark_all(h);
	}
}

void dtx_answer(struct display_tx *tx, const struct dtx_cookie *cookie, bool ok)
{
	struct dtx_packet *p = &tx->packet[cookie->packet % DTX_PACKETS];

	if (!cookie->serial || p->serial != cookie->serial)
		return;
	if (ok) {
		p->serial = 0;
		return;
	}
	p->lost = true;
	if (p->tries < DTX_TRIES)
		return;
	struct dtx_head *h = &tx->head[p->head];

	begin_anew(tx, p->head, dtx_is_on(h) ? DTX_PICTURE : DTX_OFF);
	if (dtx_is_on(h))
		mark_all(h);
}

void dtx_spent(struct display_tx *tx, uint64_t ns)
{
	if (tx->coded)
		choose_note(&tx->head[tx->last].choose, ns < DTX_SLICE_NS ? ns : DTX_SLICE_NS, 0, 0);
}

void dtx_choose(struct display_tx *tx, uint32_t rate, unsigned share, uint64_t now_ns)
{
	for (unsigned i = 0; i < DISPLAY_HEADS; i++) {
		struct dtx_head *h = &tx->head[i];

		/* What is measured is of the mode that it is in. */
		if (dtx_is_on(h) && h->begin == DTX_GO_ON && h->fast == (h->enc->d.mode == MODE_FAST))
			h->fast ^= choose_other(&h->choose, h->fast, rate, share ? share : 1, now_ns);
	}
}

unsigned dtx_fast(const struct display_tx *tx)
{
	unsigned fast = 0;

	for (unsigned i = 0; i < DISPLAY_HEADS; i++)
		fast |= (unsigned)(dtx_is_on(&tx->head[i]) && tx->head[i].fast) << i;
	return fast;
}

bool dtx_idle(const struct display_tx *tx, bool in_flight)
{
	for (unsigned i = 0; i < DISPLAY_HEADS; i++)
		if (dtx_has_work(&tx->head[i]) || tx->head[i].len)
			return false;
	for (unsigned i = 0; i < DTX_PACKETS; i++)
		if (tx->packet[i].serial && (in_flight || tx->packet[i].lost))
			return false;
	return true;
}
