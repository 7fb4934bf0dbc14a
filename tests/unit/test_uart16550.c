/* The 16550: registers, FIFOs, interrupts by priority, time-out, loop-back, and a far end that refuses bytes. */
/* links: devices/uart16550.c devices/clock.c devices/bus.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "devices/uart16550.h"

enum { DATA, IER, FCR, LCR, MCR, LSR, MSR, SCR, IIR = FCR };

static struct clock clk;
static struct bus bus;
static struct uart16550 uart;
static uint64_t time_ns;
static bool wire;
static uint8_t sent[4096];
static size_t sent_count, room;

static uint64_t now(void *arg)
{
	(void)arg;
	return time_ns;
}

static void on_irq(void *chip, unsigned line, bool level)
{
	(void)chip, (void)line;
	wire = level;
}

static bool far_end(void *arg, uint8_t byte)
{
	assert_ptr_equal(arg, &uart);
	if (room == 0)
		return false;
	room--;
	sent[sent_count++ % sizeof(sent)] = byte;
	return true;
}

static void out(unsigned reg, uint8_t v)
{
	bus_write(&bus, BUS_PIO, 0x3f8 + reg, 1, v);
}

static uint8_t in(unsigned reg)
{
	return (uint8_t)bus_read(&bus, BUS_PIO, 0x3f8 + reg, 1);
}

static void make(void)
{
	clk = (struct clock){ .now = now };
	memset(&bus, 0, sizeof(bus));
	time_ns = 1000;
	wire = false;
	sent_count = 0;
	room = SIZE_MAX;
	uart16550_init(&uart, &clk, (struct irq_line){ .set = on_irq }, far_end, &uart);
	assert_int_equal(bus_add(&bus, BUS_PIO, 0x3f8, 8, &uart16550_ops, &uart), 0);
}

static size_t feed(const char *s)
{
	return uart16550_in(&uart, (const uint8_t *)s, strlen(s));
}

static void registers(void **state)
{
	(void)state;
	make();
	assert_int_equal(in(LSR), 0x60);
	assert_int_equal(in(MSR), 0xb0);
	assert_int_equal(in(IIR), 0x01);
	assert_int_equal(in(LCR), 0x03);
	out(SCR, 0xa5);
	assert_int_equal(in(SCR), 0xa5);
	out(IER, 0xff);
	assert_int_equal(in(IER), 0x0f);
	out(MCR, 0xff);
	assert_int_equal(in(MCR), 0x1f);
	make();
	out(LCR, 0x83);
	assert_int_equal(in(DATA), 1);
	assert_int_equal(in(IER), 0);
	out(DATA, 0x34);
	out(IER, 0x12);
	assert_int_equal(in(DATA), 0x34);
	assert_int_equal(in(IER), 0x12);
	out(LCR, 0x03);
	assert_int_equal(in(IER), 0);
	assert_int_equal(uart.divisor, 0x1234);
	out(LSR, 0xff); /* cannot be written */
	out(MSR, 0xff);
	assert_int_equal(in(LSR), 0x60);
	assert_int_equal(in(MSR), 0xb0);
	out(FCR, 0xc7);
	assert_int_equal(in(IIR), 0xc1);
	out(FCR, 0xc6); /* bit 0 clear: off, whatever the rest says */
	assert_int_equal(in(IIR), 0x01);
}

static void sending(void **state)
{
	(void)state;
	make();
	for (const char *s = "hello"; *s; s++) {
		assert_int_equal(in(LSR)&0x60, 0x60);
		out(DATA, (uint8_t)*s);
	}
	assert_memory_equal(sent, "hello", 5);
	assert_int_equal(sent_count, 5);
	/* the word's length masks */
	out(LCR, 0x00);
	out(DATA, 0xff);
	assert_int_equal(sent[5], 0x1f);
	out(LCR, 0x02);
	out(DATA, 0xff);
	assert_int_equal(sent[6], 0x7f);
}

