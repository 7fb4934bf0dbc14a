/*
 * One virtual CPU, whatever the vendor. The state that the VMM works with is here, in one form; VMX and SVM behind struct vcpu_ops
 * move it to and from their control structures. Their names never leave vmm/vmx* and vmm/svm*.
 */
#ifndef VMM_VCPU_H
#define VMM_VCPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/decode.h"
#include "vmm/gva_memo.h"
#include "vmm/hw/x86.h"
#include "vmm/mtrr.h"

struct cpu;
struct pt_format;
struct vm;
struct vcpu;

/* General registers in encoding order. gpr[RSP] is part of the cached state (VG_RSP); the others are always valid. */
enum { RAX, RCX, RDX, RBX, RSP, RBP, RSI, RDI, R8, R9, R10, R11, R12, R13, R14, R15 };

/* Segment registers, in the order of the encodings, as VMX numbers them too. */
enum vseg { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR, SEG_COUNT };

/* attr: VMX's access-rights format (SDM vol. 3, 25.4.1, table 25-2): type 0-3, S 4, DPL 5-6, P 7, AVL 12, L 13, D/B 14, G 15, unusable 16. */
struct vsegment {
	uint16_t sel;
	uint32_t attr, limit;
	uint64_t base;
};
#define SEG_ATTR_S (1u << 4)
#define SEG_ATTR_DPL(a) ((a) >> 5 & 3)
#define SEG_ATTR_P (1u << 7)
#define SEG_ATTR_L (1u << 13)
#define SEG_ATTR_DB (1u << 14)
#define SEG_ATTR_G (1u << 15)
#define SEG_ATTR_UNUSABLE (1u << 16)

struct vtable {
	uint64_t base;
	uint32_t limit;
};

/*
 * Groups of state that live in the control structure while the guest runs. `avail`: the copy below is current. `dirty`: the copy was
 * changed and must be written back before the next entry. After an exit only what the vendor filled for free is available.
 */
#define VG_RIP (1u << 0)
#define VG_RSP (1u << 1)
#define VG_RFLAGS (1u << 2)
#define VG_CR0 (1u << 3)     /* the guest's view, not the real one */
#define VG_CR3 (1u << 4)
#define VG_CR4 (1u << 5)     /* the guest's view */
#define VG_EFER (1u << 6)    /* the guest's view */
#define VG_DR7 (1u << 7)
#define VG_GDTR (1u << 8)
#define VG_IDTR (1u << 9)
#define VG_SHADOW (1u << 10) /* interruptibility: STI or MOV SS shadow, NMI blocking */
#define VG_PDPTE (1u << 11)  /* a PAE guest's PDPTE registers, where ops->pdpte_registers; not for writing */
#define VG_CR8 (1u << 12)
#define VG_CR2 (1u << 13)
#define VG_CS_ATTR (1u << 14) /* of CS and SS the attributes alone, for vcpu_attr; not for writing */
#define VG_SS_ATTR (1u << 15)
#define VG_SEG(n) (1u << (16 + (n)))
#define VG_SEGS (0xffu << 16)
#define VG_ALL (0x37ffu | VG_SEGS)
#define VG_PAGING (VG_CR0 | VG_CR3 | VG_CR4 | VG_EFER)
#define VCPU_SKIP_NEEDS (VG_RIP | VG_RFLAGS | VG_SHADOW) /* of vcpu_skip */

/* An event for the guest: hardware interrupt, NMI, exception, software interrupt. Types as in the VM-entry interruption information. */
enum vevent_type { EVENT_IRQ = 0, EVENT_NMI = 2, EVENT_EXCEPTION = 3, EVENT_SOFT_INT = 4, EVENT_PRIV_SOFT = 5, EVENT_SOFT_EXC = 6 };

struct vevent {
	bool valid;
	uint8_t vector;
	uint8_t type;      /* enum vevent_type */
	bool has_error;
	uint32_t error;
	uint8_t insn_len;  /* for software interrupts and exceptions: length of the instruction */
};

