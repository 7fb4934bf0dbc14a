/*
 * The PS/2 controller of a PC (IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device Controller") with a
 * keyboard and a mouse with a wheel (Microsoft IntelliMouse) behind it. IRQ 1 and 12. Its output port's bit 0 is the CPU's reset
 * line.
 *
 * The keyboard speaks scan code set 2, which the controller translates to set 1 unless the guest turns that off, or set 1 when told
 * so. Keys that find no room in the queue are lost whole; the mouse adds up what it could not send yet. A20 is always on.
 */
#ifndef DEVICES_I8042_H
#define DEVICES_I8042_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/bus.h"
#include "devices/irq.h"

#define PS2_QUEUE 1024u /* more than a keyboard has: what is typed by a program comes at once */

/* One device: bytes on their way to the controller, and the command whose parameter is awaited. */
struct ps2 {
	uint8_t byte[PS2_QUEUE];
	uint16_t head, count;
	uint8_t command; /* 0: none */
	bool enabled;	 /* scanning, or data reporting */
};

struct i8042 {
	struct irq_line irq[2]; /* keyboard, mouse */
	void (*reset)(void *arg);
	void *arg;
	uint8_t control; /* the command byte */
	uint8_t command; /* waits for its byte at 0x60; 0: none */
	bool full, aux;	 /* a byte for the guest lies in the output buffer; it is the mouse's */
	uint8_t out;
	struct ps2 port[2];
	uint8_t scan_set; /* of the keyboard: 1 or 2 */
	/* mouse */
	uint8_t rate, resolution, rates_seen[2], buttons, sent_buttons;
	bool wheel, remote, scaling;
	bool placed; /* the pointer's last place is known */
	int32_t x, y, dx, dy, dz;
};

extern const struct bus_ops i8042_data_ops, i8042_command_ops; /* one port each: 0x60, 0x64 */

/** Wires it and sets the power-on state. reset: the guest pulls the reset line. */
void i8042_init(struct i8042 *k, struct irq_line keyboard, struct irq_line mouse, void (*reset)(void *arg), void *arg);
/** The state that firmware leaves: both interrupts off, translation on, keyboard scanning, mouse quiet. */
void i8042_reset(struct i8042 *k);
/** A key went down or up: its set-1 code, with 0xe0 in the high byte for those that have that prefix. Unknown ones are ignored. */
void i8042_key(struct i8042 *k, bool down, uint16_t code);
/** The pointer is at a place, with buttons (1 left, 2 right, 4 middle) and wheel steps (positive: towards the user). */
void i8042_pointer(struct i8042 *k, uint16_t x, uint16_t y, uint8_t buttons, int8_t wheel);

#endif
