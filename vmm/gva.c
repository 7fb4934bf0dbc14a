#include "vmm/gva.h"

#include <errno.h>
#include <string.h>

#include "mm/layout.h"
#include "vmm/cpu.h"
#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/vm.h"

void gva_mode(struct vcpu *v, struct walk_mode *m)
{
	uint64_t cr0 = vcpu_cr0(v), cr4 = vcpu_cr4(v), efer = vcpu_efer(v), cr3 = vcpu_cr3(v);

	*m = (struct walk_mode){
		.wp = cr0 & CR0_WP,
		.nxe = efer & EFER_NXE,
		.smep = cr4 & CR4_SMEP,
		.smap = cr4 & CR4_SMAP,
		.ac = vcpu_rflags(v) & RFLAGS_AC,
		.pse = cr4 & CR4_PSE,
		.phys_bits = v->cpu->features.phys_bits,
		.page1g = v->cpu->features.page1g,
	};
	if (!(cr0 & CR0_PG))
		return;
	if (efer & EFER_LMA) {
		m->format = &pt_long4;
		m->root = cr3 & PT_ADDR_MASK;
	} else if (cr4 & CR4_PAE) {
		m->format = &pt_pae;
		m->root = cr3 & 0xffffffe0;
		if (v->ops->pdpte_registers && !(v->load_pdptes && !v->vm->mem.shadow)) {
			vcpu_need(v, VG_PDPTE);
			m->pdpte = v->pdpte;
		}
	} else {
		m->format = &pt_legacy32;
		m->root = cr3 & 0xfffff000;
	}
}

struct walk_access gva_access(struct vcpu *v, bool write, bool fetch)
{
	return (struct walk_access){ .write = write, .fetch = fetch, .user = vcpu_cpl(v) == 3 };
}

int gva_translate(struct vcpu *v, uint64_t gva, struct walk_access a, uint64_t *gpa)
{
	struct gva_memo *memo = gva_memo_of(v->translated, gva, a);
	struct walk_mem mem = guest_mem_tables(&v->vm->mem);
	struct walk_mode m;
	struct walk_result r;
	int e;

	gva_mode(v, &m);
	if (gva_memo_holds(memo, &v->vm->mem, &m, gva, a)) {
		*gpa = memo->gpa | (gva & PAGE_MASK);
		return 0;
	}
	e = guest_walk(&m, &mem, gva, a, true, &r);
	if (e) {
		/* Tables in nowhere read as ones on a PC: a present entry with reserved bits. */
		vcpu_page_fault(v, gva, e == 1 ? r.error : r.error | PF_P | PF_RSVD);
		return -EFAULT;
	}
	*gpa = r.gpa;
	gva_memo_keep(memo, &v->vm->mem, &m, gva, a, &r);
	return 0;
}

static void device_copy(struct vcpu *v, uint64_t gpa, void *data, size_t len, bool write)
{
	struct bus *bus = &v->vm->bus;
	uint8_t *p = data;

	while (len) {
		unsigned n = len >= 8 && !(gpa & 7) ? 8 : len >= 4 && !(gpa & 3) ? 4 : len >= 2 && !(gpa & 1) ? 2 : 1;
		uint64_t x = 0;

		if (write) {
			memcpy(&x, p, n);
			bus_write(bus, BUS_MMIO, gpa, n, x);
		} else {
			x = bus_read(bus, BUS_MMIO, gpa, n);
			memcpy(p, &x, n);
		}
		p += n;
		gpa += n;
		len -= n;
	}
}

static void physical_copy(struct vcpu *v, uint64_t gpa, void *data, size_t len, bool write)
{
	int e = write ? guest_mem_write(&v->vm->mem, gpa, data, len) : guest_mem_read(&v->vm->mem, gpa, data, len);

	if (e)
		device_copy(v, gpa, data, len, write);
}

int gva_resolve(struct vcpu *v, uint64_t gva, size_t len, bool write, struct gva_span *s)
{
	struct walk_access a = gva_access(v, write, false);
	size_t first = PAGE_SIZE - (gva & PAGE_MASK);
	uint64_t second;

	if (first > len)
		first = len;
	*s = (struct gva_span){ .len = { first, len - first } };
	if (gva_translate(v, gva, a, &s->gpa[0]))
		return -EFAULT;
	if (len == first)
		return 0;
	second = gva + first;
	if (!(vcpu_efer(v) & EFER_LMA))
		second &= 0xffffffff;
	return len - first > PAGE_SIZE ? -EFAULT : gva_translate(v, second, a, &s->gpa[1]);
}

