/* The display channel: what the far end shows is what the guest painted, whatever is written, lost, moved or resized. */
/* links: stream/display_tx.c stream/display_build.c stream/display_pick.c stream/display_rx.c CODEC stream/crc32.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "stream/crc32.h"
#include "stream/display.h"
#include "tests/unit/random.h"

#define HEADS 3
#define SIDE 200				    /* of the largest picture here */
#define MEMORY ((SIDE + 20) * 4 * (SIDE + 40) + 64) /* a head's memory: padded rows, and more rows than are shown */
#define QUEUE 24

struct flight {
	uint8_t body[1024];
	size_t len;
	struct dtx_cookie cookie;
};

struct world {
	struct rng r;
	uint64_t seed;
	struct display_tx tx;
	struct display_rx rx;
	uint8_t *memory[HEADS];
	void *room[HEADS];
	struct flight queue[QUEUE];
	unsigned first, count;
	uint32_t loss; /* one datagram in so many is lost; 0: none */
};

static void setup(struct world *w, uint64_t seed)
{
	memset(w, 0, sizeof(*w));
	w->seed = seed;
	w->r = rng_seed(seed);
	w->rx.alloc = malloc;
	w->rx.free = free;
	for (int i = 0; i < HEADS; i++)
		w->memory[i] = calloc(1, MEMORY);
}

static void teardown(struct world *w)
{
	drx_reset(&w->rx);
	for (int i = 0; i < HEADS; i++) {
		free(w->memory[i]);
		free(w->room[i]);
	}
}

/* Sets a head's mode with memory that fits exactly. */
static int set_mode(struct world *w, unsigned head, unsigned width, unsigned height, uint32_t offset, uint32_t stride)
{
	size_t bytes = width && height ? dtx_room(width, height) : 0;
	struct scanout so = {
		.base = w->memory[head] + offset, .stride = stride, .width = (uint16_t)width, .height = (uint16_t)height, .bpp = 32
	};
	void *room = malloc(bytes + !bytes);
	int err = dtx_mode(&w->tx, head, &so, room, bytes);

	free(w->room[head]);
	w->room[head] = room;
	return err;
}

static void build(struct world *w)
{
	struct flight *f = &w->queue[(w->first + w->count) % QUEUE];
	size_t cap = DTX_CAP_MIN + rng_below(&w->r, (uint32_t)(sizeof(f->body) - DTX_CAP_MIN + 1));
	unsigned slices = rng_below(&w->r, 200);
	uint64_t before = w->tx.slices;

	if (w->count == QUEUE)
		return;
	dtx_work(&w->tx, cap, slices);
	if (w->tx.slices - before > slices)
		fail_msg("seed %llu: work went past its bounds", (unsigned long long)w->seed);
	if (rng_once_in(&w->r, 3))
		return; /* the line is busy */
	f->len = dtx_take(&w->tx, f->body, &f->cookie);
	if (f->len > DISPLAY_BODY_MAX)
		fail_msg("seed %llu: a datagram of %zu bytes", (unsigned long long)w->seed, f->len);
	w->count += f->len != 0;
}

/* The oldest datagram arrives or is lost, and is answered for. */
static void arrive(struct world *w)
{
	struct flight *f = &w->queue[w->first];
	bool ok = !w->loss || !rng_once_in(&w->r, w->loss);

	if (!w->count)
		return;
	if (ok)
		ok = !drx_datagram(&w->rx, f->body, f->len);
	dtx_answer(&w->tx, &f->cookie, ok);
	w->first = (w->first + 1) % QUEUE;
	w->count--;
}

static void run_until_idle(struct world *w)
{
	for (int i = 0; !dtx_idle(&w->tx, true); i++) {
		if (i > 200000)
			fail_msg("seed %llu: never idle", (unsigned long long)w->seed);
		build(w);
		if (rng_once_in(&w->r, 2) || w->count == QUEUE)
			arrive(w);
	}
	assert_int_equal(w->count, 0);
}

