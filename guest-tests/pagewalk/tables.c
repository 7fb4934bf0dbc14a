/* Tables that are edited through the mappings they make, shared, or used as data in between. */
#include "guest-tests/pagewalk/tree.h"

#define CODE_OFFSET 0xe00 /* mov [rdi], eax; ret */

static uint64_t va, leaf, upper;   /* the page under test and its entries */
static uint64_t alias, next_alias; /* two pages after each other, which show its table and another one */

static void look(void)
{
	script_access(READ4, va, 0, BY_USER);
	script_access(WRITE4, va + 8, prng_next(&prng) & 0xfefefefe, BY_USER);
	script_access(WRITE2, va + 16, 0x2222, BY_KERNEL);
	script_access(EXEC, va + FRAME_CODE, 0, BY_USER);
	tree_show(va);
}

static void edited(bool flush)
{
	if (flush)
		script_flush();
	else
		script_invlpg(va);
	look();
}

/* Every kind of store to the leaf's entry, seen at `at`. */
static void try_stores(uint64_t at, uint32_t by)
{
	const uint64_t page = tree_leaf(va, 1, 0), source = tree_va(1, DATA + 6);
	static const uint8_t flags[] = { 0x05, 0x07, 0x00, 0x03, 0x27, 0x65, 0x67 };

	for (unsigned i = 0; i < sizeof(flags); i++) {
		script_access(WRITE1, at, flags[i], by);
		edited(i & 1);
		script_access(WRITE2, at, ((page + 4096 * (i & 1)) & 0xf000) | flags[sizeof(flags) - 1 - i], by);
		edited(false);
		script_access(WRITE4, at, (page + 4096 * (i % 3)) | flags[i], by);
		edited(i & 2);
		if (model_paging() == PAGING_LONG) {
			script_access(WRITE8, at, (page + 4096 * (i % 3)) | flags[i] | 7, by);
			edited(false);
		}
	}
	script_access(WRITE4, at, page | FULL, by);
	edited(true);
	script_access(BTR, at, 0, by);
	edited(false);
	script_access(BTS, at, 0, by); /* only adds: no flush */
	look();
	script_access(AND4, at, 0xffffffff & ~(uint32_t)(PTE_A | PTE_D), by);
	edited(false);
	script_access(XADD4, at, 0x1000, by);
	edited(false);
	script_exchange(CMPXCHG4, at, model_read(leaf, 4, NULL), page | FULL, by);
	edited(true);
	script_string(STOS4, at, 0, 1, page | FULL | PTE_A, by);
	edited(false);
	script_string(STOS1, at, 0, 1, 0x05, by);
	edited(false);
	script_access(WRITE4, source, page | FULL | PTE_D, BY_USER);
	script_string(MOVS4, at, source, 1, 0, by);
	edited(false);
	script_string(MOVS1, at, source, 4, 0, by);
	edited(true);
}

/* A store that goes from one table into the next: the last entry of va's, the first of another. */
static void try_straddle(uint64_t last, uint64_t first, uint32_t by)
{
	uint64_t low = model_read(tree_entry(last, 1) & ~7ull, 8, NULL), high = model_read(tree_entry(first, 1), 8, NULL);

	if (model_entry_size() == 4)
		low = model_read(tree_entry(last, 1), 4, NULL) << 32;
	for (unsigned i = 0; i < 4; i++) { /* one byte before the boundary, three behind it, or two and two */
		unsigned before = 1 + i % 2;
		uint64_t flags = i & 2 ? 0x05 : 0x67, value;
		value = (low >> (64 - 8 * before)) | ((high & ~0xffull) | flags) << 8 * before;
		script_access(WRITE4, next_alias - before, value, by);
		script_invlpg(last);
		script_invlpg(first);
		script_access(READ4, first, 0, BY_USER);
		script_access(WRITE4, first, 0x66666666, BY_USER);
		script_access(READ4, last, 0, BY_KERNEL);
		tree_show(first);
	}
}

