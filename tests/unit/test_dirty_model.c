/*
 * The dirty tracker under random operations, with each source, against a naive model (a byte for each page of each range and
 * consumer) and a content oracle: each consumer has a copy of each range that is updated only from pages reported, and must equal
 * memory after each query. A CPU that keeps stale translations does the writes (dirty_cpu.h). Reports are exact: a page that was
 * not written since the last query is in none, unless memory for a split was refused.
 */
/* links: mm/dirty.c mm/dirty_slat.c mm/dirty_pml.c mm/slat.c mm/pt_format.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "mm/dirty.h"
#include "mm/layout.h"
#include "mm/slat.h"
#include "tests/unit/random.h"
#include "tests/unit/fake_frames.h"
#include "tests/unit/dirty_cpu.h"

/* Guest memory: 1 GiB in one leaf where there are such, 4 MiB that host memory's alignment forces into 4 KiB leaves, then nothing.
 */
#define BIG 262144u
#define GFNS CPU_GFNS
#define HOST_BIG 0x400000000ull
#define HOST_SMALL 0x500001000ull

#define SCANNED (1u << 11) /* in a region's entry */
#define RANGES 40u	   /* live at once, at most */
#define MAX_PAGES 1100u
#define WORDS (MAX_PAGES / 64 + 2)

static const uint32_t zones[] = { 0, 300, 1500, BIG - 700, BIG + 500 }; /* where ranges are */
#define ZONES (sizeof(zones) / sizeof(zones[0]))

static struct slat s;
static struct dirty d;
static struct rng rng;

static uint32_t memory[GFNS]; /* a page's content is a number */
static struct range {
	bool live;
	uint32_t first, pages;
	uint8_t dirty[DIRTY_CONSUMERS][MAX_PAGES];
	uint32_t copy[DIRTY_CONSUMERS][MAX_PAGES];
} range[DIRTY_RANGES];
static bool consumer[DIRTY_CONSUMERS];
static unsigned top, live; /* ranges */
static bool remaps;	   /* this run maps memory anew under live ranges */
static uint64_t reported, writes, queries;

static uint64_t hpa_of(uint32_t gfn)
{
	return gfn < BIG ? HOST_BIG + gfn * PAGE_SIZE : HOST_SMALL + (gfn - BIG) * PAGE_SIZE;
}

/* ---- the model */

static void model_fill(struct range *m, unsigned c)
{
	for (uint32_t i = 0; i < m->pages; i++) {
		m->dirty[c][i] = 1;
		m->copy[c][i] = ~memory[m->first + i];
	}
}

static void model_place(int r, uint64_t gpa, uint64_t len)
{
	struct range *m = &range[r];

	m->live = true;
	m->first = (uint32_t)(gpa >> PAGE_SHIFT);
	m->pages = (uint32_t)((gpa + len - 1) >> PAGE_SHIFT) - m->first + 1;
	for (unsigned c = 0; c < DIRTY_CONSUMERS; c++)
		model_fill(m, c);
	if ((unsigned)r >= top)
		top = (unsigned)r + 1;
}

static void model_write(uint32_t gfn)
{
	memory[gfn]++;
	writes++;
	for (unsigned r = 0; r < top; r++)
		if (range[r].live && gfn >= range[r].first && gfn < range[r].first + range[r].pages)
			for (unsigned c = 0; c < DIRTY_CONSUMERS; c++)
				range[r].dirty[c][gfn - range[r].first] = 1;
}

static bool model_tracked(uint32_t gfn, uint32_t count)
{
	for (unsigned r = 0; r < top; r++)
		if (range[r].live && range[r].first < gfn + count && gfn < range[r].first + range[r].pages)
			return true;
	return false;
}

/* ---- checks */

static void check_bits(void)
{
	size_t frames = s.tables;

	dirty_harvest(&d, 0, GFNS * PAGE_SIZE);
	for (unsigned r = 0; r < DIRTY_RANGES; r++) {
		const struct dirty_range *t = &d.range[r];
		const struct range *m = &range[r];

		assert_int_equal(t->live, m->live);
		if (!m->live)
			continue;
		frames += t->frames;
		assert_int_equal(t->first, m->first);
		assert_int_equal(t->pages, m->pages);
		for (unsigned c = 0; c < DIRTY_CONSUMERS; c++) {
			const uint64_t *bits = t->bits + c * (t->words + t->sums);

			for (uint32_t i = 0, at = m->first % 64; consumer[c] && i < m->pages; i++, at++)
				assert_int_equal(bits[at / 64] >> at % 64 & 1, m->dirty[c][i]);
		}
	}
	assert_int_equal(fake_frames.held, frames);
}

