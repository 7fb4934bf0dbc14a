/* The instruction decoder: prefixes, opcode maps, ModRM, immediates. Tables in decode_tables.c, memory operands in decode_ea.c. */
#include "vmm/decode_internal.h"

#include <errno.h>
#include <string.h>

enum { REX_W = 8, REX_R = 4, REX_B = 1 };
enum { SEG_DS = 3, SEG_FS = 4 };

/* Bytes of an immediate for operand sizes 2, 4, 8, and of the second one. */
static const struct {
	uint8_t len[3], len2;
	bool sign;
} imm_shape[IMM_COUNT] = {
	[IMM_SB] = { .len = { 1, 1, 1 }, .sign = true },
	[IMM_UB] = { .len = { 1, 1, 1 } },
	[IMM_W] = { .len = { 2, 2, 2 } },
	[IMM_D] = { .len = { 4, 4, 4 } },
	[IMM_Z] = { .len = { 2, 4, 4 }, .sign = true },
	[IMM_V] = { .len = { 2, 4, 8 } },
	[IMM_FAR] = { .len = { 2, 4, 4 }, .len2 = 2 },
	[IMM_WB] = { .len = { 2, 2, 2 }, .len2 = 1 },
	[IMM_BB] = { .len = { 1, 1, 1 }, .len2 = 1 },
};

int insn_take(struct insn_reader *r, unsigned len, uint64_t *v)
{
	uint64_t x = 0;
	unsigned i;

	if (r->pos + len > INSN_MAX)
		return -EINVAL;
	if (r->pos + len > r->n)
		return -EFAULT;
	for (i = 0; i < len; i++)
		x |= (uint64_t)r->bytes[r->pos + i] << i * 8;
	r->pos += len;
	*v = x;
	return 0;
}

int insn_take_signed(struct insn_reader *r, unsigned len, int64_t *v)
{
	uint64_t x, sign = 1ull << (len * 8 - 1);
	int rc = insn_take(r, len, &x);

	if (!rc)
		*v = (int64_t)((x ^ sign) - sign);
	return rc;
}

static bool is64(const struct insn *in)
{
	return in->mode >= INSN_64;
}

/* ES, CS, SS, DS do nothing in 64-bit mode, not even cancel FS or GS: SDM vol. 2 2.1.1, APM vol. 3 1.2.4. */
static void segment_prefix(struct insn *in, int8_t seg)
{
	if (!is64(in) || seg >= SEG_FS)
		in->segment = seg;
}

/* Notes one prefix; false if b is none. A REX that a legacy prefix follows has no effect: SDM vol. 2 2.2.1. */
static bool take_prefix(struct insn *in, uint8_t b)
{
	if (is64(in) && (b & 0xf0) == 0x40) {
		in->rex = b;
		return true;
	}
	switch (b) {
	case 0x26:
	case 0x2e:
	case 0x36:
	case 0x3e: segment_prefix(in, b >> 3 & 3); break;
	case 0x64:
	case 0x65: segment_prefix(in, SEG_FS + (b & 1)); break;
	case 0x66: in->pfx66 = true; break;
	case 0x67: in->pfx67 = true; break;
	case 0xf0: in->lock = true; break;
	case 0xf2: in->rep = REP_F2; break;
	case 0xf3: in->rep = REP_F3; break;
	default: return false;
	}
	in->rex = 0;
	return true;
}

static int take_prefixes(struct insn *in, struct insn_reader *r, uint8_t *opcode)
{
	uint64_t b;
	int rc;

	do {
		rc = insn_take(r, 1, &b);
		if (rc)
			return rc;
	} while (take_prefix(in, b));
	*opcode = b;
	in->pp = in->rep == REP_F2 ? PP_F2 : in->rep == REP_F3 ? PP_F3 : in->pfx66 ? PP_66 : PP_NONE;
	if (is64(in))
		in->addrsize = in->pfx67 ? 4 : 8;
	else
		in->addrsize = (in->mode == INSN_16) != in->pfx67 ? 2 : 4;
	return 0;
}

/*
 * C4, C5 and 62 are LES, LDS and BOUND outside 64-bit mode unless what would be their ModRM names a register; 8F is POP unless its
 * ModRM's low five bits are 8 or more. SDM vol. 2 2.3.5 and "Instruction Format and EVEX"; APM vol. 3 "XOP Prefix".
 */
