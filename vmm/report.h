/* A guest's state in words, for crash reports and `ctl`. */
#ifndef VMM_REPORT_H
#define VMM_REPORT_H

#include "vmm/vcpu.h"

/** Logs why v stopped, its registers, the code at RIP, the vendor's view and the last exits. */
void report_vcpu(struct vcpu *v);

/** Name of an exit kind, for reports and statistics: "cpuid", "slat_fault" ... */
const char *exit_name(enum exit_kind kind);

#endif