/* The oracle: every head's canvas is what its scanout shows. */
static void check_pictures(struct world *w)
{
	for (unsigned i = 0; i < HEADS; i++) {
		const struct scanout *so = &w->tx.head[i].so;
		const struct canvas *c = &w->rx.head[i];
		uint32_t crc = 0;

		assert_int_equal(c->width, so->width);
		assert_int_equal(c->height, so->height);
		for (unsigned y = 0; y < so->height; y++)
			for (unsigned x = 0; x < so->width; x++) {
				uint8_t px[4];

				memcpy(px, (const uint8_t *)so->base + y * so->stride + x * 4, 4);
				px[3] = 0;
				crc = crc32_ieee(crc, px, 4);
			}
		if (drx_crc(&w->rx, i) != crc)
			fail_msg("seed %llu: head %u differs", (unsigned long long)w->seed, i);
	}
}

static void random_mode(struct world *w)
{
	unsigned head = rng_below(&w->r, HEADS), width = 1 + rng_below(&w->r, SIDE), height = 1 + rng_below(&w->r, SIDE);

	if (rng_once_in(&w->r, 6)) {
		assert_int_equal(set_mode(w, head, 0, rng_below(&w->r, 2) * 20, 0, 0), 0);
		return;
	}
	if (rng_once_in(&w->r, 4) && w->tx.head[head].so.width) {
		width = w->tx.head[head].so.width;
		height = w->tx.head[head].so.height;
	}
	assert_int_equal(set_mode(w, head, width, height, rng_below(&w->r, 64), width * 4 + rng_below(&w->r, 80)), 0);
}

static void random_write(struct world *w)
{
	unsigned head = rng_below(&w->r, HEADS);
	const struct scanout *so = &w->tx.head[head].so;
	uint32_t at = rng_below(&w->r, MEMORY), len = 1 + rng_below(&w->r, rng_once_in(&w->r, 3) ? 5000 : 8);

	len = len < MEMORY - at ? len : MEMORY - at;
	if (rng_once_in(&w->r, 2))
		memset(w->memory[head] + at, (int)rng_below(&w->r, 4) * 60, len);
	else
		rng_fill(&w->r, w->memory[head] + at, len);
	if (!so->width)
		return;
	/* Damage counts from the scanout's base; what lies before it is of no interest. */
	uint32_t base = (uint32_t)(so->base - w->memory[head]), from = at > base ? at : base;

	if (at + len > from)
		dtx_damage(&w->tx, head, from - base, at + len - from);
}

static void random_pan(struct world *w)
{
	unsigned head = rng_below(&w->r, HEADS);
	const struct scanout *so = &w->tx.head[head].so;

	struct scanout to = *so;

	if (!so->width) {
		to.base = w->memory[head];
		assert_int_equal(dtx_pan(&w->tx, head, &to), -EINVAL);
		return;
	}
	to.base = w->memory[head] + rng_below(&w->r, 40) * so->stride;
	assert_int_equal(dtx_pan(&w->tx, head, &to), 0);
}

static void test_random(void **state)
{
	static struct world w;

	(void)state;
	for (uint64_t seed = 1; seed <= 60; seed++) {
		setup(&w, seed);
		w.tx.fast = seed % 4; /* the dense mode takes long with sanitizers */
		w.loss = rng_below(&w.r, 3) ? 2 + rng_below(&w.r, 20) : 0;
		for (int round = 0; round < 3; round++) {
			unsigned steps = rng_below(&w.r, 300);

			while (steps--) {
				uint32_t what = rng_below(&w.r, 200);

				if (what < 3)
					random_mode(&w);
				else if (what < 5)
					random_pan(&w);
				else if (what == 5)
					dtx_reset(&w.tx, 0);
				else if (what < 8)
					w.tx.head[rng_below(&w.r, HEADS)].fast ^= !rng_once_in(&w.r, 3);
				else if (what < 80)
					random_write(&w);
				else if (what < 150)
					build(&w);
				else
					arrive(&w);
			}
			run_until_idle(&w);
			check_pictures(&w);
		}
		teardown(&w);
	}
}