enum exit_kind {
	EXIT_NONE,              /* handled inside the vendor part: just enter again */
	EXIT_HOST_INTERRUPT,    /* a physical interrupt is pending */
	EXIT_NMI,               /* a physical NMI came (already taken off the CPU) */
	EXIT_EXCEPTION,
	EXIT_IRQ_WINDOW,        /* the guest can take an interrupt now */
	EXIT_NMI_WINDOW,
	EXIT_CPUID,
	EXIT_RDMSR,
	EXIT_WRMSR,
	EXIT_IO,
	EXIT_HLT,
	EXIT_CR,
	EXIT_DR,
	EXIT_XSETBV,
	EXIT_INVD,
	EXIT_WBINVD,
	EXIT_RDTSC,
	EXIT_RDTSCP,
	EXIT_RDPMC,
	EXIT_INVLPG,
	EXIT_MONITOR,
	EXIT_MWAIT,
	EXIT_PAUSE,
	EXIT_HYPERCALL,         /* VMCALL or VMMCALL, whichever is this CPU's */
	EXIT_VIRT_INSN,         /* any other instruction of VMX or SVM: not for this guest, #UD */
	EXIT_TASK_SWITCH,
	EXIT_SLAT_FAULT,        /* EPT violation, nested page fault */
	EXIT_SLAT_MISCONFIG,    /* EPT misconfiguration, NPT reserved bits */
	EXIT_PML_FULL,
	EXIT_TRIPLE_FAULT,
	EXIT_SHUTDOWN,          /* SVM's shutdown that is no triple fault, INIT, SIPI */
	EXIT_ENTRY_FAILED,      /* the CPU refused the guest's state; v->problem says which field */
	EXIT_UNKNOWN,           /* raw_reason says what the hardware said */
	EXIT_KINDS
};

struct vm_exit {
	enum exit_kind kind;
	uint64_t raw_reason, info1, info2; /* VMX: reason, qualification, gpa; SVM: EXITCODE, EXITINFO1, EXITINFO2 */
	uint8_t insn_len;                  /* 0: not told by the CPU; vcpu_exit_length decodes. Else VCPU_SKIP_NEEDS are available */
	bool decode;                       /* operands below were not told by the CPU: vcpu_exit_operands fills them in */
	union {
		struct {
			uint16_t port;
			uint8_t size;      /* 1, 2, 4 */
			bool in, string, rep;
			uint8_t addr_size; /* 2, 4, 8 for string forms; 0 not told */
			uint8_t seg;       /* OUTS' segment; 0xff not told */
			uint64_t next_rip; /* 0: not told */
		} io;
		struct {
			uint8_t cr, gpr;
			bool write, clts, lmsw, smsw;
			uint16_t lmsw_source;
		} cr;
		struct {
			uint8_t dr, gpr;
			bool write;
		} dr;
		struct {
			uint64_t gpa;
			bool write, fetch;
			bool walk;         /* the access was the CPU's walk of the guest's page tables (incl. A/D updates) */
		} slat;
		struct {
			uint8_t vector;
			bool has_error;
			uint32_t error;
			uint64_t dr6_or_cr2; /* #DB: new DR6 bits; #PF: address */
		} exc;
		struct {
			uint16_t selector;
			uint8_t source;    /* 0 CALL, 1 IRET, 2 JMP, 3 task gate in the IDT */
			bool has_error;
			uint32_t error;
		} task;
	};
	/* The event whose delivery this exit cut short. The vendor part has put it into v->inject too: it goes in again, unless what
	 * follows raises a fault of its own on top of it (SDM vol. 3, 28.2.4; APM vol. 2, 15.7.2). */
	struct vevent interrupted;
};

/* MSRs that live in the control structure or in CPU registers of the guest; ops->msr_get and msr_set move them. */
enum vmsr { VMSR_STAR, VMSR_LSTAR, VMSR_CSTAR, VMSR_SFMASK, VMSR_KERNEL_GS_BASE, VMSR_SYSENTER_CS, VMSR_SYSENTER_ESP,
	    VMSR_SYSENTER_EIP, VMSR_PAT, VMSR_DEBUGCTL, VMSR_TSC_AUX, VMSR_COUNT };

