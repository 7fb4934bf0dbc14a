/* VMX: on and off, VMCS of a vCPU, the way in and out. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mm/frames.h"
#include "mm/layout.h"
#include "vmm/cpu.h"
#include "vmm/exit.h"
#include "vmm/hw/hw.h"
#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/log.h"
#include "vmm/paging.h"
#include "vmm/vm.h"
#include "vmm/vmx.h"

#define VCPU_FRAMES (3 + DIRTY_LOG_PAGES) /* struct vmx_vcpu, VMCS, MSR bitmaps, the page-modification log */

/* ---- the CPU */

/* IA32_FEATURE_CONTROL (24.7): locked with VMXON allowed; the firmware may have left it open. */
static int open_feature_control(void)
{
	uint64_t fc;

	if (rdmsr_safe(MSR_FEATURE_CONTROL, &fc)) {
		log_error("VMX: no IA32_FEATURE_CONTROL: the hypervisor below hides it; let it nest VMX");
		return -ENODEV;
	}
	if (!(fc & FEATURE_CONTROL_LOCK) && wrmsr_safe(MSR_FEATURE_CONTROL, fc | FEATURE_CONTROL_VMX | FEATURE_CONTROL_LOCK)) {
		log_error("VMX: IA32_FEATURE_CONTROL is %llx and can't be written: enable \"Virtualization Technology\" in the "
			  "firmware's set-up",
			  (unsigned long long)fc);
		return -ENODEV;
	}
	fc = rdmsr(MSR_FEATURE_CONTROL);
	if (!(fc & FEATURE_CONTROL_LOCK) || !(fc & FEATURE_CONTROL_VMX)) {
		log_error("VMX: IA32_FEATURE_CONTROL is %llx, VMXON locked off: enable \"Virtualization Technology\" in the "
			  "firmware's set-up, then power-cycle",
			  (unsigned long long)fc);
		return -ENODEV;
	}
	return 0;
}

/* 24.8, A.7, A.8: bits that VMX operation fixes. Tessera's own settings must not be among those fixed to 0. */
static int fix_control_registers(const struct vmx_caps *c)
{
	uint64_t cr0 = read_cr0() | c->cr0_fixed0, cr4 = read_cr4() | CR4_VMXE | c->cr4_fixed0;

	if (cr0 & ~c->cr0_fixed1 || cr4 & ~c->cr4_fixed1) {
		log_error("VMX: CR0 %llx or CR4 %llx has bits that this CPU's VMX forbids (it allows %llx, %llx): let the "
			  "hypervisor below expose VMX whole",
			  (unsigned long long)cr0, (unsigned long long)cr4, (unsigned long long)c->cr0_fixed1,
			  (unsigned long long)c->cr4_fixed1);
		return -ENODEV;
	}
	write_cr0(cr0);
	write_cr4(cr4);
	return 0;
}

/* A VMXON region or VMCS (25.2, A.1): a page that begins with the revision. */
static int prepare_region(const struct vmx_caps *c, uint64_t region)
{
	if (c->basic & VMX_BASIC_32BIT && (region + PAGE_SIZE) >> 32) {
		log_error("VMX: this CPU takes VMX structures below 4 GiB only, and no frame was left there");
		return -ENOMEM;
	}
	*(uint32_t *)(uintptr_t)region = VMX_BASIC_REVISION(c->basic);
	return 0;
}

/* What nothing can stand in for, whatever the paging. */
static int check_caps(const struct vmx_caps *c)
{
	struct vmx_controls ctl;
	char why[200];

	if (VMX_BASIC_SIZE(c->basic) > PAGE_SIZE || VMX_BASIC_MEMORY_TYPE(c->basic) != 6) {
		log_error("VMX: IA32_VMX_BASIC %llx asks for a VMCS of more than a page, or not write-back: use another CPU",
			  (unsigned long long)c->basic);
		return -ENODEV;
	}
	if (vmx_controls_choose(c, false, &ctl, why, sizeof(why))) {
		log_error("VMX: %s", why);
		return -ENODEV;
	}
	return 0;
}

