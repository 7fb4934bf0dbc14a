/*
 * PC16550D UART (National Semiconductor datasheet, PC16550D, June 1995) as a PC has it: its interrupt passes through OUT2.
 * Bytes move at once, not at the line's speed; the divisor only sets the receiver's time-out. The far end may refuse a byte: then
 * it waits in the transmit FIFO and THRE stays clear until uart16550_ready. Word length masks what is sent, as in the chip.
 * Parity, framing and break errors do not occur; a break is not sent.
 */
#ifndef DEVICES_UART16550_H
#define DEVICES_UART16550_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/bus.h"
#include "devices/clock.h"
#include "devices/irq.h"

#define UART_FIFO 16u

struct uart_fifo {
	uint8_t byte[UART_FIFO];
	uint8_t head, count;
};

struct uart16550 {
	struct clock *clock;
	struct irq_line irq;
	bool (*out)(void *arg, uint8_t byte); /* false: no room; uart16550_ready will be called */
	void (*drained)(void *arg);	      /* NULL, or: nothing received is left, so uart16550_in would take more */
	void *arg;
	struct dev_timer timer; /* the receiver's time-out */
	struct uart_fifo rx, tx;
	uint8_t ier, fcr, lcr, mcr, msr, scr;
	uint16_t divisor;
	bool overrun;	   /* LSR.OE */
	bool thre_pending; /* "transmitter holding register empty" was not told yet */
	bool timed_out;	   /* bytes lie in the FIFO and nothing moves */
};

extern const struct bus_ops uart16550_ops; /* eight ports; dev is the uart */

/** Wires the timer and sets the power-on state. out must be set; drained may be set after. */
void uart16550_init(struct uart16550 *u, struct clock *clock, struct irq_line irq, bool (*out)(void *arg, uint8_t byte), void *arg);
/** The state in which PC firmware leaves it: 115,200 baud, 8N1, no FIFOs, no interrupts. */
void uart16550_reset(struct uart16550 *u);
/** Bytes from the far end. Returns how many were taken: until the FIFO is full, none while in loop-back. drained tells when to go
 * on. */
size_t uart16550_in(struct uart16550 *u, const uint8_t *data, size_t len);
/** The far end has room again: sends what waits. */
void uart16550_ready(struct uart16550 *u);

#endif
