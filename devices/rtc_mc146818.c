#include "devices/rtc_mc146818.h"

#include <string.h>

#include "devices/calendar.h"
#include "mm/layout.h"

#define NS_PER_S 1000000000ull
#define DAY_S 86400

/* Registers (datasheet, figure 11), the century where PC firmware keeps it, and CMOS RAM as PC firmware fills it. */
enum { SEC, SEC_ALARM, MIN, MIN_ALARM, HOUR, HOUR_ALARM, WEEKDAY, DAY, MONTH, YEAR, REG_A, REG_B, REG_C, REG_D };
#define EQUIPMENT 0x14
#define BASE_KIB 0x15
#define EXT_KIB 0x17
#define SUMMED 0x10 /* 0x10..0x2d, their sum in 0x2e (high) and 0x2f */
#define SUM 0x2e
#define EXT_KIB_AGAIN 0x30
#define CENTURY 0x32
#define ABOVE_16M 0x34 /* in 64 KiB */
#define ABOVE_4G 0x5b  /* in 64 KiB, three bytes */

#define A_UIP 0x80u
#define A_DV 0x70u
#define A_DV_ON 0x20u	 /* 32,768 Hz */
#define A_DV_RESET 0x60u /* both of 11x */
#define A_RS 0x0fu
#define B_SET 0x80u
#define B_PIE 0x40u
#define B_AIE 0x20u
#define B_UIE 0x10u
#define B_SQWE 0x08u
#define B_BINARY 0x04u
#define B_24H 0x02u
#define C_IRQF 0x80u
#define D_VRT 0x80u
#define HOUR_PM 0x80u

/* An update takes 1,984 us and UIP rises 244 us before it (datasheet, table 5 and figure 14). */
#define UIP_NS (1984000u + 244000u)

#define DIVIDER_HZ 32768u

/* ---- the chip's own time: whole seconds and divider ticks since phase */

static uint64_t age(const struct rtc *r)
{
	return clock_now(r->clock) - r->phase;
}

static uint64_t divider(const struct rtc *r)
{
	uint64_t ns = age(r);

	return ns / NS_PER_S * DIVIDER_HZ + ns % NS_PER_S * DIVIDER_HZ / NS_PER_S;
}

/* The first nanosecond of guest time at which divider() gives tick. */
static uint64_t divider_time(const struct rtc *r, uint64_t tick)
{
	return r->phase + tick / DIVIDER_HZ * NS_PER_S + (tick % DIVIDER_HZ * NS_PER_S + DIVIDER_HZ - 1) / DIVIDER_HZ;
}

static bool divider_runs(const struct rtc *r)
{
	return (r->cmos[REG_A] & A_DV_RESET) != A_DV_RESET;
}

/* Period of the periodic interrupt in divider ticks; 0: none (datasheet, table 3; rates 1 and 2 equal 8 and 9 here). */
static uint32_t period(const struct rtc *r)
{
	unsigned rate = r->cmos[REG_A] & A_RS;

	if (rate == 0 || !divider_runs(r))
		return 0;
	return 1u << ((rate <= 2 ? rate + 7 : rate) - 1);
}

/* ---- formats */

static uint8_t encode(const struct rtc *r, unsigned v)
{
	return (uint8_t)(r->cmos[REG_B] & B_BINARY ? v : v / 10 << 4 | v % 10);
}

static unsigned decode(const struct rtc *r, uint8_t raw)
{
	return r->cmos[REG_B] & B_BINARY ? raw : (raw >> 4) * 10u + (raw & 15);
}

static uint8_t encode_hour(const struct rtc *r, unsigned hour)
{
	if (r->cmos[REG_B] & B_24H)
		return encode(r, hour);
	return encode(r, hour % 12 ? hour % 12 : 12) | (hour >= 12 ? HOUR_PM : 0);
}

static unsigned decode_hour(const struct rtc *r, uint8_t raw)
{
	if (r->cmos[REG_B] & B_24H)
		return decode(r, raw);
	return decode(r, raw & ~HOUR_PM) % 12 + (raw & HOUR_PM ? 12 : 0);
}

/* ---- time of day */

/* Date and second of the day at the chip's second number s. */
static void time_at(const struct rtc *r, uint64_t s, int64_t *days, int64_t *second)
{
	int64_t total = r->second + (int64_t)(s - r->when);

	*days = r->days + total / DAY_S;
	*second = total % DAY_S;
}

