/*
 * Events into the guest (APM vol. 2, 15.20, 15.21), those that an exit cut short (15.7.2), and windows in which it can take one.
 *
 * SVM without vNMI has no NMI blocking of its own and no NMI window. Both are made of the IRET intercept: blocking ends when the
 * IRET of the handler has been executed, so that one instruction is single-stepped.
 *
 * QEMU's TCG (7.2) may deliver an interrupt that EVENTINJ holds twice: if it returns to its main loop before the next exit, it has
 * forgotten that this is done. There an interrupt goes in as V_IRQ with its vector, which the CPU takes at the first boundary, for
 * the guest is known to be ready; if an exit comes first, it is handed back as cut short.
 */
#include "vmm/gva.h"
#include "vmm/hw/x86.h"
#include "vmm/svm.h"

#define OPCODE_HLT 0xf4
#define OPCODE_INT3 0xcc /* 0xcd INTn, 0xce INTO */
#define OPCODE_INTO 0xce

#define EXCEPTIONS_NEVER_STEPPED (1u << VEC_NMI) /* NMI has an intercept of its own; this bit is reserved (15.12) */

/* ---- before an entry */

/* INTn, INT3 and INTO: RIP is still on the instruction, so that it is executed again instead. EVENTINJ would need NRIPS (15.20). */
static bool executed_again(const struct vevent *e)
{
	return e->type == EVENT_SOFT_INT || e->type == EVENT_SOFT_EXC || e->type == EVENT_PRIV_SOFT ||
	       (e->type == EVENT_EXCEPTION && (e->vector == VEC_BP || e->vector == VEC_OF));
}

static uint64_t encode(const struct vcpu *v, const struct vevent *e)
{
	const struct svm_vcpu *a = v->arch;
	uint64_t event = e->vector | (uint64_t)e->type << 8 | EVENT_VALID;

	if (e->has_error && (a->vmcb->save.cr0 & CR0_PE))
		event |= EVENT_EV | (uint64_t)e->error << EVENT_ERROR_SHIFT;
	return event;
}

/* The first byte at RIP; 0 when it cannot be read, which is then no fault of the guest's. */
static uint8_t opcode_at_rip(struct vcpu *v)
{
	uint64_t cr2 = v->cr2;
	uint8_t opcode = 0;

	gva_fetch(v, &opcode, 1);
	v->inject.valid = false;
	v->cr2 = cr2;
	return opcode;
}

/*
 * The guest is between STI and HLT. HLT exits by itself, before an interrupt could come in: no window is needed. QEMU 7.2 ignores
 * the shadow at VMRUN and would run the handler before the HLT, so that the guest slept through its event; here the shadow lasts
 * until the HLT is executed.
 */
static bool sti_hlt(struct vcpu *v)
{
	const struct vmcb *b = ((const struct svm_vcpu *)v->arch)->vmcb;

	return (b->control.int_state & INT_STATE_SHADOW) && (b->save.rflags & RFLAGS_IF) && opcode_at_rip(v) == OPCODE_HLT;
}

/* All exceptions exit while the IRET is stepped: #DB ends the step, and a fault must not push the TF that is not the guest's. */
static void intercept_exceptions(const struct vmcb *b, bool all)
{
	for (unsigned n = 0; n < 32; n++)
		if (!(EXCEPTIONS_NEVER_STEPPED >> n & 1))
			vmcb_intercept(b, SVM_EXCEPTION + n, all || n == VEC_MC);
}

static void step_begin(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;
	const struct vmcb *b = a->vmcb;

	a->stepping = true;
	a->step_tf = b->save.rflags & RFLAGS_TF;
	a->step_dr6 = b->save.dr6;
	vmcb_set_rflags(b, b->save.rflags | RFLAGS_TF);
	intercept_exceptions(b, true);
}

void svm_event_load(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;
	const struct vmcb *b = a->vmcb;
	uint32_t ctl = (uint32_t)(v->cr8 & 15) | INT_CTL_MASKING, vector = 0;
	uint64_t event = 0;
	bool window;

	a->offered = v->inject.valid && v->inject.type == EVENT_IRQ && a->cpu->irq_by_virq;
	if (a->offered)
		vector = v->inject.vector;
	else if (v->inject.valid && !executed_again(&v->inject))
		event = encode(v, &v->inject);
	if (v->inject.valid && v->inject.type == EVENT_NMI)
		v->nmi_blocked = true;
	a->event = event;
	a->sti_hlt = !v->inject.valid && sti_hlt(v);
	a->entry_rip = b->save.rip;
	v->inject.valid = false;
	/* V_IRQ is one: the window for a second interrupt waits for the exit after the first. */
	window = !a->offered && !a->sti_hlt && (v->want_irq_window || (v->want_nmi_window && !v->nmi_blocked));
	if (a->offered || window)
		ctl |= INT_CTL_IRQ | INT_CTL_IGNORE_TPR | INT_CTL_PRIORITY_15;
	vmcb_set_event_inj(b, event);
	vmcb_set_int_ctl(b, ctl);
	vmcb_set_int_vector(b, vector);
	vmcb_intercept(b, SVM_VINTR, window);

	/* An event on top of the IRET starts another handler: that one's IRET will end the blocking, as on a CPU. */
	if (a->step && v->nmi_blocked && !event && !a->offered)
		step_begin(v);
	a->step = false;
	/* V_IRQ opens no window while RFLAGS.IF is 0; the end of the handler that then runs does. */
	vmcb_intercept(b, SVM_IRET, (v->nmi_blocked || v->want_nmi_window) && !a->stepping);
}

