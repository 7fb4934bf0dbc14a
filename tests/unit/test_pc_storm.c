/*
 * The whole PC with display heads that come and go, under a million random accesses to its ports, its memory-mapped registers and
 * its PCI configuration by both mechanisms. Nothing breaks (ASan, UBSan), no region of the bus overlaps another, VRAM is where its
 * BAR says and nowhere else, what a head shows lies in its VRAM; and after a reset everything that a guest can read is as it was at
 * power-on.
 */
/* links: devices/pc.c devices/pc_misc.c devices/i8042.c devices/fw_cfg.c devices/testdev.c devices/pci.c devices/vlapic.c */
/* links: devices/vlapic_reg.c devices/vlapic_timer.c devices/ioapic.c devices/hpet.c devices/pic8259.c devices/pit8254.c */
/* links: devices/rtc_mc146818.c devices/calendar.c devices/uart16550.c devices/clock.c devices/bus.c devices/acpi_pm.c */
/* links: devices/acpi_pcihp.c devices/debug_port.c devices/bochs_display.c devices/vga.c devices/edid.c devices/head.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/bochs_display.h"
#include "devices/hpet.h"
#include "devices/ioapic.h"
#include "devices/pc.h"
#include "mm/layout.h"
#include "tests/unit/random.h"

#define HEADS 4u
#define SLOT(n) (2u + (n))
#define VRAM (4u << 20)
#define STEPS 1000000u

static struct bus bus;
static struct clock clk;
static struct pc *pc;
static uint64_t time_ns;
static struct head head[HEADS];
static struct bochs_display display[HEADS];
static bool there[HEADS];
static uint8_t *vram;
static const uint8_t rom[3000] = { 0x55, 0xaa };
static unsigned resets, ejects, placed, shown;

/* ---- the owner */

static uint64_t now(void *arg)
{
	(void)arg;
	return time_ns;
}

static bool serial_out(void *arg, uint8_t byte)
{
	(void)arg;
	return byte & 1;
}

static void ended(void *arg, uint32_t value)
{
	(void)arg, (void)value;
}

static void nothing(void *arg)
{
	(void)arg;
}

static void reset(void *arg)
{
	(void)arg;
	resets++;
}

static void firmware_says(void *arg, const char *text)
{
	(void)arg;
	assert_in_range(strlen(text), 0, 200);
}

static uint64_t tsc_time(void *arg, uint64_t value)
{
	(void)arg;
	return value > time_ns ? value : time_ns;
}

static void ejected(void *arg, unsigned slot)
{
	(void)arg;
	assert_in_range(slot, SLOT(0), SLOT(HEADS) - 1);
	ejects++;
}

static int no_memory(void *arg, uint64_t gpa, void *to, size_t len)
{
	(void)arg, (void)gpa, (void)to, (void)len;
	return -EFAULT;
}

static int no_store(void *arg, uint64_t gpa, const void *from, size_t len)
{
	(void)arg, (void)gpa, (void)from, (void)len;
	return -EFAULT;
}

static const struct pc_ops ops = {
	.serial_out = serial_out,
	.debug_exit = ended,
	.power_off = nothing,
	.reset = reset,
	.firmware_says = firmware_says,
	.intr = nothing,
	.nmi = nothing,
	.tsc = now,
	.tsc_time = tsc_time,
	.ejected = ejected,
	.memory_read = no_memory,
	.memory_write = no_store,
};

/* Stands in for the stream. */
void dtx_damage(struct display_tx *tx, unsigned index, uint64_t offset, uint64_t len)
{
	(void)tx, (void)index, (void)offset, (void)len;
}

static void changed(void *arg, struct bochs_display *d)
{
	(void)arg, (void)d;
}

/* Memory slots may not overlap: what is taken stays nowhere. */
static int place(void *arg, struct bochs_display *d, uint64_t base)
{
	(void)arg;
	d->head->gpa = HEAD_NOWHERE;
	for (unsigned i = 0; i < HEADS && base != PCI_NOWHERE; i++)
		if (there[i] && head[i].gpa != HEAD_NOWHERE && base < head[i].gpa + VRAM && head[i].gpa < base + VRAM)
			return -EEXIST;
	d->head->gpa = base;
	placed += base != PCI_NOWHERE;
	return 0;
}

static const struct bochs_display_ops display_ops = { .changed = changed, .place = place };

