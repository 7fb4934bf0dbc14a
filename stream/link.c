/* link.h: the state of an end, its session and what is in flight */
#include <string.h>

#include "stream/link_internal.h"

void link_init(struct link *l, enum link_role role, const struct link_ops *ops, void *arg, const struct link_ring *rings,
	       uint32_t nonce, uint32_t my_window)
{
	static const bool framed[LINK_STREAMS] = { [LINK_CONTROL] = true, [LINK_INPUT] = true };

	memset(l, 0, sizeof(*l));
	l->role = role;
	l->ops = ops;
	l->arg = arg;
	l->nonce = nonce;
	l->my_window = my_window;
	l->rto_us = RTO_FIRST_US;
	for (unsigned s = 0; s < LINK_STREAMS; s++) {
		if (rings)
			link_ring_init(&l->ring[s], &rings[s], framed[s]);
		l->rx_offset[s] = LINK_OLDEST;
	}
}

/* A frame's loss is told to its owner: the display sends its datagram again, a stream goes back to it. */
static void lose(struct link *l, struct link_inflight *f, unsigned left)
{
	l->lost_frames++;
	if (f->type == LINK_DISPLAY) {
		if (l->ops->answer)
			l->ops->answer(l->arg, &f->cookie, false);
		return;
	}
	if (f->again)
		return;
	link_ring_rewind(&l->ring[f->stream], f->offset, f->jump);
	/* The receiver refuses what stands past the gap: those frames' bytes are due again by this very rewind. */
	for (unsigned i = 0; i < left; i++) {
		struct link_inflight *later = &l->fl[(l->inflight_first + i) % LINK_INFLIGHT];

		if (later->type == LINK_STREAM && later->stream == f->stream)
			later->again = true;
	}
}

void link_settle_oldest(struct link *l, bool accepted)
{
	struct link_inflight *f = &l->fl[l->inflight_first];

	/* Taken out first: what is called below may end the session. Nothing is sent meanwhile, so *f stays as it is. */
	l->inflight_first = (l->inflight_first + 1) % LINK_INFLIGHT;
	l->inflight--;
	l->inflight_bytes -= f->line_bytes;
	if (!accepted)
		lose(l, f, l->inflight);
	else if (f->type == LINK_STREAM)
		link_ring_settle(&l->ring[f->stream], f->offset + f->len);
	else if (l->ops->answer)
		l->ops->answer(l->arg, &f->cookie, true);
}

static void drop_inflight(struct link *l)
{
	while (l->inflight)
		link_settle_oldest(l, false);
}

void link_session_end(struct link *l)
{
	l->up = false;
	l->closed = l->role == LINK_HOST;
	l->owe_ack = l->owe_welcome = l->owe_ping = false;
	l->knock_us = 0;
	l->unacked = 0;
	drop_inflight(l);
}

void link_end_by(struct link *l, unsigned reason)
{
	link_session_end(l);
	if (l->ops->disconnected)
		l->ops->disconnected(l->arg, reason);
}

void link_session_begin(struct link *l)
{
	l->up = true;
	l->owe_ack = l->owe_ping = l->owe_bye = false;
	l->unacked = 0;
	l->seq = 0;
	l->rx_next = 0;
	l->rx_map = 0;
	l->rto_us = RTO_FIRST_US;
	link_rate_begin(l);
	link_baud_begin(l);
	l->told = l->rx_offset[LINK_SERIAL] + link_serial_room(l);
	l->sessions++;
	if (l->ops->connected)
		l->ops->connected(l->arg);
}

uint32_t link_serial_room(const struct link *l)
{
	uint32_t room = l->ops->room ? l->ops->room(l->arg) : ROOM_ALL;

	return room < ROOM_ALL ? room : ROOM_ALL;
}

void link_more(struct link *l)
{
	/* What the far end may send yet by what it was told is never far below all there is room for, so it never waits for
	 * nothing. */
	if (l->up && (int32_t)(l->rx_offset[LINK_SERIAL] + link_serial_room(l) - l->told) >= LINK_MORE)
		l->owe_ack = true;
}

bool link_knock(struct link *l, uint32_t nonce, uint64_t now_us)
{
	bool first = !l->knock_us || now_us - l->knocked_us > LINK_CLAIM_US, lives = l->heard_us >= l->knock_us;

	if (!l->up)
		return true;
	if (!first && !lives && now_us - l->knock_us >= LINK_CLAIM_US)
		return true;
	/* Only who asked is told: to another the host may have died since. And who knocks again has it asked again. */
	if (!first && lives && nonce == l->knock_nonce) {
		l->owe_taken = true;
		l->taken_nonce = nonce;
	}
	if (first || lives) {
		l->knock_us = now_us;
		l->knock_nonce = nonce;
	}
	l->knocked_us = now_us;
	l->owe_ping = true;
	return false;
}

size_t link_room(const struct link *l, enum link_stream s)
{
	const struct link_ring *r = &l->ring[s];
	/* Messages leave only whole: what is settled of the oldest still takes room. */
	uint32_t from = r->framed && !r->keep ? r->tail : r->settled;

	return r->size - (r->head - from);
}

void link_write(struct link *l, enum link_stream s, const void *data, size_t len)
{
	link_ring_write(&l->ring[s], data, len);
}

bool link_drained(const struct link *l)
{
	for (unsigned s = 0; s < LINK_STREAMS; s++)
		if (l->ring[s].settled != l->ring[s].head)
			return false;
	return true;
}

void link_ping(struct link *l)
{
	l->owe_ping = l->up;
}

void link_bye(struct link *l, unsigned reason)
{
	if (l->role == LINK_VMM && !l->up)
		return;
	link_session_end(l);
	l->owe_bye = true;
	l->bye_reason = (uint8_t)reason;
	l->bye_nonce = l->nonce;
}
