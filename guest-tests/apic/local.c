/* The local APIC's registers, priorities and interrupt commands. */
#include "guest-tests/apic/apic.h"

#define TO_SELF 0x40000u
#define TO_ALL 0x80000u
#define TO_OTHERS 0xc0000u
#define ASSERT_ 0x4000u
#define MODE_NMI 0x400u
#define MODE_INIT 0x500u
#define MODE_STARTUP 0x600u
#define LOGICAL 0x800u

static void test_registers(void)
{
	uint32_t version = apic_read(APIC_VERSION);

	prepare();
	expect(cpuid(1, 0).edx >> 9 & 1, "CPUID tells of no APIC");
	expect((version & 0xff) >= 0x10 && (version & 0xff) <= 0x1f, "version 0x%x", version);
	expect((version >> 16 & 0xff) >= 4, "only %u LVT entries", (version >> 16 & 0xff) + 1);
	expect_eq("id", apic_read(APIC_ID) >> 24, cpuid(1, 0).ebx >> 24);
	expect_eq("SVR", apic_read(APIC_SVR), 0x1ff);
	expect_eq("DFR", apic_read(APIC_DFR), ~0u);
	expect_eq("LDR", apic_read(APIC_LDR), 1u << 24);
	for (uint32_t v = 0; v < 256; v += 0x11) {
		apic_write(APIC_TPR, v);
		expect_eq("TPR", apic_read(APIC_TPR), v);
		expect_eq("CR8", read_cr8(), v >> 4);
		expect_eq("PPR", apic_read(APIC_PPR), v);
	}
	for (uint32_t v = 0; v < 16; v++) {
		write_cr8(v);
		expect_eq("TPR by CR8", apic_read(APIC_TPR), v << 4);
		expect_eq("CR8 by CR8", read_cr8(), v);
	}
}

static void test_self_ipi(void)
{
	prepare();
	apic_command(0, TO_SELF | ASSERT_ | 0x51);
	expect(apic_bit(APIC_IRR, 0x51), "not requested");
	window();
	expect_eq("taken", taken[0x51], 1);
	apic_command(0, TO_ALL | ASSERT_ | 0x52);
	apic_command(0, ASSERT_ | 0x53);
	apic_command(0xff, ASSERT_ | 0x54);
	apic_command(1, LOGICAL | ASSERT_ | 0x55);
	window();
	window();
	expect(order_count == 5 && order[1] == 0x55 && order[2] == 0x54 && order[3] == 0x53 && order[4] == 0x52,
	       "%u taken, the second was 0x%x", order_count, order[1]);
	/* to nobody */
	apic_command(0, TO_OTHERS | ASSERT_ | 0x56);
	apic_command(7, ASSERT_ | 0x57);
	apic_command(0x80, LOGICAL | ASSERT_ | 0x58);
	window();
	expect_eq("taken of those for others", order_count, 5);
}

/* In service, it holds back its own class and those below; the end is told by EOI (SDM vol. 3, 11.8). */
static void test_eoi_order(void)
{
	prepare();
	eoi_later = true;
	apic_command(0, TO_SELF | 0x61);
	window();
	apic_command(0, TO_SELF | 0x65);
	apic_command(0, TO_SELF | 0x41);
	apic_command(0, TO_SELF | 0x81);
	window();
	expect(order_count == 2 && order[1] == 0x81, "%u taken, the last was 0x%x", order_count, order[order_count - 1]);
	expect_eq("PPR", apic_read(APIC_PPR), 0x80);
	expect(apic_bit(APIC_ISR, 0x61) && apic_bit(APIC_ISR, 0x81), "not both in service");
	expect(apic_bit(APIC_IRR, 0x65) && apic_bit(APIC_IRR, 0x41), "not both requested");
	apic_write(APIC_EOI, 0);
	window();
	expect_eq("taken after the first EOI", order_count, 2);
	expect_eq("PPR then", apic_read(APIC_PPR), 0x60);
	apic_write(APIC_EOI, 0);
	window();
	expect_eq("taken after the second EOI", order_count, 3);
	apic_write(APIC_EOI, 0);
	window();
	expect(order_count == 4 && order[2] == 0x65 && order[3] == 0x41, "then 0x%x and 0x%x", order[2], order[3]);
	apic_write(APIC_EOI, 0);
	expect_eq("PPR in the end", apic_read(APIC_PPR), 0);
}

/* The task priority, by the register and by CR8, each way round. */
static void test_tpr(void)
{
	prepare();
	apic_write(APIC_TPR, 0x70);
	apic_command(0, TO_SELF | 0x7f);
	window();
	expect_eq("taken at its own priority", order_count, 0);
	interrupts_on();
	apic_write(APIC_TPR, 0x6f);
	__asm__ volatile("nop; nop");
	interrupts_off();
	expect_eq("taken when the register is lowered", order_count, 1);
	write_cr8(9);
	apic_command(0, TO_SELF | 0x91);
	apic_command(0, TO_SELF | 0xa1);
	window();
	expect(order_count == 2 && order[1] == 0xa1, "%u taken with CR8 = 9", order_count);
	interrupts_on();
	write_cr8(8);
	__asm__ volatile("nop; nop");
	interrupts_off();
	expect_eq("taken when CR8 is lowered", order_count, 3);
	write_cr8(15);
	apic_command(0, TO_SELF | 0xf1);
	window();
	expect_eq("taken with CR8 = 15", order_count, 3);
	write_cr8(0);
	window();
	expect_eq("taken with CR8 = 0", order_count, 4);
	/* HLT is not left by what TPR holds back */
	write_cr8(5);
	apic_command(0, TO_SELF | 0x51);
	apic_write(APIC_LVT_TIMER, 0x71);
	apic_write(APIC_TIMER_INITIAL, (uint32_t)(apic_timer_hz() / 100));
	wait_for_interrupt();
	expect_eq("taken in HLT", order[order_count - 1], 0x71);
	expect_eq("0x51 taken", taken[0x51], 0);
	write_cr8(0);
	window();
	expect_eq("0x51 taken in the end", taken[0x51], 1);
}

