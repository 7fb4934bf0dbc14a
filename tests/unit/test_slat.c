/* Second-level tables against a naive model: one array element per guest frame. */
/* links: mm/slat.c mm/pt_format.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>

#include "mm/layout.h"
#include "mm/slat.h"
#include "tests/unit/random.h"
#include "tests/unit/fake_frames.h"

/* The model's window: 1.5 GiB of guest-physical space, at `base`. */
#define PAGES 393216u
#define GIB_PAGES 262144u

enum { PAGE_W = 1, PAGE_A = 2, PAGE_D = 4 };

static struct page {
	uint64_t hpa; /* 0: not mapped */
	uint8_t level, flags;
} model[PAGES];

static const struct pt_format *const formats[] = { &pt_ept, &pt_npt };
static uint64_t base;

static uint64_t gpa_of(uint64_t i)
{
	return base + i * PAGE_SIZE;
}

static uint64_t level_pages(unsigned level)
{
	return 1ull << (9 * (level - 1));
}

/* What the manuals' tables say a leaf of the guest's memory looks like (SDM vol. 3, tables 29-3 to 29-7; APM vol. 2, 5.3). */
static uint64_t entry_of(const struct slat *s, uint64_t hpa, unsigned level, unsigned flags)
{
	bool ept = s->format == &pt_ept;
	uint64_t e = hpa | (ept ? 0x35 : 0x5) | (level > 1 ? 0x80 : 0);

	e |= flags & PAGE_W ? 2 : 0;
	e |= flags & PAGE_A ? (ept ? 0x100 : 0x20) : 0;
	e |= flags & PAGE_D ? (ept ? 0x200 : 0x40) : 0;
	return e;
}

/* Counts tables, checks each entry's form; no table but the root may be empty. */
static size_t check_tables(const struct slat *s, uint64_t table, unsigned level)
{
	const uint64_t *e = (const uint64_t *)(uintptr_t)table;
	size_t tables = 1;
	unsigned used = 0;

	for (unsigned i = 0; i < 512; i++) {
		if (!e[i])
			continue;
		used++;
		assert_true(e[i] & s->format->present);
		if (level == 1 || (e[i] & 0x80))
			assert_true(level <= s->max_leaf && !(e[i] & PT_ADDR_MASK & (level_pages(level) * PAGE_SIZE - 1)));
		else {
			assert_int_equal(e[i] & ~PT_ADDR_MASK, 7);
			tables += check_tables(s, e[i] & PT_ADDR_MASK, level - 1);
		}
	}
	assert_true(used || level == 4);
	return tables;
}

static void check_page(const struct slat *s, uint64_t i)
{
	const struct page *p = &model[i];
	unsigned level = 9;
	uint64_t *e = slat_leaf(s, gpa_of(i) + i % PAGE_SIZE, &level), *region;

	if (!p->hpa) {
		assert_null(e);
		return;
	}
	assert_non_null(e);
	assert_int_equal(level, p->level);
	assert_ptr_equal(slat_leaf(s, gpa_of(i), NULL), e);
	region = slat_region((struct slat *)(uintptr_t)s, gpa_of(i));
	if (level == 1)
		assert_ptr_equal(&slat_region_table(s, region)[gpa_of(i) / PAGE_SIZE % 512], e);
	else
		assert_ptr_equal(region, level == 2 ? e : NULL);
	assert_true(*e == entry_of(s, p->hpa & ~(level_pages(level) * PAGE_SIZE - 1), level, p->flags));
}

/* A leaf's pages are alike in the model, so one of them, and each unmapped or small page, stands for all. */
static void check_all(const struct slat *s, bool sizes_known)
{
	size_t tables = check_tables(s, s->root, 4);

	assert_int_equal(tables, s->tables);
	assert_int_equal(fake_frames.held, tables);
	for (uint64_t i = 0; i < PAGES;) {
		struct page *p = &model[i];
		unsigned level;

		if (!sizes_known && p->hpa && slat_leaf(s, gpa_of(i), &level))
			for (uint64_t n = 0; n < level_pages(level); n++)
				p[n].level = (uint8_t)level;
		if (p->hpa || i % 512 == 0 || p[-1].hpa)
			check_page(s, i);
		i += p->hpa ? level_pages(p->level) : 1;
	}
}