static void refused(void **state)
{
	(void)state;
	make();
	room = 0;
	out(IER, 0x02);
	out(MCR, 0x08);
	assert_true(wire); /* empty: told at once */
	assert_int_equal(in(IIR), 0x02);
	assert_int_equal(in(IIR), 0x01);
	assert_false(wire);
	out(DATA, 'a');
	assert_int_equal(in(LSR), 0x00);
	assert_false(wire);
	out(DATA, 'b'); /* without looking at THRE: takes the place of the other */
	uart16550_ready(&uart);
	assert_int_equal(in(LSR), 0x00);
	room = 10;
	uart16550_ready(&uart);
	assert_true(wire);
	assert_int_equal(in(LSR), 0x60);
	assert_int_equal(sent_count, 1);
	assert_int_equal(sent[0], 'b');
	uart16550_ready(&uart); /* nothing waits: nothing new to tell */
	assert_int_equal(in(IIR), 0x02);
	uart16550_ready(&uart);
	assert_false(wire);
	/* a byte that waits takes back what was not told yet */
	room = 0;
	out(IER, 0x00);
	out(IER, 0x02);
	assert_true(wire);
	out(DATA, 'c');
	assert_false(wire);
	room = 10;
	uart16550_ready(&uart);
	assert_true(wire);
	(void)in(IIR);
	/* with FIFOs sixteen wait, in order, and what comes on top is lost */
	out(FCR, 0x01);
	room = 0;
	for (unsigned i = 0; i < 20; i++)
		out(DATA, (uint8_t)(i + 1));
	assert_int_equal(in(LSR), 0x00);
	sent_count = 0;
	room = 5;
	uart16550_ready(&uart);
	assert_int_equal(sent_count, 5);
	assert_int_equal(in(LSR), 0x00);
	assert_false(wire);
	room = 100;
	uart16550_ready(&uart);
	assert_int_equal(sent_count, 16);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(sent[i], i + 1);
	assert_true(wire);
	/* emptied by FCR: the transmitter is free */
	(void)in(IIR);
	room = 0;
	out(DATA, 1);
	out(FCR, 0x05);
	assert_int_equal(in(LSR), 0x60);
	assert_true(wire);
	room = 100;
	uart16550_ready(&uart);
	assert_int_equal(sent_count, 16);
}

static void receiving(void **state)
{
	(void)state;
	make();
	out(MCR, 0x08);
	assert_int_equal(feed("xyz"), 1);
	assert_int_equal(in(LSR), 0x61);
	assert_false(wire);
	out(IER, 0x01);
	assert_true(wire);
	assert_int_equal(in(IIR), 0x04);
	assert_int_equal(in(DATA), 'x');
	assert_false(wire);
	assert_int_equal(in(LSR), 0x60);
	assert_int_equal(in(DATA), 0);
	out(MCR, 0x00); /* without OUT2 no interrupt leaves the chip */
	assert_int_equal(feed("q"), 1);
	assert_false(wire);
	assert_int_equal(in(IIR), 0x04);
	out(MCR, 0x08);
	assert_true(wire);
}

static void triggers(void **state)
{
	static const unsigned levels[4] = { 1, 4, 8, 14 };

	(void)state;
	for (unsigned i = 0; i < 4; i++) {
		make();
		out(MCR, 0x08);
		out(IER, 0x01);
		out(FCR, (uint8_t)(i << 6 | 1));
		for (unsigned n = 1; n <= 16; n++) {
			assert_int_equal(feed("a"), 1);
			assert_int_equal(wire, n >= levels[i]);
		}
		assert_int_equal(feed("a"), 0); /* full: the far end keeps it */
		assert_int_equal(in(LSR), 0x61);
		for (unsigned n = 15; n > 0; n--) {
			(void)in(DATA);
			assert_int_equal(wire, n >= levels[i]);
		}
		(void)in(DATA);
		assert_int_equal(in(LSR), 0x60);
	}
}

