/*
 * The rules that VMRUN checks (AMD APM vol. 2, 15.5.1, 15.20, 15.25.3), so that a refused entry is reported by the field that broke
 * one. Plain values: no VMCB, no CPU.
 */
#ifndef VMM_SVM_CHECK_H
#define VMM_SVM_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct svm_check {
	/* the CPU */
	unsigned phys_bits;             /* physical address width */
	bool long_mode;
	uint64_t cr4_valid, efer_valid; /* bits that it knows; all others must be zero */
	/* controls */
	bool vmrun_intercept;
	uint32_t asid;
	uint64_t iopm, msrpm;
	bool nested_paging;
	uint64_t ncr3, g_pat;           /* looked at with nested paging only */
	uint64_t event_inj;
	/* the guest, as the VMCB has it: with EFER.SVME */
	uint64_t efer, cr0, cr3, cr4, dr6, dr7;
	bool cs_l, cs_d;
};

/**
 * Finds the first rule that is broken.
 * Returns 0 when none is; else -EINVAL, and why holds the field, its value and the rule.
 */
int svm_check(const struct svm_check *s, char *why, size_t size);

#endif
