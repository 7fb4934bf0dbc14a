/* The whole PC on its bus: wiring, the small ports, and a million random accesses to all of it. */
/* links: devices/pc.c devices/pc_misc.c devices/i8042.c devices/fw_cfg.c devices/testdev.c devices/pci.c devices/vlapic.c devices/vlapic_reg.c devices/vlapic_timer.c devices/ioapic.c devices/hpet.c devices/pic8259.c devices/pit8254.c devices/rtc_mc146818.c */
/* links: devices/calendar.c devices/uart16550.c devices/clock.c devices/bus.c devices/acpi_pm.c devices/acpi_pcihp.c devices/debug_port.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "devices/hpet.h"
#include "devices/ioapic.h"
#include "devices/debug_port.h"
#include "devices/pc.h"

static struct bus bus;
static struct clock clk;
static struct pc *pc;
static uint64_t time_ns;
static unsigned exits, offs, resets, intrs, nmis, bytes, ejects;
static uint32_t exit_value;
static uint8_t last_byte;
static bool room;

static uint64_t now(void *arg)
{
	(void)arg;
	return time_ns;
}

static bool serial_out(void *arg, uint8_t byte)
{
	assert_ptr_equal(arg, &bus);
	if (!room)
		return false;
	last_byte = byte;
	bytes++;
	return true;
}

static void debug_exit(void *arg, uint32_t value)
{
	(void)arg;
	exits++;
	exit_value = value;
}

static void power_off(void *arg)
{
	(void)arg;
	offs++;
}

static void reset(void *arg)
{
	(void)arg;
	resets++;
}

static void intr(void *arg)
{
	(void)arg;
	intrs++;
}

static void ejected(void *arg, unsigned slot)
{
	(void)arg, (void)slot;
	ejects++;
}

static int no_read(void *arg, uint64_t gpa, void *to, size_t len)
{
	(void)arg, (void)gpa, (void)to, (void)len;
	return -1;
}

static int no_write(void *arg, uint64_t gpa, const void *from, size_t len)
{
	(void)arg, (void)gpa, (void)from, (void)len;
	return -1;
}

static void nmi(void *arg)
{
	(void)arg;
	nmis++;
}

static uint64_t tsc(void *arg)
{
	(void)arg;
	return time_ns;
}

static uint64_t tsc_time(void *arg, uint64_t value)
{
	(void)arg;
	return value > time_ns ? value : time_ns;
}

static unsigned lines;
static char last_line[DEBUG_PORT_LINE];

static void firmware_says(void *arg, const char *text)
{
	(void)arg;
	assert_true(strlen(text) < sizeof(last_line));
	strcpy(last_line, text);
	lines++;
}

static const struct pc_ops ops = {
	.serial_out = serial_out,
	.debug_exit = debug_exit,
	.power_off = power_off,
	.reset = reset,
	.firmware_says = firmware_says,
	.intr = intr,
	.nmi = nmi,
	.tsc = tsc,
	.tsc_time = tsc_time,
	.ejected = ejected,
	.memory_read = no_read,
	.memory_write = no_write,
};

static void make(void)
{
	memset(&bus, 0, sizeof(bus));
	clk = (struct clock){ .now = now, .epoch = 1700000000 };
	time_ns = 0;
	exits = offs = resets = intrs = nmis = bytes = ejects = 0;
	room = true;
	pc = pc_create(&bus, &clk, &ops, &bus, 128 << 20);
	assert_non_null(pc);
}

static void out(uint16_t port, unsigned size, uint32_t v)
{
	bus_write(&bus, BUS_PIO, port, size, v);
}

static uint32_t in(uint16_t port, unsigned size)
{
	return (uint32_t)bus_read(&bus, BUS_PIO, port, size);
}

static void full_bus(void **state)
{
	static const struct bus_ops none = { "none", NULL, NULL, 1 };

	(void)state;
	memset(&bus, 0, sizeof(bus));
	clk = (struct clock){ .now = now };
	for (unsigned i = 0; i < BUS_REGIONS - 3; i++)
		assert_int_equal(bus_add(&bus, BUS_MMIO, i * 16, 1, &none, NULL), 0);
	assert_null(pc_create(&bus, &clk, &ops, &bus, 1 << 20));
	assert_int_equal(bus.count, BUS_REGIONS - 3); /* nothing of it stays */
}

