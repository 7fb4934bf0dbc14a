/*
 * Events into the guest (APM vol. 2, 15.20, 15.21), those that an exit cut short (15.7.2), and windows in which it can take one.
 *
 * SVM without vNMI has no NMI blocking of its own and no NMI window: both are made of the IRET intercept.
 *
 * QEMU's TCG (7.2) may deliver an interrupt that EVENTINJ holds twice: if it returns to its main loop before the next exit, it has
 * forgotten that this is done. There an interrupt goes in as V_IRQ with its vector, which the CPU takes at the first boundary, for
 * the guest is known to be ready; if an exit comes first, it is handed back as cut short.
 */
#include "vmm/hw/x86.h"
#include "vmm/svm.h"

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

/*
 * Faults of this event's delivery exit, and vcpu_exception joins the two: of #DF, which exits itself for that, because Bochs 2.7
 * stops for good at a fault then, instead of a SHUTDOWN exit (APM vol. 2, 15.14.3); of any exception on QEMU's TCG (7.2), which
 * forgets that it delivers one: the fault would be just that fault, not #DF.
 */
static void watch_delivery(struct svm_vcpu *a, uint64_t event)
{
	static const uint8_t contributory[] = { VEC_TS, VEC_NP, VEC_SS, VEC_GP, VEC_PF };
	bool watched =
		event && EVENT_TYPE(event) == EVENT_EXCEPTION && (a->cpu->forgets_exception || EVENT_VECTOR(event) == VEC_DF);

	if (watched == a->delivery_watched)
		return;
	a->delivery_watched = watched;
	for (unsigned i = 0; i < sizeof(contributory); i++)
		vmcb_intercept(a->vmcb, SVM_EXCEPTION + contributory[i],
			       watched || (contributory[i] == VEC_PF && a->page_faults_exit));
}

void svm_event_load(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;
	const struct vmcb *b = a->vmcb;
	uint32_t ctl = (b->control.int_ctl & 15) | INT_CTL_MASKING, vector = 0;
	uint64_t event = 0;
	bool window, shadow = b->control.int_state & INT_STATE_SHADOW;
	bool quiet = !v->inject.valid && !v->want_irq_window && !v->want_nmi_window && !v->nmi_blocked && !shadow;

	a->entry_rip = b->save.rip;
	if (quiet && !v->rare_entry && b->control.int_ctl == ctl) /* by far the most entries: the VMCB is as the last one left it */
		return;
	v->rare_entry = !quiet;
	a->offered = v->inject.valid && v->inject.type == EVENT_IRQ && a->cpu->irq_by_virq;
	if (a->offered)
		vector = v->inject.vector;
	else if (v->inject.valid && !executed_again(&v->inject))
		event = encode(v, &v->inject);
	if (v->inject.valid && v->inject.type == EVENT_NMI)
		v->nmi_blocked = true;
	v->inject.valid = false;
	a->event = event;

	window = v->want_irq_window || (v->want_nmi_window && !v->nmi_blocked);
	if (svm_step_load(v, event || a->offered, window) || a->offered)
		window = false; /* V_IRQ is one: the window for a second interrupt waits for the exit after the first */
	if (a->offered || window)
		ctl |= INT_CTL_IRQ | INT_CTL_IGNORE_TPR | INT_CTL_PRIORITY_15;
	watch_delivery(a, event);
	vmcb_set_event_inj(b, event);
	vmcb_set_int_ctl(b, ctl);
	vmcb_set_int_vector(b, vector);
	vmcb_intercept(b, SVM_VINTR, window);
	/* V_IRQ opens no window while RFLAGS.IF is 0; the end of the handler that then runs does. */
	vmcb_intercept(b, SVM_IRET, (v->nmi_blocked || v->want_nmi_window) && a->stepping != STEP_IRET);
}

/* ---- after an exit */

#define OPCODE_INT3 0xcc /* 0xcd INTn, 0xce INTO */
#define OPCODE_INTO 0xce

/*
 * Whether a #DB may have been raised before the instruction at RIP: DR6 tells the cause before it is delivered, and keeps telling
 * until the guest clears it, but then nothing is there to raise another. (But a POPF or IRET that clears TF is still followed by
 * one.)
 */
static bool debug_raised(const struct vmcb *b)
{
	return (b->save.dr6 & (DR6_BREAKPOINTS | DR6_BS)) && ((b->save.rflags & RFLAGS_TF) || (b->save.dr7 & DR7_ENABLES));
}

/*
 * Bochs 2.7 tells of an event in EXITINTINFO also when INTn was cut short, but of an older one. What cannot be: an interrupt or
 * NMI that is not the one just injected, for physical ones make the guest exit, and what is injected comes before the first
 * instruction; a #DB without a cause. A fault at an INTn may be its own: to execute it again is right for both.
 */
static bool stale(struct vcpu *v, uint64_t info)
{
	const struct svm_vcpu *a = v->arch;
	struct insn in;

	if (a->vmcb->save.rip == a->entry_rip && (a->event & EVENT_VALID) && !((info ^ a->event) & 0x7ff))
		return false;
	if (EVENT_TYPE(info) != EVENT_EXCEPTION)
		return true;
	if (EVENT_VECTOR(info) == VEC_DF || EVENT_VECTOR(info) == VEC_MC || (EVENT_VECTOR(info) == VEC_DB && debug_raised(a->vmcb)))
		return false;
	return svm_next_insn(v, &in) && in.map == MAP_1BYTE && in.opcode >= OPCODE_INT3 && in.opcode <= OPCODE_INTO;
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

void svm_event_refused(struct vcpu *v)
{
	const struct svm_vcpu *a = v->arch;

	if (a->offered)
		v->inject = (struct vevent){ .valid = true, .vector = (uint8_t)a->vmcb->control.int_vector, .type = EVENT_IRQ };
	else if (a->event & EVENT_VALID)
		v->inject = (struct vevent){ .valid = true,
					     .vector = EVENT_VECTOR(a->event),
					     .type = (uint8_t)EVENT_TYPE(a->event),
					     .has_error = a->event & EVENT_EV,
					     .error = (uint32_t)(a->event >> EVENT_ERROR_SHIFT) };
}

void svm_event_take(struct vcpu *v, struct vm_exit *x)
{
	struct svm_vcpu *a = v->arch;

	interrupted(v, x);
	if (x->interrupted.valid)
		v->inject = x->interrupted;
	svm_step_take(v, x);
	switch (x->raw_reason) {
	case SVM_VINTR: x->kind = v->want_nmi_window && !v->nmi_blocked ? EXIT_NMI_WINDOW : EXIT_IRQ_WINDOW; break;
	case SVM_IRET:
		a->iret_next = v->nmi_blocked;
		x->kind = v->nmi_blocked || !v->want_nmi_window ? EXIT_NONE : EXIT_NMI_WINDOW;
		break;
	case SVM_SMI: /* taken by the firmware at STGI */ x->kind = EXIT_NONE; break;
	}
}
