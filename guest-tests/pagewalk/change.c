/* Entries that change while they are in use: what takes effect without a flush, and what with one (SDM 4.10.4). */
#include "guest-tests/pagewalk/tree.h"

struct change {
	const char *name;
	uint64_t lacks, has; /* what the entry is short of, or has too much, before */
	enum kind kind;	     /* an access that then faults */
	uint32_t flags;
	enum kind warm; /* and one that may not fault, to have it cached */
	uint32_t warm_flags;
	uint64_t cr4;
};

static const struct change changes[] = {
	{ "P", PTE_P, 0, READ4, BY_KERNEL, WRITE4, BY_USER, 0 },
	{ "P", PTE_P, 0, WRITE4, BY_USER, READ4, BY_KERNEL, 0 },
	{ "P", PTE_P, 0, EXEC, BY_USER, EXEC, BY_KERNEL, 0 },
	{ "W", PTE_W, 0, WRITE4, BY_USER, READ4, BY_USER, 0 },
	{ "W", PTE_W, 0, WRITE2, BY_KERNEL, READ4, BY_KERNEL, 0 },
	{ "W", PTE_W, 0, CMPXCHG8B, BY_KERNEL, EXEC, BY_USER, 0 },
	{ "U", PTE_U, 0, READ4, BY_USER, WRITE4, BY_KERNEL, 0 },
	{ "U", PTE_U, 0, WRITE1, BY_USER, READ4, BY_KERNEL, 0 },
	{ "U", PTE_U, 0, EXEC, BY_USER, EXEC, BY_KERNEL, 0 },
	{ "UW", PTE_U | PTE_W, 0, XADD4, BY_USER, READ1, BY_KERNEL, 0 },
	{ "NX", 0, PTE_NX, EXEC, BY_USER, READ4, BY_USER, 0 },
	{ "NX", 0, PTE_NX, EXEC, BY_KERNEL, WRITE4, BY_USER, 0 },
	{ "SMEP", 0, PTE_U, EXEC, BY_KERNEL, EXEC, BY_USER, CR4_SMEP },
	{ "SMAP", 0, PTE_U, READ4, BY_KERNEL, READ4, BY_USER, CR4_SMAP },
	{ "SMAP", 0, PTE_U, WRITE4, BY_KERNEL, WRITE4, BY_USER, CR4_SMAP },
	{ "SMAP", 0, PTE_U, WRITE4, BY_KERNEL, WRITE4, BY_KERNEL | WITH_AC, CR4_SMAP },
};
#define CHANGES (sizeof(changes) / sizeof(changes[0]))

static uint64_t place(enum kind kind, uint64_t va)
{
	return va + (kind == EXEC ? FRAME_CODE : 8 * prng_below(&prng, FRAME_CODE / 8));
}

/* The entry at a level before and after. */
static void grant(const struct change *ch, uint64_t va, unsigned level)
{
	uint64_t at = tree_entry(va, level), good, bad;

	good = (model_read(at, model_entry_size(), NULL) & ~(uint64_t)(PTE_A | PTE_D)) | (FULL & ~ch->has);
	bad = (good & ~ch->lacks) | ch->has;
	script_poke_entry(at, bad);
	script_invlpg(va);
	for (unsigned warm = 0; warm < 2; warm++) {
		if (warm)
			script_access(ch->warm, place(ch->warm, va), 0x44444444, ch->warm_flags);
		script_access(ch->kind, place(ch->kind, va), 0x62626262, ch->flags); /* faults for good */
		script_repair(at, good);
		script_access(ch->kind, place(ch->kind, va), 0x64646464, ch->flags);
		script_access(READ4, at, 0, BY_KERNEL);
		script_access(ch->warm, place(ch->warm, va), 0x24242424, ch->warm_flags);
		/* taken away again */
		script_poke_entry(at, bad);
		if (warm)
			script_flush();
		else
			script_invlpg(va);
	}
	script_poke_entry(at, good | PTE_U);
	script_invlpg(va);
}

