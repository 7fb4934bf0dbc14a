/*
 * Decodes one x86 instruction: its length, always, and what its operands are, for those that the VMM handles itself. Used where
 * the CPU reports no instruction length (SVM without NRIPS) or no operands (no decode assists), and by the instruction emulator.
 * Follows the Intel SDM vol. 2 ch. 2 and appendix A, and the AMD APM vol. 3 where they differ. Pure: no guest, no memory.
 *
 * What it rejects is what no CPU decodes: opcodes, groups and modes that are undefined. Some encodings that raise #UD for a finer
 * reason (an operand that an SSE instruction forbids, an opcode of the VEX maps that is free today) get the length that they would
 * have. Not known: APX (REX2 and EVEX map 4) and the VEX and EVEX map 7.
 */
#ifndef VMM_DECODE_H
#define VMM_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INSN_MAX 15

/*
 * Default operand size of the code segment. With the 66 prefix in 64-bit mode, a near branch keeps a 32-bit displacement and a
 * 64-bit RIP on Intel CPUs, while AMD's take 16 bits for both (SDM vol. 2 "JMP", APM vol. 3 1.2.2): INSN_64_AMD asks for that.
 */
enum insn_mode { INSN_16 = 16, INSN_32 = 32, INSN_64 = 64, INSN_64_AMD = 65 };

/* Instruction encodings spaces. VEX and EVEX share 0F, 0F38 and 0F3A with the legacy encodings: compare with insn_is(). */
enum insn_map { MAP_1BYTE, MAP_0F, MAP_0F38, MAP_0F3A, MAP_XOP8, MAP_XOP9, MAP_XOPA, MAP_EVEX5, MAP_EVEX6, MAP_COUNT };

enum insn_rep { REP_NONE, REP_F2, REP_F3 };

/* The prefix that selects among the instructions of one opcode, in the order of VEX.pp: F2 and F3 go before 66. */
enum insn_pp { PP_NONE, PP_66, PP_F3, PP_F2 };

struct insn {
	uint8_t length;	     /* bytes, 1..15 */
	enum insn_mode mode; /* that it was decoded for */
	enum insn_map map;
	uint8_t opcode; /* last opcode byte; of 3DNow! it is 0F of MAP_0F, and the suffix is in imm */
	bool vex, evex, xop;
	bool has_modrm;
	uint8_t modrm, mod, reg, rm; /* reg and rm with REX.R and REX.B (or VEX's) added, 0..15; a group's /n is reg & 7 */
	bool has_sib;
	uint8_t sib;
	uint8_t opsize;	  /* operand size in bytes: 2, 4, 8 (by mode, 66, REX.W; 64-bit defaults of near branches, push/pop) */
			  /* what has a size of its own (MOV of segment registers, LGDT, MOVD) is for the caller to know */
	bool byte_op;	  /* the operand is 8 bits, whatever opsize says; of MOVZX and MOVSX, the source */
	uint8_t addrsize; /* 2, 4, 8 */
	uint8_t rex;	  /* 0 or the REX byte; of VEX, EVEX, XOP in 64-bit mode their W, R, X, B in the same form */
	bool lock;
	enum insn_rep rep; /* the last F2 or F3 */
	enum insn_pp pp;
	bool pfx66, pfx67;
	uint8_t vvvv, vl; /* of VEX, EVEX, XOP: the extra register 0..15; vector length 0 128, 1 256, 2 512 bits */
	int8_t segment;	  /* override: 0 ES, 1 CS, 2 SS, 3 DS, 4 FS, 5 GS; -1 none (in 64-bit mode only FS and GS count) */
	/* memory operand of ModRM (mod != 3) */
	bool mem;
	bool rip_relative;
	bool vsib;	     /* gather or scatter: the index is a vector register, see sib; index is -1 */
	int8_t base, index;  /* general registers 0..15; -1 none */
	uint8_t scale;	     /* 1, 2, 4, 8 */
	int64_t disp;	     /* displacement, sign-extended, EVEX's disp8 unscaled; or the moffs of MOV A0..A3 (mem set) */
	uint8_t disp_len;    /* bytes: 0, 1, 2, 4, 8 */
	uint8_t seg_default; /* segment used without override: 2 SS for bases RSP/RBP (BP in 16-bit), else 3 DS */
	uint8_t imm_len, imm2_len;
	uint64_t imm;  /* immediate, sign-extended to 64 bits where the instruction does; else zero-extended */
	uint64_t imm2; /* second one of ENTER, EXTRQ, INSERTQ; a far pointer's selector */
};

/** Whether in is the legacy (not VEX, EVEX or XOP) instruction with this opcode. */
static inline bool insn_is(const struct insn *in, enum insn_map map, uint8_t opcode)
{
	return in->map == map && in->opcode == opcode && !in->vex && !in->evex;
}

/**
 * Decodes the instruction at bytes.
 * @in         filled whole on success; its content is undefined after an error
 * @bytes, @n  what was fetched, n <= 15 is enough; fewer are fine if the instruction fits
 * @mode       code segment's default: 64-bit mode, else CS.D
 * MOV to and from control and debug registers always name registers, whatever mod says: mod reads as 3. LOCK MOV CR0 is AMD's name
 * of CR8 outside 64-bit mode: reg reads as 8.
 * Returns 0; -EFAULT when the bytes end inside the instruction (fetch more); -EINVAL for an encoding that raises #UD in this mode
 * or exceeds 15 bytes (#GP).
 */
int insn_decode(struct insn *in, const uint8_t *bytes, size_t n, enum insn_mode mode);

/* A register file as addresses are computed from it. */
struct insn_regs {
	const uint64_t *gpr;  /* 16, in encoding order */
	uint64_t rip;	      /* of the instruction */
	uint64_t seg_base[6]; /* in 64-bit mode ES, CS, SS, DS are 0 */
};

/**
 * Effective address of the ModRM (or moffs) memory operand, wrapped to the address size; 0 if in->mem is not set.
 * @linear  with the segment's base, wrapped to 32 bits outside 64-bit mode; may be NULL
 * @seg     the segment used, numbered as in->segment; may be NULL
 * It is what ModRM says. Left to the caller: the bit offset that BT, BTS, BTR and BTC with a register add, POP's RSP which counts
 * after the pop, operands without ModRM (string instructions, XLAT, the stack), gathers (in->vsib), and EVEX's scaled disp8.
 */
uint64_t insn_effective(const struct insn *in, const struct insn_regs *r, uint64_t *linear, unsigned *seg);

#endif