static void expect_small(void *arg, unsigned head, bool resized, unsigned x0, unsigned y0, unsigned x1, unsigned y1)
{
	(void)arg;
	(void)head;
	assert_false(resized);
	assert_false(x0 == 0 && y0 == 0 && x1 == SIDE && y1 == SIDE);
}

/* The codec's mode changes under way: nothing is drawn twice, the picture is never black, and stays exact. */
static void test_mode_changes(void **state)
{
	static struct world w;
	uint64_t begins;

	(void)state;
	for (uint64_t seed = 1; seed <= 4; seed++) {
		setup(&w, seed);
		assert_int_equal(set_mode(&w, 1, SIDE, SIDE, 0, SIDE * 4), 0);
		rng_fill(&w.r, w.memory[1], SIDE * 4 * 50); /* noise above, and below */
		for (unsigned i = 60; i < 200; i++)
			memset(w.memory[1] + i * SIDE * 4, (int)(i * i), SIDE * 2);
		run_until_idle(&w);
		check_pictures(&w);
		w.loss = seed & 1 ? 5 : 0;
		w.rx.changed = expect_small;
		begins = w.tx.begins;
		for (unsigned change = 1; change <= 6; change++) {
			uint32_t at = SIDE * 4 * (20 + rng_below(&w.r, 100));

			/* While a round is under way. */
			memset(w.memory[1] + at, (int)change * 40, SIDE * 4 * 20);
			dtx_damage(&w.tx, 1, at, SIDE * 4 * 20);
			for (unsigned n = rng_below(&w.r, 60); n--;) {
				build(&w);
				arrive(&w);
			}
			w.tx.head[1].fast ^= true;
			w.memory[1][at] ^= 0xff;
			dtx_damage(&w.tx, 1, at, 1);
			run_until_idle(&w);
			check_pictures(&w);
			assert_int_equal(w.tx.changes, change);
			assert_int_equal(w.tx.begins - begins, change);
			assert_int_equal(dtx_fast(&w.tx), (change & 1) << 1);
		}
		w.rx.changed = NULL;
		teardown(&w);
	}
}

/* dtx_damage marks exactly the tiles that show a written byte: against a byte by byte oracle. */
static void test_damage_exact(void **state)
{
	static struct world w;

	(void)state;
	for (uint64_t seed = 1; seed <= 500; seed++) {
		setup(&w, seed);
		unsigned width = 1 + rng_below(&w.r, 100), height = 1 + rng_below(&w.r, 70), cols = (width + 15) / 16;
		uint32_t stride = width * 4 + (rng_once_in(&w.r, 2) ? rng_below(&w.r, 70) : 0), size = stride * (height + 2);
		uint64_t at = rng_below(&w.r, size), len = rng_below(&w.r, rng_once_in(&w.r, 2) ? size : 200);
		uint8_t want[8 * 8] = { 0 };
		bool any = false;

		assert_int_equal(set_mode(&w, 0, width, height, 0, stride), 0);
		run_until_idle(&w);
		if (rng_once_in(&w.r, 20))
			len = UINT64_MAX - rng_below(&w.r, 3) * at;
		dtx_damage(&w.tx, 0, at, len);
		for (uint64_t b = at; b < size && b - at < len; b++)
			if (b / stride < height && b % stride < width * 4)
				want[b / stride / 16 * cols + b % stride / 64] = 1;
		for (unsigned t = 0; t < cols * ((height + 15) / 16); t++) {
			if (!!(w.tx.head[0].flags[t] & DTX_NEW) != want[t])
				fail_msg("seed %llu: tile %u", (unsigned long long)seed, t);
			any |= want[t];
		}
		assert_int_equal(!!w.tx.head[0].fresh, any);
		teardown(&w);
	}
}

