/* Between the timer and the interrupt code of vmm/hw. */
#ifndef VMM_HW_TIMER_H
#define VMM_HW_TIMER_H

#include <stdbool.h>
#include <stdint.h>

/** Measures the local APIC's timer against the TSC, or takes the TSC-deadline mode. Needs tsc_hz(). Returns 0 or -ENODEV. */
int timer_init(bool tsc_deadline);

/** The timer's interrupt: raises this_cpu()->irq_timer when the deadline has come, else goes on. Does not send EOI. */
void timer_interrupt(void);

/** From now on, and from timer_init, also raises this_cpu()->irq_uart every millisecond, for a UART without an interrupt. */
void timer_poll_uart(void);

#endif
