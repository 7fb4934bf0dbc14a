/*
 * Local APIC of the guest's one CPU (Intel SDM vol. 3, ch. 11): xAPIC at the address in IA32_APIC_BASE, and x2APIC. ID 0, version
 * 0x14 with six LVT entries, integrated; no CMCI, no suppression of EOI broadcasts.
 *
 * Time. The timer's clock has VLAPIC_HZ, as CPUID leaf 0x15 tells. Counts are worked out from the clock whenever they are asked
 * for, so nothing drifts. A periodic tick that the guest was not run in time for is late, not lost, by the same rule as the 8254's:
 * the phase is kept, and late ticks are caught up one by one as the guest takes them, up to VLAPIC_LATE_MAX; the rest is dropped
 * and counted. Ticks that the guest itself does not take in time become one, as in the chip. While the LVT entry is masked nothing
 * is owed; programming the timer forgets what is owed. Periods below VLAPIC_WAKE_NS wake the VMM no oftener than that. One-shot and
 * TSC-deadline timers fire once, as soon as possible.
 *
 * Where the page at IA32_APIC_BASE is moved onto RAM or another device, these answer there. The LINT inputs are edge-triggered but
 * for ExtINT, whatever their LVT entries say. Switching the APIC off by IA32_APIC_BASE puts it into its power-on state (11.4.3).
 */
#ifndef DEVICES_VLAPIC_H
#define DEVICES_VLAPIC_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/apic.h"
#include "devices/bus.h"
#include "devices/clock.h"

#define VLAPIC_BASE 0xfee00000ull
#define VLAPIC_BYTES 0x1000u
#define VLAPIC_HZ 100000000u
#define VLAPIC_TICK_NS (1000000000u / VLAPIC_HZ)
#define VLAPIC_LATE_MAX 64u
#define VLAPIC_WAKE_NS 50000u

/* LVT entries, in the order of their registers from 0x320 on. */
enum { VLAPIC_TIMER, VLAPIC_THERMAL, VLAPIC_PERF, VLAPIC_LINT0, VLAPIC_LINT1, VLAPIC_ERROR, VLAPIC_LVTS };

struct vlapic_ops {
	/* vlapic_pending, or vlapic_tpr, may say something else now. */
	void (*intr)(void *arg);
	void (*nmi)(void *arg);
	/* INIT reached the CPU. */
	void (*init)(void *arg);
	/* A level-triggered interrupt has ended. */
	void (*eoi)(void *arg, uint8_t vector);
	/* Messages that found nobody may find the CPU now. */
	void (*reachable)(void *arg);
	/* The guest's TSC; the guest time at which it will read tsc, rounded up (now, when it is past; CLOCK_NEVER, when that is
	 * too far). */
	uint64_t (*tsc)(void *arg);
	uint64_t (*tsc_time)(void *arg, uint64_t tsc);
};

struct vlapic {
	const struct vlapic_ops *ops;
	void *arg;
	struct bus *bus;
	struct clock *clock;
	uint64_t base; /* IA32_APIC_BASE */
	bool mapped;
	uint32_t id, tpr, ldr, dfr, svr;
	uint32_t esr, errors; /* as read; what the next write of ESR puts there */
	uint32_t icr_low, icr_high;
	uint32_t lvt[VLAPIC_LVTS];
	uint64_t irr[4], isr[4], tmr[4];
	bool lint[2]; /* levels of the inputs */

	/* vlapic_timer.c */
	uint32_t initial, divide;
	uint64_t end;	   /* ns at which the count reaches 0; CLOCK_NEVER: it stands there */
	uint64_t deadline; /* TSC; 0: off */
	uint64_t woke;	   /* ns of the last periodic tick that was delivered */
	uint32_t late;	   /* ticks owed to the guest */
	uint64_t dropped;  /* ticks given up */
	struct dev_timer timer;
};

/** Wires it up, and sets the power-on state, which puts it on the bus. */
void vlapic_init(struct vlapic *l, struct bus *bus, struct clock *clock, const struct vlapic_ops *ops, void *arg);
/** Power-on state (SDM vol. 3, 11.4.7.1), at VLAPIC_BASE. The levels of the LINT inputs belong to whoever drives them and stay. */
void vlapic_reset(struct vlapic *l);
/** As PC firmware leaves it: enabled, LINT0 for the 8259's interrupts, LINT1 for NMIs (MultiProcessor Specification 1.4, 3.6.2.2).
 */
void vlapic_virtual_wire(struct vlapic *l);

/** The vector that the CPU is to take next, or -1: what is requested and stands above the processor priority (11.8.3.1). */
int vlapic_pending(const struct vlapic *l);
/** The CPU takes an interrupt: its vector, or the spurious one when nothing is pending (11.9). */
uint8_t vlapic_ack(struct vlapic *l);
/** True while a high level of LINT0 is an interrupt of an 8259 for the CPU: also while the APIC is off. */
bool vlapic_takes_extint(const struct vlapic *l);
/** Sets the level of a LINT input, 0 or 1. */
void vlapic_lint(struct vlapic *l, unsigned n, bool level);
/** A message on the bus of the APICs. True when it was for this one and is accepted. */
bool vlapic_message(struct vlapic *l, const struct apic_message *m);

/** Task priority; CR8 is its bits 7:4 (11.8.6). Writing through CR8 sets bits 3:0 to 0. */
static inline uint8_t vlapic_tpr(const struct vlapic *l)
{
	return (uint8_t)l->tpr;
}
void vlapic_set_tpr(struct vlapic *l, uint8_t tpr);

/**
 * The MSRs. Values to be written must have no bit beyond the CPU's physical addresses in the base. Each returns 0, or -EINVAL for
 * what raises #GP: reserved bits, forbidden changes of mode (11.12.5), x2APIC registers in another mode or that do not exist.
 */
int vlapic_set_base(struct vlapic *l, uint64_t value);
int vlapic_msr_read(struct vlapic *l, uint32_t msr, uint64_t *value);
int vlapic_msr_write(struct vlapic *l, uint32_t msr, uint64_t value);
/** IA32_TSC_DEADLINE (11.5.4.1). */
uint64_t vlapic_deadline(struct vlapic *l);
void vlapic_set_deadline(struct vlapic *l, uint64_t tsc);
/** The guest's TSC was set. */
void vlapic_tsc_changed(struct vlapic *l);

/** True while IA32_APIC_BASE says so; CPUID.1:EDX[9] follows it. */
bool vlapic_enabled(const struct vlapic *l);

#endif
