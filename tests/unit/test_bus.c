/* The guest's buses: places, splitting, and a random run against a table with an entry for every byte. */
/* links: devices/bus.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/bus.h"

/* A device that is plain memory and remembers its accesses. */
struct ram {
	uint8_t byte[256];
	char log[256];
};

static uint64_t ram_read(void *dev, uint64_t addr, unsigned size)
{
	struct ram *r = dev;
	uint64_t v = 0;

	assert_true(addr + size <= sizeof(r->byte));
	memcpy(&v, r->byte + addr, size);
	snprintf(r->log + strlen(r->log), sizeof(r->log) - strlen(r->log), "r%x.%u ", (unsigned)addr, size);
	return v | (size < 8 ? ~0ull << (size * 8) : 0); /* rubbish above what was asked for */
}

static void ram_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct ram *r = dev;

	assert_true(addr + size <= sizeof(r->byte));
	if (size < 8)
		assert_int_equal(value >> (size * 8), 0);
	memcpy(r->byte + addr, &value, size);
	snprintf(r->log + strlen(r->log), sizeof(r->log) - strlen(r->log), "w%x.%u ", (unsigned)addr, size);
}

static const struct bus_ops ops[4] = {
	{ "ram1", ram_read, ram_write, 1 },
	{ "ram2", ram_read, ram_write, 2 },
	{ "ram4", ram_read, ram_write, 4 },
	{ "ram8", ram_read, ram_write, 8 },
};

static void places(void **state)
{
	static struct bus b;
	struct ram r = { 0 };

	(void)state;
	memset(&b, 0, sizeof(b));
	assert_int_equal(bus_add(&b, BUS_PIO, 0x100, 0, &ops[0], &r), -EINVAL);
	assert_int_equal(bus_add(&b, BUS_PIO, 0xfff0, 0x11, &ops[0], &r), -EINVAL);
	assert_int_equal(bus_add(&b, BUS_PIO, 0xfff0, 0x10, &ops[0], &r), 0);
	assert_int_equal(bus_add(&b, BUS_MMIO, UINT64_MAX - 3, 5, &ops[0], &r), -EINVAL);
	assert_int_equal(bus_add(&b, BUS_MMIO, UINT64_MAX - 3, 4, &ops[0], &r), 0);
	assert_int_equal(bus_add(&b, BUS_PIO, 0x100, 8, &ops[0], &r), 0);
	assert_int_equal(bus_add(&b, BUS_PIO, 0x107, 1, &ops[0], &r), -EEXIST);
	assert_int_equal(bus_add(&b, BUS_PIO, 0xf9, 8, &ops[0], &r), -EEXIST);
	assert_int_equal(bus_add(&b, BUS_PIO, 0xf0, 0x40, &ops[0], &r), -EEXIST);
	assert_int_equal(bus_add(&b, BUS_PIO, 0xf8, 8, &ops[0], &r), 0);
	assert_int_equal(bus_add(&b, BUS_PIO, 0x108, 8, &ops[0], &r), 0);
	assert_int_equal(bus_add(&b, BUS_MMIO, 0x100, 8, &ops[0], &r), 0);
	assert_int_equal(bus_remove(&b, BUS_PIO, 0x101), -ENOENT);
	assert_int_equal(bus_remove(&b, BUS_PIO, 0x100), 0);
	assert_int_equal(bus_remove(&b, BUS_PIO, 0x100), -ENOENT);
	assert_false(bus_claimed(&b, BUS_PIO, 0x100));
	assert_true(bus_claimed(&b, BUS_MMIO, 0x100));
	assert_true(bus_claimed(&b, BUS_PIO, 0xff));
	assert_true(bus_claimed(&b, BUS_PIO, 0x108));
	while (b.count < BUS_REGIONS)
		assert_int_equal(bus_add(&b, BUS_PIO, 0x1000 + b.count, 1, &ops[0], &r), 0);
	assert_int_equal(bus_add(&b, BUS_PIO, 0x100, 1, &ops[0], &r), -ENOSPC);
	assert_int_equal(bus_add(&b, BUS_PIO, 0x108, 1, &ops[0], &r), -EEXIST);
}