static int enter_vmx_operation(struct vmx_cpu *vc)
{
	enum vmx_status s;
	bool gp;
	int err = open_feature_control();

	if (!err)
		err = fix_control_registers(&vc->caps);
	if (!err)
		err = prepare_region(&vc->caps, vc->vmxon);
	if (err)
		return err;
	s = vmxon(vc->vmxon, &gp);
	if (gp || s != VMX_OK) {
		const char *why = s == VMX_FAIL_INVALID ? "the VMXON region is not accepted" : vmx_insn_error(15);

		log_error("VMX: VMXON failed: %s", gp ? "#GP or #UD: is A20 masked, or VMX off in the firmware's set-up?" : why);
		write_cr4(read_cr4() & ~CR4_VMXE);
		return -ENODEV;
	}
	return 0;
}

static int vmx_cpu_enable(struct cpu *cpu)
{
	uint64_t frames = frames_alloc(2, 1); /* struct vmx_cpu, VMXON region */
	struct vmx_cpu *vc = (struct vmx_cpu *)(uintptr_t)frames;
	int err;

	_Static_assert(sizeof(*vc) <= PAGE_SIZE, "one frame");
	if (!frames)
		return -ENOMEM;
	vc->vmxon = frames + PAGE_SIZE;
	vmx_caps_read(&vc->caps, cpu->features.phys_bits);
	vmx_caps_report(&vc->caps);
	err = check_caps(&vc->caps);
	if (!err)
		err = enter_vmx_operation(vc);
	if (err) {
		frames_free(frames, 2);
		return err;
	}
	/* Nothing that an earlier user of these tags left may be used (29.4.3.4). */
	if (vc->caps.ept_vpid & EPTCAP_INVEPT_ALL)
		invept(INV_ALL, 0);
	if (vc->caps.ept_vpid & EPTCAP_INVVPID_ALL)
		invvpid(INV_ALL, 0);
	cpu->virt = vc;
	return 0;
}

static void vmx_cpu_disable(struct cpu *cpu)
{
	struct vmx_cpu *vc = cpu->virt;

	if (!vc)
		return;
	ASSERT(vmxoff() == VMX_OK);
	write_cr4(read_cr4() & ~CR4_VMXE);
	cpu->virt = NULL;
	frames_free((uintptr_t)vc, 2);
}

static int vmx_slat_features(struct cpu *cpu, const struct pt_format **format, unsigned *max_leaf, bool *ad_bits,
			     bool *page_log)
{
	const struct vmx_caps *c = &((struct vmx_cpu *)cpu->virt)->caps;
	struct vmx_controls ctl;
	char why[200];

	if (vmx_controls_choose(c, true, &ctl, why, sizeof(why)) || vmx_ept_check(c, why, sizeof(why))) {
		log_error("VMX: %s", why);
		return -ENODEV;
	}
	*format = &pt_ept;
	*max_leaf = !(c->ept_vpid & EPTCAP_2M) ? 1 : c->ept_vpid & EPTCAP_1G ? 3 : 2;
	*ad_bits = c->ept_vpid & EPTCAP_AD;
	*page_log = *ad_bits && (ctl.proc2 & PROC2_PML);
	return 0;
}

/* ---- the vCPU */

void vmx_load(struct vmx_vcpu *a)
{
	enum vmx_status s = vmptrld(a->vmcs);

	if (s != VMX_OK)
		panic("VMPTRLD of %llx: %s", (unsigned long long)a->vmcs, vmx_status_text(s));
	a->cpu->current = a;
}

/*
 * #DB and #AC are intercepted so that a guest cannot hold the CPU for ever: a #DB or #AC that is met in the delivery of the same
 * exception repeats without end and without a point where an interrupt could come in. #MC is the machine's.
 */
#define INTERCEPTED_EXCEPTIONS (1u << VEC_DB | 1u << VEC_AC | 1u << VEC_MC)