/* ---- the model's operations */

static bool none_mapped(uint64_t i, uint64_t n)
{
	while (n--)
		if (model[i + n].hpa)
			return false;
	return true;
}

/* The largest leaf around page i that stays inside [from, from+n) and has its place in host memory aligned too. */
static unsigned best_level(const struct slat *s, uint64_t i, uint64_t from, uint64_t n, uint64_t hpa)
{
	unsigned level = s->max_leaf;

	for (; level > 1; level--) {
		uint64_t size = level_pages(level), gfn = gpa_of(i) / PAGE_SIZE, first = i - gfn % size;

		if (gfn % size <= i && first >= from && first + size <= from + n && hpa / PAGE_SIZE % size == gfn % size)
			break;
	}
	return level;
}

static void model_map(const struct slat *s, uint64_t from, uint64_t n, uint64_t hpa)
{
	for (uint64_t i = from; i < from + n; i++) {
		uint64_t at = hpa + (i - from) * PAGE_SIZE;

		model[i] = (struct page){ .hpa = at,
					  .level = (uint8_t)best_level(s, i, from, n, at),
					  .flags = PAGE_W | PAGE_A | PAGE_D };
	}
}

static void model_split(uint64_t i, unsigned from)
{
	uint64_t size = level_pages(from), first = i - gpa_of(i) / PAGE_SIZE % size;

	for (uint64_t n = 0; n < size; n++)
		model[first + n].level = (uint8_t)(from - 1);
}

static void model_edge(uint64_t i)
{
	while (i < PAGES && model[i].hpa && gpa_of(i) / PAGE_SIZE % level_pages(model[i].level))
		model_split(i, model[i].level);
}

static void model_merge(const struct slat *s, uint64_t i, unsigned level)
{
	uint64_t size = level_pages(level), step = level_pages(level - 1), first = i - gpa_of(i) / PAGE_SIZE % size;
	const struct page *p = &model[first];
	unsigned flags = 0;

	if (gpa_of(i) / PAGE_SIZE % size > i || first + size > PAGES || level > s->max_leaf || !p->hpa || p->hpa / PAGE_SIZE % size)
		return;
	for (uint64_t n = 0; n < size; n++) {
		if (p[n].hpa != p->hpa + n * PAGE_SIZE || p[n].level != level - 1 || (p[n].flags ^ p->flags) & PAGE_W)
			return;
		if (n % step == 0)
			flags |= p[n].flags;
	}
	for (uint64_t n = 0; n < size; n++) {
		model[first + n].level = (uint8_t)level;
		model[first + n].flags = (uint8_t)flags;
	}
}

/* ---- random operations on both */

static uint64_t random_size(struct rng *r)
{
	switch (rng_below(r, 8)) {
	case 0: return 1;
	case 1: return 512 * (1 + rng_below(r, 3));
	case 2: return rng_once_in(r, 8) ? GIB_PAGES : 512;
	case 3: return 1 + rng_below(r, 5000);
	default: return 1 + rng_below(r, 1200);
	}
}

static uint64_t random_page(struct rng *r)
{
	uint64_t i = rng_below(r, PAGES);

	switch (rng_below(r, 4)) {
	case 0: i &= ~(uint64_t)511; break;
	case 1: i = i / GIB_PAGES * GIB_PAGES; break;
	case 2: i = i % 4096; break;
	}
	return i;
}

static void op_map(struct slat *s, struct rng *r)
{
	uint64_t i = random_page(r), n = random_size(r), gfn = gpa_of(i) / PAGE_SIZE;
	/* Host memory at the same place in its 1 GiB, its 2 MiB, or neither. */
	uint64_t shift = rng_below(r, 8), hpa = ((uint64_t)(4 + rng_below(r, 60)) << 30) + (gfn % GIB_PAGES) * PAGE_SIZE;
	int e;

	hpa += shift == 1 ? LARGE_PAGE_SIZE * (1 + rng_below(r, 3)) : shift == 2 ? PAGE_SIZE * (1 + rng_below(r, 3)) : 0;
	if (n > 5000 && (shift == 2 || s->max_leaf == 1)) /* a gigabyte of small leaves takes too long */
		n = 5000;
	if (n > PAGES - i)
		n = PAGES - i;
	e = slat_map(s, gpa_of(i), hpa, n * PAGE_SIZE);
	if (!none_mapped(i, n)) {
		assert_int_equal(e, -EINVAL);
	} else if (!e) {
		model_map(s, i, n, hpa);
	} else {
		assert_int_equal(e, -ENOMEM);
		assert_true(fake_frames.failed);
	}
}

