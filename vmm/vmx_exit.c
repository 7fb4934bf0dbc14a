/* What a VM exit says: from the exit-information fields (SDM vol. 3, 25.9, 28.2) to struct vm_exit. */
#include "vmm/exit.h"
#include "vmm/hw/hw.h"
#include "vmm/hw/x86.h"
#include "vmm/vmx.h"

/* Which fields are read; each VMREAD costs, so none without need. */
#define LEN 1u	/* an instruction made the exit: its length is defined (28.2.5) */
#define QUAL 2u /* the qualification is defined (28.2.1) */
/*
 * The exit may cut short the delivery of an event: IDT-vectoring information may be valid (28.2.4). Delivery reads the IDT, GDT and
 * TSS and writes the stack, so it can meet exceptions, EPT violations and misconfigurations, a full page-modification log, a task
 * gate and a triple fault. All other exits belong to instructions, or come between them when delivery is done.
 */
#define VECT 4u
#define PLAIN (LEN | 8u) /* and nothing else: by far the most exits of a guest that runs well */

typedef void (*exit_reader)(struct vcpu *v, struct vmx_vcpu *a, struct vm_exit *x);

static struct vevent event_from(struct vmx_vcpu *a, uint32_t info, enum vmcs_field error)
{
	struct vevent e = { .valid = true, .vector = info & EVENT_INFO_VECTOR, .type = EVENT_INFO_TYPE(info) };

	e.has_error = info & EVENT_INFO_ERROR;
	if (e.has_error)
		e.error = (uint32_t)vmread(a, error);
	return e;
}

/* What it takes to skip the instruction, as is most often done. */
static inline void read_skip(struct vcpu *v, struct vmx_vcpu *a, struct vm_exit *x)
{
	x->insn_len = (uint8_t)vmread_uncounted(VMCS_EXIT_INSN_LEN);
	v->rip = vmread_uncounted(VMCS_GUEST_RIP);
	v->rflags = vmread_uncounted(VMCS_GUEST_RFLAGS);
	vmx_take_shadow(v, vmread_uncounted(VMCS_GUEST_INTERRUPTIBILITY));
	a->accesses += 4;
	v->avail |= VCPU_SKIP_NEEDS;
}

static void read_interrupted(struct vcpu *v, struct vmx_vcpu *a, struct vm_exit *x)
{
	uint32_t info = (uint32_t)vmread(a, VMCS_VECTORING_EVENT);

	if (!(info & EVENT_INFO_VALID))
		return;
	x->interrupted = event_from(a, info, VMCS_VECTORING_EVENT_ERROR);
	if (x->interrupted.type >= EVENT_SOFT_INT)
		x->interrupted.insn_len = (uint8_t)vmread(a, VMCS_EXIT_INSN_LEN);
	v->inject = x->interrupted;
}

/*
 * IRET ends NMI blocking and may then itself fault: blocking must be on again when it is retried (28.2.3). Not so when the exit
 * came in the delivery of another event: that is past the IRET.
 */
static void block_nmi_again(struct vcpu *v, const struct vm_exit *x)
{
	if (x->interrupted.valid)
		return;
	vcpu_need(v, VG_SHADOW);
	v->nmi_blocked = true;
	vcpu_changed(v, VG_SHADOW);
}

/*
 * What the delivery of #DB does beside DR6, and the exit in its place and its injection do not (28.1, 27.6.1.1; SDM vol. 3, 18.2.4,
 * 18.4.4): general detection ends, so that the handler reaches the debug registers, and branches are neither recorded nor stepped.
 */
static void settle_debug(struct vcpu *v, struct vmx_vcpu *a)
{
	uint64_t debugctl = vmread(a, VMCS_GUEST_DEBUGCTL);

	if (debugctl & (DEBUGCTL_LBR | DEBUGCTL_BTF))
		vmwrite(a, VMCS_GUEST_DEBUGCTL, debugctl & ~(DEBUGCTL_LBR | DEBUGCTL_BTF));
	if (vcpu_dr7(v) & DR7_GD)
		vcpu_set_dr7(v, v->dr7 & ~DR7_GD);
}