/* ---- after an exit */

/*
 * The step's exit. #DB behind the IRET, with DR6.BS (Bochs 2.7 does not set it before an intercept): it is done, and RFLAGS is what
 * it loaded. Another exception: the IRET faulted, which unblocks NMIs too. Anything else came before the IRET, which will be
 * intercepted again.
 */
static void step_end(struct vcpu *v, struct vm_exit *x)
{
	struct svm_vcpu *a = v->arch;
	const struct vmcb *b = a->vmcb;
	bool exception = x->kind == EXIT_EXCEPTION && x->exc.vector != VEC_MC, debug = exception && x->exc.vector == VEC_DB;
	uint64_t hit;

	a->stepping = false;
	intercept_exceptions(b, false);
	if (!debug || (!(b->save.dr6 & DR6_BS) && b->save.rip == a->entry_rip)) {
		if (!a->step_tf)
			vmcb_set_rflags(b, b->save.rflags & ~RFLAGS_TF);
		v->rflags = b->save.rflags;
		v->nmi_blocked = !exception || debug;
		return;
	}
	v->nmi_blocked = false;
	if (a->step_tf) { /* the guest steps over it too */
		x->exc.dr6_or_cr2 |= DR6_BS;
		return;
	}
	hit = b->save.dr6 & ~a->step_dr6 & 15;
	vmcb_set_dr6(b, a->step_dr6 | hit);
	x->exc.dr6_or_cr2 = hit;
	if (!hit)
		x->kind = v->want_nmi_window ? EXIT_NMI_WINDOW : EXIT_NONE;
}

/*
 * Bochs 2.7 tells of an event in EXITINTINFO also when INTn was cut short, but of an older one. What cannot be: an interrupt or
 * NMI that is not the one just injected, for physical ones make the guest exit, and what is injected comes before the first
 * instruction. A fault at an INTn may be its own: to execute it again is right for both.
 */
static bool stale(struct vcpu *v, uint64_t info)
{
	const struct svm_vcpu *a = v->arch;
	uint8_t opcode;

	if (a->vmcb->save.rip == a->entry_rip && !((info ^ a->event) & 0x7ff))
		return false;
	if (EVENT_TYPE(info) != EVENT_EXCEPTION)
		return true;
	if (EVENT_VECTOR(info) == VEC_DB || EVENT_VECTOR(info) == VEC_DF || EVENT_VECTOR(info) == VEC_MC)
		return false;
	opcode = opcode_at_rip(v);
	return opcode >= OPCODE_INT3 && opcode <= OPCODE_INTO;
}

/* The event whose delivery was cut short, if it has to be injected again. */
static void interrupted(struct vcpu *v, struct vm_exit *x)
{
	struct svm_vcpu *a = v->arch;
	const struct vmcb_control *c = &a->vmcb->control;
	uint64_t info = c->exit_int_info;
	struct vevent *e = &x->interrupted;

	if (a->offered && (c->int_ctl & INT_CTL_IRQ)) { /* not taken, or not to the end: QEMU calls the latter an exception */
		*e = (struct vevent){ .valid = true, .vector = (uint8_t)c->int_vector, .type = EVENT_IRQ };
		return;
	}
	if (!(info & EVENT_VALID))
		return;
	*e = (struct vevent){ .vector = EVENT_VECTOR(info), .type = (uint8_t)EVENT_TYPE(info), .has_error = info & EVENT_EV };
	if (e->has_error)
		e->error = (uint32_t)(info >> EVENT_ERROR_SHIFT);
	e->valid = !executed_again(e) && !stale(v, info);
}

void svm_event_take(struct vcpu *v, struct vm_exit *x)
{
	struct svm_vcpu *a = v->arch;

	if (a->sti_hlt && a->vmcb->save.rip == a->entry_rip && x->raw_reason != SVM_HLT) {
		vmcb_set_int_state(a->vmcb, INT_STATE_SHADOW);
		v->shadow_ss = true;
	}
	interrupted(v, x);
	if (a->stepping) {
		step_end(v, x);
		return;
	}
	switch (x->raw_reason) {
	case SVM_VINTR:
		x->kind = v->want_nmi_window && !v->nmi_blocked ? EXIT_NMI_WINDOW : EXIT_IRQ_WINDOW;
		break;
	case SVM_IRET:
		a->step = v->nmi_blocked;
		x->kind = v->nmi_blocked || !v->want_nmi_window ? EXIT_NONE : EXIT_NMI_WINDOW;
		break;
	case SVM_SMI: /* taken by the firmware at STGI */
		x->kind = EXIT_NONE;
		break;
	}
}