static void ways_out(void **state)
{
	static const char *const words[] = { "Shutdown", "ShutShutdown", "SShutdown", "xxShutdown", "ShutdowShutdown" };

	(void)state;
	make();
	out(0xf4, 1, 0x12);
	assert_int_equal(exit_value, 0x12);
	out(0xf4, 2, 0x1234);
	assert_int_equal(exit_value, 0x1234);
	out(0xf4, 4, 0x12345678);
	assert_int_equal(exit_value, 0x12345678);
	assert_int_equal(exits, 3);
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		for (const char *s = words[i]; *s; s++) {
			assert_int_equal(offs, i);
			out(0x8900, 1, (uint8_t)*s);
		}
		assert_int_equal(offs, i + 1);
	}
	for (const char *s = "ShutdowN Shutown shutdown Shut"; *s; s++)
		out(0x8900, 1, (uint8_t)*s);
	assert_int_equal(offs, 5);
	out(0x604, 2, 0x2001); /* ACPI's S5 */
	assert_int_equal(offs, 6);
	assert_int_equal(resets, 0);
}

static void resetting(void **state)
{
	(void)state;
	make();
	assert_int_equal(in(0x64, 1) & 2, 0); /* its input buffer is empty: who waits for that goes on */
	out(0x64, 1, 0xfe);
	assert_int_equal(resets, 1);
	out(0x64, 1, 0xff);
	assert_int_equal(resets, 1);
	/* the output port, as code that switches A20 uses it */
	out(0x64, 1, 0xd0);
	assert_int_equal(in(0x64, 1) & 1, 1);
	assert_int_equal(in(0x60, 1), 3);
	assert_int_equal(in(0x64, 1) & 1, 0);
	out(0x64, 1, 0xd1);
	out(0x60, 1, 0xdf);
	assert_int_equal(resets, 1);
	out(0x60, 1, 0x00);
	assert_int_equal(resets, 1);
	out(0x64, 1, 0xd1);
	out(0x60, 1, 0xde);
	assert_int_equal(resets, 2);
	/* port 92: a rise of bit 0 */
	assert_int_equal(in(0x92, 1), 2);
	out(0x92, 1, 3);
	out(0x92, 1, 3);
	assert_int_equal(resets, 3);
	out(0x92, 1, 2);
	out(0x92, 1, 3);
	assert_int_equal(resets, 4);
	/* cf9: a rise of bit 2, by a byte access only */
	out(0xcf9, 1, 0x02);
	assert_int_equal(in(0xcf9, 1), 0x02);
	out(0xcf9, 1, 0x06);
	assert_int_equal(resets, 5);
	out(0xcf9, 1, 0x00);
	out(0xcf8, 4, 0x8000ff00);
	assert_int_equal(resets, 5);
	assert_int_equal(in(0xcf8, 4), 0x8000ff00);
	assert_int_equal(in(0xcfc, 4), 0xffffffff);
	out(0xcf8, 4, 0x80000000);
	assert_int_equal(in(0xcfc, 4), 0x12378086);
	assert_int_equal(in(0xcfe, 2), 0x1237);
	out(0xcf8, 1, 0x06);
	out(0xcf9, 2, 0x0606);
	assert_int_equal(resets, 5);
}

