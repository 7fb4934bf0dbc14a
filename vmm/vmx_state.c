/* Moves guest state between struct vcpu and the VMCS. */
#include "vmm/exit.h"
#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/log.h"
#include "vmm/paging.h"
#include "vmm/vm.h"
#include "vmm/vmx.h"

/* Segment n's field, from ES's. */
#define SEG_FIELD(what, n) ((enum vmcs_field)(VMCS_GUEST_ES_##what + 2 * (n)))

/*
 * CR4 bits that the guest changes without the VMM: the CPU itself does all that follows from them. MCE stays on for the host's
 * sake, and VMXE for VMX's; what guests are not offered must be refused by the VMM where the CPU would take it.
 */
#define CR4_GUEST                                                                                                                  \
	(CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_UMIP |   \
	 CR4_FSGSBASE | CR4_SMEP | CR4_SMAP)

/* Of these, what the shadow pager must hear of. */
#define CR4_PAGING (CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP | CR4_SMAP)

/* CR0 likewise: a change of PE or PG switches modes, the others have fixed values or no effect in VMX operation. */
#define CR0_GUEST (CR0_MP | CR0_EM | CR0_TS | CR0_WP | CR0_AM)

void vmx_own_cr_bits(struct vcpu *v)
{
	struct vmx_vcpu *a = v->arch;

	a->cr0_owned = ~(uint64_t)(paging_shadow(v) ? CR0_GUEST & ~CR0_WP : CR0_GUEST);
	a->cr4_owned = ~(CR4_GUEST & cpuid_cr4_mask(v) & a->cpu->caps.cr4_fixed1);
	if (paging_shadow(v))
		a->cr4_owned |= CR4_PAGING;
	vmwrite(a, VMCS_CR0_OWNED, a->cr0_owned);
	vmwrite(a, VMCS_CR4_OWNED, a->cr4_owned);
}

/* ---- from the VMCS */

static void fetch_segment(struct vcpu *v, struct vmx_vcpu *a, unsigned n)
{
	struct vsegment *s = &v->seg[n];

	s->sel = (uint16_t)vmread(a, SEG_FIELD(SEL, n));
	s->attr = (uint32_t)vmread(a, SEG_FIELD(ATTR, n));
	s->limit = (uint32_t)vmread(a, SEG_FIELD(LIMIT, n));
	s->base = vmread(a, SEG_FIELD(BASE, n));
}

void vmx_fetch(struct vcpu *v, uint32_t groups)
{
	struct vmx_vcpu *a = v->arch;

	vmx_make_current(a);
	groups &= ~v->avail;
	v->avail |= groups;
	if (groups & VG_RIP)
		v->rip = vmread(a, VMCS_GUEST_RIP);
	if (groups & VG_RFLAGS)
		v->rflags = vmread(a, VMCS_GUEST_RFLAGS);
	if (groups & VG_SHADOW)
		vmx_take_shadow(v, vmread(a, VMCS_GUEST_INTERRUPTIBILITY));
	groups &= ~(VG_RIP | VG_RFLAGS | VG_SHADOW);
	if (!groups)
		return;
	if (groups & VG_RSP)
		v->gpr[RSP] = vmread(a, VMCS_GUEST_RSP);
	if (groups & VG_CR0)
		v->cr0 = (vmread(a, VMCS_GUEST_CR0) & ~a->cr0_owned) | (a->cr0_shadow & a->cr0_owned);
	if (groups & VG_CR3)
		v->cr3 = vmread(a, VMCS_GUEST_CR3);
	if (groups & VG_CR4)
		v->cr4 = (vmread(a, VMCS_GUEST_CR4) & ~a->cr4_owned) | (a->cr4_shadow & a->cr4_owned);
	if (groups & VG_EFER)
		v->efer = vmread(a, VMCS_GUEST_EFER);
	if (groups & VG_DR7)
		v->dr7 = vmread(a, VMCS_GUEST_DR7);
	if (groups & VG_GDTR)
		v->gdtr = (struct vtable){ vmread(a, VMCS_GUEST_GDTR_BASE), (uint32_t)vmread(a, VMCS_GUEST_GDTR_LIMIT) };
	if (groups & VG_IDTR)
		v->idtr = (struct vtable){ vmread(a, VMCS_GUEST_IDTR_BASE), (uint32_t)vmread(a, VMCS_GUEST_IDTR_LIMIT) };
	if (groups & VG_CS_ATTR)
		v->seg[SEG_CS].attr = (uint32_t)vmread(a, VMCS_GUEST_CS_ATTR);
	if (groups & VG_SS_ATTR)
		v->seg[SEG_SS].attr = (uint32_t)vmread(a, VMCS_GUEST_SS_ATTR);
	if (groups & VG_PDPTE && a->ctl.proc2 & PROC2_EPT)
		for (unsigned i = 0; i < 4; i++)
			v->pdpte[i] = vmread(a, (enum vmcs_field)(VMCS_GUEST_PDPTE0 + 2 * i));
	for (uint32_t segs = (groups & VG_SEGS) / VG_SEG(0); segs; segs &= segs - 1)
		fetch_segment(v, a, (unsigned)__builtin_ctz(segs));
}