/* The invariant: a page whose next write will not be noticed is dirty for all who track it. And none is armed in vain. */
static void check_page(uint32_t gfn, const uint64_t *leaf)
{
	const uint64_t *region = slat_region(&s, gfn * PAGE_SIZE);

	if (!(*leaf & s.format->write) || (d.log && !(*leaf & s.format->dirty))) {
		assert_true(model_tracked(gfn, 1));
		return;
	}
	if (slat_region_table(&s, region) && (*region & SCANNED)) {
		assert_true(!(*leaf & s.format->dirty)); /* after a harvest: none is hidden under a clear A */
		return;
	}
	for (unsigned r = 0; r < top; r++)
		if (range[r].live && gfn >= range[r].first && gfn < range[r].first + range[r].pages)
			for (unsigned c = 0; c < DIRTY_CONSUMERS; c++)
				assert_true(!consumer[c] || range[r].dirty[c][gfn - range[r].first]);
}

/* Leaves are small where a range is within the same 2 MiB, else as large as they began. */
static void check_leaves(void)
{
	dirty_harvest(&d, 0, GFNS * PAGE_SIZE);
	for (uint32_t gfn = 0; gfn < GFNS; gfn += 512) {
		unsigned level = 0, expected = s.max_leaf;
		bool tracked = model_tracked(gfn, 512);
		uint64_t *leaf = slat_leaf(&s, gfn * PAGE_SIZE, &level);

		if (expected == 3 && model_tracked(0, BIG))
			expected = 2;
		if (tracked || gfn >= BIG)
			expected = 1;
		assert_non_null(leaf);
		if (!remaps || !tracked)
			assert_int_equal(level, expected);
		if (level > 1) {
			check_page(gfn, leaf);
			continue;
		}
		for (uint32_t i = gfn; i < gfn + 512; i++) {
			leaf = slat_leaf(&s, i * PAGE_SIZE, &level);
			assert_int_equal(level, 1);
			assert_int_equal(*leaf & PT_ADDR_MASK, hpa_of(i));
			check_page(i, leaf);
		}
	}
}

/* ---- operations on both */

static uint32_t random_gfn(void)
{
	uint32_t r = rng_below(&rng, DIRTY_RANGES), gfn;

	if (top && rng_below(&rng, 16)) {
		const struct range *m = &range[r % top];

		if (m->live) {
			gfn = m->first + rng_below(&rng, m->pages < 24 || rng_once_in(&rng, 4) ? m->pages + 2 : 24);
			return gfn < GFNS ? gfn : GFNS - 1;
		}
	}
	gfn = zones[r % ZONES] + rng_below(&rng, 300);
	return gfn < GFNS ? gfn : GFNS - 1;
}

static void op_guest_write(void)
{
	uint32_t gfn = random_gfn();

	cpu_write(gfn);
	model_write(gfn);
}

static void op_mark(void)
{
	uint64_t gpa = random_gfn() * PAGE_SIZE + rng_below(&rng, PAGE_SIZE);
	uint64_t len = rng_below(&rng, rng_once_in(&rng, 4) ? 5 * PAGE_SIZE : 64);

	if (gpa + len > GFNS * PAGE_SIZE)
		len = GFNS * PAGE_SIZE - gpa;
	if (len)
		for (uint64_t gfn = gpa >> PAGE_SHIFT; gfn <= (gpa + len - 1) >> PAGE_SHIFT; gfn++)
			model_write((uint32_t)gfn);
	dirty_mark(&d, gpa, len);
}

static void put_back(int c, int r, const uint64_t *bitmap, size_t words)
{
	struct range *m = &range[r];
	uint64_t back[WORDS];

	for (size_t w = 0; w < words; w++)
		back[w] = bitmap[w] & ((uint64_t)rng_next(&rng) << 32 | rng_next(&rng));
	back[words - 1] |= rng_once_in(&rng, 2) ? ~0ull << 40 : 0; /* beyond the end, or pages that were not dirty */
	for (uint32_t i = 0; i < m->pages; i++)
		if (back[i / 64] >> i % 64 & 1) {
			m->dirty[c][i] = 1;
			m->copy[c][i] = ~memory[m->first + i]; /* never arrived */
		}
	assert_int_equal(dirty_put_back(&d, c, r, back, words), 0);
}