static void port61(void **state)
{
	unsigned toggles = 0, last = 0;

	(void)state;
	make();
	/* how everyone measures time by channel 2: mode 0, gate, poll bit 5 */
	out(0x61, 1, 0);
	out(0x43, 1, 0xb0);
	out(0x42, 1, 0x9c);
	out(0x42, 1, 0x2e); /* 11,932: 10 ms */
	out(0x61, 1, 1);
	assert_int_equal(in(0x61, 1) & 0x2f, 0x01);
	time_ns = 9999000;
	assert_int_equal(in(0x61, 1) & 0x2f, 0x01);
	time_ns = 10002000;
	assert_int_equal(in(0x61, 1) & 0x2f, 0x21);
	out(0x61, 1, 0xf2);
	assert_int_equal(in(0x61, 1) & 0x0f, 0x02);
	for (unsigned i = 0; i < 1000; i++, time_ns += 1000) {
		toggles += (in(0x61, 1) >> 4 & 1) != last;
		last = in(0x61, 1) >> 4 & 1;
	}
	assert_in_range(toggles, 65, 68); /* every 15.09 us in 1 ms */
	out(0x80, 1, 0x5a);
	assert_int_equal(in(0x80, 1), 0x5a);
}

static void init_pics(void)
{
	static const struct {
		uint16_t port;
		uint8_t v;
	} w[] = {
		{ 0x20, 0x11 }, { 0x21, 0x20 }, { 0x21, 4 }, { 0x21, 1 }, { 0xa0, 0x11 }, { 0xa1, 0x28 }, { 0xa1, 2 }, { 0xa1, 1 }
	};

	for (unsigned i = 0; i < sizeof(w) / sizeof(w[0]); i++)
		out(w[i].port, 1, w[i].v);
}

static void wiring(void **state)
{
	(void)state;
	make();
	assert_false(pc_intr(pc));
	init_pics();
	out(0x21, 1, 0xeb);
	out(0x3f9, 1, 1);
	out(0x3fc, 1, 8);
	assert_int_equal(pc_serial_in(pc, (const uint8_t *)"hi", 2), 1);
	assert_true(pc_intr(pc));
	assert_int_equal(intrs, 1);
	assert_int_equal(pc_ack(pc), 0x24);
	assert_int_equal(in(0x3f8, 1), 'h');
	out(0x20, 1, 0x20);
	room = false;
	out(0x3f8, 1, 'x');
	assert_int_equal(in(0x3fd, 1) & 0x20, 0);
	room = true;
	pc_serial_ready(pc);
	assert_int_equal(in(0x3fd, 1) & 0x20, 0x20);
	assert_int_equal(last_byte, 'x');
	/* RTC on IRQ 8 */
	out(0xa1, 1, 0xfe);
	out(0x70, 1, 0x0b);
	out(0x71, 1, 0x12);
	time_ns = clock_next(&clk);
	clock_run(&clk);
	assert_false(pc_intr(pc)); /* that was the PIT, masked */
	while (!pc_intr(pc)) {
		time_ns = clock_next(&clk);
		clock_run(&clk);
	}
	assert_int_equal(time_ns, 1000000000);
	assert_int_equal(pc_ack(pc), 0x28);
	out(0xa0, 1, 0x20);
	out(0x20, 1, 0x20);
	/* the PIT on IRQ 0, with late ticks owed by acknowledge */
	out(0x21, 1, 0xfe);
	out(0x43, 1, 0x34);
	out(0x40, 1, 0x9c);
	out(0x40, 1, 0x2e);
	while (pc_intr(pc)) {
		assert_int_equal(pc_ack(pc), 0x20);
		out(0x20, 1, 0x20);
	}
	time_ns += 50500000;
	clock_run(&clk);
	unsigned ticks = 0;

	for (; pc_intr(pc); ticks++) {
		assert_int_equal(pc_ack(pc), 0x20);
		assert_false(pc_intr(pc)); /* one at a time */
		out(0x20, 1, 0x20);
	}
	assert_int_equal(ticks, 5);
	/* ACPI's SCI on IRQ 9, level-triggered: until its cause is gone. A card's hot-plug is an event, its ejection is told. */
	out(0x4d1, 1, 0x02);
	out(0xa1, 1, 0xfd);
	out(0x21, 1, 0xfb);
	out(0xafe2, 2, 2);
	acpi_pcihp_plug(pc_pcihp(pc), 7, true);
	for (unsigned i = 0; i < 3; i++) {
		assert_true(pc_intr(pc));
		assert_int_equal(pc_ack(pc), 0x29);
		if (i == 2)
			out(0xafe0, 2, 2);
		out(0xa0, 1, 0x20);
		out(0x20, 1, 0x20);
	}
	assert_false(pc_intr(pc));
	out(0xae08, 4, 1u << 7);
	assert_int_equal(ejects, 1);
	out(0x21, 1, 0xff);
	/* power-on again */
	pc_reset(pc);
	assert_false(pc_intr(pc));
	assert_int_equal(in(0x21, 1), 0xff);
	assert_int_equal(in(0x3fc, 1), 0);
	assert_int_equal(pc_ack(pc), 0x0f);
}