/* Fills the time registers of cmos with the time at second number s. */
static void to_registers(struct rtc *r, uint64_t s)
{
	int64_t days, second;

	time_at(r, s, &days, &second);
	struct date d = calendar_date(days);

	r->cmos[SEC] = encode(r, (unsigned)(second % 60));
	r->cmos[MIN] = encode(r, (unsigned)(second / 60 % 60));
	r->cmos[HOUR] = encode_hour(r, (unsigned)(second / 3600));
	r->cmos[WEEKDAY] = encode(r, (calendar_weekday(days) - 1 + r->weekday_skew) % 7 + 1);
	r->cmos[DAY] = encode(r, d.day);
	r->cmos[MONTH] = encode(r, d.month);
	r->cmos[YEAR] = encode(r, (unsigned)(d.year % 100));
	r->cmos[CENTURY] = encode(r, (unsigned)(d.year / 100 % 100));
}

/* Takes the time from the registers; what is out of range counts on (30 February is a day in March). */
static void from_registers(struct rtc *r, uint64_t s)
{
	const uint8_t *c = r->cmos;
	int64_t seconds = decode_hour(r, c[HOUR]) * 3600ll + decode(r, c[MIN]) * 60ll + decode(r, c[SEC]);
	int64_t year = decode(r, c[CENTURY]) * 100ll + decode(r, c[YEAR]);

	r->days = calendar_days(year, decode(r, c[MONTH]), decode(r, c[DAY])) + seconds / DAY_S;
	r->second = seconds % DAY_S;
	r->when = s;
	unsigned weekday = decode(r, c[WEEKDAY]);

	r->weekday_skew = weekday >= 1 && weekday <= 7 ? (uint8_t)((weekday + 7 - calendar_weekday(r->days)) % 7) : 0;
}

/* ---- alarm */

/* Alarm registers compare with the time's bytes as they stand; two ones on top: any (datasheet, "Time, Calendar, and Alarm"). */
static bool alarm_takes(const struct rtc *r, unsigned reg, uint8_t raw)
{
	return (r->cmos[reg] & 0xc0) == 0xc0 || r->cmos[reg] == raw;
}

static uint8_t encode_field(const struct rtc *r, unsigned reg, unsigned v)
{
	return reg == HOUR_ALARM ? encode_hour(r, v) : encode(r, v);
}

/* The first value not below from and below end that the alarm register takes; -1: none. */
static int64_t first_taken(const struct rtc *r, unsigned reg, int64_t from, int64_t end)
{
	for (int64_t v = from; v < end; v++)
		if (alarm_takes(r, reg, encode_field(r, reg, (unsigned)v)))
			return v;
	return -1;
}

/* The first second of a day, not before from, at which the alarm matches; -1: none. Field by field: a few hundred steps. */
static int64_t alarm_in_day(const struct rtc *r, int64_t from)
{
	int64_t hour = from / 3600, minute = from / 60 % 60, h, m, s;
	bool this_hour = first_taken(r, HOUR_ALARM, hour, hour + 1) >= 0;

	if (this_hour && first_taken(r, MIN_ALARM, minute, minute + 1) >= 0 && (s = first_taken(r, SEC_ALARM, from % 60, 60)) >= 0)
		return hour * 3600 + minute * 60 + s;
	s = first_taken(r, SEC_ALARM, 0, 60);
	if (s < 0)
		return -1;
	if (this_hour && (m = first_taken(r, MIN_ALARM, minute + 1, 60)) >= 0)
		return hour * 3600 + m * 60 + s;
	m = first_taken(r, MIN_ALARM, 0, 60);
	h = first_taken(r, HOUR_ALARM, hour + 1, 24);
	return m < 0 || h < 0 ? -1 : h * 3600 + m * 60 + s;
}

/* Number of the first second after s at which the alarm matches, or CLOCK_NEVER. */
static uint64_t next_alarm(const struct rtc *r, uint64_t s)
{
	int64_t days, second;

	time_at(r, s + 1, &days, &second);
	int64_t at = alarm_in_day(r, second);

	if (at >= 0)
		return s + 1 + (uint64_t)(at - second);
	at = alarm_in_day(r, 0);
	return at >= 0 ? s + 1 + (uint64_t)(at + DAY_S - second) : CLOCK_NEVER;
}

