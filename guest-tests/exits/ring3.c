/* CPL 3: what it may not do, system calls, alignment checks, I/O permission. */
#include "guest-tests/exits/exits.h"

#define F7C_UMIP (1u << 2)

void syscall_entry(void);
uint64_t user_syscall(uint64_t n);
extern uint64_t syscall_seen[3];

#define USER_INSN(name, insn)                                                                                                      \
	static uint64_t name(uint64_t arg)                                                                                         \
	{                                                                                                                          \
		__asm__ volatile(insn : "+a"(arg)::"memory", "rcx", "rdx", "cc");                                                  \
		return arg;                                                                                                        \
	}

USER_INSN(user_hlt, "hlt")
USER_INSN(user_cli, "cli")
USER_INSN(user_rdmsr, "rdmsr")
USER_INSN(user_wrmsr, "wrmsr")
USER_INSN(user_cr0, "mov %%cr0, %%rax")
USER_INSN(user_set_cr3, "mov %%rax, %%cr3")
USER_INSN(user_clts, "clts")
USER_INSN(user_dr7, "mov %%dr7, %%rax")
USER_INSN(user_invd, "invd")
USER_INSN(user_wbinvd, "wbinvd")
USER_INSN(user_invlpg, "invlpg (%%rax)")
USER_INSN(user_lgdt, "lgdt (%%rax)")
USER_INSN(user_ltr, "ltr %%ax")
USER_INSN(user_lmsw, "lmsw %%ax")
USER_INSN(user_rdtsc, "rdtsc")
USER_INSN(user_cpuid, "push %%rbx; cpuid; pop %%rbx")
USER_INSN(user_int31, "int $0x31")
USER_INSN(user_int3, "int3")
USER_INSN(user_in, "mov %%eax, %%edx; inb %%dx, %%al")
USER_INSN(user_sgdt, "sub $16, %%rsp; sgdt (%%rsp); add $16, %%rsp")

static const struct {
	const char *name;
	uint64_t (*fn)(uint64_t);
} privileged[] = {
	{ "HLT", user_hlt },	   { "CLI", user_cli },		 { "RDMSR", user_rdmsr },
	{ "WRMSR", user_wrmsr },   { "MOV from CR0", user_cr0 }, { "MOV to CR3", user_set_cr3 },
	{ "CLTS", user_clts },	   { "MOV from DR7", user_dr7 }, { "INVD", user_invd },
	{ "WBINVD", user_wbinvd }, { "INVLPG", user_invlpg },	 { "LGDT", user_lgdt },
	{ "LTR", user_ltr },	   { "LMSW", user_lmsw },
};

static void test_privileged(void)
{
	for (unsigned i = 0; i < sizeof(privileged) / sizeof(privileged[0]); i++) {
		expect(user_run(privileged[i].fn, 0, NULL), "%s went through", privileged[i].name);
		expect_error(privileged[i].name, trap_last.vector, VEC_GP, 0);
	}
}

static void test_allowed(void)
{
	uint64_t v = 0;

	expect(!user_run(user_cpuid, 0, &v), "CPUID was refused");
	expect_eq("CPUID's EAX", v, cpuid(0, 0).eax);
	expect(!user_run(user_rdtsc, 0, NULL), "RDTSC was refused");
	write_cr4(read_cr4() | CR4_TSD);
	expect(user_run(user_rdtsc, 0, NULL), "RDTSC went through with TSD");
	expect_error("RDTSC with TSD", trap_last.vector, VEC_GP, 0);
	rdtsc();
	write_cr4(read_cr4() & ~(uint64_t)CR4_TSD);
}

static void test_umip(void)
{
	if (cpuid(0, 0).eax < 7 || !(cpuid(7, 0).ecx & F7C_UMIP)) {
		skip("the CPU has no UMIP");
		return;
	}
	expect(!user_run(user_sgdt, 0, NULL), "SGDT was refused without UMIP");
	write_cr4(read_cr4() | CR4_UMIP);
	expect(user_run(user_sgdt, 0, NULL), "SGDT went through with UMIP");
	expect_error("SGDT with UMIP", trap_last.vector, VEC_GP, 0);
}