static int vector_escape(const struct insn *in, const struct insn_reader *r, uint8_t b, bool *yes)
{
	struct insn_reader ahead = *r;
	uint64_t next;
	int rc;

	*yes = false;
	if (b != 0x62 && b != 0x8f && b != 0xc4 && b != 0xc5)
		return 0;
	rc = insn_take(&ahead, 1, &next);
	if (!rc)
		*yes = b == 0x8f ? (next & 0x1f) >= 8 : is64(in) || next >= 0xc0;
	return rc;
}

/* Takes the payload of a VEX, EVEX or XOP prefix and the opcode. Each is brought to C4's two bytes: RXBmmmmm, WvvvvLpp. */
static int take_vector(struct insn *in, struct insn_reader *r, uint8_t escape)
{
	static const uint8_t maps[32] = {
		[1] = MAP_0F,	 [2] = MAP_0F38, [3] = MAP_0F3A, [5] = MAP_EVEX5,
		[6] = MAP_EVEX6, [8] = MAP_XOP8, [9] = MAP_XOP9, [10] = MAP_XOPA,
	};
	uint64_t v;
	unsigned p0, p1;
	int rc;

	if (in->pfx66 || in->rep != REP_NONE || in->lock || in->rex)
		return -EINVAL;
	rc = insn_take(r, escape == 0xc5 ? 1 : escape == 0x62 ? 3 : 2, &v);
	if (rc)
		return rc;
	in->evex = escape == 0x62;
	in->xop = escape == 0x8f;
	in->vex = !in->evex && !in->xop;
	p0 = v & 0xff;
	p1 = v >> 8 & 0xff;
	if (escape == 0xc5) {
		p1 = p0 & 0x7f;
		p0 = (p0 & 0x80) | 0x61;
	}
	in->vl = p1 >> 2 & 1;
	if (in->evex) {
		/* P0[3] is 0 and P1[2] is 1: SDM vol. 2 "Instruction Format and EVEX". */
		if ((p0 & 0x08) || !(p1 & 0x04))
			return -EINVAL;
		p0 &= 0xe7;
		in->vl = v >> 21 & 3;
	}
	in->map = maps[p0 & 0x1f];
	if (in->map == MAP_1BYTE || (in->vex && in->map > MAP_0F3A))
		return -EINVAL;
	in->pp = p1 & 3;
	in->vvvv = ~p1 >> 3 & (is64(in) ? 15 : 7);
	if (is64(in))
		in->rex = 0x40 | (p1 >> 4 & REX_W) | (~p0 >> 5 & 7);
	rc = insn_take(r, 1, &v);
	in->opcode = v;
	return rc;
}

static int take_legacy(struct insn *in, struct insn_reader *r, uint8_t first)
{
	uint64_t b = first;
	int rc;

	if (b == 0x0f) {
		in->map = MAP_0F;
		rc = insn_take(r, 1, &b);
		if (rc)
			return rc;
		if (b == 0x38 || b == 0x3a) {
			in->map = b == 0x38 ? MAP_0F38 : MAP_0F3A;
			rc = insn_take(r, 1, &b);
			if (rc)
				return rc;
		}
	}
	in->opcode = b;
	return 0;
}

static bool is_vector(const struct insn *in)
{
	return in->vex || in->evex || in->xop;
}

static int take_opcode(struct insn *in, struct insn_reader *r, uint16_t *attr)
{
	bool vector;
	uint8_t b;
	int rc;

	rc = take_prefixes(in, r, &b);
	if (!rc)
		rc = vector_escape(in, r, b, &vector);
	if (!rc)
		rc = vector ? take_vector(in, r, b) : take_legacy(in, r, b);
	if (rc)
		return rc;
	*attr = insn_attr(in->map, in->opcode, vector);
	/* VZEROUPPER and VZEROALL; EVEX has no instruction without ModRM. */
	if (in->vex && in->map == MAP_0F && in->opcode == 0x77)
		*attr = 0;
	/* VMREAD, or EXTRQ and INSERTQ with two immediates. */
	if (insn_is(in, MAP_0F, 0x78)) {
		if (in->pp == PP_F3)
			return -EINVAL;
		*attr = in->pp == PP_NONE ? *attr & ~ATTR_IMM : *attr | ATTR_REGONLY;
	}
	return (*attr & ATTR_UD) || (is64(in) && (*attr & ATTR_NO64)) ? -EINVAL : 0;
}

/* VPGATHER, VGATHER; with EVEX also VPSCATTER, VSCATTER and their prefetches: SDM vol. 2 2.3.12. */
static bool is_vsib(const struct insn *in)
{
	uint8_t op = in->opcode;

	if (in->map != MAP_0F38 || !is_vector(in))
		return false;
	return (op >= 0x90 && op <= 0x93) || (in->evex && ((op >= 0xa0 && op <= 0xa3) || op == 0xc6 || op == 0xc7));
}

