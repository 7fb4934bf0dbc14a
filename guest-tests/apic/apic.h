/* The subjects of the apic kernel, and how it reaches the interrupt controllers and clocks. */
#ifndef GUEST_APIC_H
#define GUEST_APIC_H

#include <stdbool.h>
#include <stdint.h>

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/hyper.h"
#include "guest-tests/lib/pic.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/trap.h"

extern const struct test local_tests[], base_tests[], timer_tests[], ioapic_tests[], hpet_tests[], clock_tests[];

/* Local APIC: registers by their xAPIC offset (SDM vol. 3, table 11-1). */
#define APIC_ID 0x20u
#define APIC_VERSION 0x30u
#define APIC_TPR 0x80u
#define APIC_PPR 0xa0u
#define APIC_EOI 0xb0u
#define APIC_LDR 0xd0u
#define APIC_DFR 0xe0u
#define APIC_SVR 0xf0u
#define APIC_ISR 0x100u
#define APIC_TMR 0x180u
#define APIC_IRR 0x200u
#define APIC_ESR 0x280u
#define APIC_ICR 0x300u
#define APIC_ICR_HIGH 0x310u
#define APIC_LVT_TIMER 0x320u
#define APIC_LVT_LINT0 0x350u
#define APIC_LVT_LINT1 0x360u
#define APIC_LVT_ERROR 0x370u
#define APIC_TIMER_INITIAL 0x380u
#define APIC_TIMER_CURRENT 0x390u
#define APIC_TIMER_DIVIDE 0x3e0u

#define APIC_BASE 0xfee00000ull
#define BASE_X2APIC (1ull << 10)
#define BASE_ENABLE (1ull << 11)
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC(reg) (0x800u + ((reg) >> 4))

#define LVT_MASKED (1u << 16)
#define LVT_PERIODIC (1u << 17)
#define LVT_TSC_DEADLINE (2u << 17)
#define DIVIDE_BY_1 0xbu

static inline volatile uint32_t *mmio32(uint64_t addr)
{
	return (volatile uint32_t *)addr;
}

static inline uint32_t apic_read(uint32_t reg)
{
	return *mmio32(APIC_BASE + reg);
}

static inline void apic_write(uint32_t reg, uint32_t value)
{
	*mmio32(APIC_BASE + reg) = value;
}

/** What lies between two limits, because nobody knows what came between when it was measured. */
struct span {
	uint64_t low, high;
};
/** Narrows s to what lies in both; a high limit of 0 is none. */
void span_meet(struct span *s, struct span with);

/** Interrupt command: to an APIC id or set in dest. */
void apic_command(uint32_t dest, uint32_t low);
/** The bit of a vector in ISR, TMR or IRR. */
bool apic_bit(uint32_t set, unsigned vector);
/** The timer's clock, measured by the TSC. */
struct span apic_timer_span(void);
uint64_t apic_timer_hz(void);

/* I/O APIC. */
#define IOAPIC_BASE 0xfec00000ull
#define IOAPIC_MASKED (1u << 16)
#define IOAPIC_LEVEL (1u << 15)
#define IOAPIC_REMOTE_IRR (1u << 14)
uint32_t ioapic_read(unsigned index);
void ioapic_write(unsigned index, uint32_t value);
/** Sends an input to this CPU: low half of its entry. */
void ioapic_entry(unsigned pin, uint32_t low);
uint32_t ioapic_entry_low(unsigned pin);

/* HPET. */
#define HPET_BASE 0xfed00000ull
#define HPET_CONFIG 0x10u
#define HPET_STATUS 0x20u
#define HPET_COUNTER 0xf0u
#define HPET_TIMER_CONFIG(n) (0x100u + 0x20u * (n))
#define HPET_COMPARATOR(n) (0x108u + 0x20u * (n))
static inline uint64_t hpet_read(uint32_t reg)
{
	return *(volatile uint64_t *)(HPET_BASE + reg);
}
static inline void hpet_write(uint32_t reg, uint64_t value)
{
	*(volatile uint64_t *)(HPET_BASE + reg) = value;
}
bool hpet_present(void);
/** Switches it on, at 0. */
void hpet_start(void);

/** pc-testdev: raises or lowers an input of the interrupt controllers. */
static inline void raise_irq(unsigned irq, bool level)
{
	outb((uint16_t)(0x2000 + irq), level);
}

/* What was taken since prepare(): by vector, and in order. */
#define ORDER 64
extern volatile unsigned taken[256], order[ORDER], order_count, nmis;
extern volatile bool eoi_later; /* handlers do not end what they took */

/** Puts all of it into a known state: xAPIC on, all inputs masked, nothing pending; counts forgotten. */
void prepare(void);
/** Opens the window for interrupts for a few instructions. */
static inline void window(void)
{
	__asm__ volatile("sti; nop; nop; nop; nop; cli" ::: "memory");
}

/** Microseconds by channel 2 of the 8254, up to 50,000. */
void pit_wait(unsigned us);
/** TSC ticks per second, measured once by the 8254. */
struct span tsc_span(void);
uint64_t tsc_rate(void);
#define SOON 10000000 /* us in which something surely happens, also on a machine that has much else to do */
/** Lets interrupts in until vector was taken n times, or so many microseconds have passed. Returns whether it was. */
bool wait_taken(unsigned vector, unsigned n, uint64_t us);
/** Expects that the span reaches into want, give or take 1 / part. */
bool expect_span(const char *what, struct span got, uint64_t want, uint64_t part);

#endif
