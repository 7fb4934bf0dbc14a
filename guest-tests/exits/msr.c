/* RDMSR and WRMSR: values that stick, values that the CPU refuses, MSRs that are not there. */
#include "guest-tests/exits/exits.h"

#define NON_CANONICAL 0x8000000000000000ull
#define E1_RDTSCP (1u << 27)
#define E1_NX (1u << 20)
#define F1_MTRR (1u << 12)
#define F1_VMX (1u << 5)
#define F7_TSC_ADJUST (1u << 1)
#define PAT_DEFAULT 0x0007040600070406ull
#define NO_CHECK "QEMU's translator does not check this MSR"

static void test_efer(void)
{
	uint64_t efer = rdmsr(MSR_EFER);

	expect((efer & (EFER_LME | EFER_LMA)) == (EFER_LME | EFER_LMA), "EFER is 0x%lx in 64-bit mode", efer);
	wrmsr(MSR_EFER, efer ^ EFER_SCE);
	expect_eq("EFER with SCE changed", rdmsr(MSR_EFER), efer ^ EFER_SCE);
	if (cpuid(0x80000001, 0).edx & E1_NX) {
		wrmsr(MSR_EFER, efer | EFER_NXE);
		expect_eq("EFER with NXE", rdmsr(MSR_EFER), efer | EFER_NXE);
	}
	wrmsr(MSR_EFER, efer);
	expect_eq("EFER restored", rdmsr(MSR_EFER), efer);
}

static void test_efer_refused(void)
{
	uint64_t efer = rdmsr(MSR_EFER);

	if (bare_tcg()) {
		skip(NO_CHECK);
		return;
	}
	expect_error("EFER bit 9", try_wrmsr(MSR_EFER, efer | 1u << 9), VEC_GP, 0);
	expect_error("EFER bit 40", try_wrmsr(MSR_EFER, efer | 1ull << 40), VEC_GP, 0);
	expect_error("LME off while paging", try_wrmsr(MSR_EFER, efer & ~(uint64_t)EFER_LME), VEC_GP, 0);
	if (hyper_present())
		expect_error("SVME, which is not offered", try_wrmsr(MSR_EFER, efer | EFER_SVME), VEC_GP, 0);
	expect_eq("EFER", rdmsr(MSR_EFER), efer);
}

static void test_pat(void)
{
	uint64_t pat = rdmsr(MSR_PAT);

	expect_eq("PAT after reset", pat, PAT_DEFAULT);
	wrmsr(MSR_PAT, 0x0606060606060100ull);
	expect_eq("PAT", rdmsr(MSR_PAT), 0x0606060606060100ull);
	wrmsr(MSR_PAT, pat);
	if (bare_tcg())
		return;
	expect_error("PAT type 2", try_wrmsr(MSR_PAT, (pat & ~255ull) | 2), VEC_GP, 0);
	expect_error("PAT type 3 in entry 7", try_wrmsr(MSR_PAT, (pat & ~(255ull << 56)) | 3ull << 56), VEC_GP, 0);
	expect_error("PAT type 8", try_wrmsr(MSR_PAT, (pat & ~255ull) | 8), VEC_GP, 0);
	expect_eq("PAT in the end", rdmsr(MSR_PAT), pat);
}

static void test_apic_base(void)
{
	uint64_t base, phys = 1ull << (cpuid(0x80000008, 0).eax & 255);

	if (!expect_trap("reading it", try_rdmsr(MSR_APIC_BASE, &base), TRAP_NONE))
		return;
	expect_eq("base address", base & ~0xfffull, 0xfee00000);
	expect(base & 0x100, "the boot CPU is not marked in 0x%lx", base);
	expect(!(base & ~(phys - 1)), "bits beyond the physical address in 0x%lx", base);
	expect_trap("writing the same", try_wrmsr(MSR_APIC_BASE, base), TRAP_NONE);
	if (!bare_tcg())
		expect_error("a reserved bit", try_wrmsr(MSR_APIC_BASE, base | 1), VEC_GP, 0);
}

static void test_tsc(void)
{
	const uint64_t want = 1ull << 50;
	uint64_t a, b, c;

	if (bare_tcg()) {
		skip("QEMU's translator has no TSC MSR");
		return;
	}
	a = rdmsr(MSR_TSC);
	b = rdtsc();
	c = rdmsr(MSR_TSC);
	expect(a < b && b < c, "MSR 0x%lx, RDTSC 0x%lx, MSR 0x%lx", a, b, c);
	wrmsr(MSR_TSC, want);
	b = rdtsc();
	expect(b >= want && b < want + (1ull << 40), "after writing 0x%lx it is 0x%lx", want, b);
	wrmsr(MSR_TSC, c + (b - want));
	b = rdtsc();
	expect(b >= c && b < want, "after setting it back it is 0x%lx", b);
}

