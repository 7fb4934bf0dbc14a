/*
 * What the CPU itself writes while it delivers an event or walks tables, placed in VRAM right after a screenshot: then the pages
 * are clean and watched, so the delivery is cut short by a second-level fault, and the VMM must finish it exactly once.
 */
#include "guest-tests/exits/exits.h"

#define PAGE 4096u
#define AREA_PAGES 8u
#define ACCESSED (1ull << 40) /* of a descriptor; QEMU's translator sets it by MOV to a segment only */

static uint8_t *area;

/* The last eight pages of head 0's VRAM; each test uses pages of its own. */
static bool have_area(void)
{
	if (!head_count) {
		skip("there is no head");
		return false;
	}
	if (heads[0].size < (AREA_PAGES + 1) * PAGE) {
		skip("head 0 is too small");
		return false;
	}
	area = (uint8_t *)(((uint64_t)heads[0].vram + heads[0].size - AREA_PAGES * PAGE) & ~(uint64_t)(PAGE - 1));
	return true;
}

/* Makes the area clean in the tracker's eyes: written, then seen by the far end. */
static void clean(void)
{
	for (unsigned i = 0; i < AREA_PAGES; i++)
		*(volatile uint32_t *)(area + i * PAGE + 0x800) += 1;
	hyper_screenshot();
}

/* One instruction with RSP in a clean page. */
#define ON_STACK(top, insn)                                                                                                        \
	({                                                                                                                         \
		clean();                                                                                                           \
		trap_begin();                                                                                                      \
		__asm__ volatile("mov %%rsp, %%r12; mov %0, %%rsp\n" GUARD(insn) "mov %%r12, %%rsp" ::"r"(top)                     \
				 : "r12", "memory", "cc", "rax", "rcx", "rdx");                                                    \
		trap_end();                                                                                                        \
	})

static void test_stack(void)
{
	uint8_t *top;

	if (!have_area())
		return;
	top = area + 2 * PAGE;
	expect_trap("UD2", ON_STACK(top, "ud2"), VEC_UD);
	expect(trap_last.frame.rsp == (uint64_t)top, "RSP was 0x%lx in the frame", trap_last.frame.rsp);
	expect_trap("INT3", ON_STACK(top, "int3"), VEC_BP);
	expect_trap("INT 0x30", ON_STACK(top, "int $0x30"), VEC_USER);
	if (!cpu_is_tcg())
		expect_trap("INT1", ON_STACK(top, ".byte 0xf1"), VEC_DB);
	expect_error("#GP", ON_STACK(top, "mov $0xfff8, %%eax; mov %%eax, %%ds"), VEC_GP, 0xfff8);
	/* over a page boundary, so that both pages fault */
	expect_trap("UD2 over a page boundary", ON_STACK(area + 3 * PAGE + 24, "ud2"), VEC_UD);
}

/* CR2 must be the guest's, not what finishing the delivery left. */
static void test_stack_page_fault(void)
{
	uint8_t *hole = window_map(40, 0, 0);

	if (!have_area())
		return;
	write_cr2(0x1234);
	clean();
	trap_begin();
	__asm__ volatile("mov %%rsp, %%r12; mov %0, %%rsp\n" GUARD("movl $0, 0x128(%1)") "mov %%r12, %%rsp" ::"r"(area + 4 * PAGE),
			 "r"(hole)
			 : "r12", "memory");
	expect_error("#PF", trap_end(), VEC_PF, 2);
	expect_eq("CR2", trap_last.cr2, (uint64_t)hole + 0x128);
}

/* A timer interrupt that arrives on such a stack; once only. */
static void test_stack_irq(void)
{
	if (!have_area())
		return;
	clean();
	timer_start(1000);
	__asm__ volatile("mov %%rsp, %%r12; mov %0, %%rsp; sti; hlt; cli; mov %%r12, %%rsp" ::"r"(area + 5 * PAGE)
			 : "r12", "memory", "cc");
	timer_stop();
	expect(timer_ticks() >= 1, "no tick came");
	expect_eq("lines in service", pic_in_service(), 0);
}

static uint64_t user_nothing(uint64_t arg)
{
	return arg + 1;
}

/* RSP0 and an IST stack there: the way from CPL 3. */
static void test_tss_stacks(void)
{
	uint64_t v = 0;

	if (!have_area())
		return;
	tss.rsp[0] = (uint64_t)(area + 6 * PAGE);
	clean();
	expect(!user_run(user_nothing, 5, &v), "INT 0x30 at CPL 3 went wrong");
	expect_eq("result", v, 6);
	tss.ist[1] = (uint64_t)(area + 7 * PAGE);
	idt[VEC_UD].ist = 2;
	clean();
	expect_trap("UD2 on an IST stack", TRY("ud2"), VEC_UD);
	idt[VEC_UD].ist = 0;
}

