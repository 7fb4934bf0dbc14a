/* Hardware that the VMM itself drives: UART, timers, interrupt controllers. What it emulates is in devices/. */
#ifndef VMM_HW_H
#define VMM_HW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/bootinfo.h"

/* ---- 16550 UART (National Semiconductor PC16550D) */

/**
 * Sets 8N1, the divisor for baud, FIFOs of 16, checks the scratch register or loop-back. clock: what the UART divides, in Hz, which a
 * 16550 does not tell. Returns 0, -EINVAL where no divisor is near enough, or -ENODEV.
 */
int uart_init(uint16_t port, uint32_t baud, uint32_t clock);
/** Whether there is a divisor for it. */
bool uart_can(uint32_t baud);
/** All is on the wire. */
bool uart_empty(void);
/** Changes the rate, once uart_empty. Returns 0 or -EINVAL. */
int uart_set_baud(uint32_t baud);
/** Bytes a second at the rate that is set; an emulated UART may be faster. */
uint32_t uart_rate(void);
/** Puts up to n bytes into the transmit FIFO if it is empty; returns how many went in (0 when it is not). Never waits. */
size_t uart_write(const uint8_t *p, size_t n);
/** Takes what has been received; up to cap bytes. Line errors (overrun, framing) are counted in uart_errors. Never waits. */
size_t uart_read(uint8_t *p, size_t cap);
/** Waits until all is on the wire, with a bound on the loop; for banner and panic only. */
void uart_write_wait(const char *p, size_t n);
/**
 * The interrupt for "FIFO empty" on or off; "received" is always on. After an interrupt (this_cpu()->irq_uart) all of the UART's
 * sources are shut until uart_read has found nothing left, uart_write has written or this is called: read until it returns less
 * than cap.
 */
void uart_tx_interrupt(bool on);
extern uint64_t uart_errors;

/* ---- time */

/** Measures the TSC against the PIT (channel 2) or the ACPI/HPET clock, and the LAPIC timer against the TSC. Needs irq_init.
 * Returns 0 or -ENODEV. */
int time_init(const struct boot_info *bi);
uint64_t tsc_hz(void);

/** Spends the time until the TSC is `ticks` past `from`. */
void tsc_pass(uint64_t from, uint64_t ticks);

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;
	__asm__ volatile("rdtsc" : "=a"(lo), "=d"(hi));
	return (uint64_t)hi << 32 | lo;
}
/** Nanoseconds since time_init, from the TSC, without overflow for centuries. */
uint64_t time_ns(void);
/** How many nanoseconds so many TSC ticks last; UINT64_MAX when that is 2^62 or more. */
uint64_t time_of_ticks(uint64_t ticks);
/** The machine's real-time clock, in seconds since 1970 (UTC); 0 when it never settles or holds nonsense. */
uint64_t cmos_epoch(void);
/** Asks for one timer interrupt at time_ns() >= deadline (UINT64_MAX: none). A past deadline fires at once. */
void timer_arm(uint64_t deadline_ns);

/* ---- interrupts */

/**
 * Masks the 8259s (remapped out of the exceptions' way), enables the local APIC, routes the UART's IRQ through the IOAPIC (or the
 * 8259 when there is no IOAPIC). Handlers only set this_cpu()->irq_* and send EOI. A UART whose interrupt does not come is polled:
 * irq_uart is then set every millisecond. Returns 0 or -ENODEV.
 */
int irq_init(const struct boot_info *bi, uint16_t uart_port);
/** Handles vector (32 - 255) as if the CPU had taken it just now; boot/trap.c calls it, and who had an exit acknowledge one. */
void irq_dispatch(unsigned vector);
/** Opens the interrupt window for an instant: what is pending is handled. Interrupts are off otherwise. */
static inline void irq_poll(void)
{
	/* STI takes effect behind the next instruction. */
	__asm__ volatile("sti; nop; cli" : : : "memory");
}
/** sti; hlt; cli: waits for the next interrupt. */
void irq_wait(void);

/**
 * NMIs from the 8254's channel 0 at its slowest, 18.2 a second, by way of the I/O APIC. 0, or -ENODEV where there is none. After
 * irq_init. Whether any comes is for the caller to see.
 */
int irq_nmi_start(const struct boot_info *bi);
void irq_nmi_stop(void);

/* ---- the end */

/** Tells the emulator, if there is one, to end (isa-debug-exit 0xf4, "Shutdown" to 0x8900), else halts. Drain the UART first. */
_Noreturn void machine_off(unsigned code);

#endif
