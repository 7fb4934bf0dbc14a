/* #DB: single steps across exits, breakpoints, the debug registers. */
#include "guest-tests/exits/exits.h"

#define DR6_FIXED 0xffff0ff0ull
#define DR6_B0 1u
#define DR6_BD (1u << 13)
#define DR6_BS (1u << 14)
#define DR7_FIXED (1u << 10)
#define DR7_GD (1u << 13)
#define DR7_L0 1u
#define DR7_WRITE4 (0xdu << 16) /* condition and length of breakpoint 0: writes of 4 bytes */
#define STEPS 16

static struct {
	uint64_t rip, dr6;
} step[STEPS];
static volatile unsigned steps;

static bool on_step(struct trap_frame *f)
{
	if (steps < STEPS) {
		step[steps].rip = f->rip;
		step[steps].dr6 = read_dr6();
	}
	steps++;
	write_dr6(DR6_FIXED);
	if (!(read_dr7() & DR7_L0) && steps >= STEPS)
		f->rflags &= ~(uint64_t)RFLAGS_TF;
	f->rflags |= 1u << 16; /* RF: go on past an instruction breakpoint */
	return true;
}

static void expect_steps(const char *what, const uint64_t *want, unsigned n)
{
	expect(steps == n, "%s: %u steps, not %u", what, steps, n);
	for (unsigned i = 0; i < n && i < steps; i++) {
		expect(step[i].rip == want[i], "%s: step %u at 0x%lx, not 0x%lx", what, i, step[i].rip, want[i]);
		expect(step[i].dr6 & DR6_BS, "%s: step %u with DR6 0x%lx", what, i, step[i].dr6);
	}
}

/* TF from one POPF to the next: a #DB behind every instruction, also those that exit. */
static void test_step(void)
{
	uint64_t want[8];

	steps = 0;
	trap_handler(VEC_DB, on_step);
	__asm__ volatile("lea 1f(%%rip), %%rax; mov %%rax, (%0)\n"
			 "lea 2f(%%rip), %%rax; mov %%rax, 8(%0)\n"
			 "lea 3f(%%rip), %%rax; mov %%rax, 16(%0)\n"
			 "lea 4f(%%rip), %%rax; mov %%rax, 24(%0)\n"
			 "lea 5f(%%rip), %%rax; mov %%rax, 32(%0)\n"
			 "lea 6f(%%rip), %%rax; mov %%rax, 40(%0)\n"
			 "lea 7f(%%rip), %%rax; mov %%rax, 48(%0)\n"
			 "xor %%eax, %%eax; mov $0x277, %%ecx; mov $0x3ff, %%edx\n"
			 "pushf; pushf; orl $0x100, (%%rsp); popf\n"
			 "nop\n1: inb %%dx, %%al\n2: rdmsr\n3: mov %%cr0, %%rax\n4: mov %%rax, %%cr0\n"
			 "5: cpuid\n6: popf\n7:"
			 :
			 : "D"(want)
			 : "memory", "cc", "rax", "rbx", "rcx", "rdx");
	expect_steps("single steps", want, 7);
}

/* No single-step trap behind a load of SS: the stack pointer's load is to come first (Intel SDM vol. 3, 6.8.3). */
static void test_stack_shadow(void)
{
	uint64_t want[3];

	steps = 0;
	trap_handler(VEC_DB, on_step);
	__asm__ volatile("lea 1f(%%rip), %%rax; mov %%rax, (%0)\n"
			 "lea 2f(%%rip), %%rax; mov %%rax, 8(%0)\n"
			 "lea 3f(%%rip), %%rax; mov %%rax, 16(%0)\n"
			 "mov %%ss, %%eax\n"
			 "pushf; pushf; orl $0x100, (%%rsp); popf\n"
			 "nop\n1: mov %%eax, %%ss\n nop\n2: popf\n3:"
			 :
			 : "D"(want)
			 : "memory", "cc", "rax");
	expect_steps("single steps", want, 3);
}

static void test_icebp(void)
{
	if (cpu_is_tcg()) {
		skip("QEMU's translator has no INT1");
		return;
	}
	expect_trap("INT1", TRY(".byte 0xf1"), VEC_DB);
}

