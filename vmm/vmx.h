/* Shared by the files of the VMX part. Nothing else includes this. */
#ifndef VMM_VMX_H
#define VMM_VMX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/speculation.h"
#include "vmm/vm.h"
#include "vmm/vmx_check.h"
#include "vmm/vmx_insn.h"
#include "vmm/vmx_vmcs.h"

/* The capability MSRs (SDM vol. 3, appendix A). Of control words: low half, bits that must be 1; high half, bits that may be. */
struct vmx_caps {
	uint64_t basic, misc, ept_vpid;
	uint64_t pin, proc, proc2, exit, entry;
	uint64_t cr0_fixed0, cr0_fixed1, cr4_fixed0, cr4_fixed1; /* bits that must be 1; bits that may be 1 */
	uint8_t phys_bits, linear_bits;
};

#define VMX_BASIC_REVISION(basic) ((uint32_t)(basic) & 0x7fffffffu)
#define VMX_BASIC_SIZE(basic) ((uint32_t)((basic) >> 32) & 0x1fffu)
#define VMX_BASIC_32BIT (1ull << 48)
#define VMX_BASIC_MEMORY_TYPE(basic) ((uint32_t)((basic) >> 50) & 15u)
#define VMX_BASIC_STRING_INFO (1ull << 54)
#define VMX_BASIC_TRUE (1ull << 55)

struct vmx_controls {
	uint32_t pin, proc, proc2, exit, entry;
};

/* Per physical CPU: cpu->virt. */
struct vmx_cpu {
	struct vmx_caps caps;
	uint64_t vmxon;		  /* the VMXON region */
	struct vmx_vcpu *current; /* whose VMCS VMREAD and VMWRITE reach */
};

/* Per vCPU: v->arch. */
struct vmx_vcpu {
	uint64_t host_rsp; /* as the VMCS has it; first, with launched next: vmx_entry.asm */
	uint64_t launched;
	struct vmx_cpu *cpu;
	uint64_t vmcs; /* physical */
	uint8_t *msr_bitmap;
	struct vmx_controls ctl;	 /* as the VMCS has them */
	uint64_t cr0_owned, cr4_owned;	 /* bits whose guest view is the read shadow, and whose change exits */
	uint64_t cr0_shadow, cr4_shadow; /* as the VMCS has them */
	uint32_t keeps;			 /* VG_* that the guest can't change without an exit */
	bool flush_slat, flush_tlb;
	uint16_t vpid;
	uint64_t eptp;
	uint64_t pml;	   /* DIRTY_LOG_PAGES pages of page-modification log */
	struct dirty_log log;
	uint64_t accesses; /* VMREADs and VMWRITEs */
	uint64_t flushes;  /* INVEPTs and INVVPIDs */
	struct spec_msr exit_msrs[SPEC_MSRS] __attribute__((aligned(16))), entry_msrs[SPEC_MSRS] __attribute__((aligned(16)));
};
_Static_assert(offsetof(struct vmx_vcpu, host_rsp) == 0 && offsetof(struct vmx_vcpu, launched) == 8, "vmx_entry.asm");

/* ---- VMCS access: of the current VMCS, which must be a's */

/** A field that the VMX part knows failed to be read or written: a bug. Panics with its name and the VM-instruction error. */
_Noreturn void vmx_access_failed(bool write, enum vmcs_field f, uint64_t value);

/** A read that its caller counts, together with others. */
static inline uint64_t vmread_uncounted(enum vmcs_field f)
{
	uint64_t value;
	bool failed;

	__asm__ volatile("vmread %2, %0" : "=r"(value), "=@ccbe"(failed) : "r"((uint64_t)f) : "memory");
	if (__builtin_expect(failed, 0))
		vmx_access_failed(false, f, 0);
	return value;
}

static inline uint64_t vmread(struct vmx_vcpu *a, enum vmcs_field f)
{
	a->accesses++;
	return vmread_uncounted(f);
}

static inline void vmwrite(struct vmx_vcpu *a, enum vmcs_field f, uint64_t value)
{
	bool failed;

	a->accesses++;
	__asm__ volatile("vmwrite %1, %2" : "=@ccbe"(failed) : "r"(value), "r"((uint64_t)f) : "memory");
	if (__builtin_expect(failed, 0))
		vmx_access_failed(true, f, value);
}

/** VMPTRLD. */
void vmx_load(struct vmx_vcpu *a);

/** Makes a's VMCS the current one of this CPU. */
static inline void vmx_make_current(struct vmx_vcpu *a)
{
	if (__builtin_expect(a->cpu->current != a, 0))
		vmx_load(a);
}