#define VCPU_TRACE 32
#define VCPU_DECODED 8u

struct vcpu_trace {
	uint64_t raw, info1;
	enum exit_kind kind;
} __attribute__((aligned(32)));

struct vcpu {
	uint64_t gpr[16];       /* first: the entry stubs use offsets 0..127 */
	uint64_t cr2;           /* offset 128: vmx_entry.asm saves it */
	uint32_t avail, dirty;  /* VG_* */
	bool load_pdptes;       /* a control-register write loads a PAE guest's PDPTEs (SDM vol. 3, 4.4.1); cleared when it is done */
	uint64_t rip, rflags, cr0, cr3, cr4, efer, dr7;
	struct vsegment seg[SEG_COUNT];
	struct vtable gdtr, idtr;
	uint64_t xcr0;          /* the guest's, live in the CPU while it runs */
	uint64_t cr8;           /* what a MOV from CR8 that does not exit reads: the local APIC has a say in it, and writes exit */
	uint64_t shadow_cr3;    /* shadow paging: the root that the CPU uses */
	uint64_t pdpte[4];      /* VG_PDPTE; under shadow paging they are kept here alone */

	/* Each of these two groups is read as one, in svm.c and in exit.c: nothing else may lie in its eight bytes. */
	bool shadow_sti __attribute__((aligned(8))), shadow_ss, nmi_blocked; /* VG_SHADOW */
	bool want_irq_window, want_nmi_window;
	bool rare_entry;        /* the vendor part has more to do than usual before the next entry, and after the exit */
	bool nmi_pending __attribute__((aligned(8)));
	bool halted;
	bool waiting;           /* a hypercall waits for the stream */
	bool parked;            /* never enters again until reset */
	bool root_wanted;       /* shadow paging: find it anew before the next entry */
	struct vevent inject __attribute__((aligned(8))); /* goes in with the next entry; the vendor part clears it */
	struct {
		uint64_t rip, rcx; /* of the last one; RCX counts the turns of REP */
		unsigned run;      /* so many in a row there */
	} strange;                 /* page faults, the guest's or second-level, that had no reason */
	char problem[256];      /* why, in words */

	struct vm *vm;
	struct cpu *cpu;
	const struct vcpu_ops *ops;
	void *arch;             /* the vendor part's own */
	unsigned index;

	struct vm_exit exit;    /* the last one */
	uint64_t exits[EXIT_KINDS];
	struct vcpu_trace trace[VCPU_TRACE];
	unsigned trace_pos;

	struct mtrr mtrr;
	struct gva_memo translated[GVA_MEMOS];
	struct {
		uint8_t bytes[INSN_MAX];
		struct insn insn; /* of length 0: there is none */
	} decoded[VCPU_DECODED]; /* by RIP */
};

_Static_assert(offsetof(struct vcpu, gpr) == 0 && offsetof(struct vcpu, cr2) == 128, "vmx_entry.asm and svm_entry.asm");

struct vcpu_ops {
	const char *name; /* "VMX", "SVM" */
	const char *hypercall; /* "VMCALL", "VMMCALL" */
	bool pdpte_registers;  /* a PAE guest's PDPTEs are loaded with CR3 (SDM vol. 3, 4.4.1), and not read anew for each access */
	bool loads_guest_pat;  /* entries load the guest's PAT whatever the paging */
	bool privilege_first;  /* an instruction that CPL 3 may not execute faults there before it exits; else the VMM looks */
	bool shadow_needs_protected_mode; /* no guest state without CR0.PE is accepted under shadow paging */

	/* Turns virtualisation on for this CPU (VMXON; EFER.SVME and the host save area) after checking all that the manual says can
	 * fail. Logs what the CPU has. 0 or -ENODEV/-ENOMEM, logged in a sentence with the remedy. */
	int (*cpu_enable)(struct cpu *cpu);
	void (*cpu_disable)(struct cpu *cpu);
	/* What second-level tables this (enabled) CPU takes: their format, largest leaf level, whether it sets A and D, and whether it
	 * logs pages whose D it sets. 0 or -ENODEV. */
	int (*slat_features)(struct cpu *cpu, const struct pt_format **format, unsigned *max_leaf, bool *ad_bits, bool *page_log);

