/* Memory operands: taking them from ModRM, SIB and displacement, and computing their address. */
#include "vmm/decode_internal.h"

#include <errno.h>

enum { REG_BX = 3, REG_SP = 4, REG_BP = 5, REG_SI = 6, REG_DI = 7 };
enum { SEG_SS = 2, SEG_DS = 3 };

/* 16-bit addressing: SDM vol. 2 table 2-1. */
static const struct {
	int8_t base, index;
} ea16[8] = {
	{ REG_BX, REG_SI }, { REG_BX, REG_DI }, { REG_BP, REG_SI }, { REG_BP, REG_DI },
	{ REG_SI, -1 },	    { REG_DI, -1 },	{ REG_BP, -1 },	    { REG_BX, -1 },
};

static int take_disp(struct insn *in, struct insn_reader *r, unsigned len)
{
	in->disp_len = len;
	return len ? insn_take_signed(r, len, &in->disp) : 0;
}

static int take_operand16(struct insn *in, struct insn_reader *r)
{
	unsigned rm = in->modrm & 7;

	if (in->mod == 0 && rm == 6)
		return take_disp(in, r, 2);
	in->base = ea16[rm].base;
	in->index = ea16[rm].index;
	if (in->base == REG_BP)
		in->seg_default = SEG_SS;
	return take_disp(in, r, in->mod);
}

static int take_sib(struct insn *in, struct insn_reader *r)
{
	unsigned index;
	uint64_t sib;
	int rc = insn_take(r, 1, &sib);

	if (rc)
		return rc;
	in->has_sib = true;
	in->sib = sib;
	in->base = (sib & 7) | (in->rex & 1) << 3;
	index = (sib >> 3 & 7) | (in->rex & 2) << 2;
	if (in->vsib || index != REG_SP) {
		in->scale = 1 << (sib >> 6);
		in->index = in->vsib ? -1 : (int)index;
	}
	return 0;
}

/* 32-bit and 64-bit addressing: SDM vol. 2 tables 2-2, 2-3 and section 2.2.1.6. */
static int take_operand32(struct insn *in, struct insn_reader *r)
{
	unsigned low = in->modrm & 7;
	int rc;

	in->base = in->rm;
	if (low == REG_SP) {
		rc = take_sib(in, r);
		if (rc)
			return rc;
		low = in->sib & 7;
	} else if (in->mod == 0 && low == REG_BP) {
		in->rip_relative = in->mode >= INSN_64;
	}
	if (in->mod == 0 && low == REG_BP) {
		in->base = -1;
		return take_disp(in, r, 4);
	}
	if (in->base == REG_SP || in->base == REG_BP)
		in->seg_default = SEG_SS;
	return take_disp(in, r, in->mod == 2 ? 4 : in->mod);
}

int insn_take_operand(struct insn *in, struct insn_reader *r)
{
	in->mem = true;
	if (in->vsib && (in->addrsize == 2 || (in->modrm & 7) != REG_SP))
		return -EINVAL;
	return in->addrsize == 2 ? take_operand16(in, r) : take_operand32(in, r);
}

int insn_take_moffs(struct insn *in, struct insn_reader *r)
{
	uint64_t v;
	int rc = insn_take(r, in->addrsize, &v);

	if (rc)
		return rc;
	in->mem = true;
	in->disp = (int64_t)v;
	in->disp_len = in->addrsize;
	return 0;
}

uint64_t insn_effective(const struct insn *in, const struct insn_regs *r, uint64_t *linear, unsigned *seg)
{
	unsigned s = in->segment >= 0 ? (unsigned)in->segment : in->seg_default;
	uint64_t ea = 0, la;

	if (in->mem) {
		ea = (uint64_t)in->disp;
		if (in->base >= 0)
			ea += r->gpr[in->base];
		if (in->index >= 0)
			ea += r->gpr[in->index] * in->scale;
		if (in->rip_relative)
			ea += r->rip + in->length;
		if (in->addrsize < 8)
			ea &= (1ull << in->addrsize * 8) - 1;
	}
	la = r->seg_base[s] + ea;
	if (in->mode < INSN_64)
		la &= 0xffffffff;
	if (linear)
		*linear = la;
	if (seg)
		*seg = s;
	return ea;
}
