/* String instructions with an operand in memory that is not RAM. */
#include <errno.h>

#include "vmm/emulate_internal.h"
#include "vmm/hw/x86.h"

#define STRING_BATCH 512 /* iterations in one exit */

enum { MOVS = 0xa4, CMPS = 0xa6, STOS = 0xaa, LODS = 0xac, SCAS = 0xae };

struct string {
	const struct insn *in;
	unsigned op, size;
	enum vseg seg; /* of rSI */
	int64_t step;
};

static int element(struct vcpu *v, const struct string *t, enum vseg seg, unsigned reg, bool write, struct gva_span *s)
{
	uint64_t gva;
	int e = gva_linear(v, seg, v->gpr[reg] & emu_mask(t->in->addrsize), t->size, write, &gva);

	return e ? e : gva_resolve(v, gva, t->size, write, s);
}

static void advance(struct vcpu *v, const struct string *t, unsigned reg)
{
	emu_set_reg(v, t->in, reg, t->in->addrsize, v->gpr[reg] + (uint64_t)t->step);
}

/* One iteration: both operands are translated before either is touched. */
static int iterate(struct vcpu *v, const struct string *t)
{
	bool source = t->op == MOVS || t->op == CMPS || t->op == LODS, dest = t->op != LODS,
	     writes = t->op == MOVS || t->op == STOS;
	uint64_t value = v->gpr[RAX], flags = vcpu_rflags(v);
	struct gva_span from, to;
	int e = source ? element(v, t, t->seg, RSI, false, &from) : 0;

	if (!e && dest)
		e = element(v, t, SEG_ES, RDI, writes, &to);
	if (e)
		return e;
	if (source)
		value = emu_load(v, &from);
	if (writes)
		emu_store(v, &to, value);
	else if (dest)
		alu_binary(7, t->size, value, emu_load(v, &to), &flags);
	else
		emu_set_reg(v, t->in, RAX, t->size, value);
	if (dest && !writes)
		vcpu_set_rflags(v, flags);
	if (source)
		advance(v, t, RSI);
	if (dest)
		advance(v, t, RDI);
	return 0;
}

int emulate_string(struct vcpu *v, const struct insn *in)
{
	struct string t = {
		.in = in,
		.op = in->opcode & 0xfe,
		.size = in->byte_op ? 1 : in->opsize,
		.seg = in->segment >= 0 ? (enum vseg)in->segment : SEG_DS,
	};
	unsigned batch = STRING_BATCH;
	int e;

	t.step = vcpu_rflags(v) & RFLAGS_DF ? -(int64_t)t.size : (int64_t)t.size;
	while (in->rep == REP_NONE || (v->gpr[RCX] & emu_mask(in->addrsize))) {
		if (!batch--)
			return EMU_AGAIN;
		e = iterate(v, &t);
		if (e || in->rep == REP_NONE)
			return e;
		emu_set_reg(v, in, RCX, in->addrsize, v->gpr[RCX] - 1);
		/* REPE goes on while equal, REPNE while not; for the others both mean REP. */
		if ((t.op == CMPS || t.op == SCAS) && !(vcpu_rflags(v) & RFLAGS_ZF) != (in->rep == REP_F2))
			return 0;
	}
	return 0;
}