	/* Makes the control structure for v (v->vm->dirty, and v->vm->slat or mem.shadow, are ready; v->cpu runs this). State is written from v
	 * at the first run. */
	int (*create)(struct vcpu *v);
	void (*destroy)(struct vcpu *v);

	/* Writes back dirty groups, loads v->inject, enters, fills v->exit and has it handled, as long as exit_handle says that the guest
	 * goes on. Interrupts are off before and after. Never fails otherwise than by v->exit.kind. */
	void (*run)(struct vcpu *v);

	/* Makes the groups in `groups` available. */
	void (*fetch)(struct vcpu *v, uint32_t groups);

	/* Lets the guest read and/or write an MSR directly. */
	void (*msr_pass)(struct vcpu *v, uint32_t msr, bool read, bool write);
	uint64_t (*msr_get)(struct vcpu *v, enum vmsr m);
	void (*msr_set)(struct vcpu *v, enum vmsr m, uint64_t value); /* the value was checked */

	/* Of the guest's DR6: leaves the bits in keep as they are, sets others, clears the rest (a #DB that the VMM raises; reset). */
	void (*dr6_set)(struct vcpu *v, uint64_t keep, uint64_t bits);

	/* The second-level tables changed in a way that took rights away: no stale translation may be used after the next entry. */
	void (*slat_flush)(struct vcpu *v);
	/* All of the guest's own linear translations (CR3, CR4 changes made by the VMM). */
	void (*tlb_flush)(struct vcpu *v);

	/* What is added to the TSC that the guest reads. */
	void (*tsc_offset)(struct vcpu *v, int64_t offset);

	/* Running counts: VMREADs and VMWRITEs (SVM: 0), and flushes of translations. */
	void (*counters)(struct vcpu *v, uint64_t *vmcs_accesses, uint64_t *flushes);

	/* The vendor's view for a crash report: raw exit, failed fields; text lines, as many as fit. */
	void (*describe)(struct vcpu *v, char *buf, size_t size);
};

extern const struct vcpu_ops vmx_ops, svm_ops;

/* ---- state access */

static inline void vcpu_need(struct vcpu *v, uint32_t groups)
{
	if (groups & ~v->avail)
		v->ops->fetch(v, groups & ~v->avail);
}

static inline void vcpu_changed(struct vcpu *v, uint32_t groups)
{
	v->avail |= groups;
	v->dirty |= groups;
}

#define VCPU_ACCESSORS(field, group)                                                                                               \
	static inline uint64_t vcpu_##field(struct vcpu *v)                                                                        \
	{                                                                                                                          \
		vcpu_need(v, group);                                                                                               \
		return v->field;                                                                                                   \
	}                                                                                                                          \
	static inline void vcpu_set_##field(struct vcpu *v, uint64_t value)                                                        \
	{                                                                                                                          \
		v->field = value;                                                                                                  \
		vcpu_changed(v, group);                                                                                            \
	}

VCPU_ACCESSORS(rip, VG_RIP)
VCPU_ACCESSORS(rflags, VG_RFLAGS)
VCPU_ACCESSORS(cr0, VG_CR0)
VCPU_ACCESSORS(cr3, VG_CR3)
VCPU_ACCESSORS(cr4, VG_CR4)
VCPU_ACCESSORS(efer, VG_EFER)
VCPU_ACCESSORS(dr7, VG_DR7)
VCPU_ACCESSORS(cr8, VG_CR8)
VCPU_ACCESSORS(cr2, VG_CR2)

/** A segment register, made available. */
static inline const struct vsegment *vcpu_seg(struct vcpu *v, enum vseg n)
{
	vcpu_need(v, VG_SEG(n));
	return &v->seg[n];
}

