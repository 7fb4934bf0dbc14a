/*
 * The instruction emulator for memory that is not RAM: the forms that drivers and compilers use on device registers, and what reads
 * or writes device memory in passing. What it does not know parks the guest with the bytes. Everything is checked and translated
 * before the first byte moves, so a fault midway leaves no trace but that of whole iterations of a string instruction.
 */
#include <errno.h>
#include <stdio.h>

#include "vmm/emulate_internal.h"
#include "vmm/exit.h"
#include "vmm/hw/x86.h"
#include "vmm/vm.h"

uint64_t emu_reg(struct vcpu *v, const struct insn *in, unsigned reg, unsigned size)
{
	if (size == 1 && !in->rex && reg >= 4 && reg < 8)
		return vcpu_gpr(v, reg - 4) >> 8 & 0xff;
	return vcpu_gpr(v, reg) & emu_mask(size);
}

void emu_set_reg(struct vcpu *v, const struct insn *in, unsigned reg, unsigned size, uint64_t value)
{
	uint64_t old;

	if (size == 1 && !in->rex && reg >= 4 && reg < 8) {
		old = vcpu_gpr(v, reg - 4);
		vcpu_set_gpr(v, reg - 4, (old & ~0xff00ull) | (value & 0xff) << 8);
	} else if (size >= 4) {
		vcpu_set_gpr(v, reg, value & emu_mask(size));
	} else {
		old = vcpu_gpr(v, reg);
		vcpu_set_gpr(v, reg, (old & ~emu_mask(size)) | (value & emu_mask(size)));
	}
}

int emu_operand(struct vcpu *v, const struct insn *in, int64_t offset, unsigned size, bool write, struct gva_span *s)
{
	struct insn_regs r = { .gpr = v->gpr, .rip = vcpu_rip(v) };
	uint64_t ea, gva;
	unsigned seg;
	int e;

	if (!in->mem)
		return -ENOSYS;
	vcpu_need(v, VG_RSP);
	ea = (insn_effective(in, &r, NULL, &seg) + (uint64_t)offset) & emu_mask(in->addrsize);
	e = gva_linear(v, (enum vseg)seg, ea, size, write, &gva);
	return e ? e : gva_resolve(v, gva, size, write, s);
}

uint64_t emu_load(struct vcpu *v, const struct gva_span *s)
{
	uint64_t value = 0;

	gva_span_read(v, s, &value);
	return value;
}

void emu_store(struct vcpu *v, const struct gva_span *s, uint64_t value)
{
	gva_span_write(v, s, &value);
}

/* ---- plain moves */

static int load(struct vcpu *v, const struct insn *in, unsigned size, uint64_t *value)
{
	struct gva_span s;
	int e = emu_operand(v, in, 0, size, false, &s);

	if (!e)
		*value = emu_load(v, &s);
	return e;
}

static int store(struct vcpu *v, const struct insn *in, unsigned size, uint64_t value)
{
	struct gva_span s;
	int e = emu_operand(v, in, 0, size, true, &s);

	if (!e)
		emu_store(v, &s, value);
	return e;
}

static int move_load(struct vcpu *v, const struct insn *in, unsigned reg)
{
	unsigned size = in->byte_op ? 1 : in->opsize;
	uint64_t value;
	int e = load(v, in, size, &value);

	if (!e)
		emu_set_reg(v, in, reg, size, value);
	return e;
}

/* MOVZX, MOVSX, MOVSXD. */
static int move_extend(struct vcpu *v, const struct insn *in, unsigned size, bool sign)
{
	uint64_t value;
	int e = load(v, in, size, &value);

	if (!e)
		emu_set_reg(v, in, in->reg, in->opsize, sign ? emu_sign_extend(value, size) : value);
	return e;
}

static uint64_t swap(uint64_t x, unsigned size)
{
	return __builtin_bswap64(x) >> (64 - 8 * size);
}

static int movbe(struct vcpu *v, const struct insn *in)
{
	uint64_t value;
	int e;

	if (in->opcode == 0xf1)
		return store(v, in, in->opsize, swap(emu_reg(v, in, in->reg, in->opsize), in->opsize));
	e = load(v, in, in->opsize, &value);
	if (!e)
		emu_set_reg(v, in, in->reg, in->opsize, swap(value, in->opsize));
	return e;
}

/* CMOVcc reads its operand, and clears a 32-bit destination's upper half, whatever the condition says (SDM vol. 2, CMOVcc). */
static int cmov(struct vcpu *v, const struct insn *in)
{
	uint64_t value;
	int e = load(v, in, in->opsize, &value);

	if (!e && !alu_condition(in->opcode, vcpu_rflags(v)))
		value = emu_reg(v, in, in->reg, in->opsize);
	if (!e)
		emu_set_reg(v, in, in->reg, in->opsize, value);
	return e;
}

static int xlat(struct vcpu *v, const struct insn *in)
{
	enum vseg seg = in->segment >= 0 ? (enum vseg)in->segment : SEG_DS;
	uint64_t gva, value = 0;
	int e = gva_linear(v, seg, (v->gpr[RBX] + (v->gpr[RAX] & 0xff)) & emu_mask(in->addrsize), 1, false, &gva);

	if (!e)
		e = gva_read(v, gva, &value, 1);
	if (!e)
		emu_set_reg(v, in, RAX, 1, value);
	return e;
}

/* ---- the maps */

