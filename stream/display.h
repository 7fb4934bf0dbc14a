/*
 * The display channel: heads' pictures, kept equal on both ends by the codec (dense.h). Each head is coded by itself; its datagrams
 * build on one another and are numbered.
 *
 * Body of a datagram (little-endian):
 *   u8 number                               one more than that of the head's datagram before it
 *   u8 head | DISPLAY_BEGIN                 then a beginning follows; without DISPLAY_BEGIN this byte is the codec's first (its
 * flags stand above), and the codec's datagram goes to the end beginning: u16 width, u16 height        0 x 0: the head is off
 * (blank or unplugged), nothing follows u8 what                      DISPLAY_FAST: the codec's fast mode. DISPLAY_KEEP: the picture
 * stays, else it is black the codec's datagram, or nothing With a beginning the codec begins anew, whatever was missing before it.
 *
 * Loss: what was learnt of a picture is worth far more than what is on the way at a time (at most DTX_PACKETS datagrams), so a lost
 * datagram is sent again as it was, and the receiver keeps those that come before their turn. Nothing else is kept to be sent:
 * pixels are read when they are coded, so what is sent next is the current content. A head begins anew when the far end is a new
 * one, and when a datagram was refused too often, which only a receiver does that lost its way.
 *
 * The sender (VMM) keeps for each head the picture as the far end will have it ("sent"), the codec's state, and for each tile
 * whether it may differ. Nothing here knows of paging, UARTs or guests.
 */
#ifndef STREAM_DISPLAY_H
#define STREAM_DISPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream/choose.h"
#include "stream/picture.h"

struct dense;
struct dense_enc;

#define DISPLAY_HEADS 16      /* heads at most, on both ends */
#define DISPLAY_MAX_SIDE 8192 /* pixels; larger modes are refused */
#define DISPLAY_MAX_PIXELS (4096u * 4096u)
#define DISPLAY_BODY_MAX 1024 /* bytes of a datagram */
#define DISPLAY_BEGIN 0x10u
#define DISPLAY_FAST 0x01u
#define DISPLAY_KEEP 0x02u

/* What the far end must be told before anything else of a head. */
enum dtx_begin { DTX_GO_ON, DTX_KEEP, DTX_PICTURE, DTX_OFF };

/* One head as the sender sees it. */
struct dtx_head {
	struct scanout so;
	uint16_t cols, rows; /* tiles */
	enum dtx_begin begin;
	uint32_t fresh;	    /* tiles with DTX_NEW */
	bool later;	    /* there are some with DTX_LATER */
	bool skipped;	    /* those were passed over by the round at hand */
	bool urgent;	    /* the round at hand is of little that is new */
	unsigned held;	    /* datagrams of it so far */
	uint16_t sorted;    /* rows of tiles that were searched for texture, of a first picture */
	uint32_t passed;    /* bytes that other heads sent while this one had to wait */
	bool len_urgent;    /* the complete datagram is of an urgent round */
	bool open;	    /* a datagram is being built */
	bool began;	    /* it begins anew */
	bool preparing;	    /* for that: the codec's reset has begun */
	uint32_t blackened; /* and so many pixels of sent are black */
	uint8_t number;	    /* of the datagram that is being built, or the next */
	bool known;	    /* it was on at some time, so the far end knows of it */
	bool fast;	    /* the codec's mode that is best for it; taken when there is something to code */
	struct choose choose;
	struct dense_enc *enc; /* these three in the memory that dtx_mode got */
	uint32_t *sent;	       /* width*height words */
	uint8_t *flags;	       /* by tile: DTX_LOOK, DTX_NEW, DTX_LATER */
	size_t header, len;    /* of the datagram: where the codec's begins; its length once it is complete, else 0 */
	uint8_t out[DISPLAY_BODY_MAX];
};
#define DTX_LOOK 1u  /* may differ from sent; the codec's flag: the round at hand looks at it */
#define DTX_NEW 2u   /* may differ, since the round began */
#define DTX_LATER 4u /* may differ; put off */

#define DTX_CAP_MIN 264 /* room for a datagram, at least */

#define DTX_PACKETS 48 /* datagrams on their way, at most; also how far one may come before its turn */
#define DTX_TRIES 8    /* so often the same one is sent */

/* A datagram on its way. */
struct dtx_packet {
	uint32_t serial; /* tells it from others that were kept in this place; 0: free */
	uint8_t head, number, tries;
	bool lost; /* to be sent again */
	uint16_t len;
	uint8_t body[DISPLAY_BODY_MAX];
};

/* Which datagram it was: kept with a frame until it is answered for. */
struct dtx_cookie {
	uint32_t serial;
	uint8_t packet;
};

struct display_tx {
	struct dtx_head head[DISPLAY_HEADS];
	struct dtx_packet packet[DTX_PACKETS];
	uint32_t serial;
	unsigned turn; /* whose it is */
	unsigned last; /* head that dtx_work last worked on */
	bool coded;    /* and it did not only look for what changed */
	bool fast;     /* the codec's mode that a new far end begins with */
	bool echo;     /* the owner's: an input was given a moment ago, so what changes little may be its echo */
	/* counters, since the beginning */
	uint64_t slices, tiles_sent, tiles_bytes, datagrams, again, begins, breaks, changes;
};

/** Bytes of memory that dtx_mode needs for a mode of that size. */
size_t dtx_room(unsigned width, unsigned height);

