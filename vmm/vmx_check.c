#include "vmm/vmx_check.h"

#include <errno.h>
#include <stdio.h>

#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/vmx_vmcs.h"

/* Where a broken rule is told. */
struct finding {
	char *why;
	size_t size;
};

/* Always false, so that a check can end with it. */
static bool broken(const struct finding *f, const char *field, uint64_t value, const char *rule)
{
	snprintf(f->why, f->size, "%s %llx: %s", field, (unsigned long long)value, rule);
	return false;
}

static bool broken_segment(const struct finding *f, unsigned n, const char *part, uint64_t value, const char *rule)
{
	static const char *const names[SEG_COUNT] = { "ES", "CS", "SS", "DS", "FS", "GS", "LDTR", "TR" };

	snprintf(f->why, f->size, "%s %s %llx: %s", names[n], part, (unsigned long long)value, rule);
	return false;
}

#define SEG_TYPE(a) ((a) & 15u)
#define SEG_RESERVED 0xfffe0f00u
#define RPL(sel) ((sel) & 3u)
#define TI(sel) ((sel) & 4u)

/* Such addresses are judged by what the CPU supports, not by CR4.LA57 (27.3.1.1, 27.3.1.2). */
static bool canonical(const struct vmx_guest_state *s, uint64_t address)
{
	unsigned shift = 64 - s->linear_bits;

	return (uint64_t)((int64_t)(address << shift) >> shift) == address;
}

static bool is_v86(const struct vmx_guest_state *s)
{
	return s->rflags & RFLAGS_VM;
}

static bool usable(const struct vsegment *g)
{
	return !(g->attr & SEG_ATTR_UNUSABLE);
}

/* ---- 27.3.1.1: control registers, debug registers, MSRs */

static bool check_control(const struct vmx_guest_state *s, const struct finding *f)
{
	uint64_t loose = CR0_NW | CR0_CD, must = s->cr0_fixed0;

	if (s->unrestricted)
		must &= ~(CR0_PE | CR0_PG);
	if (must & ~loose & ~s->cr0)
		return broken(f, "CR0", s->cr0, "lacks a bit that VMX operation fixes to 1 (IA32_VMX_CR0_FIXED0)");
	if (s->cr0 & ~loose & ~s->cr0_fixed1)
		return broken(f, "CR0", s->cr0, "has a bit that VMX operation fixes to 0 (IA32_VMX_CR0_FIXED1)");
	if (s->cr0 & CR0_PG && !(s->cr0 & CR0_PE))
		return broken(f, "CR0", s->cr0, "PG is set without PE");
	if (s->cr4_fixed0 & ~s->cr4)
		return broken(f, "CR4", s->cr4, "lacks a bit that VMX operation fixes to 1 (IA32_VMX_CR4_FIXED0)");
	if (s->cr4 & ~s->cr4_fixed1)
		return broken(f, "CR4", s->cr4, "has a bit that this CPU does not support (IA32_VMX_CR4_FIXED1)");
	if (s->cr4 & CR4_CET && !(s->cr0 & CR0_WP))
		return broken(f, "CR4", s->cr4, "CET is set without CR0.WP");
	if (s->ia32e && !(s->cr0 & CR0_PG))
		return broken(f, "CR0", s->cr0, "an IA-32e mode guest needs PG");
	if (s->ia32e && !(s->cr4 & CR4_PAE))
		return broken(f, "CR4", s->cr4, "an IA-32e mode guest needs PAE");
	if (!s->ia32e && s->cr4 & CR4_PCIDE)
		return broken(f, "CR4", s->cr4, "PCIDE is set outside of IA-32e mode");
	if (s->cr3 >> s->phys_bits)
		return broken(f, "CR3", s->cr3, "has bits beyond the physical-address width");
	return true;
}

/* Bits that no CPU defines in IA32_DEBUGCTL (SDM vol. 4, table 2-2). */
#define DEBUGCTL_RESERVED (~0xffc7ull)
#define EFER_DEFINED (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE)

