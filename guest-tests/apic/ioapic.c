/* The I/O APIC, with pc-testdev's ports as devices, and the 8254 at its input 2. */
#include "guest-tests/apic/apic.h"

#define PIN 11

static bool no_testdev(void)
{
	if (hyper_present())
		return false;
	skip("needs pc-testdev");
	return true;
}

static void test_registers(void)
{
	uint32_t version = ioapic_read(1);

	prepare();
	expect((version & 0xff) >= 0x11, "version 0x%x", version);
	expect_eq("inputs", (version >> 16 & 0xff) + 1, 24);
	for (unsigned pin = 0; pin < 24; pin++) {
		ioapic_write(0x10 + 2 * pin, 0x1a9ff);
		ioapic_write(0x11 + 2 * pin, 0x55000000);
		expect_eq("an entry", ioapic_entry_low(pin), 0x1a9ff);
		expect_eq("an entry's high half", ioapic_read(0x11 + 2 * pin), 0x55000000);
		ioapic_entry(pin, IOAPIC_MASKED);
	}
}

static void test_edge(void)
{
	if (no_testdev())
		return;
	prepare();
	ioapic_entry(PIN, 0x61);
	raise_irq(PIN, true);
	window();
	expect_eq("interrupts of a rise", taken[0x61], 1);
	window();
	raise_irq(PIN, true);
	raise_irq(PIN, false);
	window();
	expect_eq("interrupts while it is high, and of its fall", taken[0x61], 1);
	raise_irq(PIN, true);
	raise_irq(PIN, false);
	window();
	expect_eq("interrupts of a second rise", taken[0x61], 2);
	/* two rises in one request */
	for (unsigned i = 0; i < 2; i++) {
		raise_irq(PIN, true);
		raise_irq(PIN, false);
	}
	window();
	window();
	expect_eq("interrupts of two rises before the first is taken", taken[0x61], 3);
	/* masked */
	ioapic_entry(PIN, IOAPIC_MASKED | 0x61);
	raise_irq(PIN, true);
	ioapic_entry(PIN, 0x61);
	window();
	expect_eq("interrupts of a rise behind a mask", taken[0x61], 3);
	raise_irq(PIN, false);
}

static void test_level(void)
{
	if (no_testdev())
		return;
	prepare();
	eoi_later = true;
	ioapic_entry(PIN, IOAPIC_LEVEL | 0x62);
	raise_irq(PIN, true);
	window();
	window();
	expect_eq("interrupts before the EOI", taken[0x62], 1);
	expect(ioapic_entry_low(PIN) & IOAPIC_REMOTE_IRR, "no remote IRR");
	expect(apic_bit(APIC_TMR, 0x62), "the local APIC does not take it for a level");
	apic_write(APIC_EOI, 0);
	window();
	expect_eq("interrupts when it is still high at the EOI", taken[0x62], 2);
	raise_irq(PIN, false);
	expect(ioapic_entry_low(PIN) & IOAPIC_REMOTE_IRR, "the fall cleared remote IRR");
	apic_write(APIC_EOI, 0);
	window();
	expect_eq("interrupts when it was low at the EOI", taken[0x62], 2);
	expect(!(ioapic_entry_low(PIN) & IOAPIC_REMOTE_IRR), "remote IRR stays");
	/* behind a mask a level waits */
	ioapic_entry(PIN, IOAPIC_MASKED | IOAPIC_LEVEL | 0x62);
	raise_irq(PIN, true);
	window();
	expect_eq("interrupts behind a mask", taken[0x62], 2);
	ioapic_entry(PIN, IOAPIC_LEVEL | 0x62);
	window();
	expect_eq("interrupts when the mask is taken off", taken[0x62], 3);
	raise_irq(PIN, false);
	apic_write(APIC_EOI, 0);
	/* while the local APIC is disabled by software, too */
	apic_write(APIC_SVR, 0xff);
	raise_irq(PIN, true);
	window();
	expect_eq("interrupts while the local APIC is disabled", taken[0x62], 3);
	apic_write(APIC_SVR, 0x1ff);
	window();
	expect_eq("interrupts when it is enabled again", taken[0x62], 4);
	raise_irq(PIN, false);
	apic_write(APIC_EOI, 0);
}

static void test_modes(void)
{
	if (no_testdev())
		return;
	prepare();
	ioapic_entry(PIN, 0x400); /* NMI */
	raise_irq(PIN, true);
	__asm__ volatile("nop; nop");
	expect_eq("NMIs", nmis, 1);
	raise_irq(PIN, false);
	ioapic_entry(PIN, 0x963); /* logical, lowest priority */
	ioapic_write(0x11 + 2 * PIN, 0x03000000);
	raise_irq(PIN, true);
	window();
	expect_eq("interrupts by logical destination", taken[0x63], 1);
	raise_irq(PIN, false);
	ioapic_write(0x11 + 2 * PIN, 0x02000000);
	raise_irq(PIN, true);
	window();
	expect_eq("interrupts for another", taken[0x63], 1);
	raise_irq(PIN, false);
	/* order: the highest vector first, whatever the input */
	for (unsigned i = 0; i < 4; i++)
		ioapic_entry(PIN - i, 0x81 + 0x10 * (i ^ 2));
	for (unsigned i = 0; i < 4; i++)
		raise_irq(PIN - i, true);
	window();
	window();
	for (unsigned i = 0; i < 4; i++) {
		expect(order[order_count - 4 + i] == 0xb1 - 0x10 * i, "0x%x came as number %u", order[order_count - 4 + i], i);
		raise_irq(PIN - i, false);
	}
}

/* Every ISA interrupt's input, while the 8259s are masked. */
static void test_inputs(void)
{
	if (no_testdev())
		return;
	prepare();
	for (unsigned irq = 3; irq < 16; irq++) {
		if (irq == 4 || irq == 8)
			continue; /* COM1's and the clock's */
		ioapic_entry(irq, 0x70 + irq);
		raise_irq(irq, true);
		window();
		expect(taken[0x70 + irq] == 1, "IRQ %u was taken %u times", irq, taken[0x70 + irq]);
		raise_irq(irq, false);
		ioapic_entry(irq, IOAPIC_MASKED);
	}
}

static void test_8254(void)
{
	prepare();
	ioapic_entry(2, 0x64);
	outb(PIT_COMMAND, 0x34);
	outb(PIT_CHANNEL0, 0xa9);
	outb(PIT_CHANNEL0, 0x04); /* 1 kHz */
	expect(wait_taken(0x64, 20, SOON), "%u interrupts of the 8254", taken[0x64]);
	ioapic_entry(2, IOAPIC_MASKED);
	outb(PIT_COMMAND, 0x30); /* mode 0 without a count: silence */
}

const struct test ioapic_tests[] = {
	{ "ioapic-registers", test_registers },
	{ "ioapic-edge", test_edge },
	{ "ioapic-level", test_level },
	{ "ioapic-modes", test_modes },
	{ "ioapic-inputs", test_inputs },
	{ "ioapic-8254", test_8254 },
	{ 0 },
};