static uint32_t mmio(uint64_t addr)
{
	return (uint32_t)bus_read(&bus, BUS_MMIO, addr, 4);
}

static void set_mmio(uint64_t addr, uint32_t v)
{
	bus_write(&bus, BUS_MMIO, addr, 4, v);
}

static void redirect(unsigned pin, uint32_t low)
{
	set_mmio(IOAPIC_BASE, 0x11 + 2 * pin);
	set_mmio(IOAPIC_BASE + 0x10, 0);
	set_mmio(IOAPIC_BASE, 0x10 + 2 * pin);
	set_mmio(IOAPIC_BASE + 0x10, low);
}

static void end_of_interrupt(void)
{
	set_mmio(VLAPIC_BASE + 0xb0, 0);
}

/* The ways from a device to the CPU: the 8259s through LINT0, through the I/O APIC, or straight; the I/O APIC's own. */
static void apics(void **state)
{
	(void)state;
	make();
	init_pics();
	assert_int_equal(mmio(VLAPIC_BASE + 0x350), 0x700); /* as firmware leaves it */
	out(0x21, 1, 0xf7);
	out(0x2003, 1, 1);
	assert_true(pc_intr(pc));
	set_mmio(VLAPIC_BASE + 0x350, 0x10700);
	assert_false(pc_intr(pc));
	redirect(0, 0x700);
	assert_true(pc_intr(pc));
	redirect(0, 0x10700);
	assert_false(pc_intr(pc));
	assert_int_equal(vlapic_set_base(pc_vlapic(pc), VLAPIC_BASE | 0x100), 0);
	assert_true(pc_intr(pc));
	assert_int_equal(pc_ack(pc), 0x23);
	assert_int_equal(vlapic_set_base(pc_vlapic(pc), VLAPIC_BASE | 0x900), 0);
	out(0x20, 1, 0x20);
	out(0x2003, 1, 0);
	set_mmio(VLAPIC_BASE + 0xf0, 0x1ff);
	/* LINT0 as an interrupt of its own */
	set_mmio(VLAPIC_BASE + 0x350, 0x33);
	out(0x2003, 1, 1);
	assert_int_equal(pc_ack(pc), 0x33);
	end_of_interrupt();
	out(0x2003, 1, 0);
	set_mmio(VLAPIC_BASE + 0x350, 0x10000);
	out(0x21, 1, 0xff);
	/* an edge, a level, and who goes first */
	redirect(5, 0x50);
	redirect(11, 0x8060);
	out(0x2005, 1, 1);
	out(0x200b, 1, 1);
	assert_int_equal(pc_ack(pc), 0x60);
	assert_false(pc_intr(pc));
	end_of_interrupt(); /* still high */
	assert_int_equal(pc_ack(pc), 0x60);
	out(0x200b, 1, 0);
	end_of_interrupt();
	assert_int_equal(pc_ack(pc), 0x50);
	end_of_interrupt();
	assert_false(pc_intr(pc));
	/* CR8 is a part of the task priority */
	pc_set_cr8(pc, 5);
	assert_int_equal(mmio(VLAPIC_BASE + 0x80), 0x50);
	out(0x2005, 1, 0);
	out(0x2005, 1, 1);
	assert_false(pc_intr(pc));
	set_mmio(VLAPIC_BASE + 0x80, 0x4f);
	assert_int_equal(pc_cr8(pc), 4);
	assert_int_equal(pc_ack(pc), 0x50);
	end_of_interrupt();
	/* inputs beyond the ISA's */
	redirect(17, 0x8071);
	struct irq_line wire = pc_line(pc, 17);

	irq_set(&wire, true);
	assert_int_equal(pc_ack(pc), 0x71);
	irq_set(&wire, false);
	end_of_interrupt();
	assert_false(pc_intr(pc));
	/* NMI and INIT by the APIC */
	redirect(7, 0x400);
	out(0x2007, 1, 1);
	assert_int_equal(nmis, 1);
	assert_int_equal(resets, 0);
	set_mmio(VLAPIC_BASE + 0x300, 0x4500);
	assert_int_equal(resets, 1);
	pc_reset(pc);
	assert_int_equal(mmio(VLAPIC_BASE + 0x80), 0);
	assert_int_equal(pc_cr8(pc), 0);
}