static bool check_msrs(const struct vmx_guest_state *s, const struct finding *f)
{
	if (s->debugctl & DEBUGCTL_RESERVED)
		return broken(f, "IA32_DEBUGCTL", s->debugctl, "reserved bits are set");
	if (s->dr7 >> 32)
		return broken(f, "DR7", s->dr7, "bits 63:32 must be 0");
	if (!canonical(s, s->sysenter_esp))
		return broken(f, "IA32_SYSENTER_ESP", s->sysenter_esp, "is not canonical");
	if (!canonical(s, s->sysenter_eip))
		return broken(f, "IA32_SYSENTER_EIP", s->sysenter_eip, "is not canonical");
	for (unsigned i = 0; i < 8; i++) {
		uint8_t type = (uint8_t)(s->pat >> 8 * i);

		if (type > 7 || type == 2 || type == 3)
			return broken(f, "IA32_PAT", s->pat, "a byte is none of 0, 1, 4, 5, 6, 7");
	}
	if (s->efer & ~EFER_DEFINED)
		return broken(f, "IA32_EFER", s->efer, "reserved bits are set");
	if (!(s->efer & EFER_LMA) != !s->ia32e)
		return broken(f, "IA32_EFER", s->efer, "LMA differs from the VM-entry control \"IA-32e mode guest\"");
	if (s->cr0 & CR0_PG && !(s->efer & EFER_LMA) != !(s->efer & EFER_LME))
		return broken(f, "IA32_EFER", s->efer, "with paging on, LMA must be what LME is");
	return true;
}

/* ---- 27.3.1.2: segment registers */

static bool check_v86(const struct vmx_guest_state *s, const struct finding *f)
{
	for (unsigned n = SEG_ES; n <= SEG_GS; n++) {
		const struct vsegment *g = &s->seg[n];

		if (g->base != (uint64_t)g->sel << 4)
			return broken_segment(f, n, "base", g->base, "in virtual-8086 mode it must be the selector times 16");
		if (g->limit != 0xffff)
			return broken_segment(f, n, "limit", g->limit, "in virtual-8086 mode it must be ffff");
		if (g->attr != 0xf3)
			return broken_segment(f, n, "access rights", g->attr, "in virtual-8086 mode they must be f3");
	}
	return true;
}

/* What all usable segments have in common: present, no reserved bits, granularity that agrees with the limit. */
static bool check_form(const struct finding *f, unsigned n, const struct vsegment *g)
{
	if (!(g->attr & SEG_ATTR_P))
		return broken_segment(f, n, "access rights", g->attr, "P must be set");
	if (g->attr & SEG_RESERVED)
		return broken_segment(f, n, "access rights", g->attr, "bits 11:8 and 31:17 must be 0");
	if (g->attr & SEG_ATTR_G && (g->limit & 0xfff) != 0xfff)
		return broken_segment(f, n, "limit", g->limit, "with G set, bits 11:0 must be ones");
	if (!(g->attr & SEG_ATTR_G) && g->limit >> 20)
		return broken_segment(f, n, "limit", g->limit, "without G it must be below 100000");
	return true;
}

static bool check_cs(const struct vmx_guest_state *s, const struct finding *f)
{
	const struct vsegment *cs = &s->seg[SEG_CS];
	unsigned type = SEG_TYPE(cs->attr), dpl = SEG_ATTR_DPL(cs->attr), ss_dpl = SEG_ATTR_DPL(s->seg[SEG_SS].attr);

	if (cs->base >> 32)
		return broken_segment(f, SEG_CS, "base", cs->base, "bits 63:32 must be 0");
	if (!(type == 3 && s->unrestricted) && (type & 9) != 9)
		return broken_segment(f, SEG_CS, "access rights", cs->attr,
				      s->unrestricted ? "the type must be 3, 9, 11, 13 or 15" : "the type must be 9, 11, 13 or 15");
	if (!(cs->attr & SEG_ATTR_S))
		return broken_segment(f, SEG_CS, "access rights", cs->attr, "S must be set");
	if (type == 3 && dpl)
		return broken_segment(f, SEG_CS, "access rights", cs->attr, "with type 3, DPL must be 0");
	if ((type == 9 || type == 11) && dpl != ss_dpl)
		return broken_segment(f, SEG_CS, "access rights", cs->attr, "DPL of a non-conforming segment must be SS's");
	if ((type == 13 || type == 15) && dpl > ss_dpl)
		return broken_segment(f, SEG_CS, "access rights", cs->attr, "DPL of a conforming segment must not exceed SS's");
	if (!check_form(f, SEG_CS, cs))
		return false;
	if (s->ia32e && cs->attr & SEG_ATTR_L && cs->attr & SEG_ATTR_DB)
		return broken_segment(f, SEG_CS, "access rights", cs->attr, "L and D are both set in IA-32e mode");
	return true;
}

