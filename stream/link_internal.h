/* What the files of the link share. Nothing of it is for others. */
#ifndef STREAM_LINK_INTERNAL_H
#define STREAM_LINK_INTERNAL_H

#include "stream/link.h"

#define LINK_MAGIC "TSRA"
#define HELLO_OFFSETS (4 + 2 + 4 + 4 + 4)
#define HELLO_BYTES (HELLO_OFFSETS + 4 * LINK_STREAMS) /* body of HELLO and WELCOME */
#define HELLO_HEAD (4 + 2 + 4)			       /* magic, version, nonce: the same in every version */
#define ACK_BYTES (2 + 8 + 4)
#define ACK_BYTES_LIMIT (ACK_BYTES + 4)
#define ROOM_ALL (1u << 30) /* the room of an owner that takes all */
#define BYE_BYTES (1 + 4)
#define TAKEN_BYTES 4
#define STREAM_HEAD (1 + 4) /* stream, offset */

#define HELLO_EVERY_US 500000u
#define ACK_DELAY_US 10000u
#define ACK_FRAMES 8
#define RTO_FIRST_US 200000u
#define RTO_MAX_US 3100000u /* not in step with what disturbs the line every so many seconds: that would meet each PING */
#define LIMIT_PING_US 1000000u

static inline uint16_t link_get16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t link_get32(const uint8_t *p)
{
	return link_get16(p) | (uint32_t)link_get16(p + 2) << 16;
}

static inline size_t link_put(uint8_t *p, uint64_t v, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++, v >>= 8)
		p[i] = (uint8_t)v;
	return bytes;
}

/* Stream offset a comes before b, mod 2^32. */
static inline bool link_before(uint32_t a, uint32_t b)
{
	return (int32_t)(a - b) < 0;
}

/* ---- link_ring.c: tail <= settled <= next <= head <= tail + size always */

void link_ring_init(struct link_ring *r, const struct link_ring *from, bool framed);
void link_ring_write(struct link_ring *r, const uint8_t *data, size_t len);
/* Copies up to cap bytes from next on into out, without moving next. Returns their number. */
uint32_t link_ring_peek(const struct link_ring *r, uint8_t *out, uint32_t cap);
/* All bytes before end have arrived. */
void link_ring_settle(struct link_ring *r, uint32_t end);
/* The frame at offset was lost: send from there again, or from the oldest byte that is left, which is a jump. */
void link_ring_rewind(struct link_ring *r, uint32_t offset, bool jump);
/* A new receiver wants bytes from `want` on, if they are kept, else the oldest. Returns the offset that it gets. */
uint32_t link_ring_begin(struct link_ring *r, uint32_t want);

/* ---- link.c */

/* Begins a session with fresh sequence numbers; nothing is in flight, nonce, window, limits and offsets are set. Calls connected.
 */
void link_session_begin(struct link *l);
/* Ends the session: all in flight is given up. */
void link_session_end(struct link *l);
/* The same, and disconnected: the far end, or what it says, ended it. */
void link_end_by(struct link *l, unsigned reason);
/* How many bytes of SERIAL the owner takes now. */
uint32_t link_serial_room(const struct link *l);
/* VMM: another host, with this nonce, wants the line. True when it is free for it. */
bool link_knock(struct link *l, uint32_t nonce, uint64_t now_us);
/* The oldest frame in flight is settled: accepted or lost. */
void link_settle_oldest(struct link *l, bool accepted);

/* ---- link_baud.c */

/* A session begins. */
void link_baud_begin(struct link *l);
/* Time goes by. */
void link_baud_clock(struct link *l, uint64_t now_us);
/* When link_tx should be asked for it. */
uint64_t link_baud_deadline(const struct link *l);
/* A BAUD frame into raw, if one is due. Returns its length without CRC, or 0. */
size_t link_baud_make(struct link *l, uint64_t now_us);
void link_baud_rx(struct link *l, const uint8_t *body, size_t len, uint64_t now_us);
/* Whether this is the time for a HELLO: to be taken, to be said. */
bool link_baud_takes_hello(const struct link *l);
bool link_baud_says_hello(const struct link *l);

/* ---- link_rate.c */

/* A session begins: nothing is known of the line. */
void link_rate_begin(struct link *l);
/* True while one more frame keeps the line busy, and does not merely wait in it. */
bool link_rate_allows(const struct link *l);
/* How many bytes a frame of a stream has at most. */
size_t link_rate_piece(const struct link *l);
/* The line took a frame's bytes, one after the other, in so many microseconds. */
void link_rate_taken(struct link *l, size_t bytes, uint64_t took, uint64_t now_us);
/* f is on its way, before it is counted in inflight; and it was settled, whether it was accepted or not. */
void link_rate_sent(struct link *l, struct link_inflight *f, uint64_t now_us);
void link_rate_settled(struct link *l, const struct link_inflight *f, bool accepted, uint64_t now_us);

/* ---- link_tx.c */

/* True when the window has room for one more sequenced frame. */
bool link_may_send(const struct link *l);

#endif
