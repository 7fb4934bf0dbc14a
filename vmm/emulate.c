/*
 * The instruction emulator for memory that is not RAM: MOV, MOVZX, MOVSX, MOVS, STOS, LODS, and the ALU forms that read or write such
 * memory. What it does not know parks the guest with the bytes.
 */
#include <errno.h>
#include <stdio.h>

#include "vmm/exit.h"
#include "vmm/gva.h"
#include "vmm/hw/x86.h"
#include "vmm/log.h"
#include "vmm/vm.h"

#define STRING_BATCH 512 /* iterations in one exit */

static uint64_t mask(unsigned bytes)
{
	return bytes == 8 ? ~0ull : (1ull << 8 * bytes) - 1;
}

static uint64_t sign_extend(uint64_t x, unsigned bytes)
{
	unsigned shift = 64 - 8 * bytes;

	return (uint64_t)((int64_t)(x << shift) >> shift);
}

/* An 8-bit register operand: without REX, 4 to 7 are AH, CH, DH, BH. */
static uint64_t reg_read(struct vcpu *v, const struct insn *in, unsigned reg, unsigned size)
{
	if (size == 1 && !in->rex && reg >= 4 && reg < 8)
		return vcpu_gpr(v, reg - 4) >> 8 & 0xff;
	return vcpu_gpr(v, reg) & mask(size);
}

static void reg_write(struct vcpu *v, const struct insn *in, unsigned reg, unsigned size, uint64_t value)
{
	uint64_t old;

	if (size == 1 && !in->rex && reg >= 4 && reg < 8) {
		old = vcpu_gpr(v, reg - 4);
		vcpu_set_gpr(v, reg - 4, (old & ~0xff00ull) | (value & 0xff) << 8);
	} else if (size >= 4) {
		vcpu_set_gpr(v, reg, value & mask(size));
	} else {
		old = vcpu_gpr(v, reg);
		vcpu_set_gpr(v, reg, (old & ~mask(size)) | (value & mask(size)));
	}
}

/* Linear address of the ModRM operand, checked. */
static int operand(struct vcpu *v, const struct insn *in, unsigned size, bool write, uint64_t *gva)
{
	struct insn_regs r = { .gpr = v->gpr, .rip = vcpu_rip(v) };
	uint64_t offset;
	unsigned seg;

	vcpu_need(v, VG_RSP);
	offset = insn_effective(in, &r, gva, &seg);
	return gva_linear(v, (enum vseg)seg, offset, size, write, gva);
}

static int load(struct vcpu *v, const struct insn *in, unsigned size, uint64_t *value)
{
	uint64_t gva;
	int e = operand(v, in, size, false, &gva);

	*value = 0;
	return e ? e : gva_read(v, gva, value, size);
}

static int store(struct vcpu *v, const struct insn *in, unsigned size, uint64_t value)
{
	uint64_t gva;
	int e = operand(v, in, size, true, &gva);

	return e ? e : gva_write(v, gva, &value, size);
}

/* MOVS, STOS, LODS with or without REP. 1: more iterations are left. */
static int emulate_string(struct vcpu *v, const struct insn *in, unsigned size)
{
	unsigned asize = in->addrsize, op = in->opcode & 0xfe, batch = STRING_BATCH;
	uint64_t amask = mask(asize), gva, value;
	int64_t step = vcpu_rflags(v) & RFLAGS_DF ? -(int64_t)size : (int64_t)size;
	enum vseg seg = in->segment >= 0 ? (enum vseg)in->segment : SEG_DS;
	int e;

	while (in->rep == REP_NONE || (v->gpr[RCX] & amask)) {
		if (!batch--)
			return 1;
		value = v->gpr[RAX];
		if (op != 0xaa) { /* MOVS, LODS read DS:rSI */
			value = 0;
			e = gva_linear(v, seg, v->gpr[RSI] & amask, size, false, &gva);
			if (e || (e = gva_read(v, gva, &value, size)))
				return e;
		}
		if (op == 0xac) {
			reg_write(v, in, RAX, size, value);
		} else {
			e = gva_linear(v, SEG_ES, v->gpr[RDI] & amask, size, true, &gva);
			if (e || (e = gva_write(v, gva, &value, size)))
				return e;
			reg_write(v, in, RDI, asize, v->gpr[RDI] + (uint64_t)step);
		}
		if (op != 0xaa)
			reg_write(v, in, RSI, asize, v->gpr[RSI] + (uint64_t)step);
		if (in->rep == REP_NONE)
			break;
		reg_write(v, in, RCX, asize, v->gpr[RCX] - 1);
	}
	return 0;
}

