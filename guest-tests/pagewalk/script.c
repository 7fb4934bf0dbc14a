/* Ops and what must come of them. */
#include "guest-tests/pagewalk/script.h"

#include "guest-tests/lib/string.h"
#include "guest-tests/pagewalk/judge.h"

#define PIECES 2

struct kind_info {
	void (*routine)(void);
	uint8_t size;
	bool read, write, fetch;
	const char *name;
};

#define K(kind, name, size, r, w, x) [kind] = { r_##name, size, r, w, x, #name }
static const struct kind_info kinds[KINDS] = {
	K(READ1, read1, 1, true, false, false),	     K(READ2, read2, 2, true, false, false),
	K(READ4, read4, 4, true, false, false),	     K(READ8, read8, 8, true, false, false),
	K(WRITE1, write1, 1, false, true, false),    K(WRITE2, write2, 2, false, true, false),
	K(WRITE4, write4, 4, false, true, false),    K(WRITE8, write8, 8, false, true, false),
	K(EXEC, exec, 6, false, false, true),	     K(XADD4, xadd4, 4, true, true, false),
	K(CMPXCHG4, cmpxchg4, 4, true, true, false), K(CMPXCHG8B, cmpxchg8b, 8, true, true, false),
	K(OR4, or4, 4, true, true, false),	     K(AND4, and4, 4, true, true, false),
	K(BTS, bts, 4, true, true, false),	     K(BTR, btr, 4, true, true, false),
	K(STOS1, stos1, 1, false, true, false),	     K(STOS4, stos4, 4, false, true, false),
	K(MOVS1, movs1, 1, false, true, false),	     K(MOVS4, movs4, 4, false, true, false),
};

static unsigned count;
static struct registers entry_regs; /* when the script starts */
static struct repair pending[OP_REPAIRS];
static unsigned pending_count;

/* One page's part of an access. */
struct piece {
	struct access a;
	unsigned size, ways;
	struct outcome out[OUTCOMES];
};

struct op *script_append(void (*routine)(void), struct expected **e)
{
	struct op *o;

	if (count == OPS_MAX)
		script_run();
	*e = expected_new(count);
	o = &ops[count++];
	memset(o, 0, sizeof(*o));
	o->routine = routine;
	(*e)->regs = regs;
	return o;
}

struct expected *expected_last(void)
{
	return expected_of(count - 1);
}

/* The world's CR3 is loaded when it is entered. */
static void enter(void)
{
	model_flush();
	if (model_paging() == PAGING_PAE)
		model_load_pdptes(&regs);
	entry_regs = regs;
}

void script_enter(uint64_t cr0, uint64_t cr4, uint64_t efer, uint64_t cr3)
{
	script_run();
	regs = (struct registers){ .cr0 = cr0 | CR0_PE | CR0_ET | CR0_NE, .cr3 = cr3, .cr4 = cr4, .efer = efer };
	enter();
}

void script_begin(uint64_t cr0, uint64_t cr4, uint64_t efer, uint64_t cr3)
{
	model_reset();
	count = pending_count = 0;
	script_enter(cr0, cr4, efer, cr3);
}

void script_run(void)
{
	struct world w = { !!(entry_regs.efer & EFER_LME), entry_regs.cr0, entry_regs.cr3, entry_regs.cr4, entry_regs.efer };
	const char *trouble;
	char why[200];

	if (!count)
		return;
	trouble = world_run(&w, count);
	if (trouble)
		fail("%s", trouble);
	else
		for (unsigned i = 0; i < count; i++)
			judge(i);
	if (!trouble && model_compare(why, sizeof(why)))
		fail("%s", why);
	note_checks(1);
	count = 0;
	enter();
}

/* The outcomes are left to walk(). */
static void split(struct piece piece[PIECES], unsigned *pieces, const struct access *a, unsigned size)
{
	unsigned first = 4096 - (a->va & 4095);

	*pieces = 1;
	piece[0].a = *a;
	piece[0].size = size;
	if (first >= size)
		return;
	piece[0].size = first;
	piece[1].a = *a;
	piece[1].size = size - first;
	piece[1].a.va += first;
	*pieces = 2;
}

