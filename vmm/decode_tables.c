/* Attributes of every opcode: SDM vol. 2 appendix A, APM vol. 3 appendix A. */
#include "vmm/decode_internal.h"

/* Short names keep the tables' rows to one line of eight opcodes, as the manuals' maps have them. */
/* clang-format off */
#define __   0                                   /* no operand bytes */
#define XX   ATTR_UD
#define N6   ATTR_NO64
#define E    ATTR_MODRM
#define Eb   (ATTR_MODRM | ATTR_BYTE)
#define Em   (ATTR_MODRM | ATTR_MEMONLY)
#define Er   (ATTR_MODRM | ATTR_REGONLY)
#define EL   (E | ATTR_LOCK)
#define EbL  (Eb | ATTR_LOCK)
#define EIb  (E | IMM_UB)
#define G    (E | ATTR_GROUP)
#define GIb  (G | IMM_UB)
#define GL   (G | ATTR_LOCK)
#define Cr   (E | ATTR_ANYMOD | SIZE_MODE)
#define B    ATTR_BYTE
#define Ib   IMM_UB
#define Sb   IMM_SB
#define BIb  (ATTR_BYTE | IMM_UB)
#define Iz   IMM_Z
#define Iv   IMM_V
#define Iw   IMM_W
#define D    SIZE_D64
#define P    SIZE_PORT
#define Jb   (SIZE_NEAR | IMM_SB)
#define Jz   (SIZE_NEAR | IMM_Z)
#define Far  (ATTR_NO64 | IMM_FAR)
#define Ob   (ATTR_BYTE | IMM_MOFFS)
#define Ov   IMM_MOFFS

static const uint16_t one_byte[256] = {
	/* 00 */ EbL, EL, Eb, E, BIb, Iz, N6, N6,
	/* 08 */ EbL, EL, Eb, E, BIb, Iz, N6, XX,
	/* 10 */ EbL, EL, Eb, E, BIb, Iz, N6, N6,
	/* 18 */ EbL, EL, Eb, E, BIb, Iz, N6, N6,
	/* 20 */ EbL, EL, Eb, E, BIb, Iz, XX, N6,
	/* 28 */ EbL, EL, Eb, E, BIb, Iz, XX, N6,
	/* 30 */ EbL, EL, Eb, E, BIb, Iz, XX, N6,
	/* 38 */ Eb, E, Eb, E, BIb, Iz, XX, N6,
	/* 40 */ N6, N6, N6, N6, N6, N6, N6, N6,
	/* 48 */ N6, N6, N6, N6, N6, N6, N6, N6,
	/* 50 */ D, D, D, D, D, D, D, D,
	/* 58 */ D, D, D, D, D, D, D, D,
	/* 60 */ N6, N6, Em | N6, E, XX, XX, XX, XX,
	/* 68 */ D | Iz, E | Iz, D | Sb, E | Sb, B, P, B, P,
	/* 70 */ Jb, Jb, Jb, Jb, Jb, Jb, Jb, Jb,
	/* 78 */ Jb, Jb, Jb, Jb, Jb, Jb, Jb, Jb,
	/* 80 */ GL | BIb, GL | Iz, GL | BIb | N6, GL | Sb, Eb, E, EbL, EL,
	/* 88 */ Eb, E, Eb, E, G, Em, G, G | D,
	/* 90 */ __, __, __, __, __, __, __, __,
	/* 98 */ __, __, Far, __, D, D, __, __,
	/* a0 */ Ob, Ov, Ob, Ov, B, __, B, __,
	/* a8 */ BIb, Iz, B, __, B, __, B, __,
	/* b0 */ BIb, BIb, BIb, BIb, BIb, BIb, BIb, BIb,
	/* b8 */ Iv, Iv, Iv, Iv, Iv, Iv, Iv, Iv,
	/* c0 */ Eb | Ib, EIb, SIZE_NEAR | Iw, SIZE_NEAR, Em | N6, Em | N6, G | BIb, G | Iz,
	/* c8 */ D | IMM_WB, D, Iw, __, __, Ib, N6, __,
	/* d0 */ Eb, E, Eb, E, N6 | BIb, N6 | BIb, N6 | B, B,
	/* d8 */ E, E, E, E, E, E, E, E,
	/* e0 */ Jb, Jb, Jb, Jb, BIb, P | Ib, BIb, P | Ib,
	/* e8 */ Jz, Jz, Far, Jb, B, P, B, P,
	/* f0 */ XX, __, XX, XX, __, __, GL | BIb, GL | Iz,
	/* f8 */ __, __, __, __, __, __, GL | B, GL,
};

