/* IA32_APIC_BASE: moving the APIC, switching it off and on; the 8259's ways to the CPU; x2APIC. */
#include "guest-tests/apic/apic.h"

#define MOVED 0xfed40000ull

static bool on_timer(struct trap_frame *f)
{
	taken[f->vector & 255]++;
	pic_eoi(0);
	return true;
}

/* Whether the 8254's interrupts reach the CPU by way of the 8259. */
static bool legacy_interrupts(uint64_t us)
{
	trap_handler(VEC_IRQ, on_timer);
	taken[VEC_IRQ] = 0;
	outb(PIT_COMMAND, 0x34);
	outb(PIT_CHANNEL0, 0x54);
	outb(PIT_CHANNEL0, 0x02); /* 2 kHz */
	pic_mask(0xfffe);
	wait_taken(VEC_IRQ, 3, us);
	pic_mask(0xffff);
	return taken[VEC_IRQ] >= 3;
}

static void test_moved(void)
{
	uint64_t base;

	prepare();
	if (bare_tcg()) {
		skip("QEMU's APIC stays where it is");
		return;
	}
	base = rdmsr(MSR_APIC_BASE);
	apic_write(APIC_TPR, 0x20);
	expect_trap("moving it", try_wrmsr(MSR_APIC_BASE, MOVED | (base & 0xfff)), TRAP_NONE);
	expect_eq("TPR there", *mmio32(MOVED + APIC_TPR), 0x20);
	expect_eq("IA32_APIC_BASE", rdmsr(MSR_APIC_BASE), MOVED | (base & 0xfff));
	*mmio32(MOVED + APIC_TPR) = 0x30;
	expect_trap("moving it back", try_wrmsr(MSR_APIC_BASE, base), TRAP_NONE);
	expect_eq("TPR back here", apic_read(APIC_TPR), 0x30);
	expect_error("a base beyond the physical addresses",
		     try_wrmsr(MSR_APIC_BASE, base | 1ull << (cpuid(0x80000008, 0).eax & 255)), VEC_GP, 0);
	expect_error("bit 9", try_wrmsr(MSR_APIC_BASE, base | 0x200), VEC_GP, 0);
	expect_eq("IA32_APIC_BASE in the end", rdmsr(MSR_APIC_BASE), base);
}

static void test_off_and_on(void)
{
	uint64_t base;

	prepare();
	if (bare_tcg()) {
		skip("QEMU's APIC answers while it is off");
		return;
	}
	base = rdmsr(MSR_APIC_BASE);
	apic_write(APIC_TPR, 0x20);
	wrmsr(MSR_APIC_BASE, base & ~BASE_ENABLE);
	expect(!(cpuid(1, 0).edx >> 9 & 1), "CPUID still tells of it");
	if (hyper_present())
		expect_eq("its page", apic_read(APIC_VERSION), ~0u);
	expect(legacy_interrupts(SOON), "the 8259's interrupts do not reach the CPU");
	wrmsr(MSR_APIC_BASE, base);
	expect(cpuid(1, 0).edx >> 9 & 1, "CPUID tells of no APIC");
	apic_write(APIC_SVR, 0x1ff);
	apic_write(APIC_TPR, 0);
	apic_command(0, 0x40051);
	window();
	expect_eq("interrupts when it is on again", taken[0x51], 1);
}

/* The 8259 through LINT0, and through the I/O APIC's input 0. */
static void test_virtual_wire(void)
{
	prepare();
	apic_write(APIC_LVT_LINT0, 0x700);
	expect(legacy_interrupts(SOON), "none through LINT0");
	apic_write(APIC_LVT_LINT0, LVT_MASKED | 0x700);
	if (!bare_tcg())
		expect(!legacy_interrupts(20000), "some though LINT0 is masked");
	if (!hyper_present()) /* input 0 is not wired everywhere */
		return;
	ioapic_entry(0, 0x700);
	expect(legacy_interrupts(SOON), "none through the I/O APIC");
	ioapic_entry(0, IOAPIC_MASKED);
}

static bool x2_eoi(struct trap_frame *f)
{
	taken[f->vector & 255]++;
	wrmsr(MSR_X2APIC(APIC_EOI), 0);
	return true;
}

