/* What forgets cached translations, and rights that change by a control register alone (SDM 4.10.4.1, 4.6). */
#include "guest-tests/pagewalk/tree.h"

/* The frame of va changes; a way to flush; then the new frame must be there. */
static void change_frame(uint64_t va, uint64_t flags)
{
	uint64_t at = tree_entry(va, 1), now = model_read(at, 4, NULL) & 0xfffff000;

	script_access(WRITE4, va, 0x44224422, BY_USER);
	script_poke_entry(at, (now == frame_pa(DATA + 2) ? frame_pa(HIGH_DATA + 1) : frame_pa(DATA + 2)) | flags);
	script_access(READ4, va, 0, BY_USER);
}

static void after(uint64_t va)
{
	script_access(READ4, va, 0, BY_USER);
	script_access(WRITE4, va + 4, 0x66446644, BY_KERNEL);
	script_access(EXEC, va + FRAME_CODE, 0, BY_USER);
	script_access(READ4, tree_entry(va, 1), 0, BY_KERNEL);
}

static void try_flushes(uint64_t va, uint64_t flags)
{
	change_frame(va, flags);
	script_invlpg(va);
	after(va);
	change_frame(va, flags);
	script_cr4(regs.cr4 ^ CR4_PGE);
	after(va);
	change_frame(va, flags);
	script_cr4(regs.cr4 ^ CR4_PGE);
	after(va);
	change_frame(va, flags);
	script_cr3(regs.cr3); /* leaves it alone or not, if it is global */
	script_access(READ4, va, 0, BY_USER);
	if (!(flags & PTE_G))
		after(va);
	script_invlpg(va); /* global or not */
	after(va);
	script_invlpg(va + 4095);
	script_flush();
}

/* Cached by one access, then WP, SMEP or SMAP change: they count at once. */
static void try_controls(uint64_t va)
{
	static const uint64_t rights[] = { FULL, FULL & ~PTE_W, FULL & ~PTE_U, FULL & ~(PTE_U | PTE_W) };

	for (unsigned i = 0; i < 4; i++) {
		script_poke_entry(tree_entry(va, 1), tree_leaf(va, 1, rights[i]));
		script_invlpg(va);
		for (unsigned k = 0; k < 24; k++) {
			switch (prng_below(&prng, 3)) {
			case 0: script_cr0(regs.cr0 ^ CR0_WP); break;
			case 1: script_cr4(regs.cr4 ^ (limits.smep ? CR4_SMEP : 0)); break;
			default: script_cr4(regs.cr4 ^ (limits.smap ? CR4_SMAP : 0)); break;
			}
			script_access(READ4, va, 0, k & 1 ? BY_KERNEL : BY_USER);
			script_access(READ4, va, 0, BY_KERNEL | WITH_AC);
			script_access(WRITE4, va, 0x24242424, BY_KERNEL);
			script_access(WRITE4, va, 0x26262626, BY_KERNEL | WITH_AC);
			script_access(WRITE4, va, 0x28282828, BY_USER);
			script_access(EXEC, va + FRAME_CODE, 0, BY_KERNEL);
			script_access(EXEC, va + FRAME_CODE, 0, BY_USER);
			script_access(READ4, tree_entry(va, 1), 0, BY_KERNEL);
		}
	}
}

/* Bit 63 is reserved or a right by EFER.NXE; the manual promises nothing of what is cached, so each change is flushed. */
static void try_nxe(uint64_t va)
{
	for (unsigned i = 0; i < 8; i++) {
		script_efer(regs.efer ^ EFER_NXE);
		script_flush();
		if (i == 4) {
			script_poke_entry(tree_entry(va, 1),
					  tree_leaf(va, 1, FULL | (model_paging() == PAGING_LEGACY ? 0 : PTE_NX)));
			script_invlpg(va);
		}
		script_access(READ4, va, 0, BY_USER);
		script_access(EXEC, va + FRAME_CODE, 0, BY_USER);
		script_access(EXEC, va + FRAME_CODE, 0, BY_KERNEL);
		script_access(WRITE4, va, 0x44444444, BY_KERNEL);
		script_poke_entry(tree_entry(va, 2), (model_read(tree_entry(va, 2), 8, NULL) & 0xffffffff) & ~(uint64_t)PTE_U);
		script_invlpg(va);
		script_access(EXEC, va + FRAME_CODE, 0, BY_USER); /* tells a fetch, or not */
		script_access(READ4, tree_entry(va, 1), 0, BY_KERNEL);
		script_poke_entry(tree_entry(va, 2), (model_read(tree_entry(va, 2), 8, NULL) & 0xffffffff) | PTE_U);
		script_invlpg(va);
	}
}