static void write_controls(struct vcpu *v, struct vmx_vcpu *a)
{
	vmwrite(a, VMCS_PIN_CONTROLS, a->ctl.pin);
	vmwrite(a, VMCS_PROC_CONTROLS, a->ctl.proc);
	vmwrite(a, VMCS_PROC2_CONTROLS, a->ctl.proc2);
	vmwrite(a, VMCS_EXIT_CONTROLS, a->ctl.exit);
	vmwrite(a, VMCS_ENTRY_CONTROLS, a->ctl.entry);
	vmwrite(a, VMCS_EXCEPTION_BITMAP, INTERCEPTED_EXCEPTIONS | (paging_shadow(v) ? 1u << VEC_PF : 0));
	vmwrite(a, VMCS_PF_ERROR_MASK, 0);
	vmwrite(a, VMCS_PF_ERROR_MATCH, 0);
	vmwrite(a, VMCS_CR3_TARGET_COUNT, 0);
	vmwrite(a, VMCS_EXIT_MSR_STORE_COUNT, 0);
	vmwrite(a, VMCS_EXIT_MSR_LOAD, (uintptr_t)a->exit_msrs);
	vmwrite(a, VMCS_EXIT_MSR_LOAD_COUNT, speculation_exit_msrs(a->exit_msrs));
	vmwrite(a, VMCS_ENTRY_MSR_LOAD, (uintptr_t)a->entry_msrs);
	vmwrite(a, VMCS_ENTRY_MSR_LOAD_COUNT, speculation_entry_msrs(a->entry_msrs));
	vmwrite(a, VMCS_ENTRY_EVENT, 0);
	vmwrite(a, VMCS_MSR_BITMAP, (uintptr_t)a->msr_bitmap);
	vmwrite(a, VMCS_TSC_OFFSET, 0);
	if (a->ctl.proc2 & PROC2_EPT)
		vmwrite(a, VMCS_EPT_POINTER, a->eptp);
	if (a->ctl.proc2 & PROC2_VPID) {
		a->vpid = (uint16_t)(v->index + 1);
		vmwrite(a, VMCS_VPID, a->vpid);
	}
	vmx_own_cr_bits(v);
}

/*
 * The guest is never left alone for longer than this. Interrupts exit by themselves, but Bochs 2.7 forgets that while the guest is
 * entered with IF 0. The timer begins anew with each entry (26.5.1), so that setting it once is enough.
 */
#define LONGEST_STAY_HZ 1000

static void set_preemption_timer(struct vmx_vcpu *a)
{
	uint64_t ticks = tsc_hz() / LONGEST_STAY_HZ >> (a->cpu->caps.misc & 31); /* A.6 */

	if (a->ctl.pin & PIN_PREEMPTION_TIMER)
		vmwrite(a, VMCS_GUEST_PREEMPTION_TIMER, !ticks ? 1 : ticks > UINT32_MAX ? UINT32_MAX : ticks);
}

/* Guest state that struct vcpu does not hold, as after RESET (SDM vol. 3, table 10-1). */
static void write_guest_rest(struct vmx_vcpu *a)
{
	vmwrite(a, VMCS_LINK_POINTER, ~0ull);
	vmwrite(a, VMCS_GUEST_DEBUGCTL, 0);
	vmwrite(a, VMCS_GUEST_PAT, 0x0007040600070406);
	vmwrite(a, VMCS_GUEST_SYSENTER_CS, 0);
	vmwrite(a, VMCS_GUEST_SYSENTER_ESP, 0);
	vmwrite(a, VMCS_GUEST_SYSENTER_EIP, 0);
	vmwrite(a, VMCS_GUEST_ACTIVITY, 0);
	vmwrite(a, VMCS_GUEST_INTERRUPTIBILITY, 0);
	vmwrite(a, VMCS_GUEST_PENDING_DEBUG, 0);
}