static bool check_ss(const struct vmx_guest_state *s, const struct finding *f)
{
	const struct vsegment *ss = &s->seg[SEG_SS], *cs = &s->seg[SEG_CS];
	unsigned type = SEG_TYPE(ss->attr), dpl = SEG_ATTR_DPL(ss->attr);

	if (!s->unrestricted && RPL(ss->sel) != RPL(cs->sel))
		return broken_segment(f, SEG_SS, "selector", ss->sel, "RPL must be CS's");
	if (!s->unrestricted && dpl != RPL(ss->sel))
		return broken_segment(f, SEG_SS, "access rights", ss->attr, "DPL must be the selector's RPL");
	if (dpl && (SEG_TYPE(cs->attr) == 3 || !(s->cr0 & CR0_PE)))
		return broken_segment(f, SEG_SS, "access rights", ss->attr, "in real mode, or with CS of type 3, DPL must be 0");
	if (!usable(ss))
		return true;
	if (ss->base >> 32)
		return broken_segment(f, SEG_SS, "base", ss->base, "bits 63:32 must be 0");
	if (type != 3 && type != 7)
		return broken_segment(f, SEG_SS, "access rights", ss->attr, "the type must be 3 or 7");
	if (!(ss->attr & SEG_ATTR_S))
		return broken_segment(f, SEG_SS, "access rights", ss->attr, "S must be set");
	return check_form(f, SEG_SS, ss);
}

static bool check_data(const struct vmx_guest_state *s, const struct finding *f, unsigned n)
{
	const struct vsegment *g = &s->seg[n];
	unsigned type = SEG_TYPE(g->attr);

	if (n >= SEG_FS && !canonical(s, g->base))
		return broken_segment(f, n, "base", g->base, "is not canonical");
	if (!usable(g))
		return true;
	if (n < SEG_FS && g->base >> 32)
		return broken_segment(f, n, "base", g->base, "bits 63:32 must be 0");
	if (!(type & 1))
		return broken_segment(f, n, "access rights", g->attr, "the type must be an accessed one");
	if (type & 8 && !(type & 2))
		return broken_segment(f, n, "access rights", g->attr, "code must be readable");
	if (!(g->attr & SEG_ATTR_S))
		return broken_segment(f, n, "access rights", g->attr, "S must be set");
	if (!s->unrestricted && type <= 11 && SEG_ATTR_DPL(g->attr) < RPL(g->sel))
		return broken_segment(f, n, "access rights", g->attr, "DPL must not be below the selector's RPL");
	return check_form(f, n, g);
}

static bool check_system(const struct vmx_guest_state *s, const struct finding *f)
{
	const struct vsegment *tr = &s->seg[SEG_TR], *ldtr = &s->seg[SEG_LDTR];

	if (TI(tr->sel))
		return broken_segment(f, SEG_TR, "selector", tr->sel, "TI must be 0");
	if (!canonical(s, tr->base))
		return broken_segment(f, SEG_TR, "base", tr->base, "is not canonical");
	if (!usable(tr))
		return broken_segment(f, SEG_TR, "access rights", tr->attr, "it must be usable");
	if (SEG_TYPE(tr->attr) != 11 && (s->ia32e || SEG_TYPE(tr->attr) != 3))
		return broken_segment(f, SEG_TR, "access rights", tr->attr,
				      s->ia32e ? "the type must be 11 (busy 64-bit TSS)" : "the type must be 3 or 11 (busy TSS)");
	if (tr->attr & SEG_ATTR_S)
		return broken_segment(f, SEG_TR, "access rights", tr->attr, "S must be 0");
	if (!check_form(f, SEG_TR, tr))
		return false;
	if (!usable(ldtr))
		return true;
	if (TI(ldtr->sel))
		return broken_segment(f, SEG_LDTR, "selector", ldtr->sel, "TI must be 0");
	if (!canonical(s, ldtr->base))
		return broken_segment(f, SEG_LDTR, "base", ldtr->base, "is not canonical");
	if (SEG_TYPE(ldtr->attr) != 2)
		return broken_segment(f, SEG_LDTR, "access rights", ldtr->attr, "the type must be 2 (LDT)");
	if (ldtr->attr & SEG_ATTR_S)
		return broken_segment(f, SEG_LDTR, "access rights", ldtr->attr, "S must be 0");
	return check_form(f, SEG_LDTR, ldtr);
}

