/*
 * link.h: how fast the line is, and how much to have on it. What is in flight beyond what the line holds waits in somebody's
 * buffer: there it delays what is urgent, and after a loss it is for nothing.
 *
 * The rate is the best of the last seconds (the idea of BBR: Cardwell et al., "BBR: Congestion-Based Congestion Control", 2016):
 * either how fast the line took a frame's bytes, as a UART does, or, where it takes all at once, how fast the far end settled
 * frames while there was more to send than the window let through. The line's own delay is measured with frames that were sent into
 * an empty line; now and then the line is emptied for one.
 */
#include "stream/link_internal.h"

#define RATE_SPAN_US 2000000u
#define BASE_SPAN_US 5000000u
#define RATE_MAX (1u << 30)
#define TAKEN_US 1000u	/* a line that takes a frame faster takes it at once */
#define SLACK_US 5000u	/* in the line beyond its delay, so that it never runs dry */
#define FRAME_US 20000u /* a frame that is on its way delays what is urgent for so long */
#define PIECE_MIN 96
#define TAKEN_MIN 128 /* a shorter frame's time says little: a UART has a FIFO */
#define BODY_MORE 168 /* the codec ends a datagram with so much room left */
#define BODY_GROW 128 /* one byte for so many that arrived */

/*
 * Never below what the line is known to take: answers that come late make short frames, and few of them, and so a rate that is
 * lower still; an emulator whose time runs ahead while it waits brought it to nothing.
 */
uint32_t link_rate(const struct link *l)
{
	uint32_t best = l->rate[0] > l->rate[1] ? l->rate[0] : l->rate[1];

	return best && best < l->rate_least ? l->rate_least : best;
}

size_t link_rate_piece(const struct link *l)
{
	uint64_t suits = (uint64_t)link_rate(l) * FRAME_US / 1000000;

	if (!link_rate(l) || suits > l->body)
		suits = l->body;
	return suits < PIECE_MIN ? PIECE_MIN : (size_t)suits;
}

size_t link_body(const struct link *l)
{
	size_t body = link_rate_piece(l) + BODY_MORE;

	return body < LINK_BODY_MAX ? body : LINK_BODY_MAX;
}

bool link_rate_allows(const struct link *l)
{
	if (!l->inflight || !link_rate(l))
		return true;
	return !l->empty_first &&
	       l->inflight_bytes < (uint64_t)link_rate(l) * (l->base_us + SLACK_US) / 1000000 + COBS_MAX(link_rate_piece(l));
}

void link_rate_begin(struct link *l)
{
	l->rate[0] = l->rate[1] = 0;
	l->base_us = 0;
	l->body = LINK_BODY_MAX;
	l->delivered = l->delivered_us = l->rate_us = l->base_at_us = 0;
	l->empty_first = l->pressed = false;
	l->shorter_seq = 0;
}

void link_rate_sent(struct link *l, struct link_inflight *f, uint64_t now_us)
{
	if (!l->inflight) {
		l->delivered_us = now_us;
		l->empty_first = false;
	}
	f->alone = !l->inflight;
	f->limited = !l->pressed;
	l->pressed = false;
	f->sent_us = now_us;
	f->delivered = l->delivered;
	f->delivered_us = l->delivered_us;
}

/* A frame crossed an empty line: what it took beyond its own length is the line's delay. */
static void measure_base(struct link *l, const struct link_inflight *f, uint64_t now_us)
{
	uint64_t took = now_us - f->sent_us, own = link_rate(l) ? (uint64_t)f->line_bytes * 1000000 / link_rate(l) : took;
	uint64_t base = took > own ? took - own : 0;

	if (!l->base_at_us || base < l->base_us || now_us - l->base_at_us > BASE_SPAN_US) {
		l->base_us = (uint32_t)(base < RTO_FIRST_US ? base : RTO_FIRST_US);
		l->base_at_us = now_us;
	}
}

static void note_rate(struct link *l, uint64_t bytes, uint64_t took, uint64_t now_us)
{
	uint64_t rate = bytes * 1000000 / took;

	if (now_us - l->rate_us > RATE_SPAN_US) {
		l->rate[1] = l->rate[0];
		l->rate[0] = 0;
		l->rate_us = now_us;
	}
	rate = rate < RATE_MAX ? rate : RATE_MAX;
	if (rate > l->rate[0])
		l->rate[0] = (uint32_t)rate;
}

void link_rate_taken(struct link *l, size_t bytes, uint64_t took, uint64_t now_us)
{
	if (bytes >= TAKEN_MIN && took >= TAKEN_US)
		note_rate(l, bytes, took, now_us);
}

void link_rate_settled(struct link *l, const struct link_inflight *f, bool accepted, uint64_t now_us)
{
	l->delivered += f->line_bytes;
	l->delivered_us = now_us;
	if (!accepted) {
		/* Frames get shorter where they are often hit. What is refused for the loss of a frame before it does not count. */
		if ((int16_t)(f->seq - l->shorter_seq) >= 0) {
			l->body = l->body - l->body / 4 > PIECE_MIN ? (uint16_t)(l->body - l->body / 4) : PIECE_MIN;
			l->shorter_seq = l->seq;
		}
		return;
	}
	l->body = l->body + f->line_bytes / BODY_GROW < LINK_BODY_MAX ? (uint16_t)(l->body + f->line_bytes / BODY_GROW)
								      : LINK_BODY_MAX;
	if (!f->limited && now_us > f->delivered_us)
		note_rate(l, l->delivered - f->delivered, now_us - f->delivered_us, now_us);
	if (f->alone)
		measure_base(l, f, now_us);
	else if (now_us - l->base_at_us > BASE_SPAN_US)
		l->empty_first = true;
}