/* What a picture's bytes mean, worked out the slow way from the formats' definitions. */
static uint32_t pixel(const uint8_t *p, unsigned bpp, const uint32_t *palette)
{
	unsigned v = p[0] | (bpp > 8 ? p[1] << 8 : 0);
	double r, g, b;

	if (bpp >= 24)
		return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16;
	if (bpp == 8)
		return palette[v];
	r = (bpp == 16 ? v >> 11 & 31 : v >> 10 & 31) / 31.0;
	g = bpp == 16 ? (v >> 5 & 63) / 63.0 : (v >> 5 & 31) / 31.0;
	b = (v & 31) / 31.0;
	return (uint32_t)(r * 255 + 0.5) << 16 | (uint32_t)(g * 255 + 0.5) << 8 | (uint32_t)(b * 255 + 0.5);
}

/* Bit replication is within one of exact scaling. */
static bool close_to(uint32_t a, uint32_t b)
{
	for (unsigned i = 0; i < 24; i += 8)
		if (abs((int)(a >> i & 255) - (int)(b >> i & 255)) > 1)
			return false;
	return true;
}

static void test_formats(void **state)
{
	static const unsigned depths[] = { 8, 15, 16, 24, 32 };
	static uint32_t palette[256];
	static struct world w;
	enum { W = 37, H = 21 };

	(void)state;
	for (unsigned i = 0; i < 256; i++)
		palette[i] = (i * 0x010203u + 7) & 0xffffff;
	setup(&w, 40);
	w.room[0] = malloc(dtx_room(W, H));
	for (unsigned k = 0; k < 10; k++) {
		unsigned bpp = depths[k % 5], bytes = scanout_bytes(bpp), stride = W * bytes + 5;
		struct scanout so = { .base = w.memory[0] + 3, .palette = palette, .stride = stride, .width = W, .height = H, .bpp = (uint8_t)bpp };

		rng_fill(&w.r, w.memory[0], stride * H + 3);
		if (!k)
			assert_int_equal(dtx_mode(&w.tx, 0, &so, w.room[0], dtx_room(W, H)), 0);
		else
			assert_int_equal(dtx_pan(&w.tx, 0, &so), 0);
		for (unsigned round = 0; round < 50; round++) {
			unsigned at = rng_below(&w.r, stride * H);

			run_until_idle(&w);
			for (unsigned y = 0; y < H; y++)
				for (unsigned x = 0; x < W; x++) {
					uint32_t want = pixel(w.memory[0] + 3 + y * stride + x * bytes, bpp, palette), is = w.rx.head[0].px[y * W + x];

					if (bpp == 15 || bpp == 16 ? !close_to(is, want) : is != want)
						fail_msg("%u bpp, %u,%u: %06x, not %06x", bpp, x, y, is, want);
				}
			w.memory[0][3 + at] ^= 0xff;
			dtx_damage(&w.tx, 0, at, 1);
		}
	}
	/* The size stayed, so nothing that was learnt was forgotten. */
	assert_int_equal(w.tx.begins, 1);
	teardown(&w);
}

/* Getting ready for a beginning is bounded work for each slice, however large the picture. */
static void test_beginning_is_bounded(void **state)
{
	enum { W = 1024, H = 768, MOST = 256 * 1024 };
	static struct display_tx tx;
	static uint32_t picture[W * H];
	const struct scanout so = { .base = (uint8_t *)picture, .stride = W * 4, .width = W, .height = H, .bpp = 32 };
	size_t bytes = dtx_room(W, H);
	uint8_t *room = malloc(bytes), *was = malloc(bytes);
	unsigned slices = 0;

	(void)state;
	memset(room, 0x5a, bytes);
	assert_int_equal(dtx_mode(&tx, 0, &so, room, bytes), 0);
	while (!tx.begins) {
		size_t changed = 0;

		memcpy(was, room, bytes);
		assert_int_equal(dtx_work(&tx, DISPLAY_BODY_MAX, 1), DTX_WORKING);
		for (size_t i = 0; i < bytes; i++)
			changed += room[i] != was[i];
		assert_true(changed <= MOST);
		slices++;
	}
	assert_true(slices > W * H * 4 / MOST);
	free(room);
	free(was);
}

static size_t work_and_take(struct display_tx *tx, uint8_t *body, struct dtx_cookie *cookie)
{
	while (dtx_work(tx, DISPLAY_BODY_MAX, 100) == DTX_WORKING)
		;
	return dtx_take(tx, body, cookie);
}

