/* Exceptions and software interrupts: vector, error code, RIP. */
#include "guest-tests/exits/exits.h"

#define ABSENT_VECTOR 0x80
#define CLOSED_VECTOR 0x31

void into_overflow(void *unused);
void bound_range(void *unused);

static void test_divide(void)
{
	expect_trap("DIV by 0", TRY("xor %%ecx, %%ecx; xor %%edx, %%edx; div %%ecx"), VEC_DE);
	expect_trap("IDIV overflow", TRY("mov $0x80000000, %%eax; cltd; mov $-1, %%ecx; idiv %%ecx"), VEC_DE);
}

static void test_breakpoint(void)
{
	expect_trap("INT3", TRY("int3"), VEC_BP);
	expect_trap("INT 3 in two bytes", TRY(".byte 0xcd, 0x03"), VEC_BP);
}

static void test_undefined(void)
{
	uint64_t at;

	trap_begin();
	__asm__ volatile("lea 771f(%%rip), %0\n" GUARD("ud2") : "=r"(at)::"memory");
	expect_trap("UD2", trap_end(), VEC_UD);
	expect_eq("RIP", trap_last.frame.rip, at);
	expect_trap("PUSH ES in 64-bit code", TRY(".byte 0x06"), VEC_UD);
	expect_trap("LOCK NOP", TRY(".byte 0xf0, 0x90"), VEC_UD);
}

static void test_canonical(void)
{
	const uint64_t bad = 0x0000900000000000ull << 3;

	expect_error("a non-canonical load", TRY_IN("mov (%0), %%rax", bad), VEC_GP, 0);
	if (!cpu_is_tcg()) { /* which raises #GP here too */
		trap_begin();
		__asm__ volatile("mov %%rbp, %%r12; mov %0, %%rbp\n" GUARD("mov (%%rbp), %%rax") "mov %%r12, %%rbp" ::"r"(bad)
				 : "memory", "rax", "r12");
		expect_error("a non-canonical load through RBP", trap_end(), VEC_SS, 0);
	}
	expect_error("WRMSR of a bad value", bare_tcg() ? TRY_IN("mov (%0), %%al", bad) : try_wrmsr(MSR_EFER, ~0ull), VEC_GP, 0);
}

static void test_selectors(void)
{
	gdt[FREE_SELECTOR / 8] = 0x00cf13000000ffffull; /* data, not present */
	expect_error("DS beyond the GDT", TRY_IN("mov %w0, %%ds", 0xfff8), VEC_GP, 0xfff8);
	expect_error("DS of a TSS", TRY_IN("mov %w0, %%ds", TSS_SELECTOR | 3), VEC_GP, TSS_SELECTOR);
	expect_error("DS in an empty LDT", TRY_IN("mov %w0, %%ds", 0xc), VEC_GP, 0xc);
	expect_error("DS not present", TRY_IN("mov %w0, %%ds", FREE_SELECTOR), VEC_NP, FREE_SELECTOR);
	expect_error("SS not present", TRY_IN("mov %w0, %%ss", FREE_SELECTOR), VEC_SS, FREE_SELECTOR);
	expect_error("SS of code", TRY_IN("mov %w0, %%ss", KERNEL_CS), VEC_GP, KERNEL_CS);
	gdt[FREE_SELECTOR / 8] = 0;
}

static void test_software(void)
{
	expect_trap("INT 0x30", TRY("int $0x30"), VEC_USER);
	expect_trap("INT 0x31", TRY("int $0x31"), CLOSED_VECTOR);
	idt[ABSENT_VECTOR].type &= 0x7f;
	expect_error("INT with a gate that is not present", TRY("int $0x80"), VEC_NP, idt_error(ABSENT_VECTOR));
	idt[ABSENT_VECTOR].type |= 0x80;
	idt[ABSENT_VECTOR].selector = KERNEL_DS;
	expect_error("INT with a data segment in its gate", TRY("int $0x80"), VEC_GP, KERNEL_DS);
	idt[ABSENT_VECTOR].selector = KERNEL_CS;
}