void gva_span_read(struct vcpu *v, const struct gva_span *s, void *dst)
{
	physical_copy(v, s->gpa[0], dst, s->len[0], false);
	if (s->len[1])
		physical_copy(v, s->gpa[1], (uint8_t *)dst + s->len[0], s->len[1], false);
}

void gva_span_write(struct vcpu *v, const struct gva_span *s, const void *src)
{
	physical_copy(v, s->gpa[0], (void *)(uintptr_t)src, s->len[0], true);
	if (s->len[1])
		physical_copy(v, s->gpa[1], (uint8_t *)(uintptr_t)src + s->len[0], s->len[1], true);
}

int gva_read(struct vcpu *v, uint64_t gva, void *dst, size_t len)
{
	struct gva_span s;
	int e = gva_resolve(v, gva, len, false, &s);

	if (!e)
		gva_span_read(v, &s, dst);
	return e;
}

int gva_write(struct vcpu *v, uint64_t gva, const void *src, size_t len)
{
	struct gva_span s;
	int e = gva_resolve(v, gva, len, true, &s);

	if (!e)
		gva_span_write(v, &s, src);
	return e;
}

size_t gva_fetch(struct vcpu *v, uint8_t *dst, size_t len)
{
	struct walk_access a = gva_access(v, false, true);
	bool long_cs = vcpu_mode(v) == INSN_64;
	uint64_t at = vcpu_rip(v) + (long_cs ? 0 : vcpu_seg(v, SEG_CS)->base), gpa;
	struct walk_mem mem = guest_mem_tables(&v->vm->mem);
	const struct gva_memo *memo = gva_memo_of(v->translated, at, a);
	size_t first = PAGE_SIZE - (at & PAGE_MASK);
	struct walk_mode m;
	struct walk_result r;

	if (!long_cs)
		at &= 0xffffffff;
	if (first > len)
		first = len;
	if (gva_translate(v, at, a, &gpa))
		return 0;
	if (memo->format && memo->memory && memo->gpa == (gpa & ~PAGE_MASK)) /* as it was just now found to be */
		memcpy(dst, memo->memory + (gpa & PAGE_MASK), first);
	else
		physical_copy(v, gpa, dst, first, false);
	if (first == len)
		return len;
	/* The next page matters only if the instruction reaches it, which the decoder will say: no fault is queued here. */
	gva_mode(v, &m);
	if (guest_walk(&m, &mem, at + first, a, false, &r))
		return first;
	physical_copy(v, r.gpa, dst + first, len - first, false);
	return len;
}

static bool canonical(uint64_t a)
{
	return (uint64_t)((int64_t)(a << 16) >> 16) == a;
}

int gva_linear(struct vcpu *v, enum vseg seg, uint64_t offset, size_t len, bool write, uint64_t *gva)
{
	uint8_t vector = seg == SEG_SS ? VEC_SS : VEC_GP;
	uint64_t last = offset + len - 1;
	const struct vsegment *s;
	unsigned type;
	bool bad;

	if (vcpu_mode(v) == INSN_64) {
		*gva = offset + (seg == SEG_FS || seg == SEG_GS ? vcpu_seg(v, seg)->base : 0);
		bad = !canonical(*gva) || !canonical(*gva + len - 1);
	} else {
		s = vcpu_seg(v, seg);
		type = s->attr & 15;
		*gva = (s->base + offset) & 0xffffffff;
		bad = (s->attr & SEG_ATTR_UNUSABLE) || !(s->attr & SEG_ATTR_P);
		if (!(type & 8) && (type & 4)) /* expand-down data: valid above the limit */
			bad |= offset <= s->limit || last > (s->attr & SEG_ATTR_DB ? 0xffffffff : 0xffff);
		else
			bad |= last > s->limit || last < offset;
		if (vcpu_cr0(v) & CR0_PE && !(vcpu_rflags(v) & RFLAGS_VM))
			bad |= write ? (type & 8) || !(type & 2) : (type & 8) && !(type & 2);
	}
	if (!bad)
		return 0;
	vcpu_exception(v, vector, true, 0);
	return -EFAULT;
}
