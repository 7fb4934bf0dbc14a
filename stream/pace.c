/* pace.h */
#include "stream/pace.h"

#define EARN_MAX_NS (1ull << 40) /* at once, so that nothing overflows: 18 minutes */

void pace_init(struct pace *p, unsigned share, uint64_t now)
{
	*p = (struct pace){ .share = share < 1 ? 1 : share > 100 ? 100 : share, .last = now, .idle = true };
}

/* Time is earned while the guest has work. What is not used soon is forfeit: a guest that was left alone long does not pay later.
 */
static void earn(struct pace *p, uint64_t now)
{
	uint64_t elapsed = now > p->last ? now - p->last : 0;

	p->last = now > p->last ? now : p->last;
	if (p->idle)
		return;
	elapsed = elapsed < EARN_MAX_NS ? elapsed : EARN_MAX_NS;
	p->busy += elapsed;
	p->credit += (int64_t)(elapsed * p->share);
	if (p->credit > PACE_SLICE_NS * 100)
		p->credit = PACE_SLICE_NS * 100;
}

uint64_t pace_allow(struct pace *p, uint64_t now, bool idle)
{
	earn(p, now);
	p->idle = idle;
	if (idle)
		return PACE_IDLE_SLICE_NS;
	return p->credit >= PACE_SLICE_NS * 100 ? PACE_SLICE_NS : 0;
}

void pace_use(struct pace *p, uint64_t spent)
{
	p->used += spent;
	if (p->idle)
		return;
	p->used_busy += spent;
	p->credit -= (int64_t)((spent < EARN_MAX_NS ? spent : EARN_MAX_NS) * 100);
}

uint64_t pace_next(const struct pace *p, uint64_t now)
{
	int64_t missing = PACE_SLICE_NS * 100 - p->credit;

	if (missing <= 0 || p->idle)
		return now;
	return p->last + ((uint64_t)missing + p->share - 1) / p->share;
}

unsigned pace_taken(const struct pace *p)
{
	return p->busy ? (unsigned)(p->used_busy / (p->busy / 1000 + 1)) : 0;
}
