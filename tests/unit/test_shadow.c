/*
 * Shadow paging and its dirty source against a CPU that keeps what it may (shadow_world.c) and a guest that edits its tables at
 * random: in all modes, through aliases, with and without flushes. A content oracle holds that no write is missed; the guest's own
 * tables say what each access must do.
 */
/* links: tests/unit/shadow_world.c mm/audit_shadow.c mm/shadow.c mm/shadow_fault.c mm/shadow_sync.c mm/shadow_dirty.c mm/walk.c mm/pt_format.c */
/* links: mm/dirty.c vmm/guest_mem.c */
#define _GNU_SOURCE
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/shadow_world.h"

/* ---- the guest: a few address spaces in each mode, whose tables lie in RAM and a few in VRAM */

#define G_P 1ull
#define G_W 2ull
#define G_U 4ull
#define G_A 0x20ull
#define G_D 0x40ull
#define G_PS 0x80ull
#define G_NX (1ull << 63)

#define SPACES 3u	/* in each mode */
#define DATA_FIRST 160u /* frames of RAM that are no tables */
#define AREA_FIRST 16u	/* the area: slots of 2 MiB from here on, of which the first pages are used */
#define AREA_SLOTS 6u
#define AREA_PAGES 10u
#define L1_TABLES 8u

static const struct pt_format *const modes[] = { &pt_long4, &pt_pae, &pt_legacy32, NULL };

static struct guest {
	const struct pt_format *format;
	uint64_t root[SPACES]; /* frames */
	uint64_t l2[SPACES];   /* the tables that hold the area */
	uint64_t l1[L1_TABLES];
} guests[3], *g;
static bool unflushed; /* entries changed since the last flush of all */
static uint64_t next_frame;

static unsigned entry_size(void)
{
	return g->format == &pt_legacy32 ? 4 : 8;
}

/* Straight into memory: only before the guest runs. */
static void put(uint64_t gfn, unsigned index, uint64_t entry)
{
	memcpy(world_frame(gfn) + index * entry_size(), &entry, entry_size());
}

static uint64_t random_rights(void)
{
	uint64_t e = 0;

	e |= rng_once_in(&w.rng, 10) ? 0 : G_P;
	e |= rng_once_in(&w.rng, 4) ? 0 : G_W;
	e |= rng_once_in(&w.rng, 3) ? 0 : G_U;
	e |= rng_once_in(&w.rng, 2) ? G_A : 0;
	e |= rng_once_in(&w.rng, 2) ? G_D : 0;
	if (g->format != &pt_legacy32 && rng_once_in(&w.rng, 8))
		e |= G_NX;
	return e;
}

static uint64_t random_leaf(void)
{
	uint64_t gfn = rng_below(&w.rng, 4) ? VRAM_GFN + rng_below(&w.rng, VRAM_FRAMES)
					    : DATA_FIRST + rng_below(&w.rng, RAM_FRAMES - DATA_FIRST);

	if (rng_once_in(&w.rng, 12))
		gfn = g->l1[rng_below(&w.rng, L1_TABLES)];
	if (rng_once_in(&w.rng, 40))
		gfn = 0x700; /* nothing is there */
	return gfn << 12 | random_rights();
}

/* An entry of the area in a table of level 2: mostly a table of leaves, sometimes a large page. */
static uint64_t random_pointer(void)
{
	bool large_ok = g->format != &pt_legacy32 || w.mode.pse;

	if (large_ok && rng_once_in(&w.rng, 4))
		return (rng_below(&w.rng, 3) ? (uint64_t)VRAM_GFN << 12 : 0) | G_PS | random_rights();
	return g->l1[rng_below(&w.rng, L1_TABLES)] << 12 | random_rights();
}

