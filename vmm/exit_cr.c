/* Control registers and XCR0, by the rules that MOV CR, LMSW, CLTS and XSETBV have (SDM vol. 3, 2.5, 4.1.2; vol. 2, MOV CR, XSETBV). */
#include <errno.h>
#include <stddef.h>

#include "vmm/cpu.h"
#include "vmm/exit.h"
#include "vmm/gva.h"
#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/paging.h"
#include "vmm/vm.h"

#define CR0_KNOWN (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM | CR0_NW | CR0_CD | CR0_PG)

/* SMSW stores the low word of CR0, or more of it in a register; any privilege level may, as UMIP is checked before the exit. */
static int smsw(struct vcpu *v, const struct insn *in)
{
	struct insn_regs r = { .gpr = v->gpr, .rip = vcpu_rip(v) };
	uint64_t cr0 = vcpu_cr0(v), old, gva, offset;
	unsigned seg;

	vcpu_need(v, VG_RSP);
	if (!in->mem) {
		old = vcpu_gpr(v, in->rm);
		vcpu_set_gpr(v, in->rm, in->opsize == 2 ? (old & ~0xffffull) | (cr0 & 0xffff) : cr0);
		return 0;
	}
	offset = insn_effective(in, &r, &gva, &seg);
	return gva_linear(v, (enum vseg)seg, offset, 2, true, &gva) || gva_write(v, gva, &cr0, 2) ? -EFAULT : 0;
}

int exit_cr_operands(struct vcpu *v, struct vm_exit *x)
{
	struct insn in;
	int e;

	if (!x->decode)
		return 0;
	e = vcpu_decode(v, &in);
	if (e)
		return e;
	x->insn_len = in.length;
	x->decode = false;
	x->cr.smsw = insn_is(&in, MAP_0F, 0x01) && (in.reg & 7) == 4;
	if (x->cr.smsw)
		return smsw(v, &in);
	if (insn_is(&in, MAP_0F, 0x06)) {
		x->cr.clts = true;
	} else if (insn_is(&in, MAP_0F, 0x20) || insn_is(&in, MAP_0F, 0x22)) {
		x->cr.gpr = in.rm;
		x->cr.cr = in.reg;
		x->cr.write = in.opcode == 0x22;
	} else if (insn_is(&in, MAP_0F, 0x01) && (in.reg & 7) == 6) { /* LMSW */
		struct insn_regs r = { .gpr = v->gpr, .rip = vcpu_rip(v) };
		uint64_t gva, offset;
		unsigned seg;

		x->cr.lmsw = true;
		if (!in.mem) {
			x->cr.lmsw_source = (uint16_t)vcpu_gpr(v, in.rm);
			return 0;
		}
		vcpu_need(v, VG_RSP);
		offset = insn_effective(&in, &r, &gva, &seg);
		if (gva_linear(v, (enum vseg)seg, offset, 2, false, &gva) || gva_read(v, gva, &x->cr.lmsw_source, 2))
			return -EFAULT;
	} else {
		vcpu_ud(v);
		return -EINVAL;
	}
	return 0;
}

/*
 * With PAE paging the CPU loads the four PDPTEs at once and checks their reserved bits (SDM vol. 3, 4.4.1). QEMU's TCG, which is an SVM
 * machine, sets bit 5 in them as if it were an accessed bit.
 */
static bool pdptes_bad(struct vcpu *v, uint64_t cr3)
{
	uint64_t e[4], reserved = 0xfff00000000001c6ull | (v->cpu->features.virt == VIRT_VMX ? 0x20 : 0) | (~((1ull << v->cpu->features.phys_bits) - 1) & PT_ADDR_MASK);

	if (guest_mem_read(&v->vm->mem, cr3 & 0xffffffe0, e, sizeof(e)))
		return false; /* nowhere: entries read as ones would be reserved, but the CPU faults later at the use */
	for (unsigned i = 0; i < 4; i++)
		if ((e[i] & 1) && (e[i] & reserved))
			return true;
	return false;
}

/* 0, or -EINVAL: #GP. */
static int cr0_write(struct vcpu *v, uint64_t value)
{
	uint64_t old = vcpu_cr0(v), efer = vcpu_efer(v);

	if (value >> 32 || ((value & CR0_PG) && !(value & CR0_PE)) || ((value & CR0_NW) && !(value & CR0_CD)))
		return -EINVAL;
	value = (value & CR0_KNOWN) | CR0_ET;
	if ((value & ~old) & CR0_PG) {
		if (efer & EFER_LME) {
			if (!(vcpu_cr4(v) & CR4_PAE) || (vcpu_attr(v, SEG_CS, VG_CS_ATTR) & SEG_ATTR_L))
				return -EINVAL;
			vcpu_set_efer(v, efer | EFER_LMA);
		} else if ((vcpu_cr4(v) & CR4_PAE) && pdptes_bad(v, vcpu_cr3(v))) {
			return -EINVAL;
		}
	} else if ((old & ~value) & CR0_PG) {
		if (vcpu_mode(v) == INSN_64 || (vcpu_cr4(v) & CR4_PCIDE))
			return -EINVAL;
		vcpu_set_efer(v, efer & ~EFER_LMA);
	}
	vcpu_set_cr0(v, value);
	if ((old ^ value) & (CR0_PG | CR0_CD | CR0_NW))
		v->load_pdptes = true;
	if ((old ^ value) & (CR0_PG | CR0_PE | CR0_WP) || (v->load_pdptes && paging_shadow(v)))
		paging_changed(v);
	return 0;
}

