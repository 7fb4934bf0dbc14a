/* Shared by the files of the SVM part. Nothing else includes this. APM is the AMD64 Architecture Programmer's Manual, vol. 2. */
#ifndef VMM_SVM_H
#define VMM_SVM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/paging.h"
#include "vmm/svm_check.h"
#include "vmm/svm_vmcb.h"
#include "vmm/vcpu.h"

/* CPUID 8000000A EDX (APM vol. 3, appendix E.4.9). */
#define SVM_FEATURE_NP (1u << 0)
#define SVM_FEATURE_LBR_VIRT (1u << 1)
#define SVM_FEATURE_LOCK (1u << 2)
#define SVM_FEATURE_NRIPS (1u << 3)
#define SVM_FEATURE_TSC_RATE (1u << 4)
#define SVM_FEATURE_VMCB_CLEAN (1u << 5)
#define SVM_FEATURE_FLUSH_BY_ASID (1u << 6)
#define SVM_FEATURE_DECODE_ASSISTS (1u << 7)
#define SVM_FEATURE_PAUSE_FILTER (1u << 10)
#define SVM_FEATURE_VGIF (1u << 16)

/* Exit codes that the code names (APM appendix C); all of them are in svm_exit.c's table. */
enum svm_exit_code {
	SVM_CR0_READ = 0x00,
	SVM_CR0_WRITE = 0x10,
	SVM_CR4_WRITE = 0x14,
	SVM_DR0_READ = 0x20,
	SVM_DR0_WRITE = 0x30,
	SVM_EXCEPTION = 0x40,
	SVM_INTR = 0x60,
	SVM_NMI = 0x61,
	SVM_SMI = 0x62,
	SVM_INIT = 0x63,
	SVM_VINTR = 0x64,
	SVM_CR0_SELECTIVE = 0x65,
	SVM_RDTSC = 0x6e,
	SVM_RDPMC = 0x6f,
	SVM_CPUID = 0x72,
	SVM_IRET = 0x74,
	SVM_INVD = 0x76,
	SVM_PAUSE = 0x77,
	SVM_HLT = 0x78,
	SVM_INVLPG = 0x79,
	SVM_INVLPGA = 0x7a,
	SVM_IOIO = 0x7b,
	SVM_MSR = 0x7c,
	SVM_TASK_SWITCH = 0x7d,
	SVM_FERR_FREEZE = 0x7e,
	SVM_SHUTDOWN = 0x7f,
	SVM_VMRUN = 0x80,
	SVM_VMMCALL = 0x81,
	SVM_VMLOAD = 0x82,
	SVM_VMSAVE = 0x83,
	SVM_STGI = 0x84,
	SVM_CLGI = 0x85,
	SVM_SKINIT = 0x86,
	SVM_RDTSCP = 0x87,
	SVM_WBINVD = 0x89,
	SVM_MONITOR = 0x8a,
	SVM_MWAIT = 0x8b,
	SVM_MWAIT_ARMED = 0x8c,
	SVM_XSETBV = 0x8d,
	SVM_RDPRU = 0x8e,
	SVM_INVLPGB = 0xa0,
	SVM_INVLPGB_ILLEGAL = 0xa1,
	SVM_MCOMMIT = 0xa3,
	SVM_TLBSYNC = 0xa4,
	SVM_NPF = 0x400,
};

/* EXITCODE is -1 when VMRUN refuses the state. QEMU 7.2 stores it as 32 bits. */
#define SVM_INVALID(code) ((uint32_t)(code) == 0xffffffffu)

#define SVM_EXIT_TABLE 0xb0

/* Per physical CPU: cpu->virt, a frame of its own. */
struct svm_cpu {
	uint32_t features;        /* CPUID 8000000A EDX */
	uint32_t asids;           /* ASIDs 0 .. asids - 1; 0 is the host's */
	uint32_t asid_next;       /* the first of this generation that nobody has */
	uint64_t generation;      /* from 1 */
	uint64_t hsave;           /* VM_HSAVE_PA */
	uint64_t host;            /* VMSAVE area of the VMM's own state */
	uint32_t clean;           /* CLEAN_*: what it keeps from an exit to the next entry */
	bool long_mode;
	bool irq_by_virq;         /* EVENTINJ is no safe way for interrupts (svm_event.c) */
	bool forgets_exception;   /* EVENTINJ's exceptions do not count for #DF (svm_event.c) */
	bool forgets_shadow;      /* VMRUN does not load INTERRUPT_SHADOW (svm_step.c) */
	bool quits_at_cr3;        /* MOV CR3 of a reserved bit ends the guest's turn with VMEXIT_INVALID (svm.c) */
	unsigned phys_bits;
	uint64_t cr4_valid, efer_valid; /* bits that this CPU knows */
	uint8_t revision;
};
_Static_assert(sizeof(struct svm_cpu) <= PAGE_SIZE, "one frame");