/* Code whose own page the edited table maps edits its own entry; what it runs on stays as it was. */
static void try_own_code(void)
{
	for (unsigned i = 0; i < 8; i++) {
		struct access a = { .va = va + CODE_OFFSET, .fetch = true };
		uint32_t entry =
			(uint32_t)tree_leaf(va, 1, PTE_P | (i & 1 ? PTE_W : 0) | (i & 2 ? PTE_U : 0) | (i & 4 ? PTE_G : 0));
		struct op o = { .di = leaf, .ax = entry };
		struct outcome out[OUTCOMES];
		script_invlpg(va);
		if (model_walk(&a, out) != 1 || out[0].fault)
			return;
		script_raw((void (*)(void))(va + CODE_OFFSET), &o, -1, 0, 0, "own code");
		model_used(&out[0], false, true);
		model_write(leaf, 4, entry);
		model_loosen(leaf, PTE_A); /* it may have been looked up again for the next instruction */
		edited(false);
	}
	script_poke_entry(leaf, tree_leaf(va, 1, FULL));
	script_flush();
}

/* The table goes out of use, is data for a while, and comes back. */
static void try_data(uint32_t by)
{
	uint64_t table = model_read(upper, model_entry_size(), NULL) | PTE_P;

	for (unsigned i = 0; i < 3; i++) {
		script_poke_entry(upper, i & 1 ? 0 : frame_pa(DATA + 7) | FULL); /* data as a table: all of it not present */
		edited(true);
		script_access(WRITE4, alias + (leaf & 4095), 0x24242424, by);
		script_access(WRITE4, alias + 2048, 0x26262626, by);
		edited(false);
		script_access(WRITE4, alias + (leaf & 4095), tree_leaf(va, 1, FULL), by);
		if (model_entry_size() == 8)
			script_access(WRITE4, alias + (leaf & 4095) + 4, 0, by);
		script_poke_entry(upper, table);
		edited(true);
	}
}

/* One table under two upper entries with different rights. */
static void try_shared(uint64_t second)
{
	static const uint64_t rights[] = { FULL, FULL & ~PTE_W, FULL & ~PTE_U, FULL & ~(PTE_W | PTE_U) };
	uint64_t at = tree_entry(second, 2), table = leaf & ~4095ull;

	for (unsigned i = 0; i < 16; i++) {
		script_poke_entry(at, table | rights[i / 4]);
		script_poke_entry(upper, table | rights[i % 4]);
		script_flush();
		for (unsigned k = 0; k < 4; k++) {
			uint64_t page = k & 1 ? va : second;
			script_access(k & 2 ? WRITE4 : READ4, page, 0x42424242, BY_USER);
			script_access(WRITE2, page + 8, 0x2424, BY_KERNEL);
			script_access(EXEC, page + FRAME_CODE, 0, BY_USER);
		}
		script_poke(leaf, 1, i & 1 ? 0x05 : 0x07);
		script_invlpg(va);
		script_invlpg(second);
		script_access(WRITE4, second, 0x44444444, BY_USER);
		script_access(WRITE4, va, 0x46464646, BY_USER);
		tree_show(second);
		tree_show(va);
	}
	script_poke_entry(upper, table | FULL);
	script_flush();
}

void test_tables(const struct config *c)
{
	uint64_t slot, recursive, last, first;

	if (!tree_begin(c, CR0_WP, 0))
		return;
	slot = model_paging() == PAGING_LEGACY ? 0x400000 : 0x200000;
	va = tree_va(0, DATA + 1);
	tree_map(va, 1, FULL);
	tree_map(tree_va(1, DATA + 6), 1, FULL);
	leaf = tree_entry(va, 1);
	upper = tree_entry(va, 2);
	last = (va & ~(slot - 1)) + slot - 4096;
	first = tree_va(2, DATA + 1) & ~(slot - 1);
	alias = tree_va(1, DATA + 3);
	next_alias = alias + 4096;
	tree_set(last, 1, frame_pa(DATA + 8) | PTE_P | PTE_U | PTE_A);
	tree_set(first, 1, frame_pa(DATA + 9) | FULL);
	tree_set(alias, 1, (leaf & ~4095ull) | FULL);
	tree_set(next_alias, 1, (tree_entry(first, 1) & ~4095ull) | FULL);
	recursive = (va & ~(slot - 1)) + 5 * slot; /* the second level's table once more as a first level's */
	tree_set(recursive, 2, (upper & ~4095ull) | FULL);
	model_preset(frame_pa(DATA + 1) + CODE_OFFSET, 4, 0x00c30789);
	look();
	for (uint32_t by = 0; by < 2; by++) {
		try_stores(alias + (leaf & 4095), by);
		try_stores(recursive + (upper & 4095) / model_entry_size() * 4096 + (leaf & 4095), by);
		try_straddle(last, first, by);
		try_data(by);
	}
	try_own_code();
	try_shared(tree_va(0, DATA + 1) + 3 * slot);
	script_run();
}
