/*
 * Recordings: the frames that came over the line, each with its time; so an hour of a console is as small as its stream, and
 * playing it is receiving it again, whatever the codec.
 *
 * A file begins with "TSRAREC1", u64 microseconds since 1970 of its beginning, u32 CRC-32C of the 16 bytes. Then records:
 *   varint    microseconds since the record before
 *   varint    bytes of the body, 1 to RECORD_BODY_MAX
 *   body      its first byte says what it is: below RECORD_SESSION a frame of the link as link.h has it, without its CRC
 *   u32       CRC-32C of this record's bytes so far, begun with the CRC of the record before (of the header): none can be missing
 * Integers are little-endian; a varint has 7 bits a byte, lowest first, the top bit says that more follow. The last record of a
 * recording that was closed in order is RECORD_END.
 */
#ifndef HOST_RECORD_H
#define HOST_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "stream/link.h"

#define RECORD_MAGIC "TSRAREC1"
#define RECORD_HEADER 20
#define RECORD_BODY_MAX (LINK_FRAME_MAX - 4)
#define RECORD_GAP_MAX_US (366ull * 86400 * 1000000) /* between two records */

enum record_kind {
	RECORD_SESSION = 0xf0, /* u32 nonce, u16 LINK_VERSION: what follows belongs to the session of this nonce */
	RECORD_END = 0xff,     /* nothing follows */
};

/* ---- writing */

struct recorder {
	FILE *file; /* NULL: not recording, or given up */
	const char *path;
	uint64_t last_us; /* of the last record, on now_us's clock */
	uint32_t crc, nonce;
	bool any;    /* nonce is of a session that was written */
	bool failed; /* the file is not all that it should be */
	uint64_t bytes, frames;
};

/** Begins a recording in a new file. Returns 0, or -1 having said why. path must stay. */
int record_begin(struct recorder *r, const char *path);

/** Adds a frame (its CRC was right; without it) of the session with this nonce, as of now. */
void record_frame(struct recorder *r, uint32_t nonce, const uint8_t *frame, size_t len);

/** Gives the system what was added, so that it is kept if this process is killed. */
void record_flush(struct recorder *r);

/** Ends the file in order. Returns 0, or -1 where something could not be written (it was said). */
int record_end(struct recorder *r);

/* ---- reading: every byte is untrusted */

struct record {
	uint64_t time_us; /* since the beginning */
	uint8_t body[RECORD_BODY_MAX];
	size_t len;
};

struct recording {
	FILE *file;
	const char *path;
	uint64_t date_us; /* since 1970 */
	uint64_t time_us; /* of the last good record */
	uint64_t offset;  /* just behind it: of the first byte that is not good, where why is set */
	uint32_t crc;
	const char *why; /* the sentence about what is wrong, NULL while nothing is */
};

/** Opens a file. Returns 0, or -1 having said why: not there, or no recording from its first bytes on. */
int recording_open(struct recording *r, const char *path);

/** Reads the next record. Returns 1; 0 at the end; -1 where the file is damaged or cut off: r->why and r->offset tell, for good. */
int recording_next(struct recording *r, struct record *out);

/** Says where and how the recording is broken; nothing where it is not. */
void recording_explain(const struct recording *r);
void recording_close(struct recording *r);

#endif