/* Walks all pieces. False: the outcome can't be foretold, or reaches memory that is not ours. */
static bool walk(struct piece *piece, unsigned pieces)
{
	for (unsigned i = 0; i < pieces; i++) {
		piece[i].ways = model_walk(&piece[i].a, piece[i].out);
		if (!piece[i].ways)
			return false;
		for (unsigned k = 0; k < piece[i].ways; k++)
			if (piece[i].out[k].wild || (!piece[i].out[k].fault && !model_has(piece[i].out[k].pa, piece[i].size)))
				return false;
	}
	return true;
}

static bool agree(const struct piece *p)
{
	for (unsigned k = 1; k < p->ways; k++)
		if (p->out[k].fault != p->out[0].fault || p->out[k].pa != p->out[0].pa || p->out[k].error != p->out[0].error)
			return false;
	return true;
}

/* QEMU's translator reads before it finds that it may not write: so the read must be harmless too. */
static bool reads_elsewhere(const struct kind_info *k, const struct piece *p)
{
	struct piece read = *p;

	read.a.write = false;
	return k->read && k->write && !walk(&read, 1);
}

static enum verdict foresee(const struct kind_info *k, struct piece *piece, unsigned pieces)
{
	bool faults = false;

	if (!walk(piece, pieces) || reads_elsewhere(k, &piece[0]))
		return REFUSED;
	for (unsigned i = 0; i < pieces; i++) {
		if (!agree(&piece[i]))
			return pieces == 1 && !k->write ? EITHER : REFUSED;
		if (faults && piece[i].out[0].fault)
			return REFUSED; /* which comes first is not said */
		faults |= piece[i].out[0].fault;
	}
	return faults ? FAULTS : PASSES;
}

static struct access access_of(const struct kind_info *k, uint64_t va, uint32_t flags)
{
	return (struct access){ .va = va, .write = k->write, .fetch = k->fetch, .user = flags & OPF_USER, .ac = flags & RFLAGS_AC };
}

enum verdict script_foresee(enum kind kind, uint64_t va, uint32_t flags)
{
	struct piece piece[PIECES];
	struct access a = access_of(&kinds[kind], va, flags);
	unsigned pieces;

	split(piece, &pieces, &a, kinds[kind].size);
	return foresee(&kinds[kind], piece, pieces);
}

/* What a read or a fetch of code sees. False: no code there. */
static bool load(const struct kind_info *k, uint64_t pa, unsigned size, struct way *w)
{
	if (!k->fetch) {
		w->value = model_read(pa, size, &w->loose);
		w->size = (uint8_t)size;
		return true;
	}
	w->value = model_read(pa, 8, &w->loose);
	if ((w->value & 0xff) != 0xb8 || (w->value >> 40 & 0xff) != 0xc3 || (w->loose & 0xffffffffffff))
		return false;
	w->value = (uint32_t)(w->value >> 8);
	w->size = 4;
	return true;
}

static void mark_used(const struct piece *p, bool write)
{
	bool certain = p->ways == 1 && !p->out[0].stale;

	for (unsigned k = 0; k < p->ways; k++)
		model_used(&p->out[k], write, certain);
}

/* The faulting piece, or pieces. */
static unsigned faulting(const struct piece *piece, unsigned pieces)
{
	unsigned i = 0;

	while (i < pieces && !piece[i].out[0].fault)
		i++;
	return i;
}

/*
 * What QEMU's translator does otherwise than SDM 4.7 says: it leaves P out when a reserved bit is set, and with one CPU it makes a
 * read-modify-write out of a read and a write, so that the read's fault comes first, without W.
 */
static uint32_t loose_errors(const struct access *a, uint32_t error, bool reads_too)
{
	struct access read = *a;
	struct outcome out[OUTCOMES];
	uint32_t loose = 0;

	if (!limits.tcg)
		return 0;
	if (error & ERR_RSVD)
		loose |= ERR_P;
	read.write = false;
	if (reads_too && model_walk(&read, out) && out[0].fault)
		loose |= ERR_W;
	return loose;
}

