/* Exit code and information to struct vm_exit (APM vol. 2, 15.8 - 15.13, 15.25.6, appendix C), by one table. */
#include "vmm/exit.h"
#include "vmm/hw/hw.h"
#include "vmm/hw/x86.h"
#include "vmm/svm.h"

struct exit_row {
	const char *name;
	uint8_t kind;	  /* enum exit_kind; EXIT_NONE: we never ask for it */
	bool instruction; /* exits on an instruction, which nRIP is behind (15.7.1) */
	uint8_t plain;	  /* the kind again where there is nothing more to it; else EXIT_NONE */
	uint8_t len;	  /* of its form without prefixes, and those bytes; 0: it has operands */
	uint32_t bytes, mask;
	void (*fill)(const struct svm_vcpu *a, struct vm_exit *x);
};

/* ---- what the rows need beyond their kind */

#define CR_INFO_MOV (1ull << 63) /* 15.8.1: it was MOV CRx, and bits 3:0 name the register */

static bool assists(const struct svm_vcpu *a)
{
	return a->cpu->features & SVM_FEATURE_DECODE_ASSISTS;
}

static void fill_cr(const struct svm_vcpu *a, struct vm_exit *x)
{
	x->cr.cr = x->raw_reason & 15;
	x->cr.clts = x->cr.lmsw = false;
	x->cr.write = x->raw_reason >= SVM_CR0_WRITE;
	x->cr.smsw = x->cr.clts = x->cr.lmsw = false;
	if (x->raw_reason == SVM_CR0_SELECTIVE) {
		x->cr.cr = 0;
		x->cr.write = true;
	}
	if (assists(a) && (x->info1 & CR_INFO_MOV))
		x->cr.gpr = x->info1 & 15;
	else
		x->decode = true; /* MOV without assists; CLTS, LMSW, SMSW */
}

static void fill_dr(const struct svm_vcpu *a, struct vm_exit *x)
{
	x->dr.dr = x->raw_reason & 15;
	x->dr.write = x->raw_reason >= SVM_DR0_WRITE;
	x->dr.gpr = x->info1 & 15;
	x->decode = !assists(a);
}

/* Decode assists give the address (15.8.4). */
static void fill_invlpg(const struct svm_vcpu *a, struct vm_exit *x)
{
	x->decode = !assists(a);
}

#define DR6_EVENTS (15ull | DR6_BD | DR6_BS | DR6_BT)

static void fill_exception(const struct svm_vcpu *a, struct vm_exit *x)
{
	x->exc.vector = (uint8_t)(x->raw_reason - SVM_EXCEPTION);
	x->exc.has_error = VECTORS_WITH_ERROR_CODE >> x->exc.vector & 1;
	x->exc.error = x->exc.has_error ? (uint32_t)x->info1 : 0;
	if (x->exc.vector == VEC_PF)
		x->exc.dr6_or_cr2 = x->info2;
	else if (x->exc.vector == VEC_DB)
		x->exc.dr6_or_cr2 = a->vmcb->save.dr6 & DR6_EVENTS;
	else
		x->exc.dr6_or_cr2 = 0;
}

/* An x87 error with CR0.NE off: the CPU would wait for IRQ 13. As under VMX, where CR0.NE is always on, it is #MF. */
static void fill_ferr(const struct svm_vcpu *a, struct vm_exit *x)
{
	(void)a;
	x->exc.vector = VEC_MF;
	x->exc.has_error = false;
	x->exc.error = 0;
	x->exc.dr6_or_cr2 = 0;
}

/* EXITINFO1 of IOIO (15.10.2). */
#define IOIO_IN (1u << 0)
#define IOIO_STRING (1u << 2)
#define IOIO_REP (1u << 3)
#define IOIO_SIZE(info) ((info) >> 4 & 7)    /* bytes, one bit each for 1, 2, 4 */
#define IOIO_ADDRESS(info) ((info) >> 7 & 7) /* 16, 32, 64 bits: 1, 2, 4 */
#define IOIO_SEGMENT(info) ((info) >> 10 & 7)
#define IOIO_PORT(info) ((uint16_t)((info) >> 16))
#define SEGMENT_UNTOLD 0xff

