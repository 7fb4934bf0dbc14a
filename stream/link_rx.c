/* link.h: what comes in. Every byte is untrusted, on both ends. */
#include <string.h>

#include "stream/crc32c.h"
#include "stream/link_internal.h"

/* A frame's body while it is read. */
struct body {
	const uint8_t *at;
	size_t len;
};

/* ---- session frames */

static void rx_hello(struct link *l, struct body b, uint64_t now_us)
{
	if (b.len < HELLO_HEAD || memcmp(b.at, LINK_MAGIC, 4))
		return;
	uint16_t version = link_get16(b.at + 4);
	uint32_t nonce = link_get32(b.at + 6);

	if (version != LINK_VERSION) {
		/* The answer tells the host which version stands here; no session begins, and one that stands goes on. */
		l->owe_welcome = true;
		l->welcome_nonce = nonce;
		return;
	}
	if (b.len != HELLO_BYTES || !link_baud_takes_hello(l))
		return;
	if (l->up && nonce == l->nonce) {
		/* The WELCOME was lost, and with it what followed: a PING finds that out at once. */
		l->owe_welcome = l->owe_ping = true;
		return;
	}
	if (!link_knock(l, nonce, now_us))
		return;
	/* What is in flight goes back to its owner before the rings are set for the new host. */
	link_session_end(l);
	l->nonce = nonce;
	l->window = link_get32(b.at + 10);
	for (unsigned s = 0; s < LINK_STREAMS; s++) {
		l->first[s] = link_ring_begin(&l->ring[s], link_get32(b.at + HELLO_OFFSETS + 4 * s));
		l->rx_offset[s] = 0;
	}
	l->limit = l->first[LINK_SERIAL] + link_get32(b.at + 14);
	l->owe_welcome = true;
	l->welcome_nonce = nonce;
	l->heard_us = now_us;
	link_session_begin(l);
}

static void rx_welcome(struct link *l, struct body b, uint64_t now_us)
{
	if (b.len < HELLO_HEAD || memcmp(b.at, LINK_MAGIC, 4))
		return;
	if (link_get32(b.at + 6) != l->nonce) {
		/* A session of somebody else, in place of ours. */
		if (l->up && b.len == HELLO_BYTES && link_get16(b.at + 4) == LINK_VERSION)
			link_end_by(l, LINK_BYE_TAKEN);
		return;
	}
	if (l->up)
		return;
	if (link_get16(b.at + 4) != LINK_VERSION) {
		link_end_by(l, LINK_BYE_VERSION);
		return;
	}
	if (b.len != HELLO_BYTES)
		return;
	l->window = link_get32(b.at + 10);
	l->limit = link_get32(b.at + 14);
	for (unsigned s = 0; s < LINK_STREAMS; s++)
		l->rx_offset[s] = link_get32(b.at + HELLO_OFFSETS + 4 * s);
	l->heard_us = now_us;
	link_session_begin(l);
}

static void rx_bye(struct link *l, struct body b)
{
	if (b.len != BYE_BYTES)
		return;
	uint32_t nonce = link_get32(b.at + 1);

	if (nonce == l->nonce || (!nonce && l->role == LINK_HOST))
		link_end_by(l, b.at[0]);
}

static void rx_taken(struct link *l, struct body b)
{
	if (l->role == LINK_HOST && !l->up && !l->closed && b.len == TAKEN_BYTES && link_get32(b.at) == l->nonce)
		link_end_by(l, LINK_BYE_TAKEN);
}