static void read_event(struct vcpu *v, struct vmx_vcpu *a, struct vm_exit *x)
{
	uint32_t info = (uint32_t)vmread(a, VMCS_EXIT_EVENT);
	struct vevent e;

	if (EVENT_INFO_TYPE(info) == EVENT_NMI) {
		/* The exit blocks NMIs until an IRET. The VMM's own handler notes this one and ends with an IRET. */
		x->kind = EXIT_NMI;
		__asm__ volatile("int $2" : : : "memory");
		return;
	}
	e = event_from(a, info, VMCS_EXIT_EVENT_ERROR);
	read_interrupted(v, a, x);
	x->exc.vector = e.vector;
	x->exc.has_error = e.has_error;
	x->exc.error = e.error;
	x->exc.dr6_or_cr2 = 0;
	if (e.vector == VEC_DB || e.vector == VEC_PF)
		x->exc.dr6_or_cr2 = x->info1 = vmread(a, VMCS_QUALIFICATION);
	if (e.vector == VEC_DB)
		settle_debug(v, a);
	if (e.type >= EVENT_SOFT_INT)
		read_skip(v, a, x);
	if (info & EVENT_INFO_NMI_UNBLOCKED && e.vector != VEC_DF)
		block_nmi_again(v, x);
}

/* Table 28-3. */
static void read_cr(struct vcpu *v, struct vmx_vcpu *a, struct vm_exit *x)
{
	uint64_t q = x->info1;
	unsigned type = q >> 4 & 3; /* MOV to, MOV from, CLTS, LMSW */

	(void)v;
	(void)a;
	x->cr.cr = type >= 2 ? 0 : q & 15;
	x->cr.gpr = q >> 8 & 15;
	x->cr.write = type != 1;
	x->cr.clts = type == 2;
	x->cr.lmsw = type == 3;
	x->cr.smsw = false; /* it reads the shadow, and does not exit */
	x->cr.lmsw_source = (uint16_t)(q >> 16);
}

/* Table 28-4. */
static void read_dr(struct vcpu *v, struct vmx_vcpu *a, struct vm_exit *x)
{
	(void)v;
	(void)a;
	x->dr.dr = x->info1 & 7;
	x->dr.write = !(x->info1 & 1u << 4);
	x->dr.gpr = x->info1 >> 8 & 15;
}

/* Table 28-5; string forms: table 28-9, where the CPU fills it (A.1). */
static void read_io(struct vcpu *v, struct vmx_vcpu *a, struct vm_exit *x)
{
	uint64_t q = x->info1;
	uint32_t info;

	(void)v;
	x->io.port = (uint16_t)(q >> 16);
	x->io.size = (uint8_t)((q & 7) + 1);
	x->io.in = q & 1u << 3;
	x->io.string = q & 1u << 4;
	x->io.rep = q & 1u << 5;
	x->io.addr_size = 0;
	x->io.seg = 0xff;
	x->io.next_rip = 0;
	if (!x->io.string)
		return;
	if (!(a->cpu->caps.basic & VMX_BASIC_STRING_INFO)) {
		x->decode = true;
		return;
	}
	info = (uint32_t)vmread(a, VMCS_EXIT_INSN_INFO);
	x->io.addr_size = (uint8_t)(2u << (info >> 7 & 7));
	if (!x->io.in)
		x->io.seg = info >> 15 & 7;
}

/* Table 28-2. */
static void read_task(struct vcpu *v, struct vmx_vcpu *a, struct vm_exit *x)
{
	(void)v;
	(void)a;
	x->task.selector = (uint16_t)x->info1;
	x->task.source = x->info1 >> 30 & 3;
	x->task.has_error = x->interrupted.valid && x->interrupted.has_error;
	x->task.error = x->task.has_error ? x->interrupted.error : 0;
}

static inline void read_ept_access(struct vm_exit *x, uint64_t q)
{
	x->slat.write = q & EPTV_WRITE;
	x->slat.fetch = q & EPTV_FETCH;
	x->slat.walk = (q & (EPTV_LINEAR_VALID | EPTV_TRANSLATED)) == EPTV_LINEAR_VALID;
}

