/*
 * The codec's mode follows the line at run time: over a simulated line whose rate changes, with a CPU whose cost is simulated too,
 * a head goes from the dense mode to the fast one and back, and what the far end shows is exact all the time.
 */
/* links: stream/link.c stream/link_baud.c stream/link_rate.c stream/link_ring.c stream/link_rx.c stream/link_tx.c */
/* links: stream/cobs.c stream/crc32c.c */
/* links: stream/display_tx.c stream/display_build.c stream/display_pick.c stream/display_rx.c CODEC stream/crc32.c */
/* links: stream/proto.c tests/unit/link_world.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "tests/unit/link_world.h"

#define STEPS_PER_SECOND (1000000 / STEP_US)
#define SLOW (11520 / STEPS_PER_SECOND) /* line bytes a step: 115,200 baud */
#define QUICK (150000 / STEPS_PER_SECOND)
/* A line's rate is the best of two spans of two seconds (link_rate.c): one that got slower is believed after four, then comes the
 * mode. */
#define SECONDS 6
#define W 160
#define H 96
#define SHARE 250

/* What a slice costs the CPU in either mode, ns: no more than the slow line's time for what comes of it, far more than the quick
 * one's. */
static const uint64_t slice_ns[2] = { 400000, 8000 };

/* The next of some slides, with a little noise. */
static void next_slide(struct world *w, uint32_t number)
{
	for (uint32_t y = 0; y < H; y++)
		for (uint32_t x = 0; x < W; x++)
			w->fb[y * W + x] = ((x + number * 9) * 0x020301 + y * 0x010203 + (rng_next(&w->r) & 0x070707)) & 0xffffff;
	dtx_damage(&w->tx, 0, 0, (uint64_t)W * H * 4);
}

/* Runs so many seconds with new slides all the time. */
static void run(struct world *w, unsigned rate, unsigned seconds, uint32_t *slide)
{
	w->rate = w->reader = rate;
	for (unsigned i = 0; i < seconds * STEPS_PER_SECOND; i++) {
		uint64_t slices = w->tx.slices;
		unsigned fast = dtx_fast(&w->tx) & 1;

		if (i % 10 == 0)
			next_slide(w, ++*slide);
		world_step(w);
		for (; slices < w->tx.slices; slices++)
			dtx_spent(&w->tx, slice_ns[fast]);
		dtx_choose(&w->tx, link_rate(&w->vmm), SHARE, w->now * 1000);
	}
}

static void settle(struct world *w)
{
	world_settle(w, 60000000);
	world_check_picture(w);
}

static void follow(uint64_t seed, const struct faults *faults)
{
	static const struct {
		unsigned rate;
		bool fast;
	} phases[] = { { SLOW, false }, { QUICK, true }, { SLOW, false }, { QUICK, true } };
	struct world *w = &the_world;
	uint32_t slide = 0;

	world_setup(w, seed, W, H);
	w->tx.fast = false;
	world_start_vmm(w, 10000);
	world_start_host(w, 12000);
	settle(w);
	uint64_t begins = w->rx.begins;

	w->faults = *faults;
	for (unsigned i = 0; i < sizeof(phases) / sizeof(*phases); i++) {
		run(w, phases[i].rate, SECONDS, &slide);
		if ((dtx_fast(&w->tx) & 1) != phases[i].fast)
			FAIL(w, "phase %u: the line takes %u bytes a second, the mode is %s", i, link_rate(&w->vmm),
			     phases[i].fast ? "dense" : "fast");
		settle(w);
	}
	/* Each change is one beginning, with which the picture stays; the far end never had another. */
	assert_int_equal(w->tx.changes, 3);
	assert_int_equal(w->rx.begins - begins, 3);
	assert_true(w->tx.slices > 10000);
	world_teardown(w);
}

static void test_follows_the_line(void **state)
{
	const struct faults none = { 0 };

	(void)state;
	follow(1, &none);
}

/* The same where bytes are lost and turned: what brings the change may be lost, or come before its turn. */
static void test_follows_a_bad_line(void **state)
{
	const struct faults bad = { .flip = 20000, .drop = 30000 };

	(void)state;
	follow(2, &bad);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_follows_the_line),
		cmocka_unit_test(test_follows_a_bad_line),
	};

	return cmocka_run_group_tests(tests, NULL, world_free);
}