static void time_out(void **state)
{
	(void)state;
	make();
	out(MCR, 0x08);
	out(IER, 0x01);
	out(FCR, 0xc1);
	assert_true(clock_next(&clk) == CLOCK_NEVER);
	feed("ab");
	uint64_t at = 1000 + 4 * 10 * 1000000000ull / 115200; /* four characters of 8N1 at 115,200 */

	assert_true(clock_next(&clk) == at);
	time_ns = 200000;
	feed("c"); /* begins anew */
	assert_true(clock_next(&clk) == at + 199000);
	time_ns = clock_next(&clk);
	clock_run(&clk);
	assert_true(wire);
	assert_int_equal(in(IIR), 0xcc);
	assert_int_equal(in(IIR), 0xcc); /* until a byte is read */
	assert_int_equal(in(DATA), 'a');
	assert_false(wire);
	assert_int_equal(in(IIR), 0xc1);
	time_ns = clock_next(&clk);
	clock_run(&clk);
	assert_true(wire);
	assert_int_equal(in(DATA), 'b');
	assert_int_equal(in(DATA), 'c');
	assert_false(wire);
	assert_true(clock_next(&clk) == CLOCK_NEVER);
	/* a slow line, and the divisor that means 65,536 */
	out(LCR, 0x80);
	out(DATA, 0);
	out(LCR, 0x1f); /* 8 bits, parity, two stop bits */
	feed("d");
	assert_true(clock_next(&clk) == time_ns + 4ull * 12 * 65536 * 1000000000 / 115200);
	out(FCR, 0x03);
	assert_true(clock_next(&clk) == CLOCK_NEVER);
}

static void priorities(void **state)
{
	(void)state;
	make();
	out(MCR, 0x18); /* loop-back */
	out(IER, 0x0f);
	out(DATA, 1);
	out(DATA, 2); /* overrun: the new byte is in the register */
	out(MCR, 0x1b);
	assert_int_equal(in(IIR), 0x06);
	assert_int_equal(in(LSR), 0x63);
	assert_int_equal(in(LSR), 0x61);
	assert_int_equal(in(IIR), 0x04);
	assert_int_equal(in(DATA), 2);
	assert_int_equal(in(IIR), 0x02);
	assert_int_equal(in(IIR), 0x00);
	assert_true(wire);
	assert_int_equal(in(MSR)&0xf0, 0xb0);
	assert_int_equal(in(IIR), 0x01);
	assert_false(wire);
}

static void loop_back(void **state)
{
	(void)state;
	make();
	out(FCR, 0x01);
	out(MCR, 0x10);
	assert_int_equal(in(MSR), 0x0b); /* CTS, DSR and DCD went */
	assert_int_equal(in(MSR), 0x00);
	out(MCR, 0x1a); /* RTS and OUT2, as Linux probes */
	assert_int_equal(in(MSR)&0xf0, 0x90);
	out(MCR, 0x14);
	assert_int_equal(in(MSR), 0x40 | 0x09); /* a rise of RI is no change to tell */
	out(MCR, 0x10);
	assert_int_equal(in(MSR), 0x04);
	for (unsigned i = 0; i < 17; i++)
		out(DATA, (uint8_t)(0x40 + i));
	assert_int_equal(sent_count, 0);
	assert_int_equal(in(LSR), 0x63); /* the seventeenth was lost */
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(in(DATA), 0x40 + i);
	assert_int_equal(in(LSR), 0x60);
	assert_int_equal(feed("z"), 0); /* the line is cut off */
	out(MCR, 0x00);
	assert_int_equal(feed("z"), 1);
}

static unsigned asked, rises;

static void count_rises(void *chip, unsigned line, bool level)
{
	(void)chip, (void)line;
	rises += level && !wire;
	wire = level;
}

