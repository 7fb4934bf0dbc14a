/* Accesses that lie across two pages, and strings that fault midway. */
#include "guest-tests/pagewalk/tree.h"

#define PAGES 4

/* Pages that follow each other in the window map frames that do not. */
static uint64_t page_va(unsigned page)
{
	return tree_va(0, DATA + page);
}

static uint64_t frame_entry(unsigned page, uint64_t flags)
{
	static const unsigned frame[PAGES] = { HIGH_DATA + 2, DATA + 9, HIGH_DATA, DATA + 4 };

	return frame_pa(frame[page]) | flags;
}

static bool begin(const struct config *c, uint64_t cr4)
{
	if (!tree_begin(c, CR0_WP, cr4))
		return false;
	for (unsigned i = 0; i < PAGES; i++)
		tree_set(page_va(i), 1, frame_entry(i, FULL));
	return true;
}

static void set(unsigned page, uint64_t flags)
{
	script_poke_entry(tree_entry(page_va(page), 1), flags & PTE_P ? frame_entry(page, flags) : flags);
	script_invlpg(page_va(page));
}

static const enum kind widths[] = { READ2, READ4, READ8, WRITE2, WRITE4, WRITE8 };

static unsigned width(enum kind kind)
{
	return kind == READ2 || kind == WRITE2 ? 2 : kind == READ4 || kind == WRITE4 ? 4 : 8;
}

/* One access at each offset over the boundary between pages 0 and 1. */
static void try_crossing(enum kind kind, uint32_t flags, bool repair)
{
	for (unsigned k = 1; k < width(kind); k++) {
		uint64_t va = page_va(1) - k;
		bool first = script_foresee(READ1, va, flags) == FAULTS || script_foresee(WRITE1, va, flags) == FAULTS;
		bool second = script_foresee(READ1, va + k, flags) == FAULTS || script_foresee(WRITE1, va + k, flags) == FAULTS;
		if (first && second && !repair)
			continue; /* which page's fault comes first is not said */
		if (repair) {
			if (script_foresee(kind, va, flags) != FAULTS)
				return;
			if (first && second)
				continue;
			script_repair(tree_entry(page_va(first ? 0 : 1), 1), frame_entry(first ? 0 : 1, FULL));
		}
		script_access(kind, va, 0xb8b6b4b2b0aeacaaull, flags);
		script_access(READ4, tree_entry(page_va(0), 1), 0, BY_KERNEL);
		script_access(READ4, tree_entry(page_va(1), 1), 0, BY_KERNEL);
		if (repair)
			return;
	}
}

void test_cross(const struct config *c)
{
	static const uint64_t rights[] = { FULL, FULL & ~PTE_W, FULL & ~PTE_U, FULL & ~PTE_P };

	if (!begin(c, 0))
		return;
	for (unsigned pair = 0; pair < 16; pair++)
		for (unsigned k = 0; k < sizeof(widths) / sizeof(widths[0]); k++) {
			uint32_t flags = k & 1 ? BY_USER : BY_KERNEL;
			if (width(widths[k]) == 8 && model_paging() != PAGING_LONG)
				continue;
			set(0, rights[pair / 4]);
			set(1, rights[pair % 4]);
			try_crossing(widths[k], flags, false);
			try_crossing(widths[k], flags ^ OPF_USER, false);
			try_crossing(widths[k], flags, true);
		}
	script_run();
}

/* A string over pages 0 to 2 of which one or two fault. */
static void try_string(enum kind kind, unsigned hole, uint64_t flags, unsigned repairs, uint32_t by)
{
	const unsigned size = kind == STOS1 || kind == MOVS1 ? 1 : 4, head = 4 * (1 + prng_below(&prng, 5));
	const unsigned tail = 4 * (1 + prng_below(&prng, 5)), count = (head + (size == 4 ? 4096 : 0) + tail) / size;
	const uint64_t source = tree_va(1, DATA + 6) + 0x100, short_source = page_va(3) - head;

	for (unsigned i = 0; i < PAGES; i++)
		set(i, i == hole || (repairs == 2 && i == hole + 1) ? flags : FULL);
	for (unsigned i = 0; i < repairs; i++)
		script_repair(tree_entry(page_va(hole + i), 1), frame_entry(hole + i, FULL));
	if (kind == STOS1 || kind == STOS4) {
		script_string(kind, page_va(size == 4 || !hole ? 1 : hole) - head, 0, count, 0x92949698, by);
	} else if (hole == 3) { /* from a source that ends in the hole */
		script_string(kind, page_va(0) + 0x300, short_source, (head + tail) / size, 0, by);
	} else {
		script_string(kind, page_va(1) - tail, source, 400 / size, 0, by);
	}
	for (unsigned i = 0; i < PAGES; i++)
		script_access(READ4, tree_entry(page_va(i), 1), 0, BY_KERNEL);
}

void test_string(const struct config *c)
{
	static const uint64_t rights[] = { FULL & ~PTE_P, FULL & ~PTE_W, FULL & ~PTE_U };

	if (!begin(c, 0))
		return;
	tree_map(tree_va(1, DATA + 6), 1, FULL);
	for (enum kind kind = STOS1; kind <= MOVS4; kind++)
		for (unsigned hole = 0; hole < PAGES; hole++)
			for (unsigned i = 0; i < 3; i++)
				for (unsigned repairs = 0; repairs < (hole == 1 ? 3 : 2); repairs++)
					try_string(kind, hole, rights[i], repairs, i & 1 || hole & 1 ? BY_USER : BY_KERNEL);
	script_run();
}
