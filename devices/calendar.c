#include "devices/calendar.h"

/*
 * Both ways count from 1 March of year 0, so that a leap day is the last day of its year: 400 years have 146,097 days, and the
 * month lengths from March on follow (153 * m + 2) / 5.
 */
#define ERA_DAYS 146097
#define EPOCH_SHIFT 719468 /* days from 0000-03-01 to 1970-01-01 */

static int64_t floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

int64_t calendar_days(int64_t year, int64_t month, int64_t day)
{
	year += floor_div(month - 1, 12);
	month = month - 1 - floor_div(month - 1, 12) * 12; /* 0..11 */
	if (month < 2)
		year--;
	int64_t from_march = (month + 10) % 12;
	int64_t era = floor_div(year, 400), y = year - era * 400;

	return era * ERA_DAYS + y * 365 + y / 4 - y / 100 + (153 * from_march + 2) / 5 + day - 1 - EPOCH_SHIFT;
}

struct date calendar_date(int64_t days)
{
	days += EPOCH_SHIFT;
	int64_t era = floor_div(days, ERA_DAYS), d = days - era * ERA_DAYS;
	int64_t y = (d - d / 1460 + d / 36524 - d / 146096) / 365;
	int64_t day_of_year = d - (365 * y + y / 4 - y / 100);
	int64_t m = (5 * day_of_year + 2) / 153;

	return (struct date){
		.year = y + era * 400 + (m >= 10),
		.month = (unsigned)(m < 10 ? m + 3 : m - 9),
		.day = (unsigned)(day_of_year - (153 * m + 2) / 5 + 1),
	};
}

unsigned calendar_weekday(int64_t days)
{
	int64_t w = (days + 4) % 7; /* 1970-01-01 was a Thursday */

	return (unsigned)(w < 0 ? w + 7 : w) + 1;
}
