/* fw_cfg: each item and file as a guest reads it by port and by DMA, past its end; what DMA may not do; random traffic. */
/* links: devices/fw_cfg.c devices/bus.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "devices/fw_cfg.h"
#include "tests/unit/random.h"

#define RAM_BASE 0x10000u
#define RAM_BYTES 0x180000u

static struct bus bus;
static struct fw_cfg f;
static uint8_t guest[RAM_BYTES], file_a[300], file_b[1];
static unsigned written; /* bytes, since the last request */

static bool inside(uint64_t gpa, size_t len)
{
	return gpa >= RAM_BASE && len <= RAM_BYTES && gpa - RAM_BASE <= RAM_BYTES - len;
}

static int memory_read(void *arg, uint64_t gpa, void *to, size_t len)
{
	assert_ptr_equal(arg, guest);
	if (!inside(gpa, len))
		return -EFAULT;
	memcpy(to, guest + (gpa - RAM_BASE), len);
	return 0;
}

static int memory_write(void *arg, uint64_t gpa, const void *from, size_t len)
{
	assert_ptr_equal(arg, guest);
	if (!inside(gpa, len))
		return -EFAULT;
	memcpy(guest + (gpa - RAM_BASE), from, len);
	written += (unsigned)len;
	return 0;
}

static int setup(void **state)
{
	struct rng r = rng_seed(9);

	(void)state;
	memset(&bus, 0, sizeof(bus));
	memset(guest, 0xee, sizeof(guest));
	rng_fill(&r, file_a, sizeof(file_a));
	file_b[0] = 0x77;
	fw_cfg_init(&f, 0x123456789ull << 12, 3,
		    &(struct fw_cfg_memory){ .read = memory_read, .write = memory_write, .arg = guest });
	assert_int_equal(fw_cfg_add(&f, "etc/a", file_a, sizeof(file_a)), 0);
	assert_int_equal(fw_cfg_add(&f, "opt/b", file_b, sizeof(file_b)), 0);
	return bus_add(&bus, BUS_PIO, 0x510, 2, &fw_cfg_ops, &f) || bus_add(&bus, BUS_PIO, 0x514, 8, &fw_cfg_dma_ops, &f);
}

static void expect(uint16_t item, const void *bytes, unsigned n)
{
	bus_write(&bus, BUS_PIO, 0x510, 2, item);
	for (unsigned i = 0; i < n + 3; i++)
		assert_int_equal(bus_read(&bus, BUS_PIO, 0x511, 1), i < n ? ((const uint8_t *)bytes)[i] : 0);
}

static void test_items(void **state)
{
	uint64_t ram = 0x123456789ull << 12;

	(void)state;
	assert_int_equal(bus_read(&bus, BUS_PIO, 0x511, 1), 'Q'); /* selected at power-on */
	expect(0, "QEMU", 4);
	expect(1, "\3\0\0\0", 4);
	expect(3, &ram, 8);
	expect(5, "\3\0", 2);
	expect(0x0f, "\3\0", 2);
	expect(2, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 16);
	expect(0x20, file_a, sizeof(file_a));
	expect(0x21, file_b, sizeof(file_b));
	expect(0x22, "", 0);
	expect(0x8000, "", 0);
	expect(0xffff, "", 0);
	fw_cfg_reset(&f);
	assert_int_equal(bus_read(&bus, BUS_PIO, 0x511, 1), 'Q');
	bus_write(&bus, BUS_PIO, 0x511, 1, 0x55); /* changes nothing */
	assert_int_equal(bus_read(&bus, BUS_PIO, 0x511, 1), 'E');
}