/* Linear addresses: the lowest memory maps RAM and VRAM one to one in large pages, so that the guest reaches its tables. */
static void build(struct guest *at, const struct pt_format *format)
{
	g = at;
	g->format = format;
	for (unsigned i = 0; i < L1_TABLES; i++) {
		g->l1[i] = i == 7 ? VRAM_GFN + VRAM_FRAMES - 1 - (uint64_t)(at - guests) : next_frame++;
		for (unsigned k = 0; k < AREA_PAGES; k++)
			put(g->l1[i], k, random_leaf());
	}
	for (unsigned s = 0; s < SPACES; s++) {
		uint64_t l4 = next_frame++, l3 = next_frame++, l2 = next_frame++;

		g->root[s] = format == &pt_long4 ? l4 : format == &pt_pae ? l3 : l2;
		g->l2[s] = l2;
		put(l4, 0, l3 << 12 | G_P | G_W | G_U);
		put(l3, 0, l2 << 12 | G_P | (format == &pt_pae ? 0 : G_W | G_U));
		if (format == &pt_legacy32) {
			put(l2, 0, G_P | G_W | G_PS);
			put(l2, 2, (uint64_t)VRAM_GFN << 12 | G_P | G_W | G_PS);
		} else {
			put(l2, 0, G_P | G_W | G_PS);
			put(l2, 4, (uint64_t)VRAM_GFN << 12 | G_P | G_W | G_PS);
		}
		for (unsigned k = 0; k < AREA_SLOTS; k++)
			put(l2, format == &pt_legacy32 ? AREA_FIRST / 2 + k / 2 : AREA_FIRST + k, random_pointer());
	}
}

static void flush(void)
{
	cpu_load_root();
	unflushed = false;
}

/* Another address space, and often other paging bits or another mode. */
static void switch_space(void)
{
	const struct pt_format *f = w.mode.format;

	if (rng_once_in(&w.rng, 3))
		f = modes[rng_below(&w.rng, 4)];
	if (rng_once_in(&w.rng, 3)) {
		w.mode.wp = rng_below(&w.rng, 3);
		w.mode.smep = rng_once_in(&w.rng, 3);
		w.mode.smap = rng_once_in(&w.rng, 3);
		w.mode.nxe = rng_below(&w.rng, 3);
	}
	w.mode.format = f;
	w.mode.pse = true; /* the one-to-one map needs it */
	if (f) {
		g = f == &pt_long4 ? &guests[0] : f == &pt_pae ? &guests[1] : &guests[2];
		w.mode.root = g->root[rng_below(&w.rng, SPACES)] << 12;
	}
	flush();
}

/* ---- accesses, against what the guest's tables say */

static uint64_t area_address(void)
{
	return (uint64_t)(AREA_FIRST + rng_below(&w.rng, AREA_SLOTS)) << 21 | rng_below(&w.rng, AREA_PAGES) << 12 |
	       (rng_next(&w.rng) & 0xff8);
}

static uint64_t area_or_flat(void)
{
	uint64_t frame = rng_below(&w.rng, 2) ? VRAM_GFN + rng_below(&w.rng, VRAM_FRAMES - 4) : DATA_FIRST + rng_below(&w.rng, 8);

	return rng_below(&w.rng, 3) && w.mode.format ? area_address() : frame << 12 | (rng_next(&w.rng) & 0xff8);
}

static bool is_table(uint64_t gfn)
{
	return gfn < DATA_FIRST || (gfn >= VRAM_GFN + VRAM_FRAMES - 3 && gfn < VRAM_GFN + VRAM_FRAMES);
}

static unsigned long accesses, compared;

static void access_once(void)
{
	struct walk_access a = { .write = rng_below(&w.rng, 2), .user = rng_below(&w.rng, 2) };
	uint64_t va = area_or_flat(), value = 0, expect_gpa = 0, gpa = 0;
	uint32_t expect_error = 0, error = 0;
	enum cpu_outcome expect, got;

	if (!a.write)
		a.fetch = rng_once_in(&w.rng, 4);
	w.mode.ac = rng_below(&w.rng, 2);
	a.implicit = !a.fetch && !a.write && rng_once_in(&w.rng, 8);
	expect = world_expect(va, a, &expect_error, &expect_gpa);
	/* Into a table only what a table may hold, so that the guest stays able to run. */
	if (a.write && is_table(expect_gpa >> 12))
		return;
	value = ((uint64_t)rng_next(&w.rng) << 32) | rng_next(&w.rng);
	if (a.write && unflushed)
		return; /* a stale translation could lead it into a table */
	got = cpu_access(va, a, 8, &value, &error, &gpa);
	accesses++;
	if (unflushed)
		return;
	if (got == CPU_DEVICE && a.implicit && !a.user && w.mode.smap)
		return; /* SMAP forbids it, but only a leaf could have told the CPU so */
	compared++;
	assert_int_equal(got, expect);
	if (got == CPU_FAULT)
		assert_int_equal(error, expect_error);
	else
		assert_int_equal(gpa, expect_gpa);
}

