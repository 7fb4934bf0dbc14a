/* A walk through paging structures, with every value that an entry may have: the one in memory, and former ones that may be cached.
 */
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/window.h"
#include "guest-tests/pagewalk/history.h"
#include "guest-tests/pagewalk/model.h"

#define FRAME_MASK 0x000ffffffffff000ull
#define HIGH_BITS 0x7ff0000000000000ull /* 62:52 */

struct rights {
	bool user, write, nx;
};

struct search {
	const struct access *a;
	struct outcome path; /* the entries so far */
	struct outcome *out;
	unsigned count;
	bool too_many;
};

static uint64_t supposed_at, supposed;

void model_suppose(uint64_t at, uint64_t entry)
{
	supposed_at = at;
	supposed = entry;
}

static bool nxe(void)
{
	return regs.efer & EFER_NXE;
}

/* Physical-address bits that the CPU has not (SDM 4.1.4, MAXPHYADDR). */
static uint64_t beyond(void)
{
	return limits.phys_bits >= 52 ? 0 : FRAME_MASK & ~((1ull << limits.phys_bits) - 1);
}

/* SDM 4.3, table 4-4: bits 20:13 of a 4 MiB page's entry are address bits 39:32, as far as the CPU has them; bit 21 is reserved. */
static uint64_t reserved_legacy(unsigned level, uint64_t entry)
{
	unsigned high = limits.phys_bits > 40 ? 8 : limits.phys_bits - 32;

	if (level != 2 || !(entry & PTE_PS) || !(regs.cr4 & CR4_PSE))
		return 0;
	return (1u << 21) | (0x1fe000u & ~(((1u << high) - 1) << 13));
}

/* SDM 4.4.2, tables 4-8 to 4-11. */
static uint64_t reserved_pae(unsigned level, uint64_t entry)
{
	uint64_t r = beyond() | HIGH_BITS | (nxe() ? 0 : PTE_NX);

	if (level == 3)
		return r | PTE_NX | 0x1c6 |
		       (limits.tcg ? 0 : PTE_A); /* QEMU's translator takes bit 5 for an accessed bit and sets it */
	if (level == 2 && (entry & PTE_PS))
		r |= 0x1fe000;
	return r;
}

/* SDM 4.5.4, tables 4-15 to 4-20. */
static uint64_t reserved_long(unsigned level, uint64_t entry)
{
	uint64_t r = beyond() | (nxe() ? 0 : PTE_NX);

	if (level == 4 || (level == 3 && !limits.page1g))
		r |= PTE_PS;
	else if (level == 3 && (entry & PTE_PS))
		r |= 0x3fffe000;
	else if (level == 2 && (entry & PTE_PS))
		r |= 0x1fe000;
	return r;
}

static uint64_t reserved(unsigned level, uint64_t entry)
{
	switch (model_paging()) {
	case PAGING_LEGACY: return entry & reserved_legacy(level, entry);
	case PAGING_PAE: return entry & reserved_pae(level, entry);
	default: return entry & reserved_long(level, entry);
	}
}

static bool is_leaf(unsigned level, uint64_t entry)
{
	if (level == 1)
		return true;
	if (!(entry & PTE_PS) || level > 3)
		return false;
	if (model_paging() == PAGING_LEGACY)
		return regs.cr4 & CR4_PSE;
	return level == 2 || model_paging() == PAGING_LONG;
}

static unsigned index_shift(unsigned level)
{
	return model_paging() == PAGING_LEGACY ? 2 + 10 * level : 3 + 9 * level;
}

static uint64_t leaf_pa(unsigned level, uint64_t entry, uint64_t va)
{
	uint64_t offset = (1ull << index_shift(level)) - 1;

	if (model_paging() == PAGING_LEGACY && level == 2)
		return (entry & 0xffc00000) | (entry & 0x1fe000) << 19 | (va & offset);
	return (entry & FRAME_MASK & ~offset) | (va & offset);
}

/* SDM 4.6.1. */
static bool permitted(const struct access *a, struct rights r)
{
	if (a->user && !a->implicit)
		return r.user && (!a->write || r.write) && (!a->fetch || !r.nx);
	if (a->fetch)
		return !r.nx && !(r.user && (regs.cr4 & CR4_SMEP));
	if (r.user && (regs.cr4 & CR4_SMAP) && (a->implicit || !a->ac))
		return false;
	return !a->write || r.write || !(regs.cr0 & CR0_WP);
}

/* SDM 4.7; the fetch bit is there with SMEP, or with NXE in modes that have bit 63. */
static uint32_t error_base(const struct access *a)
{
	bool tells_fetch = (regs.cr4 & CR4_SMEP) || (nxe() && (regs.cr4 & CR4_PAE));

	return (a->write ? ERR_W : 0) | (a->user && !a->implicit ? ERR_U : 0) | (a->fetch && tells_fetch ? ERR_I : 0);
}