static void test_bad_modes(void **state)
{
	static uint8_t memory[64 * 64 * 4];
	static struct display_tx tx;
	const struct scanout good = { .base = memory, .stride = 256, .width = 64, .height = 64, .bpp = 32 };
	struct scanout so = good;
	size_t room_bytes = dtx_room(64, 64);
	void *room = malloc(room_bytes);

	(void)state;
	assert_int_equal(dtx_mode(&tx, DISPLAY_HEADS, &so, room, room_bytes), -EINVAL);
	assert_int_equal(dtx_mode(&tx, 0, &so, room, room_bytes - 1), -ENOMEM);
	assert_int_equal(dtx_mode(&tx, 0, &so, NULL, room_bytes), -ENOMEM);
	so.stride = 255;
	assert_int_equal(dtx_mode(&tx, 0, &so, room, room_bytes), -EINVAL);
	so = good;
	so.bpp = 4;
	assert_int_equal(dtx_mode(&tx, 0, &so, room, room_bytes), -EINVAL);
	so.bpp = 24;
	so.stride = 64 * 3 - 1;
	assert_int_equal(dtx_mode(&tx, 0, &so, room, room_bytes), -EINVAL);
	so = good;
	so.bpp = 8; /* without a palette */
	assert_int_equal(dtx_mode(&tx, 0, &so, room, room_bytes), -EINVAL);
	so = good;
	so.base = NULL;
	assert_int_equal(dtx_mode(&tx, 0, &so, room, room_bytes), -EINVAL);
	so = good;
	so.width = DISPLAY_MAX_SIDE + 1;
	so.stride = 1u << 31;
	assert_int_equal(dtx_mode(&tx, 0, &so, room, SIZE_MAX), -EINVAL);
	so.width = so.height = DISPLAY_MAX_SIDE;
	assert_int_equal(dtx_mode(&tx, 0, &so, room, SIZE_MAX), -EINVAL);
	dtx_reset(&tx, 0);
	assert_true(dtx_idle(&tx, true)); /* it never was on, so there is nothing to tell */

	/* An error turns a head off that was on, and the far end is told, however often that is lost. */
	struct dtx_cookie cookie;
	uint8_t body[DISPLAY_BODY_MAX];

	assert_int_equal(dtx_mode(&tx, 0, &good, room, room_bytes), 0);
	assert_int_equal(work_and_take(&tx, body, &cookie), 7); /* black: a beginning says it all */
	assert_memory_equal(body + 1, "\x10\x40\0\x40\0\0", 6);
	assert_int_equal(dtx_mode(&tx, 0, &so, room, room_bytes), -EINVAL);
	for (unsigned i = 0; i < 3 * DTX_TRIES; i++) {
		assert_int_equal(work_and_take(&tx, body, &cookie), 6);
		assert_memory_equal(body + 1, "\x10\0\0\0\0", 5);
		dtx_answer(&tx, &cookie, false);
		assert_false(dtx_idle(&tx, false));
	}
	assert_int_equal(work_and_take(&tx, body, &cookie), 6);
	assert_false(dtx_idle(&tx, true));
	assert_true(dtx_idle(&tx, false));
	dtx_answer(&tx, &cookie, true);
	dtx_answer(&tx, &cookie, false); /* it was answered for */
	assert_true(dtx_idle(&tx, true));
	free(room);
}

/* A head that is written all the time, with what it shows already, does not keep another from its turn. */
static void test_heads_take_turns(void **state)
{
	static struct world w;

	(void)state;
	setup(&w, 1);
	for (unsigned i = 0; i < HEADS; i++)
		assert_int_equal(set_mode(&w, i, SIDE, SIDE, 0, SIDE * 4), 0);
	run_until_idle(&w);
	memset(w.memory[2], 0x55, SIDE * 4);
	dtx_damage(&w.tx, 2, 0, SIDE * 4);
	for (int i = 0; i < 10; i++) {
		dtx_damage(&w.tx, 0, 0, SIDE * SIDE * 4);
		dtx_damage(&w.tx, 1, 0, SIDE * SIDE * 4);
		dtx_work(&w.tx, sizeof(w.queue[0].body), 600);
		w.queue[0].len = dtx_take(&w.tx, w.queue[0].body, &w.queue[0].cookie);
		if (w.queue[0].len)
			break;
	}
	assert_int_equal(w.queue[0].body[1] & 15, 2);
	assert_int_equal(drx_datagram(&w.rx, w.queue[0].body, w.queue[0].len), 0);
	assert_int_equal(w.rx.head[2].px[SIDE - 1], 0x555555);
	teardown(&w);
}

