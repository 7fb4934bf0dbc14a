/* SVM: AMD's virtual machines (APM vol. 2, ch. 15). The ops table, a vCPU's control block, and the entry. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mm/frames.h"
#include "mm/shadow.h"
#include "vmm/cpu.h"
#include "vmm/exit.h"
#include "vmm/hw/hw.h"
#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/log.h"
#include "vmm/paging.h"
#include "vmm/svm.h"
#include "vmm/vm.h"

/*
 * What exits. CR0 by the selective intercept: all changes but those of TS and MP, so that the VMM applies one set of rules for
 * paging modes everywhere (QEMU's own are lax). CR4, so that only bits that CPUID offers are ever set. Writes of CR8, for the local
 * APIC; reads are answered by V_TPR. CR3, debug registers, exceptions, INVLPG, PAUSE, hardware task switches run without the VMM. VMCALL is #UD by itself.
 *
 * QEMU's TCG (7.2) has no intercept of XSETBV: there a guest may turn on what the CPU has and CPUID does not offer. That harms no one
 * else, for the VMM uses no extended state.
 */
static const uint8_t always_intercepted[] = {
	SVM_CR4_WRITE,
	SVM_CR0_WRITE + 8,
	SVM_EXCEPTION + VEC_DF, /* see svm_event.c */
	SVM_EXCEPTION + VEC_MC,
	SVM_INTR,
	SVM_NMI,
	SVM_SMI,
	SVM_INIT,
	SVM_CR0_SELECTIVE,
	SVM_RDPMC,
	SVM_CPUID,
	SVM_INVD,
	SVM_HLT,
	SVM_INVLPGA,
	SVM_IOIO,
	SVM_MSR,
	SVM_FERR_FREEZE,
	SVM_SHUTDOWN,
	SVM_VMRUN,
	SVM_VMMCALL,
	SVM_VMLOAD,
	SVM_VMSAVE,
	SVM_STGI,
	SVM_CLGI,
	SVM_SKINIT,
	SVM_WBINVD,
	SVM_MONITOR,
	SVM_MWAIT,
	SVM_MWAIT_ARMED,
	SVM_XSETBV,
	SVM_RDPRU,
	SVM_INVLPGB,
	SVM_INVLPGB_ILLEGAL,
	SVM_MCOMMIT,
	SVM_TLBSYNC,
};

/* Under shadow paging the guest's own paging registers are the VMM's to show, and its page faults to sort. */
static const uint8_t shadow_intercepted[] = {
	SVM_CR0_READ,  SVM_CR0_READ + 3,  SVM_CR0_READ + 4,	SVM_CR0_WRITE, SVM_CR0_WRITE + 3,
	SVM_INVLPG,    SVM_TASK_SWITCH,	  SVM_EXCEPTION + VEC_PF,
};

#define PAT_RESET 0x0007040600070406ull /* APM vol. 2, 7.8.2 */