/* ---- flags and interrupts */

/* Sets the flags of register C for all that happened up to now. */
static void catch_up(struct rtc *r)
{
	uint64_t second = age(r) / NS_PER_S;
	uint32_t ticks = period(r);

	if (ticks) {
		uint64_t n = divider(r) / ticks;

		if (n != r->seen_period)
			r->cmos[REG_C] |= B_PIE;
		r->seen_period = n;
	}
	if (second == r->seen_second)
		return;
	if (!r->frozen) {
		r->cmos[REG_C] |= B_UIE;
		if (!(r->cmos[REG_C] & B_AIE) && next_alarm(r, r->seen_second) <= second)
			r->cmos[REG_C] |= B_AIE;
	}
	r->seen_second = second;
}

/* Drives the wire and arms the timer for the next enabled event that is not flagged yet. The flags must be current. */
static void settle(struct rtc *r)
{
	uint8_t enabled = r->cmos[REG_B] & (B_PIE | B_AIE | B_UIE);
	uint8_t wait = enabled & ~r->cmos[REG_C];
	uint64_t at = CLOCK_NEVER, t;
	bool on = enabled & r->cmos[REG_C];

	r->cmos[REG_C] = (r->cmos[REG_C] & ~C_IRQF) | (on ? C_IRQF : 0);
	irq_set(&r->irq, on);
	/* One interrupt at a time: while the wire is high, nothing more can be told through it. */
	if (on)
		wait = 0;
	if ((wait & B_PIE) && period(r))
		at = divider_time(r, (r->seen_period + 1) * period(r));
	if ((wait & B_UIE) && !r->frozen && (t = r->phase + (r->seen_second + 1) * NS_PER_S) < at)
		at = t;
	if ((wait & B_AIE) && !r->frozen && (t = next_alarm(r, r->seen_second)) != CLOCK_NEVER &&
	    (t = r->phase + t * NS_PER_S) < at)
		at = t;
	clock_set(r->clock, &r->timer, at);
}

static void on_timer(void *arg)
{
	struct rtc *r = arg;

	catch_up(r);
	settle(r);
}

/* ---- registers */

static bool is_time(unsigned reg)
{
	return reg == SEC || reg == MIN || reg == HOUR || (reg >= WEEKDAY && reg <= YEAR) || reg == CENTURY;
}

static bool updating(const struct rtc *r)
{
	return !r->frozen && age(r) % NS_PER_S >= NS_PER_S - UIP_NS;
}

static void freeze(struct rtc *r, bool frozen)
{
	if (frozen && !r->frozen)
		to_registers(r, r->seen_second);
	else if (!frozen && r->frozen)
		from_registers(r, r->seen_second);
	r->frozen = frozen;
}

static void write_a(struct rtc *r, uint8_t v)
{
	bool ran = divider_runs(r);
	uint32_t before = period(r);

	r->cmos[REG_A] = v & ~A_UIP;
	if (!ran && divider_runs(r)) {
		/* The first update comes half a second after the divider's reset ends (datasheet, "Divider Control"). */
		r->phase = clock_now(r->clock) - NS_PER_S / 2;
		r->seen_second = 0;
		if (!(r->cmos[REG_B] & B_SET))
			freeze(r, false);
	} else if (ran && !divider_runs(r)) {
		freeze(r, true);
	}
	if (period(r) && (period(r) != before || !ran))
		r->seen_period = divider(r) / period(r);
}

static void write_b(struct rtc *r, uint8_t v)
{
	bool running = !r->frozen;

	/* A change of format while the clock runs shows the same time in the new format; while it is set, the bytes stay. */
	if (running && (v & B_SET))
		freeze(r, true);
	r->cmos[REG_B] = v & B_SET ? v & ~B_UIE : v; /* SET clears UIE */
	if (!(v & B_SET) && divider_runs(r))
		freeze(r, false);
}