static void test_nmi(void)
{
	prepare();
	apic_command(0, ASSERT_ | MODE_NMI);
	__asm__ volatile("nop; nop");
	expect_eq("NMIs", nmis, 1);
	apic_command(5, ASSERT_ | MODE_NMI);
	apic_command(0, TO_OTHERS | ASSERT_ | MODE_NMI);
	__asm__ volatile("nop; nop");
	expect_eq("NMIs behind those for others", nmis, 1);
	write_cr8(15); /* no priority holds it back */
	apic_command(0xff, ASSERT_ | MODE_NMI);
	__asm__ volatile("nop; nop");
	expect_eq("NMIs with CR8 = 15", nmis, 2);
	write_cr8(0);
}

/* As a kernel starts CPUs that are not there. */
static void test_absent(void)
{
	prepare();
	for (uint32_t cpu = 1; cpu < 16; cpu++) {
		apic_command(cpu, 0xc000 | MODE_INIT);
		apic_command(cpu, 0x8000 | MODE_INIT);
		apic_command(cpu, ASSERT_ | MODE_STARTUP | 8);
		apic_command(cpu, ASSERT_ | MODE_STARTUP | 8);
	}
	apic_command(0, TO_OTHERS | ASSERT_ | MODE_INIT);
	apic_command(0, TO_OTHERS | ASSERT_ | MODE_STARTUP | 8);
	apic_command(0, ASSERT_ | MODE_STARTUP | 8); /* for a CPU that runs */
	window();
	expect_eq("interrupts", order_count, 0);
	expect_eq("NMIs", nmis, 0);
}

static void test_errors(void)
{
	prepare();
	if (bare_tcg()) {
		skip("QEMU's APIC notes no such error");
		return;
	}
	apic_write(APIC_LVT_ERROR, 0xe1);
	apic_command(0, TO_SELF | 0x05);
	window();
	expect_eq("error interrupts", taken[0xe1], 1);
	apic_write(APIC_ESR, 0);
	expect(apic_read(APIC_ESR) & 0x20, "ESR is 0x%x", apic_read(APIC_ESR));
	apic_write(APIC_ESR, 0);
	expect_eq("ESR in the end", apic_read(APIC_ESR), 0);
}

/* Instructions that reach a register in other ways than MOV. */
static void test_instructions(void)
{
	volatile uint32_t *tpr = mmio32(APIC_BASE + APIC_TPR);
	uint32_t value = 0x20;

	prepare();
	__asm__ volatile("orl $0x35, %0" : "+m"(*tpr)::"cc");
	expect_eq("OR", *tpr, 0x35);
	__asm__ volatile("andl $0x30, %0" : "+m"(*tpr)::"cc");
	expect_eq("AND", *tpr, 0x30);
	__asm__ volatile("xchgl %0, %1" : "+r"(value), "+m"(*tpr));
	expect_eq("XCHG", *tpr, 0x20);
	expect_eq("XCHG's register", value, 0x30);
	__asm__ volatile("addl $0x10, %0; incl %0; decl %0; negl %0; notl %0" : "+m"(*tpr)::"cc");
	expect_eq("ADD, INC, DEC, NEG, NOT", *tpr, 0x2f);
	__asm__ volatile("movl $0, %0" : "=m"(*tpr));
	expect_eq("MOV of a constant", *tpr, 0);
}

/* Disabled by software: all is masked, nothing is accepted (11.4.7.2). */
static void test_software_disable(void)
{
	prepare();
	apic_write(APIC_LVT_TIMER, 0x40);
	apic_write(APIC_SVR, 0xff);
	expect(apic_read(APIC_LVT_TIMER) & LVT_MASKED, "the timer's entry is not masked");
	apic_write(APIC_LVT_TIMER, 0x40);
	if (!bare_tcg()) {
		expect(apic_read(APIC_LVT_TIMER) & LVT_MASKED, "a mask was taken off");
		apic_command(0, TO_SELF | 0x51);
		window();
		expect_eq("interrupts", order_count, 0);
	}
	apic_command(0, ASSERT_ | MODE_NMI);
	__asm__ volatile("nop; nop");
	expect_eq("NMIs", nmis, 1);
	apic_write(APIC_SVR, 0x1ff);
	apic_command(0, TO_SELF | 0x51);
	window();
	expect_eq("interrupts when it is enabled again", taken[0x51], 1);
}

const struct test local_tests[] = {
	{ "apic-registers", test_registers },
	{ "apic-self-ipi", test_self_ipi },
	{ "apic-eoi-order", test_eoi_order },
	{ "apic-tpr", test_tpr },
	{ "apic-nmi", test_nmi },
	{ "apic-absent", test_absent },
	{ "apic-errors", test_errors },
	{ "apic-instructions", test_instructions },
	{ "apic-software-disable", test_software_disable },
	{ 0 },
};
