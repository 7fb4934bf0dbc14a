/* What the parts of the instruction decoder share: the attributes of opcodes, and the reader of instruction bytes. */
#ifndef VMM_DECODE_INTERNAL_H
#define VMM_DECODE_INTERNAL_H

#include "vmm/decode.h"

/* Kinds of immediate, the low four bits of an opcode's attributes. */
enum insn_imm {
	IMM_NONE,
	IMM_SB,	   /* imm8 or rel8, sign-extended */
	IMM_UB,	   /* imm8 */
	IMM_W,	   /* imm16 */
	IMM_D,	   /* imm32 */
	IMM_Z,	   /* imm16 or imm32 by operand size, sign-extended; also rel16, rel32 */
	IMM_V,	   /* imm16, imm32 or imm64 by operand size */
	IMM_FAR,   /* offset by operand size, and selector */
	IMM_WB,	   /* imm16 and imm8: ENTER */
	IMM_BB,	   /* two imm8: EXTRQ, INSERTQ */
	IMM_MOFFS, /* address by address size: MOV A0..A3 */
	IMM_COUNT,
};

#define ATTR_IMM 0x000f
#define ATTR_MODRM 0x0010
#define ATTR_BYTE 0x0020    /* 8-bit operand */
#define ATTR_LOCK 0x0040    /* takes LOCK if its destination is memory */
#define ATTR_NO64 0x0080    /* #UD in 64-bit mode */
#define ATTR_SIZE 0x0700    /* which operand size: 0 by mode, 66 and REX.W, or one of these */
#define SIZE_D64 0x0100	    /* 64 bits by default in 64-bit mode: the stack */
#define SIZE_NEAR 0x0200    /* near branch: 64 bits in 64-bit mode, see enum insn_mode */
#define SIZE_MODE 0x0300    /* 8 bytes in 64-bit mode, else 4 */
#define SIZE_PORT 0x0400    /* 4 bytes at most: input and output */
#define ATTR_GROUP 0x0800   /* ModRM.reg extends the opcode: see struct insn_group */
#define ATTR_ANYMOD 0x1000  /* mod is ignored: register operands */
#define ATTR_MEMONLY 0x2000 /* #UD with a register operand */
#define ATTR_REGONLY 0x4000 /* #UD with a memory operand */
#define ATTR_UD 0x8000	    /* undefined, a prefix, or an escape byte */

/* A group: masks over ModRM.reg. */
struct insn_group {
	uint8_t map, opcode;
	uint8_t mem, reg;  /* defined with a memory, a register operand */
	uint8_t lock;	   /* take LOCK */
	uint8_t no_imm;	   /* lack the immediate that the opcode's attributes name */
	uint8_t d64, near; /* have SIZE_D64, SIZE_NEAR */
};

/** Attributes of a legacy opcode, or with VEX, EVEX or XOP when vector is set. */
uint16_t insn_attr(enum insn_map map, uint8_t opcode, bool vector);

/** The group of an opcode with ATTR_GROUP. */
const struct insn_group *insn_group_of(enum insn_map map, uint8_t opcode);

struct insn_reader {
	const uint8_t *bytes;
	size_t n, pos;
};

/** Takes len <= 8 bytes, little-endian. Returns 0, -EFAULT past n, -EINVAL past the 15th byte. */
int insn_take(struct insn_reader *r, unsigned len, uint64_t *v);

/** The same, sign-extended. */
int insn_take_signed(struct insn_reader *r, unsigned len, int64_t *v);

/** Takes SIB and displacement of the memory operand that in->modrm names. Errors as insn_take(). */
int insn_take_operand(struct insn *in, struct insn_reader *r);

/** Takes the absolute address of MOV A0..A3. Errors as insn_take(). */
int insn_take_moffs(struct insn *in, struct insn_reader *r);

#endif
