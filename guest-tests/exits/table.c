/* Descriptor-table registers and the task register. */
#include "guest-tests/exits/exits.h"

static void test_gdtr_idtr(void)
{
	struct table_pointer old, set, seen;

	sgdt(&old);
	set = (struct table_pointer){ (uint16_t)(old.limit + 8), old.base };
	lgdt(&set);
	cpuid(0, 0);
	sgdt(&seen);
	expect_eq("GDT limit", seen.limit, set.limit);
	expect_eq("GDT base", seen.base, set.base);
	lgdt(&old);
	sidt(&old);
	set = (struct table_pointer){ 0x7ff, old.base };
	lidt(&set);
	cpuid(0, 0);
	sidt(&seen);
	expect_eq("IDT limit", seen.limit, set.limit);
	expect_eq("IDT base", seen.base, set.base);
	expect_error("INT beyond the IDT's limit", TRY("int $0x80"), VEC_GP, idt_error(0x80));
	lidt(&old);
}

static void test_task_register(void)
{
	uint16_t tr;

	__asm__ volatile("str %0" : "=r"(tr));
	expect_eq("TR", tr, TSS_SELECTOR);
	expect((gdt[TSS_SELECTOR / 8] >> 40 & 15) == 11, "the TSS is not marked busy");
	expect_error("LTR of a busy TSS", TRY_IN("ltr %w0", TSS_SELECTOR), VEC_GP, TSS_SELECTOR);
	expect_error("LTR of a code segment", TRY_IN("ltr %w0", KERNEL_CS), VEC_GP, KERNEL_CS);
	cpuid(0, 0);
	__asm__ volatile("str %0" : "=r"(tr));
	expect_eq("TR in the end", tr, TSS_SELECTOR);
}

static void test_ldt(void)
{
	static uint64_t ldt[2] __attribute__((aligned(16))) = { 0, 0x00cf93000000ffffull };
	uint64_t base = (uint64_t)ldt;
	uint16_t sel;

	gdt[FREE_SELECTOR / 8] = (sizeof(ldt) - 1) | (base & 0xffffff) << 16 | 0x82ull << 40 | (base >> 24 & 0xff) << 56;
	gdt[FREE_SELECTOR / 8 + 1] = base >> 32;
	__asm__ volatile("lldt %w0" ::"r"(FREE_SELECTOR));
	cpuid(0, 0);
	__asm__ volatile("sldt %0" : "=r"(sel));
	expect_eq("LDTR", sel, FREE_SELECTOR);
	expect_trap("DS from the LDT", TRY_IN("mov %w0, %%ds", 0xc), TRAP_NONE);
	__asm__ volatile("mov %w0, %%ds" ::"r"(KERNEL_DS));
	__asm__ volatile("lldt %w0" ::"r"(0));
	expect_error("DS from the LDT that is gone", TRY_IN("mov %w0, %%ds", 0xc), VEC_GP, 0xc);
	gdt[FREE_SELECTOR / 8] = gdt[FREE_SELECTOR / 8 + 1] = 0;
}

/* FS and GS keep selector and base over exits. */
static void test_segments(void)
{
	uint16_t fs;

	gdt[FREE_SELECTOR / 8] = 0x10cf93345678ffffull; /* base 0x10345678 */
	__asm__ volatile("mov %w0, %%fs" ::"r"(FREE_SELECTOR));
	cpuid(0, 0);
	inb(UNCLAIMED_PORT);
	__asm__ volatile("mov %%fs, %0" : "=r"(fs));
	expect_eq("FS", fs, FREE_SELECTOR);
	expect_eq("its base", rdmsr(MSR_FS_BASE), 0x10345678);
	__asm__ volatile("mov %w0, %%fs" ::"r"(0));
	wrmsr(MSR_FS_BASE, 0);
	gdt[FREE_SELECTOR / 8] = 0;
}

const struct test table_tests[] = {
	{ "table-gdtr-idtr", test_gdtr_idtr },
	{ "table-task-register", test_task_register },
	{ "table-ldt", test_ldt },
	{ "table-segments", test_segments },
	{ 0 },
};
