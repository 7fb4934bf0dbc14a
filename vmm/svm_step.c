/*
 * One instruction at a time, by RFLAGS.TF, for what SVM lacks:
 * - NMI blocking ends when the handler's IRET has been executed, which no exit tells.
 * - QEMU's TCG (7.2) forgets at VMRUN that the guest is in the shadow of STI or MOV SS. A guest whose turn ended just there would
 *   be interrupted one instruction too early: between STI and HLT it would then sleep through its event.
 * While it lasts all exceptions exit: #DB ends it, and a fault must not push a TF that is not the guest's.
 */
#include "vmm/gva.h"
#include "vmm/hw/x86.h"
#include "vmm/svm.h"

#define ALL_EXCEPTIONS (~(1u << VEC_NMI)) /* NMI has an intercept of its own; its bit here is reserved (15.12) */

static void intercept_exceptions(const struct vmcb *b, uint32_t vectors)
{
	for (unsigned n = 0; n < 32; n++)
		vmcb_intercept(b, SVM_EXCEPTION + n, vectors >> n & 1);
}

static void begin(struct svm_vcpu *a, enum svm_step step)
{
	const struct vmcb *b = a->vmcb;

	a->stepping = step;
	a->step_tf = b->save.rflags & RFLAGS_TF;
	a->step_dr6 = b->save.dr6;
	vmcb_set_rflags(b, b->save.rflags | RFLAGS_TF);
	a->step_exceptions = b->control.intercept[SVM_EXCEPTION >> 5];
	intercept_exceptions(b, ALL_EXCEPTIONS);
}

void svm_step_cancel(struct svm_vcpu *a)
{
	if (a->stepping)
		intercept_exceptions(a->vmcb, a->step_exceptions);
	a->stepping = STEP_NONE;
}

bool svm_next_insn(struct vcpu *v, struct insn *in)
{
	uint64_t cr2 = vcpu_cr2(v);
	uint8_t bytes[INSN_MAX];
	size_t n = gva_fetch(v, bytes, sizeof(bytes));

	v->inject.valid = false; /* a fault of this fetch is not the guest's */
	v->cr2 = cr2;
	return n && !insn_decode(in, bytes, n, vcpu_mode(v));
}

#define OPCODE_HLT 0xf4

/* Instructions that store or load RFLAGS.TF, and so can't be stepped unseen. */
static bool touches_tf(const struct insn *in)
{
	switch (in->opcode) {
	case 0x9c: /* PUSHF, POPF, INT3, INTn, INTO, IRET, INT1 */
	case 0x9d:
	case 0xcc:
	case 0xcd:
	case 0xce:
	case 0xcf:
	case 0xf1: return in->map == MAP_1BYTE;
	case 0x05: /* SYSCALL, SYSRET, RSM */
	case 0x07:
	case 0xaa: return in->map == MAP_0F;
	default: return false;
	}
}

/* HLT exits by itself; before anything else an interrupt is kept away by a step, when there is one. */
static bool keep_shadow(struct vcpu *v, bool wanted)
{
	struct svm_vcpu *a = v->arch;
	const struct vmcb *b = a->vmcb;
	struct insn in;

	if (!(b->control.int_state & INT_STATE_SHADOW) || !(b->save.rflags & RFLAGS_IF))
		return false;
	if (!svm_next_insn(v, &in) || touches_tf(&in))
		return false;
	a->shadow_kept = true;
	if (wanted && !insn_is(&in, MAP_1BYTE, OPCODE_HLT))
		begin(a, STEP_SHADOW);
	return true;
}

bool svm_step_load(struct vcpu *v, bool event, bool wanted)
{
	struct svm_vcpu *a = v->arch;
	/* An event on top of the IRET starts another handler: that one's IRET will end the blocking, as on a CPU. */
	bool iret = a->iret_next && v->nmi_blocked && !event;

	a->iret_next = false;
	a->stepping = STEP_NONE;
	a->shadow_kept = false;
	if (iret)
		begin(a, STEP_IRET);
	else if (a->cpu->forgets_shadow && !event)
		return keep_shadow(v, wanted);
	return false;
}

/*
 * #DB behind the instruction, with DR6.BS (Bochs 2.7 does not set it before an intercept): the step is done. Another exception: the
 * instruction faulted; an IRET unblocks NMIs then too. Anything else came before the instruction, which is stepped again.
 */
void svm_step_take(struct vcpu *v, struct vm_exit *x)
{
	struct svm_vcpu *a = v->arch;
	const struct vmcb *b = a->vmcb;
	enum svm_step step = a->stepping;
	bool moved = b->save.rip != a->entry_rip, exception = x->kind == EXIT_EXCEPTION && x->exc.vector != VEC_MC;
	bool debug = exception && x->exc.vector == VEC_DB, done = step && debug && (moved || (b->save.dr6 & DR6_BS));
	uint64_t hit;

	if (a->shadow_kept && !moved && !done) {
		vmcb_set_int_state(b, INT_STATE_SHADOW);
		v->shadow_ss = true;
	}
	if (!step)
		return;
	svm_step_cancel(a);
	if (step == STEP_IRET)
		v->nmi_blocked = !done && (!exception || debug);
	if (!a->step_tf && !(done && step == STEP_IRET)) { /* else it is what the IRET loaded */
		vmcb_set_rflags(b, b->save.rflags & ~RFLAGS_TF);
		v->rflags = b->save.rflags;
	}
	if (!done)
		return;
	if (a->step_tf) { /* the guest steps over it too */
		x->exc.dr6_or_cr2 |= DR6_BS;
		return;
	}
	hit = b->save.dr6 & ~a->step_dr6 & 15;
	vmcb_set_dr6(b, a->step_dr6 | hit);
	x->exc.dr6_or_cr2 = hit;
	if (!hit)
		x->kind = v->want_nmi_window && !v->nmi_blocked ? EXIT_NMI_WINDOW : EXIT_NONE;
}
