/* The choice of the codec's mode, against a model of a CPU and a line on which both modes cost what they cost. */
/* links: stream/choose.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "stream/choose.h"
#include "tests/unit/random.h"

#define MS 1000000ull
#define SECOND (1000 * MS)

/* What a tile costs in each mode, dense and fast. */
struct content {
	uint64_t cpu_ns[2], bytes[2];
};

static const struct content text = { { 2000000, 90000 }, { 60, 240 } };
static const struct content photo = { { 9000000, 150000 }, { 500, 640 } };

struct model {
	struct choose choose;
	bool fast;
	uint64_t now;
	unsigned changes;
	struct rng rng;
};

static void begin(struct model *m, bool fast)
{
	*m = (struct model){ .fast = fast, .now = 7 * SECOND, .rng = rng_seed(1) };
	choose_init(&m->choose, m->now);
}

/* Codes such pieces for a while; line and CPU go on side by side. */
static void run(struct model *m, const struct content *c, uint32_t rate, unsigned share, uint64_t ns)
{
	uint64_t end = m->now + ns;

	while (m->now < end) {
		/* no two pieces are alike: of 5 to 14 tiles */
		uint64_t tiles = 5 + rng_below(&m->rng, 10), cpu = c->cpu_ns[m->fast] * tiles, bytes = c->bytes[m->fast] * tiles;
		uint64_t wait = cpu * 1000 / share, line = bytes * SECOND / rate;

		choose_note(&m->choose, cpu, bytes, tiles);
		m->now += wait > line ? wait : line;
		if (choose_other(&m->choose, m->fast, rate, share, m->now)) {
			m->fast = !m->fast;
			m->changes++;
		}
	}
}

static uint64_t longer(const struct content *c, bool fast, uint32_t rate, unsigned share)
{
	uint64_t cpu = c->cpu_ns[fast] * 1000 / share, line = c->bytes[fast] * SECOND / rate;

	return cpu > line ? cpu : line;
}

/* Whatever the line and the CPU: soon the mode is about as good as the better one, and it stays. */
static void test_is_the_better_one(void **state)
{
	static const struct content *const contents[] = { &text, &photo };
	unsigned dense = 0, fast = 0;

	(void)state;
	for (unsigned k = 0; k < 2; k++)
		for (uint32_t rate = 300; rate < 20000000; rate = rate * 3 / 2)
			for (unsigned share = 50; share <= 1000; share += 190)
				for (int first = 0; first < 2; first++) {
					uint64_t d = longer(contents[k], false, rate, share),
						 f = longer(contents[k], true, rate, share);
					struct model m;

					begin(&m, first);
					run(&m, contents[k], rate, share, 200 * SECOND + 2000 * (d > f ? d : f));
					assert_in_range(m.changes, 0, 4);
					/* In between either is right: there is little to gain. */
					if (m.fast ? f > 3 * d : d > 3 * f)
						fail_msg("content %u, rate %u, share %u: %s takes %llu ns, the other %llu", k, rate,
							 share, m.fast ? "fast" : "dense", (unsigned long long)(m.fast ? f : d),
							 (unsigned long long)(m.fast ? d : f));
					dense += !m.fast;
					fast += m.fast;
				}
	print_message("dense %u times, fast %u times\n", dense, fast);
	assert_true(dense > 100 && fast > 100);
}

/* A line at 115,200 baud, then one at 4 Mbaud, then the first again. */
static void test_follows_the_line(void **state)
{
	struct model m;

	(void)state;
	begin(&m, true);
	run(&m, &text, 11520, 250, 10 * SECOND);
	assert_false(m.fast);
	run(&m, &text, 400000, 250, 10 * SECOND);
	assert_true(m.fast);
	run(&m, &text, 11520, 250, 10 * SECOND);
	assert_false(m.fast);
	assert_int_equal(m.changes, 3);
}

/* The same line, and a guest that is busy on a slow CPU, which then waits. */
static void test_follows_the_cpu(void **state)
{
	struct content slow = text;
	struct model m;

	(void)state;
	for (unsigned i = 0; i < 2; i++)
		slow.cpu_ns[i] *= 8;
	begin(&m, false);
	run(&m, &slow, 11520, 250, 20 * SECOND);
	assert_true(m.fast);
	run(&m, &text, 11520, 1000, 20 * SECOND);
	assert_false(m.fast);
}

/* A line that changes all the time makes the mode change ever more seldom. */
static void test_does_not_flap(void **state)
{
	struct model m;
	unsigned after_minute;

	(void)state;
	begin(&m, false);
	for (unsigned i = 0; i < 60; i++)
		run(&m, &text, i & 1 ? 11520 : 1000000, 250, SECOND);
	after_minute = m.changes;
	for (unsigned i = 0; i < 600; i++)
		run(&m, &text, i & 1 ? 11520 : 1000000, 250, SECOND);
	print_message("%u changes in a minute, %u in eleven\n", after_minute, m.changes);
	assert_in_range(after_minute, 1, 12);
	assert_in_range(m.changes, after_minute, after_minute + 8);
}

/* Nothing is concluded from nothing. */
static void test_knows_nothing(void **state)
{
	struct model m;

	(void)state;
	for (int fast = 0; fast < 2; fast++) {
		begin(&m, fast);
		assert_false(choose_other(&m.choose, fast, 11520, 250, m.now + 100 * SECOND));
		choose_note(&m.choose, 1000 * SECOND, 0, 40); /* looked, and found nothing that changed */
		assert_false(choose_other(&m.choose, fast, 11520, 250, m.now + 101 * SECOND));
		choose_note(&m.choose, 0, 100000, 1000);
		assert_false(choose_other(&m.choose, fast, 0, 250, m.now + 102 * SECOND));
	}
}

/* Noise takes as many bytes in either mode: then the line is no reason to spend the CPU's time. */
static void test_noise(void **state)
{
	static const struct content noise = { { 3000000, 60000 }, { 768, 772 } };
	struct model m;

	(void)state;
	for (int fast = 0; fast < 2; fast++) {
		begin(&m, fast);
		run(&m, &noise, 11520, 25, 20 * SECOND);
		assert_true(m.fast);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_the_better_one), cmocka_unit_test(test_follows_the_line),
		cmocka_unit_test(test_follows_the_cpu),	  cmocka_unit_test(test_does_not_flap),
		cmocka_unit_test(test_knows_nothing),	  cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
