/* Other instructions that exit, and those of VMX and SVM, which this guest does not have. */
#include "guest-tests/exits/exits.h"

#define F1_MONITOR (1u << 3)
#define F1_SMX (1u << 6)
#define F7_INVPCID (1u << 10)
#define E1_SVM (1u << 2)
#define E1_RDTSCP (1u << 27)

static void test_rdtsc(void)
{
	uint64_t last = rdtsc(), now;
	bool rdtscp = cpuid(0x80000001, 0).edx & E1_RDTSCP;

	for (unsigned i = 0; i < 1000; i++) {
		now = rdtsc();
		expect(now > last, "RDTSC went from 0x%lx to 0x%lx", last, now);
		last = now;
		if (rdtscp) {
			uint32_t lo, hi;
			__asm__ volatile("rdtscp" : "=a"(lo), "=d"(hi)::"rcx", "memory");
			now = (uint64_t)hi << 32 | lo;
			expect(now >= last, "RDTSCP went from 0x%lx to 0x%lx", last, now);
			last = now;
		}
		if (i % 100 == 0)
			cpuid(0, 0);
	}
	for (unsigned i = 0; i < 100; i++) {
		struct regs before, r;
		regs_random(&before);
		r = before;
		around_rdtsc(&r);
		expect_regs("RDTSC", &r, &before, REG_RAX | REG_RDX);
		expect(!(r.rax >> 32) && !(r.rdx >> 32), "RDTSC left RAX 0x%lx", r.rax);
	}
}

/* INVD throws away what is not written back; only where a hypervisor or an emulator stands between may a test use it. */
static void test_caches(void)
{
	static volatile uint64_t data;

	data = 0x1234;
	expect_trap("WBINVD", TRY("wbinvd"), TRAP_NONE);
	if (hyper_present() || cpu_is_tcg())
		expect_trap("INVD", TRY("invd"), TRAP_NONE);
	expect_eq("memory", data, 0x1234);
}

static void test_rdpmc(void)
{
	if (bare_tcg()) {
		skip("QEMU's translator has no RDPMC");
		return;
	}
	trap_begin();
	__asm__ volatile(GUARD("rdpmc")::"c"(0x3fffff) : "rax", "rdx", "memory");
	expect_error("RDPMC of a counter that is not there", trap_end(), VEC_GP, 0);
}

static void test_invpcid(void)
{
	static const uint64_t descriptor[2];
	static uint64_t pages[2][512] __attribute__((aligned(4096)));
	volatile uint64_t *p;

	if (cpuid(0, 0).eax < 7 || !(cpuid(7, 0).ebx & F7_INVPCID)) {
		expect_trap("INVPCID", TRY_IN("mov $2, %%eax; invpcid (%0), %%rax", descriptor), VEC_UD);
		skip("the CPU has no INVPCID");
		return;
	}
	p = window_map(20, (uint64_t)pages[0], PTE_P | PTE_W);
	pages[0][0] = 1;
	pages[1][0] = 2;
	expect_eq("first page", *p, 1);
	window_table[20] = (uint64_t)pages[1] | PTE_P | PTE_W;
	__asm__ volatile("invpcid %0, %1" ::"m"(descriptor), "r"(2ull) : "memory");
	expect_eq("after INVPCID of all", *p, 2);
}

static void test_monitor(void)
{
	static uint64_t line;

	trap_begin();
	__asm__ volatile(GUARD("monitor")::"a"(&line), "c"(0), "d"(0) : "memory");
	if (cpuid(1, 0).ecx & F1_MONITOR) {
		expect_trap("MONITOR", trap_end(), TRAP_NONE);
		return;
	}
	expect_trap("MONITOR, which is not offered", trap_end(), VEC_UD);
	trap_begin();
	__asm__ volatile(GUARD("mwait")::"a"(0), "c"(0) : "memory");
	expect_trap("MWAIT, which is not offered", trap_end(), VEC_UD);
}

static void test_pause(void)
{
	for (unsigned i = 0; i < 1000; i++)
		__asm__ volatile("pause");
	expect_trap("PAUSE", TRY("pause"), TRAP_NONE);
}