static void plug(unsigned n)
{
	head[n] = (struct head){ .index = n, .gpa = HEAD_NOWHERE, .vram_bytes = VRAM, .vram = vram + n * VRAM };
	bochs_display_init(&display[n], &head[n], 640, 480, &clk, &display_ops, NULL);
	bochs_display_reset(&display[n], 0, 0);
	if (!n)
		bochs_display_set_rom(&display[n], rom, sizeof(rom));
	assert_int_equal(pci_add(pc_pci(pc), SLOT(n), &display[n].pci), 0);
	if (!n) {
		assert_int_equal(bus_add(&bus, BUS_PIO, VGA_PORT, VGA_PORTS, &vga_ops, &display[n].vga), 0);
		assert_int_equal(
			bus_add(&bus, BUS_PIO, BOCHS_DISPLAY_PORT, BOCHS_DISPLAY_PORTS, &bochs_display_port_ops, &display[n]), 0);
	}
	there[n] = true;
	acpi_pcihp_plug(pc_pcihp(pc), SLOT(n), true);
}

static void unplug(unsigned n)
{
	pci_remove(pc_pci(pc), SLOT(n));
	if (!n) {
		assert_int_equal(bus_remove(&bus, BUS_PIO, VGA_PORT), 0);
		assert_int_equal(bus_remove(&bus, BUS_PIO, BOCHS_DISPLAY_PORT), 0);
	}
	acpi_pcihp_gone(pc_pcihp(pc), SLOT(n));
	there[n] = false;
	assert_true(head[n].gpa == HEAD_NOWHERE);
}

/* The whole machine as power-on leaves it. */
static void power_on(void)
{
	for (unsigned n = 0; n < HEADS; n++)
		if (!there[n])
			plug(n);
	pc_reset(pc);
	for (unsigned n = 0; n < HEADS; n++)
		bochs_display_reset(&display[n], 640, 480);
}

static int setup(void **state)
{
	(void)state;
	vram = calloc(HEADS, VRAM);
	clk = (struct clock){ .now = now, .epoch = 1700000000 };
	pc = pc_create(&bus, &clk, &ops, &bus, 128 << 20);
	assert_non_null(pc);
	power_on();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	free(vram);
	return 0;
}

/* ---- what must hold */

static void bus_is_whole(void)
{
	for (unsigned i = 0; i + 1 < bus.count; i++) {
		const struct bus_region *r = &bus.region[i], *next = r + 1;

		assert_true(r->space < next->space || (r->space == next->space && r->base + (r->len - 1) < next->base));
	}
}

static void heads_are_whole(void)
{
	for (unsigned n = 0; n < HEADS; n++) {
		uint32_t bar = pci_config_read(pc_pci(pc), SLOT(n), PCI_BAR0, 4);
		struct scanout so;

		if (!there[n]) {
			assert_int_equal(bar, UINT32_MAX);
			continue;
		}
		assert_true(head[n].gpa == HEAD_NOWHERE || head[n].gpa == (bar & ~0xfu));
		head_scanout(&head[n], &so);
		if (!so.width)
			continue;
		shown++;
		assert_true(so.base >= head[n].vram && so.height);
		assert_true((uint64_t)(so.base - head[n].vram) + (uint64_t)so.stride * (so.height - 1) +
				    so.width * scanout_bytes(so.bpp) <=
			    VRAM);
	}
}

/* What a guest reads of each device; not what time moves, nor the clock's memory, which a battery keeps. */
static uint32_t fingerprint(void)
{
	static const uint16_t ports[] = { 0x21,	 0xa1,	0x4d0, 0x4d1,  0x64,   0x92,   0xe0,   0x3f9,  0x3fa, 0x3fb, 0x3fc, 0x3fd,
					  0x600, 0x602, 0x604, 0xafe0, 0xafe2, 0xae00, 0xae04, 0xae10, 0xcf8, 0x511, 0x1ce };
	uint32_t f = 0;

#define MIX(value) (f = (f ^ (uint32_t)(value)) * 0x01000193u)
	for (unsigned i = 0; i < sizeof(ports) / sizeof(ports[0]); i++)
		MIX(bus_read(&bus, BUS_PIO, ports[i], 1));
	for (unsigned reg = 0; reg < 0x400; reg += 0x10)
		if (reg != 0x390) /* the timer's count */
			MIX(bus_read(&bus, BUS_MMIO, VLAPIC_BASE + reg, 4));
	for (unsigned reg = 0; reg < 0x40; reg++) {
		bus_write(&bus, BUS_MMIO, IOAPIC_BASE, 4, reg);
		MIX(bus_read(&bus, BUS_MMIO, IOAPIC_BASE + 0x10, 4));
	}
	bus_write(&bus, BUS_MMIO, IOAPIC_BASE, 4, 0);
	for (unsigned reg = 0; reg < HPET_BYTES; reg += 4)
		MIX(bus_read(&bus, BUS_MMIO, HPET_BASE + reg, 4));
	for (unsigned slot = 0; slot < PCI_SLOTS; slot++)
		for (unsigned reg = 0; reg < 256; reg += 4)
			MIX(pci_config_read(pc_pci(pc), slot, reg, 4));
	for (unsigned n = 0; n < HEADS; n++) {
		struct scanout so;

		head_scanout(&head[n], &so);
		MIX(so.width << 16 | so.height);
	}
#undef MIX
	return f;
}

