/* The dirty tracker, case by case. Defects are numbered as those that earlier trackers had. Random operations: test_dirty_model.c.
 */
/* links: mm/dirty.c mm/dirty_slat.c mm/dirty_pml.c mm/slat.c mm/pt_format.c */
/* libs: -Wl,--wrap=slat_leaf,--wrap=slat_split,--wrap=slat_region_find */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "tests/unit/dirty_world.h"

/* Descents through the tables, counted: what the tracker costs. */
static unsigned long descents;
uint64_t *__real_slat_leaf(const struct slat *t, uint64_t gpa, unsigned *level);
uint64_t *__real_slat_split(struct slat *t, uint64_t gpa);

uint64_t *__wrap_slat_leaf(const struct slat *t, uint64_t gpa, unsigned *level)
{
	descents++;
	return __real_slat_leaf(t, gpa, level);
}

uint64_t *__wrap_slat_split(struct slat *t, uint64_t gpa)
{
	descents++;
	return __real_slat_split(t, gpa);
}

uint64_t *__real_slat_region_find(struct slat *t, uint64_t gpa);

uint64_t *__wrap_slat_region_find(struct slat *t, uint64_t gpa)
{
	descents++;
	return __real_slat_region_find(t, gpa);
}

static bool writable(uint64_t gpa)
{
	uint64_t *leaf = slat_leaf(&s, gpa, NULL);

	assert_non_null(leaf);
	return *leaf & pt_ept.write;
}

/* Pages that a query would report. */
static unsigned pending(int range, int consumer)
{
	const struct dirty_range *r = &d.range[range];
	unsigned n = 0;

	for (size_t w = 0; w < r->words; w++)
		n += (unsigned)__builtin_popcountll(r->bits[(unsigned)consumer * (r->words + r->sums) + w]);
	return n;
}

/* The guest writes a byte. Returns whether that took a fault. */
static bool guest_write(uint64_t gpa)
{
	if (writable(gpa)) {
		assert_false(dirty_write_fault(&d, gpa)); /* a stale translation's fault is not the tracker's */
		return false;
	}
	assert_true(dirty_write_fault(&d, gpa));
	assert_true(writable(gpa));
	return true;
}

/* ---- the contract */

static void test_bad_arguments(void **state)
{
	static const struct {
		uint64_t gpa, len;
		int error;
	} bad[] = {
		{ 0x1000, 0, -EINVAL },
		{ 0xfffffffffffff000, 0x1001, -EINVAL },
		{ 0x2000, 0xfffffffffffff000, -EINVAL },
		{ 1ull << 48, 0x1000, -EFAULT },
		{ 0xfffffffffffff000, 0x1000, -EFAULT },
		{ HUGE_PAGE_SIZE + 4 * LARGE_PAGE_SIZE, 1, -EFAULT },
		{ HUGE_PAGE_SIZE + 4 * LARGE_PAGE_SIZE - 1, 2, -EFAULT },
		{ 0, 1ull << 48, -EFAULT },
		{ LARGE_PAGE_SIZE, 2 * HUGE_PAGE_SIZE, -EFAULT },
	};
	static const int wrong[] = { -1, 3, DIRTY_CONSUMERS, DIRTY_RANGES, DIRTY_RANGES + 1, INT32_MAX, INT32_MIN };
	uint64_t bitmap[WORDS] = { 0 };
	int c = consumer(), r = add(7, 3);

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(dirty_range_add(&d, bad[i].gpa, bad[i].len), bad[i].error);
		assert_int_equal(dirty_range_move(&d, r, bad[i].gpa, bad[i].len), bad[i].error);
	}
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(dirty_range_move(&d, wrong[i], 0, 1), -ENOENT);
		assert_int_equal(dirty_range_remove(&d, wrong[i]), -ENOENT);
		assert_int_equal(dirty_consumer_remove(&d, wrong[i]), -ENOENT);
		assert_int_equal(dirty_query(&d, wrong[i], r, bitmap, WORDS), -ENOENT);
		assert_int_equal(dirty_query(&d, c, wrong[i], bitmap, WORDS), -ENOENT);
		assert_int_equal(dirty_put_back(&d, wrong[i], r, bitmap, WORDS), -ENOENT);
		assert_int_equal(dirty_put_back(&d, c, wrong[i], bitmap, WORDS), -ENOENT);
	}
	assert_false(dirty_write_fault(&d, 1ull << 48));
	assert_false(dirty_write_fault(&d, ~0ull));
	assert_false(dirty_write_fault(&d, 1ull << 40));
	dirty_mark(&d, 0, 0);
	dirty_mark(&d, ~0ull, 0);
	assert_int_equal(d.marks, 0);
	expect_all(c, r, 3);
	expect(c, r, 0);
	/* A length that wraps marks to the end: never too little. */
	dirty_mark(&d, 8 * PAGE_SIZE, ~0ull);
	expect(c, r, 6);
}