static void rx_ack(struct link *l, struct body b, uint64_t now_us)
{
	if (b.len != ACK_BYTES && b.len != ACK_BYTES_LIMIT)
		return;
	uint16_t next = link_get16(b.at);
	uint64_t map = link_get32(b.at + 2) | (uint64_t)link_get32(b.at + 6) << 32;
	/* What it settles must be in flight; else it is no ACK of ours, whatever it is. */
	uint16_t settled = (uint16_t)(next - l->seq + l->inflight);

	if (settled > l->inflight)
		return;
	l->window = link_get32(b.at + 10);
	l->limit = b.len == ACK_BYTES_LIMIT ? link_get32(b.at + ACK_BYTES) : l->ring[LINK_SERIAL].settled + ROOM_ALL;
	if (settled)
		l->sent_us = now_us;
	/* A callback may end the session: then nothing is left in flight. */
	for (unsigned i = settled; i-- && l->inflight;) {
		bool accepted = map >> i & 1;

		link_rate_settled(l, &l->fl[l->inflight_first], accepted, now_us);
		link_settle_oldest(l, accepted);
	}
}

/* ---- sequenced frames */

/* Frames before seq are settled: those that did not come are lost. False if seq cannot be the far end's next. */
static bool rx_settle(struct link *l, uint16_t seq)
{
	uint16_t gap = (uint16_t)(seq - l->rx_next);

	/* No end has more in flight than this; and the past, which is a repetition, is far ahead, mod 2^16. */
	if (gap > LINK_INFLIGHT)
		return false;
	if (gap) {
		l->owe_ack = true;
		l->rx_map <<= gap;
		l->rx_next = seq;
	}
	return true;
}

static void rx_ping(struct link *l, struct body b)
{
	if (b.len != 2)
		return;
	rx_settle(l, link_get16(b.at));
	l->owe_ack = true;
}

static bool rx_stream(struct link *l, struct body b)
{
	if (b.len < STREAM_HEAD)
		return false;
	unsigned s = b.at[0] & ~LINK_JUMP;
	bool jump = b.at[0] & LINK_JUMP;
	uint32_t offset = link_get32(b.at + 1);

	if (s >= LINK_STREAMS)
		return false;
	b.at += STREAM_HEAD;
	b.len -= STREAM_HEAD;
	if (link_before(l->rx_offset[s], offset)) {
		if (!jump)
			return false;
		uint32_t lost = offset - l->rx_offset[s];

		l->rx_offset[s] = offset;
		if (l->ops->jumped)
			l->ops->jumped(l->arg, s, lost);
	}
	uint32_t known = l->rx_offset[s] - offset;

	if (known >= b.len)
		return true;
	if (s == LINK_SERIAL && b.len - known > link_serial_room(l))
		return false;
	l->rx_offset[s] = offset + (uint32_t)b.len;
	if (l->ops->stream)
		l->ops->stream(l->arg, s, b.at + known, b.len - known);
	return true;
}

static void rx_sequenced(struct link *l, uint8_t type, struct body b, uint64_t now_us)
{
	if (b.len < 2 || (type == LINK_DISPLAY && l->role != LINK_HOST) || !rx_settle(l, link_get16(b.at)))
		return;
	b.at += 2;
	b.len -= 2;
	bool accepted;

	if (type == LINK_STREAM)
		accepted = rx_stream(l, b);
	else
		accepted = !l->ops->display || l->ops->display(l->arg, b.at, b.len) >= 0;
	if (!l->up)
		return; /* a callback ended the session */
	l->rx_map = l->rx_map << 1 | accepted;
	l->rx_next++;
	if (!accepted)
		l->owe_ack = true;
	if (!l->unacked++)
		l->ack_due_us = now_us + ACK_DELAY_US;
}

/* ---- frames and text */