/* ---- vmx_caps.c */

/** Reads the capability MSRs. phys_bits: the CPU's MAXPHYADDR. */
void vmx_caps_read(struct vmx_caps *c, uint8_t phys_bits);

/**
 * Chooses the controls: what is wanted, limited to what the CPU has.
 * @hap  with EPT and unrestricted guest
 * @why  receives a sentence that names the control that is missing, and what to do
 * Returns 0 or -ENODEV.
 */
int vmx_controls_choose(const struct vmx_caps *c, bool hap, struct vmx_controls *ctl, char *why, size_t why_len);

/** Whether the CPU's EPT is what mm/slat.c builds. Returns 0, or -ENODEV with a sentence in why. */
int vmx_ept_check(const struct vmx_caps *c, char *why, size_t why_len);

/** One line for the log: what this CPU's VMX has. */
void vmx_caps_report(const struct vmx_caps *c);

/* ---- vmx_host.c */

/** Writes the host-state area (SDM vol. 3, 25.5): what the CPU loads at each exit, as it is now. */
void vmx_host_state(struct vmx_vcpu *a);

/* ---- vmx_state.c */

void vmx_fetch(struct vcpu *v, uint32_t groups);

/** VG_SHADOW of v, from the VMCS's interruptibility state. */
static inline void vmx_take_shadow(struct vcpu *v, uint64_t blocked)
{
	v->shadow_sti = v->shadow_ss = v->nmi_blocked = false;
	if (__builtin_expect(blocked, 0)) {
		v->shadow_sti = blocked & BLOCKED_STI;
		v->shadow_ss = blocked & BLOCKED_SS;
		v->nmi_blocked = blocked & BLOCKED_NMI;
	}
}

/** Writes the dirty groups back, and what follows from them: IA-32e mode guest, PDPTEs, pending single-step. */
void vmx_write_back(struct vcpu *v);
/** Moves v->inject into the VM-entry event fields. */
void vmx_put_event(struct vcpu *v);
/** Chooses and writes which bits of CR0 and CR4 the guest changes by itself; a change of the others exits. */
void vmx_own_cr_bits(struct vcpu *v);

/* ---- vmx_pml.c */

/** Gives v's VMCS, which is current, the log of v->vm->dirty, a->pml. The control must be on. */
void vmx_pml_start(struct vcpu *v, struct vmx_vcpu *a);

/* ---- vmx.c */

/** Everything that an entry needs: dirty groups, an event, windows, flushes. vmx_entry.asm calls it between two entries. */
void vmx_prepare(struct vcpu *v, struct vmx_vcpu *a);

/* ---- vmx_exit.c */

/** vmx_entry.asm calls it after each exit: reads it and has it handled. Returns whether the guest goes on at once. */
bool vmx_exited(struct vcpu *v, struct vmx_vcpu *a);
/** The manual's name of a basic exit reason; never NULL. */
const char *vmx_reason_name(uint32_t basic);

/* ---- vmx_report.c */

/** Fills *x and v->problem after VMLAUNCH or VMRESUME failed with status. */
void vmx_refused(struct vcpu *v, struct vm_exit *x, enum vmx_status status);
/** Fills v->problem after an entry that the CPU gave up (exit reason bit 31). */
void vmx_entry_failed(struct vcpu *v, const struct vm_exit *x);
/** VM-instruction error numbers in words (SDM vol. 3, 31.4, table 31-1); never NULL. */
const char *vmx_insn_error(uint32_t number);
/** A status in words; the VM-instruction error is read when there is one. */
const char *vmx_status_text(enum vmx_status s);
void vmx_describe(struct vcpu *v, char *buf, size_t size);

/* ---- vmx_msr.c */

void vmx_msr_pass(struct vcpu *v, uint32_t msr, bool read, bool write);
uint64_t vmx_msr_get(struct vcpu *v, enum vmsr m);
void vmx_msr_set(struct vcpu *v, enum vmsr m, uint64_t value);
void vmx_dr6_set(struct vcpu *v, uint64_t keep, uint64_t bits);

/* ---- vmx_entry.asm */

/**
 * Loads the general registers, enters the guest, saves them and CR2 after the exit and calls vmx_exited, as long as that says to go
 * on. Returns VMX_OK when it did not, else why an entry failed: v->exit is that entry's then. Host RSP is written only when it
 * differs from a->host_rsp.
 */
unsigned vmx_enter(struct vcpu *v, struct vmx_vcpu *a);
/** Where exits arrive: HOST_RIP. */
void vmx_exit_point(void);

#endif
