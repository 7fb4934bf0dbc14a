/*
 * The checks that a VM entry makes of the guest's state (SDM vol. 3, 27.3.1), so that an entry that failed can be explained by the
 * field that is wrong. Pure.
 */
#ifndef VMM_VMX_CHECK_H
#define VMM_VMX_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/vcpu.h"

/* The guest-state area as an entry sees it, and the controls and capabilities that the rules depend on. */
struct vmx_guest_state {
	uint64_t cr0, cr3, cr4, dr7; /* real values, not the guest's view */
	uint64_t debugctl, sysenter_esp, sysenter_eip, pat, efer;
	struct vsegment seg[SEG_COUNT];
	struct vtable gdtr, idtr;
	uint64_t rip, rflags;
	uint32_t activity, interruptibility;
	uint64_t pending_debug, link_pointer;
	uint64_t pdpte[4]; /* checked with EPT and PAE paging only */

	uint32_t entry_event; /* VM-entry interruption information */
	bool ia32e;	      /* "IA-32e mode guest" */
	bool unrestricted, ept, virtual_nmis;
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1;
	uint8_t phys_bits, linear_bits;
	uint8_t activities; /* supported activity states: bit 0 HLT, 1 shutdown, 2 wait-for-SIPI (A.6) */
};

/**
 * Looks for the first rule that the state breaks, in the manual's order.
 * @why  receives "FIELD VALUE: rule", cut to size
 * Returns 0 when all hold, else -EINVAL. Debug controls, PAT and EFER are taken to be loaded by the entry.
 */
int vmx_check(const struct vmx_guest_state *s, char *why, size_t size);

#endif