/* A kernel's parts under their numbers; where there is none they have no bytes. */
static void test_linux(void **state)
{
	static const struct fw_cfg_linux os = { { "setup", 5 }, { "kernel", 6 }, { "initrd!", 7 }, { "console", 8 }, 0x123000 };

	(void)state;
	expect(0x08, "\0\0\0\0", 4);
	expect(0x11, "", 0);
	fw_cfg_set_linux(&f, &os);
	expect(0x07, "\0\0\x10\0", 4);
	expect(0x08, "\6\0\0\0", 4);
	expect(0x0a, "\0\x30\x12\0", 4);
	expect(0x0b, "\7\0\0\0", 4);
	expect(0x11, "kernel", 6);
	expect(0x12, "initrd!", 7);
	expect(0x14, "\x08\0\0\0", 4);
	expect(0x15, "console", 8);
	expect(0x16, "\0\0\1\0", 4);
	expect(0x17, "\5\0\0\0", 4);
	expect(0x18, "setup", 5);
	expect(0x09, "", 0); /* between them */
	expect(0x0d, "", 0);
}

/* The directory: a big-endian count, then for each file its size, selector, two zeros and its name. */
static void test_directory(void **state)
{
	static const uint8_t head[] = { 0, 0, 0, 2, 0, 0, 1, 44, 0, 0x20, 0, 0, 'e', 't', 'c', '/', 'a', 0 };
	static const uint8_t second[] = { 0, 0, 0, 1, 0, 0x21, 0, 0, 'o', 'p', 't', '/', 'b', 0 };

	(void)state;
	bus_write(&bus, BUS_PIO, 0x510, 2, 0x19);
	for (unsigned i = 0; i < 4 + 64 + sizeof(second); i++) {
		uint8_t want = i < sizeof(head) ? head[i] : i >= 68 ? second[i - 68] : 0;

		assert_int_equal(bus_read(&bus, BUS_PIO, 0x511, 1), want);
	}
	assert_int_equal(fw_cfg_add(&f, "a name of more than the fifty-five characters that are allowed", "", 0), -EINVAL);
	for (unsigned i = 2; i < FW_CFG_FILES; i++)
		assert_int_equal(fw_cfg_add(&f, "x", "", 0), 0);
	assert_int_equal(fw_cfg_add(&f, "x", "", 0), -ENOSPC);
}

static void put_be(uint8_t *p, unsigned n, uint64_t v)
{
	while (n--) {
		p[n] = (uint8_t)v;
		v >>= 8;
	}
}

/* A request whose block is at `at`. Returns its control field afterwards. */
static uint32_t dma(uint64_t at, uint32_t control, uint32_t len, uint64_t address)
{
	uint8_t *block = guest + (at - RAM_BASE);

	put_be(block, 4, control);
	put_be(block + 4, 4, len);
	put_be(block + 8, 8, address);
	written = 0;
	bus_write(&bus, BUS_PIO, 0x514, 4, __builtin_bswap32((uint32_t)(at >> 32)));
	assert_int_equal(written, 0); /* not before the low half */
	bus_write(&bus, BUS_PIO, 0x518, 4, __builtin_bswap32((uint32_t)at));
	return (uint32_t)block[0] << 24 | (uint32_t)block[1] << 16 | (uint32_t)block[2] << 8 | block[3];
}

enum { ERROR = 1, READ = 2, SKIP = 4, SELECT = 8, WRITE = 16 };

