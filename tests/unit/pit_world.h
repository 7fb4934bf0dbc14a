/* An 8254 on a bus and a clock of its own, for the tests. */
#ifndef TESTS_UNIT_PIT_WORLD_H
#define TESTS_UNIT_PIT_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/pit8254.h"

extern struct clock clk;
extern struct pit8254 pit;
extern uint64_t time_ns;      /* guest time */
extern bool wire, irq_wanted; /* IRQ 0; whether the guest has it unmasked */
extern uint64_t rises;	      /* of the wire, since make() */

/** Makes the timer as firmware leaves it. */
void make(void);
/** The first nanosecond of a tick, by 128-bit arithmetic. */
uint64_t tick_ns(uint64_t tick);
/** Moves time on to the beginning of a later tick. Timers do not fire by it. */
void go(uint64_t ticks);
/** Port accesses of one byte, port 0 to 3; two bytes, low first. */
void out(unsigned port, uint8_t v);
uint8_t in(unsigned port);
unsigned in16(unsigned port);
/** Latches a channel's count and reads it. */
unsigned latched(unsigned channel);
/** Writes a control word (both bytes, binary) and a count. */
void program(unsigned channel, unsigned mode, unsigned count);

#endif