/** Attributes of CS (group VG_CS_ATTR) or SS (VG_SS_ATTR): mode and privilege level, which need no more of them. */
static inline uint32_t vcpu_attr(struct vcpu *v, enum vseg n, uint32_t group)
{
	if (!(v->avail & (group | VG_SEG(n))))
		v->ops->fetch(v, group);
	return v->seg[n].attr;
}

static inline uint64_t vcpu_gpr(struct vcpu *v, unsigned n)
{
	if (n == RSP)
		vcpu_need(v, VG_RSP);
	return v->gpr[n];
}

static inline void vcpu_set_gpr(struct vcpu *v, unsigned n, uint64_t value)
{
	v->gpr[n] = value;
	if (n == RSP)
		vcpu_changed(v, VG_RSP);
}

/** Current privilege level: SS.DPL (SDM vol. 3, 25.4.1: also right in real and virtual-8086 mode as VMX and SVM keep it). */
static inline unsigned vcpu_cpl(struct vcpu *v)
{
	return SEG_ATTR_DPL(vcpu_attr(v, SEG_SS, VG_SS_ATTR));
}

/** Not 0: something holds an event back, waits for one, or must be done for the next entry. */
static inline uint64_t vcpu_waits(const struct vcpu *v)
{
	uint64_t flags;

	_Static_assert(offsetof(struct vcpu, rare_entry) - offsetof(struct vcpu, shadow_sti) < sizeof(flags) &&
			       offsetof(struct vcpu, nmi_pending) - offsetof(struct vcpu, shadow_sti) == sizeof(flags),
		       "read as one");
	__builtin_memcpy(&flags, &v->shadow_sti, sizeof(flags));
	return flags;
}

/** VM exits so far. */
static inline uint64_t vcpu_exits(const struct vcpu *v)
{
	uint64_t total = 0;

	for (unsigned i = 0; i < EXIT_KINDS; i++)
		total += v->exits[i];
	return total;
}

/** The mode that instructions at CS:RIP are decoded in. */
enum insn_mode vcpu_mode(struct vcpu *v);

/* ---- vmm/vcpu.c */

/** Power-on state (SDM vol. 3, table 10-1), as INIT leaves it: real mode at the reset vector. Groups become dirty. */
void vcpu_reset(struct vcpu *v);

/** Queues an exception, merging it with one that is already being delivered as SDM vol. 3, 6.15, table 6-5 says (double, triple fault). */
void vcpu_exception(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error);
#define vcpu_ud(v) vcpu_exception(v, 6, false, 0)
#define vcpu_gp(v) vcpu_exception(v, 13, true, 0)

/** #PF with CR2. */
void vcpu_page_fault(struct vcpu *v, uint64_t addr, uint32_t error);

/** Moves RIP past the instruction that was handled: wraps by mode, ends the STI/MOV SS shadow, raises #DB when TF is set. */
void vcpu_skip(struct vcpu *v, unsigned len);

/** vcpu_skip by exit.insn_len, if that is known and nothing else follows. Else false, and nothing is done. */
static inline bool vcpu_skip_plain(struct vcpu *v, unsigned len)
{
	uint64_t rip = v->rip + len;

	if (len - 1 >= (uint32_t)rip /* unknown, or there is a carry */ || v->shadow_sti || v->shadow_ss ||
	    v->rflags & (RFLAGS_TF | RFLAGS_RF))
		return false;
	v->rip = rip;
	v->dirty |= VG_RIP;
	return true;
}

/** Length of the exiting instruction: told by the CPU, or decoded from guest memory. 0: it could not be read (a fault was queued). */
unsigned vcpu_exit_length(struct vcpu *v, struct vm_exit *x);

/** Reads and decodes the instruction at CS:RIP. Returns 0 or -EFAULT (a fault was queued for the guest) or -EINVAL (#UD queued). */
int vcpu_decode(struct vcpu *v, struct insn *in);

/** Stops this guest for good (until reset): logs a full report, tells the host. */
void vcpu_park(struct vcpu *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