static void rx_frame(struct link *l, uint8_t type, struct body b, uint64_t now_us)
{
	if (type == (l->role == LINK_VMM ? LINK_HELLO : LINK_WELCOME)) {
		if (l->role == LINK_VMM)
			rx_hello(l, b, now_us);
		else if (!l->closed)
			rx_welcome(l, b, now_us);
		return;
	}
	if (type == LINK_BAUD) {
		link_baud_rx(l, b.at, b.len, now_us);
		return;
	}
	if (type == LINK_TAKEN) {
		rx_taken(l, b);
		return;
	}
	if (!l->up) {
		/* To the VMM it is a session of before its own start, whose host must learn of that; to the host an older one's. */
		if (l->role == LINK_VMM && type != LINK_BYE) {
			l->owe_bye = true;
			l->bye_reason = LINK_BYE_NO_SESSION;
			l->bye_nonce = 0;
		}
		return;
	}
	l->rto_us = RTO_FIRST_US; /* the far end lives: look for losses soon */
	l->heard_us = now_us;
	switch (type) {
	case LINK_ACK: rx_ack(l, b, now_us); break;
	case LINK_PING: rx_ping(l, b); break;
	case LINK_BYE: rx_bye(l, b); break;
	case LINK_DISPLAY:
	case LINK_STREAM: rx_sequenced(l, type, b, now_us); break;
	default: break; /* not of this version */
	}
}

static bool is_type(uint8_t type)
{
	return (type >= LINK_HELLO && type <= LINK_BAUD) || type == LINK_DISPLAY || type == LINK_STREAM;
}

static bool is_printable(const uint8_t *p, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((p[i] < ' ' || p[i] > '~') && p[i] != '\n' && p[i] != '\r' && p[i] != '\t')
			return false;
	return true;
}

/*
 * Hands over the text that is collected. Within a session it must be printable: a broken frame may look like text at its
 * beginning, and what follows up to the next delimiter is then as bad.
 */
static void flush_text(struct link *l)
{
	if (l->in_len && (!l->up || is_printable(l->in, l->in_len))) {
		if (l->ops->plain)
			l->ops->plain(l->arg, l->in, l->in_len);
	} else if (l->in_len) {
		l->rx_bad++;
		l->in_skip = true;
	}
	l->in_len = 0;
}

/* The chunk between two delimiters is whole. It is a frame if its CRC says so. */
static void end_of_chunk(struct link *l, uint64_t now_us)
{
	if (l->in_text && !l->in_skip) {
		flush_text(l);
	} else if (l->in_len && !l->in_skip) {
		int len = cobs_decode(l->in, l->in_len, l->in);

		if (len >= 1 + 4 && crc32c(0, l->in, (size_t)len - 4) == link_get32(l->in + len - 4)) {
			struct body b = { .at = l->in + 1, .len = (size_t)len - 5 };

			l->rx_frames++;
			if (l->ops->frame)
				l->ops->frame(l->arg, l->in, (size_t)len - 4);
			rx_frame(l, l->in[0], b, now_us);
		} else {
			l->rx_bad++;
		}
	}
	l->in_len = 0;
	l->in_text = l->in_skip = false;
}

static void rx_byte(struct link *l, uint8_t byte, uint64_t now_us)
{
	if (!byte) {
		end_of_chunk(l, now_us);
		return;
	}
	if (l->in_skip)
		return;
	if (l->in_len == sizeof(l->in)) {
		if (l->in_text) {
			flush_text(l);
		} else {
			l->rx_bad++;
			l->in_skip = true;
			l->in_len = 0;
		}
		if (l->in_skip)
			return;
	}
	l->in[l->in_len++] = byte;
	/* A frame's second byte is its type, which is never printable; so text is known by its second byte. */
	if (l->in_len == 2 && !l->in_text && !is_type(byte)) {
		l->in_text = l->role == LINK_HOST;
		l->in_skip = l->role != LINK_HOST;
		l->rx_bad += l->in_skip;
	}
	if (l->in_text && l->up && byte == '\n')
		flush_text(l);
}

void link_rx(struct link *l, const uint8_t *bytes, size_t n, uint64_t now_us)
{
	l->rx_bytes += n;
	for (size_t i = 0; i < n; i++)
		rx_byte(l, bytes[i], now_us);
	/* Before a session text is shown as it comes: there may be no delimiter after it. */
	if (l->in_text && !l->in_skip && !l->up)
		flush_text(l);
}
