/*
 * HPET (IA-PC HPET Specification 1.0a) with one 64-bit counter and three comparators, all of them periodic, 32 and 64 bits. Legacy
 * replacement puts timer 0 in the 8254's place (IRQ 0) and timer 1 in the clock's (IRQ 8); else each goes to one of the I/O APIC's
 * inputs in HPET_ROUTES. No FSB delivery.
 *
 * Time. The counter is worked out from the clock whenever it is read. Comparators that matched while the guest was not run are
 * late: however many periods passed, they are one interrupt, for a guest can read the counter; the phase is kept. But the ticks of
 * timer 0 in the 8254's place, periodic and by edges, are counted by guests as the 8254's are: late ones are caught up one by one
 * as the guest acknowledges, up to HPET_LATE_MAX; while IRQ 0 is masked nothing is owed, and programming the timer forgets what is.
 * Periods below HPET_WAKE_NS are treated as late all the time.
 */
#ifndef DEVICES_HPET_H
#define DEVICES_HPET_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/bus.h"
#include "devices/clock.h"
#include "devices/irq.h"

#define HPET_BASE 0xfed00000ull
#define HPET_BYTES 0x400u
#define HPET_ID 0x8086a201u /* Intel, legacy replacement, 64 bits, three timers, revision 1: also in ACPI's HPET table */
#define HPET_TICK_NS 10u
#define HPET_PERIOD_FS (HPET_TICK_NS * 1000000u)
#define HPET_TIMERS 3u
#define HPET_ROUTES 0x00f00000u /* inputs 20 to 23 */
#define HPET_WAKE_NS 50000u
#define HPET_LATE_MAX 64u

struct hpet;

struct hpet_timer {
	struct hpet *hpet;
	uint64_t config, comparator, period;
	uint64_t since; /* counter value up to which matches have been seen */
	uint64_t woke;	/* ns of the last match */
	uint32_t late;	/* ticks owed to the guest */
	bool level;	/* of its output */
	struct dev_timer timer;
};

struct hpet {
	struct clock *clock;
	void (*irq)(void *arg, unsigned gsi, bool level);	 /* an input of the I/O APIC */
	void (*legacy)(void *arg, bool on);			 /* the 8254 and the clock are cut off from IRQ 0 and 8, or not */
	void (*legacy_irq)(void *arg, unsigned irq, bool level); /* IRQ 0 or 8 in their place */
	bool (*wanted)(void *arg);				 /* false: IRQ 0 is masked, late ticks are nothing to the guest */
	void *arg;
	uint64_t config, status;
	uint64_t dropped; /* ticks given up */
	uint64_t offset;  /* what the counter had counted when it was last started, or while it stands */
	uint64_t started; /* ns */
	struct hpet_timer t[HPET_TIMERS];
};

extern const struct bus_ops hpet_ops; /* HPET_BYTES of MMIO */

/** Wires it and sets the power-on state. All callbacks must be set. */
void hpet_init(struct hpet *h, struct clock *clock, void (*irq)(void *arg, unsigned gsi, bool level),
	       void (*legacy)(void *arg, bool on), void (*legacy_irq)(void *arg, unsigned irq, bool level),
	       bool (*wanted)(void *arg), void *arg);
/** The guest acknowledged an interrupt that came over IRQ 0's wire: a tick that is owed follows. */
void hpet_acked(struct hpet *h);
/** Power-on state: the counter stands at 0. */
void hpet_reset(struct hpet *h);

#endif