/* An interrupt stack that the TSS is too short for (Intel SDM vol. 3, 6.14.5, 7.7). */
static void test_invalid_tss(void)
{
	gdt[TSS_SELECTOR / 8] = (gdt[TSS_SELECTOR / 8] & ~0xffffull & ~(2ull << 40)) | 35; /* RSP0 to RSP2, no IST; not busy */
	__asm__ volatile("ltr %w0" ::"r"(TSS_SELECTOR));
	idt[CLOSED_VECTOR].ist = 2;
	expect_error("INT with an IST beyond the TSS", TRY("int $0x31"), VEC_TS, TSS_SELECTOR);
}

static void no_gate_for_gp(void *unused)
{
	(void)unused;
	idt[VEC_GP].type &= 0x7f;
	__asm__ volatile("mov %w0, %%ds" ::"r"(0xfff8));
}

/* #NP while #GP is delivered: both contributory, so #DF, on its own stack (Intel SDM vol. 3, table 6-5). */
static void test_double_fault(void)
{
	expect(trap_run(no_gate_for_gp, NULL), "nothing was raised");
	expect_error("#GP without a gate", trap_last.vector, VEC_DF, 0);
}

static void no_gate_for_pf(void *hole)
{
	idt[VEC_PF].type &= 0x7f;
	*(volatile int *)hole = 1;
}

static void test_double_page_fault(void)
{
	expect(trap_run(no_gate_for_pf, window_map(9, 0, 0)), "nothing was raised");
	expect_error("#PF without a gate", trap_last.vector, VEC_DF, 0);
}

/* Benign and contributory do not add up: #UD without a gate is just #NP. */
static void test_serial_faults(void)
{
	idt[VEC_UD].type &= 0x7f;
	expect_trap("#UD without a gate", TRY("ud2"), VEC_NP);
	expect_eq("its error code without EXT", trap_last.error & ~1ull, idt_error(VEC_UD));
}

/* INTO and BOUND exist in 32-bit code only (legacy.asm). */
static void test_legacy(void)
{
	expect(trap_run(into_overflow, NULL), "INTO raised nothing");
	expect_trap("INTO", trap_last.vector, VEC_OF);
	expect_eq("CS", trap_last.frame.cs, KERNEL_CS32);
	expect(trap_run(bound_range, NULL), "BOUND raised nothing");
	expect_trap("BOUND", trap_last.vector, VEC_BR);
}

static void test_x87(void)
{
	static const uint16_t unmasked = 0x0340, masked = 0x037f;
	static const uint32_t zero;

	fpu_on();
	write_cr0(read_cr0() | CR0_NE);
	trap_begin();
	__asm__ volatile("fninit; fldcw %0; fld1; fdivs %1\n" GUARD("fwait") "fnclex; fldcw %2" ::"m"(unmasked), "m"(zero),
			 "m"(masked));
	expect_trap("1 / 0 on the x87", trap_end(), VEC_MF);
}

static void test_simd(void)
{
	static const uint32_t unmasked = 0x1d80, masked = 0x1f80, one = 0x3f800000, zero;

	if (cpu_is_tcg()) {
		skip("QEMU's translator raises no #XM");
		return;
	}
	fpu_on();
	trap_begin();
	__asm__ volatile("ldmxcsr %0; movss %2, %%xmm0\n" GUARD("divss %3, %%xmm0") "ldmxcsr %1" ::"m"(unmasked), "m"(masked),
			 "m"(one), "m"(zero));
	expect_trap("1 / 0 in SSE", trap_end(), VEC_XM);
}

const struct test exception_tests[] = {
	{ "exc-divide", test_divide },
	{ "exc-breakpoint", test_breakpoint },
	{ "exc-undefined", test_undefined },
	{ "exc-canonical", test_canonical },
	{ "exc-selectors", test_selectors },
	{ "exc-software", test_software },
	{ "exc-invalid-tss", test_invalid_tss },
	{ "exc-double-fault", test_double_fault },
	{ "exc-double-page-fault", test_double_page_fault },
	{ "exc-serial", test_serial_faults },
	{ "exc-legacy", test_legacy },
	{ "exc-x87", test_x87 },
	{ "exc-simd", test_simd },
	{ 0 },
};