/* ---- the storm */

static uint64_t some_value(struct rng *r)
{
	static const uint32_t nasty[] = { 0,	      1,	  0xff,	      0x7fff,	  0x8000,     0xffff,
					  0x80000000, 0xffffffff, 0xfee00000, 0xfec00000, 0xd0000008, 0xf1000000 };

	return rng_below(r, 3) ? rng_next(r) : nasty[rng_below(r, sizeof(nasty) / sizeof(nasty[0]))];
}

/* Where something is now: a region of the bus, and a little around it. */
static uint64_t some_place(struct rng *r, enum bus_space *space)
{
	const struct bus_region *region = &bus.region[rng_below(r, bus.count)];

	*space = region->space;
	return region->base + rng_below(r, (region->len > 0x1000 ? 0x1000 : (uint32_t)region->len) + 4) - 2;
}

static void configure(struct rng *r)
{
	unsigned slot = rng_below(r, SLOT(HEADS) + 1),
		 reg = rng_below(r, 4) ? PCI_COMMAND + 4 * rng_below(r, 12) : rng_below(r, 256);
	unsigned size = 1u << rng_below(r, 3);
	uint32_t value = reg == PCI_COMMAND ? rng_below(r, 8) : (uint32_t)some_value(r);

	if (rng_below(r, 2)) {
		bus_write(&bus, BUS_PIO, 0xcf8, 4, 0x80000000u | slot << 11 | (reg & 0xfc));
		bus_write(&bus, BUS_PIO, 0xcfc + (reg & 3), size, value);
	} else {
		bus_write(&bus, BUS_MMIO, GUEST_ECAM + (slot << 15) + reg, size, value);
	}
}

static void pass_time(struct rng *r)
{
	time_ns += rng_below(r, rng_below(r, 64) ? 2000000 : UINT32_MAX);
	if (clock_next(&clk) <= time_ns)
		clock_run(&clk);
	pc_serial_ready(pc);
	(void)pc_serial_in(pc, (const uint8_t *)"0123456789", rng_below(r, 10));
	pc_key(pc, rng_below(r, 2), (uint16_t)rng_below(r, 0x80));
	pc_pointer(pc, (uint16_t)rng_next(r), (uint16_t)rng_next(r), (uint8_t)rng_next(r), (int8_t)rng_next(r));
}

static void step(struct rng *r)
{
	unsigned n = rng_below(r, HEADS);
	enum bus_space space;
	uint64_t at;

	switch (rng_below(r, 16)) {
	case 0:
	case 1: configure(r); break;
	case 2: pass_time(r); break;
	case 3:
		if (pc_intr(pc))
			(void)pc_ack(pc);
		break;
	case 4:
		if (rng_below(r, 200))
			break;
		if (there[n])
			unplug(n);
		else
			plug(n);
		break;
	case 5: /* a mode, so that heads do show something */
		if (there[n]) {
			bochs_display_reset(&display[n], 16 + rng_below(r, 1000), 16 + rng_below(r, 700));
			pci_config_write(pc_pci(pc), SLOT(n), PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
		}
		break;
	case 6: (void)vlapic_msr_write(pc_vlapic(pc), 0x800 + rng_below(r, 0x40), some_value(r)); break;
	case 7:
		if (!rng_below(r, 50))
			(void)vlapic_set_base(pc_vlapic(pc), VLAPIC_BASE | rng_below(r, 4) << 10);
		break;
	case 8:
	case 9:
	case 10:
	case 11:
		at = some_place(r, &space);
		(void)bus_read(&bus, space, at, 1u << rng_below(r, 4));
		break;
	default:
		at = some_place(r, &space);
		bus_write(&bus, space, at, 1u << rng_below(r, 4), some_value(r));
		break;
	}
}

static void storm(void **state)
{
	uint32_t fresh = fingerprint();
	struct rng r = rng_seed(4);

	(void)state;
	for (unsigned i = 0; i < STEPS; i++) {
		step(&r);
		if (i % 16 == 0) {
			bus_is_whole();
			heads_are_whole();
		}
		if (i % 20000 == 19999) {
			power_on();
			assert_int_equal(fingerprint(), fresh);
		}
	}
	assert_true(resets > 100 && placed > 100 && shown > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(storm, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
