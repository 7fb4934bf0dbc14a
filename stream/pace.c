/* pace.h */
#include "stream/pace.h"

void pace_init(struct pace *p, unsigned share, uint64_t now)
{
	*p = (struct pace){ .share = share < 1 ? 1 : share > 100 ? 100 : share, .last = now };
}

/* What is not used soon is forfeit: a guest that was idle long does not pay for it later. */
static void earn(struct pace *p, uint64_t now)
{
	uint64_t most = 100ull * PACE_SLICE_NS / p->share, elapsed = now - p->last < most ? now - p->last : most;

	p->last = now;
	p->credit += (int64_t)(elapsed * p->share / 100);
	if (p->credit > PACE_SLICE_NS)
		p->credit = PACE_SLICE_NS;
}

uint64_t pace_allow(struct pace *p, uint64_t now, bool idle)
{
	earn(p, now);
	if (idle)
		return PACE_IDLE_SLICE_NS;
	return p->credit >= PACE_SLICE_NS ? (uint64_t)p->credit : 0;
}

void pace_use(struct pace *p, uint64_t spent, bool idle)
{
	p->used += spent;
	if (idle)
		return;
	p->used_busy += spent;
	p->credit -= (int64_t)spent;
}

uint64_t pace_next(const struct pace *p, uint64_t now)
{
	int64_t missing = PACE_SLICE_NS - p->credit;

	if (missing <= 0)
		return now;
	return p->last + ((uint64_t)missing * 100 + p->share - 1) / p->share;
}