static void end(struct search *s, bool fault, uint32_t error, uint64_t pa)
{
	struct outcome o = s->path;

	o.fault = fault;
	o.error = fault ? error | error_base(s->a) : 0;
	o.pa = pa;
	for (unsigned i = 0; i < s->count; i++) {
		struct outcome *b = &s->out[i];
		bool same = b->fault == o.fault && b->error == o.error && b->pa == o.pa && b->depth == o.depth && b->wild == o.wild;
		for (unsigned k = 0; same && k < o.depth; k++)
			same = b->at[k] == o.at[k];
		if (same) {
			b->stale |= o.stale; /* accessed and dirty bits may still be cached otherwise */
			return;
		}
	}
	if (s->count == OUTCOMES)
		s->too_many = true;
	else
		s->out[s->count++] = o;
}

static void look_up(struct search *s, unsigned level, uint64_t table, struct rights r);

/* cached: a former value. Those that can't be cached lead nowhere. */
static void follow(struct search *s, unsigned level, uint64_t entry, struct rights r, bool cached)
{
	bool pdpte = model_paging() == PAGING_PAE && level == 3;

	if (!(entry & PTE_P)) {
		if (!cached)
			end(s, true, 0, 0);
		return;
	}
	if (reserved(level, entry)) {
		if (!cached)
			end(s, true, ERR_P | ERR_RSVD, 0);
		return;
	}
	if (!pdpte) {
		r.user = r.user && (entry & PTE_U);
		r.write = r.write && (entry & PTE_W);
		r.nx = r.nx || ((entry & PTE_NX) && model_paging() != PAGING_LEGACY);
	}
	if (!is_leaf(level, entry))
		look_up(s, level - 1, entry & FRAME_MASK, r);
	else if (permitted(s->a, r))
		end(s, false, 0, leaf_pa(level, entry, s->a->va));
	else
		end(s, true, ERR_P, 0);
}

static void look_up(struct search *s, unsigned level, uint64_t table, struct rights r)
{
	const unsigned size = model_entry_size(), bits = size == 4 ? 10 : 9;
	const unsigned depth = s->path.depth;
	const bool stale = s->path.stale;
	const uint64_t at = table + (s->a->va >> index_shift(level) & ((1u << bits) - 1)) * size;
	uint64_t current, value;

	if (table == NOWHERE) { /* reads as ones */
		s->path.at[s->path.depth++] = 0;
		follow(s, level, size == 4 ? 0xffffffff : ~0ull, r, false);
		s->path.depth = depth;
		return;
	}
	if (!model_has(at, size)) {
		s->path.wild = true;
		end(s, true, 0, 0);
		s->path.wild = false;
		return;
	}
	s->path.at[s->path.depth++] = at;
	current = at == supposed_at ? supposed : model_read(at, size, NULL);
	follow(s, level, current, r, false);
	for (unsigned n = 0; !s->too_many && history_get(at, current, s->a->va, n, &value); n++) {
		s->path.stale = true;
		if (!value) /* the history has overflowed */
			s->too_many = true;
		else
			follow(s, level, value, r, true);
	}
	s->path.depth = depth;
	s->path.stale = stale;
}

/* The four PDPTEs are in registers (SDM 4.4.1); AMD's CPUs may read them from memory at each walk (APM vol. 2, 5.3.2). */
static void look_up_pdpte(struct search *s, struct rights r)
{
	unsigned i = s->a->va >> 30 & 3;
	uint64_t at = (regs.cr3 & 0xffffffe0) + i * 8, value = model_read(at, 8, NULL);

	s->path.at[s->path.depth++] = limits.tcg ? at : 0; /* it has an accessed bit there alone */
	if (limits.amd && value != regs.pdpte[i])
		follow(s, 3, value, r, false);
	follow(s, 3, regs.pdpte[i], r, false);
}

unsigned model_walk(const struct access *a, struct outcome out[OUTCOMES])
{
	struct access narrow = *a;
	struct search s = { .a = &narrow, .out = out };
	const struct rights all = { true, true, false };

	if (model_paging() != PAGING_LONG)
		narrow.va &= 0xffffffff;
	if (model_paging() == PAGING_OFF) {
		end(&s, false, 0, narrow.va);
	} else if (narrow.va >= POOL && narrow.va < POOL + POOL_SIZE) { /* HOME's view of the pool */
		if (permitted(a, (struct rights){ false, true, false }))
			end(&s, false, 0, narrow.va);
		else
			end(&s, true, ERR_P, 0);
	} else if (model_paging() == PAGING_PAE) {
		look_up_pdpte(&s, all);
	} else {
		look_up(&s, model_paging() == PAGING_LEGACY ? 2 : 4, regs.cr3 & FRAME_MASK, all);
	}
	return s.too_many ? 0 : s.count;
}

bool model_load_pdptes(struct registers *r)
{
	for (unsigned i = 0; i < 4; i++) {
		uint64_t e = model_read((r->cr3 & 0xffffffe0) + i * 8, 8, NULL);
		if ((e & PTE_P) && (e & reserved_pae(3, e)))
			return false;
		r->pdpte[i] = e;
	}
	return true;
}