static void test_rsm(void)
{
	expect_trap("RSM outside of SMM", TRY("rsm"), VEC_UD);
	if (!(cpuid(1, 0).ecx & F1_SMX))
		expect_trap("GETSEC", TRY("xor %%eax, %%eax; .byte 0x0f, 0x37"), VEC_UD);
}

/* Each with a memory operand at RAX, where it takes one. */
#define VIRT(name, insn)                                                                                                           \
	static int name(const void *memory)                                                                                        \
	{                                                                                                                          \
		uint64_t rax = (uint64_t)memory;                                                                                   \
		trap_begin();                                                                                                      \
		__asm__ volatile(GUARD(insn) : "+a"(rax)::"memory", "cc", "rbx", "rcx", "rdx");                                    \
		return trap_end();                                                                                                 \
	}
VIRT(vmxon, "vmxon (%%rax)")
VIRT(vmxoff, "vmxoff")
VIRT(vmclear, "vmclear (%%rax)")
VIRT(vmptrld, "vmptrld (%%rax)")
VIRT(vmptrst, "vmptrst (%%rax)")
VIRT(vmlaunch, "vmlaunch")
VIRT(vmresume, "vmresume")
VIRT(vmread, "vmread %%rax, %%rax")
VIRT(vmwrite, "vmwrite %%rax, %%rax")
VIRT(invept, "invept (%%rax), %%rax")
VIRT(invvpid, "invvpid (%%rax), %%rax")
VIRT(vmfunc, "vmfunc")
VIRT(vmrun, "vmrun %%rax")
VIRT(vmload, "vmload %%rax")
VIRT(vmsave, "vmsave %%rax")
VIRT(stgi, "stgi")
VIRT(clgi, "clgi")
VIRT(invlpga, "invlpga %%rax, %%ecx")
VIRT(skinit, "skinit %%eax")

static const struct virt_insn {
	const char *name;
	int (*fn)(const void *memory);
	bool svm;
} virt_insns[] = {
	{ "VMXON", vmxon, false },	 { "VMXOFF", vmxoff, false },	{ "VMCLEAR", vmclear, false },
	{ "VMPTRLD", vmptrld, false },	 { "VMPTRST", vmptrst, false }, { "VMLAUNCH", vmlaunch, false },
	{ "VMRESUME", vmresume, false }, { "VMREAD", vmread, false },	{ "VMWRITE", vmwrite, false },
	{ "INVEPT", invept, false },	 { "INVVPID", invvpid, false }, { "VMFUNC", vmfunc, false },
	{ "VMRUN", vmrun, true },	 { "VMLOAD", vmload, true },	{ "VMSAVE", vmsave, true },
	{ "STGI", stgi, true },		 { "CLGI", clgi, true },	{ "INVLPGA", invlpga, true },
	{ "SKINIT", skinit, true },
};

/* Bare CPUs that have SVM raise #UD too, since EFER.SVME is off; STGI and SKINIT then depend on another feature. */
static void test_virtualization(void)
{
	static uint8_t memory[4096] __attribute__((aligned(4096)));
	bool svm = cpuid(0x80000001, 0).ecx & E1_SVM;

	for (unsigned i = 0; i < sizeof(virt_insns) / sizeof(virt_insns[0]); i++) {
		const struct virt_insn *v = &virt_insns[i];
		if (v->svm && svm && (v->fn == stgi || v->fn == skinit))
			continue;
		expect_trap(v->name, v->fn(memory), VEC_UD);
	}
}

const struct test instruction_tests[] = {
	{ "insn-rdtsc", test_rdtsc },
	{ "insn-caches", test_caches },
	{ "insn-rdpmc", test_rdpmc },
	{ "insn-invpcid", test_invpcid },
	{ "insn-monitor", test_monitor },
	{ "insn-pause", test_pause },
	{ "insn-rsm", test_rsm },
	{ "insn-virtualization", test_virtualization },
	{ 0 },
};