static void test_gates(void)
{
	expect(user_run(user_int31, 0, NULL), "INT 0x31 went through");
	expect_error("INT 0x31, a gate of DPL 0", trap_last.vector, VEC_GP, idt_error(0x31));
	expect(user_run(user_int3, 0, NULL), "INT3 raised nothing");
	expect_trap("INT3", trap_last.vector, VEC_BP);
	expect_eq("CS", trap_last.frame.cs, USER_CS);
	expect_eq("SS", trap_last.frame.ss, USER_DS);
}

/* The permission bitmap behind the TSS decides at CPL > IOPL (Intel SDM vol. 1, 19.5.2). */
static void test_io_bitmap(void)
{
	static struct __attribute__((packed)) {
		struct tss tss;
		uint8_t map[0x401 / 8 + 2];
	} t __attribute__((aligned(16)));
	uint64_t base = (uint64_t)&t, v = 0;

	expect(user_run(user_in, 0x3ff, NULL), "IN went through without a bitmap");
	expect_error("IN without a bitmap", trap_last.vector, VEC_GP, 0);
	t.tss = tss;
	t.tss.io_map = sizeof(struct tss);
	memset(t.map, 0xff, sizeof(t.map));
	t.map[0x3ff / 8] = 0x7f;
	gdt[TSS_SELECTOR / 8] = (sizeof(t) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	__asm__ volatile("ltr %w0" ::"r"(TSS_SELECTOR));
	outb(0x3ff, 0x3c);
	expect(!user_run(user_in, 0x3ff, &v), "IN was refused with its bit clear");
	expect_eq("IN", v & 255, 0x3c);
	expect(user_run(user_in, 0x3fe, NULL), "IN went through with its bit set");
	expect_error("IN with its bit set", trap_last.vector, VEC_GP, 0);
	expect(user_run(user_in, 0x8000, NULL), "IN went through beyond the bitmap");
}

static uint64_t user_misaligned(uint64_t at)
{
	uint64_t v;

	__asm__ volatile("pushf; orl $0x40000, (%%rsp); popf; movl 1(%1), %k0" : "=r"(v) : "r"(at) : "memory", "cc");
	return v;
}

static void test_alignment(void)
{
	static uint64_t data[2];

	if (cpu_is_tcg()) {
		skip("QEMU's translator does not check alignment");
		return;
	}
	write_cr0(read_cr0() & ~(uint64_t)CR0_AM);
	expect(!user_run(user_misaligned, user_address(data), NULL), "refused without AM");
	write_cr0(read_cr0() | CR0_AM);
	expect(user_run(user_misaligned, user_address(data), NULL), "went through with AM and AC");
	expect_error("a misaligned load with AM and AC", trap_last.vector, VEC_AC, 0);
}

/* SYSCALL and SYSRET through STAR, LSTAR and FMASK (ring3.asm). */
static void test_syscall(void)
{
	uint64_t v = 0, efer = rdmsr(MSR_EFER);

	wrmsr(MSR_EFER, efer | EFER_SCE);
	wrmsr(MSR_STAR, (uint64_t)KERNEL_CS << 32 | (uint64_t)(USER_DS - 8) << 48);
	wrmsr(MSR_LSTAR, (uint64_t)syscall_entry);
	wrmsr(MSR_FMASK, RFLAGS_DF);
	expect(!user_run(user_syscall, 41, &v), "the system call trapped");
	expect_eq("result", v, 42);
	expect_eq("CS in the kernel", syscall_seen[0], KERNEL_CS);
	expect_eq("SS in the kernel", syscall_seen[1], KERNEL_CS + 8);
	expect_eq("DF in the kernel, which FMASK clears", syscall_seen[2] & RFLAGS_DF, 0);
	wrmsr(MSR_EFER, efer & ~(uint64_t)EFER_SCE);
	expect(user_run(user_syscall, 41, NULL), "SYSCALL went through without SCE");
	expect_trap("SYSCALL without SCE", trap_last.vector, VEC_UD);
	wrmsr(MSR_EFER, efer);
}

const struct test ring3_tests[] = {
	{ "user-privileged", test_privileged },
	{ "user-allowed", test_allowed },
	{ "user-umip", test_umip },
	{ "user-gates", test_gates },
	{ "user-io-bitmap", test_io_bitmap },
	{ "user-alignment", test_alignment },
	{ "user-syscall", test_syscall },
	{ 0 },
};
