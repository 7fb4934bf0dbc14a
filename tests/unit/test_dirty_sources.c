/* The dirty tracker's sources, each by the writes of a CPU whose TLB is as stale as the manuals allow. */
/* links: mm/dirty.c mm/dirty_slat.c mm/dirty_pml.c mm/slat.c mm/pt_format.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "tests/unit/dirty_cpu.h"
#include "tests/unit/dirty_world.h"

static const struct dirty_source *const sources[] = { &dirty_fault, &dirty_dbit, &dirty_pml, &dirty_auto };
#define SOURCES (sizeof(sources) / sizeof(sources[0]))

static void use(const struct dirty_source *source, struct slat *t)
{
	dirty_init(&d, source, t);
	cpu_begin(t, &d, 1);
}

/* More pages than a summary word's and than the log has room for. */
static void test_large_range(void **state)
{
	enum { PAGES = 5000 };
	uint64_t bitmap[(PAGES + 63) / 64];

	(void)state;
	for (unsigned i = 0; i < SOURCES; i++) {
		use(sources[i], &s);
		int c = consumer(), r = add(100, PAGES);

		assert_int_equal(dirty_query(&d, c, r, bitmap, 79), PAGES);
		assert_int_equal(dirty_query(&d, c, r, bitmap, 79), 0);
		for (uint32_t page = 0; page < PAGES; page++)
			cpu_write(100 + page);
		assert_int_equal(cpu.log_exits, sources[i] == &dirty_pml ? PAGES / DIRTY_LOG_ENTRIES : 0);
		assert_int_equal(dirty_query(&d, c, r, bitmap, 79), PAGES);
		for (uint32_t page = 3; page < PAGES; page += 601) {
			cpu_write(100 + page);
			assert_int_equal(dirty_query(&d, c, r, bitmap, 79), 1);
			assert_true(bitmap[page / 64] == 1ull << page % 64);
		}
		assert_int_equal(dirty_query(&d, c, r, bitmap, 79), 0);
		assert_int_equal(dirty_range_remove(&d, r), 0);
	}
}

/* Memory that cannot be mapped larger needs no split, so nothing else asks for a flush when its tracking begins. */
static void test_translations_from_before_the_range(void **state)
{
	struct slat t;
	uint64_t bitmap[1];

	(void)state;
	for (unsigned i = 0; i < SOURCES; i++) {
		assert_int_equal(slat_init(&t, &pt_npt, 1, true), 0);
		assert_int_equal(slat_map(&t, 0, HOST, LARGE_PAGE_SIZE), 0);
		use(sources[i], &t);
		for (uint32_t page = 0; page < 64; page++)
			cpu_write(page);
		int c = consumer(), r = add(0, 64);

		for (unsigned n = 0; n < 3; n++) {
			assert_int_equal(dirty_query(&d, c, r, bitmap, 1), 64);
			for (uint32_t page = 0; page < 64; page++)
				cpu_write(page);
		}
		assert_int_equal(dirty_range_remove(&d, r), 0);
		slat_destroy(&t);
	}
}

/* Nor does a fault without a reason come after the rights came back. */
static void test_translations_from_within_the_range(void **state)
{
	int c, r, neighbour;

	(void)state;
	use(&dirty_fault, &s);
	c = consumer();
	r = add(0, 64);
	neighbour = add(64, 64);
	expect_all(c, r, 64);
	expect_all(c, neighbour, 64);
	for (uint32_t page = 0; page < 64; page++)
		cpu_read(page);
	cpu_enter();
	assert_int_equal(dirty_range_remove(&d, r), 0);
	for (uint32_t page = 0; page < 64; page++)
		cpu_write(page);
	assert_int_equal(cpu.faults + cpu.stale_faults, 0);
}

/* Someone asks after the CPU found the log full, before it goes on; and when it is just not full. */
static void test_query_of_a_full_log(void **state)
{
	(void)state;
	for (unsigned full = 0; full < 2; full++) {
		use(&dirty_pml, &s);
		int c = consumer(), r = add(0, 600);
		uint64_t bitmap[WORDS];

		assert_int_equal(query(c, r, bitmap), 600);
		for (uint32_t page = 0; page < DIRTY_LOG_ENTRIES; page++)
			cpu_write(page);
		assert_int_equal(cpu.log_index, 0xffff);
		if (full)
			dirty_log_full(&d);
		assert_int_equal(query(c, r, bitmap), DIRTY_LOG_ENTRIES);
		assert_int_equal(cpu.log_index, DIRTY_LOG_ENTRIES - 1);
		assert_int_equal(query(c, r, bitmap), 0);
		assert_int_equal(dirty_range_remove(&d, r), 0);
	}
}

/* A repainted range is scanned, one with a cursor faults again, and one that nobody touches stays as it is. */
static void test_auto_follows_the_range(void **state)
{
	uint64_t bitmap[WORDS];
	int c, r, idle;

	(void)state;
	use(&dirty_auto, &s);
	c = consumer();
	r = add(0, 2025);
	idle = add(4096, 2025);
	query(c, idle, bitmap);
	query(c, r, bitmap);
	for (unsigned picture = 0; picture < 30; picture++) {
		uint64_t faults = d.faults;

		if (picture == 20)
			assert_true(d.range[idle].scan && d.range[r].scan);
		for (uint32_t page = 0; page < 2025; page++) {
			cpu_write(page);
			if (picture < 10)
				cpu_write(4096 + page);
		}
		assert_int_equal(query(c, r, bitmap), 2025);
		assert_int_equal(query(c, idle, bitmap), picture < 10 ? 2025 : 0);
		assert_true(picture < 4 || d.faults == faults);
	}
	assert_true(d.range[idle].scan);
	for (unsigned n = 0; n < 20; n++) {
		cpu_write(n * 100);
		assert_int_equal(query(c, r, bitmap), 1);
	}
	assert_false(d.range[r].scan);
	assert_true(d.range[idle].scan);
	/* Ranges that share pages agree, also when the one that wanted scans goes. */
	int over = dirty_range_add(&d, 4100 * PAGE_SIZE, PAGE_SIZE);

	expect_all(c, over, 1);
	cpu_write(4100);
	expect(c, over, 1);
	assert_int_equal(dirty_range_remove(&d, idle), 0);
	cpu_write(4100);
	expect(c, over, 1);
	uint64_t faults = d.faults;

	cpu_write(4100);
	assert_int_equal(d.faults, faults + 1);
	expect(c, over, 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_large_range),
		TEST(test_translations_from_before_the_range),
		TEST(test_translations_from_within_the_range),
		TEST(test_query_of_a_full_log),
		TEST(test_auto_follows_the_range),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