static uint64_t address(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static void release(struct svm_vcpu *a)
{
	if (a->vmcb)
		frames_free(address(a->vmcb), 1);
	if (a->iopm)
		frames_free(a->iopm, SVM_IOPM_FRAMES);
	if (a->msrpm)
		frames_free(address(a->msrpm), SVM_MSRPM_FRAMES);
	frames_free(address(a), 1);
}

/* All of the VMM's own settings of a fresh control block. Every bit of both permission maps says: exit. */
static void set_up(struct vcpu *v, struct svm_vcpu *a)
{
	const struct svm_cpu *c = v->cpu->virt;
	const struct vmcb *b = a->vmcb;

	memset((void *)(uintptr_t)a->iopm, 0xff, SVM_IOPM_FRAMES * PAGE_SIZE);
	memset(a->msrpm, 0xff, SVM_MSRPM_FRAMES * PAGE_SIZE);
	vmcb_set_iopm(b, a->iopm);
	vmcb_set_msrpm(b, address(a->msrpm));
	for (size_t i = 0; i < sizeof(always_intercepted); i++)
		vmcb_intercept(b, always_intercepted[i], true);
	a->page_faults_exit = paging_shadow(v);
	if (a->page_faults_exit) {
		for (size_t i = 0; i < sizeof(shadow_intercepted); i++)
			vmcb_intercept(b, shadow_intercepted[i], true);
		vmcb_intercept(b, SVM_CR0_SELECTIVE, false); /* all of them exit */
	} else {
		vmcb_set_np_enable(b, NP_ENABLE);
		vmcb_set_ncr3(b, v->vm->slat.root);
	}
	vmcb_set_g_pat(b, PAT_RESET);
	vmcb_set_dr6(b, DR6_FIXED);
	if (c->features & SVM_FEATURE_LBR_VIRT)
		vmcb_set_lbr_ctl(b, LBR_CTL_ENABLE);
}

static int svm_create(struct vcpu *v)
{
	struct svm_vcpu *a = (struct svm_vcpu *)(uintptr_t)frames_alloc(1, 1);

	if (!a)
		return -ENOMEM;
	a->vmcb = (const struct vmcb *)(uintptr_t)frames_alloc(1, 1);
	a->iopm = frames_alloc(SVM_IOPM_FRAMES, 1);
	a->msrpm = (uint8_t *)(uintptr_t)frames_alloc(SVM_MSRPM_FRAMES, 1);
	if (!a->vmcb || !a->iopm || !a->msrpm) {
		release(a);
		return -ENOMEM;
	}
	set_up(v, a);
	svm_code_init(a);
	a->keeps = VG_RIP | VG_RFLAGS | VG_SHADOW | VG_CR8 | (paging_shadow(v) ? VG_PAGING : 0); /* changed by exits alone then */
	v->arch = a;
	return 0;
}

static void svm_destroy(struct vcpu *v)
{
	if (v->arch)
		release(v->arch);
	v->arch = NULL;
}

/* ---- translations */

/*
 * Where the CPU can flush one ASID, it does. Where it cannot, the guest gets an ASID that nobody has used, which is cheaper than
 * flushing all, the VMM's own too; that is only done when the ASIDs run out and a new generation begins (15.16).
 */
static void load_asid(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;
	struct svm_cpu *c = a->cpu;
	bool flush = a->flush || v->vm->slat.stale;
	uint8_t control = TLB_KEEP;

	if (a->generation != c->generation || (flush && !(c->features & SVM_FEATURE_FLUSH_BY_ASID))) {
		if (c->asid_next >= c->asids) {
			c->generation++;
			c->asid_next = 1;
			control = TLB_FLUSH_ALL;
		}
		a->generation = c->generation;
		vmcb_set_asid(a->vmcb, c->asid_next++);
	} else if (flush) {
		control = TLB_FLUSH_GUEST;
	}
	a->flushes += flush;
	a->flush = v->vm->slat.stale = false;
	vmcb_set_tlb_control(a->vmcb, control);
}

static void svm_flush(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;

	a->flush = v->rare_entry = true;
	/* Its CR3 tells one of the guest's address spaces from another; under shadow paging that may be one root for several. */
	if (a->page_faults_exit)
		svm_code_init(a);
}

/* ---- the entry */

/* The vCPU is new on this CPU: nothing of its VMCB is cached here (15.15.2), its ASID means nothing here. */
static void move_here(struct vcpu *v, struct svm_vcpu *a)
{
	a->cpu = v->cpu->virt;
	a->clean = a->cpu->clean;
	a->nrips = a->cpu->features & SVM_FEATURE_NRIPS;
	a->generation = 0;
	v->rare_entry = true;
	vmcb_set_clean(a->vmcb, 0);
	svm_save_host(a->cpu->host);
}

/* Emulators overwrite the save area with what they had loaded: only the copies in v still tell what was refused. */
void svm_refused(struct vcpu *v, struct vm_exit *x)
{
	struct svm_vcpu *a = v->arch;
	struct svm_check s;

	x->kind = EXIT_ENTRY_FAILED;
	svm_step_cancel(a);
	vmcb_set_clean(a->vmcb, 0);
	vcpu_changed(v, VG_ALL);
	svm_state_check(v, &s);
	if (!svm_check(&s, v->problem, sizeof(v->problem)))
		snprintf(v->problem, sizeof(v->problem), "none of the rules of APM vol. 2, 15.5.1 is broken");
}

#define OPCODE_MOV_TO_CR 0x22

/*
 * QEMU's TCG (7.2) answers a MOV CR3 that sets a reserved bit with VMEXIT_INVALID, in the middle of the guest's turn, where CPUs
 * raise #GP. RIP is on the instruction and all state is the guest's, as if MOV CR3 were intercepted; so that exit is made of it.
 * Under shadow paging it is intercepted: there a VMRUN was refused, though RIP may be on a MOV CR3.
 */
bool svm_quit_at_cr3(struct vcpu *v, struct vm_exit *x)
{
	const struct svm_vcpu *a = v->arch;
	struct svm_check s;
	struct insn in;

	if (!a->cpu->quits_at_cr3 || paging_shadow(v))
		return false;
	if (a->checked) {
		svm_state_check(v, &s);
		if (svm_check(&s, v->problem, sizeof(v->problem)))
			return false; /* VMRUN itself refused it */
	}
	svm_state_take(v, a, a->vmcb);
	if (!svm_next_insn(v, &in) || !insn_is(&in, MAP_0F, OPCODE_MOV_TO_CR) || in.reg != 3)
		return false;
	x->raw_reason = SVM_CR0_WRITE + 3;
	return true;
}

/*
 * QEMU's TCG (7.2) sets A in PDPTEs, where it is reserved (APM vol. 2, 5.2.3); a KVM that runs in it looks at them at each VMRUN,
 * as a CPU may, and refuses CR3. Then nothing was injected, EXITINTINFO is an old one, and the save area has a CR3 of the VMM's.
 */
bool svm_refused_marks(struct vcpu *v, struct vm_exit *x)
{
	struct svm_vcpu *a = v->arch;

	if (!paging_shadow(v) || !shadow_unmark_pae_root(v->vm->mem.shadow))
		return false;
	x->kind = EXIT_NONE;
	svm_event_refused(v);
	svm_step_take(v, x);
	vmcb_set_clean(a->vmcb, 0);
	vcpu_changed(v, VG_PAGING);
	return true;
}

static __attribute__((noinline)) uint64_t prepare_rare(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;

	a->checked = v->dirty & SVM_CHECKED;
	if (a->checked)
		vcpu_need(v, VG_ALL); /* for svm_refused */
	svm_state_store(v);
	svm_event_load(v);
	load_asid(v);
	v->rare_entry |= a->vmcb->control.tlb_control != TLB_KEEP; /* the next one takes that back */
	return address(a->vmcb);
}

/* By far the most entries: nothing goes in, nothing is waited for, no translation is stale, and so it was at the last one. */
uint64_t svm_prepare(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;
	uint64_t waits = vcpu_waits(v);

	if ((waits | v->inject.valid | v->vm->slat.stale) || v->dirty > VG_RIP)
		return prepare_rare(v);
	v->dirty = 0;
	vmcb_put_plain(a->vmcb, v->rip, v->gpr[RAX]);
	return address(a->vmcb);
}

static void svm_run(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;

	if (a->cpu != v->cpu->virt)
		move_here(v, a);
	v->rare_entry |= a->generation != a->cpu->generation;
	svm_enter(v, a->cpu->host);
}

/* ---- the rest of the table */

static void svm_dr6_set(struct vcpu *v, uint64_t keep, uint64_t bits)
{
	const struct vmcb *b = ((struct svm_vcpu *)v->arch)->vmcb;

	vmcb_set_dr6(b, (uint32_t)((b->save.dr6 & keep) | bits));
}

static void svm_tsc_offset(struct vcpu *v, int64_t offset)
{
	vmcb_set_tsc_offset(((struct svm_vcpu *)v->arch)->vmcb, (uint64_t)offset);
}

static void svm_describe(struct vcpu *v, char *buf, size_t size)
{
	const struct svm_vcpu *a = v->arch;
	const struct vmcb_control *c = &a->vmcb->control;
	const struct vmcb_save *s = &a->vmcb->save;
#define HEX(value) ((unsigned long long)(value))

	snprintf(buf, size,
		 "VMEXIT_%s (0x%llx) info1 %llx info2 %llx intinfo %llx nrip %llx\n"
		 "eventinj %llx int_ctl %08x vector %02x shadow %llx cpl %u dr6 %llx efer %llx\n"
		 "asid %u tlb_control %u clean %03x ncr3 %llx g_pat %016llx tsc_offset %llx flushes %llu\n"
		 "intercepts %08x %08x %08x %08x %08x %08x",
		 svm_exit_name(c->exit_code), HEX(c->exit_code), HEX(c->exit_info1), HEX(c->exit_info2), HEX(c->exit_int_info),
		 HEX(c->nrip), HEX(c->event_inj), c->int_ctl, c->int_vector, HEX(c->int_state), s->cpl, HEX(s->dr6), HEX(s->efer),
		 c->asid, c->tlb_control, c->clean, HEX(c->ncr3), HEX(s->g_pat), HEX(c->tsc_offset), HEX(a->flushes),
		 c->intercept[0], c->intercept[1], c->intercept[2], c->intercept[3], c->intercept[4], c->intercept[5]);
#undef HEX
}

static void svm_counters(struct vcpu *v, uint64_t *vmcs_accesses, uint64_t *flushes)
{
	*vmcs_accesses = 0;
	*flushes = ((const struct svm_vcpu *)v->arch)->flushes;
}

const struct vcpu_ops svm_ops = {
	.name = "SVM",
	.hypercall = "VMMCALL",
	.cpu_enable = svm_cpu_enable,
	.cpu_disable = svm_cpu_disable,
	.slat_features = svm_slat_features,
	.create = svm_create,
	.destroy = svm_destroy,
	.run = svm_run,
	.fetch = svm_fetch,
	.msr_pass = svm_msr_pass,
	.msr_get = svm_msr_get,
	.msr_set = svm_msr_set,
	.dr6_set = svm_dr6_set,
	.slat_flush = svm_flush,
	.tlb_flush = svm_flush,
	.tsc_offset = svm_tsc_offset,
	.counters = svm_counters,
	.describe = svm_describe,
};
