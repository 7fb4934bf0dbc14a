/* Days and dates of the Gregorian calendar, in integers. */
#ifndef DEVICES_CALENDAR_H
#define DEVICES_CALENDAR_H

#include <stdint.h>

struct date {
	int64_t year;
	unsigned month, day; /* 1..12, 1..31 */
};

/** Days from 1970-01-01 to a date; a month or day out of range counts on into the next ones (or back). */
int64_t calendar_days(int64_t year, int64_t month, int64_t day);
/** The date that is so many days after 1970-01-01. */
struct date calendar_date(int64_t days);
/** Day of the week: 1 is Sunday, as the MC146818 counts. */
unsigned calendar_weekday(int64_t days);

#endif
