#include "vmm/speculation.h"

struct spec_plan speculation_plan(const struct spec_cpu *c)
{
	bool lasts = c->intel ? c->arch_caps & ARCH_CAP_IBRS_ALL : c->ibrs_always_on;

	return (struct spec_plan){
		.auto_ibrs = c->auto_ibrs,
		.ibrs_once = c->ibrs && lasts && !c->auto_ibrs,
		/* AMD's legacy IBRS costs more than it is worth there, by its own advice; and SVM loads no MSRs by itself. */
		.ibrs_each_exit = c->ibrs && !lasts && c->intel,
		.ibpb_reset = c->ibpb,
		/* A hypervisor below that flushes for us says so. */
		.l1d_each_entry = c->intel && c->l1d_flush && !(c->arch_caps & (ARCH_CAP_RDCL_NO | ARCH_CAP_SKIP_L1DFL)),
		.verw = c->intel && c->md_clear && !(c->arch_caps & ARCH_CAP_MDS_NO),
	};
}