/* Two pages of picture, one row of pixels in each. The second is out of reach until it is read for the first time. */
static struct {
	uint8_t *pages;
	volatile unsigned faults;
} trap;

/* The guest writes to the first row while the sender reads the second. */
static void write_first_row(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	if ((uint8_t *)info->si_addr < trap.pages + 4096 || (uint8_t *)info->si_addr >= trap.pages + 8192)
		abort();
	mprotect(trap.pages + 4096, 4096, PROT_READ | PROT_WRITE);
	trap.pages[0] = 0x77;
	trap.faults++;
}

/* What is kept as sent must be what was coded, not what memory holds a moment later: else that write is never shown. */
static void test_written_while_read(void **state)
{
	static struct world w;
	struct sigaction act = { .sa_sigaction = write_first_row, .sa_flags = SA_SIGINFO }, before;
	uint8_t *own;

	(void)state;
	setup(&w, 1);
	own = w.memory[0];
	trap.pages = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(trap.pages != MAP_FAILED);
	w.memory[0] = trap.pages;
	assert_int_equal(sigaction(SIGSEGV, &act, &before), 0);
	assert_int_equal(set_mode(&w, 0, 16, 2, 0, 4096), 0);
	assert_int_equal(mprotect(trap.pages + 4096, 4096, PROT_NONE), 0);
	run_until_idle(&w);
	assert_int_equal(trap.faults, 1);
	dtx_damage(&w.tx, 0, 0, 1);
	run_until_idle(&w);
	check_pictures(&w);
	assert_int_equal(w.rx.head[0].px[0], 0x77);
	sigaction(SIGSEGV, &before, NULL);
	munmap(trap.pages, 8192);
	w.memory[0] = own;
	teardown(&w);
}

/* The fourth byte of a pixel is not shown; a write to it, or of what stands there already, costs nothing. */
static void test_nothing_to_show(void **state)
{
	static struct world w;

	(void)state;
	setup(&w, 1);
	assert_int_equal(set_mode(&w, 0, 40, 40, 0, 160), 0);
	run_until_idle(&w);
	uint64_t datagrams = w.tx.datagrams;

	w.memory[0][7] = 0xaa;
	w.memory[0][2000] = 0;
	dtx_damage(&w.tx, 0, 7, 1);
	dtx_damage(&w.tx, 0, 160 * 20, 160);
	run_until_idle(&w);
	assert_int_equal(w.tx.datagrams, datagrams);
	check_pictures(&w);
	teardown(&w);
}

struct change {
	unsigned count, head, x0, y0, x1, y1;
	bool resized;
};

static void changed(void *arg, unsigned head, bool resized, unsigned x0, unsigned y0, unsigned x1, unsigned y1)
{
	struct change *c = arg;

	*c = (struct change){ c->count + 1, head, x0, y0, x1, y1, resized };
}

/* A sender's datagrams of a picture that changes a little each time. */
static size_t changed_datagram(struct world *w, uint32_t at, uint8_t *body)
{
	struct dtx_cookie cookie;

	w->memory[2][at] ^= 0x5a;
	dtx_damage(&w->tx, 2, at, 1);
	size_t n = work_and_take(&w->tx, body, &cookie);

	dtx_answer(&w->tx, &cookie, true);
	return n;
}

