/* link.h: what goes out, and when */
#include <string.h>

#include "stream/crc32c.h"
#include "stream/link_internal.h"

#define REST (LINK_STREAMS + 1) /* in tx_bytes_by_type */

/* Closes the frame of len bytes in raw: CRC, stuffing, delimiters. kind: index of tx_bytes_by_type. Returns its line bytes. */
static size_t seal(struct link *l, size_t len, unsigned kind)
{
	len += link_put(l->raw + len, crc32c(0, l->raw, len), 4);
	l->out[0] = 0;
	l->out_len = 1 + cobs_encode(l->raw, len, l->out + 1);
	l->out[l->out_len++] = 0;
	l->out_pos = 0;
	l->tx_frames++;
	l->tx_bytes_by_type[kind] += l->out_len;
	return l->out_len;
}

static void make_bye(struct link *l)
{
	l->owe_bye = false;
	l->raw[0] = LINK_BYE;
	l->raw[1] = l->bye_reason;
	seal(l, 2 + link_put(l->raw + 2, l->bye_nonce, 4), REST);
}

static void make_taken(struct link *l)
{
	l->owe_taken = false;
	l->raw[0] = LINK_TAKEN;
	seal(l, 1 + link_put(l->raw + 1, l->taken_nonce, 4), REST);
}

/* HELLO and WELCOME have one layout. */
static void make_hello(struct link *l, enum link_type type, uint32_t nonce, const uint32_t *offsets)
{
	uint8_t *p = l->raw;

	*p++ = type;
	memcpy(p, LINK_MAGIC, 4);
	p += 4;
	p += link_put(p, LINK_VERSION, 2);
	p += link_put(p, nonce, 4);
	p += link_put(p, l->my_window, 4);
	p += link_put(p, link_serial_room(l) + (l->role == LINK_VMM ? l->rx_offset[LINK_SERIAL] : 0), 4);
	for (unsigned s = 0; s < LINK_STREAMS; s++)
		p += link_put(p, offsets[s], 4);
	seal(l, (size_t)(p - l->raw), REST);
}

static void make_ack(struct link *l)
{
	uint8_t *p = l->raw;

	l->owe_ack = false;
	l->unacked = 0;
	*p++ = LINK_ACK;
	p += link_put(p, l->rx_next, 2);
	p += link_put(p, l->rx_map, 8);
	p += link_put(p, l->my_window, 4);
	if (l->ops->room) {
		l->told = l->rx_offset[LINK_SERIAL] + link_serial_room(l);
		p += link_put(p, l->told, 4);
	}
	seal(l, (size_t)(p - l->raw), REST);
}

static void make_ping(struct link *l)
{
	l->owe_ping = false;
	l->raw[0] = LINK_PING;
	seal(l, 1 + link_put(l->raw + 1, l->seq, 2), REST);
}

static bool ack_is_due(const struct link *l, uint64_t now_us)
{
	return l->owe_ack || l->unacked >= ACK_FRAMES || (l->unacked && now_us >= l->ack_due_us);
}

static bool tail_timed_out(const struct link *l, uint64_t now_us)
{
	return l->inflight && now_us >= l->sent_us + l->rto_us;
}

/* How many bytes of a stream may go out now. */
static uint32_t sendable(const struct link *l, enum link_stream s)
{
	const struct link_ring *r = &l->ring[s];
	uint32_t waiting = r->head - r->next, limit = l->limit - r->next;

	if (s != LINK_SERIAL || waiting <= limit)
		return waiting;
	return limit <= ROOM_ALL ? limit : 0;
}

/* The far end takes no more, or its word that it does was lost. */
static bool held_up(const struct link *l)
{
	const struct link_ring *r = &l->ring[LINK_SERIAL];

	return r->head != r->next && !r->jump && !sendable(l, LINK_SERIAL);
}

static uint64_t limit_ping_us(const struct link *l)
{
	return held_up(l) ? l->sent_us + LIMIT_PING_US : UINT64_MAX;
}

/* Frames about the session itself. They may be lost and repeated, take no sequence number and no window. */
static bool make_session_frame(struct link *l, uint64_t now_us)
{
	size_t baud = link_baud_make(l, now_us);

	if (baud) {
		seal(l, baud, REST);
	} else if (l->owe_bye) {
		make_bye(l);
	} else if (l->owe_taken) {
		make_taken(l);
	} else if (l->owe_welcome) {
		l->owe_welcome = false;
		make_hello(l, LINK_WELCOME, l->welcome_nonce, l->first);
	} else if (l->role == LINK_HOST && !l->up && !l->closed && now_us >= l->hello_us && link_baud_says_hello(l)) {
		l->baud.offered = false;
		l->hello_us = now_us + HELLO_EVERY_US;
		make_hello(l, LINK_HELLO, l->nonce, l->rx_offset);
	} else if (l->up && ack_is_due(l, now_us)) {
		make_ack(l);
	} else if (l->up && (l->owe_ping || tail_timed_out(l, now_us) || now_us >= limit_ping_us(l))) {
		if (tail_timed_out(l, now_us))
			l->rto_us = l->rto_us * 2 < RTO_MAX_US ? l->rto_us * 2 : RTO_MAX_US;
		make_ping(l);
	} else {
		return false;
	}
	return true;
}

bool link_may_send(const struct link *l)
{
	if (!l->up || l->inflight == LINK_INFLIGHT)
		return false;
	if (!l->inflight)
		return true;
	return l->inflight_bytes < l->window && l->window - l->inflight_bytes >= LINK_LINE_MAX && link_rate_allows(l);
}

