/* The local APIC's registers, as memory (SDM vol. 3, 11.4.1) and as x2APIC's MSRs (11.12.1.2). */
#include <errno.h>

#include "devices/vlapic_priv.h"

#define VERSION (0x14u | (VLAPIC_LVTS - 1u) << 16) /* 11.4.8 */

#define ICR_WRITABLE 0x000ccfffu
#define ICR_VECTOR(low) ((uint8_t)(low))
#define ICR_MODE(low) ((low) >> 8 & 7)
#define ICR_LOGICAL (1u << 11)
#define ICR_ASSERT (1u << 14)
#define ICR_LEVEL (1u << 15)
#define ICR_SHORTHAND(low) ((low) >> 18 & 3)
enum { TO_DEST, TO_SELF, TO_ALL, TO_OTHERS };

static const uint32_t lvt_writable[VLAPIC_LVTS] = {
	[VLAPIC_TIMER] = 0x000700ff, [VLAPIC_THERMAL] = 0x000107ff, [VLAPIC_PERF] = 0x000107ff,
	[VLAPIC_LINT0] = 0x0001a7ff, [VLAPIC_LINT1] = 0x0001a7ff,   [VLAPIC_ERROR] = 0x000100ff,
};

/* ---- reading */

/* Word n (0..7) of a 256-bit set. */
static uint32_t word(const uint64_t set[4], unsigned n)
{
	return (uint32_t)(set[n / 2] >> 32 * (n & 1));
}

/* A register that has its own 16 bytes from offset reg on. False: there is none. */
static bool read_register(struct vlapic *l, uint32_t reg, uint32_t *value)
{
	switch (reg) {
	case REG_ID: *value = x2apic(l) ? 0 : l->id << 24; return true;
	case REG_VERSION: *value = VERSION; return true;
	case REG_TPR: *value = l->tpr; return true;
	case REG_PPR: *value = vlapic_ppr(l); return true;
	case REG_LDR: *value = l->ldr; return true;
	case REG_DFR: *value = l->dfr; return !x2apic(l);
	case REG_SVR: *value = l->svr; return true;
	case REG_ISR ... REG_ISR + 0x7f: *value = word(l->isr, (reg - REG_ISR) >> 4); return true;
	case REG_TMR ... REG_TMR + 0x7f: *value = word(l->tmr, (reg - REG_TMR) >> 4); return true;
	case REG_IRR ... REG_IRR + 0x7f: *value = word(l->irr, (reg - REG_IRR) >> 4); return true;
	case REG_ESR: *value = l->esr; return true;
	case REG_ICR_LOW: *value = l->icr_low; return true;
	case REG_ICR_HIGH: *value = l->icr_high; return !x2apic(l);
	case REG_LVT ... REG_LVT + 0x10 * VLAPIC_LVTS - 1: *value = l->lvt[(reg - REG_LVT) >> 4]; return true;
	case REG_TIMER_INITIAL: *value = l->initial; return true;
	case REG_TIMER_CURRENT: *value = vlapic_timer_current(l); return true;
	case REG_TIMER_DIVIDE: *value = l->divide; return true;
	default: return false;
	}
}

/* ---- writing */

void vlapic_icr(struct vlapic *l, uint32_t low, uint32_t dest)
{
	struct apic_message m = {
		.dest = dest,
		.vector = ICR_VECTOR(low),
		.mode = (uint8_t)ICR_MODE(low),
		.logical = low & ICR_LOGICAL,
	};

	/* INIT level de-assert was for APICs before the Pentium 4 (11.6.1). */
	if (m.mode == APIC_INIT && (low & (ICR_LEVEL | ICR_ASSERT)) == ICR_LEVEL)
		return;
	if ((m.mode == APIC_FIXED || m.mode == APIC_LOWEST) && m.vector < 16) {
		vlapic_error(l, ESR_SENT_VECTOR);
		return;
	}
	switch (ICR_SHORTHAND(low)) {
	case TO_OTHERS: return; /* there are none */
	case TO_ALL: m.dest = APIC_EVERYONE; break;
	case TO_SELF:
		m.dest = APIC_EVERYONE;
		if (m.mode != APIC_FIXED && m.mode != APIC_NMI) /* table 11-3; NMIs to oneself work on CPUs all the same */
			return;
		break;
	}
	(void)vlapic_message(l, &m);
}

static void write_svr(struct vlapic *l, uint32_t value)
{
	l->svr = value & 0x3ff;
	if (!(l->svr & SVR_ENABLE))
		for (unsigned i = 0; i < VLAPIC_LVTS; i++) {
			if (i == VLAPIC_TIMER)
				vlapic_timer_set_lvt(l, l->lvt[i] | LVT_MASKED);
			l->lvt[i] |= LVT_MASKED; /* 11.4.7.2 */
		}
	l->ops->intr(l->arg);
	l->ops->reachable(l->arg);
}

static void write_lvt(struct vlapic *l, unsigned entry, uint32_t value)
{
	value &= lvt_writable[entry];
	if (!(l->svr & SVR_ENABLE))
		value |= LVT_MASKED;
	if (entry == VLAPIC_TIMER)
		vlapic_timer_set_lvt(l, value);
	l->lvt[entry] = value;
	if (entry == VLAPIC_LINT0)
		l->ops->intr(l->arg);
}