static void test_no_more_ranges_or_consumers(void **state)
{
	(void)state;
	for (int i = 0; i < DIRTY_RANGES; i++)
		assert_int_equal(add((uint64_t)i, 2), i);
	assert_int_equal(dirty_range_add(&d, 0, 1), -ENOSPC);
	for (int i = 0; i < DIRTY_CONSUMERS; i++)
		assert_int_equal(dirty_consumer_add(&d), i);
	assert_int_equal(dirty_consumer_add(&d), -ENOSPC);
	assert_int_equal(dirty_range_remove(&d, 5), 0);
	assert_int_equal(add(9, 1), 5);
	assert_int_equal(dirty_consumer_remove(&d, 3), 0);
	assert_int_equal(dirty_consumer_remove(&d, 3), -ENOENT);
	assert_int_equal(dirty_consumer_add(&d), 3);
}

static void test_first_query_is_all_dirty_without_faults(void **state)
{
	int a = consumer(), r = add(3, 700), b;

	(void)state;
	for (uint64_t i = 0; i < 800; i++)
		assert_false(guest_write(i * PAGE_SIZE));
	expect_all(a, r, 700);
	expect(a, r, 0);
	b = consumer(); /* over pages that are protected now */
	expect_all(b, r, 700);
	expect(b, r, 0);
	expect(a, r, 0);
	assert_int_equal(d.faults, 0);
	assert_false(guest_write(2 * PAGE_SIZE));
	assert_true(guest_write(3 * PAGE_SIZE));
	assert_false(guest_write(3 * PAGE_SIZE + 4095));
	expect(a, r, 1);
	expect(b, r, 1);
	assert_int_equal(d.faults, 1);
}

static void test_pages_of_byte_exact_ranges(void **state)
{
	static const struct {
		uint64_t gpa, len;
		long pages;
	} t[] = {
		{ 0, 1, 1 },
		{ 0xfff, 1, 1 },
		{ 0xfff, 2, 2 },
		{ 0x1000, 0x1000, 1 },
		{ 0x1fff, 0x1002, 3 },
		{ 0, 64 * PAGE_SIZE, 64 },
		{ 5, 64 * PAGE_SIZE, 65 },
		{ LARGE_PAGE_SIZE - 1, 2, 2 },
		{ HUGE_PAGE_SIZE - 1, 2, 2 },
		{ HUGE_PAGE_SIZE + 4 * LARGE_PAGE_SIZE - 1, 1, 1 },
	};
	int c = consumer();

	(void)state;
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		int r = dirty_range_add(&d, t[i].gpa, t[i].len);

		expect_all(c, r, t[i].pages);
		assert_true(guest_write(t[i].gpa));
		if (t[i].pages > 1)
			assert_true(guest_write(t[i].gpa + t[i].len - 1));
		uint64_t bitmap[WORDS];

		assert_int_equal(query(c, r, bitmap), t[i].pages > 1 ? 2 : 1);
		assert_true(bitmap[0] & 1);
		assert_true(bitmap[(t[i].pages - 1) / 64] >> (t[i].pages - 1) % 64 & 1);
		assert_int_equal(dirty_range_remove(&d, r), 0);
	}
}