static int cr4_write(struct vcpu *v, uint64_t value)
{
	uint64_t old = vcpu_cr4(v), paging = CR4_PSE | CR4_PAE | CR4_PGE | CR4_SMEP | CR4_SMAP;
	bool loads = (old ^ value) & (CR4_PAE | CR4_PGE | CR4_PSE | CR4_SMEP); /* the PDPTEs (SDM vol. 3, 4.4.1) */

	if (value & ~cpuid_cr4_mask(v))
		return -EINVAL;
	if ((vcpu_efer(v) & EFER_LMA) && !(value & CR4_PAE))
		return -EINVAL;
	if ((vcpu_cr0(v) & CR0_PG) && !(vcpu_efer(v) & EFER_LMA) && (value & CR4_PAE) && loads &&
	    pdptes_bad(v, vcpu_cr3(v)))
		return -EINVAL;
	vcpu_set_cr4(v, value);
	if (loads)
		v->load_pdptes = true;
	if ((old ^ value) & paging)
		paging_changed(v);
	return 0;
}

static int cr3_write(struct vcpu *v, uint64_t value)
{
	bool lma = vcpu_efer(v) & EFER_LMA;

	if (lma && (value & ~((1ull << v->cpu->features.phys_bits) - 1)))
		return -EINVAL;
	if (!lma && (vcpu_cr0(v) & CR0_PG) && (vcpu_cr4(v) & CR4_PAE) && pdptes_bad(v, value))
		return -EINVAL;
	vcpu_set_cr3(v, value);
	v->load_pdptes = true;
	paging_changed(v);
	return 0;
}

static int cr8_write(struct vcpu *v, uint64_t value)
{
	if (value & ~15ull)
		return -EINVAL;
	vcpu_set_cr8(v, value);
	pc_set_cr8(v->vm->pc, (uint8_t)value);
	return 0;
}

static int cr_write(struct vcpu *v, unsigned cr, uint64_t value)
{
	switch (cr) {
	case 0: return cr0_write(v, value);
	case 2: vcpu_set_cr2(v, value); return 0;
	case 3: return cr3_write(v, value);
	case 4: return cr4_write(v, value);
	case 8: return cr8_write(v, value);
	default: return -ENOENT;
	}
}

static int cr_read(struct vcpu *v, unsigned cr, uint64_t *value)
{
	switch (cr) {
	case 0: *value = vcpu_cr0(v); return 0;
	case 2: *value = vcpu_cr2(v); return 0;
	case 3: *value = vcpu_cr3(v); return 0;
	case 4: *value = vcpu_cr4(v); return 0;
	case 8: *value = pc_cr8(v->vm->pc); return 0;
	default: return -ENOENT;
	}
}

static int cr_access(struct vcpu *v, struct vm_exit *x)
{
	bool wide = vcpu_mode(v) == INSN_64;
	uint64_t value, cr0;
	int e;

	if (x->cr.clts)
		return cr0_write(v, vcpu_cr0(v) & ~CR0_TS);
	if (x->cr.lmsw) { /* sets PE, MP, EM, TS; cannot clear PE */
		cr0 = vcpu_cr0(v);
		return cr0_write(v, (cr0 & ~0xeull) | (x->cr.lmsw_source & 0xf));
	}
	if (x->cr.write) {
		value = vcpu_gpr(v, x->cr.gpr);
		return cr_write(v, x->cr.cr, wide ? value : (uint32_t)value);
	}
	e = cr_read(v, x->cr.cr, &value);
	if (!e)
		vcpu_set_gpr(v, x->cr.gpr, wide ? value : (uint32_t)value);
	return e;
}

void exit_cr(struct vcpu *v, struct vm_exit *x)
{
	int e;

	if (exit_cr_operands(v, x))
		return;
	if (x->cr.smsw) {
		vcpu_skip(v, x->insn_len);
		return;
	}
	if (!exit_privileged(v)) {
		vcpu_gp(v);
		return;
	}
	e = cr_access(v, x);
	if (e == -ENOENT)
		vcpu_ud(v);
	else if (e)
		vcpu_gp(v);
	else if (vcpu_exit_length(v, x))
		vcpu_skip(v, x->insn_len);
}

void exit_xsetbv(struct vcpu *v, struct vm_exit *x)
{
	uint64_t value = (uint32_t)v->gpr[RAX] | v->gpr[RDX] << 32, mask = cpuid_xcr0_mask();

	if (!(vcpu_cr4(v) & CR4_OSXSAVE) || !mask) {
		vcpu_ud(v);
		return;
	}
	/* An emulator may have its exits before its privilege: this one looks. */
	if (vcpu_cpl(v) || (uint32_t)v->gpr[RCX] || !(value & XCR0_X87) || (value & ~mask) ||
	    ((value & XCR0_AVX) && !(value & XCR0_SSE))) {
		vcpu_gp(v);
		return;
	}
	/* The VMM uses no extended state, so the guest's XCR0 stays in the CPU. */
	v->xcr0 = value;
	xsetbv(0, value);
	if (vcpu_exit_length(v, x))
		vcpu_skip(v, x->insn_len);
}