static int vmx_create(struct vcpu *v)
{
	struct vmx_cpu *vc = v->cpu->virt;
	uint64_t frames = frames_alloc(VCPU_FRAMES, 1);
	struct vmx_vcpu *a = (struct vmx_vcpu *)(uintptr_t)frames;
	enum vmx_status s;
	char why[200];
	int err;

	_Static_assert(sizeof(*a) <= PAGE_SIZE, "one frame");
	if (!frames)
		return -ENOMEM;
	a->cpu = vc;
	a->vmcs = frames + PAGE_SIZE;
	a->msr_bitmap = (uint8_t *)(uintptr_t)(frames + 2 * PAGE_SIZE);
	a->pml = frames + 3 * PAGE_SIZE;
	a->keeps = VG_EFER | VG_CR2 | VG_CR8 | (paging_shadow(v) ? VG_CR3 : 0); /* then CR3 exits */
	a->flush_slat = a->flush_tlb = v->rare_entry = true;
	memset(a->msr_bitmap, 0xff, PAGE_SIZE);
	err = vmx_controls_choose(&vc->caps, !paging_shadow(v), &a->ctl, why, sizeof(why));
	if (err) {
		log_error("VMX: %s", why);
		goto fail;
	}
	if (!cpuid_has_tsc_aux())
		a->ctl.proc2 &= ~PROC2_RDTSCP;
	if (v->vm->dirty.source != &dirty_pml)
		a->ctl.proc2 &= ~PROC2_PML;
	a->eptp = v->vm->slat.root | EPTP_WB | EPTP_WALK_4 | (v->vm->slat.ad_bits ? EPTP_AD : 0);
	err = prepare_region(&vc->caps, a->vmcs);
	if (err)
		goto fail;
	s = vmclear(a->vmcs);
	if (s != VMX_OK) {
		log_error("VMX: VMCLEAR failed: %s", vmx_status_text(s));
		err = -ENODEV;
		goto fail;
	}
	v->arch = a;
	vmx_make_current(a);
	write_controls(v, a);
	if (a->ctl.proc2 & PROC2_PML)
		vmx_pml_start(v, a);
	vmx_host_state(a);
	write_guest_rest(a);
	set_preemption_timer(a);
	vcpu_changed(v, VG_ALL);
	return 0;
fail:
	frames_free(frames, VCPU_FRAMES);
	return err;
}

static void vmx_destroy(struct vcpu *v)
{
	struct vmx_vcpu *a = v->arch;

	if (!a)
		return;
	/* What the CPU holds of it goes back to memory (25.11.3). */
	ASSERT(vmclear(a->vmcs) == VMX_OK);
	if (a->cpu->current == a)
		a->cpu->current = NULL;
	v->arch = NULL;
	frames_free((uintptr_t)a, VCPU_FRAMES);
}

/* ---- stale translations (29.4.3) */

static void flush(struct vcpu *v, struct vmx_vcpu *a)
{
	uint64_t cap = a->cpu->caps.ept_vpid;
	enum vmx_status s = VMX_OK;

	if (!(a->ctl.proc2 & PROC2_EPT)) {
		a->flush_tlb |= v->vm->slat.stale; /* the shadow pager's */
		a->flush_slat = v->vm->slat.stale = false;
	} else if (a->flush_slat || v->vm->slat.stale) {
		s = cap & EPTCAP_INVEPT_SINGLE ? invept(INV_SINGLE, a->eptp) : invept(INV_ALL, 0);
		a->flushes++;
		a->flush_slat = v->vm->slat.stale = false;
	}
	ASSERT(s == VMX_OK);
	/* Without VPIDs every entry and exit flushes. */
	if (a->flush_tlb && a->vpid) {
		if (cap & EPTCAP_INVVPID_SINGLE)
			s = invvpid(INV_SINGLE, a->vpid);
		else if (cap & EPTCAP_INVVPID_ALL)
			s = invvpid(INV_ALL, 0);
		a->flushes++;
	}
	a->flush_tlb = false;
	ASSERT(s == VMX_OK);
}

