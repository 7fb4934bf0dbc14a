/* Ops that are no plain access: control registers, flushes, strings, stores into tables. */
#include "guest-tests/pagewalk/script.h"

#include "guest-tests/pagewalk/judge.h"

/* An op that must come through, or raise a vector. */
void script_raw(void (*routine)(void), const struct op *registers, int vector, uint32_t error, uint64_t cr2, const char *what)
{
	struct expected *e;
	struct op *o = script_append(routine, &e);

	*o = *registers;
	o->routine = routine;
	e->what = what;
	e->ways = 1;
	if (vector >= 0)
		e->way[0] = (struct way){ .vector = (uint8_t)vector, .error = error, .cr2 = cr2 };
	model_tick();
}

static void control(void (*routine)(void), uint64_t ax, uint64_t cx, bool taken, const char *what)
{
	struct op o = { .ax = (uint32_t)ax, .cx = cx };

	script_raw(routine, &o, taken ? -1 : VEC_GP, 0, 0, what);
}

void script_invlpg(uint64_t va)
{
	struct op o = { .di = va };

	model_invlpg(va);
	script_raw(r_invlpg, &o, -1, 0, 0, "invlpg");
}

void script_cr0(uint64_t value)
{
	uint64_t old = regs.cr0;
	struct registers r = regs;
	bool taken = true;

	value |= CR0_PE | CR0_ET | CR0_NE;
	r.cr0 = value;
	if ((value & ~old & CR0_PG) && (regs.cr4 & CR4_PAE))
		taken = model_load_pdptes(&r);
	control(r_set_cr0, value, 0, taken, "mov cr0");
	if (!taken)
		return;
	regs = r;
	if ((old ^ value) & CR0_PG)
		model_flush();
}

void script_cr3(uint64_t value)
{
	struct registers r = regs;
	bool taken = true;

	r.cr3 = value;
	if (model_paging() == PAGING_PAE)
		taken = model_load_pdptes(&r);
	control(r_set_cr3, value, 0, taken, "mov cr3");
	if (!taken)
		return;
	regs = r;
	model_flush_local();
}

void script_cr4(uint64_t value)
{
	uint64_t changed = regs.cr4 ^ value;
	struct registers r = regs;
	bool taken = true;

	r.cr4 = value;
	if (model_paging() == PAGING_PAE && (changed & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP)))
		taken = model_load_pdptes(&r);
	control(r_set_cr4, value, 0, taken, "mov cr4");
	if (!taken)
		return;
	regs = r;
	if (changed & (CR4_PGE | CR4_PAE))
		model_flush();
}

/* Caching of entries under another NXE is not told of in the manual: flush behind it. */
void script_efer(uint64_t value)
{
	control(r_wrmsr, value, MSR_EFER, true, "wrmsr efer");
	regs.efer = value;
}

void script_flush(void)
{
	if (regs.cr4 & CR4_PGE) {
		script_cr4(regs.cr4 & ~(uint64_t)CR4_PGE);
		script_cr4(regs.cr4 | CR4_PGE);
	} else {
		script_cr3(regs.cr3);
	}
}

void script_poke(uint64_t pa, unsigned size, uint64_t value)
{
	script_access(size == 1 ? WRITE1 : size == 2 ? WRITE2 : size == 4 ? WRITE4 : WRITE8, pa, value, BY_KERNEL);
}

void script_poke_entry(uint64_t pa, uint64_t entry)
{
	uint64_t old = model_read(pa, model_entry_size(), NULL);

	if (model_entry_size() == 4) {
		script_poke(pa, 4, entry);
	} else if (model_paging() == PAGING_LONG) {
		script_poke(pa, 8, entry);
	} else if (old >> 32 == entry >> 32) {
		script_poke(pa, 4, (uint32_t)entry);
	} else {
		if (old & PTE_P)
			script_poke(pa, 4, 0);
		script_poke(pa + 4, 4, entry >> 32);
		script_poke(pa, 4, (uint32_t)entry);
	}
}

/* Where a string reads or writes. What its walk found holds until it comes to another page or changes an entry on the way. */
struct side {
	struct access a;
	struct outcome path;
	bool walked;
};

struct string_state {
	struct expected *e;
	unsigned left;
	struct side to, from;
};

/* One side of an element. False: the string ends here. */
static bool touch(struct string_state *s, struct side *side, uint64_t *pa)
{
	struct outcome out[OUTCOMES];

	if (side->walked && (side->a.va & 4095)) {
		*pa = side->path.pa + (side->a.va & 4095);
		return true;
	}
	side->walked = false;
	if (model_walk(&side->a, out) != 1 || out[0].wild)
		return false;
	if (!out[0].fault) {
		model_used(&out[0], side->a.write, !out[0].stale);
		*pa = out[0].pa;
		side->path = out[0];
		side->path.pa &= ~4095ull;
		side->walked = true;
		return true;
	}
	s->e->seen_cx[s->e->seen_count] = s->left;
	s->e->seen[s->e->seen_count++] = (struct way){ .vector = VEC_PF, .error = out[0].error, .cr2 = side->a.va };
	model_faulted(&side->a, &out[0]);
	return false;
}

/* The string wrote at pa. */
static void changed(struct side *side, uint64_t pa)
{
	for (unsigned i = 0; i < side->path.depth; i++)
		side->walked = side->walked && side->path.at[i] >> 12 != pa >> 12;
}

/* The model runs the string up to its end or first fault. */
static void run_string(struct string_state *s, bool moves, unsigned size, uint64_t value)
{
	uint64_t pa = 0, source_pa = 0;

	s->to.walked = s->from.walked = false;
	for (; s->left; s->left--) {
		if (moves && !touch(s, &s->from, &source_pa))
			return;
		if (!touch(s, &s->to, &pa))
			return;
		model_write(pa, size, moves ? model_read(source_pa, size, NULL) : value);
		changed(&s->to, pa);
		changed(&s->from, pa);
		s->to.a.va += size;
		s->from.a.va += moves ? size : 0;
	}
}

enum verdict script_string(enum kind kind, uint64_t va, uint64_t source, unsigned count, uint64_t value, uint32_t flags)
{
	static void (*const routine[])(void) = { r_stos1, r_stos4, r_movs1, r_movs4 };
	static const char *const name[] = { "rep stosb", "rep stosd", "rep movsb", "rep movsd" };
	const bool moves = kind == MOVS1 || kind == MOVS4;
	const struct access from = { .va = source, .user = flags & OPF_USER, .ac = flags & RFLAGS_AC };
	struct string_state s = { .left = count, .to.a = from, .from.a = from };
	struct op *o = script_append(routine[kind - STOS1], &s.e);

	o->di = va;
	o->si = source;
	o->cx = count;
	o->ax = value;
	o->flags = flags;
	s.e->what = name[kind - STOS1];
	s.to.a.va = va;
	s.to.a.write = true;
	do
		run_string(&s, moves, kind == STOS1 || kind == MOVS1 ? 1 : 4, value);
	while (s.left && script_apply_repair(s.e->seen_count - 1));
	script_attach_repairs(o);
	s.e->string = true;
	s.e->cx = s.left;
	s.e->di = s.to.a.va;
	s.e->si = s.from.a.va;
	s.e->ways = !s.left;
	model_tick();
	return s.left ? FAULTS : PASSES;
}