static void test_consumers_are_independent(void **state)
{
	int a = consumer(), b = consumer(), r = add(0, 10);

	(void)state;
	expect_all(a, r, 10);
	guest_write(0);
	expect_all(b, r, 10); /* protects what a has not asked about */
	expect(a, r, 1);
	guest_write(0);
	guest_write(PAGE_SIZE);
	expect(b, r, 3);
	expect(b, r, 0);
	guest_write(PAGE_SIZE);
	expect(a, r, 3);
	expect(b, r, 2);
	/* A slot used again starts anew, whatever was in it. */
	assert_int_equal(dirty_consumer_remove(&d, a), 0);
	guest_write(2 * PAGE_SIZE);
	assert_int_equal(dirty_consumer_add(&d), a);
	expect_all(a, r, 10);
	expect(b, r, 4);
	/* With nobody to tell, a write still gets through, at one fault at most. */
	assert_int_equal(dirty_consumer_remove(&d, a), 0);
	assert_int_equal(dirty_consumer_remove(&d, b), 0);
	assert_true(guest_write(3 * PAGE_SIZE));
	assert_false(guest_write(3 * PAGE_SIZE));
}

static void test_range_over_protected_and_shared_pages(void **state)
{
	int c = consumer(), r = add(0, 8), q;

	(void)state;
	expect_all(c, r, 8);
	guest_write(0);
	q = add(4, 8);
	expect_all(c, q, 8);
	guest_write(5 * PAGE_SIZE);
	expect(c, r, 1 | 1 << 5);
	expect(c, q, 1 << 1);
	guest_write(6 * PAGE_SIZE);
	expect(c, q, 1 << 2);
	assert_true(guest_write(6 * PAGE_SIZE)); /* q's query protected it; r has its bit still */
	expect(c, r, 1 << 6);
	expect(c, q, 1 << 2);
	/* q goes: r's pages stay protected, q's own do not. */
	assert_int_equal(dirty_range_remove(&d, q), 0);
	assert_false(writable(7 * PAGE_SIZE));
	assert_true(writable(8 * PAGE_SIZE));
	assert_true(guest_write(7 * PAGE_SIZE));
	expect(c, r, 1 << 7);
}

static void test_move(void **state)
{
	int c = consumer(), r = add(0, 8), q = add(6, 8);

	(void)state;
	expect_all(c, r, 8);
	expect_all(c, q, 8);
	guest_write(7 * PAGE_SIZE);
	/* Onto itself, longer: the overlap of old and new place stays with it. */
	assert_int_equal(dirty_range_move(&d, r, 2 * PAGE_SIZE, 20 * PAGE_SIZE), 0);
	assert_true(writable(1 * PAGE_SIZE));
	expect_all(c, r, 20);
	expect(c, q, 1 << 1);
	assert_true(guest_write(3 * PAGE_SIZE));
	expect(c, r, 1 << 1);
	/* To another 2 MiB, alone there; what it shared stays protected for q. */
	assert_int_equal(dirty_range_move(&d, r, HUGE_PAGE_SIZE + 5, 1), 0);
	assert_true(writable(3 * PAGE_SIZE));
	assert_false(writable(6 * PAGE_SIZE));
	assert_int_equal(dirty_range_move(&d, q, HUGE_PAGE_SIZE + 5, 1), 0);
	assert_int_equal(s.tables, TABLES + 1);
	expect_all(c, r, 1);
	expect_all(c, q, 1);
}

/* Only what was tracked is split, and only while it is. */
static void test_leaves_split_and_merge(void **state)
{
	unsigned level;
	int a = add(1000, 1), b = add(600, 1), c;

	(void)state;
	assert_int_equal(s.tables, TABLES + 2);
	slat_leaf(&s, 512 * PAGE_SIZE, &level);
	assert_int_equal(level, 1);
	slat_leaf(&s, 511 * PAGE_SIZE, &level);
	assert_int_equal(level, 2);
	c = add(HUGE_PAGE_SIZE / PAGE_SIZE - 1, 2);
	assert_int_equal(s.tables, TABLES + 4);
	s.stale = false;
	assert_int_equal(dirty_range_remove(&d, a), 0);
	assert_int_equal(s.tables, TABLES + 4);
	assert_int_equal(dirty_range_remove(&d, b), 0);
	assert_int_equal(s.tables, TABLES + 3);
	assert_true(s.stale);
	assert_int_equal(dirty_range_remove(&d, c), 0);
	assert_int_equal(s.tables, TABLES);
}