/* ADD OR ADC SBB AND SUB XOR CMP, by their number 0..7; sets the arithmetic flags (SDM vol. 1, 3.4.3.1). */
static uint64_t alu(struct vcpu *v, unsigned op, unsigned size, uint64_t a, uint64_t b)
{
	uint64_t m = mask(size), top = 1ull << (8 * size - 1), flags = vcpu_rflags(v), r;
	bool carry = (op == 2 || op == 3) && (flags & RFLAGS_CF), cf = false, of = false, af = false;

	a &= m;
	b &= m;
	switch (op) {
	case 0:
	case 2:
		r = (a + b + carry) & m;
		cf = r < a || (carry && r == a);
		of = (a ^ r) & (b ^ r) & top;
		af = (a ^ b ^ r) & 0x10;
		break;
	case 3:
	case 5:
	case 7:
		r = (a - b - carry) & m;
		cf = a < b || (carry && a == b);
		of = (a ^ b) & (a ^ r) & top;
		af = (a ^ b ^ r) & 0x10;
		break;
	case 1: r = a | b; break;
	case 4: r = a & b; break;
	default: r = a ^ b; break;
	}
	flags &= ~(RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF);
	flags |= (cf ? RFLAGS_CF : 0) | (__builtin_parity((uint8_t)r) ? 0 : RFLAGS_PF) | (af ? RFLAGS_AF : 0) | (r ? 0 : RFLAGS_ZF) |
		 (r & top ? RFLAGS_SF : 0) | (of ? RFLAGS_OF : 0);
	vcpu_set_rflags(v, flags);
	return r;
}

/* op r/m,r; op r,r/m; op r/m,imm. CMP (7) and TEST (AND without result) store nothing. */
static int emulate_alu(struct vcpu *v, const struct insn *in, unsigned op, unsigned size, bool test)
{
	bool to_reg = in->opcode < 0x40 && (in->opcode & 2);
	uint64_t m, other = in->opcode < 0x40 || in->opcode == 0x84 || in->opcode == 0x85 ? reg_read(v, in, in->reg, size) : in->imm;
	int e = load(v, in, size, &m);

	if (e)
		return e;
	if (to_reg) {
		other = alu(v, op, size, other, m);
		if (op != 7)
			reg_write(v, in, in->reg, size, other);
		return 0;
	}
	/* The store is checked before the flags change. */
	if (op != 7 && !test) {
		uint64_t gva, to;

		e = operand(v, in, size, true, &gva);
		if (e || (e = gva_translate(v, gva, gva_access(v, true, false), &to)))
			return e;
	}
	m = alu(v, op, size, m, other);
	return op == 7 || test ? 0 : store(v, in, size, m);
}

/* 0 done; 1 again; -ENOSYS not known; other negative: fault queued. */
static int emulate_1byte(struct vcpu *v, const struct insn *in)
{
	unsigned size = in->opcode & 1 ? in->opsize : 1;
	uint64_t value;
	int e;

	if (in->opcode < 0x40 && (in->opcode & 7) < 4 && in->mem)
		return emulate_alu(v, in, in->opcode >> 3, size, false);
	switch (in->opcode) {
	case 0x80:
	case 0x81:
	case 0x83: return in->mem ? emulate_alu(v, in, in->reg & 7, size, false) : -ENOSYS;
	case 0x84:
	case 0x85: return emulate_alu(v, in, 4, size, true);
	case 0xf6:
	case 0xf7: return (in->reg & 7) < 2 ? emulate_alu(v, in, 4, size, true) : -ENOSYS;
	case 0x88:
	case 0x89: return store(v, in, size, reg_read(v, in, in->reg, size));
	case 0xa2:
	case 0xa3: return store(v, in, size, v->gpr[RAX]);
	case 0xc6:
	case 0xc7: return store(v, in, size, in->imm);
	case 0x8a:
	case 0x8b:
	case 0xa0:
	case 0xa1:
		e = load(v, in, size, &value);
		if (!e)
			reg_write(v, in, in->opcode >= 0xa0 ? (unsigned)RAX : in->reg, size, value);
		return e;
	case 0xa4:
	case 0xa5:
	case 0xaa:
	case 0xab:
	case 0xac:
	case 0xad: return emulate_string(v, in, size);
	default: return -ENOSYS;
	}
}

static int emulate_0f(struct vcpu *v, const struct insn *in)
{
	unsigned size = in->opcode & 1 ? 2 : 1;
	uint64_t value;
	int e;

	switch (in->opcode) {
	case 0xb6: /* MOVZX */
	case 0xb7:
	case 0xbe: /* MOVSX */
	case 0xbf:
		e = load(v, in, size, &value);
		if (!e)
			reg_write(v, in, in->reg, in->opsize, in->opcode >= 0xbe ? sign_extend(value, size) : value);
		return e;
	case 0x0d: /* prefetches touch nothing */
	case 0x18: return 0;
	default: return -ENOSYS;
	}
}

int emulate_mmio(struct vcpu *v, uint64_t gpa)
{
	struct insn in;
	int e = vcpu_decode(v, &in);

	if (e)
		return e;
	if (in.vex || in.evex || in.xop)
		e = -ENOSYS;
	else
		e = in.map == MAP_1BYTE ? emulate_1byte(v, &in) : in.map == MAP_0F ? emulate_0f(v, &in) : -ENOSYS;
	if (e == -ENOSYS)
		vcpu_park(v, "an instruction that the emulator does not know (map %u, opcode %02x) touched gpa 0x%llx, which is not RAM",
			  in.map, in.opcode, (unsigned long long)gpa);
	if (!e)
		vcpu_skip(v, in.length);
	return e < 0 ? e : 0;
}