/**
 * Sets head's mode and picture. The far end begins with a black one.
 * @so    scanout (copied); its base must stay readable until the next dtx_mode of this head. width or height 0: off.
 * @room  memory aligned to 8, NULL for off; owned by the caller, who may free what he passed before once this returns
 * Returns 0; -EINVAL for head, size, stride or bpp out of bounds; -ENOMEM where the room is too small. On error the head is off.
 */
int dtx_mode(struct display_tx *tx, unsigned head, const struct scanout *so, void *room, size_t bytes);

/**
 * The picture is elsewhere (panning, page flip), or its format or its palette changed, and its size did not: look at every tile
 * again, forgetting nothing. Returns 0; -EINVAL for a bad head, one that is off or of another size, or what dtx_mode would refuse:
 * then the picture is as before.
 */
int dtx_pan(struct display_tx *tx, unsigned head, const struct scanout *so);

/**
 * Bytes [offset, offset+len) from the scanout's base were written: marks every tile that shows one of them as "look".
 * Bytes that no tile shows are ignored, any offset and length will do. Cost: O(tiles touched).
 */
void dtx_damage(struct display_tx *tx, unsigned head, uint64_t offset, uint64_t len);

/**
 * A new far end: every head that ever was on begins anew, in the codec's mode that tx->fast says. What is in flight is forgotten:
 * answers for it are ignored.
 */
void dtx_reset(struct display_tx *tx, uint64_t now_ns);

enum dtx_status {
	DTX_IDLE,    /* nothing is to be done */
	DTX_WORKING, /* the slices are used up */
	DTX_READY,   /* a datagram is complete: dtx_take gives it */
};

/**
 * Works on the next datagram, at most so many of the codec's slices: takes a head with work (in turn), looks at what is marked,
 * codes what differs.
 * @cap  of the datagram, from DTX_CAP_MIN to DISPLAY_BODY_MAX; one that begins anew may be longer
 */
enum dtx_status dtx_work(struct display_tx *tx, size_t cap, unsigned slices);

/**
 * Copies a complete datagram, or one that was lost, into buf, which has room for DISPLAY_BODY_MAX bytes, and fills the cookie.
 * Returns its length, 0: none. Every one is owed one dtx_answer.
 */
size_t dtx_take(struct display_tx *tx, uint8_t *buf, struct dtx_cookie *cookie);

/** The far end has (ok) or has not (!ok) taken what the cookie names. */
void dtx_answer(struct display_tx *tx, const struct dtx_cookie *cookie, bool ok);

#define DTX_SLICE_NS 10000000ull /* no slice takes longer, however slow the CPU */

/** The last dtx_work, of one slice, took so long. What is beyond DTX_SLICE_NS is not its own: the machine was elsewhere. */
void dtx_spent(struct display_tx *tx, uint64_t ns);

/**
 * Looks whether the codec's other mode were better for a head by now, and takes it with the head's next datagram; the picture stays
 * as it is. To be called every few milliseconds.
 * @rate   the line's, in bytes a second; 0: not known
 * @share  of the CPU's time that there is for dtx_work, in 1/1000
 */
void dtx_choose(struct display_tx *tx, uint32_t rate, unsigned share, uint64_t now_ns);

/** Which heads are in the codec's fast mode, bit by bit. */
unsigned dtx_fast(const struct display_tx *tx);

/** True when there is nothing to look at, code or begin. in_flight: also nothing unanswered. */
bool dtx_idle(const struct display_tx *tx, bool in_flight);

/* ------------------------------------------------------------------ receiver (host) */

struct canvas {
	uint16_t width, height; /* 0 x 0: off */
	uint32_t *px;		/* width*height words 0x00RRGGBB; owned by display_rx */
};

#define DRX_AHEAD 64 /* datagrams that came before their turn, at most; a power of two above DTX_PACKETS */

/* What the receiver needs to go on with a head. */
struct drx_head {
	struct dense *codec;
	bool exact;	/* the picture is one that the sender had; else only a beginning helps */
	uint8_t number; /* of the next datagram */
	struct {
		uint8_t *body; /* NULL: none */
		size_t len;
	} ahead[DRX_AHEAD]; /* by number, modulo */
};

struct display_rx {
	struct canvas head[DISPLAY_HEADS];
	struct drx_head state[DISPLAY_HEADS];
	void *(*alloc)(size_t); /* like malloc; alloc and free are set before the first datagram, the rest begins as zeros */
	void (*free)(void *);
	/*
	 * Called after a datagram changed the mode (resized; the rectangle is then all of the new canvas, empty for off), or else
	 * pixels within a rectangle (exclusive right and bottom). May be NULL.
	 */
	void (*changed)(void *arg, unsigned head, bool resized, unsigned x0, unsigned y0, unsigned x1, unsigned y1);
	void *arg;
	uint64_t datagrams, early, refused, begins;
};

/**
 * Takes one datagram from an untrusted line: applies it and what waited for it, or keeps it until its turn.
 * Returns 0; -EAGAIN where it can be neither applied nor kept: the head must begin anew first, or it is too far ahead; -EBADMSG for
 * a malformed body: what it changed until then stays, and the head must begin anew; -EINVAL for a size past the limits; -ENOMEM. On
 * each of them the sender must learn that it was not taken. One that was taken already is not an error.
 */
int drx_datagram(struct display_rx *rx, const uint8_t *body, size_t len);

/** Frees all canvases; a following datagram starts from nothing. */
void drx_reset(struct display_rx *rx);

/**
 * CRC-32 (zlib's) over a head's visible pixels as bytes B, G, R, 0, row by row: what guest tests print. 0 for a head that is off.
 */
uint32_t drx_crc(const struct display_rx *rx, unsigned head);

#endif
