#include "vmm/gva_memo.h"

#include <string.h>

#include "mm/layout.h"
#include "vmm/guest_mem.h"

static uint32_t how(const struct walk_mode *m, struct walk_access a)
{
	return m->wp | m->nxe << 1 | m->smep << 2 | m->smap << 3 | m->ac << 4 | m->pse << 5 | a.write << 6 | a.user << 7 |
	       a.fetch << 8 | a.implicit << 9;
}

/* Outside of long mode only 32 bits count (mm/walk.h). */
static uint64_t page_of(const struct walk_mode *m, uint64_t va)
{
	return (m->format == &pt_long4 ? va : va & 0xffffffff) & ~PAGE_MASK;
}

static uint64_t entry_at(const struct pt_format *f, const void *at)
{
	return f->entry_size == 8 ? *(const volatile uint64_t *)at : *(const volatile uint32_t *)at;
}

bool gva_memo_holds(const struct gva_memo *t, const struct guest_mem *mem, const struct walk_mode *m, uint64_t va,
		    struct walk_access a)
{
	if (!m->format || t->format != m->format || t->page != page_of(m, va) || t->root != m->root || t->how != how(m, a) ||
	    t->slots != mem->changes || m->pdpte)
		return false;
	for (unsigned i = 0; i < t->count; i++)
		if (entry_at(t->format, t->at[i]) != t->entry[i])
			return false;
	return true;
}

/* Where the VMM sees guest memory, if all of len bytes are RAM. */
static const uint8_t *memory(const struct guest_mem *mem, uint64_t gpa, size_t len)
{
	const struct mem_slot *s = guest_mem_slot(mem, gpa);

	return s && s->len - (gpa - s->gpa) >= len ? (const uint8_t *)(uintptr_t)(s->hpa + (gpa - s->gpa)) : NULL;
}

void gva_memo_keep(struct gva_memo *t, const struct guest_mem *mem, const struct walk_mode *m, uint64_t va, struct walk_access a,
		   const struct walk_result *r)
{
	const struct pt_format *f = m->format;
	uint64_t table = m->root;

	t->format = NULL;
	if (!f || m->pdpte || f->levels > GVA_MEMO_ENTRIES)
		return;
	t->count = 0;
	for (unsigned level = f->levels; level >= r->level; level--) {
		unsigned i = t->count++;

		t->at[i] = memory(mem, table + (uint64_t)pt_index(f, level, va) * f->entry_size, f->entry_size);
		if (!t->at[i])
			return;
		t->entry[i] = r->entry[level];
		table = walk_next_table(m, r->entry[level]);
	}
	t->page = page_of(m, va);
	t->root = m->root;
	t->gpa = r->gpa & ~PAGE_MASK;
	t->memory = memory(mem, t->gpa, PAGE_SIZE);
	t->how = how(m, a);
	t->slots = mem->changes;
	t->format = f;
}
