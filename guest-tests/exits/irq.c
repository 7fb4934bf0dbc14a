/* Hardware interrupts: HLT, the STI shadow, pending interrupts, the 8259s' priorities. COM1's transmitter is the second source. */
#include "guest-tests/exits/exits.h"

#define COM1_DATA 0x3f8
#define COM1_IER 0x3f9
#define COM1_IIR 0x3fa
#define COM1_MCR 0x3fc
#define IRQ_TIMER 0
#define IRQ_COM1 4
#define POLLS 20000000u

static volatile unsigned taken[16], order[32], order_count;
static volatile uint64_t taken_rip;
static bool eoi_later, open_in_com1;

static void note(unsigned irq, const struct trap_frame *f)
{
	taken[irq]++;
	taken_rip = f->rip;
	if (order_count < 32)
		order[order_count++] = irq;
}

static bool on_timer(struct trap_frame *f)
{
	note(IRQ_TIMER, f);
	outb(PIT_COMMAND, 0x30); /* mode 0 without a count: silence */
	if (!eoi_later)
		pic_eoi(IRQ_TIMER);
	return true;
}

static bool on_com1(struct trap_frame *f)
{
	note(IRQ_COM1, f);
	inb(COM1_IIR);
	outb(COM1_IER, 0);
	if (open_in_com1) {
		pic_mask((uint16_t) ~(1u << IRQ_TIMER | 1u << IRQ_COM1));
		__asm__ volatile("sti; nop; nop; cli" ::: "memory");
		expect_eq("lines in service behind the inner handler", pic_in_service() & 0xff, 1u << IRQ_COM1);
	}
	pic_eoi(IRQ_COM1);
	return true;
}

static void prepare(void)
{
	for (unsigned i = 0; i < 16; i++)
		taken[i] = 0;
	order_count = 0;
	eoi_later = open_in_com1 = false;
	trap_handler(VEC_IRQ + IRQ_TIMER, on_timer);
	trap_handler(VEC_IRQ + IRQ_COM1, on_com1);
	outb(COM1_IER, 0);
	outb(COM1_MCR, 0x0b); /* OUT2 lets COM1's interrupt through */
}

/* One timer interrupt, soon, by mode 0; waits until the 8259 has it. */
static bool timer_pending(void)
{
	outb(PIT_COMMAND, 0x30);
	outb(PIT_CHANNEL0, 100);
	outb(PIT_CHANNEL0, 0);
	for (unsigned i = 0; i < POLLS; i++)
		if (pic_requests() & 1u << IRQ_TIMER)
			return true;
	return expect(false, "the timer's interrupt never came");
}

/* Asks for COM1's "transmitter empty" interrupt; waits until the 8259 has it. */
static bool com1_pending(void)
{
	outb(COM1_IER, 2);
	for (unsigned i = 0; i < POLLS; i++)
		if (pic_requests() & 1u << IRQ_COM1)
			return true;
	outb(COM1_IER, 0);
	return expect(false, "COM1's interrupt never came");
}

static void test_hlt(void)
{
	timer_start(1000);
	for (unsigned i = 1; i <= 10; i++) {
		uint64_t before = timer_ticks();
		wait_for_interrupt();
		expect(timer_ticks() > before, "HLT %u ended without a tick", i);
	}
	timer_stop();
}

/* HLT with an interrupt already pending does not sleep; the interrupt's RIP is behind the HLT. */
static void test_hlt_pending(void)
{
	uint64_t behind;

	prepare();
	pic_mask(0xfffe);
	if (!timer_pending())
		return;
	__asm__ volatile("lea 1f(%%rip), %0; sti; hlt; 1: cli" : "=&r"(behind)::"memory");
	expect_eq("interrupts", taken[IRQ_TIMER], 1);
	expect(taken_rip == behind || taken_rip == behind - 1, "RIP 0x%lx, HLT ends at 0x%lx", taken_rip, behind);
}

/* The instruction after STI runs before any interrupt (Intel SDM vol. 3, 6.8.3). */
static void test_sti_shadow(void)
{
	uint64_t behind;

	prepare();
	pic_mask(0xfffe);
	if (!timer_pending())
		return;
	for (unsigned i = 0; i < 1000; i++)
		__asm__ volatile("sti; cli" ::: "memory");
	expect_eq("interrupts between STI and CLI", taken[IRQ_TIMER], 0);
	__asm__ volatile("lea 1f(%%rip), %0; sti; nop; 1: nop; cli" : "=&r"(behind)::"memory");
	expect_eq("interrupts after STI; NOP", taken[IRQ_TIMER], 1);
	expect_eq("RIP of the interrupt", taken_rip, behind);
}

/* The same with an instruction that exits in the shadow. */
static void test_sti_exit(void)
{
	uint64_t behind;

	prepare();
	pic_mask(0xfffe);
	if (!timer_pending())
		return;
	__asm__ volatile("lea 1f(%%rip), %0; xor %%eax, %%eax; sti; cpuid; 1: nop; cli"
			 : "=&r"(behind)::"rax", "rbx", "rcx", "rdx", "memory");
	expect_eq("interrupts after STI; CPUID", taken[IRQ_TIMER], 1);
	expect_eq("RIP of the interrupt", taken_rip, behind);
}

