/* Shared by the emulator's files: operands, and the arithmetic, which knows no guest. */
#ifndef VMM_EMULATE_INTERNAL_H
#define VMM_EMULATE_INTERNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/gva.h"
#include "vmm/vcpu.h"

/* What an emulating function returns: 0 done; EMU_AGAIN more iterations are left, RIP stays; -ENOSYS not known; -EFAULT fault
 * queued. */
#define EMU_AGAIN 1

/** The low bytes' mask; 1, 2, 4, 8. */
static inline uint64_t emu_mask(unsigned bytes)
{
	return bytes == 8 ? ~0ull : (1ull << 8 * bytes) - 1;
}

static inline uint64_t emu_sign_extend(uint64_t x, unsigned bytes)
{
	unsigned shift = 64 - 8 * bytes;

	return (uint64_t)((int64_t)(x << shift) >> shift);
}

/* ---- emulate.c */

/** A register operand. Of 8 bits without REX, 4 to 7 are AH, CH, DH, BH; writing 32 bits clears the upper half. */
uint64_t emu_reg(struct vcpu *v, const struct insn *in, unsigned reg, unsigned size);
void emu_set_reg(struct vcpu *v, const struct insn *in, unsigned reg, unsigned size, uint64_t value);

/** The ModRM operand moved on by offset bytes: checked, translated for the access. Returns 0, or -EFAULT with a fault queued. */
int emu_operand(struct vcpu *v, const struct insn *in, int64_t offset, unsigned size, bool write, struct gva_span *s);

/** Reads and writes up to 8 bytes of a span. */
uint64_t emu_load(struct vcpu *v, const struct gva_span *s);
void emu_store(struct vcpu *v, const struct gva_span *s, uint64_t value);

/* ---- emulate_rmw.c: what reads memory, computes, and may write it back */

int emulate_alu(struct vcpu *v, const struct insn *in);
int emulate_shift(struct vcpu *v, const struct insn *in);
int emulate_shift_double(struct vcpu *v, const struct insn *in);
int emulate_group3(struct vcpu *v, const struct insn *in);
int emulate_inc_dec(struct vcpu *v, const struct insn *in);
int emulate_bit(struct vcpu *v, const struct insn *in);
int emulate_xchg(struct vcpu *v, const struct insn *in);
int emulate_cmpxchg(struct vcpu *v, const struct insn *in);
int emulate_cmpxchg_wide(struct vcpu *v, const struct insn *in);
int emulate_xadd(struct vcpu *v, const struct insn *in);
int emulate_imul(struct vcpu *v, const struct insn *in);

/* ---- emulate_string.c */

/** MOVS, STOS, LODS, CMPS, SCAS with or without REP: at most a batch of iterations. INS and OUTS are exit_io.c's. */
int emulate_string(struct vcpu *v, const struct insn *in);

/* ---- emulate_stack.c */

int emulate_push(struct vcpu *v, const struct insn *in);
int emulate_pop(struct vcpu *v, const struct insn *in);

/* ---- emulate_vector.c */

/** Plain moves between memory and MMX, XMM or YMM registers, legacy and VEX. */
int emulate_vector(struct vcpu *v, const struct insn *in);

/* ---- emulate_alu.c: results and arithmetic flags (SDM vol. 1, 3.4.3.1). Flags that the manual leaves undefined are left alone or
 * zero. */

/** ADD OR ADC SBB AND SUB XOR CMP, by their number 0..7. */
uint64_t alu_binary(unsigned op, unsigned size, uint64_t a, uint64_t b, uint64_t *flags);
/** ROL ROR RCL RCR SHL SHR SHL SAR, by their number 0..7. */
uint64_t alu_shift(unsigned op, unsigned size, uint64_t a, unsigned count, uint64_t *flags);
/** SHLD (left) and SHRD: bits of b come in. */
uint64_t alu_shift_double(bool left, unsigned size, uint64_t a, uint64_t b, unsigned count, uint64_t *flags);
/** INC, DEC: CF stays. */
uint64_t alu_inc_dec(bool dec, unsigned size, uint64_t a, uint64_t *flags);
/** MUL and IMUL: the low half; the high one goes to *high. */
uint64_t alu_multiply(bool is_signed, unsigned size, uint64_t a, uint64_t b, uint64_t *high, uint64_t *flags);
/** A condition code as in SETcc, CMOVcc, Jcc (SDM vol. 1, appendix B). */
bool alu_condition(unsigned code, uint64_t flags);

#endif