/* Returns whether leaf sizes are as the model says: a failed unmap may have split one edge. */
static bool op_unmap(struct slat *s, struct rng *r)
{
	uint64_t i = random_page(r), n = random_size(r);

	if (n > PAGES - i)
		n = PAGES - i;
	s->stale = false;
	int e = slat_unmap(s, gpa_of(i), n * PAGE_SIZE);

	if (e) {
		assert_int_equal(e, -ENOMEM);
		assert_true(fake_frames.failed);
		return false;
	}
	assert_true(s->stale || none_mapped(i, n));
	model_edge(i);
	model_edge(i + n);
	for (; n--; i++)
		model[i] = (struct page){ 0 };
	return true;
}

static bool op_split(struct slat *s, struct rng *r)
{
	uint64_t i = random_page(r), *leaf = slat_split(s, gpa_of(i));

	if (!leaf) {
		assert_true(!model[i].hpa || fake_frames.failed);
		return !model[i].hpa;
	}
	assert_true(model[i].hpa);
	while (model[i].level > 1)
		model_split(i, model[i].level);
	if (rng_once_in(r, 3)) {
		s->stale = false;
		slat_write_protect(s, leaf);
		assert_true(s->stale);
		model[i].flags &= (uint8_t)~PAGE_W;
	} else if (rng_once_in(r, 2)) {
		slat_write_allow(s, leaf);
		model[i].flags |= PAGE_W;
	}
	return true;
}

static void op_merge(struct slat *s, struct rng *r)
{
	uint64_t i = random_page(r), first = i & ~(uint64_t)511;
	size_t tables = s->tables;

	/* Rights equal again, as when a range leaves; else a merge would be rare. */
	if (rng_once_in(r, 2))
		for (uint64_t n = first; n < first + 512; n++) {
			unsigned level;
			uint64_t *leaf = slat_leaf(s, gpa_of(n), &level);

			if (leaf && level == 1) {
				slat_write_allow(s, leaf);
				model[n].flags |= PAGE_W;
			}
		}
	s->stale = false;
	slat_merge(s, gpa_of(i));
	assert_true(s->stale || s->tables == tables);
	model_merge(s, i, 2);
	model_merge(s, i, 3);
}

/* The tracker clears A and D, or the CPU uses a page: A, and D for a write. */
static void op_touch(struct slat *s, struct rng *r)
{
	uint64_t i = random_page(r), size;
	unsigned level, flags = PAGE_A | (rng_once_in(r, 2) ? PAGE_D : 0);
	uint64_t *leaf = slat_leaf(s, gpa_of(i), &level);
	bool clear = true;

	if (!leaf)
		return;
	if (rng_once_in(r, 2))
		*leaf &= ~(entry_of(s, 0, 1, PAGE_A | PAGE_D) & ~entry_of(s, 0, 1, 0));
	else
		clear = false;
	*leaf |= entry_of(s, 0, 1, flags) & ~entry_of(s, 0, 1, 0);
	size = level_pages(level);
	i -= gpa_of(i) / PAGE_SIZE % size;
	while (size--)
		model[i + size].flags = (uint8_t)((clear ? model[i + size].flags & PAGE_W : model[i + size].flags) | flags);
}