static int emulate_1byte(struct vcpu *v, const struct insn *in)
{
	unsigned size = in->byte_op ? 1 : in->opsize;

	if (in->opcode < 0x40)
		return emulate_alu(v, in);
	switch (in->opcode) {
	case 0x50 ... 0x57:
	case 0x68:
	case 0x6a: return emulate_push(v, in);
	case 0x58 ... 0x5f:
	case 0x8f: return emulate_pop(v, in);
	case 0x63: return in->mode >= INSN_64 ? move_extend(v, in, in->opsize == 2 ? 2 : 4, true) : -ENOSYS;
	case 0x69:
	case 0x6b: return emulate_imul(v, in);
	case 0x80 ... 0x85: return emulate_alu(v, in);
	case 0x86:
	case 0x87: return emulate_xchg(v, in);
	case 0x88:
	case 0x89: return store(v, in, size, emu_reg(v, in, in->reg, size));
	case 0x8a:
	case 0x8b: return move_load(v, in, in->reg);
	case 0x8c: return store(v, in, 2, vcpu_seg(v, (enum vseg)(in->reg & 7))->sel);
	case 0xa0:
	case 0xa1: return move_load(v, in, RAX);
	case 0xa2:
	case 0xa3: return store(v, in, size, v->gpr[RAX]);
	case 0xa4 ... 0xa7:
	case 0xaa ... 0xaf: return emulate_string(v, in);
	case 0xc0:
	case 0xc1:
	case 0xd0 ... 0xd3: return emulate_shift(v, in);
	case 0xc6:
	case 0xc7: return store(v, in, size, in->imm);
	case 0xd7: return xlat(v, in);
	case 0xf6:
	case 0xf7: return emulate_group3(v, in);
	case 0xfe: return emulate_inc_dec(v, in);
	case 0xff:
		if ((in->reg & 7) == 6)
			return emulate_push(v, in);
		return (in->reg & 7) < 2 ? emulate_inc_dec(v, in) : -ENOSYS;
	default: return -ENOSYS;
	}
}

static int emulate_0f(struct vcpu *v, const struct insn *in)
{
	switch (in->opcode) {
	case 0x0d: /* prefetches and NOP touch nothing */
	case 0x18 ... 0x1f: return 0;
	case 0x40 ... 0x4f: return cmov(v, in);
	case 0x90 ... 0x9f: return store(v, in, 1, alu_condition(in->opcode, vcpu_rflags(v)));
	case 0xa3:
	case 0xab:
	case 0xb3:
	case 0xbb: return emulate_bit(v, in);
	case 0xba: return emulate_bit(v, in);
	case 0xa4:
	case 0xa5:
	case 0xac:
	case 0xad: return emulate_shift_double(v, in);
	case 0xaf: return emulate_imul(v, in);
	case 0xb0:
	case 0xb1: return emulate_cmpxchg(v, in);
	case 0xb6:
	case 0xb7: return move_extend(v, in, in->opcode & 1 ? 2 : 1, false);
	case 0xbe:
	case 0xbf: return move_extend(v, in, in->opcode & 1 ? 2 : 1, true);
	case 0xc0:
	case 0xc1: return emulate_xadd(v, in);
	case 0xc3: return store(v, in, in->opsize, emu_reg(v, in, in->reg, in->opsize)); /* MOVNTI */
	case 0xc7: return (in->reg & 7) == 1 ? emulate_cmpxchg_wide(v, in) : -ENOSYS;
	default: return emulate_vector(v, in);
	}
}

static int emulate_0f38(struct vcpu *v, const struct insn *in)
{
	if ((in->opcode == 0xf0 || in->opcode == 0xf1) && in->rep == REP_NONE)
		return movbe(v, in);
	if (in->opcode == 0xf9 && in->pp == PP_NONE) /* MOVDIRI */
		return store(v, in, in->opsize, emu_reg(v, in, in->reg, in->opsize));
	return emulate_vector(v, in);
}

static int emulate(struct vcpu *v, const struct insn *in)
{
	if (in->vex)
		return emulate_vector(v, in);
	if (in->evex || in->xop)
		return -ENOSYS;
	switch (in->map) {
	case MAP_1BYTE: return emulate_1byte(v, in);
	case MAP_0F: return emulate_0f(v, in);
	case MAP_0F38: return emulate_0f38(v, in);
	default: return -ENOSYS;
	}
}

static void park(struct vcpu *v, const struct insn *in, uint64_t gpa)
{
	uint8_t bytes[INSN_MAX];
	char hex[3 * INSN_MAX + 1] = "";
	size_t n = gva_fetch(v, bytes, in->length);

	for (size_t i = 0; i < n; i++)
		snprintf(hex + 3 * i, 4, "%02x ", bytes[i]);
	vcpu_park(v,
		  "the emulator does not know the instruction %s(map %u, opcode %02x), which touched gpa 0x%llx, where there is no "
		  "RAM",
		  hex, in->map, in->opcode, (unsigned long long)gpa);
}

int emulate_mmio(struct vcpu *v, uint64_t gpa)
{
	struct insn in;
	int e;

	vcpu_need(v, VG_RIP | VG_RSP | VG_RFLAGS | VG_PAGING); /* at once: there is none that does without */
	e = vcpu_decode(v, &in);
	if (e)
		return e;
	e = emulate(v, &in);
	if (e == -ENOSYS)
		park(v, &in, gpa);
	if (!e)
		vcpu_skip(v, in.length);
	return e < 0 ? e : 0;
}