static void fill_io(const struct svm_vcpu *a, struct vm_exit *x)
{
	uint32_t info = (uint32_t)x->info1;
	uint64_t len = x->info2 - a->vmcb->save.rip;

	x->io.port = IOIO_PORT(info);
	x->io.size = IOIO_SIZE(info);
	x->io.in = info & IOIO_IN;
	x->io.string = info & IOIO_STRING;
	x->io.rep = info & IOIO_REP;
	x->io.addr_size = (uint8_t)(IOIO_ADDRESS(info) << 1);
	/* 0 is ES for a CPU with decode assists, and "not told" for others, and for Bochs 2.7, which says that it has them. */
	x->io.seg = assists(a) && IOIO_SEGMENT(info) ? IOIO_SEGMENT(info) : SEGMENT_UNTOLD;
	x->io.next_rip = x->info2;
	if (len && len <= INSN_MAX)
		x->insn_len = (uint8_t)len;
}

static void fill_msr(const struct svm_vcpu *a, struct vm_exit *x)
{
	(void)a;
	if (x->info1 & 1)
		x->kind = EXIT_WRMSR;
}

/* EXITINFO2 of a task switch (15.14.1). */
#define TASK_IRET (1ull << 36)
#define TASK_JUMP (1ull << 38)
#define TASK_ERROR (1ull << 44)

static void fill_task(const struct svm_vcpu *a, struct vm_exit *x)
{
	x->task.selector = (uint16_t)x->info1;
	x->task.has_error = x->info2 & TASK_ERROR;
	x->task.error = (uint32_t)x->info2;
	if (x->info2 & TASK_IRET)
		x->task.source = 1;
	else if (x->info2 & TASK_JUMP)
		x->task.source = 2;
	else
		x->task.source = a->vmcb->control.exit_int_info & EVENT_VALID ? 3 : 0;
}

#define NPF_WALK (1ull << 33) /* 15.25.6: the access was the walk of the guest's own tables */

static inline void npf_access(struct vm_exit *x)
{
	x->slat.gpa = x->info2;
	x->slat.write = x->info1 & PF_W;
	x->slat.fetch = x->info1 & PF_FETCH;
	x->slat.walk = x->info1 & NPF_WALK;
}

static void fill_npf(const struct svm_vcpu *a, struct vm_exit *x)
{
	(void)a;
	if (x->info1 & PF_RSVD)
		x->kind = EXIT_SLAT_MISCONFIG;
	npf_access(x);
}

/* ---- the table */

#define CR_ROWS(name_, from) [from...(from) + 15] = { .name = name_, .kind = EXIT_CR, .instruction = true, .fill = fill_cr }
#define DR_ROWS(name_, from) [from...(from) + 15] = { .name = name_, .kind = EXIT_DR, .instruction = true, .fill = fill_dr }
#define EVENT(name_, kind_)                                                                                                        \
	{                                                                                                                          \
		.name = name_, .kind = kind_                                                                                       \
	}
/* Opcodes of one to three bytes, the first one in the low bits. */
#define INSN(name_, kind_, len_, bytes_)                                                                                           \
	{                                                                                                                          \
		.name = name_, .kind = kind_, .instruction = true, .plain = kind_, .len = len_, .bytes = bytes_,    \
		.mask = (1u << 8 * (len_)) - 1                                                                                     \
	}