/* Late ticks of the 8254 are caught up through the I/O APIC too; with legacy replacement its ticks are nobody's. */
static void timer_inputs(void **state)
{
	unsigned ticks = 0;

	(void)state;
	make();
	set_mmio(VLAPIC_BASE + 0xf0, 0x1ff);
	redirect(IOAPIC_PIN_TIMER, 0x40);
	out(0x43, 1, 0x34);
	out(0x40, 1, 0x9c);
	out(0x40, 1, 0x2e);
	for (; pc_intr(pc); end_of_interrupt())
		assert_int_equal(pc_ack(pc), 0x40);
	time_ns += 50500000;
	clock_run(&clk);
	for (; pc_intr(pc); ticks++) {
		assert_int_equal(pc_ack(pc), 0x40);
		assert_false(pc_intr(pc)); /* one at a time */
		end_of_interrupt();
	}
	assert_int_equal(ticks, 5);
	set_mmio(HPET_BASE + 0x10, 2);
	time_ns += 50500000;
	clock_run(&clk);
	for (; pc_intr(pc); end_of_interrupt())
		assert_int_equal(pc_ack(pc), 0x40);
	time_ns += 50500000;
	clock_run(&clk);
	assert_false(pc_intr(pc));
	set_mmio(HPET_BASE + 0x100, 4);
	bus_write(&bus, BUS_MMIO, HPET_BASE + 0x108, 8, 100);
	set_mmio(HPET_BASE + 0x10, 3);
	assert_true(clock_next(&clk) - time_ns <= 1000);
	time_ns += 1000;
	clock_run(&clk);
	assert_int_equal(pc_ack(pc), 0x40);
}

static void say(const char *s)
{
	for (; *s; s++)
		out(DEBUG_PORT, 1, (uint8_t)*s);
}

static void debug_text(void **state)
{
	(void)state;
	make();
	lines = 0;
	assert_int_equal(in(DEBUG_PORT, 1), 0xe9);
	say("SeaBIOS (version)\r\n");
	assert_int_equal(lines, 1);
	assert_string_equal(last_line, "SeaBIOS (version)");
	say("\n");
	assert_string_equal(last_line, "");
	say("a\tb\x1b[31m\xff\n"); /* nothing that a terminal would obey */
	assert_string_equal(last_line, "a\tb?[31m?");
	for (unsigned i = 0; i < 3 * (DEBUG_PORT_LINE - 1); i++)
		say("x");
	assert_int_equal(lines, 6);
	assert_int_equal(strlen(last_line), DEBUG_PORT_LINE - 1);
	say("half");
	assert_int_equal(lines, 6);
	pc_reset(pc);
	assert_int_equal(lines, 7);
	assert_string_equal(last_line, "half");
	pc_reset(pc);
	assert_int_equal(lines, 7);
}