static void test_execute(void)
{
	uint64_t at;

	steps = 0;
	trap_handler(VEC_DB, on_step);
	__asm__ volatile("lea 1f(%%rip), %0; mov %0, %%dr0; mov %1, %%dr7; nop; 1: nop; nop; mov %2, %%dr7"
			 : "=&r"(at)
			 : "r"((uint64_t)(DR7_FIXED | DR7_L0)), "r"((uint64_t)DR7_FIXED)
			 : "memory");
	expect(steps == 1, "%u breakpoints", steps);
	expect_eq("RIP", step[0].rip, at);
	expect_eq("DR6's low bits", step[0].dr6 & 0xf, DR6_B0);
}

static void test_watch(void)
{
	static volatile uint32_t data[2] __attribute__((aligned(8)));
	uint64_t behind;

	steps = 0;
	trap_handler(VEC_DB, on_step);
	write_dr0((uint64_t)&data[0]);
	write_dr7(DR7_FIXED | DR7_L0 | DR7_WRITE4);
	(void)data[0];
	data[1] = 1;
	__asm__ volatile("lea 1f(%%rip), %0; movl $5, %1; 1: nop" : "=&r"(behind), "=m"(data[0])::"memory");
	write_dr7(DR7_FIXED);
	expect(steps == 1, "%u hits of one write", steps);
	expect_eq("RIP, behind the write", step[0].rip, behind);
	expect_eq("DR6's low bits", step[0].dr6 & 0xf, DR6_B0);
}

static void test_registers(void)
{
	write_dr0(0x1000);
	write_dr1(0xffff800000002000ull);
	write_dr2(0x3000);
	write_dr3(0x7fffffffffffull);
	cpuid(0, 0);
	inb(UNCLAIMED_PORT);
	expect_eq("DR0", read_dr0(), 0x1000);
	expect_eq("DR1", read_dr1(), 0xffff800000002000ull);
	expect_eq("DR2", read_dr2(), 0x3000);
	expect_eq("DR3", read_dr3(), 0x7fffffffffffull);
	write_dr6(0);
	expect_eq("DR6 after writing 0", read_dr6() & ~0x10800ull, DR6_FIXED & ~0x10800ull); /* bits 11 and 16: newer features */
	write_dr7(0);
	expect_eq("DR7 after writing 0", read_dr7(), DR7_FIXED);
	if (!cpu_is_tcg()) {
		expect_error("DR7 bit 32", TRY_IN("mov %0, %%dr7", 1ull << 32), VEC_GP, 0);
		expect_error("DR6 bit 32", TRY_IN("mov %0, %%dr6", 1ull << 32), VEC_GP, 0);
	}
	write_dr0(0);
	write_dr1(0);
	write_dr2(0);
	write_dr3(0);
}

/* DR4 and DR5: other names of DR6 and DR7, or #UD with CR4.DE (Intel SDM vol. 3, 17.2.2). */
static void test_aliases(void)
{
	uint64_t v;

	write_cr4(read_cr4() & ~(uint64_t)CR4_DE);
	__asm__ volatile(".byte 0x0f, 0x21, 0xe8" : "=a"(v)); /* MOV RAX, DR5 */
	expect_eq("DR5", v, read_dr7());
	write_cr4(read_cr4() | CR4_DE);
	expect_trap("MOV from DR5 with DE", TRY(".byte 0x0f, 0x21, 0xe8"), VEC_UD);
	expect_trap("MOV from DR4 with DE", TRY(".byte 0x0f, 0x21, 0xe0"), VEC_UD);
}

static void test_general_detect(void)
{
	if (cpu_is_tcg()) {
		skip("QEMU's translator has no general detect");
		return;
	}
	write_dr7(DR7_FIXED | DR7_GD);
	expect_trap("MOV from DR0 with GD", TRY("mov %%dr0, %%rax"), VEC_DB);
	expect(trap_last.dr6 & DR6_BD, "DR6 is 0x%lx", trap_last.dr6);
	write_dr6(DR6_FIXED);
}

const struct test debug_tests[] = {
	{ "debug-step", test_step },
	{ "debug-stack-shadow", test_stack_shadow },
	{ "debug-icebp", test_icebp },
	{ "debug-execute", test_execute },
	{ "debug-watch", test_watch },
	{ "debug-registers", test_registers },
	{ "debug-aliases", test_aliases },
	{ "debug-general-detect", test_general_detect },
	{ 0 },
};