/* Makes the opcode's attributes those of the group's member. */
static int apply_group(const struct insn *in, uint16_t *attr)
{
	const struct insn_group *g = insn_group_of(in->map, in->opcode);
	uint8_t bit = 1u << (in->reg & 7);

	if (!((in->mem ? g->mem : g->reg) & bit))
		return -EINVAL;
	if (!(g->lock & bit))
		*attr &= ~ATTR_LOCK;
	if (g->no_imm & bit)
		*attr &= ~ATTR_IMM;
	if (g->d64 & bit)
		*attr |= SIZE_D64;
	if (g->near & bit)
		*attr |= SIZE_NEAR;
	return 0;
}

/* MOV to and from CR0, 2, 3, 4, 8 (21, 23: DR0..7). APM vol. 3 "MOV CRn": LOCK with CR0 is CR8. */
static int check_special_register(struct insn *in)
{
	bool debug = in->opcode & 1;

	if (in->lock) {
		if (debug || in->reg != 0)
			return -EINVAL;
		in->reg = 8;
	}
	return (debug ? 0x0ff : 0x11d) >> in->reg & 1 ? 0 : -EINVAL;
}

static int take_modrm(struct insn *in, struct insn_reader *r, uint16_t *attr)
{
	uint64_t modrm;
	int rc = insn_take(r, 1, &modrm);

	if (rc)
		return rc;
	in->has_modrm = true;
	in->modrm = modrm;
	in->mod = *attr & ATTR_ANYMOD ? 3 : modrm >> 6;
	in->reg = (modrm >> 3 & 7) | (in->rex & REX_R) << 1;
	in->rm = (modrm & 7) | (in->rex & REX_B) << 3;
	in->vsib = is_vsib(in);
	if (in->mod != 3) {
		rc = insn_take_operand(in, r);
		if (rc)
			return rc;
	} else if (in->vsib) {
		return -EINVAL;
	}
	if (*attr & (in->mem ? ATTR_REGONLY : ATTR_MEMONLY))
		return -EINVAL;
	if (*attr & ATTR_ANYMOD)
		return check_special_register(in);
	return *attr & ATTR_GROUP ? apply_group(in, attr) : 0;
}

static uint8_t operand_size(const struct insn *in, uint16_t attr)
{
	unsigned kind = attr & ATTR_SIZE;
	bool wide = in->rex & REX_W;

	if (is_vector(in))
		return wide ? 8 : 4;
	if (kind == SIZE_MODE)
		return is64(in) ? 8 : 4;
	if (!is64(in))
		return (in->mode == INSN_16) != in->pfx66 ? 2 : 4;
	if (wide && kind != SIZE_PORT)
		return 8;
	if (kind == SIZE_NEAR && in->mode != INSN_64_AMD)
		return 8;
	if (in->pfx66 && !wide)
		return 2;
	return kind == SIZE_D64 || kind == SIZE_NEAR ? 8 : 4;
}

static int take_immediates(struct insn *in, struct insn_reader *r, enum insn_imm kind)
{
	int64_t s;
	int rc;

	if (kind == IMM_MOFFS)
		return insn_take_moffs(in, r);
	in->imm_len = imm_shape[kind].len[in->opsize >> 2];
	in->imm2_len = imm_shape[kind].len2;
	if (imm_shape[kind].sign) {
		rc = insn_take_signed(r, in->imm_len, &s);
		if (!rc)
			in->imm = (uint64_t)s;
		return rc;
	}
	rc = insn_take(r, in->imm_len, &in->imm);
	return rc ? rc : insn_take(r, in->imm2_len, &in->imm2);
}

int insn_decode(struct insn *in, const uint8_t *bytes, size_t n, enum insn_mode mode)
{
	struct insn_reader r = { .bytes = bytes, .n = n };
	uint16_t attr = 0;
	int rc;

	memset(in, 0, sizeof(*in));
	in->mode = mode;
	in->segment = in->base = in->index = -1;
	in->scale = 1;
	in->seg_default = SEG_DS;
	rc = take_opcode(in, &r, &attr);
	if (!rc && (attr & ATTR_MODRM))
		rc = take_modrm(in, &r, &attr);
	if (rc)
		return rc;
	if (in->lock && !(attr & ATTR_ANYMOD) && !((attr & ATTR_LOCK) && in->mem))
		return -EINVAL;
	in->opsize = operand_size(in, attr);
	in->byte_op = attr & ATTR_BYTE;
	rc = take_immediates(in, &r, attr & ATTR_IMM);
	in->length = r.pos;
	return rc;
}
