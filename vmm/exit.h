/* What is done for each VM exit. */
#ifndef VMM_EXIT_H
#define VMM_EXIT_H

#include "vmm/vcpu.h"

/**
 * Handles v->exit: changes v's state, queues events, parks v. Returns whether the guest goes on at once: nothing outside of the vCPU
 * waits, and it can run.
 */
bool exit_handle(struct vcpu *v);

/** The end of a handled instruction: skips it. Returns as exit_handle. */
bool exit_skip(struct vcpu *v);

/**
 * Whether the guest was allowed the privileged instruction that exited. The privilege level counts before the exit under VMX (SDM
 * vol. 3, 26.1.1), where SS is 4 VMREADs, and after it under SVM (APM vol. 2, 15.9, table 15-7; 15.11).
 */
static inline bool exit_privileged(struct vcpu *v)
{
	return v->ops->privilege_first || !vcpu_cpl(v);
}

/* One handler for each group of exits; each skips the instruction or queues the fault that the CPU would raise. */
bool exit_cpuid(struct vcpu *v);                     /* exit_cpuid.c; returns as exit_handle */
void exit_rdmsr(struct vcpu *v, struct vm_exit *x);  /* exit_msr.c */
void exit_wrmsr(struct vcpu *v, struct vm_exit *x);
/* exit_apic.c: MSRs of the local APIC and the TSC. 0, or -EINVAL for #GP; x2APIC's take the MSR from RCX. */
int apic_base_get(struct vcpu *v, uint64_t *value);
int apic_base_set(struct vcpu *v, uint64_t value);
int tsc_deadline_get(struct vcpu *v, uint64_t *value);
int tsc_deadline_set(struct vcpu *v, uint64_t value);
int x2apic_get(struct vcpu *v, uint64_t *value);
int x2apic_set(struct vcpu *v, uint64_t value);
int tsc_get(struct vcpu *v, uint64_t *value);
int tsc_set(struct vcpu *v, uint64_t value);
void exit_xsetbv(struct vcpu *v, struct vm_exit *x); /* exit_cr.c */
void exit_cr(struct vcpu *v, struct vm_exit *x);
void exit_io(struct vcpu *v, struct vm_exit *x);     /* exit_io.c */
void exit_slat_fault(struct vcpu *v, struct vm_exit *x); /* exit_mem.c */
/** A fault at an address that is mapped as it must be: a stale translation is the only harmless reason, and a flush ends it. Parks v
 * when that goes on. */
void exit_strange_fault(struct vcpu *v, const char *what, uint64_t addr);
/** The guest touched gpa, where there is no RAM: a device, or nothing. */
void exit_no_memory(struct vcpu *v, struct vm_exit *x, uint64_t gpa, bool fetch);
void exit_hypercall(struct vcpu *v, struct vm_exit *x);  /* hypercall.c */

/** Fills in what the CPU did not tell of a CR access (x->decode). Returns 0, or a negative errno with a fault queued. */
int exit_cr_operands(struct vcpu *v, struct vm_exit *x);

/** Makes the answers to CPUID; before the guest runs, and after cpu->features. */
void cpuid_setup(const struct vcpu *v);
/** The local APIC was switched on or off: CPUID tells of it only while it is on (SDM vol. 3, 11.4.3). */
void cpuid_apic(const struct vcpu *v);
/** What the guest is offered (exit_cpuid.c): XCR0 and CR4 bits that it may set. */
uint64_t cpuid_xcr0_mask(void);
uint64_t cpuid_cr4_mask(const struct vcpu *v);
/** Whether the guest is offered RDTSCP / RDPID (and so the TSC_AUX MSR), 1 GiB pages, NX, SYSCALL. */
bool cpuid_has_tsc_aux(void);

/** Opens the MSRs that the guest may use directly (exit_msr.c). */
void msr_setup(struct vcpu *v);

/** Emulates one instruction on memory that is not RAM (emulate.c). Returns 0, or a negative errno with a fault queued or v parked. */
int emulate_mmio(struct vcpu *v, uint64_t gpa);

#endif