static void test_tsc_adjust(void)
{
	uint64_t v;

	if (cpuid(0, 0).eax < 7 || !(cpuid(7, 0).ebx & F7_TSC_ADJUST)) {
		skip("the CPU has no TSC_ADJUST");
		return;
	}
	expect_trap("reading it", try_rdmsr(MSR_TSC_ADJUST, &v), TRAP_NONE);
	if (bare_tcg())
		return;
	wrmsr(MSR_TSC_ADJUST, v + (1ull << 44));
	expect(rdtsc() >= 1ull << 44, "the TSC did not follow");
	wrmsr(MSR_TSC_ADJUST, v);
}

static void test_tsc_aux(void)
{
	uint32_t aux;

	if (!(cpuid(0x80000001, 0).edx & E1_RDTSCP)) {
		expect_trap("TSC_AUX", try_rdmsr(MSR_TSC_AUX, NULL), bare_tcg() ? TRAP_NONE : VEC_GP);
		expect_trap("RDTSCP", TRY("rdtscp"), VEC_UD);
		skip("the CPU has no RDTSCP");
		return;
	}
	wrmsr(MSR_TSC_AUX, 0x1234567);
	__asm__ volatile("rdtscp" : "=c"(aux)::"rax", "rdx");
	expect_eq("RDTSCP's ECX", aux, 0x1234567);
	wrmsr(MSR_TSC_AUX, 0);
}

/* MSRs that hold any value of the right form. */
static const struct {
	uint32_t msr;
	const char *name;
	uint64_t a, b;
	bool address; /* must be canonical */
} plain[] = {
	{ MSR_SYSENTER_CS, "SYSENTER_CS", 8, 0, false },
	{ MSR_SYSENTER_ESP, "SYSENTER_ESP", 0xffff800000001000ull, 0x7ffffffff000ull, true },
	{ MSR_SYSENTER_EIP, "SYSENTER_EIP", 0xffff800000002000ull, 0x123456789ull, true },
	{ MSR_STAR, "STAR", 0x0018000800000000ull, 0, false },
	{ MSR_LSTAR, "LSTAR", 0xffffffff80001000ull, 0, true },
	{ MSR_CSTAR, "CSTAR", 0xffffffff80002000ull, 0, true },
	{ MSR_FMASK, "FMASK", 0x47700, 0, false },
	{ MSR_FS_BASE, "FS_BASE", 0xffff812345678000ull, 0, true },
	{ MSR_GS_BASE, "GS_BASE", 0x7f1234567000ull, 0, true },
	{ MSR_KERNEL_GS_BASE, "KERNEL_GS_BASE", 0xffff8abcdef01000ull, 0, true },
};

static void test_plain(void)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		expect_trap(plain[i].name, try_wrmsr(plain[i].msr, plain[i].a), TRAP_NONE);
		expect_trap(plain[i].name, try_rdmsr(plain[i].msr, &v), TRAP_NONE);
		expect_eq(plain[i].name, v, plain[i].a);
	}
	for (unsigned i = 0; i < sizeof(plain) / sizeof(plain[0]); i++) {
		wrmsr(plain[i].msr, plain[i].b);
		expect_eq(plain[i].name, rdmsr(plain[i].msr), plain[i].b);
		wrmsr(plain[i].msr, 0);
	}
}

