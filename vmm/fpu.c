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
 * The legacy area of FXSAVE and XSAVE (SDM vol. 1, table 10-2): FCW at 0, MXCSR at 24; all registers zero. The XSAVE header that follows
 * (13.4.2) is zero too: XSTATE_BV 0 puts every component into its initial configuration.
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
