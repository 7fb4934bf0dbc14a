/*
 * What is done against a guest that reads the VMM's memory by speculation (docs/threat-model.md has the policy and its price). What
 * the CPU reports decides; no guest sees these MSRs.
 */
#ifndef VMM_SPECULATION_H
#define VMM_SPECULATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What CPUID and IA32_ARCH_CAPABILITIES report. */
struct spec_cpu {
	bool intel;
	bool ibrs, ibpb;     /* Intel: 7.EDX bit 26; AMD: 80000008.EBX bits 14 and 12 */
	bool ibrs_always_on; /* AMD: 80000008.EBX bit 16 */
	bool auto_ibrs;	     /* AMD: 80000021.EAX bit 8 */
	bool l1d_flush;	     /* 7.EDX bit 28 */
	bool md_clear;	     /* 7.EDX bit 10 */
	uint64_t arch_caps;  /* 0 where there is none */
};
#define ARCH_CAP_RDCL_NO (1ull << 0)
#define ARCH_CAP_IBRS_ALL (1ull << 1)
#define ARCH_CAP_SKIP_L1DFL (1ull << 3)
#define ARCH_CAP_MDS_NO (1ull << 5)

struct spec_plan {
	bool auto_ibrs;	     /* EFER.AIBRSE, once */
	bool ibrs_once;	     /* IA32_SPEC_CTRL.IBRS, once: it holds for all that runs at CPL 0 in root mode */
	bool ibrs_each_exit; /* written anew at each exit */
	bool ibpb_reset;     /* another guest comes, or the same one anew */
	bool l1d_each_entry;
	bool verw; /* VERW clears the CPU's buffers; without, it is only an instruction */
};

/** What to do on such a CPU. */
struct spec_plan speculation_plan(const struct spec_cpu *c);

/** Reads the CPU, does what is done once, and logs the plan. After NX is set in EFER, before the vendor part is enabled. */
void speculation_begin(void);

/** Before a guest that nobody knows runs: forgets what the last one taught the branch predictors. */
void speculation_new_guest(void);

/* An entry of a VMX MSR-load area (SDM vol. 3, 25.7.2, table 25-15). */
struct spec_msr {
	uint32_t msr, reserved;
	uint64_t value;
};
_Static_assert(sizeof(struct spec_msr) == 16, "SDM vol. 3, table 25-15");
#define SPEC_MSRS 1

/** MSRs for the CPU to load at each exit, and at each entry; how many. */
unsigned speculation_exit_msrs(struct spec_msr list[SPEC_MSRS]);
unsigned speculation_entry_msrs(struct spec_msr list[SPEC_MSRS]);

#endif
