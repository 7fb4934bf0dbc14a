/*
 * PCI hot-plug by ACPI, with the register block of QEMU's PC (its specification: docs/specs/acpi_pci_hotplug): 20 ports at 0xae00,
 * a bit a slot in each register. 0  slots where a card was put in; reading takes the bits that were read 4  slots whose card is
 * asked back 8  writing a bit ejects the card of that slot 12  slots whose card may be taken out 16  which bus; 0 is all there is,
 * and others have no slots The DSDT's \_GPE._E01 reads the first two when general purpose event 1 came, and _EJ0 of a slot's device
 * writes the third.
 */
#ifndef DEVICES_ACPI_PCIHP_H
#define DEVICES_ACPI_PCIHP_H

#include <stdint.h>

#include "devices/acpi_pm.h"
#include "devices/bus.h"

#define ACPI_PCIHP_PORT 0xae00u
#define ACPI_PCIHP_PORTS 20u
#define ACPI_PCIHP_GPE 1u

struct acpi_pcihp {
	struct acpi_pm *pm;
	/* The guest took the card out of a slot that has one. */
	void (*ejected)(void *arg, unsigned slot);
	void *arg;
	uint32_t up, down, removable, bus;
};

extern const struct bus_ops acpi_pcihp_ops;

void acpi_pcihp_init(struct acpi_pcihp *hp, struct acpi_pm *pm, void (*ejected)(void *arg, unsigned slot), void *arg);
/** Power-on: nothing is announced or asked back any more. The cards stay. */
void acpi_pcihp_reset(struct acpi_pcihp *hp);

/** A removable card is in slot (below 32) from now on. announce: tells the guest; cards of power-on are found without. */
void acpi_pcihp_plug(struct acpi_pcihp *hp, unsigned slot, bool announce);
/** Asks the guest for slot's card; `ejected` is called when it gives it. */
void acpi_pcihp_ask(struct acpi_pcihp *hp, unsigned slot);
/** The card is wanted no more. The guest may have begun to let go of it, and may give it all the same. */
void acpi_pcihp_unask(struct acpi_pcihp *hp, unsigned slot);
/** The card of slot is gone, by whatever way. */
void acpi_pcihp_gone(struct acpi_pcihp *hp, unsigned slot);

#endif
