#include "tests/unit/pit_world.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

struct clock clk;
static struct bus bus;
struct pit8254 pit;
uint64_t time_ns;
bool wire, irq_wanted;
uint64_t rises;

static uint64_t now(void *arg)
{
	(void)arg;
	return time_ns;
}

static void on_irq(void *chip, unsigned line, bool level)
{
	assert_ptr_equal(chip, &pit);
	assert_int_equal(line, 0);
	rises += level && !wire;
	wire = level;
}

static bool wanted(void *arg)
{
	(void)arg;
	return irq_wanted;
}

uint64_t tick_ns(uint64_t tick)
{
	return (uint64_t)(((unsigned __int128)tick * 1000000000u + PIT_HZ - 1) / PIT_HZ);
}

void go(uint64_t ticks)
{
	time_ns = tick_ns(pit8254_ticks(&pit) + ticks);
}

void out(unsigned port, uint8_t v)
{
	bus_write(&bus, BUS_PIO, 0x40 + port, 1, v);
}

uint8_t in(unsigned port)
{
	return (uint8_t)bus_read(&bus, BUS_PIO, 0x40 + port, 1);
}

unsigned in16(unsigned port)
{
	unsigned low = in(port);

	return low | (unsigned)in(port) << 8;
}

unsigned latched(unsigned channel)
{
	out(3, (uint8_t)(channel << 6));
	return in16(channel);
}

void program(unsigned channel, unsigned mode, unsigned count)
{
	out(3, (uint8_t)(channel << 6 | 0x30 | mode << 1));
	out(channel, (uint8_t)count);
	out(channel, (uint8_t)(count >> 8));
}

void make(void)
{
	clk = (struct clock){ .now = now };
	memset(&bus, 0, sizeof(bus));
	time_ns = 12345678901ull;
	wire = false;
	irq_wanted = true;
	pit8254_init(&pit, &clk, (struct irq_line){ .set = on_irq, .chip = &pit, .line = 0 }, wanted, NULL);
	assert_int_equal(bus_add(&bus, BUS_PIO, 0x40, 4, &pit8254_ops, &pit), 0);
	rises = 0;
}