static void test_dma(void **state)
{
	const uint64_t block = RAM_BASE + 0x20, to = RAM_BASE + 0x1003;

	(void)state;
	assert_int_equal(bus_read(&bus, BUS_PIO, 0x514, 4), 0x554d4551); /* "QEMU" */
	assert_int_equal(bus_read(&bus, BUS_PIO, 0x518, 4), 0x47464320); /* " CFG" */
	/* all of a file, and zeros behind it */
	assert_int_equal(dma(block, SELECT | READ | 0x20u << 16, 350, to), 0);
	assert_memory_equal(guest + 0x1003, file_a, 300);
	for (unsigned i = 300; i < 350; i++)
		assert_int_equal(guest[0x1003 + i], 0);
	assert_int_equal(guest[0x1002], 0xee);
	assert_int_equal(guest[0x1003 + 350], 0xee);
	assert_int_equal(written, 354);
	/* piece by piece, with a skip; the ports go on where it stopped */
	assert_int_equal(dma(block, SELECT | SKIP | 0x20u << 16, 10, 0), 0);
	assert_int_equal(dma(block, READ, 7, to), 0);
	assert_memory_equal(guest + 0x1003, file_a + 10, 7);
	assert_int_equal(bus_read(&bus, BUS_PIO, 0x511, 1), file_a[17]);
	/* zeros are all that a skip past the end leaves */
	assert_int_equal(dma(block, SKIP, UINT32_MAX, 0), 0);
	assert_int_equal(dma(block, SKIP, UINT32_MAX, 0), 0);
	assert_int_equal(dma(block, READ, 2000, to), 0);
	for (unsigned i = 0; i < 2000; i++)
		assert_int_equal(guest[0x1003 + i], 0);
	/* the largest, and what is refused */
	assert_int_equal(dma(block, SELECT | READ, FW_CFG_TRANSFER_MAX, to), 0);
	assert_int_equal(dma(block, SELECT | READ, FW_CFG_TRANSFER_MAX + 1, to), ERROR);
	assert_int_equal(written, 4);
	assert_int_equal(dma(block, SELECT | WRITE | 0x20u << 16, 4, to), ERROR);
	assert_int_equal(dma(block, SELECT | READ | 0x20u << 16, 4, RAM_BASE + RAM_BYTES - 3), ERROR);
	assert_int_equal(dma(block, SELECT | READ | 0x20u << 16, 4, UINT64_MAX - 1), ERROR);
	assert_int_equal(dma(block, SELECT | 0x21u << 16, 0, 0), 0);
	assert_int_equal(bus_read(&bus, BUS_PIO, 0x511, 1), 0x77);
	/* a block that is nowhere: nothing happens */
	written = 0;
	bus_write(&bus, BUS_PIO, 0x514, 4, 0xffffffff);
	bus_write(&bus, BUS_PIO, 0x518, 4, 0xffffffff);
	bus_write(&bus, BUS_PIO, 0x518, 2, 0);
	bus_write(&bus, BUS_PIO, 0x51a, 2, 0);
	assert_int_equal(written, 0);
}

/* Blocks full of noise, from anywhere: no byte outside of RAM, and nothing unbounded. */
static void test_dma_noise(void **state)
{
	struct rng r = rng_seed(6);

	(void)state;
	for (unsigned n = 0; n < 100000; n++) {
		uint64_t at = RAM_BASE + rng_below(&r, RAM_BYTES - 16);

		rng_fill(&r, guest + (at - RAM_BASE), 16);
		if (rng_next(&r) & 1)
			(void)dma(at, rng_next(&r) & 0x3f001f, rng_next(&r) >> rng_below(&r, 32), rng_below(&r, 2 * RAM_BYTES));
		assert_true(written <= FW_CFG_TRANSFER_MAX + 4);
		bus_write(&bus, BUS_PIO, 0x514 + rng_below(&r, 8), 1u << rng_below(&r, 3), rng_next(&r));
	}
	expect(0x20, file_a, sizeof(file_a));
}

static void test_noise(void **state)
{
	struct rng r = rng_seed(5);

	(void)state;
	for (unsigned n = 0; n < 1000000; n++)
		if (rng_once_in(&r, 3))
			bus_write(&bus, BUS_PIO, 0x510 + rng_below(&r, 2), 1u << rng_below(&r, 3),
				  rng_next(&r) & (n & 1 ? 0x1f : ~0u));
		else
			(void)bus_read(&bus, BUS_PIO, 0x510 + rng_below(&r, 2), 1u << rng_below(&r, 3));
	expect(0, "QEMU", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_items, setup),     cmocka_unit_test_setup(test_linux, setup),
		cmocka_unit_test_setup(test_directory, setup), cmocka_unit_test_setup(test_dma, setup),
		cmocka_unit_test_setup(test_noise, setup),     cmocka_unit_test_setup(test_dma_noise, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