static void write_register(struct rtc *r, unsigned reg, uint8_t v)
{
	switch (reg) {
	case REG_A: write_a(r, v); break;
	case REG_B: write_b(r, v); break;
	case REG_C:
	case REG_D: break; /* read-only */
	default:
		if (is_time(reg) && !r->frozen) {
			to_registers(r, r->seen_second);
			r->cmos[reg] = v;
			from_registers(r, r->seen_second);
		} else {
			r->cmos[reg] = v;
		}
		break;
	}
}

static uint8_t read_register(struct rtc *r, unsigned reg)
{
	uint8_t v;

	if (is_time(reg) && !r->frozen)
		to_registers(r, r->seen_second);
	v = r->cmos[reg];
	switch (reg) {
	case REG_A: return v | (updating(r) ? A_UIP : 0);
	case REG_C: /* reading clears all flags */
		settle(r);
		v = r->cmos[REG_C];
		r->cmos[REG_C] = 0;
		return v;
	default: return v;
	}
}

static uint64_t rtc_read(void *dev, uint64_t addr, unsigned size)
{
	struct rtc *r = dev;

	(void)size;
	if (addr == 0)
		return 0xff; /* the index is write-only */
	catch_up(r);
	uint8_t v = read_register(r, r->index & 0x7f);

	settle(r);
	return v;
}

static void rtc_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct rtc *r = dev;

	(void)size;
	if (addr == 0) {
		r->index = (uint8_t)value;
		return;
	}
	catch_up(r);
	write_register(r, r->index & 0x7f, (uint8_t)value);
	settle(r);
}

const struct bus_ops rtc_ops = { .name = "MC146818", .read = rtc_read, .write = rtc_write, .access_max = 1 };

bool rtc_nmi_masked(const struct rtc *r)
{
	return r->index & 0x80;
}

/* ---- power-on */

static void put16(struct rtc *r, unsigned reg, uint64_t v)
{
	if (v > 0xffff)
		v = 0xffff;
	r->cmos[reg] = (uint8_t)v;
	r->cmos[reg + 1] = (uint8_t)(v >> 8);
}

static void fill_ram(struct rtc *r, uint64_t ram_bytes)
{
	uint64_t low = ram_bytes < GUEST_MMIO_START ? ram_bytes : GUEST_MMIO_START, high = (ram_bytes - low) >> 16;
	uint64_t ext_kib = low > GUEST_HIGH_START ? (low - GUEST_HIGH_START) >> 10 : 0;
	unsigned sum = 0;

	put16(r, BASE_KIB, (low < GUEST_LOW_END ? low : GUEST_LOW_END) >> 10);
	put16(r, EXT_KIB, ext_kib);
	put16(r, EXT_KIB_AGAIN, ext_kib);
	put16(r, ABOVE_16M, low > 0x1000000 ? (low - 0x1000000) >> 16 : 0);
	if (high > 0xffffff)
		high = 0xffffff;
	for (unsigned i = 0; i < 3; i++)
		r->cmos[ABOVE_4G + i] = (uint8_t)(high >> (8 * i));
	r->cmos[EQUIPMENT] = 0x02; /* a coprocessor */
	for (unsigned i = SUMMED; i < SUM; i++)
		sum += r->cmos[i];
	r->cmos[SUM] = (uint8_t)(sum >> 8);
	r->cmos[SUM + 1] = (uint8_t)sum;
}

void rtc_reset(struct rtc *r)
{
	catch_up(r);
	r->cmos[REG_B] &= ~(B_PIE | B_AIE | B_UIE | B_SQWE);
	r->cmos[REG_C] = 0;
	r->index = 0;
	settle(r);
}

void rtc_init(struct rtc *r, struct clock *clock, struct irq_line irq, uint64_t ram_bytes)
{
	memset(r, 0, sizeof(*r));
	r->clock = clock;
	r->irq = irq;
	r->timer = (struct dev_timer){ .fire = on_timer, .arg = r };
	clock_add(clock, &r->timer);
	r->days = (int64_t)(clock->epoch / DAY_S);
	r->second = (int64_t)(clock->epoch % DAY_S);
	r->cmos[REG_A] = A_DV_ON | 6; /* as PC firmware: 1,024 Hz, selected and not enabled */
	r->cmos[REG_B] = B_24H;
	r->cmos[REG_D] = D_VRT;
	fill_ram(r, ram_bytes);
	r->seen_second = age(r) / NS_PER_S;
	r->seen_period = divider(r) / period(r);
	settle(r);
}
