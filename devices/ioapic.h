/*
 * I/O APIC: Intel's 82093AA (datasheet 290566) with 24 inputs, plus the EOI register of later ones (version 0x20). ID 0, GSI base
 * 0. A PC wires the ISA interrupts to the inputs of the same number, but IRQ 0 to input 2; PCI's go to inputs from 16 on. Input 0
 * is the 8259s' INTR.
 *
 * Inputs are set to "asserted" or not; the polarity bit can be set and read and changes nothing.
 */
#ifndef DEVICES_IOAPIC_H
#define DEVICES_IOAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/apic.h"
#include "devices/bus.h"

#define IOAPIC_BASE 0xfec00000ull
#define IOAPIC_BYTES 0x100u
#define IOAPIC_PINS 24u
#define IOAPIC_PIN_8259 0u
#define IOAPIC_PIN_TIMER 2u /* IRQ 0 */

struct ioapic {
	uint8_t select, id;
	uint32_t lines;	      /* levels of the inputs */
	uint32_t undelivered; /* edges and levels that no local APIC took yet */
	uint64_t entry[IOAPIC_PINS];
	bool (*send)(void *arg, const struct apic_message *m); /* true: a CPU accepted it */
	void *arg;
};

extern const struct bus_ops ioapic_ops; /* IOAPIC_BYTES of MMIO */

/** Sets the callback and the power-on state. */
void ioapic_init(struct ioapic *io, bool (*send)(void *arg, const struct apic_message *m), void *arg);
/** Power-on state: all masked. The levels of the inputs stay. */
void ioapic_reset(struct ioapic *io);
/** Sets an input's level: an irq_line's set function. Inputs that do not exist are ignored. */
void ioapic_set(void *ioapic, unsigned pin, bool level);
/** A level-triggered interrupt has ended at its CPU. */
void ioapic_eoi(struct ioapic *io, uint8_t vector);
/** Sends again what nobody accepted. */
void ioapic_retry(struct ioapic *io);

bool ioapic_masked(const struct ioapic *io, unsigned pin);
/** The vector of an input that is not masked and in fixed or lowest-priority mode, else -1. */
int ioapic_vector(const struct ioapic *io, unsigned pin);
/** True while input 0 passes the 8259s' INTR on to the CPU (ExtINT). */
bool ioapic_passes_8259(const struct ioapic *io);

#endif