/* Table 28-7. With A and D bits on, the CPU's walk of guest tables counts as writes, whatever it does there (29.3.3.2). */
static void read_ept_violation(struct vcpu *v, struct vmx_vcpu *a, struct vm_exit *x)
{
	uint64_t q = x->info1;

	x->slat.gpa = x->info2 = vmread(a, VMCS_GUEST_PHYSICAL);
	read_ept_access(x, q);
	if (q & EPTV_NMI_UNBLOCKED)
		block_nmi_again(v, x);
}

static void read_ept_misconfig(struct vcpu *v, struct vmx_vcpu *a, struct vm_exit *x)
{
	(void)v;
	x->slat.gpa = x->info2 = vmread(a, VMCS_GUEST_PHYSICAL);
	x->slat.write = x->slat.fetch = x->slat.walk = false;
}

static void read_pml_full(struct vcpu *v, struct vmx_vcpu *a, struct vm_exit *x)
{
	(void)a;
	if (x->info1 & EPTV_NMI_UNBLOCKED)
		block_nmi_again(v, x);
}

/* SDM vol. 3, appendix C. No entry, or one without a kind: it cannot happen under our controls. */
static const struct exit_row {
	const char *name;
	uint8_t kind, fields;
	exit_reader read;
} rows[] = {
	[0] = { "exception or NMI", EXIT_EXCEPTION, 0, read_event },
	[1] = { "external interrupt", EXIT_HOST_INTERRUPT, 0, NULL },
	[2] = { "triple fault", EXIT_TRIPLE_FAULT, VECT, NULL },
	[3] = { "INIT signal", EXIT_SHUTDOWN, 0, NULL },
	[4] = { "start-up IPI", EXIT_SHUTDOWN, QUAL, NULL },
	[5] = { "I/O SMI", EXIT_UNKNOWN, QUAL, NULL },
	[6] = { "other SMI", EXIT_UNKNOWN, QUAL, NULL },
	[7] = { "interrupt window", EXIT_IRQ_WINDOW, 0, NULL },
	[8] = { "NMI window", EXIT_NMI_WINDOW, 0, NULL },
	[9] = { "task switch", EXIT_TASK_SWITCH, LEN | QUAL | VECT, read_task },
	[10] = { "CPUID", EXIT_CPUID, PLAIN, NULL },
	[11] = { "GETSEC", EXIT_VIRT_INSN, PLAIN, NULL },
	[12] = { "HLT", EXIT_HLT, PLAIN, NULL },
	[13] = { "INVD", EXIT_INVD, PLAIN, NULL },
	[14] = { "INVLPG", EXIT_INVLPG, LEN | QUAL, NULL },
	[15] = { "RDPMC", EXIT_RDPMC, PLAIN, NULL },
	[16] = { "RDTSC", EXIT_RDTSC, PLAIN, NULL },
	[17] = { "RSM", EXIT_VIRT_INSN, PLAIN, NULL },
	[18] = { "VMCALL", EXIT_HYPERCALL, PLAIN, NULL },
	[19] = { "VMCLEAR", EXIT_VIRT_INSN, PLAIN, NULL },
	[20] = { "VMLAUNCH", EXIT_VIRT_INSN, PLAIN, NULL },
	[21] = { "VMPTRLD", EXIT_VIRT_INSN, PLAIN, NULL },
	[22] = { "VMPTRST", EXIT_VIRT_INSN, PLAIN, NULL },
	[23] = { "VMREAD", EXIT_VIRT_INSN, PLAIN, NULL },
	[24] = { "VMRESUME", EXIT_VIRT_INSN, PLAIN, NULL },
	[25] = { "VMWRITE", EXIT_VIRT_INSN, PLAIN, NULL },
	[26] = { "VMXOFF", EXIT_VIRT_INSN, PLAIN, NULL },
	[27] = { "VMXON", EXIT_VIRT_INSN, PLAIN, NULL },
	[28] = { "control-register access", EXIT_CR, LEN | QUAL, read_cr },
	[29] = { "MOV DR", EXIT_DR, LEN | QUAL, read_dr },
	[30] = { "I/O instruction", EXIT_IO, LEN | QUAL, read_io },
	[31] = { "RDMSR", EXIT_RDMSR, PLAIN, NULL },
	[32] = { "WRMSR", EXIT_WRMSR, PLAIN, NULL },
	[33] = { "VM-entry failure: invalid guest state", EXIT_ENTRY_FAILED, QUAL, NULL },
	[34] = { "VM-entry failure: MSR loading", EXIT_ENTRY_FAILED, QUAL, NULL },
	[36] = { "MWAIT", EXIT_MWAIT, LEN | QUAL, NULL },
	[37] = { "monitor trap flag", EXIT_UNKNOWN, 0, NULL },
	[39] = { "MONITOR", EXIT_MONITOR, PLAIN, NULL },
	[40] = { "PAUSE", EXIT_PAUSE, PLAIN, NULL },
	[41] = { "VM-entry failure: machine check", EXIT_ENTRY_FAILED, 0, NULL },
	[43] = { "TPR below threshold", EXIT_UNKNOWN, 0, NULL },
	[44] = { "APIC access", EXIT_UNKNOWN, QUAL, NULL },
	[45] = { "virtualized EOI", EXIT_UNKNOWN, QUAL, NULL },
	[46] = { "access to GDTR or IDTR", EXIT_UNKNOWN, LEN | QUAL, NULL },
	[47] = { "access to LDTR or TR", EXIT_UNKNOWN, LEN | QUAL, NULL },
	[48] = { "EPT violation", EXIT_SLAT_FAULT, QUAL | VECT, read_ept_violation },
	[49] = { "EPT misconfiguration", EXIT_SLAT_MISCONFIG, VECT, read_ept_misconfig },
	[50] = { "INVEPT", EXIT_VIRT_INSN, PLAIN, NULL },
	[51] = { "RDTSCP", EXIT_RDTSCP, PLAIN, NULL },
	[52] = { "VMX-preemption timer", EXIT_HOST_INTERRUPT, 0, NULL },
	[53] = { "INVVPID", EXIT_VIRT_INSN, PLAIN, NULL },
	[54] = { "WBINVD or WBNOINVD", EXIT_WBINVD, PLAIN, NULL },
	[55] = { "XSETBV", EXIT_XSETBV, PLAIN, NULL },
	[56] = { "APIC write", EXIT_UNKNOWN, QUAL, NULL },
	[57] = { "RDRAND", EXIT_UNKNOWN, PLAIN, NULL },
	[58] = { "INVPCID", EXIT_UNKNOWN, LEN | QUAL, NULL },
	[59] = { "VMFUNC", EXIT_VIRT_INSN, PLAIN, NULL },
	[60] = { "ENCLS", EXIT_UNKNOWN, PLAIN, NULL },
	[61] = { "RDSEED", EXIT_UNKNOWN, PLAIN, NULL },
	[62] = { "page-modification log full", EXIT_PML_FULL, QUAL | VECT, read_pml_full },
	[63] = { "XSAVES", EXIT_UNKNOWN, PLAIN, NULL },
	[64] = { "XRSTORS", EXIT_UNKNOWN, PLAIN, NULL },
	[65] = { "PCONFIG", EXIT_UNKNOWN, PLAIN, NULL },
	[66] = { "SPP-related event", EXIT_UNKNOWN, QUAL | VECT, NULL },
	[67] = { "UMWAIT", EXIT_UNKNOWN, PLAIN, NULL },
	[68] = { "TPAUSE", EXIT_UNKNOWN, PLAIN, NULL },
	[69] = { "LOADIWKEY", EXIT_UNKNOWN, PLAIN, NULL },
	[70] = { "ENCLV", EXIT_UNKNOWN, PLAIN, NULL },
	[72] = { "ENQCMD PASID translation", EXIT_UNKNOWN, 0, NULL },
	[73] = { "ENQCMDS PASID translation", EXIT_UNKNOWN, 0, NULL },
	[74] = { "bus lock", EXIT_UNKNOWN, VECT, NULL },
	[75] = { "instruction time-out", EXIT_UNKNOWN, QUAL | VECT, NULL },
	[76] = { "SEAMCALL", EXIT_VIRT_INSN, PLAIN, NULL },
	[77] = { "TDCALL", EXIT_VIRT_INSN, PLAIN, NULL },
	[78] = { "RDMSRLIST", EXIT_UNKNOWN, LEN | QUAL, NULL },
	[79] = { "WRMSRLIST", EXIT_UNKNOWN, LEN | QUAL, NULL },
};

