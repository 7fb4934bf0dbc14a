/*
 * A simulated world for the link's tests: a VMM with one screen, a host, and between them a line with faults. Whatever arrives
 * is checked as it comes.
 */
#ifndef TESTS_UNIT_LINK_WORLD_H
#define TESTS_UNIT_LINK_WORLD_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>

#include "stream/link.h"
#include "stream/proto.h"
#include "tests/unit/random.h"

#define WIDTH 640
#define HEIGHT 480
#define STEP_US 5000
#define RING 4096
#define CONTROL_RING 16384
#define GUEST_BUFFER 4096
#define GUEST_DEAF UINT32_MAX
#define LINE (1u << 20) /* bytes on their way, at most */

/* One direction of the line. */
struct wire {
	uint8_t *bytes; /* LINE of them, a ring */
	uint32_t head, tail;
};

struct faults {
	uint32_t flip, drop, twice, burst; /* one byte in so many; 0: never */
	unsigned cut;			   /* steps for which all is lost */
};

/* What the receiving owner knows of one stream. */
struct sink {
	uint32_t offset; /* next byte */
	uint64_t bytes, lost;
	uint32_t message; /* number of the next one */
	struct proto_reader reader;
};

struct world {
	uint64_t seed;
	struct rng r;
	uint64_t now;
	struct faults faults;
	struct wire down, up; /* VMM -> host, host -> VMM */
	unsigned rate;	      /* line bytes a step */
	unsigned reader;      /* bytes a step that the host takes */
	/* VMM */
	struct link vmm;
	struct display_tx tx;
	uint16_t width, height;
	uint32_t *fb;
	void *room; /* of the sender for a picture of WIDTH x HEIGHT */
	uint8_t vmm_ring[3][CONTROL_RING];
	struct sink from_host[LINK_STREAMS];
	unsigned guest_reads;				/* bytes of SERIAL a step; 0: all at once; GUEST_DEAF: none */
	uint32_t guest_unread;				/* of GUEST_BUFFER */
	uint32_t vmm_message, host_message, host_input; /* numbers of the next ones written */
	/* host */
	struct link host;
	struct display_rx rx;
	uint8_t host_ring[3][CONTROL_RING];
	struct sink from_vmm[LINK_STREAMS];
	uint32_t nonce;
	unsigned connected, disconnected, reason;
	char plain[4096];
	size_t plain_len;
};

#define FAIL(w, ...)                                                                                                               \
	do {                                                                                                                       \
		fprintf(stderr, "seed %llu: ", (unsigned long long)(w)->seed);                                                     \
		fail_msg(__VA_ARGS__);                                                                                             \
	} while (0)

extern const struct link_ops world_vmm_ops, world_host_ops;
extern struct world the_world; /* zero at first; kept between tests for its memory */

/* A fresh world with a black screen; its ends are started apart. world_teardown leaves the memory for the next one. */
void world_setup(struct world *w, uint64_t seed, unsigned width, unsigned height);
void world_teardown(struct world *w);
int world_free(void **state);
void world_start_vmm(struct world *w, uint32_t window);
/* A host with a nonce of its own. */
void world_start_host(struct world *w, uint32_t window);
/* All of it: a world at rest in a session. */
void world_connect(struct world *w, unsigned width, unsigned height);

/* One step of time: what is on the line arrives, both ends fill it again. */
void world_step(struct world *w);
/* A step's parts: what an end sends goes onto a wire; up to max bytes of a wire reach an end. */
void world_pull(struct world *w, struct link *l, struct wire *wire);
void world_deliver(struct world *w, struct link *l, struct wire *wire, unsigned max);
/* Gives an end a well-formed frame of the given content (type first, without CRC): what a hostile peer can do at least. */
void world_forge(struct link *l, const uint8_t *raw, size_t len, uint64_t now);
/* Runs without new content until all has arrived; returns the time it took in microseconds, fails after most_us. */
uint64_t world_settle(struct world *w, uint64_t most_us);

/* Content: bytes that depend on stream and offset alone, numbered messages, a random change of the picture. */
void world_write_bytes(struct world *w, struct link *l, enum link_stream s, size_t n);
void world_write_message(struct link *l, enum link_stream s, uint32_t *number, size_t len);
void world_paint(struct world *w);

/* The oracles: the host's canvas is the guest's picture; every stream arrived to its end; an end's state is consistent. */
void world_check_picture(struct world *w);
void world_check_streams(struct world *w);
void world_check_link(struct world *w, const struct link *l);

#endif