/* What firmware looks for in the host bridge: QEMU's subsystem, and PAM registers that hold what is written until a reset. */
static void bridge(void **state)
{
	(void)state;
	make();
	out(0xcf8, 4, 0x8000002c);
	assert_int_equal(in(0xcfc, 4), 0x11001af4);
	out(0xcf8, 4, 0x80000058);
	out(0xcfc, 4, 0x33221155);
	assert_int_equal(in(0xcfc, 4), 0x33221100);
	out(0xcf8, 4, 0x8000005c);
	out(0xcfd, 1, 0x66);
	assert_int_equal(in(0xcfc, 4), 0x6600);
	out(0xcf8, 4, 0x80000060);
	out(0xcfc, 4, 0xffffffff);
	assert_int_equal(in(0xcfc, 4), 0);
	pc_reset(pc);
	out(0xcf8, 4, 0x8000005c);
	assert_int_equal(in(0xcfc, 4), 0);
}

/* A million accesses of every width to every port that a device has, and around; nothing breaks and INTR stays what it is told to
 * be. */
static void storm(void **state)
{
	static const uint16_t bases[] = {
		0x20, 0x40, 0x60, 0x64, 0x70, 0x80, 0x92, 0xa0, 0xe0, 0xf4, 0x3f8, 0x402, 0x4d0, 0x510, 0x514, 0x600, 0x604, 0xcf8, 0xcfc, 0x2000, 0x8900,
		0xae00, 0xae08, 0xae10, 0xafe0, 0xfffe
	};
	static const uint64_t memory[] = { VLAPIC_BASE, IOAPIC_BASE, HPET_BASE };
	unsigned acks = 0, ran = 0;

	(void)state;
	make();
	srand(12);
	for (unsigned step = 0; step < 1000000; step++) {
		uint16_t port = (uint16_t)(bases[(unsigned)rand() % (sizeof(bases) / sizeof(bases[0]))] + (unsigned)rand() % 9 - 1);
		unsigned size = 1u << (unsigned)rand() % 3;
		uint32_t value = rand() & 1 ? (uint32_t)rand() : (uint32_t)rand() & 0xff;

		room = rand() & 1;
		switch (rand() % 10) {
		case 8: bus_write(&bus, BUS_MMIO, memory[port % 3] + (unsigned)rand() % 0x404, size * 2, value); break;
		case 9:
			if (value & 7)
				(void)bus_read(&bus, BUS_MMIO, memory[port % 3] + (unsigned)rand() % 0x404, size * 2);
			else if (value & 8)
				(void)vlapic_set_base(pc_vlapic(pc), VLAPIC_BASE | (value << 8 & 0xc00));
			else
				(void)vlapic_msr_write(pc_vlapic(pc), 0x800 + (unsigned)rand() % 0x40, value);
			break;
		case 0:
		case 1:
		case 2: out(port, size, value); break;
		case 3:
		case 4:
		case 5:
			value = in(port, size);
			assert_true(size == 4 || value >> (8 * size) == 0);
			break;
		case 6:
			time_ns += (uint64_t)rand() % (rand() % 64 ? 2000000 : 200000000000);
			if (clock_next(&clk) <= time_ns) {
				clock_run(&clk);
				ran++;
			}
			pc_serial_ready(pc);
			(void)pc_serial_in(pc, (const uint8_t *)"0123456789abcdefghij", (size_t)rand() % 20);
			break;
		default:
			if (pc_intr(pc)) {
				acks++;
				(void)pc_ack(pc);
			}
			break;
		}
		if (step % 100000 == 99999)
			pc_reset(pc);
		if (rand() % 5000 == 0) {
			init_pics();
			vlapic_reset(pc_vlapic(pc));
			vlapic_virtual_wire(pc_vlapic(pc));
		}
	}
	assert_true(acks > 1000);
	assert_true(ran > 1000);
	assert_true(exits && resets && bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(full_bus),     cmocka_unit_test(ways_out), cmocka_unit_test(resetting),
		cmocka_unit_test(port61),       cmocka_unit_test(wiring),   cmocka_unit_test(apics),
		cmocka_unit_test(timer_inputs), cmocka_unit_test(debug_text), cmocka_unit_test(bridge),
		cmocka_unit_test(storm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
