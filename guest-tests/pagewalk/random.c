/*
 * Random tables, random accesses, random edits with and without a flush. What the model can't foretell, or what leaves the pool, is
 * drawn again.
 */
#include "guest-tests/pagewalk/tree.h"

#define ROUNDS 8
#define STEPS 260
#define PAGES 12
#define TABLES_MAX 31 /* frames before DATA */

static const unsigned frames[] = { DATA + 1, DATA + 2, HIGH_DATA + 5, HIGH_DATA + 6 };

static struct page {
	uint64_t va;
	uint64_t at[5]; /* its entries as the tree was built, by level */
} pages[PAGES];
static unsigned tables; /* frames below this one are tables */

static bool chance(unsigned percent)
{
	return prng_below(&prng, 100) < percent;
}

static struct page *any_page(void)
{
	return &pages[prng_below(&prng, PAGES)];
}

static uint64_t any_flags(void)
{
	uint64_t f = (chance(92) ? PTE_P : 0) | (chance(75) ? PTE_W : 0) | (chance(75) ? PTE_U : 0);

	f |= prng_next(&prng) & (PTE_A | PTE_D | 0xe00);
	f |= chance(10) ? prng_next(&prng) & (PTE_PWT | PTE_PCD | PTE_G) : 0;
	if (model_entry_size() == 8) {
		f |= chance(regs.efer & EFER_NXE ? 15 : 2) ? PTE_NX : 0;
		f |= chance(3) ? 1ull << (12 + prng_below(&prng, 52)) : 0;
	}
	return f;
}

static uint64_t random_pdpte(void)
{
	return chance(90) ? frame_pa(1 + prng_below(&prng, tables - 1)) | PTE_P : 0;
}

/* A new value for the entry of va at a level. */
static uint64_t random_entry(uint64_t va, unsigned level)
{
	unsigned draw = prng_below(&prng, 100);

	if (level == 3 && model_paging() == PAGING_PAE)
		return random_pdpte();
	if (draw < 6)
		return prng_next(&prng) & ~1u; /* not present */
	if (level == 1 && draw < 18)
		return frame_pa(prng_below(&prng, tables)) | any_flags(); /* a table seen as data */
	if (level == 1)
		return frame_pa(frames[prng_below(&prng, 4)] + prng_below(&prng, 3)) | any_flags();
	if (draw < 30 && level <= tree_leaf_max())
		return tree_leaf(va, level, any_flags()) ^ (level == 2 && chance(20) ? 0x200000 : 0);
	if (draw < 34)
		return frame_pa(frames[prng_below(&prng, 4)]) | any_flags(); /* data as a table: nothing in it is present */
	return frame_pa(draw < 40 ? 0 : 1 + prng_below(&prng, tables - 1)) | (any_flags() & ~(uint64_t)PTE_PS);
}

/*
 * The top-level entries for HOME must stay as they are. PDPTEs get no noise at all: where they are read anew for each walk, as AMD allows
 * (APM vol. 2, 15.25.10), a bit set in noise that is not present leads out of memory.
 */
static bool spares_home(uint64_t pa)
{
	uint64_t offset = pa - frame_pa(ROOT);

	if (offset >= 4096)
		return true;
	return model_paging() == PAGING_LONG ? offset >= 16 : offset >= 32;
}

/* Whether an access may be tried: all that it may write is ours. */
static bool allowed(enum kind kind, uint64_t va, uint32_t flags)
{
	struct access a = { .va = va, .user = flags & OPF_USER, .ac = flags & RFLAGS_AC, .write = true };
	struct outcome out[OUTCOMES];
	unsigned n;

	if (kind <= READ8 || kind == EXEC)
		return true;
	for (unsigned pass = 0; pass < 2; pass++) { /* where it begins, and where it may end */
		n = model_walk(&a, out);
		for (unsigned i = 0; i < n; i++)
			if (!out[i].fault && !(spares_home(out[i].pa) && spares_home(out[i].pa + 7)))
				return false;
		a.va += 7;
	}
	return n > 0;
}

static enum kind any_kind(void)
{
	static const enum kind narrow[] = { READ1, READ2,    READ4, WRITE1, WRITE2, WRITE4, EXEC,
					    XADD4, CMPXCHG4, OR4,   AND4,   BTS,    BTR,    CMPXCHG8B };
	static const enum kind wide[] = { READ8, WRITE8 };

