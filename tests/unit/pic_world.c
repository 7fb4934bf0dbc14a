#include "tests/unit/pic_world.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

struct pic8259 pic;
static struct bus bus;
unsigned intr_calls, acked_mask;
int last_acked;

static void on_intr(void *arg, bool level)
{
	assert_ptr_equal(arg, &pic);
	assert_int_equal(level, pic.level);
	intr_calls++;
}

static void on_acked(void *arg, unsigned irq)
{
	assert_ptr_equal(arg, &pic);
	last_acked = (int)irq;
	acked_mask |= 1u << irq;
}

void out(uint16_t port, uint8_t v)
{
	bus_write(&bus, BUS_PIO, port, 1, v);
}

uint8_t in(uint16_t port)
{
	return (uint8_t)bus_read(&bus, BUS_PIO, port, 1);
}

void make(void)
{
	memset(&bus, 0, sizeof(bus));
	pic8259_init(&pic, on_intr, on_acked, &pic);
	assert_int_equal(bus_add(&bus, BUS_PIO, 0x20, 2, &pic8259_chip_ops, &pic.chip[0]), 0);
	assert_int_equal(bus_add(&bus, BUS_PIO, 0xa0, 2, &pic8259_chip_ops, &pic.chip[1]), 0);
	assert_int_equal(bus_add(&bus, BUS_PIO, 0x4d0, 2, &pic8259_elcr_ops, &pic), 0);
	last_acked = -1;
	intr_calls = acked_mask = 0;
}

void init_chips(uint8_t icw4_master, uint8_t icw4_slave)
{
	out(0x20, 0x11);
	out(0x21, 0x20);
	out(0x21, 0x04);
	out(0x21, icw4_master);
	out(0xa0, 0x11);
	out(0xa1, 0x28);
	out(0xa1, 0x02);
	out(0xa1, icw4_slave);
}

void set(unsigned irq, bool level)
{
	pic8259_set(&pic, irq, level);
}

uint8_t isr(uint16_t port)
{
	out(port, 0x0b);
	return in(port);
}

uint8_t irr(uint16_t port)
{
	out(port, 0x0a);
	return in(port);
}
