/*
 * MC146818A real-time clock with 128 bytes of CMOS RAM (Motorola MC146818A datasheet) at ports 0x70 and 0x71, wired to IRQ 8.
 * The time is the clock's epoch plus guest time, until the guest sets it. All registers are worked out when they are read; the
 * timer runs only for interrupts that are enabled and not yet flagged. Periodic interrupts that the guest does not fetch (register
 * C) coalesce, as in the chip. Daylight saving (DSE) and the square wave output are not made; their bits can be set and read.
 */
#ifndef DEVICES_RTC_MC146818_H
#define DEVICES_RTC_MC146818_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/bus.h"
#include "devices/clock.h"
#include "devices/irq.h"

#define RTC_CMOS_BYTES 128

struct rtc {
	struct clock *clock;
	struct irq_line irq;
	uint8_t index;		      /* bit 7: NMI is masked */
	uint8_t cmos[RTC_CMOS_BYTES]; /* registers and RAM; time of day only while frozen */
	bool frozen;		      /* SET, or the divider in reset: the time registers stand in cmos */
	int64_t days, second;	      /* date since 1970-01-01 and second of the day, as of second number `when` */
	uint64_t when;		      /* seconds of the chip's own count */
	uint8_t weekday_skew;	      /* what the guest set the day of the week to, against the date's: 0..6 */
	uint64_t phase;		      /* ns at which its seconds and its divider began; modulo 2^64, it may lie before 0 */
	uint64_t seen_second;	      /* up to which updates and alarms were flagged */
	uint64_t seen_period;	      /* up to which periods were flagged */
	struct dev_timer timer;
};

extern const struct bus_ops rtc_ops; /* two ports; dev is the rtc */

/** Wires the timer, sets the time from the clock's epoch and fills CMOS RAM for a machine with ram_bytes of memory. */
void rtc_init(struct rtc *r, struct clock *clock, struct irq_line irq, uint64_t ram_bytes);
/** RESET pin: interrupts off, flags clear. Time and RAM stay. */
void rtc_reset(struct rtc *r);
/** True while bit 7 of port 0x70 masks NMIs. */
bool rtc_nmi_masked(const struct rtc *r);

#endif
