/*
 * The display channel: heads' pictures as self-contained datagrams of coded tiles.
 *
 * Body of a datagram (little-endian):
 *   u8 head, u16 width, u16 height          the head and its mode; 0 x 0: the head is off (blank or unplugged)
 *   then tile records until the end:
 *   varint skip                             tiles (in raster order) between the last one and this; the first counts from -1
 *   coded tile                              codec.h
 * A datagram whose size differs from the canvas starts a new, black canvas; one for a head that is off ends after its mode. No
 * datagram needs another, so a lost one costs only its own tiles, which the sender marks dirty again.
 *
 * The sender (VMM) keeps for each head a copy of what the far end shows ("sent") and a bit per tile for "must look" and "far
 * end unknown". Damage says where to look; only tiles that differ from the copy are coded. Pixels are read when a datagram
 * is built, never before: what is sent is the current content. Nothing here knows of paging, UARTs or guests.
 */
#ifndef STREAM_DISPLAY_H
#define STREAM_DISPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream/codec.h"
#include "stream/picture.h"

#define DISPLAY_HEADS 16         /* heads at most, on both ends */
#define DISPLAY_MAX_SIDE 8192    /* pixels; larger modes are refused */
#define DISPLAY_MAX_PIXELS (4096u * 4096u)
#define DISPLAY_MAX_TILES (DISPLAY_MAX_PIXELS / (TILE * TILE) + 1024) /* with the partial tiles at two edges */

/* One head as the sender sees it. Memory for sent and flags is the caller's; see dtx_mode. */
struct dtx_head {
	struct scanout so;
	uint16_t cols, rows;          /* tiles */
	uint32_t *sent;               /* cols*rows tiles' pixels as last sent, width*height words, row by row */
	uint8_t *flags;               /* cols*rows bytes of DTX_* */
	size_t sent_bytes, flags_bytes; /* room in the two */
	uint32_t todo;                /* tiles with DTX_LOOK set */
	uint32_t scan;                /* tile at which the next datagram begins to look */
	uint32_t inflight;            /* datagrams of this mode that were not yet answered for */
	bool announce;                /* the mode must be told even if no tile differs */
	uint32_t generation;          /* counts modes set, so that answers for an older mode are ignored */
};
#define DTX_LOOK 1u               /* may differ from sent: compare */
#define DTX_UNKNOWN 2u            /* the far end's content is not known: send in any case */

#define DTX_CAP_MIN (5 + 5 + CODEC_TILE_MAX) /* header, skip and the longest tile */
#define DTX_COOKIE_TILES 64

/* What one datagram carried, kept by the sender until it is answered for. */
struct dtx_cookie {
	uint32_t generation;
	uint8_t head;
	bool announce;
	uint16_t count;
	uint32_t tile[DTX_COOKIE_TILES];
};

struct display_tx {
	struct dtx_head head[DISPLAY_HEADS];
	unsigned next_head;           /* whose turn it is */
	/* counters, since the beginning */
	uint64_t tiles_compared, tiles_sent, tiles_bytes, tiles_lost, datagrams;
};

/**
 * Sets head's mode and picture. Every tile becomes "unknown": all of it is sent again.
 * @so    scanout (copied); its base must stay readable until the next dtx_mode of this head. width or height 0: off.
 * @sent  room for width*height words, NULL for off; @flags room for one byte a tile; both owned by the caller, who may free
 *        what he passed before once this returns. Sizes in bytes.
 * Returns 0; -EINVAL for head, size, stride or bpp out of bounds; -ENOMEM where the room is too small. On error the head is off.
 */
int dtx_mode(struct display_tx *tx, unsigned head, const struct scanout *so, uint32_t *sent, size_t sent_bytes, uint8_t *flags,
	     size_t flags_bytes);

/**
 * The picture's base or stride moved (panning, page flip), or its palette changed, and its size and format did not: look at every
 * tile again, forgetting nothing. Returns 0; -EINVAL for a bad head, one that is off, no base or a stride that is too small: then the picture is as before.
 */
int dtx_pan(struct display_tx *tx, unsigned head, const volatile uint8_t *base, uint32_t stride);

/**
 * Bytes [offset, offset+len) from the scanout's base were written: marks every tile that shows one of them as "look".
 * Bytes that no tile shows are ignored, any offset and length will do. Cost: O(tiles touched).
 */
void dtx_damage(struct display_tx *tx, unsigned head, uint64_t offset, uint64_t len);

/**
 * A new far end, or all trust lost: every tile of every head becomes unknown and every mode is announced again (of heads that
 * ever were on). What is in flight is forgotten: answers for it are ignored.
 */
void dtx_reset(struct display_tx *tx);

/**
 * Builds the next datagram: takes a head with work (in turn), compares at most max_tiles tiles that are marked, codes those that
 * differ until cap is reached, updates sent, and fills the cookie. A head whose tiles used up max_tiles waits for the others' turn.
 * @buf, @cap   body; cap >= DTX_CAP_MIN, else nothing is built
 * Returns the body's length; 0 when there is nothing to send now (see dtx_idle: more may be left to compare, so the caller
 * asks again). Every datagram built is owed one dtx_answer.
 */
size_t dtx_build(struct display_tx *tx, uint8_t *buf, size_t cap, unsigned max_tiles, struct dtx_cookie *cookie);

/** The far end has (ok) or has not (!ok) what the cookie names. If not, those tiles become unknown and marked again. */
void dtx_answer(struct display_tx *tx, const struct dtx_cookie *cookie, bool ok);

/** True when no tile is marked, no mode waits to be announced. in_flight: also none unanswered. */
bool dtx_idle(const struct display_tx *tx, bool in_flight);

/* ------------------------------------------------------------------ receiver (host) */

struct canvas {
	uint16_t width, height;       /* 0 x 0: off */
	uint32_t *px;                 /* width*height words 0x00RRGGBB; owned by display_rx */
};

struct display_rx {
	struct canvas head[DISPLAY_HEADS];
	void *(*alloc)(size_t);       /* like malloc; alloc and free are set before the first datagram, the rest begins as zeros */
	void (*free)(void *);
	/*
	 * Called after a datagram changed the mode (resized; the rectangle is then all of the new canvas, empty for off), or else
	 * tiles within a rectangle (pixels, exclusive right and bottom). May be NULL.
	 */
	void (*changed)(void *arg, unsigned head, bool resized, unsigned x0, unsigned y0, unsigned x1, unsigned y1);
	void *arg;
	uint64_t datagrams, tiles;
};

/**
 * Applies one datagram from an untrusted line. All or nothing: it is checked to the end before the canvas changes.
 * Returns 0; -EBADMSG for a malformed body; -EINVAL for a size past the limits or a head past DISPLAY_HEADS; -ENOMEM.
 */
int drx_datagram(struct display_rx *rx, const uint8_t *body, size_t len);

/** Frees all canvases; a following datagram starts from nothing. */
void drx_reset(struct display_rx *rx);

/**
 * CRC-32 (zlib's) over a head's visible pixels as bytes B, G, R, 0, row by row: what guest tests print. 0 for a head that is off.
 */
uint32_t drx_crc(const struct display_rx *rx, unsigned head);

#endif
