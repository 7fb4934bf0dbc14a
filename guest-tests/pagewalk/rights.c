/* Present, write, user and execute-disable at each level against CR0.WP, SMEP, SMAP, AC and every kind of access (SDM 4.6, 4.7). */
#include "guest-tests/pagewalk/tree.h"

#define CONTROLS 8

static const struct {
	enum kind kind;
	uint32_t flags;
} accesses[] = {
	{ READ4, BY_KERNEL },  { READ1, BY_KERNEL | WITH_AC },	{ READ2, BY_USER },
	{ WRITE4, BY_KERNEL }, { WRITE1, BY_KERNEL | WITH_AC }, { WRITE2, BY_USER },
	{ EXEC, BY_KERNEL },   { EXEC, BY_KERNEL | WITH_AC },	{ EXEC, BY_USER },
	{ XADD4, BY_USER },    { READ4, BY_USER | WITH_AC },
};
#define ACCESSES (sizeof(accesses) / sizeof(accesses[0]))

static bool begin(const struct config *c, unsigned controls)
{
	return tree_begin(c, controls & 1 ? CR0_WP : 0, (controls & 2 ? CR4_SMEP : 0) | (controls & 4 ? CR4_SMAP : 0));
}

/* Every access, from a random one on, and the leaf's entry after each. */
static void try_all(uint64_t va, uint64_t leaf_pa)
{
	unsigned start = prng_below(&prng, ACCESSES), step = 1 + prng_below(&prng, ACCESSES - 1); /* ACCESSES is a prime */

	for (unsigned i = 0; i < ACCESSES; i++) {
		unsigned k = (start + i * step) % ACCESSES;
		uint64_t at = va + (accesses[k].kind == EXEC ? FRAME_CODE : 4 * prng_below(&prng, FRAME_CODE / 4));
		script_access(accesses[k].kind, at, prng_next(&prng) & 0xfefefefe, accesses[k].flags);
		if (i % 3 == 0)
			script_access(READ4, leaf_pa, 0, BY_KERNEL);
	}
}

/* The nth combination of rights: 0 is a hole, then W and U, then with NX. */
static uint64_t combination(unsigned n)
{
	if (!n--)
		return prng_next(&prng) & 0xfffff01e; /* not present: all else is ignored */
	return PTE_P | (n & 1 ? PTE_W : 0) | (n & 2 ? PTE_U : 0) | (n & 4 ? PTE_NX : 0);
}

static unsigned combinations(const struct config *c)
{
	return c->efer & EFER_NXE ? 9 : 5;
}

/* The two lowest levels, each with every combination. */
void test_rights(const struct config *c)
{
	const unsigned n = combinations(c);

	for (unsigned controls = 0; controls < CONTROLS; controls++) {
		uint64_t va, upper, leaf, table;
		if (!begin(c, controls))
			continue;
		va = tree_va(0, DATA + 1);
		tree_map(va, 1, FULL);
		leaf = tree_entry(va, 1);
		upper = tree_entry(va, 2);
		table = leaf & ~4095ull;
		for (unsigned i = n > 5 ? controls & 1 : 0;
		     i<n * n; i += n> 5 ? 2 : 1) { /* with NX each under half of the controls */
			uint64_t up = combination(i / n), low = combination(i % n);
			script_poke_entry(leaf, low & PTE_P ? tree_leaf(va, 1, low) : low);
			script_poke_entry(upper, up & PTE_P ? table | up : up);
			script_invlpg(va);
			try_all(va, leaf);
		}
		script_run();
	}
}

/* All levels: which of them lack a right is drawn for each right by itself. */
void test_rights_upper(const struct config *c)
{
	const bool nx = c->efer & EFER_NXE;

	for (unsigned controls = 0; controls < CONTROLS; controls++) {
		uint64_t va;
		if (!begin(c, controls))
			continue;
		va = tree_va(1, DATA + 2);
		tree_map(va, 1, FULL);
		for (unsigned i = 0; i < 10; i++) {
			unsigned write = prng_below(&prng, 16), user = prng_below(&prng, 16),
				 no_nx = nx ? prng_below(&prng, 16) : 15;
			if (i % 3) /* else hardly anything is ever allowed */
				write |= prng_below(&prng, 16), user |= prng_below(&prng, 16), no_nx |= prng_below(&prng, 16);
			for (unsigned l = 1; l <= tree_levels() && !(l == 3 && model_paging() == PAGING_PAE); l++) {
				uint64_t at = tree_entry(va, l), e = model_read(at, model_entry_size(), NULL) & 0xfffff000;
				e |= PTE_P | (write >> l & 1 ? PTE_W : 0) | (user >> l & 1 ? PTE_U : 0);
				script_poke_entry(at, e | (no_nx >> l & 1 ? 0 : PTE_NX));
			}
			script_invlpg(va);
			try_all(va, tree_entry(va, 1));
		}
		script_run();
	}
}

/* Leaves of 2 MiB, 4 MiB and 1 GiB. */
void test_rights_large(const struct config *c)
{
	const unsigned n = combinations(c);

	for (unsigned controls = 0; controls < CONTROLS; controls++) {
		if (!begin(c, controls))
			continue;
		for (unsigned level = 2; level <= tree_leaf_max(); level++) {
			uint64_t va = tree_va(level - 2, DATA + 3), high = tree_va(level - 2, HIGH_DATA + 3),
				 leaf = tree_entry(va, level);
			for (unsigned i = 0; i < n; i++) {
				uint64_t e = combination(i);
				script_poke_entry(leaf, e & PTE_P ? tree_leaf(va, level, e) : e);
				if (tree_entry(high, level) != leaf)
					script_poke_entry(tree_entry(high, level), e & PTE_P ? tree_leaf(high, level, e) : e);
				script_invlpg(va);
				script_invlpg(high);
				try_all(va, leaf);
				try_all(high, leaf);
			}
		}
		script_run();
	}
}