static void test_receiver(void **state)
{
	static struct world w;
	struct change c = { 0 };
	uint8_t body[DTX_PACKETS][DISPLAY_BODY_MAX];
	size_t len[DTX_PACKETS];
	/* 40x20 on head 2 */
	static const uint8_t mode[] = { 200, 0x12, 40, 0, 20, 0, 0 }, keep[] = { 201, 0x12, 40, 0, 20, 0, 2 };
	static const uint8_t keep_other[] = { 202, 0x12, 41, 0, 20, 0, 2 }, what[] = { 201, 0x12, 40, 0, 20, 0, 4 };
	static const uint8_t big[] = { 1, 0x12, 1, 0x20, 1, 0, 0 }, many[] = { 1, 0x12, 0, 0x20, 0, 0x20, 0 };
	static const uint8_t half[] = { 1, 0x12, 40, 0, 0, 0, 0 }, off_more[] = { 1, 0x12, 0, 0, 0, 0, 0 };
	static const uint8_t off[] = { 99, 0x12, 0, 0, 0, 0 };

	(void)state;
	setup(&w, 1);
	w.rx.changed = changed;
	w.rx.arg = &c;
	assert_int_equal(drx_datagram(&w.rx, keep, sizeof(keep)), -EAGAIN); /* there is nothing to keep */
	assert_int_equal(drx_datagram(&w.rx, mode, sizeof(mode)), 0);
	assert_true(c.count == 1 && c.resized && c.head == 2 && c.x0 == 0 && c.y0 == 0 && c.x1 == 40 && c.y1 == 20);
	assert_int_equal(drx_datagram(&w.rx, mode, sizeof(mode)), 0);
	assert_true(c.count == 2 && !c.resized && c.x1 == 40);
	assert_int_equal(drx_datagram(&w.rx, keep, sizeof(keep)), 0);
	assert_int_equal(c.count, 2);
	assert_int_equal(drx_datagram(&w.rx, keep_other, sizeof(keep_other)), -EBADMSG);
	assert_int_equal(drx_datagram(&w.rx, mode, sizeof(mode)), 0);
	assert_int_equal(drx_datagram(&w.rx, what, sizeof(what)), -EBADMSG);
	assert_int_equal(drx_datagram(&w.rx, half, sizeof(half)), -EBADMSG);
	assert_int_equal(drx_datagram(&w.rx, off_more, sizeof(off_more)), -EBADMSG);
	assert_int_equal(drx_datagram(&w.rx, big, sizeof(big)), -EINVAL);
	assert_int_equal(drx_datagram(&w.rx, many, sizeof(many)), -EINVAL);
	for (size_t n = 0; n < sizeof(mode); n++)
		assert_int_equal(drx_datagram(&w.rx, mode, n), -EBADMSG);
	assert_int_equal(w.rx.head[2].width, 40);
	assert_int_equal(drx_datagram(&w.rx, off, sizeof(off)), 0);
	assert_true(c.resized && c.x1 == 0 && !w.rx.head[2].px);
	assert_int_equal(drx_crc(&w.rx, 2), 0);
	assert_int_equal(drx_crc(&w.rx, DISPLAY_HEADS), 0);

	/* Datagrams in any order come to the same; but what is too far ahead must come again. */
	assert_int_equal(set_mode(&w, 2, 40, 20, 0, 160), 0);
	for (unsigned i = 0; i < DTX_PACKETS; i++)
		len[i] = changed_datagram(&w, i * 64 + i % 3, body[i]);
	assert_int_equal(drx_datagram(&w.rx, body[1], len[1]), -EAGAIN); /* before the beginning */
	assert_int_equal(drx_datagram(&w.rx, body[0], len[0]), 0);
	uint32_t first = drx_crc(&w.rx, 2);

	for (unsigned i = DTX_PACKETS - 1; i > 1; i--) {
		assert_int_equal(drx_datagram(&w.rx, body[i], len[i]), 0);
		assert_int_equal(drx_crc(&w.rx, 2), first);
	}
	assert_int_equal(w.rx.early, DTX_PACKETS - 2);
	body[0][0] = (uint8_t)(body[1][0] + DRX_AHEAD);
	body[0][1] = 2;
	assert_int_equal(drx_datagram(&w.rx, body[0], len[0]), -EAGAIN);
	assert_int_equal(drx_datagram(&w.rx, body[1], len[1]), 0);
	check_pictures(&w);
	/* Once more is no harm. */
	assert_int_equal(drx_datagram(&w.rx, body[5], len[5]), 0);
	check_pictures(&w);

	/* A datagram that is wrong in itself ends it for this head, until it begins anew. */
	len[0] = changed_datagram(&w, 6, body[0]);
	body[0][len[0]] = 0x77;
	body[0][len[0] + 1] = 0x77;
	assert_int_equal(drx_datagram(&w.rx, body[0], len[0] + 2), -EBADMSG);
	len[0] = changed_datagram(&w, 9, body[0]);
	assert_int_equal(drx_datagram(&w.rx, body[0], len[0]), -EAGAIN);
	dtx_reset(&w.tx, 0);
	run_until_idle(&w);
	check_pictures(&w);
	teardown(&w);
}

