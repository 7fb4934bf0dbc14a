/*
 * Messages on the CONTROL and INPUT streams. Each: u16 length of what follows (at most PROTO_MAX), u8 type, fields. Integers
 * little-endian. A message of an unknown type is skipped; one of a wrong length ends the session (host) or is refused (VMM).
 */
#ifndef STREAM_PROTO_H
#define STREAM_PROTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PROTO_MAX 8192

enum proto_type {
	/* VMM -> host */
	MSG_EXIT = 1, /* u8 how (enum guest_end), u32 value: the guest ended; the last picture and text have arrived before it */
	MSG_REPLY,    /* u32 id, i32 result (0 or negative errno), text (JSON object or error sentence, rest of message) */
	MSG_SHOT,     /* u32 number: the guest asks for screenshots now; the pictures before it have arrived */
	MSG_PARKED,   /* text: the guest was parked or crashed; the report in one line */
	/* host -> VMM */
	MSG_REQUEST =
		64, /* u32 id, text: a command of `tessera ctl`: "heads", "stats", "pause", "resume", "reset", "nmi", "quit" ... */
	/* INPUT stream, host -> VMM */
	MSG_KEY = 96, /* u8 down, u16 set-1 scancode (0xe0xx for extended) */
	MSG_POINTER,  /* u8 head, u16 x, u16 y, u8 buttons, i8 wheel (steps, positive: towards the user) */
};

enum guest_end {
	END_DEBUG_EXIT = 0, /* value: what was written to isa-debug-exit */
	END_POWEROFF,
	END_CRASH,     /* triple fault or a state that no CPU would enter: exit 126 */
	END_VMM_ERROR, /* the VMM could not go on with this guest: exit 125 */
	END_BAD_GUEST, /* the guest could not be loaded: exit 125, or 2 for a file that is no kernel */
};

/* Collects a byte stream into messages. */
struct proto_reader {
	uint8_t buf[2 + PROTO_MAX];
	size_t len;
};

/**
 * Feeds stream bytes; calls msg(arg, type, body, len) for each whole message (body without the type byte).
 * A reader begins as zeros. Returns 0, or -EBADMSG where a length is 0 or past PROTO_MAX: the stream cannot be trusted from there
 * on, and every later call says so too, until the reader is zeroed.
 */
int proto_feed(struct proto_reader *r, const uint8_t *data, size_t len,
	       void (*msg)(void *arg, uint8_t type, const uint8_t *body, size_t len), void *arg);

/** Writes length, type and body of a message into out. Returns its size, or 0 where cap or PROTO_MAX is too small. */
size_t proto_make(uint8_t *out, size_t cap, uint8_t type, const void *body, size_t len);

#endif
