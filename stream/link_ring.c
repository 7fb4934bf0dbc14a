/* A byte stream's sending side: link.h, struct link_ring. */
#include <string.h>

#include "stream/link_internal.h"

void link_ring_init(struct link_ring *r, const struct link_ring *from, bool framed)
{
	*r = (struct link_ring){ .buf = from->buf, .size = from->buf ? from->size : 0, .keep = from->keep, .framed = framed };
	while (r->size & (r->size - 1))
		r->size &= r->size - 1;
	if (!r->size)
		r->buf = NULL;
}

static void copy_in(struct link_ring *r, const uint8_t *data, uint32_t len)
{
	uint32_t at = r->head & (r->size - 1), first = r->size - at < len ? r->size - at : len;

	memcpy(r->buf + at, data, first);
	memcpy(r->buf, data + first, len - first);
	r->head += len;
}

/* The offset after the message at offset at (proto.h: u16 length, then as many bytes). */
static uint32_t after_message(const struct link_ring *r, uint32_t at)
{
	uint32_t mask = r->size - 1, left = r->head - at;
	uint32_t len = left < 2 ? left : 2u + r->buf[at & mask] + ((uint32_t)r->buf[(at + 1) & mask] << 8);

	return at + (len < left ? len : left);
}

/* Moves tail to `to`, or for messages to the last start of one at or before it; up: or after it. */
static void move_tail(struct link_ring *r, uint32_t to, bool up)
{
	if (!r->framed) {
		r->tail = to;
		return;
	}
	while (link_before(r->tail, to)) {
		uint32_t after = after_message(r, r->tail);

		if (!up && link_before(to, after))
			return;
		r->tail = after;
	}
}

/* Drops the oldest bytes until len more fit; len <= size. */
static void make_room(struct link_ring *r, uint32_t len)
{
	uint32_t room = r->size - (r->head - r->tail);

	if (len <= room)
		return;
	move_tail(r, r->tail + (len - room), true);
	if (link_before(r->settled, r->tail)) {
		r->dropped += r->tail - r->settled;
		r->settled = r->tail;
	}
	if (link_before(r->next, r->tail)) {
		r->next = r->tail;
		r->jump = true;
	}
}

void link_ring_write(struct link_ring *r, const uint8_t *data, size_t len)
{
	if (!r->buf || (r->framed && len > r->size)) {
		r->dropped += len;
		return;
	}
	while (len) {
		uint32_t n = len < r->size ? (uint32_t)len : r->size;

		make_room(r, n);
		copy_in(r, data, n);
		data += n;
		len -= n;
	}
}

uint32_t link_ring_peek(const struct link_ring *r, uint8_t *out, uint32_t cap)
{
	uint32_t len = r->head - r->next;

	if (!len)
		return 0;
	len = len < cap ? len : cap;
	uint32_t at = r->next & (r->size - 1), first = r->size - at < len ? r->size - at : len;

	memcpy(out, r->buf + at, first);
	memcpy(out + first, r->buf, len - first);
	return len;
}

void link_ring_settle(struct link_ring *r, uint32_t end)
{
	if (!link_before(r->settled, end))
		return;
	r->settled = end;
	if (link_before(r->next, end))
		r->next = end;
	if (!r->keep)
		move_tail(r, end, false);
}

void link_ring_rewind(struct link_ring *r, uint32_t offset, bool jump)
{
	if (!link_before(offset, r->next)) {
		r->jump |= jump && offset == r->next; /* an empty frame, for the jump alone */
		return;
	}
	if (link_before(offset, r->tail)) {
		offset = r->tail;
		jump = true;
	}
	/* What arrived already needs no repeating; only a peer whose ACKs contradict each other gets here. */
	if (link_before(offset, r->settled))
		offset = r->settled;
	r->next = offset;
	r->jump = jump;
}

uint32_t link_ring_begin(struct link_ring *r, uint32_t want)
{
	if (want == LINK_OLDEST || want - r->tail > r->head - r->tail)
		want = r->tail;
	r->next = want;
	r->settled = want;
	r->jump = false;
	if (!r->keep)
		move_tail(r, want, false);
	return want;
}
