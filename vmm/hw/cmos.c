/* The machine's real-time clock (Motorola MC146818A data sheet), read once at the start. */
#include "devices/calendar.h"
#include "vmm/hw/hw.h"
#include "vmm/hw/x86.h"

#define CMOS_TRIES 100000 /* reads of register A while an update is in progress */

static uint8_t cmos_read(uint8_t reg)
{
	outb(0x70, reg);
	return inb(0x71);
}

static unsigned from_bcd(uint8_t x)
{
	return (x >> 4) * 10u + (x & 15);
}

uint64_t cmos_epoch(void)
{
	uint8_t raw[6], b;
	unsigned v[6], tries = CMOS_TRIES;

	while ((cmos_read(0x0a) & 0x80) && --tries)
		;
	if (!tries)
		return 0;
	for (unsigned i = 0; i < 6; i++)
		raw[i] = cmos_read((uint8_t[]){ 0, 2, 4, 7, 8, 9 }[i]);
	b = cmos_read(0x0b);
	for (unsigned i = 0; i < 6; i++)
		v[i] = b & 4 ? raw[i] : from_bcd(raw[i]);
	if (!(b & 2)) { /* 12-hour form: bit 7 says PM */
		v[2] = b & 4 ? raw[2] & 0x7fu : from_bcd(raw[2] & 0x7f);
		v[2] = v[2] % 12 + (raw[2] & 0x80 ? 12 : 0);
	}
	if (v[0] > 59 || v[1] > 59 || v[2] > 23 || v[3] < 1 || v[3] > 31 || v[4] < 1 || v[4] > 12 || v[5] > 99)
		return 0;
	return (uint64_t)calendar_days(2000 + v[5], v[4], v[3]) * 86400 + v[2] * 3600 + v[1] * 60 + v[0];
}