/* ---- to the VMCS */

static void put_segment(struct vcpu *v, struct vmx_vcpu *a, unsigned n)
{
	const struct vsegment *s = &v->seg[n];

	vmwrite(a, SEG_FIELD(SEL, n), s->sel);
	vmwrite(a, SEG_FIELD(ATTR, n), s->attr);
	vmwrite(a, SEG_FIELD(LIMIT, n), s->limit);
	vmwrite(a, SEG_FIELD(BASE, n), s->base);
}

/*
 * The real CR0: the guest's, with what VMX operation fixes (A.7). Unrestricted guests may clear PE and PG; CD and NW an entry does
 * not load (27.3.2.1), and so they live in the shadow alone.
 */
static void put_cr0(struct vcpu *v, struct vmx_vcpu *a)
{
	const struct vmx_caps *c = &a->cpu->caps;
	uint64_t must = c->cr0_fixed0, loose = CR0_CD | CR0_NW;

	if (a->ctl.proc2 & PROC2_UNRESTRICTED)
		must &= ~(CR0_PE | CR0_PG);
	a->cr0_shadow = v->cr0;
	vmwrite(a, VMCS_GUEST_CR0, ((paging_real_cr0(v) & ~loose) | must) & c->cr0_fixed1);
	vmwrite(a, VMCS_CR0_SHADOW, v->cr0);
}

/* The host's MCE stays: a machine check in the guest without it would shut the machine down. */
static void put_cr4(struct vcpu *v, struct vmx_vcpu *a)
{
	const struct vmx_caps *c = &a->cpu->caps;

	a->cr4_shadow = v->cr4;
	vmwrite(a, VMCS_GUEST_CR4, (paging_real_cr4(v) | c->cr4_fixed0 | (read_cr4() & CR4_MCE)) & c->cr4_fixed1);
	vmwrite(a, VMCS_CR4_SHADOW, v->cr4);
}

/* 27.3.1.1: "IA-32e mode guest" must say what EFER.LMA says. */
static void put_efer(struct vcpu *v, struct vmx_vcpu *a)
{
	uint32_t entry = a->ctl.entry & ~ENTRYC_IA32E;

	vmwrite(a, VMCS_GUEST_EFER, paging_real_efer(v));
	if (v->efer & EFER_LMA)
		entry |= ENTRYC_IA32E;
	if (entry != a->ctl.entry)
		vmwrite(a, VMCS_ENTRY_CONTROLS, entry);
	a->ctl.entry = entry;
	/* A 16-bit TSS that was loaded before the switch to long mode is none that an entry takes (27.3.1.2); its type matters to
	 * nobody until the guest loads TR again, as it must. */
	if (v->efer & EFER_LMA) {
		vcpu_need(v, VG_SEG(SEG_TR));
		if ((v->seg[SEG_TR].attr & 15) == 3) {
			v->seg[SEG_TR].attr |= 11;
			vcpu_changed(v, VG_SEG(SEG_TR));
		}
	}
}

/*
 * With EPT the CPU takes a PAE guest's PDPTEs from the VMCS (27.3.2.4) and saves them there at exits (28.3.4). Writes of CR0, CR3
 * and CR4 by the VMM in the guest's stead must load them when the instruction would (SDM vol. 3, 4.4.1), and only then: what the
 * guest has stored into the table since counts from its next load on. Whoever wrote the register
 * has checked them; of a table that is in no memory, nothing is present.
 */
static void put_pdptes(struct vcpu *v, struct vmx_vcpu *a)
{
	uint64_t pdpte[4];

	vcpu_need(v, VG_CR0 | VG_CR3 | VG_CR4 | VG_EFER);
	if (!(v->cr0 & CR0_PG) || !(v->cr4 & CR4_PAE) || v->efer & EFER_LMA || !(a->ctl.proc2 & PROC2_EPT))
		return;
	if (guest_mem_read(&v->vm->mem, v->cr3 & 0xffffffe0, pdpte, sizeof(pdpte)))
		for (unsigned i = 0; i < 4; i++)
			pdpte[i] = 0;
	for (unsigned i = 0; i < 4; i++)
		vmwrite(a, (enum vmcs_field)(VMCS_GUEST_PDPTE0 + 2 * i), pdpte[i]);
}

/*
 * 27.3.1.5: while STI or MOV SS blocks, a pending single-step trap must be told if and only if TF is set and BTF is not. The VMM
 * has just changed one side of that: bring the other along.
 */