/* The slot for the frame about to be sent; it counts only when made_sequenced says so. */
static struct link_inflight *next_slot(struct link *l, enum link_type type)
{
	struct link_inflight *f = &l->fl[(l->inflight_first + l->inflight) % LINK_INFLIGHT];

	f->seq = l->seq;
	f->type = (uint8_t)type;
	f->again = f->jump = false;
	l->raw[0] = (uint8_t)type;
	link_put(l->raw + 1, l->seq, 2);
	return f;
}

static void made_sequenced(struct link *l, struct link_inflight *f, size_t body, unsigned kind, uint64_t now_us)
{
	f->line_bytes = (uint16_t)seal(l, 3 + body, kind);
	link_rate_sent(l, f, now_us);
	l->inflight_bytes += f->line_bytes;
	l->inflight++;
	l->seq++;
}

_Static_assert(DISPLAY_BODY_MAX <= LINK_BODY_MAX, "a display datagram is one frame");

static bool make_display(struct link *l, uint64_t now_us)
{
	if (!l->ops->build)
		return false;
	struct link_inflight *f = next_slot(l, LINK_DISPLAY);
	size_t len = l->ops->build(l->arg, l->raw + 3, &f->cookie);

	if (!len || len > LINK_BODY_MAX)
		return false;
	made_sequenced(l, f, len, LINK_STREAMS, now_us);
	return true;
}

static bool make_stream(struct link *l, enum link_stream s, uint64_t now_us)
{
	struct link_ring *r = &l->ring[s];
	uint32_t most = sendable(l, s), piece = (uint32_t)(link_rate_piece(l) - STREAM_HEAD);

	/* A jump is told even where no byte may follow it: the far end's limit counts from behind it. */
	if (!most && !r->jump)
		return false;
	struct link_inflight *f = next_slot(l, LINK_STREAM);
	uint8_t *p = l->raw + 3;

	f->stream = (uint8_t)s;
	f->offset = r->next;
	f->jump = r->jump;
	f->len = link_ring_peek(r, p + STREAM_HEAD, most < piece ? most : piece);
	*p++ = (uint8_t)(s | (r->jump ? LINK_JUMP : 0));
	link_put(p, r->next, 4);
	r->next += f->len;
	r->jump = false;
	made_sequenced(l, f, STREAM_HEAD + f->len, s, now_us);
	return true;
}

/* Control and input are small and urgent; then text and picture take turns, and the two texts among themselves. */
static bool make_content(struct link *l, uint64_t now_us)
{
	enum { PICTURE = LINK_STREAMS };
	static const uint8_t turns[] = { PICTURE, LINK_SERIAL, PICTURE, LINK_LOG };

	if (!link_may_send(l)) {
		l->pressed |= l->inflight != 0;
		return false;
	}
	if (make_stream(l, LINK_CONTROL, now_us) || make_stream(l, LINK_INPUT, now_us))
		return true;
	for (unsigned i = 0; i < sizeof(turns); i++) {
		unsigned what = turns[l->turn];

		l->turn = (l->turn + 1) % sizeof(turns);
		if (what == PICTURE ? make_display(l, now_us) : make_stream(l, what, now_us))
			return true;
	}
	return false;
}

size_t link_tx(struct link *l, uint8_t *out, size_t cap, uint64_t now_us)
{
	size_t done = 0;

	link_baud_clock(l, now_us);
	while (done < cap && !link_baud_wanted(l)) {
		if (l->out_pos == l->out_len && !make_session_frame(l, now_us) && !make_content(l, now_us))
			break;
		size_t left = l->out_len - l->out_pos, n = left < cap - done ? left : cap - done;

		if (!l->out_pos)
			l->frame_us = now_us;
		memcpy(out + done, l->out + l->out_pos, n);
		l->out_pos += n;
		done += n;
		if (l->out_pos == l->out_len)
			link_rate_taken(l, l->out_len, now_us - l->frame_us, now_us);
		/* raw still holds this frame. ACKs that go out all the time must not put off the search for a lost tail. */
		if (l->raw[0] != LINK_ACK)
			l->sent_us = now_us;
	}
	l->tx_bytes += done;
	return done;
}

static bool has_stream_bytes(const struct link *l)
{
	for (unsigned s = 0; s < LINK_STREAMS; s++)
		if (sendable(l, s) || l->ring[s].jump)
			return true;
	return false;
}

/* When a session, or one that is to begin, has something to send. */
static uint64_t session_deadline(const struct link *l, uint64_t now_us)
{
	uint64_t when = UINT64_MAX;

	if (l->owe_bye || l->owe_taken || l->owe_welcome)
		return now_us;
	if (!l->up)
		return l->role == LINK_HOST && !l->closed && link_baud_says_hello(l) ? l->hello_us : UINT64_MAX;
	if (ack_is_due(l, now_us) || l->owe_ping || (has_stream_bytes(l) && link_may_send(l)))
		return now_us;
	if (l->unacked)
		when = l->ack_due_us;
	if (l->inflight && l->sent_us + l->rto_us < when)
		when = l->sent_us + l->rto_us;
	return limit_ping_us(l) < when ? limit_ping_us(l) : when;
}

uint64_t link_deadline(const struct link *l, uint64_t now_us)
{
	uint64_t session, baud = link_baud_deadline(l);

	if (l->out_pos != l->out_len)
		return now_us;
	if (link_baud_wanted(l))
		return UINT64_MAX; /* the owner's turn */
	session = session_deadline(l, now_us);
	return session < baud ? session : baud;
}
