/*
 * PCI: one bus, configuration mechanism 1 (PCI Local Bus Specification 3.0, 3.2.2.3.2 and ch. 6) and the memory-mapped one of PCI
 * Express (Base Specification 3.0, 7.2.2), where nothing lies behind the first 256 bytes. Functions with memory and I/O
 * BARs, and an expansion ROM, that the guest may size, move and turn off at any time. A BAR whose place is taken by something else
 * is nowhere until that is gone.
 */
#ifndef DEVICES_PCI_H
#define DEVICES_PCI_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/bus.h"

#define PCI_SLOTS 32u
#define PCI_BARS 9u /* the registers from PCI_BAR0 on: six BARs and, behind two that are none, the expansion ROM's */
#define PCI_ROM 8u  /* its number among them (6.2.5.2); it has an enable bit of its own */
#define PCI_NOWHERE UINT64_MAX

/* Offsets in configuration space (6.1). */
enum {
	PCI_VENDOR = 0x00,
	PCI_DEVICE = 0x02,
	PCI_COMMAND = 0x04,
	PCI_STATUS = 0x06,
	PCI_REVISION = 0x08,
	PCI_CLASS = 0x09,
	PCI_HEADER = 0x0e,
	PCI_BAR0 = 0x10,
	PCI_SUBSYSTEM = 0x2c,
	PCI_INTERRUPT_LINE = 0x3c,
	PCI_INTERRUPT_PIN = 0x3d
};
#define PCI_COMMAND_IO 1u
#define PCI_COMMAND_MEMORY 2u
#define PCI_COMMAND_MASTER 4u

struct pci_bar {
	uint32_t size; /* a power of two; 0: there is none */
	bool io, prefetch;
	const struct bus_ops *ops; /* its registers; NULL: place() below is called instead */
	/* Puts what is not registers at base, PCI_NOWHERE: away. Returns 0; a negative errno where that place is taken. */
	int (*place)(void *dev, uint64_t base);
	uint64_t at; /* where it is now, or PCI_NOWHERE */
};

struct pci_function {
	uint8_t config[256];
	struct pci_bar bar[PCI_BARS];
	uint8_t scratch_from, scratch_end; /* bytes that the guest may write and that do nothing: firmware's settings */
	void *dev;			   /* for bar's functions */
};

struct pci {
	struct bus *bus;
	uint32_t address; /* 0xcf8 */
	struct pci_function *slot[PCI_SLOTS];
};

extern const struct bus_ops pci_data_ops; /* 4 ports at 0xcfc; dev is the pci */
extern const struct bus_ops pci_ecam_ops; /* PCI_ECAM_BYTES of memory; dev is the pci */
#define PCI_ECAM_BYTES 0x100000u	  /* of one bus: 4 KiB for each of 32 devices' 8 functions */

/** An empty bus, whose BARs go to `bus`. */
void pci_init(struct pci *p, struct bus *bus);

/** Begins a function: identity and class (24 bits), no BARs. */
void pci_function_init(struct pci_function *f, uint16_t vendor, uint16_t device, uint32_t class, uint8_t revision);

/** Puts a function, with its BARs described, into an empty slot as number 0. Its BARs are at 0 and off. Returns 0 or -EEXIST. */
int pci_add(struct pci *p, unsigned slot, struct pci_function *f);

/** Takes the function out of its slot; its BARs are nowhere then. */
void pci_remove(struct pci *p, unsigned slot);

/** Does what firmware does: gives a BAR its address. Decoding is turned on by a write to PCI_COMMAND. */
void pci_assign(struct pci *p, unsigned slot, unsigned bar, uint32_t base);

/** Power-on state of the bus and all functions: BARs at 0 and off. */
void pci_reset(struct pci *p);

/** The address register, written by a 32-bit access alone (3.2.2.3.2). */
uint32_t pci_address(const struct pci *p);
void pci_set_address(struct pci *p, uint32_t value);

/** A configuration access as the guest makes it; size 1, 2, 4 within one doubleword. */
uint32_t pci_config_read(struct pci *p, unsigned slot, unsigned offset, unsigned size);
void pci_config_write(struct pci *p, unsigned slot, unsigned offset, unsigned size, uint32_t value);

#endif
