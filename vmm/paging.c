#include "vmm/paging.h"

#include <errno.h>
#include <string.h>

#include "mm/shadow.h"
#include "vmm/exit.h"
#include "vmm/gva.h"
#include "vmm/log.h"

void paging_changed(struct vcpu *v)
{
	v->root_wanted = paging_shadow(v);
	v->ops->tlb_flush(v);
}

void paging_new_root(struct vcpu *v)
{
	struct walk_mode m;

	v->root_wanted = false;
	gva_mode(v, &m);
	if (v->load_pdptes && m.pdpte && guest_mem_read(&v->vm->mem, m.root, v->pdpte, sizeof(v->pdpte)))
		memset(v->pdpte, 0, sizeof(v->pdpte)); /* a table in no memory: nothing is present */
	v->load_pdptes = false;
	if (!(v->cr0 & CR0_PE) && v->ops->shadow_needs_protected_mode) {
		vcpu_park(v, "real mode, which %s cannot run under shadow paging: use paging=hap", v->ops->name);
		return;
	}
	v->shadow_cr3 = shadow_root(v->vm->mem.shadow, &m);
	vcpu_changed(v, VG_PAGING); /* as the CPU must see them in this mode */
}

/* Which PAT entry of the machine has this type; UC for one that has none. UC- is as good as UC where the MTRRs say write-back. */
static uint64_t pat_bits(uint64_t host_pat, uint8_t type)
{
	for (unsigned i = 0; i < 8; i++)
		if ((uint8_t)(host_pat >> 8 * i) == type)
			return (i & 1) << 3 | (i >> 1 & 1) << 4 | (uint64_t)(i >> 2) << 7; /* PWT, PCD, PAT of a 4 KiB leaf */
	return type ? pat_bits(host_pat, 0) : 3u << 3;
}

void paging_pat_changed(struct vcpu *v)
{
	uint64_t bits[8], pat = v->ops->msr_get(v, VMSR_PAT), host;

	if (!paging_shadow(v) || v->ops->loads_guest_pat)
		return;
	host = rdmsr(MSR_PAT);
	for (unsigned i = 0; i < 8; i++)
		bits[i] = pat_bits(host, (uint8_t)(pat >> 8 * i));
	shadow_set_memory_types(v->vm->mem.shadow, bits);
	v->root_wanted = true;
}

/* The address, which CPUs without decode assists leave to us. */
static int invlpg_operand(struct vcpu *v, struct vm_exit *x, uint64_t *gva)
{
	struct insn_regs r = { .gpr = v->gpr, .rip = vcpu_rip(v) };
	struct insn in;
	uint64_t offset;
	unsigned seg;

	*gva = x->info1;
	if (!x->decode)
		return 0;
	if (vcpu_decode(v, &in))
		return -EFAULT;
	x->insn_len = in.length;
	vcpu_need(v, VG_RSP);
	offset = insn_effective(&in, &r, gva, &seg);
	*gva = offset + (vcpu_mode(v) != INSN_64 || seg == SEG_FS || seg == SEG_GS ? vcpu_seg(v, (enum vseg)seg)->base : 0);
	return 0;
}

void exit_invlpg(struct vcpu *v, struct vm_exit *x)
{
	uint64_t gva;

	if (!exit_privileged(v)) {
		vcpu_gp(v);
		return;
	}
	if (invlpg_operand(v, x, &gva) || !vcpu_exit_length(v, x))
		return;
	vcpu_skip(v, x->insn_len);
	if (paging_shadow(v))
		shadow_invlpg(v->vm->mem.shadow, gva);
	else
		v->ops->tlb_flush(v);
}

void exit_page_fault(struct vcpu *v, struct vm_exit *x)
{
	uint64_t gva = x->exc.dr6_or_cr2;
	uint32_t error = x->exc.error;
	struct walk_access a = { .write = error & PF_W, .user = error & PF_U, .fetch = error & PF_FETCH };
	const struct gva_memo *memo;
	struct walk_result r;
	struct walk_mode m;

	if (error & PF_RSVD) {
		vcpu_park(v, "the VMM's shadow entry for address 0x%llx is malformed", (unsigned long long)gva);
		return;
	}
	a.implicit = !a.user && vcpu_cpl(v) == 3;
	gva_mode(v, &m);
	memo = gva_memo_of(v->translated, gva, a);
	if (!a.fetch && gva_memo_holds(memo, &v->vm->mem, &m, gva, a) &&
	    !memo->memory) { /* registers that it was at a moment ago */
		exit_no_memory(v, x, memo->gpa | (gva & PAGE_MASK), false);
		return;
	}
	switch (shadow_fault(v->vm->mem.shadow, &m, gva, error, a, &r)) {
	case SHADOW_FIXED: break;
	case SHADOW_FAULT: vcpu_page_fault(v, gva, r.error); break;
	case SHADOW_DEVICE: exit_no_memory(v, x, r.gpa, a.fetch); break;
	case SHADOW_EMULATE: emulate_mmio(v, r.gpa); break;
	case SHADOW_STRANGE: exit_strange_fault(v, "address", gva); break;
	}
}