static void run(uint64_t seed, const struct pt_format *format, unsigned max_leaf, uint32_t fail_once_in, unsigned steps)
{
	struct rng r = rng_seed(seed);
	struct slat s;
	bool sizes_known = true;

	print_message("seed %llu %s max_leaf %u%s\n", (unsigned long long)seed, format->name, max_leaf,
		      fail_once_in ? " out of memory" : "");
	memset(model, 0, sizeof(model));
	base = rng_once_in(&r, 2) ? 0 : (1ull << 48) - (uint64_t)PAGES * PAGE_SIZE - (rng_once_in(&r, 2) ? 0 : 1ull << 40);
	base -= base % HUGE_PAGE_SIZE;
	fake_frames_reset();
	fake_frames.rng = rng_seed(~seed);
	assert_int_equal(slat_init(&s, format, max_leaf, true), 0);
	fake_frames.fail_once_in = fail_once_in;
	for (unsigned step = 0; step < steps; step++) {
		fake_frames.failed = 0;
		switch (rng_below(&r, 8)) {
		case 0: op_map(&s, &r); break;
		case 1: sizes_known &= op_unmap(&s, &r); break;
		case 2:
		case 3: sizes_known &= op_split(&s, &r); break;
		case 4:
		case 5: op_merge(&s, &r); break;
		default: op_touch(&s, &r); break;
		}
		if (!sizes_known || rng_once_in(&r, 64))
			check_all(&s, sizes_known);
		sizes_known = true;
	}
	check_all(&s, true);
	slat_destroy(&s);
	assert_int_equal(s.tables, 0);
	assert_int_equal(s.root, 0);
	assert_int_equal(fake_frames.held, 0);
	fake_frames.fail_once_in = 0;
}

static void test_against_model(void **state)
{
	(void)state;
	for (unsigned f = 0; f < 2; f++)
		for (unsigned max_leaf = 1; max_leaf <= 3; max_leaf++)
			for (uint64_t seed = 0; seed < 3; seed++)
				run(seed + 10 * max_leaf + 100 * f, formats[f], max_leaf, 0, 1500);
}

static void test_out_of_memory_at_random(void **state)
{
	(void)state;
	for (unsigned max_leaf = 1; max_leaf <= 3; max_leaf++)
		run(1000 + max_leaf, formats[max_leaf & 1], max_leaf, 6, 300);
}

/* ---- directed */

static void begin(struct slat *s, unsigned f, unsigned max_leaf)
{
	memset(model, 0, sizeof(model));
	base = 0;
	fake_frames_reset();
	assert_int_equal(slat_init(s, formats[f], max_leaf, true), 0);
}

static void end(struct slat *s)
{
	slat_destroy(s);
	assert_int_equal(fake_frames.held, 0);
}

static unsigned level_of(const struct slat *s, uint64_t gpa)
{
	unsigned level = 0;

	return slat_leaf(s, gpa, &level) ? level : 0;
}

static void test_bad_arguments(void **state)
{
	static const struct {
		uint64_t gpa, hpa, len;
	} bad[] = {
		{ 1, 0x100000, 0x1000 },
		{ 0, 0x100001, 0x1000 },
		{ 0, 0x100000, 0x1001 },
		{ 0xfffffffffffff000, 0x100000, 0x1000 },
		{ 0x1000, 0x100000, 0xfffffffffffff000 },
		{ 1ull << 48, 0x100000, 0x1000 },
		{ (1ull << 48) - 0x1000, 0x100000, 0x2000 },
		{ 0, 1ull << 52, 0x1000 }, /* would set bits that are no address */
		{ 0, (1ull << 52) - 0x1000, 0x2000 },
		{ 0, 0x8000000000000000, 0x1000 },
	};
	struct slat s;

	(void)state;
	begin(&s, 0, 3);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(slat_map(&s, bad[i].gpa, bad[i].hpa, bad[i].len), -EINVAL);
	for (size_t i = 0; i < 7; i++)
		if (i != 1)
			assert_int_equal(slat_unmap(&s, bad[i].gpa, bad[i].len), -EINVAL);
	assert_null(slat_leaf(&s, 1ull << 48, NULL));
	assert_null(slat_leaf(&s, ~0ull, NULL));
	assert_null(slat_split(&s, 1ull << 48));
	assert_null(slat_region(&s, 1ull << 48));
	slat_merge(&s, 1ull << 48);
	assert_int_equal(slat_map(&s, 0x1000, 0x1000, 0), 0);
	assert_int_equal(slat_unmap(&s, 0, 1ull << 48), 0);
	assert_int_equal(s.tables, 1);
	/* The last page there is, of both sides. */
	assert_int_equal(slat_map(&s, (1ull << 48) - 0x1000, (1ull << 52) - 0x1000, 0x1000), 0);
	assert_int_equal(level_of(&s, (1ull << 48) - 1), 1);
	end(&s);
}

