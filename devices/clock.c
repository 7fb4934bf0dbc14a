#include "devices/clock.h"

#include <stddef.h>

void clock_add(struct clock *c, struct dev_timer *t)
{
	t->deadline = CLOCK_NEVER;
	/* A device that is made anew brings the same timer again; twice in the list would close it into a ring. */
	for (struct dev_timer *i = c->timers; i; i = i->next)
		if (i == t)
			return;
	t->next = c->timers;
	c->timers = t;
}

void clock_set(struct clock *c, struct dev_timer *t, uint64_t deadline)
{
	if (c->changed)
		*c->changed = true;
	t->deadline = deadline;
}

uint64_t clock_next(const struct clock *c)
{
	uint64_t first = CLOCK_NEVER;

	for (const struct dev_timer *t = c->timers; t; t = t->next)
		if (t->deadline < first)
			first = t->deadline;
	return first;
}

void clock_run(struct clock *c)
{
	uint64_t now = clock_now(c);

	for (struct dev_timer *t = c->timers; t; t = t->next) {
		if (t->deadline == CLOCK_NEVER || t->deadline > now)
			continue;
		t->deadline = CLOCK_NEVER;
		t->fire(t->arg);
	}
}
