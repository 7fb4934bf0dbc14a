/* PUSH and POP where the operand, or the stack, is not RAM. */
#include <errno.h>

#include "vmm/emulate_internal.h"
#include "vmm/hw/x86.h"

static unsigned stack_width(struct vcpu *v)
{
	if (vcpu_mode(v) == INSN_64)
		return 8;
	return vcpu_attr(v, SEG_SS, VG_SS_ATTR) & SEG_ATTR_DB ? 4 : 2;
}

/* The stack's element at rSP + offset. */
static int slot(struct vcpu *v, int64_t offset, unsigned size, bool write, struct gva_span *s)
{
	uint64_t gva;
	int e = gva_linear(v, SEG_SS, (vcpu_gpr(v, RSP) + (uint64_t)offset) & emu_mask(stack_width(v)), size, write, &gva);

	return e ? e : gva_resolve(v, gva, size, write, s);
}

static void move_sp(struct vcpu *v, int64_t by)
{
	unsigned width = stack_width(v);
	uint64_t old = vcpu_gpr(v, RSP), sum = (old + (uint64_t)by) & emu_mask(width);

	vcpu_set_gpr(v, RSP, width == 2 ? (old & ~0xffffull) | sum : sum);
}

/* PUSH r, imm, r/m. */
int emulate_push(struct vcpu *v, const struct insn *in)
{
	unsigned size = in->opsize;
	struct gva_span from, to;
	uint64_t value;
	int e = 0;

	if (in->opcode == 0xff)
		e = emu_operand(v, in, 0, size, false, &from);
	if (!e)
		e = slot(v, -(int64_t)size, size, true, &to);
	if (e)
		return e;
	if (in->opcode == 0xff)
		value = emu_load(v, &from);
	else if (in->opcode >= 0x68)
		value = in->imm;
	else
		value = vcpu_gpr(v, (in->opcode & 7u) | (in->rex & 1u) << 3);
	emu_store(v, &to, value);
	move_sp(v, -(int64_t)size);
	return 0;
}

/* POP r, r/m: an address that uses rSP counts after the pop (SDM vol. 2, POP). */
int emulate_pop(struct vcpu *v, const struct insn *in)
{
	unsigned size = in->opsize;
	uint64_t sp = vcpu_gpr(v, RSP), value;
	struct gva_span from, to;
	int e = slot(v, 0, size, false, &from);

	if (e)
		return e;
	move_sp(v, size);
	if (in->opcode == 0x8f) {
		e = emu_operand(v, in, 0, size, true, &to);
		if (e) {
			vcpu_set_gpr(v, RSP, sp);
			return e;
		}
	}
	value = emu_load(v, &from);
	if (in->opcode == 0x8f)
		emu_store(v, &to, value);
	else
		emu_set_reg(v, in, (in->opcode & 7u) | (in->rex & 1u) << 3, size, value);
	return 0;
}