/* A flush only when a right was taken away. */
static void test_flush_only_when_needed(void **state)
{
	int c = consumer(), r = add(0, 8);

	(void)state;
	s.stale = false;
	expect_all(c, r, 8);
	assert_true(s.stale);
	s.stale = false;
	expect(c, r, 0);
	guest_write(0);
	assert_false(s.stale);
	dirty_mark(&d, PAGE_SIZE, 1);
	assert_false(s.stale);
	expect(c, r, 3);
	assert_true(s.stale);
	s.stale = false;
	dirty_mark(&d, PAGE_SIZE, 1);
	expect(c, r, 2);
	assert_false(s.stale);
}

/* ---- out of memory */

static void test_out_of_memory_at_each_site(void **state)
{
	int c = consumer(), r = add(10, 4), e;
	size_t tables = s.tables;

	(void)state;
	expect_all(c, r, 4);
	for (long n = 1; n <= 5; n++) {
		/* Bitmaps, then a table for each of: two 2 MiB in the 1 GiB (split already), two beyond. */
		fake_frames.fail_at = n;
		e = dirty_range_add(&d, HUGE_PAGE_SIZE - 2 * LARGE_PAGE_SIZE, 4 * LARGE_PAGE_SIZE);
		assert_int_equal(e, -ENOMEM);
		assert_int_equal(s.tables, tables);
		fake_frames.fail_at = n;
		e = dirty_range_move(&d, r, HUGE_PAGE_SIZE - 2 * LARGE_PAGE_SIZE, 4 * LARGE_PAGE_SIZE);
		assert_int_equal(e, -ENOMEM);
		assert_int_equal(s.tables, tables);
		assert_int_equal(fake_frames.held, s.tables + d.range[r].frames);
		expect(c, r, 0);
		assert_true(guest_write(11 * PAGE_SIZE));
		expect(c, r, 2);
	}
	fake_frames.fail_at = 6;
	assert_int_equal(dirty_range_move(&d, r, HUGE_PAGE_SIZE - 2 * LARGE_PAGE_SIZE, 4 * LARGE_PAGE_SIZE), 0);
	expect_all(c, r, 2048);
	/* Half a split of the 1 GiB is undone as well. */
	assert_int_equal(dirty_range_remove(&d, r), 0);
	fake_frames.fail_at = 3;
	assert_int_equal(dirty_range_add(&d, 0, 1), -ENOMEM);
	assert_int_equal(s.tables, TABLES);
}

/* Memory mapped anew under live ranges, in a large leaf, which a query then cannot split. */
static void test_query_that_cannot_protect_keeps_the_bit(void **state)
{
	int c = consumer(), r = add(10, 4), q = add(11, 1);

	(void)state;
	expect_all(c, r, 4);
	expect_all(c, q, 1);
	assert_int_equal(slat_unmap(&s, 0, LARGE_PAGE_SIZE), 0);
	assert_int_equal(slat_map(&s, 0, HOST, LARGE_PAGE_SIZE), 0);
	dirty_mark(&d, 0, LARGE_PAGE_SIZE);
	fake_frames.fail_once_in = 1;
	for (int i = 0; i < 3; i++) {
		expect_all(c, r, 4);
		assert_int_equal(pending(r, c), 4);
		assert_false(guest_write(10 * PAGE_SIZE));
	}
	fake_frames.fail_once_in = 0;
	expect_all(c, r, 4);
	assert_true(guest_write(10 * PAGE_SIZE));
	assert_true(guest_write(13 * PAGE_SIZE));
	expect(c, r, 9);
	expect(c, r, 0);
	expect(c, q, 1);
	assert_true(guest_write(10 * PAGE_SIZE));
	assert_true(guest_write(11 * PAGE_SIZE));
	expect(c, r, 3);
	expect(c, q, 1);
}

/* ---- numbered defects */