static void query(int c, int r)
{
	uint64_t bitmap[WORDS];
	const struct dirty_range *t = &d.range[r];
	struct range *m = &range[r];
	size_t room = (m->pages + 63) / 64 + rng_below(&rng, 2);
	long n, expected = 0;

	queries++;
	memset(bitmap, 0x77, sizeof(bitmap));
	if (!consumer[c] || !m->live) {
		assert_int_equal(dirty_query(&d, c, r, bitmap, WORDS), -ENOENT);
		assert_int_equal(dirty_put_back(&d, c, r, bitmap, WORDS), -ENOENT);
		return;
	}
	if (rng_once_in(&rng, 16))
		assert_int_equal(dirty_query(&d, c, r, bitmap, (m->pages + 63) / 64 - 1), -ENOSPC);
	fake_frames.failed = 0;
	n = dirty_query(&d, c, r, bitmap, room);
	if (!n)
		memset(bitmap, 0, sizeof(bitmap));
	for (uint32_t i = 0, at; i < room * 64; i++) {
		bool bit = bitmap[i / 64] >> i % 64 & 1;

		assert_int_equal(bit, i < m->pages && m->dirty[c][i]);
		if (!bit)
			continue;
		expected++;
		m->copy[c][i] = memory[m->first + i];
		at = i + m->first % 64;
		m->dirty[c][i] = t->bits[(unsigned)c * (t->words + t->sums) + at / 64] >> at % 64 & 1;
		assert_true(!m->dirty[c][i] || fake_frames.failed);
	}
	assert_int_equal(n, expected);
	assert_memory_equal(m->copy[c], &memory[m->first], m->pages * sizeof(memory[0]));
	reported += (uint64_t)n;
	if (rng_once_in(&rng, 12))
		put_back(c, r, bitmap, room);
}

static void op_query(void)
{
	query((int)rng_below(&rng, DIRTY_CONSUMERS), (int)rng_below(&rng, top + 1));
}

/* A program that repaints a range picture after picture, or moves a cursor on it; someone shows it. */
static void op_show(void)
{
	int c = (int)rng_below(&rng, DIRTY_CONSUMERS), r = (int)rng_below(&rng, top + 1);
	const struct range *m = &range[r];
	bool all = rng_once_in(&rng, 2);

	if (!m->live || !consumer[c])
		return;
	for (unsigned picture = 0; picture < 6; picture++) {
		for (uint32_t i = 0; i < (all ? m->pages : 1); i++) {
			uint32_t gfn = m->first + (all ? i : rng_below(&rng, m->pages));

			cpu_write(gfn);
			model_write(gfn);
		}
		query(c, r);
	}
}

/* All is written while nobody asks: more than a page of the log. */
static void op_silence(void)
{
	for (unsigned r = 0; r < top; r++)
		for (uint32_t i = 0; range[r].live && i < range[r].pages; i++) {
			cpu_write(range[r].first + i);
			model_write(range[r].first + i);
		}
}

static void random_place(uint64_t *gpa, uint64_t *len)
{
	uint64_t pages = rng_once_in(&rng, 40) ? rng_below(&rng, MAX_PAGES - 1) : rng_below(&rng, rng_once_in(&rng, 4) ? 150 : 20);

	*gpa = (zones[rng_below(&rng, ZONES)] + rng_below(&rng, 300)) * PAGE_SIZE + rng_below(&rng, PAGE_SIZE);
	*len = pages * PAGE_SIZE + rng_below(&rng, PAGE_SIZE) + 1;
}

static void op_range(void)
{
	uint64_t gpa, len;
	int r = (int)rng_below(&rng, top + 1), e, first_free = 0;

	random_place(&gpa, &len);
	fake_frames.failed = 0;
	if (rng_once_in(&rng, 3)) {
		e = dirty_range_remove(&d, r);
		assert_int_equal(e, range[r].live ? 0 : -ENOENT);
		live -= range[r].live;
		range[r].live = false;
		return;
	}
	if (live >= RANGES || rng_once_in(&rng, 2)) {
		e = dirty_range_move(&d, r, gpa, len);
		if (!range[r].live) {
			assert_int_equal(e, -ENOENT);
			return;
		}
	} else {
		while (range[first_free].live)
			first_free++;
		e = r = dirty_range_add(&d, gpa, len);
	}
	if (gpa + len > GFNS * PAGE_SIZE) {
		assert_int_equal(e, -EFAULT);
	} else if (e == -ENOMEM) {
		assert_true(fake_frames.failed);
	} else {
		assert_true(e >= 0);
		live += !range[r].live;
		model_place(r, gpa, len);
	}
}