	if (model_paging() == PAGING_LONG && chance(15))
		return wide[prng_below(&prng, 2)];
	return narrow[prng_below(&prng, sizeof(narrow) / sizeof(narrow[0]))];
}

static uint32_t any_mode(void)
{
	return (chance(50) ? BY_USER : BY_KERNEL) | (chance(25) ? WITH_AC : 0);
}

/* Values of even bytes make no present entry wherever they land. */
static uint64_t even(void)
{
	return ((uint64_t)prng_next(&prng) << 32 | prng_next(&prng)) & 0xfefefefefefefefeull;
}

/* What the handler will do about a fault: an entry is made good, whether that helps or another fault follows. */
static void offer_repair(const struct page *p, enum kind kind, uint64_t va, uint32_t flags)
{
	unsigned level = 1 + prng_below(&prng, tree_levels());
	uint64_t at = p->at[level], entry = frame_pa(frames[prng_below(&prng, 4)] + prng_below(&prng, 3)) | FULL;
	enum verdict then;
	bool ours;

	if ((level == 3 && model_paging() == PAGING_PAE) || !spares_home(at))
		return;
	if (level > 1)
		entry = (p->at[level - 1] & ~4095ull) | FULL;
	if (chance(60) && (model_read(at, 1, NULL) & PTE_P)) /* the same, with all rights */
		entry = (model_read(at, model_entry_size(), NULL) & ~(uint64_t)PTE_NX) | FULL;
	if ((model_read(at, 1, NULL) & PTE_P) &&
	    ((model_read(at, model_entry_size(), NULL) ^ entry) & (0x000ffffffffff000 | PTE_PS)))
		return; /* another frame is not sure to be seen before a flush */
	model_suppose(at, entry);
	then = script_foresee(kind, va, flags);
	ours = allowed(kind, va, flags);
	model_suppose(0, 0);
	if (ours && (then == PASSES || then == FAULTS))
		script_repair(at, entry);
}

static void random_access(void)
{
	const struct page *p = any_page();
	enum kind kind = any_kind();
	uint32_t flags = any_mode();
	uint64_t va = p->va + (kind == EXEC ? FRAME_CODE : 8 * prng_below(&prng, FRAME_CODE / 8));

	if (chance(4) && kind < EXEC)
		va = p->va + 4096 - prng_below(&prng, 8);
	if (!allowed(kind, va, flags))
		return;
	if (kind != EXEC && chance(40) && script_foresee(kind, va, flags) == FAULTS)
		offer_repair(p, kind, va, flags);
	if (kind == CMPXCHG4 || kind == CMPXCHG8B)
		script_exchange(kind, va, even(), even(), flags);
	else
		script_access(kind, va, even(), flags);
}

/* A page through which a store to a table's frame goes, by CPL 0 or 3; the pool's own address if there is none. */
static uint64_t alias_of(uint64_t pa, enum kind kind, uint32_t flags)
{
	unsigned start = prng_below(&prng, PAGES);

	for (unsigned i = 0; i < PAGES; i++) {
		uint64_t va = pages[(start + i) % PAGES].va | (pa & 4095);
		struct access a = { .va = va, .write = true, .user = flags & OPF_USER, .ac = flags & RFLAGS_AC };
		struct outcome out[OUTCOMES];
		if (script_foresee(kind, va, flags) == PASSES && model_walk(&a, out) && out[0].pa == pa)
			return va;
	}
	return 0;
}

static void store_entry(uint64_t at, uint64_t entry)
{
	const bool wide = model_entry_size() == 8;
	uint32_t flags = any_mode();
	uint64_t loose, old = model_read(at, model_entry_size(), &loose), va;

	switch (prng_below(&prng, 6)) {
	case 0: /* atomically */
		va = alias_of(at, CMPXCHG8B, flags);
		if (wide && !loose && script_exchange(CMPXCHG8B, va ? va : at, old, entry, va ? flags : BY_KERNEL) != REFUSED)
			return;
		break;
	case 1: /* one byte of it: the flags */
		va = alias_of(at, WRITE1, flags);
		script_access(WRITE1, va ? va : at, entry & 0x7f, va ? flags : BY_KERNEL);
		return;
	case 2: /* rights alone */
		va = alias_of(at, OR4, flags);
		script_access(OR4, va ? va : at, entry & (PTE_P | PTE_W | PTE_U), va ? flags : BY_KERNEL);
		return;
	case 3:
		va = alias_of(at, AND4, flags);
		script_access(AND4, va ? va : at, (uint32_t)(entry | ~(uint32_t)(FULL | PTE_A | PTE_D)), va ? flags : BY_KERNEL);
		return;
	case 4:
		va = alias_of(at, wide ? WRITE8 : WRITE4, flags);
		if (va && (!wide || model_paging() == PAGING_LONG)) {
			script_access(wide ? WRITE8 : WRITE4, va, entry, flags);
			return;
		}
		break;
	}
	script_poke_entry(at, entry);
}

