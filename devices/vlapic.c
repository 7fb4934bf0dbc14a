/* The local APIC's state: requests and priorities, messages, modes. Registers and timer have files of their own. */
#include "devices/vlapic.h"

#include <errno.h>
#include <string.h>

#include "devices/vlapic_priv.h"

#define LVT_MODE(lvt) ((lvt) >> 8 & 7)
#define VECTOR_MIN 16u /* those below belong to exceptions and are illegal here (11.5.2) */

bool vlapic_enabled(const struct vlapic *l)
{
	return l->base & BASE_ENABLE;
}

/* ---- requests and priorities (11.8) */

static void vector_set(uint64_t set[4], uint8_t v, bool value)
{
	uint64_t bit = 1ull << (v % 64);

	set[v / 64] = value ? set[v / 64] | bit : set[v / 64] & ~bit;
}

static int highest(const uint64_t set[4])
{
	for (int i = 3; i >= 0; i--)
		if (set[i])
			return i * 64 + 63 - __builtin_clzll(set[i]);
	return -1;
}

uint8_t vlapic_ppr(const struct vlapic *l)
{
	int serving = highest(l->isr);
	unsigned class = serving < 0 ? 0 : (unsigned)serving & 0xf0;

	return (uint8_t)((l->tpr & 0xf0) >= class ? l->tpr : class);
}

int vlapic_pending(const struct vlapic *l)
{
	int best = highest(l->irr);

	return best >= 0 && (best & 0xf0) > (vlapic_ppr(l) & 0xf0) ? best : -1;
}

static void changed(struct vlapic *l)
{
	if (vlapic_pending(l) >= 0)
		l->ops->intr(l->arg);
}

bool vlapic_request(struct vlapic *l, uint8_t vector, bool level)
{
	if (!vlapic_enabled(l) || !(l->svr & SVR_ENABLE))
		return false;
	if (vector < VECTOR_MIN) {
		vlapic_error(l, ESR_RECEIVED_VECTOR);
		return false;
	}
	vector_set(l->irr, vector, true);
	vector_set(l->tmr, vector, level);
	changed(l);
	return true;
}

uint8_t vlapic_ack(struct vlapic *l)
{
	int v = vlapic_pending(l);

	if (v < 0)
		return (uint8_t)l->svr;
	vector_set(l->irr, (uint8_t)v, false);
	vector_set(l->isr, (uint8_t)v, true);
	if ((uint8_t)v == (uint8_t)l->lvt[VLAPIC_TIMER])
		vlapic_timer_taken(l);
	return (uint8_t)v;
}

void vlapic_eoi(struct vlapic *l)
{
	int v = highest(l->isr);

	if (v < 0)
		return;
	vector_set(l->isr, (uint8_t)v, false);
	if (vector_get(l->tmr, (uint8_t)v))
		l->ops->eoi(l->arg, (uint8_t)v);
	changed(l);
}

void vlapic_set_tpr(struct vlapic *l, uint8_t tpr)
{
	l->tpr = tpr;
	l->ops->intr(l->arg);
}

/* ---- local sources (11.5.1) */

/* The error interrupt's own vector may be illegal; that is noted too, and ends there. */
void vlapic_error(struct vlapic *l, uint32_t bits)
{
	bool known = (l->errors & bits) == bits;

	l->errors |= bits;
	if (!known)
		vlapic_local(l, VLAPIC_ERROR);
}

void vlapic_local(struct vlapic *l, unsigned entry)
{
	uint32_t lvt = l->lvt[entry];

	if (!vlapic_enabled(l) || lvt & LVT_MASKED)
		return;
	/* Timer and error have no mode: always fixed. */
	switch (entry == VLAPIC_TIMER || entry == VLAPIC_ERROR ? APIC_FIXED : LVT_MODE(lvt)) {
	case APIC_FIXED: (void)vlapic_request(l, (uint8_t)lvt, false); break;
	case APIC_NMI: l->ops->nmi(l->arg); break;
	case APIC_INIT: l->ops->init(l->arg); break;
	}
	/* The CPU has no system-management mode that a message could start; ExtINT is vlapic_takes_extint's. */
}

bool vlapic_takes_extint(const struct vlapic *l)
{
	uint32_t lvt = l->lvt[VLAPIC_LINT0];

	return !vlapic_enabled(l) || (!(lvt & LVT_MASKED) && LVT_MODE(lvt) == APIC_EXTINT);
}

void vlapic_lint(struct vlapic *l, unsigned n, bool level)
{
	bool rise = level && !l->lint[n];

	l->lint[n] = level;
	if (rise && vlapic_enabled(l))
		vlapic_local(l, VLAPIC_LINT0 + n);
	else if (rise && n == 1) /* then LINT1 is the CPU's NMI pin (11.4.3) */
		l->ops->nmi(l->arg);
}

