/* A tracker over tables of its own, and queries of it that expect this or that: a file of its own for those who test it case by case. */
#ifndef TESTS_UNIT_DIRTY_WORLD_H
#define TESTS_UNIT_DIRTY_WORLD_H

#include "mm/dirty.h"
#include "mm/layout.h"
#include "mm/slat.h"
#include "tests/unit/random.h"
#include "tests/unit/fake_frames.h"

#define HOST 0x400000000ull /* of guest address 0 */
#define WORDS 64u
#define TABLES 3u /* with no range: the top, one for 512 GiB, one for the second GiB */

static struct slat s;
static struct dirty d;

/* 1 GiB in one leaf, 8 MiB in 2 MiB leaves, then nothing. */
static int begin(void **state)
{
	(void)state;
	fake_frames_reset();
	assert_int_equal(slat_init(&s, &pt_ept, 3, true), 0);
	assert_int_equal(slat_map(&s, 0, HOST, HUGE_PAGE_SIZE + 4 * LARGE_PAGE_SIZE), 0);
	dirty_init(&d, &dirty_fault, &s);
	return 0;
}

/* After every test: with the ranges gone nothing is left behind, neither memory, nor small leaves, nor protection. */
static int end(void **state)
{
	(void)state;
	fake_frames.fail_at = fake_frames.fail_once_in = 0;
	for (int i = 0; i < DIRTY_RANGES; i++)
		dirty_range_remove(&d, i);
	assert_int_equal(d.count, 0);
	assert_int_equal(s.tables, TABLES);
	for (uint64_t gpa = 0; gpa < HUGE_PAGE_SIZE + 4 * LARGE_PAGE_SIZE; gpa += LARGE_PAGE_SIZE) {
		unsigned level = 0;
		uint64_t *leaf = slat_leaf(&s, gpa, &level);

		assert_non_null(leaf);
		assert_int_equal(level, gpa < HUGE_PAGE_SIZE ? 3 : 2);
		assert_true(*leaf & pt_ept.write);
	}
	assert_int_equal(fake_frames.held, s.tables);
	slat_destroy(&s);
	assert_int_equal(fake_frames.held, 0);
	return 0;
}

static long query(int consumer, int range, uint64_t *bitmap)
{
	long n;

	memset(bitmap, 0xa5, WORDS * 8);
	n = dirty_query(&d, consumer, range, bitmap, WORDS);
	if (!n)
		memset(bitmap, 0, WORDS * 8);
	return n;
}

/* A query finds exactly `pages` dirty, those set in the first word, and none beyond. */
static void expect(int consumer, int range, uint64_t first_word)
{
	uint64_t bitmap[WORDS];

	assert_int_equal(query(consumer, range, bitmap), __builtin_popcountll(first_word));
	assert_true(bitmap[0] == first_word);
	for (unsigned i = 1; i < WORDS; i++)
		assert_true(!bitmap[i]);
}

static void expect_all(int consumer, int range, long pages)
{
	uint64_t bitmap[WORDS];

	assert_int_equal(query(consumer, range, bitmap), pages);
	for (long i = 0; i < (long)WORDS * 64; i++)
		assert_int_equal(bitmap[i / 64] >> i % 64 & 1, i < pages);
}

static int add(uint64_t page, uint64_t pages)
{
	int r = dirty_range_add(&d, page * PAGE_SIZE, pages * PAGE_SIZE);

	assert_true(r >= 0);
	return r;
}

static int consumer(void)
{
	int c = dirty_consumer_add(&d);

	assert_true(c >= 0);
	return c;
}

#endif