/* What one instruction is stepped for (svm_step.c). */
enum svm_step { STEP_NONE, STEP_IRET, STEP_SHADOW };

#define SVM_CODE_STEPS 4 /* levels of tables */
#define SVM_CODE_PAGES 8u

/* Where the bytes of a page of code were found last (svm_code.c). */
struct svm_code {
	uint64_t page;            /* linear address */
	uint64_t cr3;             /* ~0: nothing is known */
	const uint8_t *bytes;     /* of the page */
	const uint64_t *entry[SVM_CODE_STEPS]; /* the guest's tables on the way, and what was read there */
	uint64_t value[SVM_CODE_STEPS];
	unsigned steps;
} __attribute__((aligned(128)));

/* Per vCPU: v->arch, a frame of its own. */
struct svm_vcpu {
	const struct vmcb *vmcb;  /* change it by vmcb_set_* only */
	uint8_t *msrpm;
	uint64_t iopm;
	struct svm_cpu *cpu;      /* where it ran last */
	uint64_t generation;      /* of its ASID; 0: has none here */
	bool flush;               /* its translations must not be used any more */
	uint32_t keeps;           /* VG_* that are current after an exit */
	uint32_t clean;           /* its CPU's; so the next */
	bool nrips;
	bool page_faults_exit;    /* shadow paging */
	bool delivery_watched;    /* faults of an exception's delivery exit (svm_event.c) */
	bool offered;             /* an interrupt went in as V_IRQ: it may come back (svm_event.c) */
	uint64_t entry_rip;       /* RIP and EVENTINJ of the last entry: the exit changes them */
	uint64_t event;
	bool iret_next;           /* the guest is on the IRET that ends NMI blocking */
	bool shadow_kept;         /* entered in a shadow that lasts until RIP moves */
	enum svm_step stepping;
	bool step_tf;             /* RFLAGS.TF was the guest's own */
	uint64_t step_dr6;
	uint32_t step_exceptions; /* intercepted but for the step */
	bool checked;             /* the last entry loaded new state that VMRUN checks */
	uint64_t flushes;         /* of the TLB, for a report */
	struct svm_code code[SVM_CODE_PAGES]; /* by the low bits of the page's number */
};
_Static_assert(sizeof(struct svm_vcpu) <= PAGE_SIZE, "one frame");

/* ---- svm_cpu.c: the physical CPU */

int svm_cpu_enable(struct cpu *cpu);
void svm_cpu_disable(struct cpu *cpu);
int svm_slat_features(struct cpu *cpu, const struct pt_format **format, unsigned *max_leaf, bool *ad_bits, bool *page_log);

/* ---- svm_state.c: struct vcpu <-> VMCB */

/** Makes groups available in v. */
void svm_fetch(struct vcpu *v, uint32_t groups);
/** Writes dirty groups and RAX into the VMCB. */
void svm_state_store(struct vcpu *v);

/* One bit for both kinds of shadow: the one that holds back more is assumed. NMI blocking svm_event.c keeps in v itself. */
static inline void svm_take_shadow(struct vcpu *v, const struct vmcb *b)
{
	v->shadow_ss = b->control.int_state & INT_STATE_SHADOW; /* shadow_sti is never set */
}

/** After an exit: takes what is cheap; the rest is no longer available. */
static inline void svm_state_take(struct vcpu *v, const struct svm_vcpu *a, const struct vmcb *b)
{
	v->gpr[RAX] = b->save.rax;
	v->rip = b->save.rip;
	v->rflags = b->save.rflags;
	svm_take_shadow(v, b);
	v->avail = a->keeps;
}

/** What svm_check looks at, of an entry that failed. */
void svm_state_check(struct vcpu *v, struct svm_check *s);

/* Groups whose wrong value makes VMRUN refuse. */
#define SVM_CHECKED (VG_CR0 | VG_CR3 | VG_CR4 | VG_EFER | VG_DR7 | VG_SEG(SEG_CS))