static bool check_segments(const struct vmx_guest_state *s, const struct finding *f)
{
	if (is_v86(s))
		return check_v86(s, f) && check_system(s, f);
	if (!check_cs(s, f) || !check_ss(s, f))
		return false;
	for (unsigned n = SEG_ES; n <= SEG_GS; n++)
		if (n != SEG_CS && n != SEG_SS && !check_data(s, f, n))
			return false;
	return check_system(s, f);
}

/* ---- 27.3.1.3: descriptor-table registers */

static bool check_tables(const struct vmx_guest_state *s, const struct finding *f)
{
	if (!canonical(s, s->gdtr.base))
		return broken(f, "GDTR base", s->gdtr.base, "is not canonical");
	if (s->gdtr.limit >> 16)
		return broken(f, "GDTR limit", s->gdtr.limit, "bits 31:16 must be 0");
	if (!canonical(s, s->idtr.base))
		return broken(f, "IDTR base", s->idtr.base, "is not canonical");
	if (s->idtr.limit >> 16)
		return broken(f, "IDTR limit", s->idtr.limit, "bits 31:16 must be 0");
	return true;
}

/* ---- 27.3.1.4: RIP and RFLAGS */

#define RFLAGS_RESERVED (~0x3fffffull | 1u << 15 | 1u << 5 | 1u << 3)

static bool injects(const struct vmx_guest_state *s, enum vevent_type type)
{
	return s->entry_event & EVENT_INFO_VALID && EVENT_INFO_TYPE(s->entry_event) == type;
}

static bool check_rip_rflags(const struct vmx_guest_state *s, const struct finding *f)
{
	bool mode64 = s->ia32e && s->seg[SEG_CS].attr & SEG_ATTR_L;

	if (!mode64 && s->rip >> 32)
		return broken(f, "RIP", s->rip, "outside of 64-bit mode bits 63:32 must be 0");
	if (mode64 && !canonical(s, s->rip))
		return broken(f, "RIP", s->rip, "is not canonical");
	if (s->rflags & RFLAGS_RESERVED)
		return broken(f, "RFLAGS", s->rflags, "reserved bits are set");
	if (!(s->rflags & RFLAGS_ONE))
		return broken(f, "RFLAGS", s->rflags, "bit 1 must be set");
	if (is_v86(s) && s->ia32e)
		return broken(f, "RFLAGS", s->rflags, "VM is set in IA-32e mode");
	if (is_v86(s) && !(s->cr0 & CR0_PE))
		return broken(f, "RFLAGS", s->rflags, "VM is set in real mode");
	if (injects(s, EVENT_IRQ) && !(s->rflags & RFLAGS_IF))
		return broken(f, "RFLAGS", s->rflags, "an external interrupt is injected while IF is 0");
	return true;
}

/* ---- 27.3.1.5: non-register state */

enum { ACTIVE, HLT, SHUTDOWN, WAIT_SIPI };

/* The events that may be injected into a CPU that is not active. */
static bool wakes(const struct vmx_guest_state *s)
{
	uint8_t vector = s->entry_event & EVENT_INFO_VECTOR;

	if (!(s->entry_event & EVENT_INFO_VALID))
		return true;
	switch (s->activity) {
	case ACTIVE: return true;
	case HLT:
		return injects(s, EVENT_IRQ) || injects(s, EVENT_NMI) ||
		       (injects(s, EVENT_EXCEPTION) && (vector == VEC_DB || vector == VEC_MC)) ||
		       (EVENT_INFO_TYPE(s->entry_event) == 7 && vector == 0);
	case SHUTDOWN: return injects(s, EVENT_NMI) || (injects(s, EVENT_EXCEPTION) && vector == VEC_MC);
	default: return false;
	}
}

static bool check_activity(const struct vmx_guest_state *s, const struct finding *f)
{
	if (s->activity > WAIT_SIPI)
		return broken(f, "activity state", s->activity, "is none of 0 to 3");
	if (s->activity != ACTIVE && !(s->activities >> (s->activity - 1) & 1))
		return broken(f, "activity state", s->activity, "this CPU does not support it (IA32_VMX_MISC)");
	if (s->activity == HLT && SEG_ATTR_DPL(s->seg[SEG_SS].attr))
		return broken(f, "activity state", s->activity, "HLT outside of privilege level 0");
	if (s->activity != ACTIVE && s->interruptibility & (BLOCKED_STI | BLOCKED_SS))
		return broken(f, "activity state", s->activity, "it must be active while STI or MOV SS blocks");
	if (!wakes(s))
		return broken(f, "activity state", s->activity, "the event that is injected cannot reach a CPU in this state");
	return true;
}