/* The guest writes a table entry, through its one-to-one map; or the VMM does, for the guest. */
static void edit(void)
{
	bool upper = rng_once_in(&w.rng, 3);
	unsigned k = rng_below(&w.rng, AREA_SLOTS),
		 index = upper ? (entry_size() == 4 ? AREA_FIRST / 2 + k / 2 : AREA_FIRST + k) : rng_below(&w.rng, AREA_PAGES);
	uint64_t table = upper ? g->l2[rng_below(&w.rng, SPACES)] : g->l1[rng_below(&w.rng, L1_TABLES)];
	uint64_t entry = upper ? random_pointer() : random_leaf(), at = (table << 12) + index * entry_size(), gpa;
	uint32_t error;

	if (rng_once_in(&w.rng, 8))
		assert_int_equal(guest_mem_write(&w.mem, at, &entry, entry_size()), 0);
	else
		assert_int_equal(cpu_access(at, (struct walk_access){ .write = true }, entry_size(), &entry, &error, &gpa),
				 CPU_DONE);
	unflushed = true;
	if (!upper && rng_once_in(&w.rng, 2))
		cpu_invlpg((uint64_t)(AREA_FIRST + rng_below(&w.rng, AREA_SLOTS)) << 21 | index << 12);
	if (rng_below(&w.rng, 3))
		flush();
}

/* One leaf, its table reached by exactly this address, is changed and only INVLPG told: from then on the new one holds. */
static void edit_one_address(void)
{
	uint64_t va = area_address(), entry, at, gpa;
	struct walk_access read = { .write = false };
	uint32_t error;
	unsigned slot = (unsigned)(va >> 21), index = va >> 12 & 511;
	uint64_t pointer = 0, l2 = w.mode.root >> 12;

	if (!w.mode.format || unflushed)
		return;
	for (unsigned s = 0; s < SPACES; s++)
		if (g->root[s] == w.mode.root >> 12)
			l2 = g->l2[s];
	memcpy(&pointer, world_frame(l2) + (entry_size() == 4 ? slot / 2 : slot) * entry_size(), entry_size());
	if (!(pointer & G_P) || (pointer & G_PS))
		return;
	at = (pointer & 0xffffff000) + (entry_size() == 4 ? (slot & 1) * 512 + index : index) * entry_size();
	(void)cpu_access(va, read, 8, &gpa, &error, &gpa); /* so that there is something to drop */
	entry = random_leaf();
	assert_int_equal(cpu_access(at, (struct walk_access){ .write = true }, entry_size(), &entry, &error, &gpa), CPU_DONE);
	cpu_invlpg(va);
	if (world_expect(va, read, &error, &gpa) == CPU_DONE) {
		uint64_t value, got;

		assert_int_equal(cpu_access(va, read, 8, &value, &error, &got), CPU_DONE);
		assert_int_equal(got, gpa);
	} else {
		uint64_t value;
		uint32_t want = error;
		enum cpu_outcome outcome = cpu_access(va, read, 8, &value, &error, &gpa);

		assert_int_not_equal(outcome, CPU_DONE);
		if (outcome == CPU_FAULT)
			assert_int_equal(error, want);
	}
	unflushed = true; /* other addresses that share the table */
	flush();
}

/* ---- the tracker, against content */

#define RANGES 5u
#define CONSUMERS 3u

static struct {
	int id;
	uint64_t gfn, pages;
	uint8_t copy[CONSUMERS][VRAM_FRAMES * PAGE_SIZE];
} ranges[RANGES];
static int consumers[CONSUMERS];
static unsigned long queries, reported, unchanged;