static void op_consumer(void)
{
	int c = (int)rng_below(&rng, DIRTY_CONSUMERS);

	if (rng_once_in(&rng, 2)) {
		assert_int_equal(dirty_consumer_remove(&d, c), consumer[c] ? 0 : -ENOENT);
		consumer[c] = false;
		return;
	}
	c = dirty_consumer_add(&d);
	if (c < 0) {
		assert_int_equal(c, -ENOSPC);
		for (c = 0; c < DIRTY_CONSUMERS; c++)
			assert_true(consumer[c]);
		return;
	}
	assert_false(consumer[c]);
	consumer[c] = true;
	for (unsigned r = 0; r < top; r++)
		if (range[r].live)
			model_fill(&range[r], (unsigned)c);
}

/* The 2 MiB around a page are taken away and mapped again, with other content: as when a device's memory moves off and back. */
static void op_remap(void)
{
	uint32_t fail_once_in = fake_frames.fail_once_in, gfn = random_gfn() & ~511u;

	if (gfn >= BIG)
		return;
	fake_frames.fail_once_in = 0;
	dirty_harvest(&d, gfn * PAGE_SIZE, LARGE_PAGE_SIZE);
	assert_int_equal(slat_unmap(&s, gfn * PAGE_SIZE, LARGE_PAGE_SIZE), 0);
	assert_false(dirty_write_fault(&d, gfn * PAGE_SIZE));
	assert_int_equal(slat_map(&s, gfn * PAGE_SIZE, hpa_of(gfn), LARGE_PAGE_SIZE), 0);
	dirty_mark(&d, gfn * PAGE_SIZE, LARGE_PAGE_SIZE);
	for (uint32_t i = 0; i < 512; i++)
		model_write(gfn + i);
	if (!model_tracked(gfn, 512))
		slat_merge(&s, gfn * PAGE_SIZE);
	fake_frames.fail_once_in = fail_once_in;
}

static void begin(uint64_t seed, const struct dirty_source *source, const struct pt_format *format, unsigned max_leaf)
{
	memset(range, 0, sizeof(range));
	memset(consumer, 0, sizeof(consumer));
	top = live = 0;
	remaps = false;
	reported = writes = queries = 0;
	rng = rng_seed(seed);
	fake_frames_reset();
	fake_frames.rng = rng_seed(~seed);
	assert_int_equal(slat_init(&s, format, max_leaf, true), 0);
	assert_int_equal(slat_map(&s, 0, HOST_BIG, BIG * PAGE_SIZE), 0);
	assert_int_equal(slat_map(&s, BIG * PAGE_SIZE, HOST_SMALL, (GFNS - BIG) * PAGE_SIZE), 0);
	dirty_init(&d, source, &s);
	cpu_begin(&s, &d, seed + 1000);
}

static void end(size_t tables)
{
	fake_frames.fail_once_in = 0;
	for (int r = 0; r < DIRTY_RANGES; r++) {
		dirty_range_remove(&d, r);
		range[r].live = false;
	}
	check_leaves();
	assert_int_equal(s.tables, tables);
	assert_int_equal(fake_frames.held, tables);
	slat_destroy(&s);
	assert_int_equal(fake_frames.held, 0);
}

