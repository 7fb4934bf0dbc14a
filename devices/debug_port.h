/* Firmware's debug port 0x402 (QEMU's "isa-debugcon", Bochs' info port): text, a byte at a time, handed on as lines. */
#ifndef DEVICES_DEBUG_PORT_H
#define DEVICES_DEBUG_PORT_H

#include <stdint.h>

#include "devices/bus.h"

#define DEBUG_PORT 0x402u
#define DEBUG_PORT_LINE 160u

struct debug_port {
	void (*line)(void *arg, const char *text); /* without its newline; longer lines come in pieces */
	void *arg;
	unsigned len;
	char text[DEBUG_PORT_LINE];
};

extern const struct bus_ops debug_port_ops; /* 1 port; it reads as 0xe9, by which firmware knows that somebody listens */

void debug_port_init(struct debug_port *d, void (*line)(void *arg, const char *text), void *arg);
/** Hands on a line that has not ended. */
void debug_port_reset(struct debug_port *d);

#endif
