/*
 * 8254 interval timer (Intel 8254 datasheet, 231164): three channels of 16 bits at 1,193,182 Hz, all six modes, binary and BCD.
 * Counts and output levels are worked out from the time whenever they are asked for; only channel 0's interrupt needs a timer.
 * The number of CLK pulses since power-on is taken from the clock by exact integer arithmetic, so nothing drifts.
 *
 * Channel 0's output is IRQ 0. A rising edge that the guest was not run in time for is late, not lost: one tick is delivered as
 * soon as possible, the phase is kept, and the late ones are caught up one by one as the guest acknowledges, up to PIT_LATE_MAX;
 * beyond, the rest is dropped and counted. While IRQ 0 is masked nothing is owed. Programming the channel forgets what is owed.
 * A tick stays requested until it is acknowledged, even when the output falls before (mode 3's low half).
 * Periods shorter than PIT_WAKE_NS are delivered by the same rule: the timer wakes the VMM at most that often.
 */
#ifndef DEVICES_PIT8254_H
#define DEVICES_PIT8254_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/bus.h"
#include "devices/clock.h"
#include "devices/irq.h"

#define PIT_HZ 1193182u
#define PIT_LATE_MAX 64u
#define PIT_WAKE_NS 50000u

struct pit8254_channel {
	/* as programmed */
	uint8_t control; /* RW, mode and BCD bits of the control word, as the status byte shows them */
	uint8_t mode;	 /* 0..5 */
	uint32_t cr;	 /* count register: 1..65536 (1..10000 in BCD) */
	bool cr_valid;	 /* a count was written after the control word */
	bool gate;
	/* the counting element: it has done elapsed steps at tick base, and one more with every tick after it while it runs */
	bool loaded, running;
	uint32_t n; /* what it was loaded with */
	uint64_t base, elapsed;
	bool null;   /* the count register is not in the counting element yet */
	bool reload; /* modes 2, 3: cr is loaded at tick reload_at */
	uint64_t reload_at;
	uint32_t held; /* its value until it is loaded */
	bool held_out; /* mode 1: output until then */
	/* access */
	uint8_t write_low;
	bool write_high_next, read_high_next;
	bool count_latched, status_latched;
	uint16_t latch;
	uint8_t status;
};

struct pit8254 {
	struct clock *clock;
	struct irq_line irq;
	bool (*wanted)(void *arg); /* false: IRQ 0 is masked, late ticks are nothing to the guest */
	void *arg;
	struct pit8254_channel ch[3];
	struct dev_timer timer;
	uint64_t seen;	  /* tick up to which channel 0's edges were delivered */
	uint64_t woke;	  /* time in ns of the last edge delivered */
	uint32_t late;	  /* ticks owed to the guest */
	uint64_t dropped; /* ticks given up */
};

extern const struct bus_ops pit8254_ops; /* four ports; dev is the pit */

/** Wires the timer and sets the power-on state. wanted may be NULL: always. */
void pit8254_init(struct pit8254 *p, struct clock *clock, struct irq_line irq, bool (*wanted)(void *arg), void *arg);
/** The state in which PC firmware leaves it: channel 0 in mode 2 at 18.2 Hz, 1 in mode 2 with 18, 2 idle with its gate low. */
void pit8254_reset(struct pit8254 *p);
/** IRQ 0 was acknowledged: requests the next tick that is owed. */
void pit8254_acked(struct pit8254 *p);
/** Sets a channel's gate input. Channels 0 and 1 have theirs tied high in a PC. */
void pit8254_gate(struct pit8254 *p, unsigned channel, bool level);
/** A channel's output level now. */
bool pit8254_out(struct pit8254 *p, unsigned channel);
/** CLK pulses since power-on. */
uint64_t pit8254_ticks(const struct pit8254 *p);

#endif