/* ---- messages (11.6.2) */

static bool logical_match(const struct vlapic *l, uint32_t dest)
{
	uint32_t ldr = l->ldr >> 24;

	if (x2apic(l)) /* cluster and set (11.12.10.2); an I/O APIC's eight bits name cluster 0 */
		return dest >> 16 == l->ldr >> 16 && (dest & l->ldr & 0xffff);
	if (l->dfr >> 28 == 0xf)
		return dest & ldr & 0xff;
	return (dest >> 4 == ldr >> 4 || dest >> 4 == 0xf) && (dest & ldr & 0xf);
}

static bool for_us(const struct vlapic *l, const struct apic_message *m)
{
	if (m->dest == APIC_EVERYONE)
		return true;
	return m->logical ? logical_match(l, m->dest) : m->dest == (x2apic(l) ? 0 : l->id);
}

bool vlapic_message(struct vlapic *l, const struct apic_message *m)
{
	if (!vlapic_enabled(l) || !for_us(l, m))
		return false;
	switch (m->mode) {
	case APIC_FIXED:
	case APIC_LOWEST: return vlapic_request(l, m->vector, m->level);
	case APIC_NMI: l->ops->nmi(l->arg); return true;
	case APIC_INIT: l->ops->init(l->arg); return true;
	case APIC_SIPI: return true; /* a CPU that runs ignores it (SDM vol. 3, 9.4.4) */
	default: return false;
	}
}

/* ---- modes (11.4, 11.12.5) */

static void set_base(struct vlapic *l, uint64_t base)
{
	if (l->mapped)
		(void)bus_remove(l->bus, BUS_MMIO, l->base & BASE_ADDRESS);
	l->base = base;
	l->mapped = vlapic_enabled(l) && !x2apic(l) &&
		    !bus_add(l->bus, BUS_MMIO, base & BASE_ADDRESS, VLAPIC_BYTES, &vlapic_bus_ops, l);
}

/* All but the base (11.4.7.1). */
static void clear(struct vlapic *l)
{
	l->id = l->tpr = l->ldr = l->esr = l->errors = l->icr_low = l->icr_high = 0;
	l->dfr = UINT32_MAX;
	l->svr = 0xff;
	memset(l->irr, 0, sizeof(l->irr));
	memset(l->isr, 0, sizeof(l->isr));
	memset(l->tmr, 0, sizeof(l->tmr));
	for (unsigned i = 0; i < VLAPIC_LVTS; i++)
		l->lvt[i] = LVT_MASKED;
	vlapic_timer_reset(l);
}

int vlapic_set_base(struct vlapic *l, uint64_t value)
{
	uint64_t mode = value & (BASE_ENABLE | BASE_X2APIC), old = l->base & (BASE_ENABLE | BASE_X2APIC);

	if (value & 0xfff & ~(BASE_BSP | BASE_X2APIC | BASE_ENABLE))
		return -EINVAL;
	/* x2APIC mode is entered from xAPIC mode, and left for the disabled state, only (figure 11-27). */
	if (mode == BASE_X2APIC || (mode == BASE_ENABLE && old == (BASE_ENABLE | BASE_X2APIC)) ||
	    (mode == (BASE_ENABLE | BASE_X2APIC) && !old))
		return -EINVAL;
	if (!mode && old)
		clear(l);
	set_base(l, (value & ~BASE_BSP) | BASE_BSP);
	if (x2apic(l) && mode != old) {
		l->ldr = 1; /* cluster 0, the first in it: made of the id (11.12.10.2) */
		l->icr_high = 0;
	}
	l->ops->intr(l->arg);
	l->ops->reachable(l->arg);
	return 0;
}

void vlapic_reset(struct vlapic *l)
{
	clear(l);
	set_base(l, VLAPIC_BASE | BASE_ENABLE | BASE_BSP);
}

void vlapic_virtual_wire(struct vlapic *l)
{
	l->svr |= SVR_ENABLE;
	l->lvt[VLAPIC_LINT0] = APIC_EXTINT << 8;
	l->lvt[VLAPIC_LINT1] = APIC_NMI << 8;
}

void vlapic_init(struct vlapic *l, struct bus *bus, struct clock *clock, const struct vlapic_ops *ops, void *arg)
{
	memset(l, 0, sizeof(*l));
	l->bus = bus;
	l->clock = clock;
	l->ops = ops;
	l->arg = arg;
	l->timer = (struct dev_timer){ .fire = vlapic_timer_fire, .arg = l };
	clock_add(clock, &l->timer);
	vlapic_reset(l);
}