static void x2apic_registers(void)
{
	uint64_t value;

	expect_eq("id", rdmsr(MSR_X2APIC(APIC_ID)), cpuid(0xb, 0).edx);
	expect_eq("version", rdmsr(MSR_X2APIC(APIC_VERSION)) & 0xff00ff, rdmsr(0x803) & 0xff00ff);
	expect_eq("LDR", rdmsr(MSR_X2APIC(APIC_LDR)), 1);
	expect_eq("SVR", rdmsr(MSR_X2APIC(APIC_SVR)), 0x1ff);
	write_cr8(5);
	expect_eq("TPR by CR8", rdmsr(MSR_X2APIC(APIC_TPR)), 0x50);
	wrmsr(MSR_X2APIC(APIC_TPR), 0x31);
	expect_eq("CR8 by TPR", read_cr8(), 3);
	wrmsr(MSR_X2APIC(APIC_TPR), 0);
	expect_error("DFR", try_rdmsr(MSR_X2APIC(APIC_DFR), &value), VEC_GP, 0);
	expect_error("ICR's high half", try_rdmsr(MSR_X2APIC(APIC_ICR_HIGH), &value), VEC_GP, 0);
	expect_error("reading EOI", try_rdmsr(MSR_X2APIC(APIC_EOI), &value), VEC_GP, 0);
	expect_error("EOI of 1", try_wrmsr(MSR_X2APIC(APIC_EOI), 1), VEC_GP, 0);
	expect_error("writing the id", try_wrmsr(MSR_X2APIC(APIC_ID), 0), VEC_GP, 0);
	expect_error("a reserved bit", try_wrmsr(MSR_X2APIC(APIC_SVR), 1ull << 32), VEC_GP, 0);
}

static void x2apic_interrupts(void)
{
	for (unsigned v = 0x51; v <= 0x58; v++)
		trap_handler(v, x2_eoi);
	wrmsr(0x83f, 0x51);
	window();
	wrmsr(MSR_X2APIC(APIC_ICR), 0x52);
	window();
	wrmsr(MSR_X2APIC(APIC_ICR), 0xffffffffull << 32 | 0x53);
	window();
	wrmsr(MSR_X2APIC(APIC_ICR), 1ull << 32 | 0x854);
	window();
	wrmsr(MSR_X2APIC(APIC_ICR), 5ull << 32 | 0x55);
	wrmsr(MSR_X2APIC(APIC_ICR), 5ull << 32 | 0xc500);
	wrmsr(MSR_X2APIC(APIC_ICR), 5ull << 32 | 0x4608);
	window();
	for (unsigned v = 0x51; v <= 0x54; v++)
		expect(taken[v] == 1, "vector 0x%x was taken %u times", v, taken[v]);
	expect_eq("what was for another", taken[0x55], 0);
	wrmsr(MSR_X2APIC(APIC_LVT_TIMER), LVT_TSC_DEADLINE | 0x56);
	__asm__ volatile("mfence");
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + tsc_rate() / 1000);
	expect(wait_taken(0x56, 1, SOON), "the TSC deadline passed without an interrupt");
	raise_irq(5, false);
	ioapic_write(0x11 + 2 * 5, 0);
	ioapic_write(0x10 + 2 * 5, IOAPIC_LEVEL | 0x57);
	if (hyper_present()) {
		eoi_later = true;
		trap_handler(0x57, NULL);
		raise_irq(5, true);
		expect(rdmsr(MSR_X2APIC(APIC_IRR) + 2) >> 0x17 & 1, "the I/O APIC's interrupt is not requested");
		trap_handler(0x57, x2_eoi);
		raise_irq(5, false);
		window();
		expect_eq("the I/O APIC's interrupts", taken[0x57], 1);
		expect(!(ioapic_entry_low(5) & IOAPIC_REMOTE_IRR), "its end was not told");
	}
}

static void test_x2apic(void)
{
	uint64_t base, value;

	prepare();
	if (!(cpuid(1, 0).ecx >> 21 & 1)) {
		skip("CPUID offers no x2APIC");
		return;
	}
	base = rdmsr(MSR_APIC_BASE);
	expect_error("a register in xAPIC mode", try_rdmsr(MSR_X2APIC(APIC_ID), &value), VEC_GP, 0);
	expect_error("EXTD without EN", try_wrmsr(MSR_APIC_BASE, (base & ~BASE_ENABLE) | BASE_X2APIC), VEC_GP, 0);
	wrmsr(MSR_APIC_BASE, base | BASE_X2APIC);
	expect_error("back to xAPIC mode", try_wrmsr(MSR_APIC_BASE, base), VEC_GP, 0);
	x2apic_registers();
	x2apic_interrupts();
	wrmsr(MSR_APIC_BASE, base & ~(BASE_ENABLE | BASE_X2APIC));
	expect_error("from off to x2APIC mode", try_wrmsr(MSR_APIC_BASE, base | BASE_X2APIC), VEC_GP, 0);
	expect_error("a register while it is off", try_rdmsr(MSR_X2APIC(APIC_ID), &value), VEC_GP, 0);
	wrmsr(MSR_APIC_BASE, base);
}

const struct test base_tests[] = {
	{ "base-moved", test_moved },
	{ "base-off-and-on", test_off_and_on },
	{ "base-virtual-wire", test_virtual_wire },
	{ "base-x2apic", test_x2apic },
	{ 0 },
};