/* The IDT there is only read. */
static void test_idt(void)
{
	struct table_pointer old, set;

	if (!have_area())
		return;
	sidt(&old);
	memcpy(area, idt, sizeof(idt));
	set = (struct table_pointer){ sizeof(idt) - 1, (uint64_t)area };
	hyper_screenshot();
	lidt(&set);
	expect_trap("UD2 through an IDT in VRAM", TRY("ud2"), VEC_UD);
	expect_trap("INT 0x30 through an IDT in VRAM", TRY("int $0x30"), VEC_USER);
	lidt(&old);
}

/* Loading CS while an exception is delivered sets the descriptor's accessed bit in the GDT (Intel SDM vol. 3, 3.4.5.1). */
static void test_gdt(void)
{
	struct table_pointer old, set;
	volatile uint64_t *copy;

	if (!have_area())
		return;
	sgdt(&old);
	copy = (volatile uint64_t *)(area + PAGE);
	for (unsigned i = 0; i < sizeof(gdt) / sizeof(gdt[0]); i++)
		copy[i] = gdt[i];
	copy[KERNEL_CS / 8] &= ~ACCESSED;
	copy[KERNEL_DS / 8] &= ~ACCESSED;
	set = (struct table_pointer){ old.limit, (uint64_t)copy };
	hyper_screenshot();
	lgdt(&set);
	expect_trap("UD2 through a GDT in VRAM", TRY("ud2"), VEC_UD);
	expect(cpu_is_tcg() || copy[KERNEL_CS / 8] & ACCESSED, "CS's descriptor is not marked accessed");
	hyper_screenshot();
	__asm__ volatile("mov %0, %%ds" ::"r"(KERNEL_DS) : "memory");
	expect(copy[KERNEL_DS / 8] & ACCESSED, "DS's descriptor is not marked accessed");
	lgdt(&old);
}

/* Accessed and dirty bits of page tables there are written by the CPU's walk. */
static void test_page_table(void)
{
	static volatile uint64_t data[512] __attribute__((aligned(4096)));
	volatile uint64_t *table;
	volatile uint64_t *p = (volatile uint64_t *)WINDOW_BASE;

	if (!have_area())
		return;
	table = (volatile uint64_t *)(area + 2 * PAGE);
	for (unsigned i = 0; i < 512; i++)
		table[i] = 0;
	table[0] = (uint64_t)data | PTE_P | PTE_W;
	window_use_table((uint64_t)table);
	hyper_screenshot();
	data[0] = 77;
	expect_eq("a load through tables in VRAM", *p, 77);
	expect_eq("A and D after it", table[0] & (PTE_A | PTE_D), PTE_A);
	hyper_screenshot();
	*p = 78;
	expect_eq("a store through tables in VRAM", data[0], 78);
	expect_eq("A and D after it", table[0] & (PTE_A | PTE_D), PTE_A | PTE_D);
	window_use_table((uint64_t)window_table);
}

/* Locked and read-modify-write instructions on a clean page take effect once. */
static void test_modify(void)
{
	volatile uint64_t *p;
	uint64_t v;

	if (!have_area())
		return;
	p = (volatile uint64_t *)(area + 3 * PAGE);
	*p = 1000;
	for (unsigned i = 0; i < 3; i++) {
		clean();
		__asm__ volatile("lock incq %0" : "+m"(*p));
		v = 10;
		__asm__ volatile("lock xaddq %1, %0" : "+m"(*p), "+r"(v));
		expect_eq("XADD's old value", v, 1001 + 11 * i);
	}
	expect_eq("memory", *p, 1033);
	clean();
	__asm__ volatile("pushq %1; popq %0" : "=m"(*p) : "r"(5ull));
	expect_eq("POP to it", *p, 5);
}

/* What the tests above left is on the screen: black again. */
static void test_tidy(void)
{
	if (have_area())
		memset(area, 0, AREA_PAGES * PAGE);
}

const struct test vram_tests[] = {
	{ "vram-stack", test_stack },
	{ "vram-stack-page-fault", test_stack_page_fault },
	{ "vram-stack-irq", test_stack_irq },
	{ "vram-tss-stacks", test_tss_stacks },
	{ "vram-idt", test_idt },
	{ "vram-gdt", test_gdt },
	{ "vram-page-table", test_page_table },
	{ "vram-modify", test_modify },
	{ "vram-tidy", test_tidy },
	{ 0 },
};
