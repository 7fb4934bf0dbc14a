/*
 * MSRs: one table. What it does not name is #GP, as for an MSR that the CPU lacks. "pass" lets the guest use the MSR without an exit; the
 * hardware then keeps and checks the value itself.
 */
#include <errno.h>
#include <stddef.h>

#include "vmm/cpu.h"
#include "vmm/exit.h"
#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/mtrr.h"
#include "vmm/paging.h"
#include "vmm/vm.h"

enum msr_action {
	MSR_GP = 0,  /* #GP(0) */
	MSR_PASS,    /* no exit */
	MSR_EMULATE, /* the rule's function */
	MSR_VALUE,   /* read: the rule's constant; write: ignored */
};

struct msr_rule {
	uint32_t msr, last; /* last: of several with one rule, none of them without an exit; 0: one */
	enum msr_action read, write;
	uint64_t value;
	int (*get)(struct vcpu *v, uint64_t *value);
	int (*set)(struct vcpu *v, uint64_t value); /* -EINVAL: #GP */
	bool (*when)(void);                         /* the guest is offered it; NULL: always */
};

static int efer_get(struct vcpu *v, uint64_t *value)
{
	*value = vcpu_efer(v);
	return 0;
}

/* SDM vol. 3, 2.2.1; APM vol. 2, 3.1.7. */
static int efer_set(struct vcpu *v, uint64_t value)
{
	uint64_t old = vcpu_efer(v), allowed = EFER_SCE | EFER_LME | EFER_LMA;

	if (v->cpu->features.nx)
		allowed |= EFER_NXE;
	if (v->cpu->features.virt == VIRT_SVM)
		allowed |= EFER_FFXSR;
	if (value & ~allowed)
		return -EINVAL;
	if (((old ^ value) & EFER_LME) && (vcpu_cr0(v) & CR0_PG))
		return -EINVAL;
	vcpu_set_efer(v, (value & ~EFER_LMA) | (old & EFER_LMA)); /* LMA is the CPU's */
	if ((old ^ value) & EFER_NXE)
		paging_changed(v);
	return 0;
}

static int pat_get(struct vcpu *v, uint64_t *value)
{
	*value = v->ops->msr_get(v, VMSR_PAT);
	return 0;
}

/* Types 0, 1, 4 to 7 (SDM vol. 3, 12.12.2). */
static int pat_set(struct vcpu *v, uint64_t value)
{
	for (unsigned i = 0; i < 8; i++) {
		uint8_t type = (uint8_t)(value >> 8 * i);

		if (type > 7 || type == 2 || type == 3)
			return -EINVAL;
	}
	v->ops->msr_set(v, VMSR_PAT, value);
	paging_pat_changed(v);
	return 0;
}

static int debugctl_get(struct vcpu *v, uint64_t *value)
{
	*value = v->ops->msr_get(v, VMSR_DEBUGCTL);
	return 0;
}

static int debugctl_set(struct vcpu *v, uint64_t value)
{
	if (value & ~3ull) /* LBR, BTF */
		return -EINVAL;
	v->ops->msr_set(v, VMSR_DEBUGCTL, value);
	return 0;
}

static bool cpu_is_amd(void)
{
	return this_cpu()->features.virt == VIRT_SVM;
}