/* The far end gives more when it is asked, as long as it has some. */
static void give_more(void *arg)
{
	static const uint8_t more[20] = "abcdefghijklmnopqrs";

	asked++;
	assert_ptr_equal(arg, &uart);
	assert_int_equal(uart.rx.count, 0);
	if (asked <= 3)
		(void)uart16550_in(&uart, more, sizeof(more));
}

/* Whoever kept bytes back learns when the FIFO is empty, by whatever means; and what comes then is a fresh interrupt. */
static void drained(void **state)
{
	(void)state;
	make();
	uart.irq.set = count_rises;
	uart.drained = give_more;
	asked = rises = 0;
	out(FCR, 0x01);
	assert_int_equal(asked, 1);
	out(IER, 0x01);
	out(MCR, 0x0b);
	assert_int_equal(rises, 1);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(in(DATA), 'a' + i);
	assert_int_equal(asked, 2);
	assert_int_equal(rises, 2);
	assert_int_equal(in(LSR), 0x61); /* nothing was lost */
	out(FCR, 0x03);
	assert_int_equal(asked, 3);
	assert_int_equal(rises, 3);
	out(FCR, 0x03);
	assert_int_equal(asked, 4);
	out(MCR, 0x10); /* the line is cut off */
	(void)in(DATA);
	assert_int_equal(asked, 4);
	out(MCR, 0x00);
	assert_int_equal(asked, 5);
	uart16550_reset(&uart);
	assert_int_equal(asked, 6);
}

/* A million accesses: whatever the guest does, the FIFOs keep their bounds, and IIR and the wire say the same. */
static void storm(void **state)
{
	size_t given = 0;

	(void)state;
	make();
	srand(10);
	for (unsigned step = 0; step < 1000000; step++) {
		uint8_t b = (uint8_t)rand();

		room = (size_t)rand() % 3;
		switch (rand() % 6) {
		case 0:
		case 1: (void)in((unsigned)rand() % 8); break;
		case 2:
		case 3: out((unsigned)rand() % 8, b); break;
		case 4: given += uart16550_in(&uart, &b, 1); break;
		default:
			time_ns += (uint64_t)rand() % 400000;
			clock_run(&clk);
			uart16550_ready(&uart);
			break;
		}
		assert_true(uart.rx.count <= UART_FIFO && uart.tx.count <= UART_FIFO);
		assert_int_equal(uart.tx.count == 0, (in(LSR) >> 5 & 1));
		bool was = wire;

		if (was != ((uart.mcr & 8) && !(in(IIR)&1)))
			fail_msg("step %u: the wire is %d", step, was);
	}
	assert_true(given > 1000);
	assert_true(sent_count > 1000);
}

/* All that is sent through refusals arrives, when the guest waits for THRE as it should. */
static void nothing_lost(void **state)
{
	(void)state;
	make();
	srand(11);
	room = 0;
	unsigned written = 0;

	for (unsigned step = 0; written < 4000; step++) {
		if (rand() % 64 == 0)
			out(FCR, (uint8_t)(uart.tx.count ? uart.fcr : rand() & 1));
		unsigned burst = uart.fcr & 1 ? 16 : 1;

		if (in(LSR)&0x20)
			for (unsigned i = 0; i < burst && written < 4000; i++, written++)
				out(DATA, (uint8_t)(written * 31 >> 3));
		room = (size_t)rand() % 5;
		uart16550_ready(&uart);
	}
	room = SIZE_MAX;
	uart16550_ready(&uart);
	assert_int_equal(sent_count, 4000);
	for (unsigned i = 0; i < 4000; i++)
		assert_int_equal(sent[i], (uint8_t)(i * 31 >> 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(registers),	cmocka_unit_test(sending),   cmocka_unit_test(refused),
		cmocka_unit_test(receiving),	cmocka_unit_test(triggers),  cmocka_unit_test(time_out),
		cmocka_unit_test(priorities),	cmocka_unit_test(loop_back), cmocka_unit_test(storm),
		cmocka_unit_test(nothing_lost), cmocka_unit_test(drained),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
