/*
 * Accesses that the CPU makes by itself, to descriptor tables: a supervisor's, whatever the CPL; no EFLAGS.AC exempts them from
 * SMAP (SDM 4.6.1).
 */
#include "guest-tests/lib/string.h"
#include "guest-tests/pagewalk/judge.h"
#include "guest-tests/pagewalk/tree.h"

#define DATA_DESCRIPTOR 0x00cff2000000ffffull /* DPL 3, writable, not accessed */
#define DESCRIPTOR_ACCESSED (1ull << 40)
#define LDT_ENTRY 9
#define LDT_ENTRY_SELECTOR (LDT_ENTRY * 8 | 4 | 3)
#define LDT_TYPE 0x82ull
#define GATE_VECTOR 0x80

struct table_access {
	void (*routine)(void);
	struct op registers;
	uint64_t va; /* what is read */
	bool write;
	const char *what;
};

/* Appends the op that makes the access. Returns the physical address, 0 when it faults. */
static uint64_t submit(const struct table_access *t)
{
	struct access a = {
		.va = t->va, .user = t->registers.flags & OPF_USER, .ac = t->registers.flags & RFLAGS_AC, .implicit = true
	};
	struct access read = a;
	struct outcome out[OUTCOMES], seen[OUTCOMES];
	struct expected *e;

	a.write = t->write;
	if (model_walk(&a, out) != 1 || out[0].wild)
		return 0;
	script_raw(t->routine, &t->registers, -1, 0, 0, t->what);
	e = expected_last();
	expected_describe(e, t->what, out);
	if (!out[0].fault) {
		model_used(&out[0], t->write, !out[0].stale);
		return out[0].pa;
	}
	e->way[0] = (struct way){ .vector = VEC_PF, .error = out[0].error, .cr2 = t->va };
	if ((out[0].error & ERR_RSVD) && limits.tcg)
		e->way[0].error_loose = ERR_P;
	if (t->write && model_walk(&read, seen) &&
	    !seen[0].fault) { /* it was read, then could not be marked: which byte is not said */
		model_used(&seen[0], false, false);
		e->way[0].cr2_loose = 7;
	} else {
		e->way[0].error &= ~ERR_W;
	}
	model_faulted(&a, &out[0]);
	return 0;
}

static void ldt_at(uint64_t base)
{
	uint64_t *d = world_ldt_descriptor();
	struct op o = { .ax = LDT_SELECTOR };

	d[0] = 0xff | (base & 0xffffff) << 16 | LDT_TYPE << 40 | (base >> 24 & 0xff) << 56;
	d[1] = model_paging() == PAGING_LONG ? base >> 32 : 0;
	script_raw(r_lldt, &o, -1, 0, 0, "lldt");
}

static void load_segment(uint64_t ldt, uint32_t flags, bool marked)
{
	struct table_access t = {
		.routine = r_load_gs,
		.registers = { .ax = LDT_ENTRY_SELECTOR, .flags = flags },
		.va = ldt + LDT_ENTRY * 8,
		.write = !marked,
		.what = "mov gs from the LDT",
	};
	uint64_t pa;

	pa = submit(&t);
	if (pa && !marked)
		model_write(pa, 8, model_read(pa, 8, NULL) | DESCRIPTOR_ACCESSED);
}

/*
 * With SMAP and AC. Bochs 2.7 lets AC exempt implicit accesses at any CPL, QEMU 7.2's translator at CPL 0, and nothing tells a
 * guest that it runs in Bochs: so this is checked only where the translator is known, at CPL 3.
 */
static bool left_out(uint32_t flags)
{
	return (regs.cr4 & CR4_SMAP) && (flags & RFLAGS_AC) && !(limits.tcg && (flags & OPF_USER));
}

static const uint64_t rights[] = { FULL, FULL & ~PTE_U, FULL & ~PTE_W, FULL & ~(PTE_U | PTE_W), FULL & ~PTE_P, FULL | PTE_NX };
#define RIGHTS (sizeof(rights) / sizeof(rights[0]))
static const uint32_t flag_sets[] = { BY_KERNEL, BY_KERNEL | WITH_AC, BY_USER, BY_USER | WITH_AC };

