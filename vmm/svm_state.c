/* The guest's state between struct vcpu and the VMCB's save area (APM vol. 2, appendix B, table B-2). */
#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/paging.h"
#include "vmm/svm.h"

static inline const struct vmcb *vmcb_of(const struct vcpu *v)
{
	return ((const struct svm_vcpu *)v->arch)->vmcb;
}

/* Where each segment register is, and its setter. */
static const struct segment_place {
	size_t offset;
	void (*set)(const struct vmcb *b, struct vmcb_segment s);
} places[SEG_COUNT] = {
	[SEG_ES] = { offsetof(struct vmcb, save.es), vmcb_set_es },
	[SEG_CS] = { offsetof(struct vmcb, save.cs), vmcb_set_cs },
	[SEG_SS] = { offsetof(struct vmcb, save.ss), vmcb_set_ss },
	[SEG_DS] = { offsetof(struct vmcb, save.ds), vmcb_set_ds },
	[SEG_FS] = { offsetof(struct vmcb, save.fs), vmcb_set_fs },
	[SEG_GS] = { offsetof(struct vmcb, save.gs), vmcb_set_gs },
	[SEG_LDTR] = { offsetof(struct vmcb, save.ldtr), vmcb_set_ldtr },
	[SEG_TR] = { offsetof(struct vmcb, save.tr), vmcb_set_tr },
};

#define TYPE_BUSY 2u

static void segment_fetch(struct vcpu *v, enum vseg n)
{
	const struct vmcb *b = vmcb_of(v);
	const struct vmcb_segment *s = (const void *)((const char *)b + places[n].offset);
	uint32_t attr = (s->attr & 0xffu) | (s->attr & 0xf00u) << 4;

	if (!(attr & SEG_ATTR_P))
		attr |= SEG_ATTR_UNUSABLE;
	if (n == SEG_SS) /* the CPU keeps the privilege level in CPL; SS.DPL need not agree (15.5.1) */
		attr = (attr & ~(3u << VMCB_ATTR_DPL_SHIFT)) | (uint32_t)b->save.cpl << VMCB_ATTR_DPL_SHIFT;
	if (n == SEG_TR) /* the one in use is busy, whatever VMSAVE says of its type */
		attr |= TYPE_BUSY;
	v->seg[n] = (struct vsegment){ .sel = s->sel, .attr = attr, .limit = s->limit, .base = s->base };
}

/* A segment that cannot be used has P = 0. Its DPL stays: SS.DPL is the privilege level, with a null SS too. */
static void segment_store(struct vcpu *v, enum vseg n)
{
	const struct vsegment *s = &v->seg[n];
	uint32_t attr = (s->attr & 0xffu) | (s->attr >> 4 & 0xf00u);

	if (s->attr & SEG_ATTR_UNUSABLE)
		attr &= ~VMCB_ATTR_P;
	places[n].set(vmcb_of(v),
		      (struct vmcb_segment){ .sel = s->sel, .attr = (uint16_t)attr, .limit = s->limit, .base = s->base });
}

static void fetch_group(struct vcpu *v, uint32_t group)
{
	const struct vmcb *b = vmcb_of(v);
	const struct vmcb_save *s = &b->save;

	switch (group) {
	case VG_RIP: v->rip = s->rip; break;
	case VG_RSP: v->gpr[RSP] = s->rsp; break;
	case VG_RFLAGS: v->rflags = s->rflags; break;
	case VG_CR0: v->cr0 = s->cr0; break;
	case VG_CR3: v->cr3 = s->cr3; break;
	case VG_CR4: v->cr4 = s->cr4; break;
	case VG_EFER:
		/* LMA is LME with paging on. Bochs 2.7 changes it before a MOV CR0 that exits. */
		v->efer = s->efer & ~(EFER_SVME | EFER_LMA);
		if ((s->efer & EFER_LME) && (s->cr0 & CR0_PG))
			v->efer |= EFER_LMA;
		break;
	case VG_DR7: v->dr7 = s->dr7; break;
	case VG_GDTR: v->gdtr = (struct vtable){ .base = s->gdtr.base, .limit = s->gdtr.limit & 0xffff }; break;
	case VG_IDTR: v->idtr = (struct vtable){ .base = s->idtr.base, .limit = s->idtr.limit & 0xffff }; break;
	case VG_SHADOW: svm_take_shadow(v, b); break;
	case VG_CR2: v->cr2 = s->cr2; break;
	default: segment_fetch(v, (enum vseg)(__builtin_ctz(group) - __builtin_ctz(VG_SEG(0)))); break;
	}
}

