/* link_world.h */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "stream/crc32.h"
#include "stream/crc32c.h"
#include "tests/unit/link_world.h"

struct world the_world;

/* The byte that stands at an offset of a stream, so that any piece can be checked wherever it begins. */
static uint8_t byte_at(unsigned s, uint32_t offset)
{
	return (uint8_t)((offset * 2654435761u + s * 40503u) >> 13);
}

/* ------------------------------------------------------------------ owners */

static void take_message(void *arg, uint8_t type, const uint8_t *body, size_t len)
{
	struct sink *k = arg;
	uint32_t number;

	assert_true(len >= 4);
	memcpy(&number, body, 4);
	assert_true(k->message == UINT32_MAX || number == k->message);
	assert_int_equal(type, (uint8_t)(number * 7));
	for (size_t i = 4; i < len; i++)
		assert_int_equal(body[i], (uint8_t)(number + i));
	k->message = number + 1;
}

static void take(struct world *w, struct sink *k, enum link_stream s, const uint8_t *data, size_t len)
{
	if (s == LINK_CONTROL || s == LINK_INPUT) {
		assert_int_equal(proto_feed(&k->reader, data, len, take_message, k), 0);
	} else {
		for (size_t i = 0; i < len; i++)
			if (data[i] != byte_at(s, k->offset + (uint32_t)i))
				FAIL(w, "stream %d differs at %u", s, k->offset + (uint32_t)i);
	}
	k->offset += (uint32_t)len;
	k->bytes += len;
}

static void skip_lost(struct sink *k, uint32_t lost)
{
	k->offset += lost;
	k->lost += lost;
	k->message = UINT32_MAX;
	k->reader.len = 0;
}

static void vmm_connected(void *arg)
{
	struct world *w = arg;

	dtx_reset(&w->tx, w->now * 1000);
	for (unsigned s = 0; s < LINK_STREAMS; s++)
		memset(&w->from_host[s], 0, sizeof(w->from_host[s]));
	assert_int_equal(w->vmm.inflight, 0);
}

static void vmm_stream(void *arg, enum link_stream s, const uint8_t *data, size_t len)
{
	struct world *w = arg;

	if (s == LINK_SERIAL && w->guest_reads) {
		w->guest_unread += (uint32_t)len;
		assert_in_range(w->guest_unread, 0, GUEST_BUFFER);
	}
	take(w, &w->from_host[s], s, data, len);
}

static uint32_t vmm_room(void *arg)
{
	const struct world *w = arg;

	return w->guest_reads ? GUEST_BUFFER - w->guest_unread : UINT32_MAX;
}

static void read_serial(struct world *w)
{
	if (w->guest_reads == GUEST_DEAF)
		return;
	w->guest_unread -= w->guest_unread < w->guest_reads ? w->guest_unread : w->guest_reads;
	link_more(&w->vmm);
}

static void vmm_jumped(void *arg, enum link_stream s, uint32_t lost)
{
	struct world *w = arg;

	skip_lost(&w->from_host[s], lost);
}

static size_t vmm_build(void *arg, uint8_t *buf, struct dtx_cookie *cookie)
{
	struct world *w = arg;

	while (dtx_work(&w->tx, link_body(&w->vmm), 1 + rng_below(&w->r, 50)) == DTX_WORKING)
		;
	return dtx_take(&w->tx, buf, cookie);
}

static void vmm_answer(void *arg, const struct dtx_cookie *cookie, bool ok)
{
	struct world *w = arg;

	dtx_answer(&w->tx, cookie, ok);
}

static void host_connected(void *arg)
{
	struct world *w = arg;

	w->connected++;
	drx_reset(&w->rx);
	for (unsigned s = 0; s < LINK_STREAMS; s++) {
		w->from_vmm[s].offset = w->host.rx_offset[s];
		w->from_vmm[s].reader.len = 0;
		w->from_vmm[s].message = UINT32_MAX;
	}
}