static void query(unsigned r, unsigned c)
{
	uint64_t bits[2] = { 0 };
	long n, counted = 0;

	if (ranges[r].id < 0)
		return;
	n = dirty_query(&w.dirty, consumers[c], ranges[r].id, bits, 2);
	assert_true(n >= 0);
	queries++;
	for (uint64_t i = 0; i < ranges[r].pages; i++) {
		const uint8_t *now = world_frame(ranges[r].gfn + i);
		uint8_t *copy = ranges[r].copy[c] + i * PAGE_SIZE;
		bool same = !memcmp(now, copy, PAGE_SIZE);

		if (!(bits[i / 64] >> i % 64 & 1)) {
			if (!same)
				fail_msg("range %u page %llu was written, and consumer %u is not told", r, (unsigned long long)i,
					 c);
			continue;
		}
		counted++;
		reported++;
		unchanged += same;
		memcpy(copy, now, PAGE_SIZE);
	}
	assert_int_equal(n, counted);
	if (rng_once_in(&w.rng, 16)) { /* it could not be delivered */
		memset(ranges[r].copy[c], 0xa5, ranges[r].pages * PAGE_SIZE);
		memset(bits, 0xff, sizeof(bits));
		assert_int_equal(dirty_put_back(&w.dirty, consumers[c], ranges[r].id, bits, 2), 0);
	}
}

static void change_range(unsigned r)
{
	uint64_t gfn = VRAM_GFN + rng_below(&w.rng, VRAM_FRAMES), pages = 1 + rng_below(&w.rng, VRAM_FRAMES);
	int e;

	if (gfn + pages > VRAM_GFN + VRAM_FRAMES)
		pages = VRAM_GFN + VRAM_FRAMES - gfn;
	if (ranges[r].id >= 0 && rng_once_in(&w.rng, 3)) {
		assert_int_equal(dirty_range_remove(&w.dirty, ranges[r].id), 0);
		ranges[r].id = -1;
		return;
	}
	e = ranges[r].id < 0 ? dirty_range_add(&w.dirty, gfn << 12, pages << 12)
			     : dirty_range_move(&w.dirty, ranges[r].id, gfn << 12, pages << 12);
	assert_true(e >= 0);
	if (ranges[r].id < 0)
		ranges[r].id = e;
	ranges[r].gfn = gfn;
	ranges[r].pages = pages;
	for (unsigned c = 0; c < CONSUMERS; c++)
		memset(ranges[r].copy[c], 0x5a, pages * PAGE_SIZE); /* the first query reports all */
}

/* VRAM leaves guest memory and comes back, as when a BAR moves. */
static void unplug(void)
{
	uint64_t gpa = (uint64_t)VRAM_GFN << 12, len = VRAM_FRAMES * PAGE_SIZE;
	int slot;

	for (unsigned r = 0; r < RANGES; r++)
		if (ranges[r].id >= 0) {
			assert_int_equal(dirty_range_remove(&w.dirty, ranges[r].id), 0);
			ranges[r].id = -1;
		}
	shadow_slot_removed(w.sh, guest_mem_slot_for_change(&w.mem, gpa));
	slot = guest_mem_remove(&w.mem, gpa);
	assert_int_equal(slot, 0);
	world_check();
	assert_int_equal(guest_mem_add(&w.mem, gpa, len, (uint64_t)(uintptr_t)w.vram), 0);
	assert_int_equal(shadow_slot_added(w.sh, guest_mem_slot_for_change(&w.mem, gpa)), 0);
	flush();
}

static void guests_begin(uint64_t seed, unsigned tables)
{
	world_begin(seed, tables);
	rng_fill(&w.rng, w.vram, VRAM_FRAMES * PAGE_SIZE);
	memset(ranges, 0, sizeof(ranges));
	next_frame = 8;
	w.mode.pse = true;
	for (unsigned i = 0; i < 3; i++) {
		for (unsigned k = 0; k < 3; k++)
			memset(world_frame(VRAM_GFN + VRAM_FRAMES - 1 - k), 0, PAGE_SIZE);
		build(&guests[i], modes[i]);
	}
	assert_true(next_frame <= DATA_FIRST);
	for (unsigned c = 0; c < CONSUMERS; c++)
		consumers[c] = dirty_consumer_add(&w.dirty);
	for (unsigned r = 0; r < RANGES; r++)
		ranges[r].id = -1;
	unflushed = false;
}