static void vmx_slat_flush(struct vcpu *v)
{
	((struct vmx_vcpu *)v->arch)->flush_slat = v->rare_entry = true;
}

static void vmx_tlb_flush(struct vcpu *v)
{
	((struct vmx_vcpu *)v->arch)->flush_tlb = v->rare_entry = true;
}

static void vmx_tsc_offset(struct vcpu *v, int64_t offset)
{
	struct vmx_vcpu *a = v->arch;

	vmx_make_current(a);
	vmwrite(a, VMCS_TSC_OFFSET, (uint64_t)offset);
}

/* ---- in and out */

static void set_windows(struct vcpu *v, struct vmx_vcpu *a)
{
	uint32_t proc = a->ctl.proc & ~(PROC_IRQ_WINDOW | PROC_NMI_WINDOW);

	if (v->want_irq_window)
		proc |= PROC_IRQ_WINDOW;
	if (v->want_nmi_window)
		proc |= PROC_NMI_WINDOW;
	if (proc != a->ctl.proc) {
		vmwrite(a, VMCS_PROC_CONTROLS, proc);
		a->ctl.proc = proc;
	}
}

static __attribute__((noinline)) void prepare_rare(struct vcpu *v, struct vmx_vcpu *a)
{
	if (v->dirty)
		vmx_write_back(v);
	if (v->inject.valid)
		vmx_put_event(v);
	/* The VMM changes it with an event or by a reset only; for all else it stays in the CPU. Writing is far dearer than reading. */
	if (v->cr2 != read_cr2())
		write_cr2(v->cr2);
	set_windows(v, a);
	if (a->flush_slat || a->flush_tlb || v->vm->slat.stale)
		flush(v, a);
	v->rare_entry = a->ctl.proc & (PROC_IRQ_WINDOW | PROC_NMI_WINDOW); /* to be closed */
}

void vmx_prepare(struct vcpu *v, struct vmx_vcpu *a)
{
	uint64_t waits = vcpu_waits(v);

	if (__builtin_expect((waits | v->inject.valid | v->vm->slat.stale) || v->dirty > VG_RIP, 0)) {
		prepare_rare(v, a);
	} else if (v->dirty) {
		vmwrite(a, VMCS_GUEST_RIP, v->rip);
		v->dirty = 0;
	}
}

static void vmx_run(struct vcpu *v)
{
	struct vmx_vcpu *a = v->arch;
	unsigned status;

	vmx_make_current(a);
	vmx_prepare(v, a);
	status = vmx_enter(v, a);
	if (__builtin_expect(status != VMX_OK, 0)) {
		vmx_refused(v, &v->exit, status);
		exit_handle(v);
	}
}

static void vmx_counters(struct vcpu *v, uint64_t *vmcs_accesses, uint64_t *flushes)
{
	const struct vmx_vcpu *a = v->arch;

	*vmcs_accesses = a->accesses;
	*flushes = a->flushes;
}

const struct vcpu_ops vmx_ops = {
	.name = "VMX",
	.hypercall = "VMCALL",
	.pdpte_registers = true,
	.loads_guest_pat = true,
	.privilege_first = true,
	.shadow_needs_protected_mode = true,
	.cpu_enable = vmx_cpu_enable,
	.cpu_disable = vmx_cpu_disable,
	.slat_features = vmx_slat_features,
	.create = vmx_create,
	.destroy = vmx_destroy,
	.run = vmx_run,
	.fetch = vmx_fetch,
	.msr_pass = vmx_msr_pass,
	.msr_get = vmx_msr_get,
	.msr_set = vmx_msr_set,
	.dr6_set = vmx_dr6_set,
	.slat_flush = vmx_slat_flush,
	.tlb_flush = vmx_tlb_flush,
	.tsc_offset = vmx_tsc_offset,
	.counters = vmx_counters,
	.describe = vmx_describe,
};