static void try_ldt(uint64_t va)
{
	uint64_t at = tree_entry(va, 1), pa = tree_leaf(va, 1, 0) + LDT_ENTRY * 8;

	ldt_at(va);
	for (unsigned i = 0; i < RIGHTS; i++)
		for (unsigned f = 0; f < 4; f++)
			for (unsigned marked = 0; marked < 2; marked++) {
				if (left_out(flag_sets[f]))
					continue;
				script_poke(pa, 4, (uint32_t)DATA_DESCRIPTOR);
				script_poke(pa + 4, 4, (DATA_DESCRIPTOR | (marked ? DESCRIPTOR_ACCESSED : 0)) >> 32);
				script_poke_entry(at, tree_leaf(va, 1, rights[i]));
				script_invlpg(va);
				load_segment(va, flag_sets[f], marked);
				script_access(READ4, at, 0, BY_KERNEL);
				script_access(READ4, pa + 4, 0, BY_KERNEL);
			}
}

/* The IDT lies over two pages: exceptions are in the first, which stays; the gate for CPL 3 is in the second. */
static void try_idt(uint64_t first, uint64_t second)
{
	static struct table_pointer there, back;
	const unsigned half = model_paging() == PAGING_LONG ? 2048 : 1024;
	const uint8_t *image = world_idt(model_paging() == PAGING_LONG);
	uint64_t at = tree_entry(second, 1);
	struct op there_op = { .di = (uint64_t)&there }, back_op = { .di = (uint64_t)&back };

	there = (struct table_pointer){ (uint16_t)(2 * half - 1), second - half };
	back = (struct table_pointer){ (uint16_t)(2 * half - 1), (uint64_t)image };
	for (unsigned i = 0; i < half; i += 8) {
		uint64_t low, high;
		memcpy(&low, image + i, 8);
		memcpy(&high, image + half + i, 8);
		model_preset(tree_leaf(first, 1, 0) + 4096 - half + i, 8, low);
		model_preset(tree_leaf(second, 1, 0) + i, 8, high);
	}
	/* exceptions read the first page all the time: have it used before */
	script_access(READ4, first, 0, BY_KERNEL);
	script_raw(r_lidt, &there_op, -1, 0, 0, "lidt");
	for (unsigned i = 0; i < RIGHTS; i++)
		for (unsigned f = 0; f < 4; f++) {
			struct table_access t = {
				.routine = r_int80,
				.registers = { .flags = flag_sets[f] },
				.va = second + (GATE_VECTOR - 128) * (half / 128),
				.what = "int 0x80",
			};
			if (left_out(flag_sets[f]))
				continue;
			script_poke_entry(at, tree_leaf(second, 1, rights[i]));
			script_invlpg(second);
			submit(&t);
			script_access(READ4, at, 0, BY_KERNEL);
		}
	script_raw(r_lidt, &back_op, -1, 0, 0, "lidt");
}

void test_implicit(const struct config *c)
{
	for (unsigned smap = 0; smap < 2; smap++)
		for (unsigned wp = 0; wp < 2; wp++) {
			uint64_t va;
			if (!tree_begin(c, wp ? CR0_WP : 0, smap ? CR4_SMAP : 0))
				continue;
			va = tree_va(0, DATA + 1);
			tree_map(va, 1, FULL);
			try_ldt(va);
			script_run(); /* the LDT's descriptor can be one at a time */
			va = tree_va(0, DATA + 3);
			if (!tree_begin(c, wp ? CR0_WP : 0, smap ? CR4_SMAP : 0))
				continue;
			tree_map(tree_va(0, DATA + 2), 1, FULL & ~PTE_U);
			tree_map(va, 1, FULL);
			try_idt(tree_va(0, DATA + 2), va);
			script_run();
		}
}
