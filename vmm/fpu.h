/* x87, SSE and AVX state. The VMM uses none of it but in the codec (and in memset, which leaves no trace), so the running guest's
 * stays in the CPU; this is for the moments when it changes. */
#ifndef VMM_FPU_H
#define VMM_FPU_H

#include <stdbool.h>
#include <stdint.h>

/** Lets this CPU use all the state that a guest is offered (CR0, CR4, XCR0). Before the vendor part stores the host's CR4. */
void fpu_enable(void);

/** Loads the state that power-on has: XCR0 = x87, all registers in their initial configuration (SDM vol. 3, table 10-1). */
void fpu_reset(void);

/**
 * The guest's vector register n as it is in this CPU: 16 bytes, or 32 with its AVX half. Setting with avx zeroes what lies above
 * the 32 bytes given (VEX); without, the upper half stays. For the emulator: the guest has just used such a register.
 */
void fpu_vector_get(unsigned n, bool avx, uint8_t data[32]);
void fpu_vector_set(unsigned n, bool avx, const uint8_t data[32]);

/**
 * Puts the guest's XMM registers aside, so that the codec can use them, and back. What lies above them in YMM and ZMM registers
 * stays in the CPU: instructions without VEX leave it alone (SDM vol. 1, 14.1.2). Not nested; no exit is handled in between.
 */
void fpu_lend(void);
void fpu_take_back(void);

/** MMX registers, 8 bytes. Using one makes the x87 registers MMX ones, as the guest's instruction would have done. */
void fpu_mmx_get(unsigned n, uint8_t data[8]);
void fpu_mmx_set(unsigned n, const uint8_t data[8]);

#endif
