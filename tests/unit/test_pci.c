/* PCI configuration: sizing and moving BARs, contention for a place, hot removal; and random traffic. */
/* links: devices/pci.c devices/bus.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "devices/pci.h"
#include "tests/unit/random.h"

#define RAM_SIZE 0x1000000u
#define ECAM 0x40000000u

static struct bus bus;
static struct pci pci;
static struct pci_function fn[4];
static uint64_t ram_at[4]; /* where each function's BAR 0 was put */

static uint64_t reg_read(void *dev, uint64_t addr, unsigned size)
{
	(void)size;
	return ((uint64_t)((struct pci_function *)dev - fn) << 4 | addr) & 0xff;
}

static void reg_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	(void)dev, (void)addr, (void)size, (void)value;
}

static const struct bus_ops reg_ops = { .name = "registers", .read = reg_read, .write = reg_write, .access_max = 4 };

/* Two RAM BARs may not overlap, as guest memory's slots may not. */
static int place(void *dev, uint64_t base)
{
	unsigned me = (unsigned)((struct pci_function *)dev - fn);

	for (unsigned i = 0; base != PCI_NOWHERE && i < 4; i++)
		if (i != me && ram_at[i] != PCI_NOWHERE && base < ram_at[i] + RAM_SIZE && ram_at[i] < base + RAM_SIZE)
			return -EEXIST;
	assert_true(base == PCI_NOWHERE || ram_at[me] == PCI_NOWHERE); /* away first */
	ram_at[me] = base;
	return 0;
}

static int setup(void **state)
{
	(void)state;
	memset(&bus, 0, sizeof(bus));
	pci_init(&pci, &bus);
	assert_int_equal(bus_add(&bus, BUS_PIO, 0xcfc, 4, &pci_data_ops, &pci), 0);
	assert_int_equal(bus_add(&bus, BUS_MMIO, ECAM, PCI_ECAM_BYTES, &pci_ecam_ops, &pci), 0);
	for (unsigned i = 0; i < 4; i++) {
		pci_function_init(&fn[i], 0x1234, (uint16_t)(0x1111 + i), 0x038000, 2);
		fn[i].dev = &fn[i];
		fn[i].bar[0] = (struct pci_bar){ .size = RAM_SIZE, .prefetch = true, .place = place };
		fn[i].bar[2] = (struct pci_bar){ .size = 0x1000, .ops = &reg_ops };
		fn[i].bar[4] = (struct pci_bar){ .size = 0x40, .io = true, .ops = &reg_ops };
		ram_at[i] = PCI_NOWHERE;
		assert_int_equal(pci_add(&pci, 2 + i, &fn[i]), 0);
	}
	return 0;
}

static uint32_t in(unsigned slot, unsigned reg, unsigned size)
{
	pci_set_address(&pci, 0x80000000u | slot << 11 | (reg & 0xfc));
	return (uint32_t)bus_read(&bus, BUS_PIO, 0xcfc + (reg & 3), size);
}

static void out(unsigned slot, unsigned reg, unsigned size, uint32_t value)
{
	pci_set_address(&pci, 0x80000000u | slot << 11 | (reg & 0xfc));
	bus_write(&bus, BUS_PIO, 0xcfc + (reg & 3), size, value);
}

static void test_identity(void **state)
{
	(void)state;
	assert_int_equal(in(2, PCI_VENDOR, 4), 0x11111234);
	assert_int_equal(in(3, PCI_DEVICE, 2), 0x1112);
	assert_int_equal(in(2, PCI_REVISION, 4), 0x03800002);
	assert_int_equal(in(2, PCI_CLASS + 2, 1), 0x03);
	assert_int_equal(in(6, PCI_VENDOR, 4), 0xffffffff);
	assert_int_equal(in(6, PCI_VENDOR, 2), 0xffff);
	out(2, PCI_VENDOR, 4, 0);
	out(2, PCI_CLASS, 1, 0);
	assert_int_equal(in(2, PCI_VENDOR, 4), 0x11111234);
	/* other buses and functions, and a disabled address */
	pci_set_address(&pci, 0x80010000u | 2 << 11);
	assert_int_equal(bus_read(&bus, BUS_PIO, 0xcfc, 4), 0xffffffff);
	pci_set_address(&pci, 0x80000100u | 2 << 11);
	assert_int_equal(bus_read(&bus, BUS_PIO, 0xcfc, 4), 0xffffffff);
	pci_set_address(&pci, 2 << 11);
	assert_int_equal(bus_read(&bus, BUS_PIO, 0xcfc, 4), 0xffffffff);
	pci_set_address(&pci, 0xffffffff);
	assert_int_equal(pci_address(&pci), 0x80fffffc);
	assert_int_equal(pci_add(&pci, 2, &fn[0]), -EEXIST);
}

