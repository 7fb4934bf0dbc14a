/* The local APIC's timer (SDM vol. 3, 11.5.4); devices/vlapic.h states how late ticks are treated. */
#include "devices/vlapic_priv.h"

static bool masked(const struct vlapic *l)
{
	return l->lvt[VLAPIC_TIMER] & LVT_MASKED;
}

static unsigned mode(const struct vlapic *l)
{
	return LVT_TIMER_MODE(l->lvt[VLAPIC_TIMER]);
}

static bool counts(const struct vlapic *l)
{
	return mode(l) == TIMER_ONE_SHOT || mode(l) == TIMER_PERIODIC;
}

/* Nanoseconds of one count: divide by 2, 4, ... 128, 1 (figure 11-10). */
static uint64_t step(const struct vlapic *l)
{
	unsigned code = (l->divide & 3) | (l->divide >> 1 & 4);

	return (uint64_t)VLAPIC_TICK_NS << ((code + 1) & 7);
}

/* n ticks at once: all but the first one are late, and that too when others are still owed before it. */
static void tick(struct vlapic *l, uint64_t n)
{
	uint64_t owed = l->late ? l->late + n : n - 1;

	if (masked(l))
		return;
	l->late = owed < VLAPIC_LATE_MAX ? (uint32_t)owed : VLAPIC_LATE_MAX;
	l->dropped += owed - l->late;
	vlapic_local(l, VLAPIC_TIMER);
}

static void settle_deadline(struct vlapic *l)
{
	if (!l->deadline || l->ops->tsc(l->arg) < l->deadline)
		return;
	l->deadline = 0;
	vlapic_local(l, VLAPIC_TIMER);
}

/* Brings the count, and what it raised, up to now; returns the time that this is, which a count is never behind. */
static uint64_t settle(struct vlapic *l)
{
	uint64_t now = clock_now(l->clock), period, n;

	if (mode(l) == TIMER_TSC_DEADLINE) {
		settle_deadline(l);
	} else if (l->end == CLOCK_NEVER || now < l->end) {
		return now;
	} else if (mode(l) == TIMER_ONE_SHOT) {
		l->end = CLOCK_NEVER;
		vlapic_local(l, VLAPIC_TIMER);
	} else {
		period = l->initial * step(l);
		n = (now - l->end) / period + 1;
		l->end += n * period;
		l->woke = now;
		tick(l, n);
	}
	return now;
}

static void arm(struct vlapic *l)
{
	uint64_t at = CLOCK_NEVER;

	if (masked(l))
		at = CLOCK_NEVER;
	else if (mode(l) == TIMER_TSC_DEADLINE && l->deadline)
		at = l->ops->tsc_time(l->arg, l->deadline);
	else if (mode(l) == TIMER_ONE_SHOT)
		at = l->end;
	else if (mode(l) == TIMER_PERIODIC && l->end != CLOCK_NEVER)
		at = l->end < l->woke + VLAPIC_WAKE_NS ? l->woke + VLAPIC_WAKE_NS : l->end;
	if (at != l->timer.deadline)
		clock_set(l->clock, &l->timer, at);
}

void vlapic_timer_fire(void *arg)
{
	struct vlapic *l = arg;

	settle(l);
	arm(l);
}

void vlapic_timer_taken(struct vlapic *l)
{
	if (!l->late)
		return;
	l->late--;
	vlapic_local(l, VLAPIC_TIMER);
}

uint32_t vlapic_timer_current(struct vlapic *l)
{
	uint64_t now = settle(l);

	arm(l);
	if (!counts(l) || l->end == CLOCK_NEVER)
		return 0;
	return (uint32_t)((l->end - now + step(l) - 1) / step(l));
}

/* 0 stops the timer. In TSC-deadline mode the write is ignored (11.5.4.1). */
void vlapic_timer_set_initial(struct vlapic *l, uint32_t count)
{
	if (mode(l) == TIMER_TSC_DEADLINE)
		return;
	settle(l);
	l->initial = count;
	l->late = 0;
	l->end = count && counts(l) ? clock_now(l->clock) + count * step(l) : CLOCK_NEVER;
	arm(l);
}

/* The count goes on from where it stands, at the new pace. */
void vlapic_timer_set_divide(struct vlapic *l, uint32_t divide)
{
	uint32_t left = vlapic_timer_current(l);

	l->divide = divide & 0xb;
	if (left)
		l->end = clock_now(l->clock) + left * step(l);
	arm(l);
}

/* Between one-shot and periodic the count goes on; to and from TSC-deadline mode the timer is disarmed (11.5.4.1). */
void vlapic_timer_set_lvt(struct vlapic *l, uint32_t lvt)
{
	uint32_t old = l->lvt[VLAPIC_TIMER];

	settle(l);
	l->lvt[VLAPIC_TIMER] = lvt;
	if (old != lvt)
		l->late = 0;
	if (LVT_TIMER_MODE(old) != LVT_TIMER_MODE(lvt) && (LVT_TIMER_MODE(old) >= TIMER_TSC_DEADLINE || !counts(l))) {
		l->end = CLOCK_NEVER;
		l->deadline = 0;
	}
	arm(l);
}

uint64_t vlapic_deadline(struct vlapic *l)
{
	settle(l);
	return l->deadline;
}

void vlapic_set_deadline(struct vlapic *l, uint64_t tsc)
{
	if (mode(l) != TIMER_TSC_DEADLINE)
		return;
	l->deadline = tsc;
	settle(l);
	arm(l);
}

void vlapic_tsc_changed(struct vlapic *l)
{
	settle(l);
	arm(l);
}

void vlapic_timer_reset(struct vlapic *l)
{
	l->initial = l->divide = l->late = 0;
	l->deadline = l->woke = 0;
	l->end = CLOCK_NEVER;
	arm(l);
}