/* POPF and IRET have no shadow. */
static void test_popf(void)
{
	uint64_t behind;

	prepare();
	pic_mask(0xfffe);
	if (!timer_pending())
		return;
	__asm__ volatile("lea 1f(%%rip), %0; pushf; orl $0x200, (%%rsp); popf; 1: cli" : "=&r"(behind)::"memory", "cc");
	expect_eq("interrupts after POPF", taken[IRQ_TIMER], 1);
	expect_eq("RIP of the interrupt", taken_rip, behind);
}

static void test_masked(void)
{
	prepare();
	pic_mask(0xffff);
	if (!timer_pending())
		return;
	for (unsigned i = 0; i < 100; i++)
		__asm__ volatile("sti; nop; nop; cli" ::: "memory");
	expect_eq("interrupts while masked", taken[IRQ_TIMER], 0);
	interrupts_on();
	pic_mask(0xfffe);
	for (unsigned i = 0; i < 1000 && !taken[IRQ_TIMER]; i++)
		__asm__ volatile("nop");
	interrupts_off();
	expect_eq("interrupts after unmasking", taken[IRQ_TIMER], 1);
}

static void priority(bool masked_first)
{
	prepare();
	pic_mask(masked_first ? 0xffff : (uint16_t) ~(1u << IRQ_TIMER | 1u << IRQ_COM1));
	eoi_later = true;
	if (!com1_pending() || !timer_pending())
		return;
	pic_mask((uint16_t) ~(1u << IRQ_TIMER | 1u << IRQ_COM1));
	__asm__ volatile("sti; nop; nop; nop; nop; cli" ::: "memory");
	expect_eq("interrupts taken before the EOI", order_count, 1);
	expect_eq("line taken first", order[0], IRQ_TIMER);
	expect_eq("lines in service", pic_in_service() & 0xff, 1u << IRQ_TIMER);
	expect(pic_requests() & 1u << IRQ_COM1, "line 4 is no longer requested");
	pic_eoi(IRQ_TIMER);
	__asm__ volatile("sti; nop; nop; nop; nop; cli" ::: "memory");
	expect_eq("interrupts taken after the EOI", order_count, 2);
	expect_eq("line taken second", order[1], IRQ_COM1);
	expect_eq("lines in service in the end", pic_in_service(), 0);
}

/* Line 0 goes before line 4, and until its EOI line 4 waits. */
static void test_priority(void)
{
	priority(true);
}

/* Line 4 has raised INTR already when line 0 comes: still, what counts is the moment of the acknowledge cycle (8259A data sheet).
 */
static void test_late(void)
{
	if (!hyper_present() && !cpu_is_tcg()) {
		skip("Bochs' 8259 keeps to the line that it chose first");
		return;
	}
	priority(false);
}

/* A line of higher priority interrupts the handler of a lower one that allows it. */
static void test_nested(void)
{
	prepare();
	pic_mask((uint16_t) ~(1u << IRQ_COM1));
	open_in_com1 = true;
	if (!com1_pending() || !timer_pending())
		return;
	__asm__ volatile("sti; nop; nop; cli" ::: "memory");
	expect_eq("interrupts", order_count, 2);
	expect_eq("the inner one", order[1], IRQ_TIMER);
	expect_eq("lines in service in the end", pic_in_service(), 0);
}

/* A long REP MOVS under a fast timer: interrupted many times, finished exactly. */
static void test_rep(void)
{
	const uint64_t size = 1 << 20;
	uint8_t *from = ram_alloc(size), *to = ram_alloc(size);
	struct prng prng = { 99 };
	unsigned rounds = 0;

	if (!from || !to) {
		skip("no memory");
		return;
	}
	for (uint64_t i = 0; i < size; i += 4)
		*(uint32_t *)(from + i) = prng_next(&prng);
	timer_start(2000);
	interrupts_on();
	while (timer_ticks() < 10 && rounds++ < 400) {
		from[rounds]++;
		memcpy(to, from, size);
	}
	interrupts_off();
	timer_stop();
	expect(timer_ticks() >= 10, "%lu ticks in %u copies", timer_ticks(), rounds);
	expect(!memcmp(from, to, size), "the copy differs");
}

/* pc-testdev's ports raise and lower inputs of the 8259s; an edge that falls before it is acknowledged is withdrawn. */
static void test_lines(void)
{
	if (!hyper_present()) {
		skip("needs pc-testdev");
		return;
	}
	pic_mask(0xffff);
	for (unsigned irq = 3; irq < 16; irq++) {
		if (irq == 4 || irq == 8)
			continue; /* COM1's and the clock's */
		outb((uint16_t)(0x2000 + irq), 1);
		expect(pic_requests() >> irq & 1, "input %u is not requested", irq);
		outb((uint16_t)(0x2000 + irq), 0);
		expect(!(pic_requests() >> irq & 1), "input %u is still requested", irq);
	}
}

const struct test irq_tests[] = {
	{ "hlt", test_hlt },
	{ "hlt-pending", test_hlt_pending },
	{ "sti-shadow", test_sti_shadow },
	{ "sti-exit", test_sti_exit },
	{ "popf-no-shadow", test_popf },
	{ "irq-masked", test_masked },
	{ "irq-priority", test_priority },
	{ "irq-late", test_late },
	{ "irq-nested", test_nested },
	{ "irq-rep", test_rep },
	{ "irq-lines", test_lines },
	{ 0 },
};