static void splitting(void **state)
{
	static struct bus b;
	struct ram r1 = { 0 }, r4 = { 0 };

	(void)state;
	memset(&b, 0, sizeof(b));
	assert_int_equal(bus_add(&b, BUS_PIO, 0x20, 2, &ops[0], &r1), 0);
	assert_int_equal(bus_add(&b, BUS_PIO, 0x24, 7, &ops[2], &r4), 0);
	/* byte by byte for a byte device, on into nobody's ports */
	bus_write(&b, BUS_PIO, 0x20, 4, 0x44332211);
	assert_string_equal(r1.log, "w0.1 w1.1 ");
	assert_int_equal(b.unclaimed, 1);
	assert_int_equal(bus_read(&b, BUS_PIO, 0x20, 4), 0xffff2211);
	assert_int_equal(b.unclaimed, 2);
	/* whole, also where it is not aligned; and split at the region's end */
	bus_write(&b, BUS_PIO, 0x25, 4, 0xaabbccdd);
	bus_write(&b, BUS_PIO, 0x28, 4, 0x00778899);
	assert_string_equal(r4.log, "w1.4 w4.2 w6.1 ");
	assert_int_equal(bus_read(&b, BUS_PIO, 0x28, 4), 0xff778899);
	assert_int_equal(bus_read(&b, BUS_PIO, 0x30, 2), 0xffff);
	/* ports wrap */
	assert_int_equal(bus_add(&b, BUS_PIO, 0, 1, &ops[0], &r1), 0);
	r1.byte[0] = 0x5a;
	assert_int_equal(bus_read(&b, BUS_PIO, 0xffff, 2), 0x5aff);
	assert_int_equal(bus_read(&b, BUS_PIO, 0x10000, 1), 0x5a);
}

/* A handler may take its own region away in the midst of a split access. */
static struct bus moving;

static void leave(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	(void)addr, (void)size, (void)value;
	++*(int *)dev;
	assert_int_equal(bus_remove(&moving, BUS_MMIO, 0x1000), 0);
}

static void removal_inside(void **state)
{
	static const struct bus_ops leaving = { "leaving", ram_read, leave, 1 };
	int calls = 0;

	(void)state;
	memset(&moving, 0, sizeof(moving));
	assert_int_equal(bus_add(&moving, BUS_MMIO, 0x1000, 8, &leaving, &calls), 0);
	bus_write(&moving, BUS_MMIO, 0x1000, 8, 0);
	assert_int_equal(calls, 1);
	assert_int_equal(moving.count, 0);
	assert_int_equal(moving.unclaimed, 1);
}

#define SPACE 4096
static void random_run(void **state)
{
	static struct bus b;
	static struct ram dev[BUS_REGIONS];
	static int owner[2][SPACE + 8];
	static uint64_t start[BUS_REGIONS];

	(void)state;
	memset(&b, 0, sizeof(b));
	memset(owner, -1, sizeof(owner));
	memset(start, 0xff, sizeof(start));
	srand(1);
	for (int step = 0; step < 300000; step++) {
		enum bus_space space = rand() & 1;
		unsigned at = rand() % SPACE, len = rand() % 20;

		if (rand() % 4 == 0) {
			int id = rand() % BUS_REGIONS;

			if (start[id] != UINT64_MAX) {
				space = start[id] >> 32;
				at = (uint32_t)start[id];
				assert_int_equal(bus_remove(&b, space, at), 0);
				for (unsigned i = 0; i < SPACE; i++)
					if (owner[space][i] == id)
						owner[space][i] = -1;
				start[id] = UINT64_MAX;
				continue;
			}
			bool overlap = false;

			if (at + len > SPACE)
				continue;
			for (unsigned i = at; i < at + len; i++)
				overlap |= owner[space][i] >= 0;
			int want = len == 0 ? -EINVAL : overlap ? -EEXIST : 0;

			assert_int_equal(bus_add(&b, space, at, len, &ops[rand() & 3], &dev[id]), want);
			if (want)
				continue;
			start[id] = (uint64_t)space << 32 | at;
			for (unsigned i = at; i < at + len; i++)
				owner[space][i] = id;
			continue;
		}
		unsigned size = 1u << (rand() % (space == BUS_MMIO ? 4 : 3));
		uint64_t value = (uint64_t)rand() << 40 ^ (uint64_t)rand() << 20 ^ (uint64_t)rand(), want = 0;

		for (int i = 0; i < BUS_REGIONS; i++)
			dev[i].log[0] = 0;
		if (at + size > SPACE)
			continue;
		bus_write(&b, space, at, size, value);
		for (unsigned i = 0; i < size; i++) {
			int id = owner[space][at + i];
			uint8_t byte = value >> (8 * i);

			assert_int_equal(bus_claimed(&b, space, at + i), id >= 0);
			if (id >= 0)
				assert_int_equal(dev[id].byte[at + i - (uint32_t)start[id]], byte);
			want |= (uint64_t)(id >= 0 ? byte : 0xff) << (8 * i);
		}
		assert_true(bus_read(&b, space, at, size) == want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(places),
		cmocka_unit_test(splitting),
		cmocka_unit_test(removal_inside),
		cmocka_unit_test(random_run),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
