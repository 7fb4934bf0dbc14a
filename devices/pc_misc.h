/*
 * The PC's small ports: port 0x61, POST code 0x80, port 0x92, PCI's address and
 * reset control (0xcf8 to 0xcfb), isa-debug-exit (0xf4) and the emulators' power-off port (0x8900).
 */
#ifndef DEVICES_PC_MISC_H
#define DEVICES_PC_MISC_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/bus.h"
#include "devices/pci.h"
#include "devices/pit8254.h"

struct pc_misc {
	struct pit8254 *pit;
	struct pci *pci;
	void (*debug_exit)(void *arg, uint32_t value);
	void (*power_off)(void *arg);
	void (*reset)(void *arg);
	void *arg;
	uint8_t port61; /* bits 0..3 as written */
	uint8_t port80, port92, cf9;
	unsigned shutdown_seen; /* letters of "Shutdown" so far */
};

/* dev is the pc_misc for all of them. */
extern const struct bus_ops pc_port61_ops, pc_port80_ops, pc_port92_ops; /* 1 port each */
extern const struct bus_ops pc_cf8_ops;					 /* 4 ports at 0xcf8 */
extern const struct bus_ops pc_debug_exit_ops;				 /* 4 ports at 0xf4 */
extern const struct bus_ops pc_shutdown_ops;				 /* 1 port at 0x8900 */

/** Power-on state; the callbacks and the pit stay. */
void pc_misc_reset(struct pc_misc *m);

#endif
