/* A head's registers: Linux's order of a modeset, panning, depths, blanking, EDID, and states that only a hostile guest sets. */
/* links: devices/bochs_display.c devices/vga.c devices/edid.c devices/head.c devices/pci.c devices/bus.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/bochs_display.h"
#include "tests/unit/random.h"

#define VRAM (8u << 20)

static struct bus bus;
static struct pci pci;
static struct head head;
static struct bochs_display dev;
static uint8_t *vram;
static unsigned changes;

/* Stands in for the stream. */
void dtx_damage(struct display_tx *tx, unsigned index, uint64_t offset, uint64_t len)
{
	(void)tx, (void)index, (void)offset, (void)len;
}

static void changed(void *arg, struct bochs_display *d)
{
	(void)arg;
	assert_ptr_equal(d, &dev);
	changes++;
}

static int place(void *arg, struct bochs_display *d, uint64_t base)
{
	(void)arg;
	d->head->gpa = base;
	return 0;
}

static uint64_t now(void *arg)
{
	(void)arg;
	return 0;
}

static struct clock clk = { .now = now };

static const struct bochs_display_ops ops = { .changed = changed, .place = place };

static int setup(void **state)
{
	(void)state;
	if (!vram)
		vram = malloc(VRAM);
	memset(&bus, 0, sizeof(bus));
	head = (struct head){ .index = 3, .gpa = HEAD_NOWHERE, .vram_bytes = VRAM, .vram = vram };
	pci_init(&pci, &bus);
	bochs_display_init(&dev, &head, 1024, 768, &clk, &ops, NULL);
	assert_int_equal(pci_add(&pci, 5, &dev.pci), 0);
	bochs_display_reset(&dev, 1024, 768);
	pci_config_write(&pci, 5, PCI_BAR0, 4, 0xd0000000);
	pci_config_write(&pci, 5, PCI_BAR0 + 8, 4, 0xf1000000);
	pci_config_write(&pci, 5, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	changes = 0;
	return 0;
}

static void out(unsigned reg, uint16_t value)
{
	bus_write(&bus, BUS_MMIO, 0xf1000500 + 2 * reg, 2, value);
}

static uint16_t in(unsigned reg)
{
	return (uint16_t)bus_read(&bus, BUS_MMIO, 0xf1000500 + 2 * reg, 2);
}

static void vga(unsigned port, uint8_t value)
{
	bus_write(&bus, BUS_MMIO, 0xf1000400 + port - 0x3c0, 1, value);
}

static uint8_t vga_in(unsigned port)
{
	return (uint8_t)bus_read(&bus, BUS_MMIO, 0xf1000400 + port - 0x3c0, 1);
}

static void expect_scanout(unsigned width, unsigned height, unsigned bpp, uint32_t stride, uint64_t start)
{
	struct scanout so;

	head_scanout(&head, &so);
	assert_int_equal(so.width, width);
	assert_int_equal(so.height, height);
	if (!width)
		return;
	assert_int_equal(so.bpp, bpp);
	assert_int_equal(so.stride, stride);
	assert_ptr_equal(so.base, vram + start);
}

static void test_identity(void **state)
{
	(void)state;
	assert_int_equal(pci_config_read(&pci, 5, PCI_VENDOR, 4), 0x11111234);
	assert_int_equal(pci_config_read(&pci, 5, PCI_REVISION, 4), 0x03800002);
	assert_int_equal(pci_config_read(&pci, 5, PCI_SUBSYSTEM, 4), 0x11001af4);
	assert_int_equal(pci_config_read(&pci, 5, PCI_BAR0, 4), 0xd0000008);
	assert_int_equal(head.gpa, 0xd0000000);
	assert_int_equal(in(DISPI_ID), 0xb0c5);
	assert_int_equal(in(DISPI_VIDEO_MEMORY_64K), VRAM >> 16);
	assert_int_equal(bus_read(&bus, BUS_MMIO, 0xf1000600, 4), 8);
	assert_int_equal(bus_read(&bus, BUS_MMIO, 0xf1000604, 4), 0x1e1e1e1e);
	bus_write(&bus, BUS_MMIO, 0xf1000604, 4, 0xbebebebe);
	assert_int_equal(bus_read(&bus, BUS_MMIO, 0xf1000604, 4), 0x1e1e1e1e);
	out(DISPI_ID, 0xb0c0);
	out(DISPI_VIDEO_MEMORY_64K, 1);
	assert_int_equal(in(DISPI_ID), 0xb0c5);
	assert_int_equal(in(DISPI_VIDEO_MEMORY_64K), VRAM >> 16);
	expect_scanout(1024, 768, 32, 4096, 0);
	out(DISPI_ENABLE, 0x43);
	assert_int_equal(in(DISPI_BPP), 32);
	assert_true(in(DISPI_XRES) >= 4096);
}

/* The order in which Linux's driver does it. */
static void linux_modeset(unsigned width, unsigned height)
{
	vga(0x3c2, 1);
	(void)vga_in(0x3da);
	vga(0x3c0, 0x20);
	out(DISPI_ENABLE, 0);
	out(DISPI_BPP, 32);
	out(DISPI_XRES, (uint16_t)width);
	out(DISPI_YRES, (uint16_t)height);
	out(DISPI_BANK, 0);
	out(DISPI_VIRT_WIDTH, (uint16_t)width);
	out(DISPI_VIRT_HEIGHT, (uint16_t)height);
	out(DISPI_X_OFFSET, 0);
	out(DISPI_Y_OFFSET, 0);
	out(DISPI_ENABLE, 0x41);
}

static void test_linux(void **state)
{
	(void)state;
	memset(vram, 0xff, VRAM);
	linux_modeset(800, 600);
	expect_scanout(800, 600, 32, 3200, 0);
	assert_true(changes > 0);
	for (unsigned i = 0; i < VRAM; i += 4095)
		assert_int_equal(vram[i], 0xff); /* what was drawn before the mode was set is shown */
	/* a framebuffer further on, with a longer line */
	out(DISPI_VIRT_WIDTH, 1024);
	out(DISPI_X_OFFSET, 16);
	out(DISPI_Y_OFFSET, 700);
	expect_scanout(800, 600, 32, 4096, 700 * 4096 + 64);
	/* off is only blanking, and on again */
	(void)vga_in(0x3da);
	vga(0x3c0, 0);
	expect_scanout(0, 0, 0, 0, 0);
	(void)vga_in(0x3da);
	vga(0x3c0, 0x20);
	expect_scanout(800, 600, 32, 4096, 700 * 4096 + 64);
	/* a data byte of the attribute controller blanks nothing */
	vga(0x3c0, 0);
	expect_scanout(800, 600, 32, 4096, 700 * 4096 + 64);
	out(DISPI_ENABLE, 0);
	expect_scanout(0, 0, 0, 0, 0);
	out(DISPI_ENABLE, 0xc1);
	expect_scanout(800, 600, 32, 3200, 0);
}

static void test_depths(void **state)
{
	static const struct {
		uint16_t bpp;
		unsigned bytes;
	} depths[] = { { 8, 1 }, { 15, 2 }, { 16, 2 }, { 24, 3 }, { 32, 4 }, { 4, 0 }, { 0, 0 }, { 264, 0 } };

	(void)state;
	for (unsigned i = 0; i < sizeof(depths) / sizeof(depths[0]); i++) {
		out(DISPI_ENABLE, 0);
		out(DISPI_BPP, depths[i].bpp);
		out(DISPI_ENABLE, 0x41);
		expect_scanout(depths[i].bytes ? 1024 : 0, depths[i].bytes ? 768 : 0, depths[i].bpp, 1024 * depths[i].bytes, 0);
	}
}

static void test_palette(void **state)
{
	(void)state;
	out(DISPI_ENABLE, 0);
	out(DISPI_BPP, 8);
	out(DISPI_ENABLE, 0x41);
	changes = 0;
	vga(0x3c8, 254);
	vga(0x3c9, 63);
	vga(0x3c9, 0);
	assert_int_equal(changes, 0);
	vga(0x3c9, 32);
	assert_int_equal(changes, 1);
	assert_int_equal(head.palette[254], 0xff0082);
	for (unsigned i = 0; i < 6; i++)
		vga(0x3c9, 63); /* goes on with 255, then 0 */
	assert_int_equal(head.palette[255], 0xffffff);
	assert_int_equal(head.palette[0], 0xffffff);
	vga(0x3c7, 254);
	assert_int_equal(vga_in(0x3c9), 63);
	assert_int_equal(vga_in(0x3c9), 0);
	assert_int_equal(vga_in(0x3c9), 32);
	out(DISPI_ENABLE, 0x61);
	vga(0x3c8, 7);
	vga(0x3c9, 0x12);
	vga(0x3c9, 0xfe);
	vga(0x3c9, 0x80);
	assert_int_equal(head.palette[7], 0x12fe80);
}

/* The ports of the Bochs VBE extensions: versions are written and read back, a mode is set and shown. */
static void test_ports(void **state)
{
	static const uint16_t mode[][2] = { { 4, 0 }, { 1, 640 }, { 2, 480 }, { 3, 32 }, { 4, 0x41 } };

	(void)state;
	assert_int_equal(bus_add(&bus, BUS_PIO, BOCHS_DISPLAY_PORT, BOCHS_DISPLAY_PORTS, &bochs_display_port_ops, &dev), 0);
	for (unsigned id = 0xb0c0; id <= 0xb0c5; id++) {
		bus_write(&bus, BUS_PIO, 0x1ce, 2, 0);
		bus_write(&bus, BUS_PIO, 0x1cf, 2, id);
		assert_int_equal(bus_read(&bus, BUS_PIO, 0x1cf, 2), id);
	}
	bus_write(&bus, BUS_PIO, 0x1cf, 2, 0xb0c6);
	assert_int_equal(bus_read(&bus, BUS_PIO, 0x1d0, 2), 0xb0c5);
	assert_int_equal(in(DISPI_ID), 0xb0c5);
	for (unsigned i = 0; i < 5; i++) {
		bus_write(&bus, BUS_PIO, 0x1ce, 2, mode[i][0]);
		bus_write(&bus, BUS_PIO, 0x1d0, 2, mode[i][1]);
	}
	expect_scanout(640, 480, 32, 2560, 0);
	assert_int_equal(in(DISPI_XRES), 640);
	bus_write(&bus, BUS_PIO, 0x1ce, 2, 0x0a);
	assert_int_equal(bus_read(&bus, BUS_PIO, 0x1cf, 2), VRAM >> 16);
	for (unsigned i = DISPI_COUNT; i < 0x10000; i += 97) { /* none of these exist */
		bus_write(&bus, BUS_PIO, 0x1ce, 2, i);
		bus_write(&bus, BUS_PIO, 0x1cf, 2, 0xffff);
		assert_int_equal(bus_read(&bus, BUS_PIO, 0x1cf, 2), 0);
	}
	bus_write(&bus, BUS_PIO, 0x1cf, 1, 1);
	assert_int_equal(bus_read(&bus, BUS_PIO, 0x1cf, 1), 0xff);
	expect_scanout(640, 480, 32, 2560, 0);
}

static void test_edid(void **state)
{
	uint8_t sum = 0, e[128];
	unsigned clock, lines, columns;

	(void)state;
	for (unsigned i = 0; i < 128; i += 4) {
		uint32_t v = (uint32_t)bus_read(&bus, BUS_MMIO, 0xf1000000 + i, 4);

		memcpy(e + i, &v, 4);
	}
	for (unsigned i = 0; i < 128; i++)
		sum = (uint8_t)(sum + bus_read(&bus, BUS_MMIO, 0xf1000000 + i, 1));
	assert_int_equal(sum, 0);
	assert_memory_equal(e, "\0\377\377\377\377\377\377", 8);
	assert_int_equal(e[126], 0);
	assert_int_equal(bus_read(&bus, BUS_MMIO, 0xf1000080, 4), 0); /* no further block */
	/* the preferred timing, read back as a driver does */
	assert_int_equal(e[54 + 2] | (e[54 + 4] >> 4) << 8, 1024);
	assert_int_equal(e[54 + 5] | (e[54 + 7] >> 4) << 8, 768);
	columns = 1024 + (e[54 + 3] | (e[54 + 4] & 15) << 8);
	lines = 768 + (e[54 + 6] | (e[54 + 7] & 15) << 8);
	clock = (e[54] | e[55] << 8) * 10000u;
	assert_in_range(clock / columns / lines, 59, 60);
	assert_memory_equal(e + 72 + 5, "Tessera 3\n", 10);
	bochs_display_resize(&dev, 5000, 3);
	assert_int_equal(bus_read(&bus, BUS_MMIO, 0xf1000000 + 54 + 5, 1), 3);
	assert_int_equal(bus_read(&bus, BUS_MMIO, 0xf1000000 + 54 + 2, 1), 4095 & 0xff);
}

/* Any register state shows nothing, or something that lies wholly within VRAM. */
static void test_hostile(void **state)
{
	static const uint16_t nasty[] = { 0, 1, 0x7fff, 0x8000, 0xffff, 640, 8192, 8193, 32, 24, 8, 0x41 };
	struct rng r = rng_seed(9);
	unsigned shown = 0;

	(void)state;
	for (unsigned n = 0; n < 500000; n++) {
		uint16_t value = rng_once_in(&r, 2) ? nasty[rng_below(&r, sizeof(nasty) / 2)] : (uint16_t)rng_next(&r);
		struct scanout so;

		if (rng_once_in(&r, 8))
			bus_write(&bus, BUS_MMIO, 0xf1000000 + rng_below(&r, 0x1000), 1u << rng_below(&r, 4), rng_next(&r));
		else if (rng_once_in(&r, 8))
			(void)bus_read(&bus, BUS_MMIO, 0xf1000000 + rng_below(&r, 0x1000), 1u << rng_below(&r, 4));
		else if (rng_once_in(&r, 4))
			linux_modeset(value & 0x7ff, value >> 5);
		else
			out(rng_below(&r, 12), value);
		head_scanout(&head, &so);
		if (!so.width)
			continue;
		shown++;
		assert_true(so.height && so.base >= vram && so.stride >= so.width * scanout_bytes(so.bpp));
		assert_true((uint64_t)(so.base - vram) + (uint64_t)so.stride * (so.height - 1) + so.width * scanout_bytes(so.bpp) <=
			    VRAM);
		assert_true(so.width <= DISPLAY_MAX_SIDE && so.height <= DISPLAY_MAX_SIDE &&
			    so.width * so.height <= DISPLAY_MAX_PIXELS);
	}
	assert_true(shown > 1000);
}

/* Firmware sizes the expansion ROM, turns it on and copies it; writes do nothing, and behind its end there are ones. */
static void test_rom(void **state)
{
	static uint8_t rom[5000];
	unsigned slot = 0;

	(void)state;
	for (unsigned i = 0; i < sizeof(rom); i++)
		rom[i] = (uint8_t)(i * 7 + i / 256);
	while (pci.slot[slot] != &dev.pci)
		slot++;
	pci_config_write(&pci, slot, 0x30, 4, UINT32_MAX);
	assert_int_equal(pci_config_read(&pci, slot, 0x30, 4), 0);
	bochs_display_set_rom(&dev, rom, sizeof(rom));
	pci_config_write(&pci, slot, 0x30, 4, UINT32_MAX);
	assert_int_equal(pci_config_read(&pci, slot, 0x30, 4), 0xffffe001);
	pci_config_write(&pci, slot, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	pci_config_write(&pci, slot, 0x30, 4, 0xf4000001);
	for (unsigned i = 0; i < sizeof(rom); i += 3)
		assert_int_equal(bus_read(&bus, BUS_MMIO, 0xf4000000 + i, 1), rom[i]);
	bus_write(&bus, BUS_MMIO, 0xf4000000, 4, 0);
	assert_int_equal(bus_read(&bus, BUS_MMIO, 0xf4000000, 4), rom[0] | rom[1] << 8 | rom[2] << 16 | (uint32_t)rom[3] << 24);
	assert_int_equal(bus_read(&bus, BUS_MMIO, 0xf4000000 + sizeof(rom) - 2, 4), rom[4998] | rom[4999] << 8 | 0xffff0000);
	assert_int_equal(bus_read(&bus, BUS_MMIO, 0xf4001ff8, 4), UINT32_MAX);
	assert_false(bus_claimed(&bus, BUS_MMIO, 0xf4002000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_identity, setup), cmocka_unit_test_setup(test_linux, setup),
		cmocka_unit_test_setup(test_depths, setup),   cmocka_unit_test_setup(test_palette, setup),
		cmocka_unit_test_setup(test_edid, setup),     cmocka_unit_test_setup(test_ports, setup),
		cmocka_unit_test_setup(test_hostile, setup),  cmocka_unit_test_setup(test_rom, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
