/* Every bit of every entry, one by one: reserved, ignored, or with a meaning (SDM 4.3 to 4.5, tables 4-4 to 4-20). */
#include "guest-tests/lib/hyper.h"
#include "guest-tests/pagewalk/judge.h"
#include "guest-tests/pagewalk/tree.h"

static void try_bits(uint64_t va, unsigned level, unsigned leaf_level)
{
	uint64_t at = tree_entry(va, level), entry = model_read(at, model_entry_size(), NULL);

	for (unsigned bit = 0; bit < model_entry_size() * 8; bit++) {
		uint64_t changed = entry ^ 1ull << bit;
		if (bit == 7 && level == leaf_level && level > 1)
			continue; /* a frame of data would become a table */
		script_poke_entry(at, changed);
		script_invlpg(va);
		script_access(READ1, va, 0, BY_KERNEL);
		script_access(WRITE2, va + 8, 0x4444, BY_USER);
		script_access(EXEC, va + FRAME_CODE, 0, bit & 1 ? BY_USER : BY_KERNEL);
		if (script_foresee(WRITE4, va, BY_USER) == FAULTS) {
			script_repair(at, entry); /* a fault is not cached */
			script_access(WRITE4, va, 0x66666666, BY_USER);
		}
		script_access(READ4, at, 0, BY_KERNEL);
		script_poke_entry(at, entry);
		script_invlpg(va);
	}
}

void test_reserved(const struct config *c)
{
	for (unsigned leaf = 1; leaf <= 3; leaf++) {
		uint64_t va;
		if (!tree_begin(c, CR0_WP, 0) || leaf > tree_leaf_max())
			return;
		va = tree_va(0, DATA + 4);
		tree_map(va, leaf, FULL);
		for (unsigned level = leaf; level <= tree_levels(); level++)
			if (!(model_paging() == PAGING_PAE && level == 3))
				try_bits(va, level, leaf);
		script_run();
	}
}

/* Tables where there is no memory: what is read there is ones, and so has reserved bits set. */
void test_nowhere(const struct config *c)
{
	static const enum kind plain[] = { READ1, READ2, READ4, WRITE1, WRITE2, WRITE4, EXEC, XADD4, OR4, AND4, BTS, BTR };

	if (!tree_begin(c, CR0_WP, 0))
		return;
	for (unsigned level = 2; level <= tree_levels(); level++) {
		uint64_t va = tree_va(level - 2, DATA + 4), at, entry;
		tree_map(va, 1, FULL);
		at = tree_entry(va, level);
		entry = model_read(at, model_entry_size(), NULL);
		script_poke_entry(at, NOWHERE | (model_paging() == PAGING_PAE && level == 3 ? PTE_P : FULL));
		script_flush();
		for (unsigned i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
			script_access(plain[i], va, 0x11, BY_KERNEL);
			script_access(plain[i], va + 16, 0x22, BY_USER);
		}
		script_string(STOS4, va, 0, 4, 0x44444444, BY_USER);
		script_exchange(CMPXCHG4, va, 1, 2, BY_KERNEL);
		script_repair(at, entry);
		script_access(WRITE4, va, 0x33333333, BY_USER);
		script_access(READ4, at, 0, BY_KERNEL);
	}
	script_run();
}

/* Loads CR3; AMD's CPUs need not look at the PDPTEs there, and fault at the use instead (APM vol. 2, 5.3.2). */
static void load_cr3(uint64_t cr3, bool bad)
{
	struct op o = { .ax = cr3 };
	struct expected *e;

	if (!bad) {
		script_cr3(cr3);
		return;
	}
	script_raw(r_set_cr3, &o, VEC_GP, 0, 0, "mov cr3 with a bad PDPTE");
	if (limits.amd) {
		e = expected_last();
		e->way[e->ways++] = (struct way){ 0 };
	}
}

/*
 * Only writes that change PG, CD, NW, PAE, PGE, PSE or SMEP load them (SDM 4.4.1). Bochs 2.7 does so at every CR0 write and at some
 * more of CR4's; a bit whose changes Tessera handles itself shows what Tessera does.
 */
static void try_other_writes(uint64_t va)
{
	uint64_t at = tree_entry(va, 3), entry = model_read(at, 8, NULL);

	if (limits.amd || !hyper_present())
		return;
	script_poke_entry(at, 0);
	script_cr4(regs.cr4 ^ CR4_MCE);
	script_access(READ4, va, 0, BY_USER);
	script_access(WRITE4, va, 0x22222222, BY_KERNEL);
	script_cr4(regs.cr4 ^ CR4_MCE);
	script_invlpg(va);
	script_access(READ4, va, 0, BY_USER);
	script_cr4(regs.cr4 ^ CR4_PGE); /* this one does */
	script_access(READ4, va, 0, BY_USER);
	script_poke_entry(at, entry);
	script_access(READ4, va, 0, BY_USER);
	script_cr4(regs.cr4 ^ CR4_PGE);
	script_access(READ4, va, 0, BY_USER);
}

/* PDPTEs: loaded and checked by MOV CR3; what is in memory does not count before that (SDM 4.4.1). */
void test_pdpte(const struct config *c)
{
	uint64_t va, at, entry, cr3 = frame_pa(ROOT);

	if (!tree_begin(c, CR0_WP, 0))
		return;
	if (model_paging() != PAGING_PAE) { /* the root may lie anywhere in its page there only */
		script_cr3(cr3 | PTE_PWT | PTE_PCD);
		script_cr3(cr3);
		script_run();
		return;
	}
	va = tree_va(0, DATA + 4);
	tree_map(va, 1, FULL);
	at = tree_entry(va, 3);
	entry = model_read(at, 8, NULL);
	for (unsigned bit = 1; bit < 64; bit++) {
		uint64_t reserved = 0xfff00000000001e6ull | (limits.phys_bits < 52 ? ~((1ull << limits.phys_bits) - 1) : 0);
		bool bad = reserved >> bit & 1;
		if ((bit == 5 && limits.tcg) || (!bad && bit >= 12))
			continue;
		script_poke_entry(at, entry | 1ull << bit);
		load_cr3(cr3, bad);
		script_poke_entry(at, entry);
		script_cr3(cr3);
		script_access(READ4, va, 0, BY_USER);
		script_poke_entry(at, (entry | 1ull << bit) & ~1ull); /* not present: nothing is reserved */
		script_cr3(cr3);
		script_access(READ4, va, 0, BY_USER);
		script_poke_entry(at, entry);
		script_access(WRITE4, va, 0, BY_USER);
		script_cr3(cr3);
		script_access(WRITE4, va, 0x22222222, BY_USER);
	}
	try_other_writes(va);
	script_run();
}
