/* Instructions that read a memory operand, compute, and may write it back. The store is known to work before anything changes. */
#include <errno.h>
#include <string.h>

#include "vmm/emulate_internal.h"
#include "vmm/hw/x86.h"

static unsigned size_of(const struct insn *in)
{
	return in->byte_op ? 1 : in->opsize;
}

/* ADD to CMP, TEST. Immediates come sign-extended. */
int emulate_alu(struct vcpu *v, const struct insn *in)
{
	bool group = in->opcode >= 0x80 && in->opcode <= 0x83, test = in->opcode >= 0x84,
	     to_reg = in->opcode < 0x40 && (in->opcode & 2);
	unsigned size = size_of(in), op = test ? 4 : group ? in->reg & 7u : in->opcode >> 3;
	uint64_t flags = vcpu_rflags(v), m, r, other = group || in->opcode >= 0xf6 ? in->imm : emu_reg(v, in, in->reg, size);
	bool writes = !to_reg && !test && op != 7;
	struct gva_span s;
	int e = emu_operand(v, in, 0, size, writes, &s);

	if (e)
		return e;
	m = emu_load(v, &s);
	r = to_reg ? alu_binary(op, size, other, m, &flags) : alu_binary(op, size, m, other, &flags);
	if (writes)
		emu_store(v, &s, r);
	else if (to_reg && op != 7)
		emu_set_reg(v, in, in->reg, size, r);
	vcpu_set_rflags(v, flags);
	return 0;
}

int emulate_shift(struct vcpu *v, const struct insn *in)
{
	unsigned size = size_of(in), count = in->opcode < 0xd0	 ? (unsigned)in->imm
					     : in->opcode < 0xd2 ? 1
								 : (unsigned)v->gpr[RCX] & 0xff;
	uint64_t flags = vcpu_rflags(v), r;
	struct gva_span s;
	int e = emu_operand(v, in, 0, size, true, &s);

	if (e)
		return e;
	r = alu_shift(in->reg & 7, size, emu_load(v, &s), count, &flags);
	emu_store(v, &s, r);
	vcpu_set_rflags(v, flags);
	return 0;
}

int emulate_shift_double(struct vcpu *v, const struct insn *in)
{
	unsigned count = in->opcode & 1 ? (unsigned)v->gpr[RCX] & 0xff : (unsigned)in->imm;
	uint64_t flags = vcpu_rflags(v), r;
	struct gva_span s;
	int e = emu_operand(v, in, 0, in->opsize, true, &s);

	if (e)
		return e;
	r = alu_shift_double(in->opcode < 0xa8, in->opsize, emu_load(v, &s), emu_reg(v, in, in->reg, in->opsize), count, &flags);
	emu_store(v, &s, r);
	vcpu_set_rflags(v, flags);
	return 0;
}

/* rDX:rAX, of which the 8-bit form is AX. */
static void multiply(struct vcpu *v, const struct insn *in, bool is_signed, unsigned size, uint64_t m, uint64_t *flags)
{
	uint64_t high, low = alu_multiply(is_signed, size, v->gpr[RAX], m, &high, flags);

	if (size == 1) {
		emu_set_reg(v, in, RAX, 2, high << 8 | low);
	} else {
		emu_set_reg(v, in, RAX, size, low);
		emu_set_reg(v, in, RDX, size, high);
	}
}

/* TEST, NOT, NEG, MUL, IMUL. DIV and IDIV of a device's register: no. */
int emulate_group3(struct vcpu *v, const struct insn *in)
{
	unsigned size = size_of(in), op = in->reg & 7;
	uint64_t flags = vcpu_rflags(v), m;
	struct gva_span s;
	int e;

	if (op < 2)
		return emulate_alu(v, in);
	if (op > 5)
		return -ENOSYS;
	e = emu_operand(v, in, 0, size, op < 4, &s);
	if (e)
		return e;
	m = emu_load(v, &s);
	if (op == 2)
		emu_store(v, &s, ~m);
	else if (op == 3)
		emu_store(v, &s, alu_binary(5, size, 0, m, &flags));
	else
		multiply(v, in, op == 5, size, m, &flags);
	vcpu_set_rflags(v, flags);
	return 0;
}

int emulate_inc_dec(struct vcpu *v, const struct insn *in)
{
	unsigned size = size_of(in);
	uint64_t flags = vcpu_rflags(v), r;
	struct gva_span s;
	int e = emu_operand(v, in, 0, size, true, &s);

	if (e)
		return e;
	r = alu_inc_dec(in->reg & 1, size, emu_load(v, &s), &flags);
	emu_store(v, &s, r);
	vcpu_set_rflags(v, flags);
	return 0;
}

