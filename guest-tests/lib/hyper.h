/* Tessera's hypercalls from the guest's side, and what kind of machine this is. */
#ifndef GUEST_HYPER_H
#define GUEST_HYPER_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/hypercall.h"

/* errno values that hypercalls return, negated */
#define HYPER_EPERM 1
#define HYPER_ENOENT 2
#define HYPER_E2BIG 7
#define HYPER_EFAULT 14
#define HYPER_EINVAL 22
#define HYPER_ENOSPC 28
#define HYPER_ENOSYS 38
#define HYPER_ENOTCONN 107

/** True under Tessera, by CPUID. */
bool hyper_present(void);
/** True when hypercalls are made by VMCALL, false for VMMCALL. */
bool hyper_is_vmcall(void);
/** True when the VMM walks the guest's page tables in the CPU's stead. */
bool hyper_shadow_paging(void);
/** False when a switch to real mode would be the end. */
bool hyper_real_mode(void);
/** A hypercall with two arguments; only under Tessera. */
int64_t hypercall(uint32_t number, uint64_t rbx, uint64_t rcx);
/** The same with four arguments. */
int64_t hypercall4(uint32_t number, uint64_t rbx, uint64_t rcx, uint64_t rdx, uint64_t rsi);
/** Asks the far end for a picture of all heads, once it shows them exactly. Does nothing on a bare machine. */
int64_t hyper_screenshot(void);

/** The CPU calls itself AMD's. */
bool cpu_is_amd(void);
/** The CPU is QEMU's translator, which leaves some checks out; its name says so. */
bool cpu_is_tcg(void);
/** The same, and no hypervisor makes up for it. */
bool bare_tcg(void);

#endif
