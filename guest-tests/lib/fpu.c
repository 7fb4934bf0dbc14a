#include "guest-tests/lib/fpu.h"

#include "guest-tests/lib/cpu.h"

#define F1_XSAVE (1u << 26)

uint64_t fpu_on(void)
{
	uint64_t offered;

	write_cr0(read_cr0() & ~(uint64_t)(CR0_TS | CR0_EM));
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
	if (!(cpuid(1, 0).ecx & F1_XSAVE))
		return 0;
	write_cr4(read_cr4() | CR4_OSXSAVE);
	offered = cpuid(0xd, 0).eax & (XCR0_X87 | XCR0_SSE | XCR0_AVX);
	__asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)offered), "d"(0) : "memory");
	return offered;
}