static void host_disconnected(void *arg, unsigned reason)
{
	struct world *w = arg;

	w->disconnected++;
	w->reason = reason;
}

static void host_stream(void *arg, enum link_stream s, const uint8_t *data, size_t len)
{
	struct world *w = arg;

	take(w, &w->from_vmm[s], s, data, len);
}

static void host_jumped(void *arg, enum link_stream s, uint32_t lost)
{
	struct world *w = arg;

	if (s == LINK_SERIAL)
		FAIL(w, "%u bytes of serial lost, which was never overfilled", lost);
	skip_lost(&w->from_vmm[s], lost);
}

static int host_display(void *arg, const uint8_t *body, size_t len)
{
	struct world *w = arg;
	int err = drx_datagram(&w->rx, body, len);

	if (err && err != -EAGAIN)
		FAIL(w, "datagram refused: %d", err);
	return err;
}

static void host_plain(void *arg, const uint8_t *data, size_t len)
{
	struct world *w = arg;

	for (; len && w->plain_len < sizeof(w->plain) - 1; len--)
		w->plain[w->plain_len++] = (char)*data++;
	w->plain[w->plain_len] = 0;
}

const struct link_ops world_vmm_ops = {
	.connected = vmm_connected,
	.stream = vmm_stream,
	.jumped = vmm_jumped,
	.room = vmm_room,
	.build = vmm_build,
	.answer = vmm_answer,
};
const struct link_ops world_host_ops = {
	.connected = host_connected,
	.disconnected = host_disconnected,
	.stream = host_stream,
	.jumped = host_jumped,
	.display = host_display,
	.plain = host_plain,
};

/* ------------------------------------------------------------------ world */

void world_start_vmm(struct world *w, uint32_t window)
{
	const struct link_ring rings[LINK_STREAMS] = {
		[LINK_CONTROL] = { .buf = w->vmm_ring[0], .size = CONTROL_RING },
		[LINK_LOG] = { .buf = w->vmm_ring[1], .size = RING, .keep = true },
		[LINK_SERIAL] = { .buf = w->vmm_ring[2], .size = RING },
	};

	link_init(&w->vmm, LINK_VMM, &world_vmm_ops, w, rings, 0, window);
}

void world_start_host(struct world *w, uint32_t window)
{
	const struct link_ring rings[LINK_STREAMS] = {
		[LINK_CONTROL] = { .buf = w->host_ring[0], .size = CONTROL_RING },
		[LINK_SERIAL] = { .buf = w->host_ring[1], .size = RING },
		[LINK_INPUT] = { .buf = w->host_ring[2], .size = RING + 3 }, /* rounded down */
	};

	link_init(&w->host, LINK_HOST, &world_host_ops, w, rings, ++w->nonce, window);
	w->host_message = w->host_input = 0;
	assert_int_equal(w->host.ring[LINK_INPUT].size, RING);
}

void world_setup(struct world *w, uint64_t seed, unsigned width, unsigned height)
{
	struct wire down = w->down, up = w->up;
	uint32_t *fb = w->fb;
	void *room = w->room;

	memset(w, 0, sizeof(*w));
	w->down.bytes = down.bytes ? down.bytes : malloc(LINE);
	w->up.bytes = up.bytes ? up.bytes : malloc(LINE);
	w->fb = fb ? fb : malloc(WIDTH * HEIGHT * 4);
	w->room = room ? room : malloc(dtx_room(WIDTH, HEIGHT));
	w->seed = seed;
	w->r = rng_seed(seed);
	w->rate = w->reader = 5000;
	w->tx.fast = seed % 8; /* the dense mode takes long with sanitizers */
	w->rx.alloc = malloc;
	w->rx.free = free;
	w->width = (uint16_t)width;
	w->height = (uint16_t)height;
	memset(w->fb, 0, width * height * 4);
	struct scanout so = { .base = (uint8_t *)w->fb, .stride = width * 4, .width = w->width, .height = w->height, .bpp = 32 };

	assert_int_equal(dtx_mode(&w->tx, 0, &so, w->room, dtx_room(WIDTH, HEIGHT)), 0);
}