/* A receiver that refuses for ever gets a new beginning after a while. */
static void test_refused(void **state)
{
	static struct world w;
	uint64_t begins;

	(void)state;
	setup(&w, 1);
	assert_int_equal(set_mode(&w, 1, 60, 50, 0, 240), 0);
	run_until_idle(&w);
	begins = w.tx.begins;
	w.rx.state[1].exact = false;
	memset(w.memory[1], 0x33, 5000);
	dtx_damage(&w.tx, 1, 0, 5000);
	run_until_idle(&w);
	check_pictures(&w);
	assert_int_equal(w.tx.begins - begins, 1);
	teardown(&w);
}

static void *no_memory(size_t n)
{
	(void)n;
	return NULL;
}

static void test_receiver_no_memory(void **state)
{
	struct display_rx rx = { .alloc = no_memory, .free = free };
	static const uint8_t mode[] = { 0, 0x10, 40, 0, 20, 0, 0 };

	(void)state;
	assert_int_equal(drx_datagram(&rx, mode, sizeof(mode)), -ENOMEM);
	assert_int_equal(rx.head[0].width, 0);
	drx_reset(&rx);
}

static void test_receiver_garbage(void **state)
{
	struct display_rx rx = { .alloc = malloc, .free = free };

	(void)state;
	for (uint64_t seed = 0; seed < 20000; seed++) {
		struct rng r = rng_seed(seed);
		size_t len = rng_below(&r, rng_once_in(&r, 3) ? 300 : 30);
		uint8_t *body = malloc(len + !len);
		unsigned head = rng_below(&r, 2);

		rng_fill(&r, body, len);
		if (len > 7 && !rng_once_in(&r, 8)) {
			body[1] = (uint8_t)(head | (rng_once_in(&r, 4) ? DISPLAY_BEGIN : body[1] & 0xc0u));
			body[0] = (uint8_t)(rx.state[head].number + (rng_once_in(&r, 3) ? rng_below(&r, 6) : 0));
			if (body[1] & DISPLAY_BEGIN) {
				body[2] &= 63;
				body[4] &= 63;
				body[3] = body[5] = 0;
				body[6] &= 3;
				len = rng_once_in(&r, 2) ? 7 : len;
			}
		}
		drx_datagram(&rx, body, len);
		free(body);
	}
	print_message("%llu datagrams taken, %llu of them early, %llu refused\n", (unsigned long long)rx.datagrams,
		      (unsigned long long)rx.early, (unsigned long long)rx.refused);
	assert_true(rx.datagrams > 100 && rx.early > 100 && rx.refused > 100);
	drx_reset(&rx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_mode_changes),
		cmocka_unit_test(test_damage_exact),
		cmocka_unit_test(test_formats),
		cmocka_unit_test(test_beginning_is_bounded),
		cmocka_unit_test(test_bad_modes),
		cmocka_unit_test(test_heads_take_turns),
		cmocka_unit_test(test_written_while_read),
		cmocka_unit_test(test_nothing_to_show),
		cmocka_unit_test(test_receiver),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_receiver_no_memory),
		cmocka_unit_test(test_receiver_garbage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