static void test_defect_2_changes_of_leaves_lose_nothing(void **state)
{
	int c = consumer(), r = add(0, 8), q = add(4, 8), far = add(300, 8);

	(void)state;
	expect_all(c, r, 8);
	expect_all(c, q, 8);
	expect_all(c, far, 8);
	guest_write(5 * PAGE_SIZE);
	guest_write(301 * PAGE_SIZE);
	/* Neighbours and overlapping ranges come, go and move in the same table. */
	assert_int_equal(dirty_range_remove(&d, q), 0);
	assert_int_equal(dirty_range_move(&d, r, 0, 8 * PAGE_SIZE), 0);
	q = add(302, 100);
	assert_int_equal(dirty_range_move(&d, q, HUGE_PAGE_SIZE, 5), 0);
	slat_merge(&s, 0);
	expect_all(c, r, 8);
	expect(c, far, 2);
	/* The mapping itself is dropped before anyone asked. */
	guest_write(302 * PAGE_SIZE);
	assert_int_equal(slat_unmap(&s, 0, LARGE_PAGE_SIZE), 0);
	expect(c, far, 4);
	assert_int_equal(slat_map(&s, 0, HOST, LARGE_PAGE_SIZE), 0);
	dirty_mark(&d, 0, LARGE_PAGE_SIZE);
	expect_all(c, far, 8);
	assert_true(guest_write(303 * PAGE_SIZE));
	expect(c, far, 8);
}

static void test_defect_4_range_outlives_its_mappings(void **state)
{
	int c = consumer(), r = add(0, 8);

	(void)state;
	expect_all(c, r, 8);
	guest_write(3 * PAGE_SIZE);
	assert_int_equal(slat_unmap(&s, 0, LARGE_PAGE_SIZE), 0);
	assert_false(dirty_write_fault(&d, 0));
	assert_int_equal(slat_map(&s, 0, HOST, LARGE_PAGE_SIZE), 0);
	/* Its history is there, and the new mapping adds to it. */
	assert_true(d.range[r].live && pending(r, c) == 1);
	dirty_mark(&d, 0, LARGE_PAGE_SIZE);
	guest_write(4 * PAGE_SIZE);
	expect_all(c, r, 8);
	expect(c, r, 0);
	/* All gone while asked, and removed while away. */
	guest_write(0);
	assert_int_equal(slat_unmap(&s, 0, LARGE_PAGE_SIZE), 0);
	expect(c, r, 1);
	expect(c, r, 0);
	assert_int_equal(dirty_range_remove(&d, r), 0);
	assert_int_equal(slat_map(&s, 0, HOST, LARGE_PAGE_SIZE), 0);
	assert_true(writable(0));
	slat_merge(&s, 0);
}

static void test_defect_5_cost_grows_with_dirty_pages_only(void **state)
{
	enum { PAGES = 2025 };
	uint64_t bitmap[WORDS];
	int c = consumer(), r = add(256, PAGES);

	(void)state;
	for (unsigned i = 0; i < 20; i++)
		add(256 + i * 100, 90);
	descents = 0;
	assert_int_equal(query(c, r, bitmap), PAGES);
	assert_in_range(descents, 0, 1); /* one a gigabyte */
	descents = 0;
	assert_int_equal(query(c, r, bitmap), 0);
	assert_int_equal(descents, 0);
	for (unsigned i = 0; i < 16; i++) {
		descents = 0;
		assert_true(dirty_write_fault(&d, (256 + i * 100) * PAGE_SIZE));
		assert_in_range(descents, 0, 1);
	}
	descents = 0;
	assert_int_equal(query(c, r, bitmap), 16);
	assert_in_range(descents, 0, 1);
	descents = 0;
	dirty_mark(&d, 300 * PAGE_SIZE, 1);
	assert_int_equal(descents, 0);
	/* Start and stop: tables again, not pages. */
	int q = add(256, PAGES);

	assert_in_range(descents, 1, 20);
	descents = 0;
	assert_int_equal(dirty_range_remove(&d, q), 0);
	assert_in_range(descents, 0, 5);
}

static void test_defect_6_stopping_one_range_leaves_the_others(void **state)
{
	int c = consumer(), r[4];

	(void)state;
	for (uint64_t i = 0; i < 4; i++) {
		r[i] = add(i * 3, 4);
		expect_all(c, r[i], 4);
	}
	guest_write(4 * PAGE_SIZE);
	assert_int_equal(dirty_range_remove(&d, r[2]), 0);
	assert_int_equal(dirty_query(&d, c, r[2], (uint64_t[1]){ 0 }, 1), -ENOENT);
	expect(c, r[0], 0);
	expect(c, r[1], 2);
	expect(c, r[3], 0);
	for (uint64_t i = 0; i < 16; i++) /* 7 and 8 were its alone; 6 and 9 are others' too */
		assert_int_equal(writable(i * PAGE_SIZE), i == 7 || i == 8 || i > 12);
	assert_true(guest_write(9 * PAGE_SIZE));
	expect(c, r[3], 1);
	/* The rights come back with the leaf. */
	for (unsigned i = 0; i < 4; i++)
		if (i != 2)
			assert_int_equal(dirty_range_remove(&d, r[i]), 0);
	assert_int_equal(s.tables, TABLES);
	assert_false(guest_write(4 * PAGE_SIZE));
}

