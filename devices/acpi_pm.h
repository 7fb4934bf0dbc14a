/*
 * ACPI's fixed hardware (ACPI 6.4, 4.8): PM1a event and control registers, the 24-bit power management timer, and a block of
 * general purpose events. Places as in QEMU's PC, so that what was written for that finds them. There is no legacy mode: SCI_EN is
 * always set and the FADT names no SMI command port (5.2.9, SMI_CMD). The one sleeping state is S5, off.
 *
 * The SCI is a level: up while an enabled event's status bit is set.
 */
#ifndef DEVICES_ACPI_PM_H
#define DEVICES_ACPI_PM_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/bus.h"
#include "devices/clock.h"
#include "devices/irq.h"

#define ACPI_PM_PORT 0x600u /* PM1a events at 0, control at 4, timer at 8 */
#define ACPI_PM_PORTS 12u
#define ACPI_GPE_PORT 0xafe0u /* status, then enable */
#define ACPI_GPE_PORTS 4u
#define ACPI_GPES 16u
#define ACPI_SCI 9u
#define ACPI_PM_HZ 3579545u
#define ACPI_S5_TYPE 0u /* SLP_TYP of S5, in \_S5 of the DSDT too */

struct acpi_pm {
	struct clock *clock;
	struct irq_line sci;
	void (*power_off)(void *arg);
	void *arg;
	struct dev_timer timer;	 /* the carry of the PM timer's highest bit, while that is an enabled event */
	uint16_t status, enable; /* PM1a; the timer's status bit follows from carries */
	uint16_t control;
	uint64_t carries; /* changes of the timer's highest bit up to which its status bit was cleared */
	uint16_t gpe_status, gpe_enable;
	uint16_t gpe_listened; /* events that were ever enabled since the reset */
};

/* dev is the acpi_pm: ACPI_PM_PORTS at ACPI_PM_PORT, ACPI_GPE_PORTS at ACPI_GPE_PORT. */
extern const struct bus_ops acpi_pm_ops, acpi_gpe_ops;

/** Wires it. power_off is called when the guest enters S5. */
void acpi_pm_init(struct acpi_pm *pm, struct clock *clock, struct irq_line sci, void (*power_off)(void *arg), void *arg);
/** Power-on: nothing enabled, nothing pending. The timer counts on. */
void acpi_pm_reset(struct acpi_pm *pm);

/** The timer's count, before it is cut to 24 bits. */
uint64_t acpi_pm_ticks(const struct acpi_pm *pm);

/** The fixed power button is pressed. */
void acpi_pm_power_button(struct acpi_pm *pm);
/** General purpose event n (below ACPI_GPES) happens. */
void acpi_pm_gpe(struct acpi_pm *pm, unsigned n);
/**
 * The guest has enabled event n since the reset. It may have it off at this moment: an OS turns an event off while it handles one.
 */
bool acpi_pm_gpe_listened(const struct acpi_pm *pm, unsigned n);
/** The guest has the power button's event enabled. */
bool acpi_pm_button_listened(const struct acpi_pm *pm);

#endif