static void test_overlap_changes_nothing(void **state)
{
	struct slat s;

	(void)state;
	begin(&s, 0, 3);
	assert_int_equal(slat_map(&s, HUGE_PAGE_SIZE, HUGE_PAGE_SIZE, HUGE_PAGE_SIZE), 0);
	assert_int_equal(slat_map(&s, HUGE_PAGE_SIZE + 0x5000, 0x1000, 0x1000), -EINVAL);
	assert_int_equal(slat_map(&s, HUGE_PAGE_SIZE - LARGE_PAGE_SIZE, 0x200000, 2 * LARGE_PAGE_SIZE), -EINVAL);
	assert_int_equal(level_of(&s, HUGE_PAGE_SIZE), 3);
	assert_int_equal(level_of(&s, HUGE_PAGE_SIZE - 1), 0);
	assert_int_equal(s.tables, 2);
	end(&s);
}

/* A bank that moves around must not leave its tables behind, and what it leaves can be mapped in large leaves again. */
static void test_unmap_leaves_no_tables(void **state)
{
	struct slat s;

	(void)state;
	begin(&s, 1, 3);
	for (uint64_t i = 0; i < 100; i++) {
		uint64_t gpa = (i * 0x123456789000) & 0x7fffffe00000;

		assert_int_equal(slat_map(&s, gpa, 0x40000000, 600 * PAGE_SIZE), 0);
		assert_non_null(slat_split(&s, gpa));
		for (uint64_t n = 0; n < 600; n++)
			assert_int_equal(slat_unmap(&s, gpa + (n * 7 % 600) * PAGE_SIZE, PAGE_SIZE), 0);
		assert_int_equal(s.tables, 1);
		assert_int_equal(slat_map(&s, gpa, 0x40000000, LARGE_PAGE_SIZE), 0);
		assert_int_equal(level_of(&s, gpa), 2);
		assert_int_equal(slat_unmap(&s, gpa, LARGE_PAGE_SIZE), 0);
	}
	end(&s);
}

/* An edge inside a 1 GiB leaf splits no more than it must. */
static void test_unmap_edge_of_huge_leaf(void **state)
{
	struct slat s;

	(void)state;
	begin(&s, 0, 3);
	assert_int_equal(slat_map(&s, 0, HUGE_PAGE_SIZE, HUGE_PAGE_SIZE), 0);
	assert_int_equal(slat_unmap(&s, 4 * LARGE_PAGE_SIZE, 8 * LARGE_PAGE_SIZE), 0);
	assert_int_equal(s.tables, 3);
	assert_int_equal(level_of(&s, 4 * LARGE_PAGE_SIZE - 1), 2);
	assert_int_equal(level_of(&s, 4 * LARGE_PAGE_SIZE), 0);
	assert_int_equal(level_of(&s, 12 * LARGE_PAGE_SIZE - 1), 0);
	assert_int_equal(level_of(&s, 12 * LARGE_PAGE_SIZE), 2);
	end(&s);
}

static void test_split_and_merge_huge(void **state)
{
	(void)state;
	for (unsigned f = 0; f < 2; f++) {
		struct slat s;
		uint64_t gpa = 2 * HUGE_PAGE_SIZE + 77 * LARGE_PAGE_SIZE + 5 * PAGE_SIZE, *leaf, d = formats[f]->dirty;

		begin(&s, f, 3);
		assert_int_equal(slat_map(&s, 2 * HUGE_PAGE_SIZE, 5 * HUGE_PAGE_SIZE, HUGE_PAGE_SIZE), 0);
		*slat_leaf(&s, gpa, NULL) &= ~d;
		leaf = slat_split(&s, gpa);
		assert_non_null(leaf);
		assert_int_equal(s.tables, 4);
		assert_true(*leaf == (entry_of(&s, 5 * HUGE_PAGE_SIZE + gpa - 2 * HUGE_PAGE_SIZE, 1, PAGE_W | PAGE_A)));
		assert_ptr_equal(slat_split(&s, gpa + 5), leaf);
		/* One page of other rights holds all of them. */
		slat_write_protect(&s, leaf);
		slat_merge(&s, gpa);
		assert_int_equal(level_of(&s, gpa), 1);
		slat_write_allow(&s, leaf);
		*leaf |= d;
		slat_merge(&s, gpa + LARGE_PAGE_SIZE); /* a neighbour, already whole: the 1 GiB is not */
		assert_int_equal(level_of(&s, gpa), 1);
		slat_merge(&s, gpa);
		assert_int_equal(level_of(&s, gpa), 3);
		assert_int_equal(s.tables, 2);
		assert_true(*slat_leaf(&s, gpa, NULL) == entry_of(&s, 5 * HUGE_PAGE_SIZE, 3, PAGE_W | PAGE_A | PAGE_D));
		end(&s);
	}
}