static void run(uint64_t seed, const struct dirty_source *source, const struct pt_format *format, unsigned max_leaf,
		uint32_t fail_once_in, bool with_remaps, unsigned steps)
{
	size_t tables;
	unsigned changes = 0;

	begin(seed, source, format, max_leaf);
	tables = s.tables;
	remaps = with_remaps;
	fake_frames.fail_once_in = fail_once_in;
	print_message("seed %llu %s %s max_leaf %u, memory refused once in %u%s\n", (unsigned long long)seed, source->name,
		      format->name, max_leaf, fail_once_in, remaps ? ", remaps" : "");
	for (unsigned step = 0; step < steps; step++) {
		unsigned what = rng_below(&rng, 1024);
		bool change = what < 24;

		if (what < 16)
			op_range();
		else if (what < 20)
			op_consumer();
		else if (what < 24 && remaps)
			op_remap();
		else if (what < 100)
			op_mark();
		else if (what < 300)
			op_query();
		else if (what < 303)
			op_show();
		else if (what < 304 && rng_once_in(&rng, 8))
			op_silence();
		else if (what < 400)
			cpu_read(random_gfn());
		else
			op_guest_write();
		changes += change;
		if (change && changes % 32 == 0)
			check_bits();
		if (change && changes % 256 == 0)
			check_leaves();
	}
	check_bits();
	check_leaves();
	assert_int_equal(d.faults, cpu.faults);
	assert_int_equal(d.reported, reported);
	assert_true(reported > steps / 10 && cpu.flushes > steps / 100);
	/* Each source did its own work. No stale translation stopped a write: rights come back with a flush, or by the fault. */
	assert_true(source == &dirty_pml || source == &dirty_dbit || cpu.faults > steps / 50);
	assert_true(source != &dirty_pml || remaps || !cpu.faults);
	assert_true(source != &dirty_pml || fail_once_in || cpu.log_exits);
	assert_true(source == &dirty_pml || source == &dirty_fault || d.scans > steps / 1000);
	assert_true(source != &dirty_auto || d.switches > steps / 10000);
	assert_int_equal(cpu.stale_faults, 0);
	print_message("  %llu writes, %llu faults and %llu stale, log full %llu, %llu scans, %llu switches, %llu flushes, "
		      "%llu queries, %llu pages reported\n",
		      (unsigned long long)writes, (unsigned long long)cpu.faults, (unsigned long long)cpu.stale_faults,
		      (unsigned long long)cpu.log_exits, (unsigned long long)d.scans, (unsigned long long)d.switches,
		      (unsigned long long)cpu.flushes, (unsigned long long)queries, (unsigned long long)reported);
	end(tables);
}

static const struct dirty_source *const sources[] = { &dirty_fault, &dirty_dbit, &dirty_pml, &dirty_auto };
#define SOURCES (sizeof(sources) / sizeof(sources[0]))

static void test_against_model(void **state)
{
	(void)state;
	for (uint64_t seed = 0; seed < 3 * SOURCES; seed++)
		run(seed, sources[seed % SOURCES], seed / SOURCES & 1 ? &pt_npt : &pt_ept, 1 + (unsigned)(seed + 2) % 3, 0, false,
		    200000);
}

static void test_out_of_memory_at_random(void **state)
{
	(void)state;
	for (uint64_t seed = 20; seed < 20 + 2 * SOURCES; seed++)
		run(seed, sources[seed % SOURCES], seed & 4 ? &pt_npt : &pt_ept, 2 + (unsigned)(seed / 4) % 2, 4, false, 60000);
}

static void test_memory_mapped_anew(void **state)
{
	(void)state;
	for (uint64_t seed = 40; seed < 40 + 2 * SOURCES; seed++)
		run(seed, sources[seed % SOURCES], seed & 4 ? &pt_npt : &pt_ept, 2 + (unsigned)seed % 2, seed & 4 ? 2 : 0, true,
		    60000);
}

/* With one range and one consumer, and whatever the source: a page is reported if and only if it was written since the last query.
 */
static void test_reports_are_exact(void **state)
{
	static bool written[2025];
	uint64_t bitmap[32], pages = 0;
	int c, r;

	(void)state;
	for (unsigned i = 0; i < SOURCES; i++, pages = 0) {
		begin(99 + i, sources[i], &pt_ept, 3);
		c = dirty_consumer_add(&d);
		r = dirty_range_add(&d, 5 * PAGE_SIZE, 2025 * PAGE_SIZE);
		assert_int_equal(dirty_query(&d, c, r, bitmap, 32), 2025);
		for (unsigned round = 0; round < 1500; round++) {
			unsigned n = rng_below(&rng, round % 40 < 30 ? 16 : 2000);

			memset(written, 0, sizeof(written));
			for (unsigned w = 0; w < n; w++) {
				uint32_t page = rng_below(&rng, 2025);

				cpu_write(5 + page);
				pages += !written[page];
				written[page] = true;
			}
			if (!dirty_query(&d, c, r, bitmap, 32))
				memset(bitmap, 0, sizeof(bitmap));
			for (unsigned p = 0; p < 2025; p++)
				assert_int_equal(bitmap[p / 64] >> p % 64 & 1, written[p]);
		}
		assert_int_equal(d.reported, 2025 + pages);
		assert_int_equal(d.faults, cpu.faults);
		if (sources[i] == &dirty_fault)
			assert_int_equal(d.faults, pages);
		else if (sources[i] == &dirty_auto) /* four dense queries, then scans; each time anew */
			assert_in_range(d.faults, 1, pages / 2);
		else
			assert_int_equal(d.faults, 0);
		end(s.tables - 5);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_out_of_memory_at_random),
		cmocka_unit_test(test_memory_mapped_anew),
		cmocka_unit_test(test_reports_are_exact),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
