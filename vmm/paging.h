/*
 * The guest's paging, as far as the VMM has a part in it. Under EPT or NPT the CPU walks the guest's tables by itself; under shadow
 * paging (mm/shadow.h) the CPU runs on other tables and other control bits than the guest believes, and page faults, CR0, CR3, CR4
 * and INVLPG exit.
 */
#ifndef VMM_PAGING_H
#define VMM_PAGING_H

#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/vcpu.h"
#include "vmm/vm.h"

static inline bool paging_shadow(const struct vcpu *v)
{
	return v->vm->mem.shadow;
}

/*
 * What the CPU's registers hold for v->cr0 and so on. Shadow tables are PAE or long-mode ones with NX; PG makes the CPU use them
 * for a guest without paging too, which no SMEP or SMAP may then disturb; WP makes their protection hold against the supervisor.
 */
static inline uint64_t paging_real_cr0(const struct vcpu *v)
{
	return paging_shadow(v) ? v->cr0 | CR0_PG | CR0_WP : v->cr0;
}

static inline uint64_t paging_real_cr3(const struct vcpu *v)
{
	return paging_shadow(v) ? v->shadow_cr3 : v->cr3;
}

static inline uint64_t paging_real_cr4(const struct vcpu *v)
{
	if (!paging_shadow(v))
		return v->cr4;
	return (v->cr0 & CR0_PG ? v->cr4 : v->cr4 & ~(CR4_SMEP | CR4_SMAP)) | CR4_PAE;
}

static inline uint64_t paging_real_efer(const struct vcpu *v)
{
	if (!paging_shadow(v))
		return v->efer;
	return (v->efer & EFER_LMA ? v->efer : v->efer & ~EFER_LME) | EFER_NXE;
}

/** CR3, or a bit that matters to paging, was written: the guest's translations go, and under shadow paging its root is found anew.
 */
void paging_changed(struct vcpu *v);

/** Before an entry, when v->root_wanted: the root for the guest's mode. Parks v in a mode that shadow paging cannot run here. */
void paging_new_root(struct vcpu *v);

/** The guest's PAT was written. */
void paging_pat_changed(struct vcpu *v);

/** INVLPG and #PF exits. */
void exit_invlpg(struct vcpu *v, struct vm_exit *x);
void exit_page_fault(struct vcpu *v, struct vm_exit *x);

#endif