/* The access faults, certainly: pieces before the faulting one may have been used. */
static void take_fault(const struct kind_info *kind, struct piece *piece, unsigned i, struct way *w)
{
	uint32_t error = piece[i].out[0].error;

	*w = (struct way){ .vector = VEC_PF, .error = error, .cr2 = piece[i].a.va };
	w->error_loose = loose_errors(&piece[i].a, error, kind->read && kind->write);
	if (model_paging() != PAGING_LONG)
		w->cr2 &= 0xffffffff;
	for (unsigned k = 0; k < i; k++)
		for (unsigned n = 0; n < piece[k].ways; n++)
			model_used(&piece[k].out[n], piece[k].a.write, false);
	model_faulted(&piece[i].a, &piece[i].out[0]);
}

static void store_entry(uint64_t pa, uint64_t entry)
{
	model_write(pa, model_entry_size(), entry);
}

/* Lets the access fault and be repaired until it comes through or repairs end. True: it came through, with the pieces walked. */
static bool settle(const struct kind_info *k, struct piece *piece, unsigned pieces, struct expected *e)
{
	for (;;) {
		unsigned i = faulting(piece, pieces);
		if (i == pieces)
			return true;
		take_fault(k, piece, i, &e->seen[e->seen_count++]);
		if (!script_apply_repair(e->seen_count - 1))
			return false;
		walk(piece, pieces);
	}
}

bool script_apply_repair(unsigned n)
{
	if (n >= pending_count)
		return false;
	store_entry(pending[n].va, pending[n].value);
	return true;
}

void script_attach_repairs(struct op *o)
{
	o->repairs = pending_count;
	memcpy(o->repair, pending, sizeof(pending));
	pending_count = 0;
}

/* Memory's new value by a read-modify-write; what AX (and DX) then hold is in w. */
static uint64_t modify(enum kind kind, const struct op *o, struct way *w)
{
	uint64_t old = w->value, pair = (o->ax & 0xffffffff) | o->dx << 32;

	w->size = 4;
	switch (kind) {
	case XADD4: return old + o->ax;
	case CMPXCHG4: return old == (uint32_t)o->ax ? o->cx : old;
	case CMPXCHG8B: return old == pair ? (o->bx & 0xffffffff) | o->cx << 32 : old;
	case OR4: w->size = 0; return old | o->ax;
	case AND4: w->size = 0; return old & o->ax;
	case BTS: w->size = 0; return old | 2;
	default: w->size = 0; return old & ~2ull;
	}
}

static void apply(enum kind kind, const struct piece *piece, unsigned pieces, const struct op *o, struct way *w)
{
	const struct kind_info *k = &kinds[kind];
	uint64_t value = o->ax, high;
	struct way rest;

	for (unsigned i = 0; i < pieces; i++)
		mark_used(&piece[i], k->write);
	if (k->read || k->fetch)
		load(k, piece[0].out[0].pa, piece[0].size, w);
	if (k->read && pieces == 2) {
		load(k, piece[1].out[0].pa, piece[1].size, &rest);
		w->value |= rest.value << piece[0].size * 8;
		w->loose |= rest.loose << piece[0].size * 8;
		w->size = k->size;
	}
	if (!k->write)
		return;
	if (k->read)
		value = modify(kind, o, w);
	high = value >> (piece[0].size & 7) * 8;
	model_write(piece[0].out[0].pa, piece[0].size, value);
	if (k->read && w->loose)
		model_loosen(piece[0].out[0].pa, w->loose);
	if (pieces == 2)
		model_write(piece[1].out[0].pa, piece[1].size, high);
}