/* SYSENTER's two are left out: AMD's CPUs do not check them in every mode. */
static void test_canonical(void)
{
	if (cpu_is_tcg()) {
		skip(NO_CHECK);
		return;
	}
	for (unsigned i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
		if (plain[i].address && plain[i].msr >= MSR_LSTAR)
			expect_error(plain[i].name, try_wrmsr(plain[i].msr, NON_CANONICAL), VEC_GP, 0);
}

/* FS_BASE and GS_BASE are what addresses use; SWAPGS exchanges the two GS bases. */
static void test_bases(void)
{
	static uint64_t a = 0x1111, b = 0x2222;
	uint64_t v;

	wrmsr(MSR_FS_BASE, (uint64_t)&a);
	__asm__ volatile("mov %%fs:0, %0" : "=r"(v));
	expect_eq("through FS", v, a);
	wrmsr(MSR_GS_BASE, (uint64_t)&a);
	wrmsr(MSR_KERNEL_GS_BASE, (uint64_t)&b);
	__asm__ volatile("swapgs; mov %%gs:0, %0; swapgs" : "=r"(v));
	expect_eq("through GS after SWAPGS", v, b);
	__asm__ volatile("mov %%gs:0, %0" : "=r"(v));
	expect_eq("through GS", v, a);
	wrmsr(MSR_FS_BASE, 0);
	wrmsr(MSR_GS_BASE, 0);
	wrmsr(MSR_KERNEL_GS_BASE, 0);
}

static void test_unknown(void)
{
	static const uint32_t nobody[] = { 0x4242, 0x12345678, 0x7fffffff, 0xc000ffff, 0xdeadbeef };

	if (!hyper_present()) {
		skip("emulators read unknown MSRs as 0");
		return;
	}
	for (unsigned i = 0; i < sizeof(nobody) / sizeof(nobody[0]); i++) {
		expect_error("RDMSR of an unknown MSR", try_rdmsr(nobody[i], NULL), VEC_GP, 0);
		expect_error("WRMSR of an unknown MSR", try_wrmsr(nobody[i], 0), VEC_GP, 0);
	}
	if (!(cpuid(1, 0).ecx & F1_VMX))
		expect_error("VMX_BASIC", try_rdmsr(MSR_VMX_BASIC, NULL), VEC_GP, 0);
	expect_error("VM_HSAVE_PA", try_wrmsr(MSR_VM_HSAVE_PA, 0x1000), VEC_GP, 0);
}

#define MSR_MTRR_BASE(n) (0x200 + 2 * (n))
#define MSR_MTRR_MASK(n) (0x201 + 2 * (n))
#define MSR_MTRR_DEF_TYPE 0x2ff

/* They keep what they are given, and refuse types that do not exist and addresses that the CPU has not (SDM vol. 3, 12.11). */
static void test_mtrrs(unsigned ranges)
{
	static const struct {
		uint32_t msr;
		uint64_t value;
	} bad[] = { { MSR_MTRR_DEF_TYPE, 0xc02 }, { MSR_MTRR_DEF_TYPE, 0x1006 }, { 0x250, 0x0606060606030606 }, { 0x26f, 7ull << 56 },
		    { MSR_MTRR_BASE(0), 0xd0000003 }, { MSR_MTRR_BASE(0), 1ull << 63 }, { MSR_MTRR_MASK(0), 0x400 } };
	uint64_t def, was[2], v;
	unsigned last = ranges - 1;

	if (!hyper_present()) {
		skip("emulators check little of them");
		return;
	}
	expect_trap("reading MTRR_DEF_TYPE", try_rdmsr(MSR_MTRR_DEF_TYPE, &def), TRAP_NONE);
	expect(def & 0x800, "they are off: 0x%lx", def);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		expect_error("a bad value", try_wrmsr(bad[i].msr, bad[i].value), VEC_GP, 0);
	was[0] = rdmsr(MSR_MTRR_BASE(last));
	was[1] = rdmsr(MSR_MTRR_MASK(last));
	wrmsr(MSR_MTRR_BASE(last), 0xd0000001);
	wrmsr(MSR_MTRR_MASK(last), 0xff000800);
	v = rdmsr(MSR_MTRR_BASE(last));
	expect(v == 0xd0000001, "a range's base is 0x%lx", v);
	v = rdmsr(MSR_MTRR_MASK(last));
	expect(v == 0xff000800, "a range's mask is 0x%lx", v);
	wrmsr(MSR_MTRR_BASE(last), was[0]);
	wrmsr(MSR_MTRR_MASK(last), was[1]);
	expect_error("a range too many", try_rdmsr(MSR_MTRR_BASE(ranges), NULL), VEC_GP, 0);
	expect_error("no MTRR", try_rdmsr(0x251, NULL), VEC_GP, 0);
}

static void test_common(void)
{
	uint64_t v;

	if (cpuid(1, 0).edx & F1_MTRR) {
		expect_trap("MTRR_CAP", try_rdmsr(MSR_MTRR_CAP, &v), TRAP_NONE);
		expect((v & 255) <= 16, "%lu variable MTRRs", v & 255);
		test_mtrrs(v & 255);
	}
	if (!cpu_is_amd())
		expect_trap("MISC_ENABLE", try_rdmsr(MSR_MISC_ENABLE, &v), TRAP_NONE);
}

/* QEMU's TCG (7.2) looks for an MSR's permission at twice all 64 bits of RCX. */
static bool takes_all_of_rcx(void)
{
	struct regs4 r = cpuid(0x80000002, 0);

	return r.eax == 0x554d4551 && r.ebx == 0x47435420; /* "QEMU TCG" */
}

static void test_registers(void)
{
	uint64_t upper = takes_all_of_rcx() ? 0 : ~0xffffffffull; /* must not matter */

	for (unsigned i = 0; i < 1000; i++) {
		struct regs before, r;
		regs_random(&before);
		before.rcx = (before.rcx & upper) | MSR_PAT;
		r = before;
		around_rdmsr(&r);
		expect_regs("RDMSR", &r, &before, REG_RAX | REG_RDX);
		expect_eq("PAT", r.rdx << 32 | r.rax, PAT_DEFAULT);
		before.rax = r.rax | before.rax << 32;
		before.rdx = r.rdx | before.rdx << 32;
		r = before;
		around_wrmsr(&r);
		expect_regs("WRMSR", &r, &before, 0);
	}
}

const struct test msr_tests[] = {
	{ "msr-efer", test_efer },
	{ "msr-efer-refused", test_efer_refused },
	{ "msr-pat", test_pat },
	{ "msr-apic-base", test_apic_base },
	{ "msr-tsc", test_tsc },
	{ "msr-tsc-adjust", test_tsc_adjust },
	{ "msr-tsc-aux", test_tsc_aux },
	{ "msr-plain", test_plain },
	{ "msr-canonical", test_canonical },
	{ "msr-bases", test_bases },
	{ "msr-unknown", test_unknown },
	{ "msr-common", test_common },
	{ "msr-registers", test_registers },
	{ 0 },
};