static void write_addressing(struct vlapic *l, uint32_t *reg, uint32_t value)
{
	*reg = value;
	l->ops->reachable(l->arg);
}

/* False: there is no such register, or it cannot be written. */
static bool write_register(struct vlapic *l, uint32_t reg, uint32_t value)
{
	switch (reg) {
	case REG_EOI: vlapic_eoi(l); return true;
	case REG_TPR: vlapic_set_tpr(l, (uint8_t)value); return true;
	case REG_ID: write_addressing(l, &l->id, value >> 24); return true;
	case REG_LDR: write_addressing(l, &l->ldr, value & 0xff000000); return true;
	case REG_DFR: write_addressing(l, &l->dfr, value | 0x0fffffff); return true;
	case REG_SVR: write_svr(l, value); return true;
	case REG_ESR:
		l->esr = l->errors;
		l->errors = 0;
		return true;
	case REG_ICR_LOW:
		l->icr_low = value & ICR_WRITABLE;
		vlapic_icr(l, l->icr_low, l->icr_high >> 24 == 0xff ? APIC_EVERYONE : l->icr_high >> 24);
		return true;
	case REG_ICR_HIGH: l->icr_high = value & 0xff000000; return true;
	case REG_LVT ... REG_LVT + 0x10 * VLAPIC_LVTS - 1: write_lvt(l, (reg - REG_LVT) >> 4, value); return true;
	case REG_TIMER_INITIAL: vlapic_timer_set_initial(l, value); return true;
	case REG_TIMER_DIVIDE: vlapic_timer_set_divide(l, value); return true;
	default: return false;
	}
}

/* ---- memory */

/* Registers are read whole or in parts; beyond their four bytes lies nothing. */
static uint64_t mmio_read(void *dev, uint64_t addr, unsigned size)
{
	struct vlapic *l = dev;
	uint32_t value = 0;

	(void)size; /* the bus takes what it needs of it */
	if ((addr & 0xf) >= 4)
		return 0;
	if ((addr & ~0xfull) != REG_EOI && !read_register(l, (uint32_t)addr & ~0xfu, &value))
		vlapic_error(l, ESR_REGISTER);
	return value >> 8 * (addr & 3);
}

/* Writes of less than a whole register do nothing (11.4.1: they are not defined). */
static void mmio_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct vlapic *l = dev;
	uint32_t ignored;

	if (size != 4 || addr & 0xf)
		return;
	if (!write_register(l, (uint32_t)addr, (uint32_t)value) && !read_register(l, (uint32_t)addr, &ignored))
		vlapic_error(l, ESR_REGISTER);
}

const struct bus_ops vlapic_bus_ops = { .name = "local APIC", .read = mmio_read, .write = mmio_write, .access_max = 4 };

/* ---- x2APIC: table 11-6 */

#define MSR_FIRST 0x800u
#define MSR_LAST 0x8ffu
#define MSR_OFFSET(msr) (((msr)-MSR_FIRST) << 4)

/* Bits that a write may set; the others are reserved. 0 for registers that cannot be written, or take nothing but 0. */
static uint64_t msr_writable(uint32_t reg)
{
	switch (reg) {
	case REG_TPR: return 0xff;
	case REG_SVR: return 0x3ff;
	case REG_ICR_LOW: return 0xffffffff00000000ull | (ICR_WRITABLE & ~(1u << 12));
	case REG_LVT ... REG_LVT + 0x10 * VLAPIC_LVTS - 1: return lvt_writable[(reg - REG_LVT) >> 4];
	case REG_TIMER_INITIAL: return UINT32_MAX;
	case REG_TIMER_DIVIDE: return 0xb;
	case REG_SELF_IPI: return 0xff;
	default: return 0;
	}
}

/* Registers that WRMSR may write at all. */
static bool msr_takes_writes(uint32_t reg)
{
	return msr_writable(reg) || reg == REG_EOI || reg == REG_ESR;
}

static bool is_x2apic_msr(const struct vlapic *l, uint32_t msr)
{
	return x2apic(l) && msr >= MSR_FIRST && msr <= MSR_LAST;
}

int vlapic_msr_read(struct vlapic *l, uint32_t msr, uint64_t *value)
{
	uint32_t low;

	if (!is_x2apic_msr(l, msr) || !read_register(l, MSR_OFFSET(msr), &low))
		return -EINVAL;
	*value = low;
	if (MSR_OFFSET(msr) == REG_ICR_LOW)
		*value |= (uint64_t)l->icr_high << 32;
	return 0;
}

int vlapic_msr_write(struct vlapic *l, uint32_t msr, uint64_t value)
{
	uint32_t reg = MSR_OFFSET(msr), low = (uint32_t)value;

	if (!is_x2apic_msr(l, msr) || !msr_takes_writes(reg) || value & ~msr_writable(reg))
		return -EINVAL;
	if (reg == REG_ICR_LOW) {
		l->icr_low = low;
		l->icr_high = (uint32_t)(value >> 32);
		vlapic_icr(l, low, l->icr_high);
	} else if (reg == REG_SELF_IPI) {
		vlapic_icr(l, TO_SELF << 18 | low, 0);
	} else {
		(void)write_register(l, reg, low);
	}
	return 0;
}