static const struct exit_row rows[SVM_EXIT_TABLE] = {
	CR_ROWS("CR_READ", SVM_CR0_READ),
	CR_ROWS("CR_WRITE", SVM_CR0_WRITE),
	DR_ROWS("DR_READ", SVM_DR0_READ),
	DR_ROWS("DR_WRITE", SVM_DR0_WRITE),
	[SVM_EXCEPTION... SVM_EXCEPTION + 31] = { .name = "EXCP", .kind = EXIT_EXCEPTION, .fill = fill_exception },
	[SVM_INTR] = EVENT("INTR", EXIT_HOST_INTERRUPT),
	[SVM_NMI] = EVENT("NMI", EXIT_NMI),
	[SVM_SMI] = EVENT("SMI", EXIT_NONE), /* svm_event.c */
	[SVM_INIT] = EVENT("INIT", EXIT_SHUTDOWN),
	[SVM_VINTR] = EVENT("VINTR", EXIT_IRQ_WINDOW), /* svm_event.c says which window */
	[SVM_CR0_SELECTIVE] = { .name = "CR0_SEL_WRITE", .kind = EXIT_CR, .instruction = true, .fill = fill_cr },
	[SVM_RDTSC] = INSN("RDTSC", EXIT_RDTSC, 2, 0x310f),
	[SVM_RDPMC] = INSN("RDPMC", EXIT_RDPMC, 2, 0x330f),
	[SVM_CPUID] = INSN("CPUID", EXIT_CPUID, 2, 0xa20f),
	[SVM_IRET] = INSN("IRET", EXIT_NONE, 0, 0), /* svm_event.c */
	[SVM_INVD] = INSN("INVD", EXIT_INVD, 2, 0x80f),
	[SVM_PAUSE] = INSN("PAUSE", EXIT_PAUSE, 2, 0x90f3),
	[SVM_HLT] = INSN("HLT", EXIT_HLT, 1, 0xf4),
	[SVM_INVLPG] = { .name = "INVLPG", .kind = EXIT_INVLPG, .instruction = true, .fill = fill_invlpg },
	[SVM_INVLPGA] = INSN("INVLPGA", EXIT_VIRT_INSN, 0, 0),
	[SVM_IOIO] = { .name = "IOIO", .kind = EXIT_IO, .fill = fill_io },
	/* 0f 32 and 0f 30 */
	[SVM_MSR] = { .name = "MSR", .kind = EXIT_RDMSR, .instruction = true, .len = 2, .bytes = 0x300f, .mask = 0xfdff, .fill = fill_msr },
	[SVM_TASK_SWITCH] = { .name = "TASK_SWITCH", .kind = EXIT_TASK_SWITCH, .fill = fill_task },
	[SVM_FERR_FREEZE] = { .name = "FERR_FREEZE", .kind = EXIT_EXCEPTION, .fill = fill_ferr },
	[SVM_SHUTDOWN] = EVENT("SHUTDOWN", EXIT_TRIPLE_FAULT),
	[SVM_VMRUN] = INSN("VMRUN", EXIT_VIRT_INSN, 0, 0),
	[SVM_VMMCALL] = INSN("VMMCALL", EXIT_HYPERCALL, 3, 0xd9010f),
	[SVM_VMLOAD] = INSN("VMLOAD", EXIT_VIRT_INSN, 0, 0),
	[SVM_VMSAVE] = INSN("VMSAVE", EXIT_VIRT_INSN, 0, 0),
	[SVM_STGI] = INSN("STGI", EXIT_VIRT_INSN, 0, 0),
	[SVM_CLGI] = INSN("CLGI", EXIT_VIRT_INSN, 0, 0),
	[SVM_SKINIT] = INSN("SKINIT", EXIT_VIRT_INSN, 0, 0),
	[SVM_RDTSCP] = INSN("RDTSCP", EXIT_RDTSCP, 3, 0xf9010f),
	[SVM_WBINVD] = INSN("WBINVD", EXIT_WBINVD, 2, 0x90f),
	[SVM_MONITOR] = INSN("MONITOR", EXIT_MONITOR, 3, 0xc8010f),
	[SVM_MWAIT] = INSN("MWAIT", EXIT_MWAIT, 3, 0xc9010f),
	[SVM_MWAIT_ARMED] = INSN("MWAIT_CONDITIONAL", EXIT_MWAIT, 0, 0),
	[SVM_XSETBV] = INSN("XSETBV", EXIT_XSETBV, 3, 0xd1010f),
	/* Not offered by CPUID, but these exist on newer CPUs and would run. */
	[SVM_RDPRU] = INSN("RDPRU", EXIT_VIRT_INSN, 0, 0),
	[SVM_INVLPGB] = INSN("INVLPGB", EXIT_VIRT_INSN, 0, 0),
	[SVM_INVLPGB_ILLEGAL] = INSN("INVLPGB_ILLEGAL", EXIT_VIRT_INSN, 0, 0),
	[SVM_MCOMMIT] = INSN("MCOMMIT", EXIT_VIRT_INSN, 0, 0),
	[SVM_TLBSYNC] = INSN("TLBSYNC", EXIT_VIRT_INSN, 0, 0),
};

