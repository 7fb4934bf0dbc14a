#include "vmm/mtrr.h"

#include <errno.h>
#include <string.h>

#include "mm/layout.h"
#include "vmm/cpu.h"
#include "vmm/hw/msr.h"
#include "vmm/vm.h"

enum { TYPE_UC = 0, TYPE_WB = 6 };

#define DEF_FIXED (1u << 10)
#define DEF_ENABLE (1u << 11)
#define MASK_VALID (1u << 11)
#define ALL_WB 0x0606060606060606ull
#define VGA_WINDOW 2u /* of the fixed ones, A0000 to BFFFF */

/* The register, or NULL: which of the fixed ones it is (12.11.2.2), or one of the ranges. */
static uint64_t *find(struct mtrr *m, uint32_t msr)
{
	if (msr >= MSR_MTRR_PHYSBASE0 && msr < MSR_MTRR_PHYSBASE0 + 2 * MTRR_RANGES)
		return &m->range[msr - MSR_MTRR_PHYSBASE0];
	if (msr == MSR_MTRR_FIX64K_00000)
		return &m->fixed[0];
	if (msr == MSR_MTRR_FIX16K_80000 || msr == MSR_MTRR_FIX16K_A0000)
		return &m->fixed[1 + msr - MSR_MTRR_FIX16K_80000];
	if (msr >= MSR_MTRR_FIX4K_C0000 && msr <= MSR_MTRR_FIX4K_F8000)
		return &m->fixed[3 + msr - MSR_MTRR_FIX4K_C0000];
	return msr == MSR_MTRR_DEF_TYPE ? &m->def_type : NULL;
}

/* UC, WC, WT, WP, WB (table 12-8). */
static bool type_ok(uint8_t type)
{
	return type < 7 && type != 2 && type != 3;
}

static bool value_ok(const struct mtrr *m, const uint64_t *reg, uint64_t value, unsigned phys_bits)
{
	uint64_t beyond = ~((1ull << phys_bits) - 1);

	if (reg == &m->def_type)
		return type_ok((uint8_t)value) && !(value & ~(0xffull | DEF_FIXED | DEF_ENABLE));
	if (reg >= m->range && reg < m->range + 2 * MTRR_RANGES)
		return (reg - m->range) % 2 ? !(value & (beyond | 0x7ff)) : type_ok((uint8_t)value) && !(value & (beyond | 0xf00));
	for (unsigned i = 0; i < 8; i++)
		if (!type_ok((uint8_t)(value >> 8 * i)))
			return false;
	return true;
}

int mtrr_get(struct vcpu *v, uint64_t *value)
{
	const uint64_t *reg = find(&v->mtrr, (uint32_t)v->gpr[RCX]);

	if (!reg)
		return -EINVAL;
	*value = *reg;
	return 0;
}

int mtrr_set(struct vcpu *v, uint64_t value)
{
	uint64_t *reg = find(&v->mtrr, (uint32_t)v->gpr[RCX]);

	if (!reg || !value_ok(&v->mtrr, reg, value, v->cpu->features.phys_bits))
		return -EINVAL;
	*reg = value;
	return 0;
}

void mtrr_reset(struct mtrr *m)
{
	memset(m, 0, sizeof(*m));
}

void mtrr_boot(struct mtrr *m, unsigned phys_bits)
{
	mtrr_reset(m);
	for (unsigned i = 0; i < MTRR_FIXED; i++)
		m->fixed[i] = i == VGA_WINDOW ? 0 : ALL_WB;
	m->range[0] = GUEST_MMIO_START | TYPE_UC;
	m->range[1] = (((1ull << phys_bits) - 1) & ~((1ull << 32) - GUEST_MMIO_START - 1)) | MASK_VALID;
	m->def_type = DEF_ENABLE | DEF_FIXED | TYPE_WB;
}