static struct shadow_counts last_counts;

static void random_life(uint64_t seed, unsigned long steps, unsigned tables)
{
	guests_begin(seed, tables);
	for (unsigned long i = 0; i < steps; i++) {
		switch (rng_below(&w.rng, 32)) {
		case 0 ... 1: switch_space(); break;
		case 2 ... 5: edit(); break;
		case 6: edit_one_address(); break;
		case 7 ... 8: query(rng_below(&w.rng, RANGES), rng_below(&w.rng, CONSUMERS)); break;
		case 9: rng_once_in(&w.rng, 4) ? change_range(rng_below(&w.rng, RANGES)) : flush(); break;
		case 10:
			rng_once_in(&w.rng, 400) ? unplug() : rng_once_in(&w.rng, 2000) ? shadow_clear(w.sh), flush() : (void)0;
			break;
		default: access_once(); break;
		}
		if (rng_once_in(&w.rng, 500))
			world_check();
	}
	for (unsigned r = 0; r < RANGES; r++)
		for (unsigned c = 0; c < CONSUMERS; c++)
			query(r, c);
	world_check();
	last_counts = *shadow_counters(w.sh);
	world_end();
}

static void test_random(void **state)
{
	unsigned long recycled = 0, unsyncs = 0, emulated = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 150; seed++) {
		random_life(seed, 20000, seed % 3 ? 400 : SHADOW_TABLES_MIN);
		emulated += w.emulated;
		recycled += last_counts.recycled;
		unsyncs += last_counts.unsyncs;
	}
	printf("seeds 1-150: %lu accesses, %lu compared, %lu emulated; %lu tables out of sync, %lu recycled; %lu queries, %lu "
	       "pages reported, "
	       "%lu of them unchanged\n",
	       accesses, compared, emulated, unsyncs, recycled, queries, reported, unchanged);
	assert_true(emulated && unsyncs > 1000 && recycled > 1000); /* the ways that matter were gone */
	assert_true(unchanged * 100 < reported);
}

/* ---- by hand */

static void write_at(uint64_t va)
{
	uint64_t value = rng_next(&w.rng), gpa;
	uint32_t error;

	assert_int_equal(cpu_access(va, (struct walk_access){ .write = true }, 8, &value, &error, &gpa), CPU_DONE);
}

static uint64_t read_at(uint64_t va)
{
	uint64_t value, gpa;
	uint32_t error;

	assert_int_equal(cpu_access(va, (struct walk_access){ .write = false }, 8, &value, &error, &gpa), CPU_DONE);
	return value;
}

#define ALL_RIGHTS (G_P | G_W | G_U | G_A | G_D)
#define HAND_L1 20u /* tables of leaves at these frames, for the linear addresses from 1 GiB on */
#define HAND_VA 0x40000000ull

/* Long mode: `tables` tables of leaves, all entries of which map one frame of VRAM. */
static void alias_begin(unsigned tables)
{
	world_begin(7, 400);
	g = &guests[0];
	g->format = &pt_long4;
	put(8, 0, 9ull << 12 | ALL_RIGHTS);
	put(9, 1, 10ull << 12 | ALL_RIGHTS);
	for (unsigned t = 0; t < tables; t++) {
		put(10, t, (uint64_t)(HAND_L1 + t) << 12 | ALL_RIGHTS);
		for (unsigned i = 0; i < 512; i++)
			put(HAND_L1 + t, i, ((uint64_t)VRAM_GFN + 5) << 12 | ALL_RIGHTS);
	}
	w.mode.format = &pt_long4;
	w.mode.root = 8 << 12;
	cpu_load_root();
}