/* More than one outcome is allowed: what may be cached, or what the tables say. */
static void expect_either(const struct kind_info *k, const struct piece *p, struct expected *e)
{
	for (unsigned i = 0; i < p->ways; i++) {
		struct way *w = &e->way[e->ways++];
		if (p->out[i].fault)
			*w = (struct way){
				.vector = VEC_PF,
				.error = p->out[i].error,
				.error_loose = loose_errors(&p->a, p->out[i].error, false),
				.cr2 = p->a.va,
			};
		else
			model_used(&p->out[i], false, false);
	}
	for (unsigned i = 0; i < p->ways; i++) { /* after every bit that may have been set */
		if (!p->out[i].fault)
			load(k, p->out[i].pa, p->size, &e->way[i]);
		else
			for (unsigned n = 0; n + 1 < p->out[i].depth; n++)
				if (p->out[i].at[n])
					model_loosen(p->out[i].at[n], PTE_A & ~model_read(p->out[i].at[n], 4, NULL));
	}
}

static bool has_code(const struct kind_info *k, const struct piece *p)
{
	struct way w;

	for (unsigned i = 0; k->fetch && i < p->ways; i++)
		if (!p->out[i].fault && (!model_has(p->out[i].pa, 8) || !load(k, p->out[i].pa, p->size, &w)))
			return false;
	return true;
}

/* A read-modify-write of bits that may be either would spread them. */
static bool too_loose(enum kind kind, const struct piece *p)
{
	uint64_t loose = 0;

	if (kind != XADD4 && kind != CMPXCHG4 && kind != CMPXCHG8B)
		return false;
	if (!p->out[0].fault)
		model_read(p->out[0].pa, p->size, &loose);
	return loose;
}

/*
 * A read-modify-write of an entry on its own way: accessed and dirty bits are set before it, but QEMU's translator sets D between
 * its read and its write, which then loses it.
 */
static bool modifies_own_way(const struct kind_info *k, const struct piece *p)
{
	const struct outcome *o = &p->out[0];

	if (!limits.tcg || !k->read || !k->write)
		return false;
	for (unsigned i = 0; i < o->depth; i++)
		if (o->at[i] < o->pa + p->size && o->pa < o->at[i] + 8)
			return true;
	return false;
}

static enum verdict submit(enum kind kind, const struct op *registers)
{
	const struct kind_info *k = &kinds[kind];
	struct access a = access_of(k, registers->di, registers->flags);
	struct piece piece[PIECES];
	struct expected *e;
	enum verdict v;
	unsigned pieces;
	struct op *o;

	if (count == OPS_MAX)
		script_run();
	split(piece, &pieces, &a, k->size);
	v = foresee(k, piece, pieces);
	if (v == REFUSED || !has_code(k, &piece[0]) || too_loose(kind, &piece[0]) || modifies_own_way(k, &piece[0]) ||
	    (k->read && k->write && pieces > 1)) {
		pending_count = 0;
		return REFUSED;
	}
	o = script_append(k->routine, &e);
	expected_describe(e, k->name, piece[0].out);
	*o = *registers;
	o->routine = k->routine;
	e->ip = k->fetch ? a.va : 0;
	if (v == EITHER) {
		expect_either(k, &piece[0], e);
		pending_count = 0;
	} else if (settle(k, piece, pieces, e)) {
		e->ways = 1;
		apply(kind, piece, pieces, o, &e->way[0]);
	}
	script_attach_repairs(o);
	model_tick();
	return v;
}

enum verdict script_access(enum kind kind, uint64_t va, uint64_t value, uint32_t flags)
{
	return submit(kind, &(struct op){ .di = va, .ax = value, .flags = flags });
}

enum verdict script_exchange(enum kind kind, uint64_t va, uint64_t compare, uint64_t value, uint32_t flags)
{
	struct op o = { .di = va, .ax = compare, .cx = value, .flags = flags };

	if (kind == CMPXCHG8B) {
		o.dx = compare >> 32;
		o.bx = (uint32_t)value;
		o.cx = value >> 32;
	}
	return submit(kind, &o);
}

void script_repair(uint64_t entry_pa, uint64_t entry)
{
	pending[pending_count++] = (struct repair){ entry_pa, entry, model_entry_size() };
}
