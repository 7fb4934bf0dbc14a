/* One session with a VMM: the link, the canvases, the streams and the requests that wait for an answer. Reads no descriptor. */
#ifndef HOST_SESSION_H
#define HOST_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream/display.h"
#include "stream/link.h"
#include "stream/proto.h"

#define SESSION_REQUESTS 32
#define SESSION_RING 16384

/* What the owner is told. Any may be NULL. All are called from inside link_rx. */
struct session_ops {
	void (*connected)(void *arg);
	void (*disconnected)(void *arg, unsigned reason);
	void (*log)(void *arg, const uint8_t *text, size_t len);
	void (*serial)(void *arg, const uint8_t *text, size_t len);
	void (*plain)(void *arg, const uint8_t *text, size_t len);
	void (*ended)(void *arg, unsigned how, uint32_t value); /* enum guest_end */
	void (*shot)(void *arg, uint32_t number);
	void (*parked)(void *arg, const char *text, size_t len);
	void (*changed)(void *arg, unsigned head, bool resized, unsigned x0, unsigned y0, unsigned x1, unsigned y1);
	void (*frame)(void *arg, const uint8_t *frame, size_t len); /* struct link_ops's */
	void (*broken)(void *arg, const char *why); /* the VMM sent what no VMM sends: do not go on */
};

/* The answer to a request: result 0 or a negative errno, text not 0-terminated. -ETIMEDOUT, -ECONNRESET: none came. */
typedef void (*session_reply_fn)(void *arg, int result, const char *text, size_t len);

struct session_request {
	uint32_t id; /* 0: free */
	uint64_t until_us;
	session_reply_fn reply;
	void *arg;
};

struct session {
	struct link link;
	struct display_rx rx;
	struct proto_reader reader;
	const struct session_ops *ops;
	void *arg;
	bool was_up; /* a session stood at some time */
	bool broken;
	bool played; /* what comes is a recording: nobody hears what is sent */
	uint32_t next_id, window;
	struct session_request request[SESSION_REQUESTS];
	uint8_t ring[3][SESSION_RING]; /* CONTROL, SERIAL, INPUT */
};

/** window: bytes that the VMM may have in flight. The session is large: have it static or allocated. */
void session_init(struct session *s, const struct session_ops *ops, void *arg, uint32_t window);
void session_free(struct session *s);

/** Says HELLO anew, to a VMM that may not be the same one any more; the pictures stay. */
void session_restart(struct session *s);

/** From now on a recording is fed to the link: the session with this nonce follows. Nothing can be sent any more (-EROFS). */
void session_play(struct session *s, uint32_t nonce);

/** The window that suits a line of so many bytes a second (0: as fast as can be): about a quarter of a second of it. */
uint32_t session_window(uint32_t rate);

/**
 * Sends a command to the VMM; reply is called once, at the latest after timeout_us (by session_expire).
 * Returns 0, -ENOTCONN, -EBUSY (too many wait, or the line is full), -EMSGSIZE, or -EROFS (a recording).
 */
int session_request(struct session *s, const char *text, uint64_t timeout_us, session_reply_fn reply, void *arg);

/** Answers what has waited too long. all: whatever waits. Returns when to call it next, or UINT64_MAX. */
uint64_t session_expire(struct session *s, bool all);

/** Bytes for the guest's serial port. Returns how many were taken. */
size_t session_serial_in(struct session *s, const void *data, size_t len);
size_t session_serial_room(const struct session *s);

/** Input events; dropped where the line is full, since late keys are worse than lost ones. Return 0, -EBUSY, -ENOTCONN or -EROFS. */
int session_key(struct session *s, bool down, uint16_t scancode);
int session_pointer(struct session *s, unsigned head, unsigned x, unsigned y, uint8_t buttons, int wheel);

#endif
