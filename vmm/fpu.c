#include "vmm/fpu.h"

#include <stdint.h>

#include "vmm/cpu.h"
#include "vmm/exit.h"
#include "vmm/hw/x86.h"

void fpu_enable(void)
{
	write_cr0((read_cr0() & ~(CR0_EM | CR0_TS)) | CR0_MP | CR0_NE);
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT | (this_cpu()->features.xsave ? CR4_OSXSAVE : 0));
}

/*
 * The legacy area of FXSAVE and XSAVE (SDM vol. 1, table 10-2): FCW at 0, MXCSR at 24; all registers zero. The XSAVE header that
 * follows (13.4.2) is zero too: XSTATE_BV 0 puts every component into its initial configuration.
 */
static uint8_t image[4096] __attribute__((aligned(64)));

void fpu_reset(void)
{
	uint64_t mask = cpuid_xcr0_mask();

	*(uint16_t *)(void *)image = 0x37f; /* as FNINIT leaves it */
	*(uint32_t *)(void *)(image + 24) = 0x1f80;
	if (mask) {
		xsetbv(0, mask);
		__asm__ volatile("xrstor64 %0" : : "m"(image), "a"((uint32_t)mask), "d"((uint32_t)(mask >> 32)) : "memory");
		xsetbv(0, XCR0_X87);
	} else {
		__asm__ volatile("fxrstor64 %0" : : "m"(image) : "memory");
	}
}

/* A register's number is part of the instruction. */
#define EACH8(m) m(0) m(1) m(2) m(3) m(4) m(5) m(6) m(7)
#define EACH16(m) EACH8(m) m(8) m(9) m(10) m(11) m(12) m(13) m(14) m(15)

struct bytes8 {
	uint8_t b[8];
};
struct bytes16 {
	uint8_t b[16];
};
struct bytes32 {
	uint8_t b[32];
};

#define GET_XMM(i) case i: __asm__ volatile("movups %%xmm" #i ", %0" : "=m"(*(struct bytes16 *)data)); break;
#define GET_YMM(i) case i: __asm__ volatile("vmovups %%ymm" #i ", %0" : "=m"(*(struct bytes32 *)data)); break;
#define SET_XMM(i) case i: __asm__ volatile("movups %0, %%xmm" #i : : "m"(*(const struct bytes16 *)data)); break;
#define SET_YMM(i) case i: __asm__ volatile("vmovups %0, %%ymm" #i : : "m"(*(const struct bytes32 *)data)); break;
#define GET_MMX(i) case i: __asm__ volatile("movq %%mm" #i ", %0" : "=m"(*(struct bytes8 *)data)); break;
#define SET_MMX(i) case i: __asm__ volatile("movq %0, %%mm" #i : : "m"(*(const struct bytes8 *)data)); break;

void fpu_vector_get(unsigned n, bool avx, uint8_t data[32])
{
	switch (avx ? n & 15 : ~0u) {
		EACH16(GET_YMM)
	default:
		switch (n & 15) {
			EACH16(GET_XMM)
		}
	}
}

void fpu_vector_set(unsigned n, bool avx, const uint8_t data[32])
{
	switch (avx ? n & 15 : ~0u) {
		EACH16(SET_YMM)
	default:
		switch (n & 15) {
			EACH16(SET_XMM)
		}
	}
}

static struct bytes16 lent[16];

#define PUT_ASIDE(i) __asm__ volatile("movups %%xmm" #i ", %0" : "=m"(lent[i]));
#define PUT_BACK(i) __asm__ volatile("movups %0, %%xmm" #i : : "m"(lent[i]));

void fpu_lend(void)
{
	EACH16(PUT_ASIDE)
}

void fpu_take_back(void)
{
	EACH16(PUT_BACK)
}

void fpu_mmx_get(unsigned n, uint8_t data[8])
{
	switch (n & 7) {
		EACH8(GET_MMX)
	}
}

void fpu_mmx_set(unsigned n, const uint8_t data[8])
{
	switch (n & 7) {
		EACH8(SET_MMX)
	}
}