/* A6 and A7 are VIA's PadLock, 0F 3DNow! (its opcode comes last, as an imm8), B9 and FF are UD1 and UD0. */
static const uint16_t two_byte[256] = {
	/* 00 */ G, G, E, E, XX, __, __, __,
	/* 08 */ __, __, XX, __, XX, E, __, EIb,
	/* 10 */ E, E, E, Em, E, E, E, Em,
	/* 18 */ E, E, E, E, E, E, E, E,
	/* 20 */ Cr, Cr, Cr, Cr, XX, XX, XX, XX,
	/* 28 */ E, E, E, Em, E, E, E, E,
	/* 30 */ __, __, __, __, __, __, XX, __,
	/* 38 */ XX, XX, XX, XX, XX, XX, XX, XX,
	/* 40 */ E, E, E, E, E, E, E, E,
	/* 48 */ E, E, E, E, E, E, E, E,
	/* 50 */ Er, E, E, E, E, E, E, E,
	/* 58 */ E, E, E, E, E, E, E, E,
	/* 60 */ E, E, E, E, E, E, E, E,
	/* 68 */ E, E, E, E, E, E, E, E,
	/* 70 */ EIb, GIb, GIb, GIb, E, E, E, __,
	/* 78 */ E | SIZE_MODE | IMM_BB, E | SIZE_MODE, XX, XX, E, E, E, E,
	/* 80 */ Jz, Jz, Jz, Jz, Jz, Jz, Jz, Jz,
	/* 88 */ Jz, Jz, Jz, Jz, Jz, Jz, Jz, Jz,
	/* 90 */ Eb, Eb, Eb, Eb, Eb, Eb, Eb, Eb,
	/* 98 */ Eb, Eb, Eb, Eb, Eb, Eb, Eb, Eb,
	/* a0 */ D, D, __, E, EIb, E, Er, Er,
	/* a8 */ D, D, __, EL, EIb, E, G, E,
	/* b0 */ EbL, EL, Em, EL, Em, Em, Eb, E,
	/* b8 */ E, E, GL | Ib, EL, E, E, Eb, E,
	/* c0 */ EbL, EL, EIb, Em, EIb, Er | Ib, EIb, GL,
	/* c8 */ __, __, __, __, __, __, __, __,
	/* d0 */ E, E, E, E, E, E, E, Er,
	/* d8 */ E, E, E, E, E, E, E, E,
	/* e0 */ E, E, E, E, E, E, E, Em,
	/* e8 */ E, E, E, E, E, E, E, E,
	/* f0 */ Em, E, E, E, E, E, E, Er,
	/* f8 */ E, E, E, E, E, E, E, E,
};

/* The maps where every opcode has one form, free ones included. */
static const uint16_t map_form[MAP_COUNT] = {
	[MAP_1BYTE] = XX,
	[MAP_0F] = E,
	[MAP_0F38] = E,
	[MAP_0F3A] = EIb,
	[MAP_XOP8] = EIb,
	[MAP_XOP9] = E,
	[MAP_XOPA] = E | IMM_D,
	[MAP_EVEX5] = E,
	[MAP_EVEX6] = E,
};

