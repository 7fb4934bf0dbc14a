/* The encoder's share of the CPU: never more of a busy guest's time, not much less where there is work, all of an idle one's. */
/* links: stream/pace.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "stream/pace.h"
#include "tests/unit/random.h"

#define MS 1000000ull
#define SECOND (1000 * MS)
#define TICK (16 * MS) /* the VMM asks at least so often */

static const unsigned shares[] = { 1, 5, 25, 50, 90 };

/* An encoder that always has work, in pieces of up to `piece` that it cannot stop within. */
struct encoder {
	struct pace pace;
	struct rng rng;
	uint64_t now, piece, worst;
};

/* Asks, and works as far as it may; the last piece ends when it ends. Returns how long it worked. */
static uint64_t pump(struct encoder *e, bool idle)
{
	uint64_t begin = e->now, allowed = pace_allow(&e->pace, e->now, idle);

	while (e->now - begin < allowed) {
		uint64_t piece = 1 + rng_below(&e->rng, (uint32_t)e->piece);

		e->worst = piece > e->worst ? piece : e->worst;
		e->now += piece;
	}
	pace_use(&e->pace, e->now - begin);
	return e->now - begin;
}

static struct encoder begin(unsigned share, uint64_t piece)
{
	struct encoder e = { .rng = rng_seed(share), .piece = piece, .now = 5 * SECOND };

	pace_init(&e.pace, share, e.now);
	return e;
}

/* A guest that never waits: at no time has it lost more than its share and one piece, and in the long run not much less. */
static void test_busy_guest(void **state)
{
	static const uint64_t pieces[] = { 1000, 100000, 20 * MS }; /* the last as on an emulator */

	(void)state;
	for (unsigned s = 0; s < sizeof(shares) / sizeof(*shares); s++)
		for (unsigned k = 0; k < 3; k++) {
			struct encoder e = begin(shares[s], pieces[k]);
			uint64_t first = e.now, used = 0, next;

			pump(&e, false);
			while (e.now - first < 20 * SECOND) {
				/* Sometimes it is asked when a timer fires, sometimes before. */
				next = pace_next(&e.pace, e.now);
				assert_true(next >= e.now);
				if (next - e.now > TICK || rng_once_in(&e.rng, 3))
					next = e.now + 1 + rng_below(&e.rng, TICK);
				e.now = next;
				used += pump(&e, false);
				assert_true(used * 100 <= (e.now - first) * shares[s] + 100 * (e.worst + PACE_SLICE_NS));
			}
			assert_true(e.pace.used_busy == used && e.pace.used == used);
			/* Short pieces may have to wait for whoever asks; after long ones the debt is paid off, and no more. */
			if (pieces[k] > 10 * MS && shares[s] <= 25)
				assert_true(used * 100 >= (e.now - first) * shares[s] * 80 / 100);
			assert_in_range(pace_taken(&e.pace), used * 1000 / (e.now - first) - 1, used * 1000 / (e.now - first) + 1);
		}
}

/* Whoever comes just when he was told to gets time, and none before; and the share is used up then. */
static void test_next(void **state)
{
	(void)state;
	for (unsigned s = 0; s < sizeof(shares) / sizeof(*shares); s++) {
		struct encoder e = begin(shares[s], 50000);
		uint64_t first = e.now;

		pump(&e, false);
		while (e.now - first < 5 * SECOND) {
			uint64_t next = pace_next(&e.pace, e.now);
			struct pace early = e.pace;

			assert_true(next > e.now);
			assert_int_equal(pace_allow(&early, next - 1, false), 0);
			e.now = next;
			assert_true(pump(&e, false) >= PACE_SLICE_NS);
		}
		assert_true(e.pace.used * 100 >= (e.now - first) * shares[s] * 98 / 100);
	}
}

/* An idle guest loses nothing, so all of its time may be had, whatever is owed to a busy one. */
static void test_idle_guest(void **state)
{
	struct encoder e = begin(25, 100000);
	uint64_t first = e.now;

	(void)state;
	e.pace.idle = false;
	pace_use(&e.pace, SECOND); /* a long debt */
	e.pace.used = 0;
	while (e.now - first < SECOND) {
		assert_true(pump(&e, true) >= PACE_IDLE_SLICE_NS);
		assert_int_equal(pace_next(&e.pace, e.now), e.now);
	}
	assert_int_equal(e.pace.used, e.now - first);
	assert_int_equal(e.pace.used_busy, SECOND);
	assert_int_equal(pace_allow(&e.pace, e.now, false), 0); /* and the debt stands */
}

/* Idle time earns nothing for busy times: a guest that works in bursts keeps its share of each. */
static void test_bursts(void **state)
{
	(void)state;
	for (unsigned s = 0; s < sizeof(shares) / sizeof(*shares); s++) {
		struct encoder e = begin(shares[s], 20000);
		uint64_t busy = 0, used = 0;

		for (unsigned i = 0; i < 2000; i++) {
			uint64_t wakes = e.now + 9 * MS, sleeps;

			while (e.now < wakes)
				pump(&e, true);
			sleeps = e.now + MS;
			busy -= e.now;
			while (e.now < sleeps) {
				used += pump(&e, false);
				e.now += 100000;
			}
			busy += e.now;
		}
		assert_true(used * 100 <= busy * shares[s] + 100 * (PACE_SLICE_NS + e.worst));
	}
}

/* What was not used is forfeit, and the clock may do what it wants. */
static void test_forfeit(void **state)
{
	struct encoder e = begin(25, 1000);

	(void)state;
	pace_allow(&e.pace, e.now, false);
	for (unsigned i = 0; i < 4; i++) {
		e.now += i < 2 ? 10 * SECOND : UINT64_MAX / 4;
		assert_in_range(pump(&e, false), PACE_SLICE_NS, PACE_SLICE_NS + 1000);
		assert_int_equal(pump(&e, false), 0);
	}
	assert_int_equal(pace_allow(&e.pace, 3, false), 0); /* backwards: nothing is earned */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_busy_guest), cmocka_unit_test(test_next),	   cmocka_unit_test(test_idle_guest),
		cmocka_unit_test(test_bursts),	   cmocka_unit_test(test_forfeit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
