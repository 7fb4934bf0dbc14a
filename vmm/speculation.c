#include "vmm/speculation.h"

#include <string.h>

#include "vmm/cpu.h"
#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/log.h"

#define SPEC_CTRL_IBRS 1
#define PRED_CMD_IBPB 1
#define FLUSH_CMD_L1D 1
#define EFER_AIBRSE (1ull << 21)

enum { EAX, EBX, ECX, EDX };

static struct spec_plan plan;

static void leaf(uint32_t number, uint32_t r[4])
{
	const struct cpu_features *f = &this_cpu()->features;

	memset(r, 0, 4 * sizeof(r[0]));
	if (number <= (number & 0x80000000 ? f->max_ext_leaf : f->max_leaf))
		cpuid(number, 0, r);
}

static struct spec_cpu detect(void)
{
	struct spec_cpu c = { .intel = this_cpu()->features.virt == VIRT_VMX };
	uint32_t r[4];

	if (c.intel) {
		leaf(7, r);
		c.ibrs = c.ibpb = r[EDX] >> 26 & 1;
		c.l1d_flush = r[EDX] >> 28 & 1;
		c.md_clear = r[EDX] >> 10 & 1;
		if (!(r[EDX] >> 29 & 1) || rdmsr_safe(MSR_ARCH_CAPABILITIES, &c.arch_caps))
			c.arch_caps = 0;
		return c;
	}
	leaf(0x80000008, r);
	c.ibpb = r[EBX] >> 12 & 1;
	c.ibrs = r[EBX] >> 14 & 1;
	c.ibrs_always_on = r[EBX] >> 16 & 1;
	leaf(0x80000021, r);
	c.auto_ibrs = r[EAX] >> 8 & 1;
	return c;
}

void speculation_begin(void)
{
	struct spec_cpu c = detect();

	plan = speculation_plan(&c);
	/* What a hypervisor below reports and then refuses is left alone. */
	if (plan.auto_ibrs && wrmsr_safe(MSR_EFER, rdmsr(MSR_EFER) | EFER_AIBRSE))
		plan.auto_ibrs = false;
	if (plan.ibrs_once && wrmsr_safe(MSR_SPEC_CTRL, SPEC_CTRL_IBRS))
		plan.ibrs_once = false;
	if (plan.ibrs_each_exit && wrmsr_safe(MSR_SPEC_CTRL, SPEC_CTRL_IBRS))
		plan.ibrs_each_exit = false;
	if (plan.ibpb_reset && wrmsr_safe(MSR_PRED_CMD, PRED_CMD_IBPB))
		plan.ibpb_reset = false;
	if (plan.l1d_each_entry && wrmsr_safe(MSR_FLUSH_CMD, FLUSH_CMD_L1D))
		plan.l1d_each_entry = false;
	if (!plan.auto_ibrs && !plan.ibrs_once && !plan.ibrs_each_exit && !plan.ibpb_reset && !plan.l1d_each_entry && !plan.verw)
		log_info("speculation: this CPU reports no controls that are of use here");
	else
		log_info("speculation:%s%s%s%s%s%s", plan.auto_ibrs ? " automatic IBRS," : "",
			 plan.ibrs_once ? " IBRS always," : "", plan.ibrs_each_exit ? " IBRS at each exit," : "",
			 plan.ibpb_reset ? " IBPB at each reset," : "", plan.l1d_each_entry ? " L1D flush at each entry," : "",
			 plan.verw ? " VERW at each entry" : " VERW clears nothing");
}

void speculation_new_guest(void)
{
	if (plan.ibpb_reset)
		wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
}

static unsigned one(struct spec_msr list[SPEC_MSRS], bool wanted, uint32_t msr, uint64_t value)
{
	list[0] = (struct spec_msr){ .msr = msr, .value = value };
	return wanted;
}

unsigned speculation_exit_msrs(struct spec_msr list[SPEC_MSRS])
{
	return one(list, plan.ibrs_each_exit, MSR_SPEC_CTRL, SPEC_CTRL_IBRS);
}

unsigned speculation_entry_msrs(struct spec_msr list[SPEC_MSRS])
{
	return one(list, plan.l1d_each_entry, MSR_FLUSH_CMD, FLUSH_CMD_L1D);
}
