/* CPUID: what the guest is told, and that the instruction touches nothing else. */
#include "guest-tests/exits/exits.h"

#define F1_VMX (1u << 5)
#define F1_XSAVE (1u << 26)
#define F1_OSXSAVE (1u << 27)
#define E1_SVM (1u << 2)

static bool is_zero(struct regs4 r)
{
	return !(r.eax | r.ebx | r.ecx | r.edx);
}

static void test_vendor(void)
{
	struct regs4 r = cpuid(0, 0);
	const uint32_t words[3] = { r.ebx, r.edx, r.ecx };
	const char *text = (const char *)words;

	expect(r.eax >= 1 && r.eax < 0x100, "highest leaf 0x%x", r.eax);
	for (unsigned i = 0; i < 12; i++)
		expect(text[i] >= ' ' && text[i] <= '~', "byte %u of the vendor's name is 0x%x", i, (unsigned)(uint8_t)text[i]);
	r = cpuid(0x80000000, 0);
	expect(r.eax >= 0x80000008 && r.eax < 0x80000100, "highest extended leaf 0x%x", r.eax);
}

static void test_hypervisor(void)
{
	struct regs4 r = cpuid(1, 0);

	if (!hyper_present()) {
		skip("not under Tessera");
		return;
	}
	expect(r.ecx >> 31, "leaf 1 does not tell of a hypervisor");
	r = cpuid(0x40000000, 0);
	expect(r.eax >= 0x40000001 && r.eax < 0x40000100, "highest hypervisor leaf 0x%x", r.eax);
	expect_eq("version", cpuid(0x40000001, 0).eax, HC_VERSION);
	expect(is_zero(cpuid(0x4000ff00, 0)), "a leaf beyond the hypervisor's is not zero");
}

static void test_no_nesting(void)
{
	if (!hyper_present()) {
		skip("not under Tessera");
		return;
	}
	expect(!(cpuid(1, 0).ecx & F1_VMX), "VMX is offered");
	expect(!(cpuid(0x80000001, 0).ecx & E1_SVM), "SVM is offered");
	expect(is_zero(cpuid(0x8000000a, 0)), "SVM's leaf is not zero");
}

static void test_topology(void)
{
	struct regs4 r = cpuid(1, 0);
	uint32_t threads = r.edx >> 28 & 1 ? r.ebx >> 16 & 255 : 1;

	if (hyper_present()) {
		expect_eq("APIC id", r.ebx >> 24, 0);
		expect(threads <= 1, "%u threads in the package", threads);
	}
	if (cpuid(0, 0).eax < 0xb)
		return;
	r = cpuid(0xb, 0);
	for (uint32_t sub = 0; !is_zero(r) && sub < 8; sub++) {
		r = cpuid(0xb, sub);
		if (!(r.ecx & 0xff00))
			break;
		expect_eq("level number", r.ecx & 255, sub);
		expect(r.ebx > 0 && r.ebx <= 255, "level %u has %u threads", sub, r.ebx);
	}
}

/* Beyond the highest leaf Intel's CPUs repeat it, AMD's tell nothing. */
static void test_beyond(void)
{
	static const uint32_t beyond[] = { 0x7fff, 0x3fffffff, 0x70000000, 0xffffffff };
	struct regs4 top = cpuid(cpuid(0, 0).eax, 0);

	for (unsigned i = 0; i < sizeof(beyond) / sizeof(beyond[0]); i++) {
		struct regs4 r = cpuid(beyond[i], 0);
		bool same = r.eax == top.eax && r.ebx == top.ebx && r.ecx == top.ecx && r.edx == top.edx;
		expect(is_zero(r) || same, "leaf 0x%x is neither zero nor the highest", beyond[i]);
	}
}

static void test_subleaves(void)
{
	uint32_t sub = 0;

	if (cpuid(0, 0).eax >= 7) {
		struct regs4 r = cpuid(7, cpuid(7, 0).eax + 1);
		expect(is_zero(r), "leaf 7's subleaf beyond its highest is not zero");
	}
	while (sub < 32 && (cpuid(4, sub).eax & 31))
		sub++;
	expect(sub < 32, "leaf 4 has no end");
	if (cpuid(0, 0).eax >= 0xd)
		expect(is_zero(cpuid(0xd, 62)), "leaf 0xd's subleaf 62 is not zero");
}

static void test_osxsave(void)
{
	if (!(cpuid(1, 0).ecx & F1_XSAVE)) {
		expect(!(cpuid(1, 0).ecx & F1_OSXSAVE), "OSXSAVE without XSAVE");
		skip("the CPU has no XSAVE");
		return;
	}
	for (unsigned i = 0; i < 4; i++) {
		uint64_t want = i & 1;
		write_cr4((read_cr4() & ~(uint64_t)CR4_OSXSAVE) | (want ? CR4_OSXSAVE : 0));
		expect_eq("OSXSAVE", cpuid(1, 0).ecx >> 27 & 1, want);
	}
}

static void test_sizes(void)
{
	struct regs4 r = cpuid(0x80000008, 0);

	expect((r.eax & 255) >= 36 && (r.eax & 255) <= 52, "%u physical bits", r.eax & 255);
	expect((r.eax >> 8 & 255) == 48 || (r.eax >> 8 & 255) == 57, "%u linear bits", r.eax >> 8 & 255);
	expect(cpuid(0x80000001, 0).edx >> 29 & 1, "long mode runs but is not offered");
}

/* Ten thousand exits: all other registers and the flags survive, and the answer never changes. */
static void test_registers(void)
{
	struct regs4 first = cpuid(0, 0);

	for (unsigned i = 0; i < 10000; i++) {
		struct regs before, r;
		regs_random(&before);
		before.rax &= 0xffffffff00000000ull; /* leaf 0: the upper half must not matter, and reads as 0 after */
		r = before;
		around_cpuid(&r);
		expect_regs("CPUID", &r, &before, REG_RAX | REG_RBX | REG_RCX | REG_RDX);
		if (r.rax != first.eax || r.rbx != first.ebx || r.rcx != first.ecx || r.rdx != first.edx) {
			expect(false, "the answer changed in round %u: RAX 0x%lx RBX 0x%lx", i, r.rax, r.rbx);
			return;
		}
	}
}

const struct test cpuid_tests[] = {
	{ "cpuid-vendor", test_vendor },	 { "cpuid-hypervisor", test_hypervisor },
	{ "cpuid-no-nesting", test_no_nesting }, { "cpuid-topology", test_topology },
	{ "cpuid-beyond", test_beyond },	 { "cpuid-subleaves", test_subleaves },
	{ "cpuid-osxsave", test_osxsave },	 { "cpuid-sizes", test_sizes },
	{ "cpuid-registers", test_registers },	 { 0 },
};