static void test_sizing(void **state)
{
	(void)state;
	for (unsigned i = 0; i < PCI_BARS; i++)
		out(2, PCI_BAR0 + 4 * i, 4, 0xffffffff);
	assert_int_equal(in(2, PCI_BAR0, 4), 0xff000008);
	assert_int_equal(in(2, PCI_BAR0 + 4, 4), 0);
	assert_int_equal(in(2, PCI_BAR0 + 8, 4), 0xfffff000);
	assert_int_equal(in(2, PCI_BAR0 + 16, 4), 0xffffffc1);
	out(2, 0x30, 4, 0xffffffff); /* no expansion ROM */
	assert_int_equal(in(2, 0x30, 4), 0);
	/* byte by byte */
	out(2, PCI_BAR0 + 3, 1, 0xe1);
	assert_int_equal(in(2, PCI_BAR0, 4), 0xe1000008);
}

/* The expansion ROM has an enable bit of its own beside the command register's (6.2.5.2). */
static void test_rom(void **state)
{
	(void)state;
	pci_remove(&pci, 3);
	fn[1].bar[PCI_ROM] = (struct pci_bar){ .size = 0x10000, .ops = &reg_ops };
	assert_int_equal(pci_add(&pci, 3, &fn[1]), 0);
	out(3, 0x30, 4, 0xfffffffe);
	assert_int_equal(in(3, 0x30, 4), 0xffff0000);
	out(3, 0x30, 4, 0xf3000001);
	assert_int_equal(in(3, 0x30, 4), 0xf3000001);
	assert_false(bus_claimed(&bus, BUS_MMIO, 0xf3000000));
	out(3, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_true(bus_claimed(&bus, BUS_MMIO, 0xf300ffff));
	out(3, 0x30, 4, 0xf3000000);
	assert_false(bus_claimed(&bus, BUS_MMIO, 0xf3000000));
	out(3, 0x30, 4, 0xf4000001);
	assert_true(bus_claimed(&bus, BUS_MMIO, 0xf4000000));
	pci_reset(&pci);
	assert_int_equal(in(3, 0x30, 4), 0);
	assert_false(bus_claimed(&bus, BUS_MMIO, 0xf4000000));
}

static void test_moving(void **state)
{
	(void)state;
	out(2, PCI_BAR0, 4, 0xe0000000);
	out(2, PCI_BAR0 + 8, 4, 0xf1000000);
	out(2, PCI_BAR0 + 16, 4, 0xc000);
	assert_true(ram_at[0] == PCI_NOWHERE);
	out(2, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_int_equal(ram_at[0], 0xe0000000);
	assert_int_equal(bus_read(&bus, BUS_MMIO, 0xf1000004, 1), 0x04);
	assert_false(bus_claimed(&bus, BUS_PIO, 0xc000));
	out(2, PCI_COMMAND, 2, PCI_COMMAND_MEMORY | PCI_COMMAND_IO);
	assert_true(bus_claimed(&bus, BUS_PIO, 0xc03f));
	/* moved while it is on */
	out(2, PCI_BAR0, 4, 0xd8000000);
	out(2, PCI_BAR0 + 8, 4, 0xf2000000);
	assert_int_equal(ram_at[0], 0xd8000000);
	assert_false(bus_claimed(&bus, BUS_MMIO, 0xf1000000));
	assert_true(bus_claimed(&bus, BUS_MMIO, 0xf2000fff));
	/* off, and the addresses stay */
	out(2, PCI_COMMAND, 2, 0);
	assert_true(ram_at[0] == PCI_NOWHERE);
	assert_false(bus_claimed(&bus, BUS_MMIO, 0xf2000000));
	assert_int_equal(in(2, PCI_BAR0, 4), 0xd8000008);
	/* an I/O BAR past the ports */
	out(2, PCI_BAR0 + 16, 4, 0x12340000);
	out(2, PCI_COMMAND, 2, PCI_COMMAND_IO);
	assert_int_equal(fn[0].bar[4].at, PCI_NOWHERE);
}

/* Two functions at one place: the first has it, the second gets it when the first goes. */
static void test_contention(void **state)
{
	(void)state;
	for (unsigned s = 2; s < 4; s++) {
		out(s, PCI_BAR0, 4, 0xe0000000);
		out(s, PCI_BAR0 + 8, 4, 0xf1000000);
		out(s, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	}
	assert_int_equal(ram_at[0], 0xe0000000);
	assert_true(ram_at[1] == PCI_NOWHERE);
	assert_int_equal(bus_read(&bus, BUS_MMIO, 0xf1000000, 1), 0x00);
	out(2, PCI_BAR0, 4, 0xd0000000);
	assert_int_equal(ram_at[1], 0xe0000000);
	out(2, PCI_BAR0 + 8, 4, 0xf3000000);
	assert_int_equal(bus_read(&bus, BUS_MMIO, 0xf1000000, 1), 0x10);
	/* removed: what it held is free */
	out(4, PCI_BAR0, 4, 0xe0000000);
	out(4, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_true(ram_at[2] == PCI_NOWHERE);
	pci_remove(&pci, 3);
	assert_int_equal(in(3, PCI_VENDOR, 4), 0xffffffff);
	assert_int_equal(ram_at[2], 0xe0000000);
	assert_true(ram_at[1] == PCI_NOWHERE);
	pci_remove(&pci, 3);
	assert_int_equal(pci_add(&pci, 3, &fn[1]), 0);
	assert_int_equal(in(3, PCI_BAR0, 4), 8);
	pci_reset(&pci);
	for (unsigned i = 0; i < 4; i++)
		assert_true(ram_at[i] == PCI_NOWHERE);
	assert_int_equal(bus.count, 2);
}

/* Whatever is written, a BAR is where its registers say or nowhere, and nothing overlaps. */
static void test_noise(void **state)
{
	struct rng r = rng_seed(4);

	(void)state;
	for (unsigned n = 0; n < 300000; n++) {
		unsigned slot = rng_below(&r, 7), reg = rng_below(&r, 0x48), size = 1u << rng_below(&r, 3);
		uint32_t value = rng_next(&r);

		reg &= ~(size - 1);
		if (rng_once_in(&r, 2))
			reg = PCI_BAR0 + 4 * rng_below(&r, 6), size = 4, value &= 0xf300fff0;
		if (rng_once_in(&r, 4))
			reg = PCI_COMMAND, size = 2, value |= 3;
		if (rng_once_in(&r, 3))
			(void)in(slot, reg, size);
		else
			out(slot, reg, size, value);
		if (rng_once_in(&r, 1000))
			pci_reset(&pci);
		for (unsigned i = 0; i < 4; i++)
			for (unsigned b = 0; b < PCI_BARS; b++) {
				struct pci_bar *bar = &fn[i].bar[b];

				if (!bar->size || bar->at == PCI_NOWHERE)
					continue;
				assert_int_equal(bar->at & (bar->size - 1), 0);
				assert_int_equal(bar->at, in(2 + i, PCI_BAR0 + 4 * b, 4) & ~(bar->size - 1));
				assert_true(fn[i].config[PCI_COMMAND] & (bar->io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY));
			}
	}
}

static uint32_t ecam(unsigned slot, unsigned function, unsigned offset, unsigned size)
{
	return (uint32_t)bus_read(&bus, BUS_MMIO, ECAM + (slot << 15 | function << 12) + offset, size);
}

/* Configuration space by memory is the same as by ports; there is nothing behind its 256 bytes, nor another function. */
static void test_ecam(void **state)
{
	struct rng r = rng_seed(11);

	(void)state;
	for (unsigned slot = 0; slot < 32; slot++)
		for (unsigned offset = 0; offset < 256; offset += 4)
			assert_int_equal(ecam(slot, 0, offset, 4), pci_config_read(&pci, slot, offset, 4));
	assert_int_equal(ecam(2, 1, 0, 4), UINT32_MAX);
	assert_int_equal(ecam(2, 0, 256, 4), UINT32_MAX);
	bus_write(&bus, BUS_MMIO, ECAM + (2u << 15) + PCI_BAR0, 4, 0xd0000000);
	bus_write(&bus, BUS_MMIO, ECAM + (2u << 15) + PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	assert_int_equal(ram_at[0], 0xd0000000);
	bus_write(&bus, BUS_MMIO, ECAM + (2u << 15 | 1u << 12) + PCI_COMMAND, 2, 0);
	bus_write(&bus, BUS_MMIO, ECAM + (2u << 15) + 0x100 + PCI_COMMAND, 2, 0);
	assert_int_equal(ram_at[0], 0xd0000000);
	/* any width, any alignment, over the ends too */
	for (unsigned n = 0; n < 1000000; n++) {
		uint32_t at =
			rng_once_in(&r, 4) ? (rng_below(&r, 40) << 15) + rng_below(&r, 8) + 252 : rng_below(&r, PCI_ECAM_BYTES);

		if (rng_next(&r) & 1)
			bus_write(&bus, BUS_MMIO, ECAM + at, 1u << rng_below(&r, 4), rng_next(&r));
		else
			(void)bus_read(&bus, BUS_MMIO, ECAM + at, 1u << rng_below(&r, 4));
	}
	assert_int_equal(ecam(2, 0, 0, 2), 0x1234);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_identity, setup), cmocka_unit_test_setup(test_sizing, setup),
		cmocka_unit_test_setup(test_moving, setup),   cmocka_unit_test_setup(test_contention, setup),
		cmocka_unit_test_setup(test_noise, setup),    cmocka_unit_test_setup(test_ecam, setup),
		cmocka_unit_test_setup(test_rom, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