static void settle_single_step(struct vcpu *v, struct vmx_vcpu *a)
{
	uint64_t pending, settled;

	vcpu_need(v, VG_SHADOW | VG_RFLAGS);
	if (!v->shadow_sti && !v->shadow_ss)
		return;
	pending = vmread(a, VMCS_GUEST_PENDING_DEBUG);
	settled = pending & ~(uint64_t)PENDING_BS;
	if (v->rflags & RFLAGS_TF && !(vmread(a, VMCS_GUEST_DEBUGCTL) & DEBUGCTL_BTF))
		settled |= PENDING_BS;
	if (settled != pending)
		vmwrite(a, VMCS_GUEST_PENDING_DEBUG, settled);
}

/* SMI blocking and the like cannot be on: the VMM runs outside of SMM, without enclaves. */
static void put_shadow(struct vcpu *v, struct vmx_vcpu *a)
{
	vmwrite(a, VMCS_GUEST_INTERRUPTIBILITY,
		(v->shadow_sti ? BLOCKED_STI : 0) | (v->shadow_ss ? BLOCKED_SS : 0) | (v->nmi_blocked ? BLOCKED_NMI : 0));
}

static void put_rare(struct vcpu *v, struct vmx_vcpu *a)
{
	const uint32_t paging = VG_CR0 | VG_CR3 | VG_CR4 | VG_EFER;

	if (v->dirty & VG_CR0)
		put_cr0(v, a);
	if (v->dirty & VG_CR3)
		vmwrite(a, VMCS_GUEST_CR3, paging_real_cr3(v));
	if (v->dirty & VG_CR4)
		put_cr4(v, a);
	if (v->dirty & VG_EFER)
		put_efer(v, a);
	if (v->load_pdptes) {
		v->load_pdptes = false;
		put_pdptes(v, a);
	}
	if (v->dirty & paging) {
		a->flush_tlb = true; /* entries do not flush VPID-tagged translations (29.4.3.3) */
	}
	if (v->dirty & VG_DR7)
		vmwrite(a, VMCS_GUEST_DR7, v->dr7);
	if (v->dirty & VG_GDTR) {
		vmwrite(a, VMCS_GUEST_GDTR_BASE, v->gdtr.base);
		vmwrite(a, VMCS_GUEST_GDTR_LIMIT, v->gdtr.limit);
	}
	if (v->dirty & VG_IDTR) {
		vmwrite(a, VMCS_GUEST_IDTR_BASE, v->idtr.base);
		vmwrite(a, VMCS_GUEST_IDTR_LIMIT, v->idtr.limit);
	}
	for (uint32_t segs = (v->dirty & VG_SEGS) / VG_SEG(0); segs; segs &= segs - 1)
		put_segment(v, a, (unsigned)__builtin_ctz(segs));
}

void vmx_write_back(struct vcpu *v)
{
	struct vmx_vcpu *a = v->arch;

	/* All of it: the first run, or a reset. What was pending is gone. */
	if (v->dirty == VG_ALL)
		vmwrite(a, VMCS_GUEST_PENDING_DEBUG, 0);
	if (v->dirty & VG_RIP)
		vmwrite(a, VMCS_GUEST_RIP, v->rip);
	if (v->dirty & VG_RSP)
		vmwrite(a, VMCS_GUEST_RSP, v->gpr[RSP]);
	if (v->dirty & VG_RFLAGS)
		vmwrite(a, VMCS_GUEST_RFLAGS, v->rflags);
	if (v->dirty & VG_SHADOW)
		put_shadow(v, a);
	if (v->dirty & (VG_RFLAGS | VG_SHADOW))
		settle_single_step(v, a);
	if (v->dirty & ~(VG_RIP | VG_RSP | VG_RFLAGS | VG_SHADOW))
		put_rare(v, a);
	v->dirty = 0;
}

void vmx_put_event(struct vcpu *v)
{
	struct vmx_vcpu *a = v->arch;
	struct vevent *e = &v->inject;
	uint32_t info = e->vector | (uint32_t)e->type << 8 | EVENT_INFO_VALID;

	/* 27.2.1.3: no error code in real mode; its upper bits are 0. */
	if (e->has_error && a->cr0_shadow & CR0_PE) {
		info |= EVENT_INFO_ERROR;
		vmwrite(a, VMCS_ENTRY_EVENT_ERROR, e->error & 0x7fff);
	}
	if (e->type >= EVENT_SOFT_INT)
		vmwrite(a, VMCS_ENTRY_INSN_LEN, e->insn_len);
	if (e->type == EVENT_EXCEPTION && e->vector == VEC_DB)
		settle_single_step(v, a);
	/* 27.3.1.5: an NMI whose delivery was cut short is injected again, and blocks only then. */
	if (e->type == EVENT_NMI) {
		vcpu_need(v, VG_SHADOW);
		if (v->nmi_blocked) {
			v->nmi_blocked = false;
			put_shadow(v, a);
		}
	}
	/* The CPU clears the valid bit at each exit (25.8.3). */
	vmwrite(a, VMCS_ENTRY_EVENT, info);
	e->valid = false;
}
