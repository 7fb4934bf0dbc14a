/* A local APIC on a bus and a clock of its own, for the tests. */
#ifndef TESTS_UNIT_VLAPIC_WORLD_H
#define TESTS_UNIT_VLAPIC_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/vlapic.h"

#define TSC_PER_NS 3u

extern struct bus bus;
extern struct clock clk;
extern struct vlapic apic;
extern uint64_t time_ns, tsc_offset;		      /* guest time; what the guest added to its TSC */
extern uint64_t look_ns;			      /* how long it takes to look at the clock: 0 unless a test sets it */
extern unsigned nmis, inits, intrs, reachables, eois; /* what the APIC told its owner, so many times */
extern uint8_t last_eoi;

/** The guest's TSC. */
uint64_t tsc(void *arg);
/** Makes the APIC as power-on leaves it; make() enables it by software too. */
void power_on(void);
void make(void);
/** A register, as memory at its usual place. */
uint32_t rd(uint32_t reg);
void wr(uint32_t reg, uint32_t value);
/** Moves time on, and fires the timers on the way. */
void go(uint64_t ns);
/** A message on the APICs' bus; a fixed, edge-triggered one for APIC 0. True when it was accepted. */
bool send(uint32_t dest, bool logical, uint8_t mode, uint8_t vector, bool level);
bool fixed(uint8_t vector);
/** Takes and ends all that is pending, which must have this vector; returns how many there were. */
unsigned drain(uint8_t vector);

#endif