static void store_group(struct vcpu *v, uint32_t group)
{
	const struct vmcb *b = vmcb_of(v);

	switch (group) {
	case VG_RIP: vmcb_set_rip(b, v->rip); break;
	case VG_RSP: vmcb_set_rsp(b, v->gpr[RSP]); break;
	case VG_RFLAGS: vmcb_set_rflags(b, v->rflags | RFLAGS_ONE); break;
	case VG_CR0: vmcb_set_cr0(b, paging_real_cr0(v)); break;
	case VG_CR3: vmcb_set_cr3(b, paging_real_cr3(v)); break;
	case VG_CR4: vmcb_set_cr4(b, paging_real_cr4(v)); break;
	case VG_EFER: vmcb_set_efer(b, paging_real_efer(v) | EFER_SVME); break; /* 15.5.1: must be set, though the guest sees 0 */
	case VG_DR7: vmcb_set_dr7(b, v->dr7); break;
	case VG_GDTR: vmcb_set_gdtr(b, (struct vmcb_segment){ .base = v->gdtr.base, .limit = v->gdtr.limit }); break;
	case VG_IDTR: vmcb_set_idtr(b, (struct vmcb_segment){ .base = v->idtr.base, .limit = v->idtr.limit }); break;
	case VG_CR2:
		vmcb_set_cr2(b, v->cr2);
		write_cr2(v->cr2); /* Bochs 2.7 does not load the VMCB's */
		break;
	case VG_CR8: vmcb_set_int_ctl(b, (b->control.int_ctl & ~15u) | (uint32_t)v->cr8); break;
	case VG_SHADOW: vmcb_set_int_state(b, v->shadow_sti || v->shadow_ss ? INT_STATE_SHADOW : 0); break;
	default: segment_store(v, (enum vseg)(__builtin_ctz(group) - __builtin_ctz(VG_SEG(0)))); break;
	}
}

/*
 * The privilege level is in CPL and in SS.DPL: QEMU's VMRUN reads the latter, others the former, so both say the same. Real mode
 * runs at 0 and virtual-8086 mode at 3 (15.5.1).
 */
static void store_cpl(struct vcpu *v, bool from_ss)
{
	const struct vmcb *b = vmcb_of(v);
	struct vmcb_segment ss = b->save.ss;
	unsigned cpl = from_ss ? SEG_ATTR_DPL(ss.attr) : b->save.cpl;

	if (!(b->save.cr0 & CR0_PE))
		cpl = 0;
	else if ((b->save.rflags & RFLAGS_VM) && !(b->save.efer & EFER_LMA))
		cpl = 3;
	vmcb_set_cpl(b, (uint8_t)cpl);
	if (SEG_ATTR_DPL(ss.attr) != cpl) {
		ss.attr = (uint16_t)((ss.attr & ~(3u << VMCB_ATTR_DPL_SHIFT)) | cpl << VMCB_ATTR_DPL_SHIFT);
		vmcb_set_ss(b, ss);
	}
}

void svm_fetch(struct vcpu *v, uint32_t groups)
{
	if (groups & VG_CS_ATTR)
		groups |= VG_SEG(SEG_CS);
	if (groups & VG_SS_ATTR)
		groups |= VG_SEG(SEG_SS);
	groups &= VG_ALL;
	v->avail |= groups;
	for (; groups; groups &= groups - 1)
		fetch_group(v, groups & -groups);
}

void svm_state_store(struct vcpu *v)
{
	const struct vmcb *b = vmcb_of(v);
	uint32_t dirty = v->dirty & VG_ALL;

	v->dirty = 0;
	for (uint32_t d = dirty; d; d &= d - 1)
		store_group(v, d & -d);
	if (dirty & (VG_CR0 | VG_CR4 | VG_EFER))
		svm_code_init(v->arch); /* they give tables and addresses their meaning, and change by exits alone */
	if (dirty & (VG_SEG(SEG_SS) | VG_CR0 | VG_RFLAGS | VG_EFER))
		store_cpl(v, dirty & VG_SEG(SEG_SS));
	vmcb_set_rax(b, v->gpr[RAX]);
}

void svm_state_check(struct vcpu *v, struct svm_check *s)
{
	const struct svm_vcpu *a = v->arch;
	const struct vmcb *b = a->vmcb;
	uint32_t cs = v->seg[SEG_CS].attr;

	*s = (struct svm_check){
		.phys_bits = a->cpu->phys_bits,
		.long_mode = a->cpu->long_mode,
		.cr4_valid = a->cpu->cr4_valid,
		.efer_valid = a->cpu->efer_valid,
		.vmrun_intercept = vmcb_intercepts(b, SVM_VMRUN),
		.asid = b->control.asid,
		.iopm = b->control.iopm,
		.msrpm = b->control.msrpm,
		.nested_paging = b->control.np_enable & NP_ENABLE,
		.ncr3 = b->control.ncr3,
		.g_pat = b->save.g_pat,
		.event_inj = a->event,
		.efer = paging_real_efer(v) | EFER_SVME,
		.cr0 = paging_real_cr0(v),
		.cr3 = paging_real_cr3(v),
		.cr4 = paging_real_cr4(v),
		.dr6 = b->save.dr6,
		.dr7 = v->dr7,
		.cs_l = cs & SEG_ATTR_L,
		.cs_d = cs & SEG_ATTR_DB,
	};
}