/* BT, BTS, BTR, BTC. A register's offset is signed and reaches past the operand (SDM vol. 2, 3.1.1.9). Only CF is defined. */
int emulate_bit(struct vcpu *v, const struct insn *in)
{
	unsigned size = in->opsize, bits = 8 * size, op = in->opcode == 0xba ? in->reg & 3u : in->opcode >> 3 & 3u;
	int64_t index = (int64_t)(in->opcode == 0xba ? in->imm % bits : emu_sign_extend(emu_reg(v, in, in->reg, size), size));
	int64_t word = (index - (int64_t)((uint64_t)index % bits)) / bits;
	uint64_t flags = vcpu_rflags(v), m, bit = 1ull << (uint64_t)index % bits;
	struct gva_span s;
	int e = emu_operand(v, in, word * size, size, op != 0, &s);

	if (e)
		return e;
	m = emu_load(v, &s);
	vcpu_set_rflags(v, m & bit ? flags | RFLAGS_CF : flags & ~RFLAGS_CF);
	if (op)
		emu_store(v, &s, op == 1 ? m | bit : op == 2 ? m & ~bit : m ^ bit);
	return 0;
}

int emulate_xchg(struct vcpu *v, const struct insn *in)
{
	unsigned size = size_of(in);
	uint64_t m;
	struct gva_span s;
	int e = emu_operand(v, in, 0, size, true, &s);

	if (e)
		return e;
	m = emu_load(v, &s);
	emu_store(v, &s, emu_reg(v, in, in->reg, size));
	emu_set_reg(v, in, in->reg, size, m);
	return 0;
}

/* The destination is written in any case (SDM vol. 2, CMPXCHG); the accumulator only when it differs. */
int emulate_cmpxchg(struct vcpu *v, const struct insn *in)
{
	unsigned size = size_of(in);
	uint64_t flags = vcpu_rflags(v), m;
	struct gva_span s;
	int e = emu_operand(v, in, 0, size, true, &s);

	if (e)
		return e;
	m = emu_load(v, &s);
	alu_binary(7, size, v->gpr[RAX], m, &flags);
	if (flags & RFLAGS_ZF) {
		emu_store(v, &s, emu_reg(v, in, in->reg, size));
	} else {
		emu_store(v, &s, m);
		emu_set_reg(v, in, RAX, size, m);
	}
	vcpu_set_rflags(v, flags);
	return 0;
}

/* CMPXCHG8B, CMPXCHG16B: only ZF changes. */
int emulate_cmpxchg_wide(struct vcpu *v, const struct insn *in)
{
	unsigned half = in->opsize == 8 ? 8 : 4;
	uint64_t flags = vcpu_rflags(v) & ~RFLAGS_ZF;
	uint8_t old[16], fresh[16];
	struct gva_span s;
	int e = emu_operand(v, in, 0, 2 * half, true, &s);

	if (e)
		return e;
	if (half == 8 && (s.gpa[0] & 15)) {
		vcpu_gp(v);
		return -EFAULT;
	}
	gva_span_read(v, &s, old);
	if (!memcmp(old, &v->gpr[RAX], half) && !memcmp(old + half, &v->gpr[RDX], half)) {
		memcpy(fresh, &v->gpr[RBX], half);
		memcpy(fresh + half, &v->gpr[RCX], half);
		gva_span_write(v, &s, fresh);
		flags |= RFLAGS_ZF;
	} else {
		gva_span_write(v, &s, old);
		v->gpr[RAX] = v->gpr[RDX] = 0;
		memcpy(&v->gpr[RAX], old, half);
		memcpy(&v->gpr[RDX], old + half, half);
	}
	vcpu_set_rflags(v, flags);
	return 0;
}

int emulate_xadd(struct vcpu *v, const struct insn *in)
{
	unsigned size = size_of(in);
	uint64_t flags = vcpu_rflags(v), m, r;
	struct gva_span s;
	int e = emu_operand(v, in, 0, size, true, &s);

	if (e)
		return e;
	m = emu_load(v, &s);
	r = alu_binary(0, size, m, emu_reg(v, in, in->reg, size), &flags);
	emu_store(v, &s, r);
	emu_set_reg(v, in, in->reg, size, m);
	vcpu_set_rflags(v, flags);
	return 0;
}

/* IMUL r, m and IMUL r, m, imm. */
int emulate_imul(struct vcpu *v, const struct insn *in)
{
	unsigned size = in->opsize;
	uint64_t flags = vcpu_rflags(v), high, r;
	struct gva_span s;
	int e = emu_operand(v, in, 0, size, false, &s);

	if (e)
		return e;
	r = alu_multiply(true, size, emu_load(v, &s), in->map == MAP_0F ? emu_reg(v, in, in->reg, size) : in->imm, &high, &flags);
	emu_set_reg(v, in, in->reg, size, r);
	vcpu_set_rflags(v, flags);
	return 0;
}
