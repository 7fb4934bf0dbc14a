/* x87, SSE and AVX registers over every kind of exit. */
#include "guest-tests/exits/exits.h"

#define FX_MXCSR 24
#define FX_ST 32
#define FX_XMM 160
#define FX_END 416

static uint8_t want[4096] __attribute__((aligned(64))), seen[4096] __attribute__((aligned(64)));
static uint64_t xcr0;
static uint32_t ymm_at;

static void save(uint8_t *to)
{
	if (xcr0)
		__asm__ volatile("xsave (%0)" ::"r"(to), "a"((uint32_t)xcr0), "d"(0) : "memory");
	else
		__asm__ volatile("fxsave (%0)" ::"r"(to) : "memory");
}

static void load(const uint8_t *from)
{
	if (xcr0)
		__asm__ volatile("xrstor (%0)" ::"r"(from), "a"((uint32_t)xcr0), "d"(0) : "memory");
	else
		__asm__ volatile("fxrstor (%0)" ::"r"(from) : "memory");
}

/* A state in which every register is different (layout: Intel SDM vol. 1, 10.5.1, 13.4). */
static void make_pattern(struct prng *prng)
{
	memset(want, 0, sizeof(want));
	want[0] = 0x7f;
	want[1] = 0x03;
	want[4] = 0xff; /* all of the x87's stack in use */
	*(uint32_t *)(want + FX_MXCSR) = 0x1f80;
	for (unsigned i = FX_XMM; i < FX_END; i++)
		want[i] = (uint8_t)prng_next(prng);
	for (unsigned i = 0; i < 8; i++) {
		*(uint64_t *)(want + FX_ST + 16 * i) = 1ull << 63 | (uint64_t)prng_next(prng) << 16 | i;
		*(uint16_t *)(want + FX_ST + 16 * i + 8) = (uint16_t)(0x3fff + i);
	}
	*(uint64_t *)(want + 512) = xcr0;
	for (unsigned i = 0; ymm_at && i < 256; i++)
		want[ymm_at + i] = (uint8_t)prng_next(prng);
}

static void expect_state(const char *after)
{
	memset(seen, 0, sizeof(seen));
	save(seen);
	expect(!memcmp(want, seen, 2), "x87 control word changed after %s", after);
	expect(!memcmp(want + FX_MXCSR, seen + FX_MXCSR, 4), "MXCSR changed after %s", after);
	for (unsigned i = 0; i < 8; i++)
		expect(!memcmp(want + FX_ST + 16 * i, seen + FX_ST + 16 * i, 10), "ST%u changed after %s", i, after);
	for (unsigned i = 0; i < 16; i++)
		expect(!memcmp(want + FX_XMM + 16 * i, seen + FX_XMM + 16 * i, 16), "XMM%u changed after %s", i, after);
	for (unsigned i = 0; ymm_at && i < 16; i++)
		expect(!memcmp(want + ymm_at + 16 * i, seen + ymm_at + 16 * i, 16), "YMM%u's upper half changed after %s", i,
		       after);
}

static void do_cpuid(void)
{
	for (unsigned i = 0; i < 100; i++)
		cpuid(i & 7, 0);
}

static void do_io(void)
{
	for (unsigned i = 0; i < 100; i++)
		inb(UNCLAIMED_PORT);
}

static void do_msr(void)
{
	for (unsigned i = 0; i < 100; i++)
		wrmsr(MSR_PAT, rdmsr(MSR_PAT));
}

static void do_cr(void)
{
	write_cr4(read_cr4() ^ CR4_PGE);
	write_cr4(read_cr4() ^ CR4_PGE);
	write_cr3(read_cr3());
	write_cr0(read_cr0() ^ CR0_TS);
	__asm__ volatile("clts");
}

static void do_hlt(void)
{
	timer_start(1000);
	for (unsigned i = 0; i < 3; i++)
		wait_for_interrupt();
	timer_stop();
}

static void do_exception(void)
{
	TRY("ud2");
	TRY("int3");
}

static void do_hypercall(void)
{
	if (hyper_present())
		hypercall(HC_GET_VERSION, 0, 0);
}

/* All that the codec has a way of its own for: one colour, few colours, a texture. */
static uint32_t picture(uint32_t x, uint32_t y)
{
	if (y < 16)
		return 0x102030;
	return y < 32 ? (x / 3 ^ y) & 3 : x * y * 0x10305;
}

/* The codec, which sends the picture, works on vectors. */
static void do_screenshot(void)
{
	static uint32_t round;

	round++;
	for (unsigned i = 0; i < head_count; i++)
		for (uint32_t y = 0; y < 48; y++)
			for (uint32_t x = 0; x < 64; x++)
				head_row(&heads[i], y)[x] = round * picture(x, y);
	hyper_screenshot();
	if (head_count)
		*(volatile uint32_t *)heads[0].vram += 1; /* a second-level fault, if pages are tracked by faults */
}

static void do_mmio(void)
{
	if (hyper_present())
		(void)*(volatile uint32_t *)UNBACKED;
}

static const struct {
	const char *name;
	void (*fn)(void);
} exits[] = {
	{ "CPUID", do_cpuid },
	{ "IN", do_io },
	{ "MSRs", do_msr },
	{ "control registers", do_cr },
	{ "HLT", do_hlt },
	{ "exceptions", do_exception },
	{ "a hypercall", do_hypercall },
	{ "a screenshot", do_screenshot },
	{ "MMIO", do_mmio },
};

static void test_kept(void)
{
	struct prng prng = { 0xf10a7 };

	xcr0 = fpu_on();
	ymm_at = xcr0 & XCR0_AVX ? cpuid(0xd, 2).ebx : 0;
	expect(ymm_at + 256 <= sizeof(want), "the save area is larger than 4 KiB");
	if (ymm_at + 256 > sizeof(want))
		return;
	for (unsigned i = 0; i < sizeof(exits) / sizeof(exits[0]); i++) {
		make_pattern(&prng);
		load(want);
		exits[i].fn();
		expect_state(exits[i].name);
	}
}

/* XCR0 without AVX for a while: the upper halves come back untouched. */
static void test_xcr0(void)
{
	struct prng prng = { 0xa77 };

	xcr0 = fpu_on();
	if (!(xcr0 & XCR0_AVX)) {
		skip("the CPU has no AVX");
		return;
	}
	ymm_at = cpuid(0xd, 2).ebx;
	make_pattern(&prng);
	load(want);
	__asm__ volatile("xsetbv" ::"c"(0), "a"(3), "d"(0));
	do_cpuid();
	do_io();
	__asm__ volatile("xsetbv" ::"c"(0), "a"((uint32_t)xcr0), "d"(0));
	expect_state("XCR0 changed");
}

const struct test fpu_tests[] = {
	{ "fpu-kept", test_kept },
	{ "fpu-xcr0", test_xcr0 },
	{ 0 },
};