static const struct exit_row *row_of(uint32_t basic)
{
	static const struct exit_row unknown = { "unknown", EXIT_UNKNOWN, 0, NULL };

	return basic < sizeof(rows) / sizeof(rows[0]) && rows[basic].name ? &rows[basic] : &unknown;
}

const char *vmx_reason_name(uint32_t basic)
{
	return row_of(basic)->name;
}

/* What belongs to the exit beyond its reason. */
static void read_more(struct vcpu *v, struct vmx_vcpu *a, struct vm_exit *x, const struct exit_row *row)
{
	x->insn_len = 0;
	if (row->fields & LEN)
		read_skip(v, a, x);
	if (row->fields & QUAL)
		x->info1 = vmread(a, VMCS_QUALIFICATION);
	if (row->fields & VECT)
		read_interrupted(v, a, x);
	if (row->read)
		row->read(v, a, x);
}

static __attribute__((noinline)) bool exited_rare(struct vcpu *v, struct vmx_vcpu *a, uint32_t reason)
{
	const struct exit_row *row = row_of(reason & REASON_BASIC);
	struct vm_exit *x = &v->exit;

	x->info1 = x->info2 = 0;
	x->decode = false;
	x->interrupted.valid = false;
	v->avail &= a->keeps;
	x->kind = row->kind;
	read_more(v, a, x, row);
	/* An entry that fails late leaves the guest's state and the VMCS's launch state as they were (27.8). */
	if (reason & REASON_ENTRY_FAILED) {
		x->kind = EXIT_ENTRY_FAILED;
		vmx_entry_failed(v, x);
	} else {
		a->launched = true;
	}
	irq_poll();
	return exit_handle(v);
}