static bool check_interruptibility(const struct vmx_guest_state *s, const struct finding *f)
{
	static const char field[] = "interruptibility";
	uint32_t i = s->interruptibility;

	if (i >> 5)
		return broken(f, field, i, "bits 31:5 must be 0");
	if (i & BLOCKED_STI && i & BLOCKED_SS)
		return broken(f, field, i, "STI and MOV SS cannot both block");
	if (i & BLOCKED_STI && !(s->rflags & RFLAGS_IF))
		return broken(f, field, i, "STI blocks while RFLAGS.IF is 0");
	if (i & (BLOCKED_STI | BLOCKED_SS) && injects(s, EVENT_IRQ))
		return broken(f, field, i, "an external interrupt is injected while STI or MOV SS blocks");
	if (i & BLOCKED_SS && injects(s, EVENT_NMI))
		return broken(f, field, i, "an NMI is injected while MOV SS blocks");
	if (i & BLOCKED_SMI)
		return broken(f, field, i, "SMIs are blocked outside of SMM");
	if (i & BLOCKED_NMI && s->virtual_nmis && injects(s, EVENT_NMI))
		return broken(f, field, i, "an NMI is injected while NMIs are blocked");
	if (i & BLOCKED_ENCLAVE && i & BLOCKED_SS)
		return broken(f, field, i, "MOV SS blocks after an enclave's interruption");
	return true;
}

#define PENDING_RESERVED (~(uint64_t)(PENDING_RTM | PENDING_BS | PENDING_ENABLED | 15))

static bool check_pending(const struct vmx_guest_state *s, const struct finding *f)
{
	static const char field[] = "pending debug exceptions";
	uint64_t p = s->pending_debug;
	bool stepping = s->rflags & RFLAGS_TF && !(s->debugctl & DEBUGCTL_BTF);

	if (p & PENDING_RESERVED)
		return broken(f, field, p, "bits 11:4, 13, 15 and 63:17 must be 0");
	if (s->interruptibility & (BLOCKED_STI | BLOCKED_SS) || s->activity == HLT) {
		if (stepping && !(p & PENDING_BS))
			return broken(f, field, p, "BS must be set: TF is, while STI or MOV SS blocks or the CPU halts");
		if (!stepping && p & PENDING_BS)
			return broken(f, field, p,
				      "BS must be 0: TF is, or BTF is set, while STI or MOV SS blocks or the CPU halts");
	}
	if (p & PENDING_RTM && (p & 0xfff || !(p & PENDING_ENABLED)))
		return broken(f, field, p, "with bit 16 set, bits 11:0 must be 0 and bit 12 set");
	if (p & PENDING_RTM && s->interruptibility & BLOCKED_SS)
		return broken(f, field, p, "bit 16 is set while MOV SS blocks");
	return true;
}

static bool check_link(const struct vmx_guest_state *s, const struct finding *f)
{
	if (s->link_pointer == ~0ull)
		return true;
	if (s->link_pointer & 0xfff || s->link_pointer >> s->phys_bits)
		return broken(f, "VMCS link pointer", s->link_pointer, "is neither all ones nor a page");
	return true;
}

/* ---- 27.3.1.6: page-directory-pointer-table entries */

static bool check_pdptes(const struct vmx_guest_state *s, const struct finding *f)
{
	static const char *const names[] = { "PDPTE 0", "PDPTE 1", "PDPTE 2", "PDPTE 3" };

	if (!s->ept || s->ia32e || !(s->cr0 & CR0_PG) || !(s->cr4 & CR4_PAE))
		return true;
	for (unsigned i = 0; i < 4; i++) {
		uint64_t e = s->pdpte[i];

		if (e & PTE_P && (e & 0x1e6 || e >> s->phys_bits))
			return broken(f, names[i], e, "reserved bits are set in an entry that is present");
	}
	return true;
}

int vmx_check(const struct vmx_guest_state *s, char *why, size_t size)
{
	static bool (*const checks[])(const struct vmx_guest_state *s, const struct finding *f) = {
		check_control,		check_msrs,    check_segments, check_tables, check_rip_rflags, check_activity,
		check_interruptibility, check_pending, check_link,     check_pdptes,
	};
	struct finding f = { why, size };

	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++)
		if (!checks[i](s, &f))
			return -EINVAL;
	return 0;
}
