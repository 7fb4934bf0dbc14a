/*
 * The bytes of the instruction at RIP. SVM without NRIPS (QEMU's TCG) tells no length, so that every exit needs them, and a walk
 * through the guest's tables costs more than all else of an exit. The last way is remembered, and taken again for as long as each
 * entry on it has the value that it had: that is what a walk would find.
 */
#include <string.h>

#include "mm/layout.h"
#include "mm/walk.h"
#include "vmm/cpu.h"
#include "vmm/gva.h"
#include "vmm/svm.h"
#include "vmm/vm.h"

static const uint64_t no_entry; /* in the place of levels that a way does not have */

static void forget(struct svm_code *c)
{
	c->cr3 = ~0ull;
	c->steps = 0;
	for (unsigned i = 0; i < SVM_CODE_STEPS; i++) {
		c->entry[i] = &no_entry;
		c->value[i] = 0;
	}
}

/* RAM that never goes away: the guest's first piece. NULL when gpa is elsewhere. */
static const uint8_t *ram_at(const struct vcpu *v, uint64_t gpa)
{
	const struct mem_slot *s = guest_mem_slot(&v->vm->mem, gpa);

	return s == &v->vm->mem.slot[0] ? (const uint8_t *)(uintptr_t)(s->hpa + (gpa - s->gpa)) : NULL;
}

struct way {
	const struct vcpu *v;
	struct svm_code *c;
};

/* Reads an entry and notes it, as the aligned eight bytes around it. */
static int table_read(void *arg, uint64_t addr, unsigned size, uint64_t *value)
{
	const struct way *way = arg;
	struct svm_code *c = way->c;
	const uint64_t *entry = (const uint64_t *)(const void *)ram_at(way->v, addr & ~7ull);

	if (!entry || c->steps == SVM_CODE_STEPS)
		return -1;
	c->entry[c->steps] = entry;
	c->value[c->steps++] = *entry;
	*value = 0;
	memcpy(value, (const uint8_t *)entry + (addr & 7), size);
	return 0;
}

static bool find_way(struct vcpu *v, struct svm_code *c, uint64_t linear)
{
	struct way way = { v, c };
	struct walk_mem mem = { .read = table_read, .arg = &way };
	struct walk_result r;
	struct walk_mode m;
	bool long_cs = vcpu_mode(v) == INSN_64;

	forget(c);
	if (long_cs ? vcpu_seg(v, SEG_CS)->base != 0 : linear >> 32 != 0)
		return false;
	gva_mode(v, &m);
	if (guest_walk(&m, &mem, linear, gva_access(v, false, true), false, &r))
		return false;
	c->bytes = ram_at(v, r.gpa & ~PAGE_MASK);
	if (!c->bytes)
		return false;
	c->page = linear & ~PAGE_MASK;
	c->cr3 = ((const struct svm_vcpu *)v->arch)->vmcb->save.cr3;
	return true;
}

uint32_t svm_code_find(struct vcpu *v)
{
	struct svm_vcpu *a = v->arch;
	const struct vmcb_save *s = &a->vmcb->save;
	uint64_t linear = s->rip + s->cs.base;
	struct svm_code *c = &a->code[linear >> PAGE_SHIFT & (SVM_CODE_PAGES - 1)];

	return find_way(v, c, linear) ? svm_code_at(a, a->vmcb) : 0;
}

void svm_code_init(struct svm_vcpu *a)
{
	for (unsigned i = 0; i < SVM_CODE_PAGES; i++)
		forget(&a->code[i]);
}