/* DIRTY-VRAM, 10: two mappings or two thousand, the answer is exact. */
static void test_aliases_are_exact(void **state)
{
	uint64_t bits[1];
	int r, c;

	(void)state;
	alias_begin(4);
	for (unsigned i = 0; i < 2000; i++)
		read_at(HAND_VA + i * PAGE_SIZE);
	r = dirty_range_add(&w.dirty, (uint64_t)VRAM_GFN << 12, 8 << 12);
	c = dirty_consumer_add(&w.dirty);
	assert_int_equal(dirty_query(&w.dirty, c, r, bits, 1), 8);
	for (unsigned i = 0; i < 300; i++) {
		assert_int_equal(dirty_query(&w.dirty, c, r, bits, 1), 0);
		read_at(HAND_VA + rng_below(&w.rng, 2000) * PAGE_SIZE);
		assert_int_equal(dirty_query(&w.dirty, c, r, bits, 1), 0);
		write_at(HAND_VA + rng_below(&w.rng, 2000) * PAGE_SIZE);
		if (rng_once_in(&w.rng, 2))
			write_at(HAND_VA + rng_below(&w.rng, 2000) * PAGE_SIZE);
		assert_int_equal(dirty_query(&w.dirty, c, r, bits, 1), 1);
		assert_int_equal(bits[0], 1 << 5);
	}
	world_check();
	world_end();
}

/* A range keeps its past when the last mapping of a page goes, and hears of the next one (DIRTY-VRAM, 2, 4). */
static void test_last_mapping_goes(void **state)
{
	uint64_t bits[1], gone = 0;
	int r, c;

	(void)state;
	for (unsigned way = 0; way < 3; way++) {
		alias_begin(1);
		r = dirty_range_add(&w.dirty, (uint64_t)VRAM_GFN << 12, 8 << 12);
		c = dirty_consumer_add(&w.dirty);
		write_at(HAND_VA);
		assert_int_equal(dirty_query(&w.dirty, c, r, bits, 1), 8);
		write_at(HAND_VA);
		if (way == 0) { /* the guest takes it away */
			assert_int_equal(guest_mem_write(&w.mem, (uint64_t)HAND_L1 << 12, &gone, 8), 0);
			cpu_invlpg(HAND_VA);
		} else if (way == 1) { /* the table is recycled */
			shadow_clear(w.sh);
			cpu_load_root();
		} else { /* the guest takes the right to write, for the same frame */
			gone = ((uint64_t)VRAM_GFN + 5) << 12 | G_P | G_A | G_U;
			assert_int_equal(guest_mem_write(&w.mem, (uint64_t)HAND_L1 << 12, &gone, 8), 0);
			cpu_load_root();
		}
		assert_int_equal(dirty_query(&w.dirty, c, r, bits, 1), 1);
		assert_int_equal(bits[0], 1 << 5);
		write_at(HAND_VA + PAGE_SIZE);
		assert_int_equal(dirty_query(&w.dirty, c, r, bits, 1), 1);
		world_check();
		world_end();
	}
}

static void zap_one(void *table)
{
	shadow_zap(w.sh, *(uint32_t *)table);
}

/* DIRTY-VRAM, 5: what a recycled table costs does not grow with the ranges. */
static void test_recycling_does_not_look_at_ranges(void **state)
{
	uint64_t cost[2];

	(void)state;
	for (unsigned many = 0; many < 2; many++) {
		uint32_t n;

		alias_begin(1);
		for (unsigned i = 0; i < (many ? 100 : 0); i++)
			assert_true(dirty_range_add(&w.dirty, (VRAM_GFN + 8ull) << 12, (VRAM_FRAMES - 8) << 12) >= 0);
		write_at(HAND_VA);
		n = shadow_find(w.sh, HAND_L1, 0);
		assert_int_not_equal(n, 0);
		cost[many] = count_instructions(zap_one, &n);
		world_end();
	}
	printf("a table recycled: %llu instructions without a range, %llu with 100\n", (unsigned long long)cost[0],
	       (unsigned long long)cost[1]);
	assert_true(cost[1] < cost[0] + cost[0] / 8);
}

static int query_range, query_consumer;

static void query_one(void *bits)
{
	(void)dirty_query(&w.dirty, query_consumer, query_range, bits, 1);
}

