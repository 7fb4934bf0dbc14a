/* x87, SSE and AVX: off after boot. */
#ifndef GUEST_FPU_H
#define GUEST_FPU_H

#include <stdint.h>

#define XCR0_X87 1u
#define XCR0_SSE 2u
#define XCR0_AVX 4u

/** Enables what the CPU has of x87, SSE and AVX; returns XCR0, or 0 where the CPU has no XSAVE. tests_run turns it off after each
 * test. */
uint64_t fpu_on(void);

#endif
