/* XSETBV and XGETBV (Intel SDM vol. 1, 13.3). */
#include "guest-tests/exits/exits.h"

static uint64_t xgetbv(void)
{
	uint32_t lo, hi;

	__asm__ volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return (uint64_t)hi << 32 | lo;
}

static int try_xsetbv(uint32_t index, uint64_t v)
{
	trap_begin();
	__asm__ volatile(GUARD("xsetbv")::"c"(index), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
	return trap_end();
}

static void test_valid(void)
{
	static const uint64_t values[] = { XCR0_X87, XCR0_X87 | XCR0_SSE, XCR0_X87 | XCR0_SSE | XCR0_AVX, XCR0_X87 };
	uint64_t offered = fpu_on();

	if (!offered) {
		skip("the CPU has no XSAVE");
		return;
	}
	for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		if (values[i] & ~offered)
			continue;
		expect_trap("XSETBV", try_xsetbv(0, values[i]), TRAP_NONE);
		expect_eq("XCR0", xgetbv(), values[i]);
		expect_eq("save area's size, CPUID 0xd EBX", cpuid(0xd, 0).ebx,
			  values[i] & XCR0_AVX ? cpuid(0xd, 2).ebx + cpuid(0xd, 2).eax : 576);
	}
	expect(cpuid(0xd, 0).ecx >= cpuid(0xd, 0).ebx, "CPUID 0xd ECX is less than EBX");
}

static void test_refused(void)
{
	uint64_t offered = fpu_on(), all = cpuid(0xd, 0).eax | (uint64_t)cpuid(0xd, 0).edx << 32;

	if (!offered) {
		skip("the CPU has no XSAVE");
		return;
	}
	expect_error("XCR0 = 0", try_xsetbv(0, 0), VEC_GP, 0);
	expect_error("bit 63", try_xsetbv(0, offered | 1ull << 63), VEC_GP, 0);
	for (unsigned bit = 3; bit < 20; bit++)
		if (!(all >> bit & 1) && !cpu_is_tcg()) /* it has no intercept of XSETBV */
			expect_error("a bit that is not offered", try_xsetbv(0, offered | 1ull << bit), VEC_GP, 0);
	expect_error("XCR1", try_xsetbv(1, offered), VEC_GP, 0);
	if ((offered & XCR0_AVX) && !cpu_is_tcg())
		expect_error("AVX without SSE", try_xsetbv(0, XCR0_X87 | XCR0_AVX), VEC_GP, 0);
	expect_eq("XCR0", xgetbv(), offered);
	write_cr4(read_cr4() & ~(uint64_t)CR4_OSXSAVE);
	expect_trap("XSETBV without OSXSAVE", try_xsetbv(0, offered), VEC_UD);
	expect_trap("XGETBV without OSXSAVE", TRY("xgetbv"), VEC_UD);
}

static uint64_t user_xsetbv(uint64_t v)
{
	__asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)v), "d"(0) : "memory");
	return 0;
}

static void test_user(void)
{
	uint64_t offered = fpu_on();

	if (!offered) {
		skip("the CPU has no XSAVE");
		return;
	}
	expect(user_run(user_xsetbv, offered, NULL), "XSETBV went through at CPL 3");
	expect_error("XSETBV at CPL 3", trap_last.vector, VEC_GP, 0);
}

const struct test xcr_tests[] = {
	{ "xsetbv-valid", test_valid },
	{ "xsetbv-refused", test_refused },
	{ "xsetbv-user", test_user },
	{ 0 },
};
