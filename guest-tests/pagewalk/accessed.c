/* Accessed and dirty bits in the guest's own tables (SDM 4.8). */
#include "guest-tests/pagewalk/tree.h"

/* Clears bits of an entry by a LOCK AND of its low half. */
static void clear(uint64_t at, uint64_t bits)
{
	script_access(AND4, at, (uint32_t)~bits, BY_KERNEL);
}

static void clear_all(uint64_t va, unsigned leaf)
{
	for (unsigned l = leaf; l <= tree_levels(); l++)
		if (!(model_paging() == PAGING_PAE && l == 3))
			clear(tree_entry(va, l), PTE_A | PTE_D);
}

struct use {
	enum kind kind;
	uint32_t flags;
};

static const struct use uses[] = {
	{ READ4, BY_KERNEL },	{ READ1, BY_USER },  { WRITE4, BY_USER },  { WRITE1, BY_KERNEL },
	{ EXEC, BY_USER },	{ EXEC, BY_KERNEL }, { XADD4, BY_KERNEL }, { CMPXCHG4, BY_USER },
	{ CMPXCHG8B, BY_USER }, { OR4, BY_USER },    { AND4, BY_KERNEL },  { BTS, BY_USER },
};
#define USES (sizeof(uses) / sizeof(uses[0]))

static void use(const struct use *u, uint64_t va)
{
	uint64_t at = va + (u->kind == EXEC ? FRAME_CODE : 8 * prng_below(&prng, FRAME_CODE / 8));

	if (u->kind == CMPXCHG4 || u->kind == CMPXCHG8B) /* a comparison that fails writes all the same */
		script_exchange(u->kind, at, 0x1234567, 0x2222, u->flags);
	else
		script_access(u->kind, at, 0x64646464, u->flags);
}

/* Each use on clear bits, then many a use after another one, with the bits cleared in between or not. */
static void try_uses(uint64_t va, unsigned leaf, bool invlpg)
{
	for (unsigned i = 0; i < USES * USES; i += 5) {
		clear_all(va, leaf);
		if (invlpg)
			script_invlpg(va);
		else
			script_flush();
		use(&uses[i / USES], va);
		tree_show(va);
		use(&uses[i % USES], va);
		script_access(READ4, tree_entry(va, leaf), 0, BY_KERNEL);
	}
	clear(tree_entry(va, leaf), PTE_D); /* one bit alone */
	script_invlpg(va);
	use(&uses[2], va);
	tree_show(va);
	if (tree_levels() > leaf && model_paging() != PAGING_PAE)
		clear(tree_entry(va, tree_levels()), PTE_A);
	script_flush();
	use(&uses[0], va);
	tree_show(va);
}

void test_accessed(const struct config *c)
{
	for (unsigned leaf = 1; leaf <= 3; leaf++) {
		uint64_t va, neighbour, other;
		if (!tree_begin(c, CR0_WP, 0) || leaf > tree_leaf_max())
			return;
		va = tree_va(0, DATA + 5);
		neighbour = tree_va(0, DATA + 6);
		other = tree_va(1, DATA + 5);
		tree_map(va, leaf, FULL);
		tree_map(other, leaf, FULL);
		if (leaf == 1)
			tree_map(neighbour, leaf, FULL);
		tree_show(va);
		use(&uses[leaf], va);
		tree_show(va);
		tree_show(neighbour); /* not used: no bit may be set but in shared entries */
		tree_show(other);
		try_uses(va, leaf, leaf == 1);
		tree_show(neighbour);
		tree_show(other);
		script_run();
	}
}

/* D is set by the first write whatever came before it, and never by a write that faults. */
void test_dirty(const struct config *c)
{
	const uint64_t lacks[] = { PTE_W, PTE_U, PTE_P };

	for (unsigned leaf = 1; leaf <= 3; leaf++) {
		if (!tree_begin(c, CR0_WP, 0) || leaf > tree_leaf_max())
			return;
		for (unsigned i = 0; i < 3; i++) {
			uint64_t va = tree_va(i, DATA + 7), at;
			tree_map(va, leaf, FULL & ~lacks[i]);
			at = tree_entry(va, leaf);
			script_access(READ4, va, 0, BY_USER);
			script_access(READ4, va, 0, BY_KERNEL);
			script_access(READ4, at, 0, BY_KERNEL);
			script_access(WRITE4, va, 0x22222222, BY_USER); /* faults */
			script_access(READ4, at, 0, BY_KERNEL);
			script_access(CMPXCHG4, va, 0, BY_USER);
			script_access(READ4, at, 0, BY_KERNEL);
			if (i == 0) {
				script_cr0(regs.cr0 & ~(uint64_t)CR0_WP);
				script_access(WRITE1, va, 0x22, BY_KERNEL); /* through a read-only page, and dirty */
				script_access(READ4, at, 0, BY_KERNEL);
				clear(at, PTE_D);
				script_cr0(regs.cr0 | CR0_WP);
				script_invlpg(va);
				script_access(WRITE1, va, 0x24, BY_KERNEL);
				script_access(READ4, at, 0, BY_KERNEL);
			}
			script_repair(at, tree_leaf(va, leaf, FULL));
			script_access(WRITE4, va, 0x24242424, BY_USER);
			script_access(READ4, at, 0, BY_KERNEL);
			for (unsigned round = 0; round < 3; round++) {
				clear(at, PTE_D);
				script_invlpg(va);
				script_access(READ4, va, 0, BY_USER);
				script_access(READ4, at, 0, BY_KERNEL);
				script_access(WRITE4, va + 4, 0x26262626, BY_USER);
				script_access(READ4, at, 0, BY_KERNEL);
			}
		}
		script_run();
	}
}