void world_teardown(struct world *w)
{
	drx_reset(&w->rx);
}

static void put(struct world *w, struct wire *l, uint8_t byte)
{
	if (l->head - l->tail == LINE)
		FAIL(w, "the line overflows");
	l->bytes[l->head++ % LINE] = byte;
}

/* A byte goes onto the line, as the line's faults have it. */
static void transmit(struct world *w, struct wire *l, uint8_t byte)
{
	const struct faults *f = &w->faults;

	if (f->cut || (f->drop && rng_once_in(&w->r, f->drop)))
		return;
	if (f->flip && rng_once_in(&w->r, f->flip))
		byte ^= (uint8_t)(1 << rng_below(&w->r, 8));
	put(w, l, byte);
	if (f->twice && rng_once_in(&w->r, f->twice))
		put(w, l, byte);
	if (f->burst && rng_once_in(&w->r, f->burst))
		for (unsigned n = rng_below(&w->r, 100); n--;)
			put(w, l, (uint8_t)rng_next(&w->r));
}

void world_check_link(struct world *w, const struct link *l)
{
	uint32_t bytes = 0;

	for (unsigned s = 0; s < LINK_STREAMS; s++) {
		const struct link_ring *r = &l->ring[s];
		uint32_t used = r->head - r->tail;

		if (used > r->size || r->settled - r->tail > used || r->next - r->tail > used ||
		    r->settled - r->tail > r->next - r->tail)
			FAIL(w, "ring %u: tail %u settled %u next %u head %u", s, r->tail, r->settled, r->next, r->head);
	}
	if (l->inflight > LINK_INFLIGHT)
		FAIL(w, "%u frames in flight", l->inflight);
	for (unsigned i = 0; i < l->inflight; i++)
		bytes += l->fl[(l->inflight_first + i) % LINK_INFLIGHT].line_bytes;
	if (bytes != l->inflight_bytes || (l->inflight > 1 && bytes > l->window))
		FAIL(w, "%u bytes in flight, %u counted, window %u", bytes, l->inflight_bytes, l->window);
}

void world_pull(struct world *w, struct link *l, struct wire *wire)
{
	uint8_t buf[256];
	unsigned left = w->rate;

	while (left) {
		size_t cap = 1 + rng_below(&w->r, left < sizeof(buf) ? left : sizeof(buf));
		size_t n = link_tx(l, buf, cap, w->now);

		if (n > cap)
			FAIL(w, "%zu bytes where %zu fit", n, cap);
		for (size_t i = 0; i < n; i++)
			transmit(w, wire, buf[i]);
		left -= (unsigned)n;
		/* It said that nothing is to be sent, so nothing may be due before time goes on. */
		if (n < cap) {
			if (link_deadline(l, w->now) <= w->now)
				FAIL(w, "nothing to send but a deadline that is past");
			break;
		}
	}
}

void world_deliver(struct world *w, struct link *l, struct wire *wire, unsigned max)
{
	while (max && wire->tail != wire->head) {
		uint32_t n = 1 + rng_below(&w->r, 200), at = wire->tail % LINE;

		n = n < max ? n : max;
		n = n < wire->head - wire->tail ? n : wire->head - wire->tail;
		n = n < LINE - at ? n : LINE - at;
		link_rx(l, wire->bytes + at, n, w->now);
		wire->tail += n;
		max -= n;
	}
}

void world_step(struct world *w)
{
	w->now += STEP_US;
	world_deliver(w, &w->vmm, &w->up, UINT32_MAX);
	read_serial(w);
	world_deliver(w, &w->host, &w->down, w->reader);
	world_pull(w, &w->vmm, &w->down);
	world_pull(w, &w->host, &w->up);
	if (w->faults.cut)
		w->faults.cut--;
	world_check_link(w, &w->vmm);
	world_check_link(w, &w->host);
}

