/* Remembered translations against the walker: one that is said to hold is what a walk finds, with nothing left to set. */
/* links: vmm/gva_memo.c vmm/guest_mem.c mm/walk.c mm/pt_format.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "mm/layout.h"
#include "tests/unit/random.h"
#include "vmm/gva_memo.h"
#include "vmm/guest_mem.h"

#define PAGES 32u /* the guest's memory: all of them may be tables */
#define HIGH 24u  /* pages from here on come and go */

static uint8_t *ram;
static struct guest_mem mem;
static struct gva_memo memo[GVA_MEMOS];

/* Stand in for the tracker and the shadow pager, which this guest has not. */
void dirty_mark(struct dirty *d, uint64_t gpa, uint64_t len)
{
	(void)d, (void)gpa, (void)len;
}

void shadow_written(struct shadow *s, uint64_t gpa, uint64_t len)
{
	(void)s, (void)gpa, (void)len;
}

static void add_memory(unsigned first, unsigned end)
{
	assert_int_equal(guest_mem_add(&mem, first * PAGE_SIZE, (end - first) * PAGE_SIZE, (uintptr_t)ram + first * PAGE_SIZE), 0);
}

static int setup(void **state)
{
	(void)state;
	if (!ram)
		ram = aligned_alloc(PAGE_SIZE, PAGES * PAGE_SIZE);
	memset(&mem, 0, sizeof(mem));
	memset(memo, 0, sizeof(memo));
	memset(ram, 0, PAGES * PAGE_SIZE);
	add_memory(0, HIGH);
	add_memory(HIGH, PAGES);
	return 0;
}

/* An entry that often leads on, and now and then anywhere. Only the first two of a table are used, and the last one. */
static void change_entry(struct rng *r, const struct pt_format *f)
{
	unsigned index = rng_below(r, 3), n = PAGE_SIZE / f->entry_size;
	uint8_t *at = ram + rng_below(r, PAGES) * PAGE_SIZE + (index == 2 ? n - 1 : index) * f->entry_size;
	uint64_t entry = (uint64_t)rng_below(r, PAGES) << PAGE_SHIFT | f->present | f->accessed | f->write | f->user;

	if (f == &pt_pae && rng_below(r, 2)) /* a PDPTE has neither rights nor A */
		entry &= ~(f->accessed | f->write | f->user);
	if (!rng_below(r, 8))
		entry ^= 1ull << rng_below(r, 12);
	if (!rng_below(r, 16) && f->nx)
		entry ^= f->nx;
	if (!rng_below(r, 16))
		entry = rng_next(r);
	memcpy(at, &entry, f->entry_size);
}

static uint64_t some_address(struct rng *r)
{
	uint64_t va = rng_below(r, PAGE_SIZE);

	for (unsigned shift = 12; shift < 48; shift++)
		if ((shift - 12) % 9 == 0 || (shift - 12) % 10 == 0)
			va |= (uint64_t)rng_below(r, 2) << shift;
	return rng_below(r, 8) ? va : ~va;
}

static void against_walks(void **state)
{
	const struct pt_format *const formats[] = { &pt_long4, &pt_pae, &pt_legacy32 };
	struct walk_mem tables = guest_mem_tables(&mem);
	struct walk_mode m = { .format = &pt_long4, .phys_bits = 40, .nxe = true, .page1g = true, .pse = true };
	static uint8_t before[PAGES * PAGE_SIZE];
	struct rng r = rng_seed(77);
	struct walk_access a = { 0 };
	uint64_t va[6], to = 0, pdpte[4] = { 0 };
	unsigned held = 0, kept = 0, high = 1;

	(void)state;
	for (unsigned i = 0; i < 6; i++)
		va[i] = some_address(&r);
	for (unsigned step = 0; step < 600000; step++) {
		struct walk_result found = { 0 };
		struct gva_memo *t;
		bool holds;
		int e;

		if (!rng_below(&r, 4)) { /* else the same once more */
			a = (struct walk_access){ .write = rng_below(&r, 2),
						  .user = !rng_below(&r, 4),
						  .fetch = !rng_below(&r, 3) };
			to = va[rng_below(&r, 6)];
		}
		t = gva_memo_of(memo, to, a);

		switch (rng_below(&r, 150)) {
		case 0:
		case 1:
		case 2: change_entry(&r, m.format ? m.format : &pt_long4); break;
		case 3: m.wp ^= 1; break;
		case 4: m.ac ^= 1; break;
		case 5: m.smap ^= !rng_below(&r, 4); break;
		case 6: m.smep ^= !rng_below(&r, 4); break;
		case 7: m.root = (uint64_t)rng_below(&r, 4) << PAGE_SHIFT; break;
		case 11: m.pdpte = m.format == &pt_pae && !m.pdpte ? pdpte : NULL; break;
		case 8: va[rng_below(&r, 6)] = some_address(&r); break;
		case 9:
			if (rng_below(&r, 16))
				break;
			if (high)
				assert_int_equal(guest_mem_remove(&mem, HIGH * PAGE_SIZE), 0);
			else
				add_memory(HIGH, PAGES);
			high = !high;
			break;
		case 10:
			if (rng_below(&r, 64))
				break;
			m.format = rng_below(&r, 8) ? formats[rng_below(&r, 3)] : NULL;
			m.nxe = rng_below(&r, 2);
			m.pse = rng_below(&r, 2);
			m.pdpte = m.format == &pt_pae && rng_below(&r, 2) ? pdpte : NULL;
			for (unsigned i = 0; i < 200; i++)
				change_entry(&r, m.format ? m.format : &pt_long4);
			break;
		}
		holds = gva_memo_holds(t, &mem, &m, to, a);
		if (holds)
			memcpy(before, ram, sizeof(before));
		e = guest_walk(&m, &tables, to, a, true, &found);
		if (holds) {
			assert_int_equal(e, 0);
			assert_true(found.gpa == (t->gpa | (to & PAGE_MASK)));
			assert_memory_equal(before, ram, sizeof(before));
			if (t->memory)
				assert_ptr_equal(t->memory, ram + t->gpa);
			held++;
		} else if (!e) {
			gva_memo_keep(t, &mem, &m, to, a, &found);
			kept++;
		}
	}
	assert_true(held > 20000);
	assert_true(kept > 20000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(against_walks, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