/* Splitting a 1 GiB leaf takes two tables. When the second is refused, a merge still makes it whole again. */
static void test_merge_after_half_a_split(void **state)
{
	struct slat s;

	(void)state;
	begin(&s, 0, 3);
	assert_int_equal(slat_map(&s, 0, 0x40000000, HUGE_PAGE_SIZE), 0);
	fake_frames.fail_at = 2;
	assert_null(slat_split(&s, 0x5000));
	assert_int_equal(level_of(&s, 0x5000), 2);
	slat_merge(&s, 0x5000);
	assert_int_equal(level_of(&s, 0x5000), 3);
	assert_int_equal(s.tables, 2);
	end(&s);
}

/* ---- each allocation refused in turn */

static int work(struct slat *s, unsigned step)
{
	switch (step) {
	case 0: return slat_map(s, 0x7f00000000, 0x140000000 - 3 * PAGE_SIZE, 5 * LARGE_PAGE_SIZE);
	case 1: return slat_map(s, 0x3fe00000 - PAGE_SIZE, 0x3fe00000 - PAGE_SIZE, 2 * HUGE_PAGE_SIZE);
	case 2: return slat_unmap(s, 0x40000000 + 3 * PAGE_SIZE, 5 * LARGE_PAGE_SIZE);
	default: return slat_split(s, 0x60000000) ? 0 : -ENOMEM;
	}
}

static void test_out_of_memory_at_each_site(void **state)
{
	(void)state;
	for (unsigned step = 0; step < 4; step++) {
		long n = 0;
		bool done = false;

		while (!done) {
			struct slat s;
			size_t tables;

			begin(&s, step & 1, 3);
			for (unsigned i = 0; i < step; i++)
				assert_int_equal(work(&s, i), 0);
			tables = s.tables;
			fake_frames.fail_at = ++n;
			done = !work(&s, step);
			fake_frames.fail_at = 0;
			assert_int_equal(check_tables(&s, s.root, 4), s.tables);
			assert_int_equal(fake_frames.held, s.tables);
			if (!done) { /* the same step works once there is memory: nothing was half done */
				if (step < 2)
					assert_int_equal(s.tables, tables);
				if (step == 2) /* refused at an edge: all is mapped still */
					for (uint64_t gpa = 0x40000000; gpa < 0x41000000; gpa += PAGE_SIZE)
						assert_int_equal(*slat_leaf(&s, gpa, NULL) & 7, 7);
				assert_int_equal(work(&s, step), 0);
			}
			end(&s);
		}
		assert_true(n > 1);
	}
	fake_frames.fail_at = 1;
	struct slat s;

	assert_int_equal(slat_init(&s, &pt_ept, 3, true), -ENOMEM);
	slat_destroy(&s);
	assert_int_equal(fake_frames.held, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_arguments),
		cmocka_unit_test(test_overlap_changes_nothing),
		cmocka_unit_test(test_unmap_leaves_no_tables),
		cmocka_unit_test(test_unmap_edge_of_huge_leaf),
		cmocka_unit_test(test_split_and_merge_huge),
		cmocka_unit_test(test_merge_after_half_a_split),
		cmocka_unit_test(test_out_of_memory_at_each_site),
		cmocka_unit_test(test_against_model),
		cmocka_unit_test(test_out_of_memory_at_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