/* Which opcodes of map 0F have a VEX or EVEX form, and which of these an imm8: a word for each high digit, a bit for each low. */
static const uint16_t vector_0f[16] = {
	[0x1] = 0x00ff, [0x2] = 0xff00, [0x4] = 0x0cf6, [0x5] = 0xffff, [0x6] = 0xffff, [0x7] = 0xffff,
	[0x9] = 0x030f, [0xa] = 0x4000, [0xc] = 0x0074, [0xd] = 0xffff, [0xe] = 0xffff, [0xf] = 0xffff,
};

static const uint16_t vector_0f_imm[16] = { [0x7] = 0x000f, [0xc] = 0x0074 };

static const struct insn_group groups[] = {
	{ MAP_1BYTE, 0x80, .mem = 0xff, .reg = 0xff, .lock = 0x7f },
	{ MAP_1BYTE, 0x81, .mem = 0xff, .reg = 0xff, .lock = 0x7f },
	{ MAP_1BYTE, 0x82, .mem = 0xff, .reg = 0xff, .lock = 0x7f },
	{ MAP_1BYTE, 0x83, .mem = 0xff, .reg = 0xff, .lock = 0x7f },
	{ MAP_1BYTE, 0x8c, .mem = 0x3f, .reg = 0x3f },                    /* MOV from a segment register */
	{ MAP_1BYTE, 0x8e, .mem = 0x3d, .reg = 0x3d },                    /* MOV to one: not CS */
	{ MAP_1BYTE, 0x8f, .mem = 0x01, .reg = 0x01 },
	{ MAP_1BYTE, 0xc6, .mem = 0x01, .reg = 0x81 },                    /* MOV, XABORT */
	{ MAP_1BYTE, 0xc7, .mem = 0x01, .reg = 0x81 },                    /* MOV, XBEGIN */
	{ MAP_1BYTE, 0xf6, .mem = 0xff, .reg = 0xff, .lock = 0x0c, .no_imm = 0xfc },
	{ MAP_1BYTE, 0xf7, .mem = 0xff, .reg = 0xff, .lock = 0x0c, .no_imm = 0xfc },
	{ MAP_1BYTE, 0xfe, .mem = 0x03, .reg = 0x03, .lock = 0x03 },
	{ MAP_1BYTE, 0xff, .mem = 0x7f, .reg = 0x57, .lock = 0x03, .d64 = 0x40, .near = 0x14 },
	{ MAP_0F, 0x00, .mem = 0x3f, .reg = 0x3f },
	{ MAP_0F, 0x01, .mem = 0xff, .reg = 0xff },
	{ MAP_0F, 0x71, .mem = 0x00, .reg = 0x54 },
	{ MAP_0F, 0x72, .mem = 0x00, .reg = 0x54 },
	{ MAP_0F, 0x73, .mem = 0x00, .reg = 0xcc },
	{ MAP_0F, 0xae, .mem = 0xff, .reg = 0xff },
	{ MAP_0F, 0xba, .mem = 0xf0, .reg = 0xf0, .lock = 0xe0 },
	{ MAP_0F, 0xc7, .mem = 0xfa, .reg = 0xc0, .lock = 0x02 },
};
/* clang-format on */

static uint16_t vector_attr(enum insn_map map, uint8_t opcode)
{
	unsigned row = opcode >> 4, bit = 1u << (opcode & 15);

	if (map != MAP_0F)
		return map_form[map];
	if (!(vector_0f[row] & bit))
		return XX;
	return vector_0f_imm[row] & bit ? EIb : E;
}

uint16_t insn_attr(enum insn_map map, uint8_t opcode, bool vector)
{
	if (vector)
		return vector_attr(map, opcode);
	if (map == MAP_1BYTE)
		return one_byte[opcode];
	return map == MAP_0F ? two_byte[opcode] : map_form[map];
}

const struct insn_group *insn_group_of(enum insn_map map, uint8_t opcode)
{
	const struct insn_group *g = groups;

	/* Every ATTR_GROUP opcode has its entry: the unit test walks all of them. The last one ends the search whatever happens. */
	while (g < groups + sizeof(groups) / sizeof(groups[0]) - 1 && (g->map != map || g->opcode != opcode))
		g++;
	return g;
}