static const struct exit_row npf = { .name = "NPF", .kind = EXIT_SLAT_FAULT, .fill = fill_npf };
static const struct exit_row unasked = { .name = "?", .kind = EXIT_NONE };

static const struct exit_row *row_of(uint64_t code)
{
	if (code == SVM_NPF)
		return &npf;
	return code < SVM_EXIT_TABLE && rows[code].name ? &rows[code] : &unasked;
}

const char *svm_exit_name(uint64_t code)
{
	return SVM_INVALID(code) ? "INVALID" : row_of(code)->name;
}

/* The instruction's length by nRIP; 0: left to the decoder. */
static inline uint8_t length_by_nrip(const struct vmcb *b)
{
	uint64_t len = b->control.nrip - b->save.rip;

	return len <= INSN_MAX ? (uint8_t)len : 0; /* it wraps at the segment's end */
}

static __attribute__((noinline)) bool exited_rare(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;
	struct vm_exit *x = &v->exit;
	const struct exit_row *row;

	x->decode = false;
	x->interrupted.valid = false;
	x->info2 = a->vmcb->control.exit_info2;
	if (SVM_INVALID(x->raw_reason) && !svm_quit_at_cr3(v, x)) {
		if (!svm_refused_marks(v, x))
			svm_refused(v, x);
		return exit_handle(v);
	}
	if (x->raw_reason == SVM_SHUTDOWN)
		vmcb_set_clean(a->vmcb, 0);
	row = row_of(x->raw_reason);
	x->kind = row->kind == EXIT_NONE ? EXIT_UNKNOWN : row->kind;
	x->insn_len = 0;
	if (row->instruction && a->nrips)
		x->insn_len = length_by_nrip(a->vmcb);
	else if (row->len && !((svm_code_find(v) ^ row->bytes) & row->mask))
		x->insn_len = row->len;
	if (row->fill)
		row->fill(a, x);
	svm_event_take(v, x);
	return exit_handle(v);
}

/* An exit that is plain, if it is by the instruction's plain form. Apart, for it needs more registers than the rest. */
static __attribute__((noinline)) bool exited_by_bytes(struct vcpu *v, const struct svm_vcpu *a, const struct vmcb *b,
						      const struct exit_row *row)
{
	if ((svm_code_at(a, b) ^ row->bytes) & row->mask)
		return exited_rare(v);
	v->exit.insn_len = row->len;
	v->exit.kind = row->plain;
	return exit_handle(v);
}

bool svm_exited(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;
	const struct vmcb *b = a->vmcb;
	struct vm_exit *x = &v->exit;
	uint64_t code = b->control.exit_code;

	x->raw_reason = code;
	x->info1 = b->control.exit_info1;
	vmcb_set_clean(b, a->clean);
	svm_state_take(v, a, b);
	if (v->rare_entry || b->control.exit_int_info & EVENT_VALID)
		return exited_rare(v);
	if (code < SVM_EXIT_TABLE) {
		if (rows[code].plain == EXIT_NONE)
			return exited_rare(v);
		if (!a->nrips)
			return exited_by_bytes(v, a, b, &rows[code]);
		x->insn_len = length_by_nrip(b);
		x->kind = rows[code].plain;
		return x->insn_len ? exit_handle(v) : exited_rare(v);
	}
	if (code != SVM_NPF || x->info1 & PF_RSVD)
		return exited_rare(v);
	x->kind = EXIT_SLAT_FAULT; /* the first write to a tracked page comes this way */
	x->info2 = b->control.exit_info2;
	x->insn_len = 0;
	x->interrupted.valid = false;
	npf_access(x);
	return exit_handle(v);
}
