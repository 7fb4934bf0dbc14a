/* Guest time as devices see it, and their timers. The owner (vmm/ or a unit test) says what time it is and arms hardware. */
#ifndef DEVICES_CLOCK_H
#define DEVICES_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define CLOCK_NEVER UINT64_MAX

struct dev_timer {
	uint64_t deadline; /* nanoseconds of guest time; CLOCK_NEVER: off */
	void (*fire)(void *arg);
	void *arg;
	struct dev_timer *next;
};

struct clock {
	uint64_t (*now)(void *arg); /* guest nanoseconds since power-on, monotonic */
	void *arg;
	uint64_t epoch;             /* wall-clock seconds since 1970 at power-on, for the RTC */
	bool *changed;              /* the owner's: set when clock_set moved a deadline; or NULL */
	struct dev_timer *timers;   /* all that were ever added */
};

/** Current guest time in nanoseconds. */
static inline uint64_t clock_now(struct clock *c)
{
	return c->now(c->arg);
}

/** Adds a timer that is off; it must outlive the clock. fire and arg must be set. */
void clock_add(struct clock *c, struct dev_timer *t);
/** Sets a timer's deadline (CLOCK_NEVER: off). */
void clock_set(struct clock *c, struct dev_timer *t, uint64_t deadline);
/** The earliest deadline of all, or CLOCK_NEVER. */
uint64_t clock_next(const struct clock *c);
/** Fires every timer that is due (each is turned off first; its handler may set it again, at most once a call). */
void clock_run(struct clock *c);

#endif