void world_write_bytes(struct world *w, struct link *l, enum link_stream s, size_t n)
{
	uint8_t buf[8192];

	(void)w;
	assert_true(n <= sizeof(buf));
	for (size_t i = 0; i < n; i++)
		buf[i] = byte_at(s, l->ring[s].head + (uint32_t)i);
	link_write(l, s, buf, n);
}

void world_write_message(struct link *l, enum link_stream s, uint32_t *number, size_t len)
{
	uint8_t body[2048], msg[2100];

	for (size_t i = 4; i < len; i++)
		body[i] = (uint8_t)(*number + i);
	memcpy(body, number, 4);
	link_write(l, s, msg, proto_make(msg, sizeof(msg), (uint8_t)(*number * 7), body, len));
	++*number;
}

void world_paint(struct world *w)
{
	uint32_t count = (uint32_t)w->width * w->height, at = rng_below(&w->r, count);
	uint32_t n = 1 + rng_below(&w->r, rng_once_in(&w->r, 10) ? count : 100), colours = 1 + rng_below(&w->r, 40);

	n = n < count - at ? n : count - at;
	for (uint32_t i = 0; i < n; i++)
		w->fb[at + i] = rng_below(&w->r, colours) * 0x050301;
	dtx_damage(&w->tx, 0, (uint64_t)at * 4, (uint64_t)n * 4);
}

static bool settled(struct world *w)
{
	return w->vmm.up && w->host.up && link_drained(&w->vmm) && link_drained(&w->host) && dtx_idle(&w->tx, true);
}

uint64_t world_settle(struct world *w, uint64_t most_us)
{
	uint64_t begin = w->now;

	while (!settled(w)) {
		world_step(w);
		if (w->now - begin > most_us)
			FAIL(w, "not settled after %llu us: up %d %d, in flight %u %u", (unsigned long long)most_us, w->vmm.up,
			     w->host.up, w->vmm.inflight, w->host.inflight);
	}
	return w->now - begin;
}

void world_check_picture(struct world *w)
{
	uint32_t crc = crc32_ieee(0, w->fb, (size_t)w->width * w->height * 4);

	assert_int_equal(w->rx.head[0].width, w->width);
	assert_int_equal(w->rx.head[0].height, w->height);
	if (drx_crc(&w->rx, 0) != crc)
		FAIL(w, "the picture differs");
}

void world_check_streams(struct world *w)
{
	for (unsigned s = 0; s < LINK_STREAMS; s++) {
		if (w->from_vmm[s].offset != w->vmm.ring[s].head)
			FAIL(w, "stream %u: %u of %u", s, w->from_vmm[s].offset, w->vmm.ring[s].head);
		if (w->from_host[s].offset != w->host.ring[s].head)
			FAIL(w, "stream %u up: %u of %u", s, w->from_host[s].offset, w->host.ring[s].head);
	}
}

void world_connect(struct world *w, unsigned width, unsigned height)
{
	world_setup(w, 1, width, height);
	world_start_vmm(w, 10000);
	world_start_host(w, 40000);
	world_settle(w, 10000000);
	for (int i = 0; i < 10; i++)
		world_step(w);
}

void world_forge(struct link *l, const uint8_t *raw, size_t len, uint64_t now)
{
	uint8_t frame[LINK_FRAME_MAX], line[LINK_LINE_MAX];
	uint32_t crc = crc32c(0, raw, len);

	memcpy(frame, raw, len);
	memcpy(frame + len, &crc, 4);
	line[0] = 0;
	size_t n = 1 + cobs_encode(frame, len + 4, line + 1);

	line[n++] = 0;
	link_rx(l, line, n, now);
}

int world_free(void **state)
{
	struct world *w = &the_world;

	(void)state;
	free(w->down.bytes);
	free(w->up.bytes);
	free(w->fb);
	free(w->room);
	memset(w, 0, sizeof(*w));
	return 0;
}