/* A query with nothing dirty looks at tables, not at pages: however many leaves map the range. */
static void test_query_is_pruned(void **state)
{
	uint64_t bits[1], few, many;

	(void)state;
	alias_begin(1);
	query_range = dirty_range_add(&w.dirty, (uint64_t)VRAM_GFN << 12, 8 << 12);
	query_consumer = dirty_consumer_add(&w.dirty);
	read_at(HAND_VA);
	query_one(bits);
	few = count_instructions(query_one, bits);
	for (unsigned i = 0; i < 512; i++)
		read_at(HAND_VA + i * PAGE_SIZE);
	query_one(bits);
	many = count_instructions(query_one, bits);
	assert_int_equal(few, many);
	world_end();
}

/* After a query reads cost nothing, and writes to a table's pages one fault together: three, if the CPU kept the way to it. */
static void test_writes_open_a_table_once(void **state)
{
	uint64_t bits[1], before;

	(void)state;
	alias_begin(2);
	for (unsigned i = 0; i < 1024; i++)
		write_at(HAND_VA + i * PAGE_SIZE);
	query_range = dirty_range_add(&w.dirty, (uint64_t)VRAM_GFN << 12, 8 << 12);
	query_consumer = dirty_consumer_add(&w.dirty);
	for (unsigned round = 0; round < 50; round++) {
		query_one(bits);
		before = w.faults;
		for (unsigned i = 0; i < 1024; i++)
			read_at(HAND_VA + i * PAGE_SIZE);
		assert_int_equal(w.faults, before);
		for (unsigned i = 0; i < 512; i++)
			write_at(HAND_VA + i * PAGE_SIZE);
		assert_in_range(w.faults, before + 1, before + 3);
	}
	world_end();
}

/* The pool is bounded: a guest that makes tables without end only recycles its own. */
static void test_abandoned_tables(void **state)
{
	uint64_t bits[1];
	int r, c;

	(void)state;
	alias_begin(2);
	r = dirty_range_add(&w.dirty, (uint64_t)VRAM_GFN << 12, 8 << 12);
	c = dirty_consumer_add(&w.dirty);
	for (unsigned i = 0; i < 3000; i++) {
		uint64_t l1 = 32 + i % 100, pointer = l1 << 12 | ALL_RIGHTS;

		put(l1, 3, ((uint64_t)VRAM_GFN + i % 8) << 12 | ALL_RIGHTS);
		shadow_written(w.sh, l1 << 12, PAGE_SIZE);
		assert_int_equal(guest_mem_write(&w.mem, (10 << 12) + 8 * (2 + i % 400), &pointer, 8), 0);
		cpu_load_root();
		(void)dirty_query(&w.dirty, c, r, bits, 1);
		write_at(HAND_VA + (uint64_t)(2 + i % 400) * 0x200000 + 3 * PAGE_SIZE);
		assert_int_equal(dirty_query(&w.dirty, c, r, bits, 1), 1);
		assert_int_equal(bits[0], 1ull << i % 8);
	}
	world_check();
	world_end();
}

/* An emulator that sets A in PDPTEs, where it is reserved: it goes, and is told; what the entries lead to stays. */
static void test_pae_root_unmarked(void **state)
{
	uint64_t *pdpte, value;

	(void)state;
	world_begin(3, 64);
	w.mode = (struct walk_mode){ .format = NULL, .phys_bits = w.mode.phys_bits };
	cpu_load_root();
	pdpte = table_of(w.sh, 0) + 4;
	value = pdpte[0];
	assert_true(value & SPTE_P);
	assert_false(shadow_unmark_pae_root(w.sh));
	pdpte[0] |= SPTE_A;
	assert_true(shadow_unmark_pae_root(w.sh));
	assert_int_equal(pdpte[0], value);
	assert_false(shadow_unmark_pae_root(w.sh));
	world_end();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_aliases_are_exact),
		cmocka_unit_test(test_last_mapping_goes),
		cmocka_unit_test(test_recycling_does_not_look_at_ranges),
		cmocka_unit_test(test_query_is_pruned),
		cmocka_unit_test(test_writes_open_a_table_once),
		cmocka_unit_test(test_abandoned_tables),
		cmocka_unit_test(test_pae_root_unmarked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