/*
 * The first write to a tracked page comes this way. False, and nothing is done: an event's delivery or an IRET were cut short.
 */
static inline bool read_write_fault(struct vmx_vcpu *a, struct vm_exit *x)
{
	uint64_t q = vmread_uncounted(VMCS_QUALIFICATION);

	if ((uint32_t)vmread_uncounted(VMCS_VECTORING_EVENT) & EVENT_INFO_VALID || q & EPTV_NMI_UNBLOCKED)
		return false;
	a->accesses += 3;
	a->launched = true;
	x->kind = EXIT_SLAT_FAULT;
	x->info1 = q;
	x->slat.gpa = x->info2 = vmread_uncounted(VMCS_GUEST_PHYSICAL);
	read_ept_access(x, q);
	x->insn_len = 0;
	x->interrupted.valid = false;
	return true;
}

bool vmx_exited(struct vcpu *v, struct vmx_vcpu *a)
{
	uint32_t reason = (uint32_t)vmread(a, VMCS_EXIT_REASON);
	struct vm_exit *x = &v->exit;

	x->raw_reason = reason;
	if (__builtin_expect(reason == REASON_EPT_VIOLATION, 0)) {
		if (!read_write_fault(a, x))
			return exited_rare(v, a, reason);
		v->avail &= a->keeps;
		irq_poll();
		return exit_handle(v);
	}
	if (__builtin_expect(reason >= sizeof(rows) / sizeof(rows[0]) || rows[reason].fields != PLAIN, 0))
		return exited_rare(v, a, reason);
	x->info1 = x->info2 = 0;
	a->launched = true;
	x->kind = rows[reason].kind;
	v->avail &= a->keeps;
	read_skip(v, a, x);
	/* Whatever the exit's reason was: see LONGEST_STAY_HZ. */
	irq_poll();
	return exit_handle(v);
}