static void test_defect_7_clears_only_what_was_asked_for(void **state)
{
	/* Five ranges within one page, one word and one table. */
	static const uint64_t at[][2] = {
		{ 0x0, 0x800 }, { 0x800, 0x900 }, { 0x1100, 0x4000 }, { 0x5100, 0x1 }, { 0x5101, 0x20000 }
	};
	static const unsigned bit0[] = { 0, 0, 1, 5, 5 }, pages[] = { 1, 2, 5, 1, 33 };
	int c = consumer(), r[5];

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		r[i] = dirty_range_add(&d, at[i][0], at[i][1]);
		expect_all(c, r[i], pages[i]);
	}
	for (unsigned order = 0; order < 5; order++) {
		for (uint64_t i = 0; i < 0x30; i++)
			guest_write(i * PAGE_SIZE);
		for (unsigned n = 0; n < 5; n++) {
			unsigned i = (order + n) % 5;

			expect_all(c, r[i], pages[i]);
			for (unsigned m = n + 1; m < 5; m++) {
				unsigned other = (order + m) % 5;

				assert_int_equal(pending(r[other], c), pages[other]);
			}
		}
	}
	guest_write(0x5000);
	for (unsigned i = 0; i < 5; i++)
		expect(c, r[i], bit0[i] + pages[i] > 5 && bit0[i] <= 5 ? 1ull << (5 - bit0[i]) : 0);
}

static void test_defect_8_undelivered_bits_are_put_back(void **state)
{
	uint64_t bitmap[WORDS], junk[WORDS];
	int a = consumer(), b = consumer(), r = add(60, 70);

	(void)state;
	expect_all(a, r, 70);
	expect_all(b, r, 70);
	guest_write(60 * PAGE_SIZE);
	guest_write(129 * PAGE_SIZE);
	/* Too little room: nothing is taken, nothing written. */
	memset(bitmap, 0x5a, sizeof(bitmap));
	assert_int_equal(dirty_query(&d, a, r, bitmap, 1), -ENOSPC);
	assert_int_equal(dirty_query(&d, a, r, bitmap, 0), -ENOSPC);
	assert_true(bitmap[0] == 0x5a5a5a5a5a5a5a5a);
	assert_int_equal(dirty_query(&d, a, r, bitmap, 2), 2);
	assert_true(bitmap[0] == 1 && bitmap[1] == 1 << 5 && bitmap[2] == 0x5a5a5a5a5a5a5a5a);
	expect_all(a, r, 0);
	/* Part of it could not be delivered. A write between is not lost, and the other consumer sees its own only. */
	guest_write(61 * PAGE_SIZE);
	assert_int_equal(dirty_put_back(&d, a, r, bitmap, 1), 0);
	expect(a, r, 3);
	assert_int_equal(dirty_put_back(&d, a, r, bitmap, 2), 0);
	assert_int_equal(dirty_put_back(&d, a, r, bitmap, 2), 0);
	assert_int_equal(query(a, r, bitmap), 2);
	assert_int_equal(query(b, r, bitmap), 3);
	/* Bits past the range's end are none of its pages. */
	memset(junk, 0xff, sizeof(junk));
	assert_int_equal(dirty_put_back(&d, a, r, junk, WORDS), 0);
	expect_all(a, r, 70);
	expect_all(a, r, 0);
	assert_int_equal(dirty_put_back(&d, a, r, NULL, 0), 0);
	expect_all(a, r, 0);
	/* Put back on protected pages: told again, and a write there still faults. */
	assert_int_equal(dirty_put_back(&d, a, r, (uint64_t[1]){ 2 }, 1), 0);
	assert_true(guest_write(61 * PAGE_SIZE));
	expect(a, r, 2);
	expect(b, r, 2);
}

