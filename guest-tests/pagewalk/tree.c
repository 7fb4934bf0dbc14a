#include "guest-tests/pagewalk/tree.h"

static unsigned next_frame, root;

const struct config configs[] = {
	{ "legacy", CR0_PG, 0, 0 },
	{ "pse", CR0_PG, CR4_PSE, 0 },
	{ "pae", CR0_PG, CR4_PAE, 0 },
	{ "pae-nx", CR0_PG, CR4_PAE, EFER_NXE },
	{ "long", CR0_PG, CR4_PAE, EFER_LME },
	{ "long-nx", CR0_PG, CR4_PAE, EFER_LME | EFER_NXE },
	{ 0 },
};

static bool offered(const struct config *c, uint64_t cr4)
{
	return !(((cr4 & CR4_SMEP) && !limits.smep) || ((cr4 & CR4_SMAP) && !limits.smap) || ((c->efer & EFER_NXE) && !limits.nx));
}

/* HOME's entries in the root. */
static void plant(const struct config *c)
{
	uint64_t *table = (uint64_t *)frame_pa(root);

	for (unsigned i = 0; i < FRAME_WORDS; i++)
		model_preset(frame_pa(root) + i * 8, 8, 0);
	switch (model_paging()) {
	case PAGING_OFF: return;
	case PAGING_LEGACY: home_legacy((uint32_t *)table, c->cr4 & CR4_PSE); break;
	case PAGING_PAE: home_pae(table); break;
	case PAGING_LONG: home_long(table); break;
	}
	for (unsigned i = 0; i < FRAME_WORDS; i++)
		model_preset(frame_pa(root) + i * 8, 8, table[i]);
	if (model_paging() == PAGING_PAE)
		model_load_pdptes(&regs);
	if (limits.tcg && model_paging() == PAGING_PAE)
		model_loosen(frame_pa(root), PTE_A);
}

bool tree_begin(const struct config *c, uint64_t cr0, uint64_t cr4)
{
	if (!offered(c, cr4))
		return false;
	root = ROOT;
	script_begin(c->cr0 | cr0, c->cr4 | cr4, c->efer, frame_pa(root));
	next_frame = ROOT + 1;
	plant(c);
	return true;
}

bool tree_another(const struct config *c, uint64_t cr0, uint64_t cr4)
{
	if (!offered(c, cr4))
		return false;
	root = tree_frame();
	script_enter(c->cr0 | cr0, c->cr4 | cr4, c->efer, frame_pa(root));
	plant(c);
	return true;
}

unsigned tree_levels(void)
{
	static const unsigned levels[] = { 0, 2, 3, 4 };

	return levels[model_paging()];
}

unsigned tree_leaf_max(void)
{
	switch (model_paging()) {
	case PAGING_LEGACY: return regs.cr4 & CR4_PSE ? 2 : 1;
	case PAGING_PAE: return 2;
	default: return limits.page1g ? 3 : 2;
	}
}

unsigned tree_frame(void)
{
	return next_frame++;
}

uint64_t tree_va(unsigned window, unsigned frame)
{
	static const uint64_t long_base[] = { 0x8040000000, 0xffffff8080000000, 0x80c0000000 };
	uint64_t base = model_paging() == PAGING_LONG ? long_base[window] : 0x40000000ull * (window + 1);

	return base + frame_pa(frame);
}

static unsigned shift(unsigned level)
{
	return model_paging() == PAGING_LEGACY ? 2 + 10 * level : 3 + 9 * level;
}

static uint64_t index_of(uint64_t va, unsigned level)
{
	return va >> shift(level) & (model_paging() == PAGING_LEGACY ? 1023 : 511);
}

static void preset(uint64_t pa, uint64_t entry)
{
	model_preset(pa, model_entry_size(), entry);
	if (model_paging() == PAGING_PAE && pa >> 12 == frame_pa(root) >> 12) {
		model_load_pdptes(&regs);
		if (limits.tcg)
			model_loosen(pa, PTE_A);
	}
}

uint64_t tree_entry(uint64_t va, unsigned level)
{
	uint64_t table = frame_pa(root);

	for (unsigned l = tree_levels(); l > level; l--) {
		uint64_t at = table + index_of(va, l) * model_entry_size(), entry = model_read(at, model_entry_size(), NULL);
		if (!(entry & PTE_P)) {
			unsigned frame = tree_frame();
			for (unsigned i = 0; i < FRAME_WORDS; i++)
				model_preset(frame_pa(frame) + i * 8, 8, 0);
			entry = frame_pa(frame) | (model_paging() == PAGING_PAE && l == 3 ? (uint64_t)PTE_P : FULL);
			preset(at, entry);
		}
		table = entry & 0x000ffffffffff000;
	}
	return table + index_of(va, level) * model_entry_size();
}

void tree_set(uint64_t va, unsigned level, uint64_t entry)
{
	preset(tree_entry(va, level), entry);
}

uint64_t tree_leaf(uint64_t va, unsigned level, uint64_t flags)
{
	uint64_t offset = (1ull << shift(level)) - 1, pa = va & 0x3fffffff;

	return (pa & ~offset) | flags | (level > 1 ? PTE_PS : 0);
}

void tree_map(uint64_t va, unsigned level, uint64_t flags)
{
	tree_set(va, level, tree_leaf(va, level, flags));
}

void tree_show(uint64_t va)
{
	uint64_t table = frame_pa(root);

	for (unsigned l = tree_levels(); l; l--) {
		uint64_t at = table + index_of(va, l) * model_entry_size(), e = model_read(at, model_entry_size(), NULL);
		script_access(READ4, at, 0, BY_KERNEL);
		table = e & 0x000ffffffffff000;
		if (!(e & PTE_P) || (e & PTE_PS) || !model_has(table, 4096))
			return;
	}
}