/* PSE decides whether bit 7 of a PDE makes a page of it. */
static void try_pse(uint64_t va)
{
	uint64_t at = tree_entry(va, 2), table = model_read(at, 4, NULL) & 0xfffff000;

	if (model_paging() != PAGING_LEGACY)
		return;
	/* HOME's own PDE for the pool has bit 7 with PSE: only its addition is tried */
	if (regs.cr4 & CR4_PSE)
		return;
	for (unsigned i = 0; i < 4; i++) {
		script_poke_entry(at, table | FULL | PTE_PS); /* ignored without PSE */
		script_flush();
		script_access(READ4, va, 0, BY_USER);
		script_poke_entry(at, POOL | FULL | PTE_PS);
		script_cr4(regs.cr4 | CR4_PSE);
		script_flush();
		script_access(READ4, va, 0, BY_USER);
		script_access(WRITE4, va + 8, 0x88888888, BY_USER);
		script_access(EXEC, va + FRAME_CODE, 0, BY_KERNEL);
		script_access(READ4, at, 0, BY_KERNEL);
		script_cr4(regs.cr4 & ~(uint64_t)CR4_PSE);
		script_poke_entry(at, table | FULL);
		script_flush();
		script_access(READ4, va, 0, BY_USER);
	}
}

void test_flush(const struct config *c)
{
	uint64_t va;

	if (!tree_begin(c, CR0_WP, 0))
		return;
	va = tree_va(0, DATA + 2);
	tree_map(va, 1, FULL);
	try_flushes(va, FULL);
	try_flushes(va, FULL | PTE_G);
	script_poke_entry(tree_entry(va, 1), tree_leaf(va, 1, FULL));
	script_flush();
	try_controls(va);
	script_poke_entry(tree_entry(va, 1), tree_leaf(va, 1, FULL));
	script_flush();
	if (limits.nx)
		try_nxe(va);
	script_poke_entry(tree_entry(va, 1), tree_leaf(va, 1, FULL));
	script_flush();
	try_pse(va);
	script_run();
}

/* PAT, PCD and PWT choose how memory is cached, nothing else (SDM 4.9); G, and the bits that are the software's, nothing either. */
void test_cache_bits(const struct config *c)
{
	for (unsigned leaf = 1; leaf <= 3; leaf++) {
		uint64_t va, at, pat;
		if (!tree_begin(c, CR0_WP, 0) || leaf > tree_leaf_max())
			return;
		va = tree_va(0, DATA + 3);
		tree_map(va, leaf, FULL);
		at = tree_entry(va, leaf);
		pat = leaf == 1 ? PTE_PS : 1 << 12;
		for (unsigned i = 0; i < 128; i += 3) {
			uint64_t flags = FULL | (i & 1 ? PTE_PWT : 0) | (i & 2 ? PTE_PCD : 0) | (i & 4 ? pat : 0) |
					 (i & 8 ? PTE_G : 0) | (i & 0x70ull) << 5;
			script_poke_entry(at, tree_leaf(va, leaf, flags));
			if (i & 1 && leaf < tree_levels() && !(model_paging() == PAGING_PAE && leaf == 2))
				script_access(i & 2 ? OR4 : AND4, tree_entry(va, leaf + 1),
					      i & 2 ? PTE_PWT | PTE_PCD | PTE_G : ~(uint32_t)(PTE_PWT | PTE_PCD | PTE_G),
					      BY_KERNEL);
			script_invlpg(va);
			script_access(READ4, va, 0, BY_USER);
			script_access(WRITE4, va + 8, 0x22222222 + i * 2, BY_KERNEL);
			script_access(EXEC, va + FRAME_CODE, 0, BY_USER);
			script_access(READ4, at, 0, BY_KERNEL);
		}
		script_run();
	}
}