static void test_defect_9_writes_by_the_vmm_count(void **state)
{
	int a = consumer(), b = consumer(), r = add(10, 10), q = add(19, 10);
	uint64_t bitmap[WORDS];

	(void)state;
	expect_all(a, r, 10);
	expect_all(a, q, 10);
	/* One byte each side of a page's edge, in two ranges; for each consumer; on a protected page, which stays so. */
	dirty_mark(&d, 19 * PAGE_SIZE - 1, 2);
	assert_false(writable(18 * PAGE_SIZE));
	assert_false(writable(19 * PAGE_SIZE));
	expect(a, r, 3 << 8);
	expect(a, q, 1);
	expect_all(b, r, 10);
	expect_all(b, q, 10);
	/* Mark, then the guest: still seen, once. Guest, then mark: no loss either. */
	dirty_mark(&d, 10 * PAGE_SIZE, 8);
	assert_true(guest_write(10 * PAGE_SIZE));
	expect(a, r, 1);
	assert_true(guest_write(10 * PAGE_SIZE));
	dirty_mark(&d, 10 * PAGE_SIZE, 8);
	expect(a, r, 1);
	expect(b, r, 1);
	/* Larger than any range, and where none is. */
	dirty_mark(&d, 0, HUGE_PAGE_SIZE);
	assert_int_equal(query(a, r, bitmap), 10);
	assert_int_equal(query(b, q, bitmap), 10);
	dirty_mark(&d, 9 * PAGE_SIZE, PAGE_SIZE);
	dirty_mark(&d, 29 * PAGE_SIZE, PAGE_SIZE);
	expect(a, r, 0);
	expect(b, q, 0);
}

static void test_defect_12_touches_its_own_pages_only(void **state)
{
	static uint64_t before[1024];
	uint64_t bitmap[WORDS], *leaf;
	int c = consumer(), keep = add(0, 1), keep_far = add(1023, 1), r;

	(void)state;
	expect_all(c, keep, 1);
	expect_all(c, keep_far, 1);
	for (uint64_t i = 0; i < 1024; i++) {
		leaf = slat_split(&s, i * PAGE_SIZE);
		if (i % 3 == 0)
			*leaf |= pt_ept.accessed | pt_ept.dirty; /* by the CPU, for someone else */
		before[i] = *leaf;
	}
	r = add(500, 30);
	assert_int_equal(query(c, r, bitmap), 30);
	guest_write(510 * PAGE_SIZE);
	assert_int_equal(query(c, r, bitmap), 1);
	assert_int_equal(dirty_range_move(&d, r, 505 * PAGE_SIZE, 9 * PAGE_SIZE), 0);
	assert_int_equal(query(c, r, bitmap), 9);
	for (uint64_t i = 0; i < 1024; i++) {
		leaf = slat_leaf(&s, i * PAGE_SIZE, NULL);
		assert_true(*leaf == (i >= 505 && i < 514 ? before[i] & ~pt_ept.write : before[i]));
	}
	assert_int_equal(dirty_range_remove(&d, r), 0);
	for (uint64_t i = 0; i < 1024; i++)
		assert_true(*slat_leaf(&s, i * PAGE_SIZE, NULL) == before[i]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bad_arguments),
		TEST(test_no_more_ranges_or_consumers),
		TEST(test_first_query_is_all_dirty_without_faults),
		TEST(test_pages_of_byte_exact_ranges),
		TEST(test_consumers_are_independent),
		TEST(test_range_over_protected_and_shared_pages),
		TEST(test_move),
		TEST(test_leaves_split_and_merge),
		TEST(test_flush_only_when_needed),
		TEST(test_out_of_memory_at_each_site),
		TEST(test_query_that_cannot_protect_keeps_the_bit),
		TEST(test_defect_2_changes_of_leaves_lose_nothing),
		TEST(test_defect_4_range_outlives_its_mappings),
		TEST(test_defect_5_cost_grows_with_dirty_pages_only),
		TEST(test_defect_6_stopping_one_range_leaves_the_others),
		TEST(test_defect_7_clears_only_what_was_asked_for),
		TEST(test_defect_8_undelivered_bits_are_put_back),
		TEST(test_defect_9_writes_by_the_vmm_count),
		TEST(test_defect_12_touches_its_own_pages_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