/* ---- svm_event.c: events into the guest, and windows for them */

/** Before an entry, after svm_state_store: turns v->inject and the wanted windows into VMCB fields. */
void svm_event_load(struct vcpu *v);
/** After an exit that has been read: events that were cut short, windows that opened. May change x. */
void svm_event_take(struct vcpu *v, struct vm_exit *x);
/** After an entry that was refused before it injected anything: that is to be injected again. */
void svm_event_refused(struct vcpu *v);

/* ---- svm_step.c: over one instruction */

/**
 * Before an entry: begins a step where one is needed.
 * @event   one goes in with this entry
 * @wanted  a window is wanted
 * Returns whether the guest must not be interrupted now: no window may be asked for.
 */
bool svm_step_load(struct vcpu *v, bool event, bool wanted);
/** After an exit: ends the step; takes its #DB out of x. */
void svm_step_take(struct vcpu *v, struct vm_exit *x);
/** The entry was refused: there was no step. */
void svm_step_cancel(struct svm_vcpu *a);
/** Decodes the instruction at RIP without any effect on the guest; v->inject must be empty. False: it cannot be read. */
bool svm_next_insn(struct vcpu *v, struct insn *in);

/* ---- svm_exit.c: exit code and information -> struct vm_exit */

/** svm_entry.asm calls it after each exit: reads it and has it handled. Returns whether the guest goes on at once. */
bool svm_exited(struct vcpu *v);
/** The manual's name of an exit code, without VMEXIT_. */
const char *svm_exit_name(uint64_t code);

/* ---- svm_code.c */

void svm_code_init(struct svm_vcpu *a);
/** The first four bytes at RIP where the last way to them still holds; else 0. */
static inline uint32_t svm_code_at(const struct svm_vcpu *a, const struct vmcb *b)
{
	const struct vmcb_save *s = &b->save;
	uint64_t linear = s->rip + s->cs.base;
	uint32_t bytes;
	const struct svm_code *c = &a->code[linear >> PAGE_SHIFT & (SVM_CODE_PAGES - 1)];

	if (linear - c->page > PAGE_SIZE - 4 || c->cr3 != s->cr3 || *c->entry[0] != c->value[0] || *c->entry[1] != c->value[1] ||
	    *c->entry[2] != c->value[2] || *c->entry[3] != c->value[3])
		return 0;
	__builtin_memcpy(&bytes, c->bytes + (linear - c->page), sizeof(bytes));
	return bytes;
}

/** The same, but looks for a new way; 0 where there is none, or the instruction may go on in another page. Raises no fault. */
uint32_t svm_code_find(struct vcpu *v);

/* ---- svm_msr.c */

void svm_msr_pass(struct vcpu *v, uint32_t msr, bool read, bool write);
uint64_t svm_msr_get(struct vcpu *v, enum vmsr m);
void svm_msr_set(struct vcpu *v, enum vmsr m, uint64_t value);

/* Sizes of the permission maps (15.10.1, 15.11), in frames. */
#define SVM_IOPM_FRAMES 3
#define SVM_MSRPM_FRAMES 2

/* ---- svm.c */

/** Everything that an entry needs, from v to the VMCB, whose physical address it returns. svm_entry.asm calls it before each entry. */
uint64_t svm_prepare(struct vcpu *v);
/** Whether an invalid state is QEMU's word for a MOV CR3 that should raise #GP; then *x is an intercepted MOV CR3. */
bool svm_quit_at_cr3(struct vcpu *v, struct vm_exit *x);
/** Whether VMRUN refused the state for entries of a PAE root that the emulator below had marked, and would take it now. */
bool svm_refused_marks(struct vcpu *v, struct vm_exit *x);
/** VMRUN refused the state: fills *x and v->problem. */
void svm_refused(struct vcpu *v, struct vm_exit *x);

/* ---- svm_entry.asm */

/**
 * Enters the guest and calls svm_exited after its exit, and again as long as that says to go on. Registers but RAX and RSP go from and to v->gpr.
 * @host  the physical address of the VMM's VMSAVE area
 * Interrupts must be off, and are off after it; what comes meanwhile makes the guest exit and stays pending. A pending NMI or SMI
 * is taken by the VMM's own handler before this returns.
 */
void svm_enter(struct vcpu *v, uint64_t host);

/** Stores what VMLOAD in svm_enter brings back: FS, GS, TR, LDTR and the MSRs of system calls. */
void svm_save_host(uint64_t host);

#endif
