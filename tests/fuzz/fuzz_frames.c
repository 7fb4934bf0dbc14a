/*
 * The frame parser of both ends: bytes as they come from a line, and, since hardly any input has a right CRC by itself, frames that
 * get one. The host's end is a whole session: canvases, streams, messages.
 */
/* links: host/session.c host/say.c stream/[a-z]*.c */
#include <stdlib.h>
#include <string.h>

#include "host/session.h"
#include "stream/cobs.h"
#include "stream/crc32c.h"
#include "tests/fuzz/memory.h"
#include "tests/fuzz/pieces.h"

#define NONCE 0x12345678u

static uint8_t ring[3][4096];
static struct proto_reader control, input;

static void on_message(void *arg, uint8_t type, const uint8_t *body, size_t len)
{
	static volatile uint8_t sum;

	(void)arg;
	sum = type;
	for (size_t i = 0; i < len; i++)
		sum = (uint8_t)(sum + body[i]);
}

static void on_stream(void *arg, enum link_stream s, const uint8_t *data, size_t len)
{
	(void)arg;
	if (s == LINK_CONTROL)
		proto_feed(&control, data, len, on_message, NULL);
	if (s == LINK_INPUT)
		proto_feed(&input, data, len, on_message, NULL);
}

static void on_connected(void *arg)
{
	(void)arg;
	control.len = input.len = 0;
}

static const struct link_ops vmm_ops = { .connected = on_connected, .stream = on_stream };

/* The line has whatever rate is asked for. */
static void set_baud(struct link *l, uint64_t now)
{
	if (link_baud_wanted(l))
		link_baud_set(l, true, now);
}

static void give(struct link *l, const uint8_t *body, size_t len, uint64_t now)
{
	uint8_t frame[LINK_FRAME_MAX], line[LINK_LINE_MAX] = { 0 }, out[LINK_LINE_MAX];
	uint32_t crc;
	size_t n;

	len = len < LINK_FRAME_MAX - 4 ? len : LINK_FRAME_MAX - 4;
	memcpy(frame, body, len);
	crc = crc32c(0, body, len);
	for (size_t i = 0; i < 4; i++)
		frame[len + i] = (uint8_t)(crc >> 8 * i);
	n = cobs_encode(frame, len + 4, line + 1);
	line[n + 1] = 0;
	link_rx(l, line, n + 2, now);
	while (link_tx(l, out, sizeof(out), now))
		set_baud(l, now);
	set_baud(l, now);
}

static void feed(struct link *l, const uint8_t *data, size_t size)
{
	struct pieces p = { data + 1, size - 1 };
	uint64_t now = 1;
	const uint8_t *body;
	size_t len;

	if (data[0] & 2) {
		link_rx(l, data + 1, size - 1, now);
		return;
	}
	while ((body = pieces_next(&p, &len))) {
		if (len)
			give(l, body, len, now);
		now += 100000;
	}
}

static void at_vmm(const uint8_t *data, size_t size)
{
	static struct link l;
	struct link_ring rings[LINK_STREAMS] = { [LINK_CONTROL] = { .buf = ring[0], .size = 4096 },
						 [LINK_LOG] = { .buf = ring[1], .size = 4096, .keep = true },
						 [LINK_SERIAL] = { .buf = ring[2], .size = 4096, .keep = true } };

	link_init(&l, LINK_VMM, &vmm_ops, NULL, rings, 0, 8192);
	link_baud_init(&l, 115200, UINT32_MAX);
	link_write(&l, LINK_LOG, "log\n", 4);
	feed(&l, data, size);
}

static void at_host(const uint8_t *data, size_t size)
{
	static struct session s;
	static const struct session_ops ops = { 0 };

	session_init(&s, &ops, NULL, 8192);
	s.rx.alloc = fuzz_alloc;
	fuzz_memory = FUZZ_MEMORY;
	session_play(&s, NONCE);
	link_baud_init(&s.link, 115200, UINT32_MAX);
	feed(&s.link, data, size);
	session_free(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (!size)
		return 0;
	if (data[0] & 1)
		at_vmm(data, size);
	else
		at_host(data, size);
	return 0;
}