/* Loads CR3 with PDPTEs that are valid. */
static void flush(void)
{
	for (unsigned i = 1; model_paging() == PAGING_PAE && i < 4; i++) {
		struct registers r = regs;
		uint64_t at = frame_pa(ROOT) + i * 8;
		if (!model_load_pdptes(&r))
			script_poke_entry(at, model_read(at, 8, NULL) & 0x1fff000);
	}
	script_flush();
}

static void random_edit(void)
{
	const struct page *p = any_page();
	unsigned level = chance(60) ? 1 : 1 + prng_below(&prng, tree_levels());
	uint64_t entry = random_entry(p->va, level);

	if (chance(10)) { /* two entries swap, or one is copied */
		const struct page *q = any_page();
		entry = model_read(q->at[level], model_entry_size(), NULL);
	}
	if (!spares_home(p->at[level]))
		return;
	store_entry(p->at[level], entry);
	if (level == 3 && model_paging() == PAGING_PAE && chance(70))
		flush();
	else if (chance(50))
		script_invlpg(p->va + prng_below(&prng, 4096));
	else if (chance(20))
		flush();
}

static void random_control(void)
{
	if (model_paging() == PAGING_PAE)
		flush(); /* Bochs 2.7 loads the PDPTEs at every write of CR0, and when SMAP changes, not only at those of SDM 4.4.1
			  */
	switch (prng_below(&prng, 4)) {
	case 0: script_cr0(regs.cr0 ^ CR0_WP); break;
	case 1: script_cr4(regs.cr4 ^ (limits.smep ? CR4_SMEP : 0)); break;
	case 2: script_cr4(regs.cr4 ^ (limits.smap ? CR4_SMAP : 0)); break;
	default:
		if (model_paging() != PAGING_LEGACY && limits.nx && chance(30)) {
			script_efer(regs.efer ^ EFER_NXE);
			flush();
		} else {
			script_cr4(regs.cr4 ^ CR4_PGE);
		}
		break;
	}
}

/* CR4 writes load the PDPTEs too. */
static bool pdptes_good(void)
{
	struct registers r = regs;

	return model_paging() != PAGING_PAE || model_load_pdptes(&r);
}

static void build(void)
{
	for (unsigned i = 0; i < PAGES; i++)
		pages[i].va = tree_va(i % 3, frames[i / 3]);
	for (unsigned i = 0; i < PAGES; i++)
		tree_map(pages[i].va, 1, FULL);
	for (unsigned i = 0; i < PAGES; i++)
		for (unsigned l = 1; l <= tree_levels(); l++)
			pages[i].at[l] = tree_entry(pages[i].va, l);
	tables = tree_frame();
	for (unsigned i = 0; i < PAGES / 2; i++) {
		const struct page *p = any_page();
		unsigned level = chance(70) ? 1 : 2;
		uint64_t entry = random_entry(p->va, level);
		if (!(model_paging() == PAGING_LONG && level > 2))
			model_preset(p->at[level], model_entry_size(), entry);
	}
}

void test_random(const struct config *c)
{
	for (unsigned round = 0; round < ROUNDS; round++) {
		if (!tree_begin(c, chance(60) ? CR0_WP : 0,
				(chance(30) && limits.smep ? CR4_SMEP : 0) | (chance(30) && limits.smap ? CR4_SMAP : 0) |
					(chance(30) ? CR4_PGE : 0)))
			return;
		build();
		for (unsigned step = 0; step < STEPS; step++) {
			unsigned draw = prng_below(&prng, 100);
			if (draw < 62)
				random_access();
			else if (draw < 84)
				random_edit();
			else if (draw < 92)
				script_invlpg(any_page()->va);
			else if (draw < 96 && pdptes_good())
				random_control();
			else
				flush();
		}
		script_run();
	}
}