/* The handler adds rights: the retried instruction must see them, though nothing is flushed. */
void test_grant(const struct config *c)
{
	for (unsigned i = 0; i < CHANGES; i++)
		for (unsigned leaf = 1; leaf <= 3; leaf++) {
			uint64_t va;
			if ((changes[i].has & PTE_NX) && !(c->efer & EFER_NXE))
				break;
			if (!tree_begin(c, CR0_WP, changes[i].cr4) || leaf > tree_leaf_max())
				break;
			va = tree_va(i % 3, DATA + 8);
			tree_map(va, leaf, FULL);
			for (unsigned level = leaf; level <= tree_levels(); level++) {
				if (model_paging() == PAGING_PAE && level == 3)
					continue;
				if ((changes[i].cr4 & (CR4_SMEP | CR4_SMAP)) && level > leaf)
					continue; /* all levels would have to be user's */
				grant(&changes[i], va, level);
			}
			script_run();
		}
}

/* Both the upper entry and the leaf are missing: two faults, two repairs. */
static void two_holes(uint64_t va)
{
	uint64_t upper = tree_entry(va, 2), leaf = tree_entry(va, 1), table = leaf & ~4095ull;

	for (unsigned i = 0; i < 4; i++) {
		static const enum kind kinds[] = { READ4, WRITE4, EXEC, WRITE1 };
		script_poke_entry(leaf, 0x7fff0ff0 & ~1u);
		script_poke_entry(upper, 0xffe);
		script_flush();
		script_repair(upper, table | FULL);
		script_repair(leaf, tree_leaf(va, 1, FULL));
		script_access(kinds[i], place(kinds[i], va), 0x42424242, i & 1 ? BY_USER : BY_KERNEL);
		tree_show(va);
	}
}

/* A leaf, or a table, is replaced by another one while it is cached: before the flush either counts, after it the new one. */
static void replace(uint64_t at, uint64_t first, uint64_t second, uint64_t va, uint64_t also)
{
	for (unsigned i = 0; i < 6; i++) {
		script_access(READ4, va, 0, BY_USER);
		script_access(EXEC, also + FRAME_CODE, 0, BY_USER);
		script_poke_entry(at, i & 1 ? first : second);
		script_access(READ4, va + 4, 0, BY_USER);
		script_access(EXEC, also + FRAME_CODE, 0, BY_USER);
		if (i % 3 == 0) {
			script_flush();
		} else if (i % 3 == 1) {
			script_invlpg(va + 0x123);
			script_invlpg(also);
		} else {
			script_invlpg(also);
			script_access(EXEC, also + FRAME_CODE, 0, BY_USER);
			script_access(READ4, va, 0, BY_KERNEL); /* may still be stale */
			script_invlpg(va);
		}
		script_access(WRITE4, va + 8, 0x20202020 + (i << 9), BY_USER);
		script_access(READ4, va + 8, 0, BY_USER);
		script_access(EXEC, also + FRAME_CODE, 0, BY_USER);
		script_access(READ4, at, 0, BY_KERNEL);
	}
}

void test_revoke(const struct config *c)
{
	uint64_t va, also, upper, leaf;
	unsigned other;

	if (!tree_begin(c, CR0_WP, 0))
		return;
	va = tree_va(0, DATA + 9);
	also = tree_va(0, DATA + 10);
	tree_map(va, 1, FULL);
	tree_map(also, 1, FULL);
	leaf = tree_entry(va, 1);
	upper = tree_entry(va, 2);
	other = tree_frame();
	for (unsigned i = 0; i < FRAME_WORDS; i++)
		model_preset(frame_pa(other) + i * 8, 8, 0);
	model_preset(frame_pa(other) + (leaf & 4095), model_entry_size(), frame_pa(DATA + 11) | FULL);
	model_preset(frame_pa(other) + (tree_entry(also, 1) & 4095), model_entry_size(), frame_pa(DATA + 12) | PTE_P | PTE_U);
	two_holes(va);
	replace(leaf, tree_leaf(va, 1, FULL), frame_pa(DATA + 13) | FULL, va, also);
	replace(upper, (leaf & ~4095ull) | FULL, frame_pa(other) | FULL, va, also);
	if (tree_leaf_max() > 1) { /* a table becomes a large page, and back */
		replace(upper, (leaf & ~4095ull) | FULL, tree_leaf(va, 2, FULL), va, also);
		replace(upper, tree_leaf(va, 2, FULL), frame_pa(other) | FULL, va, also);
	}
	script_run();
}