static const struct msr_rule rules[] = {
	/* By far the most often used first. */
	{ .msr = MSR_TSC_DEADLINE, .read = MSR_EMULATE, .write = MSR_EMULATE, .get = tsc_deadline_get, .set = tsc_deadline_set },
	{ .msr = MSR_X2APIC_BASE, .last = MSR_X2APIC_BASE + 0xff, .read = MSR_EMULATE, .write = MSR_EMULATE, .get = x2apic_get, .set = x2apic_set },
	{ .msr = MSR_EFER, .read = MSR_EMULATE, .write = MSR_EMULATE, .get = efer_get, .set = efer_set },
	{ .msr = MSR_PAT, .read = MSR_EMULATE, .write = MSR_EMULATE, .get = pat_get, .set = pat_set },
	{ .msr = MSR_TSC, .read = MSR_EMULATE, .write = MSR_EMULATE, .get = tsc_get, .set = tsc_set },
	{ .msr = MSR_STAR, .read = MSR_PASS, .write = MSR_PASS },
	{ .msr = MSR_LSTAR, .read = MSR_PASS, .write = MSR_PASS },
	{ .msr = MSR_CSTAR, .read = MSR_PASS, .write = MSR_PASS },
	{ .msr = MSR_SFMASK, .read = MSR_PASS, .write = MSR_PASS },
	{ .msr = MSR_FS_BASE, .read = MSR_PASS, .write = MSR_PASS },
	{ .msr = MSR_GS_BASE, .read = MSR_PASS, .write = MSR_PASS },
	{ .msr = MSR_KERNEL_GS_BASE, .read = MSR_PASS, .write = MSR_PASS },
	{ .msr = MSR_SYSENTER_CS, .read = MSR_PASS, .write = MSR_PASS },
	{ .msr = MSR_SYSENTER_ESP, .read = MSR_PASS, .write = MSR_PASS },
	{ .msr = MSR_SYSENTER_EIP, .read = MSR_PASS, .write = MSR_PASS },
	{ .msr = MSR_TSC_AUX, .read = MSR_PASS, .write = MSR_PASS, .when = cpuid_has_tsc_aux },
	{ .msr = MSR_DEBUGCTL, .read = MSR_EMULATE, .write = MSR_EMULATE, .get = debugctl_get, .set = debugctl_set },
	{ .msr = MSR_APIC_BASE, .read = MSR_EMULATE, .write = MSR_EMULATE, .get = apic_base_get, .set = apic_base_set },
	/* Read by firmware and kernels without asking CPUID: harmless constants. */
	{ .msr = MSR_PLATFORM_ID, .read = MSR_VALUE },
	{ .msr = MSR_BIOS_SIGN_ID, .read = MSR_VALUE, .write = MSR_VALUE },
	{ .msr = MSR_MTRRCAP, .read = MSR_VALUE, .value = MTRR_CAP },
	{ .msr = MSR_MTRR_PHYSBASE0, .last = MSR_MTRR_PHYSBASE0 + 2 * MTRR_RANGES - 1, .read = MSR_EMULATE, .write = MSR_EMULATE, .get = mtrr_get, .set = mtrr_set },
	{ .msr = MSR_MTRR_FIX64K_00000, .last = MSR_MTRR_FIX4K_F8000, .read = MSR_EMULATE, .write = MSR_EMULATE, .get = mtrr_get, .set = mtrr_set },
	{ .msr = MSR_MTRR_DEF_TYPE, .read = MSR_EMULATE, .write = MSR_EMULATE, .get = mtrr_get, .set = mtrr_set },
	{ .msr = MSR_MCG_CAP, .read = MSR_VALUE },
	{ .msr = MSR_MCG_STATUS, .read = MSR_VALUE, .write = MSR_VALUE },
	{ .msr = MSR_MISC_ENABLE, .read = MSR_VALUE, .write = MSR_VALUE, .value = 1 | 1 << 11 | 1 << 12 }, /* fast strings; no BTS, PEBS */
	{ .msr = MSR_INT_PENDING, .read = MSR_VALUE, .write = MSR_VALUE, .when = cpu_is_amd }, /* erratum 400: no C1E by message */
	{ .msr = MSR_HWCR, .read = MSR_VALUE, .write = MSR_VALUE, .value = 1 << 24 }, /* TscFreqSel: the TSC counts at P0 */
	{ .msr = MSR_NB_CFG, .read = MSR_VALUE, .write = MSR_VALUE, .when = cpu_is_amd }, /* for ports 0xcf8 and 0xcfc; Linux does not ask */
	{ .msr = MSR_SYSCFG, .read = MSR_VALUE, .write = MSR_VALUE },
};

static const struct msr_rule *find(uint32_t msr)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		const struct msr_rule *r = &rules[i];

		if (msr >= r->msr && msr <= (r->last ? r->last : r->msr) && (!r->when || r->when()))
			return r;
	}
	return NULL;
}

void msr_setup(struct vcpu *v)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (!rules[i].when || rules[i].when())
			v->ops->msr_pass(v, rules[i].msr, rules[i].read == MSR_PASS, rules[i].write == MSR_PASS);
}

static const struct msr_rule *access_rule(struct vcpu *v)
{
	return exit_privileged(v) ? find((uint32_t)v->gpr[RCX]) : NULL;
}

void exit_rdmsr(struct vcpu *v, struct vm_exit *x)
{
	const struct msr_rule *rule = access_rule(v);
	uint64_t value = 0;
	int e = -EINVAL;

	if (rule && rule->read == MSR_VALUE) {
		value = rule->value;
		e = 0;
	} else if (rule && rule->read == MSR_EMULATE) {
		e = rule->get(v, &value);
	}
	if (e) {
		vcpu_gp(v);
		return;
	}
	v->gpr[RAX] = (uint32_t)value;
	v->gpr[RDX] = value >> 32;
	if (vcpu_exit_length(v, x))
		vcpu_skip(v, x->insn_len);
}

void exit_wrmsr(struct vcpu *v, struct vm_exit *x)
{
	const struct msr_rule *rule = access_rule(v);
	uint64_t value = (uint32_t)v->gpr[RAX] | v->gpr[RDX] << 32;
	int e = -EINVAL;

	if (rule && rule->write == MSR_VALUE)
		e = 0;
	else if (rule && rule->write == MSR_EMULATE)
		e = rule->set(v, value);
	if (e)
		vcpu_gp(v);
	else if (vcpu_exit_length(v, x))
		vcpu_skip(v, x->insn_len);
}
