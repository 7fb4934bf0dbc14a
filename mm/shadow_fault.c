/* Shadow paging: what a guest entry becomes, and page faults. */
#include "mm/shadow_priv.h"

#include <string.h>

/* ---- from a guest entry to a shadow entry */

static unsigned entry_access(const struct walk_mode *m, uint64_t g)
{
	return (g & SPTE_W ? ACC_W : 0) | (g & SPTE_U ? ACC_U : 0) | (m->format->nx && (g & m->format->nx) ? 0 : ACC_X);
}

static const struct pt_format *const formats[] = {
	[SHADOW_DIRECT] = NULL,
	[SHADOW_LEGACY32] = &pt_legacy32,
	[SHADOW_PAE] = &pt_pae,
	[SHADOW_LONG4] = &pt_long4,
};

/* The guest's paging mode as far as it gives entries of this table their meaning. */
static struct walk_mode mode_of(const struct shadow *sh, const struct role *role)
{
	return (struct walk_mode){ .format = formats[role->format],
				   .nxe = role->nxe,
				   .pse = role->pse,
				   .phys_bits = sh->mode.phys_bits,
				   .page1g = sh->mode.page1g };
}

static struct role role_of(const struct walk_mode *m)
{
	const struct pt_format *f = m->format;

	return (struct role){
		.format = !f		      ? SHADOW_DIRECT
			  : f == &pt_legacy32 ? SHADOW_LEGACY32
			  : f == &pt_pae      ? SHADOW_PAE
					      : SHADOW_LONG4,
		.access = ACC_ALL,
		.nxe = f && m->nxe,
		.pse = m->pse && f == &pt_legacy32,
		.wp0 = f && !m->wp,
		.smep = f && !m->wp && m->smep,
		.smap = f && !m->wp && m->smap,
	};
}

/* Memory that a large guest page, or none, maps in one piece: only rights and cache bits matter below. */
static struct role direct_role(const struct role *above, unsigned level, unsigned access, unsigned cache, bool dirty)
{
	return (struct role){ .level = (uint8_t)level,
			      .format = SHADOW_DIRECT,
			      .access = (uint8_t)access,
			      .cache = (uint8_t)cache,
			      .wp0 = above->wp0,
			      .smep = above->smep,
			      .smap = above->smap,
			      .clean = above->wp0 && !dirty };
}

/* PAT, PCD and PWT of a leaf; PAT is bit 12 of a large one (SDM vol. 3, 4.9.2). */
static unsigned cache_bits(uint64_t g, bool large)
{
	return (unsigned)((g >> (large ? 12 : 7) & 1) << 2 | (g >> 3 & 3));
}

/* Below a table that maps memory in one piece. */
static struct target direct_target(const struct shadow_page *sp, unsigned index)
{
	struct target t = { .present = true,
			    .leaf = sp->role.level == 1,
			    .access = sp->role.access,
			    .cache = sp->role.cache,
			    .dirty = !sp->role.clean };

	t.gfn = sp->gfn + ((uint64_t)index << 9 * (sp->role.level - 1));
	t.role = direct_role(&sp->role, sp->role.level - 1u, t.access, t.cache, t.dirty);
	return t;
}

struct target shadow_target(const struct shadow *sh, const struct shadow_page *sp, unsigned index, uint64_t g)
{
	struct target t = { .present = false };
	struct walk_mode m;
	unsigned level = sp->role.level;
	bool leaf, pdpte = sp->role.format == SHADOW_PAE && level == 3;

	if (sp == &sh->page[0])
		index &= 3;
	if (sp->role.format == SHADOW_DIRECT)
		return direct_target(sp, index);
	if (sp->role.format == SHADOW_LEGACY32 && level == 3) { /* the guest has no such level: four parts of one directory */
		t = (struct target){ .present = true, .gfn = sp->gfn, .role = sp->role };
		t.role.level = 2;
		t.role.quadrant = (uint8_t)index;
		return t;
	}
	m = mode_of(sh, &sp->role);
	if (!(g & 1) || (!pdpte && !(g & m.format->accessed)) || walk_reserved(&m, level, g))
		return t;
	leaf = walk_is_leaf(&m, level, g);
	t.present = true;
	t.leaf = level == 1;
	t.access = pdpte ? ACC_ALL : sp->role.access & entry_access(&m, g);
	if (!leaf) {
		t.gfn = walk_next_table(&m, g) >> PAGE_SHIFT;
		t.role = sp->role;
		t.role.level--;
		t.role.access = (uint8_t)t.access;
		t.role.quadrant = sp->role.format == SHADOW_LEGACY32 ? index & 1 : 0;
		return t;
	}
	t.dirty = g & m.format->dirty;
	t.cache = cache_bits(g, level > 1);
	t.gfn = walk_leaf_address(&m, level, g, 0) >> PAGE_SHIFT;
	if (level == 1)
		return t;
	if (sp->role.format == SHADOW_LEGACY32) /* 4 MiB are two entries of 2 MiB here */
		t.gfn += (index & 1) * 512u;
	if (!t.dirty)
		t.access &= ~ACC_W; /* until a write has set D */
	t.role = direct_role(&sp->role, level - 1, t.access, t.cache, t.dirty);
	return t;
}

/*
 * The shadow runs with CR0.WP set, so that protection holds against the supervisor too. For a guest that has WP clear, a page that
 * users may only read is either that, or, after the supervisor's write, the supervisor's alone, until a user's access turns it
 * back. While it is the supervisor's, SMEP must still see it as a user page: it cannot be run.
 */
uint64_t shadow_leaf(struct shadow *sh, const struct role *role, const struct target *t, bool kernel_write)
{
	struct guest_frame *f = shadow_frame(sh, t->gfn);
	const struct mem_slot *s = sh->last_slot;
	uint64_t spte;
	bool writable = t->access & ACC_W, user = t->access & ACC_U, run = t->access & ACC_X;

	if (!f)
		return 0;
	if (role->wp0 && !writable && (!user || kernel_write)) {
		writable = true;
		run &= !(user && role->smep);
		user = false;
	}
	spte = (s->hpa + ((t->gfn << PAGE_SHIFT) - s->gpa)) | SPTE_P | sh->memory_type[t->cache];
	spte |= (user ? SPTE_U : 0) | (run ? 0 : SPTE_NX) | (f->tracked ? SPTE_TRACKED : SPTE_D) | SPTE_A;
	if (writable && t->dirty && !f->tables)
		spte |= SPTE_W;
	return spte;
}

/* ---- page faults */

static unsigned va_index(unsigned level, uint64_t va)
{
	return (unsigned)(va >> (12 + 9 * (level - 1))) & 511;
}

/* All pages of a large guest page's 2 MiB: a guest that uses large pages uses more than one page of them. */
static void fill_direct(struct shadow *sh, uint32_t n)
{
	struct shadow_page *sp = &sh->page[n];

	for (unsigned i = 0; i < 512; i++) {
		struct target t = direct_target(sp, i);

		shadow_set(sh, n, i, shadow_leaf(sh, &sp->role, &t, false));
	}
}

/*
 * The table below (n, index), made and linked (*changed) where it is not yet what the guest's entry g says, and open for a write.
 * 0: g is not usable.
 */
static uint32_t descend(struct shadow *sh, uint32_t n, unsigned index, uint64_t g, bool write, bool *changed)
{
	struct target t = shadow_target(sh, &sh->page[n], index, g);
	uint64_t *at = &table_of(sh, n)[index], spte = *at;
	uint32_t child;

	/* A table in nowhere has no entries to follow: PDPTEs are taken without a look at what they point to. */
	if (!t.present || (t.role.format != SHADOW_DIRECT && !shadow_frame(sh, t.gfn)))
		return 0;
	child = shadow_get(sh, t.gfn, t.role);
	if (t.role.format == SHADOW_DIRECT && t.role.level == 1 && !sh->page[child].filled) {
		sh->page[child].filled = true;
		fill_direct(sh, child);
	}
	if (!(spte & SPTE_P) || child_of(sh, spte) != child) {
		/* It may hold, or lead to, what the guest flushed for this address while it was reached by another way. */
		if (sh->page[child].present)
			shadow_sync_all(sh);
		*changed = true;
		shadow_set(sh, n, index, 0);
		/* In a PDPTE all but P is reserved (SDM vol. 3, table 4-8). */
		shadow_set(sh, n, index, table_hpa(sh, child) | SPTE_P | (n ? SPTE_W | SPTE_U : 0));
	} else if (write && n && !(spte & SPTE_W)) { /* a harvest closed it */
		*changed = true;
		__atomic_fetch_or(at, SPTE_W, __ATOMIC_SEQ_CST);
	} else {
		return child;
	}
	if (sh->page[child].watched)
		shadow_open(sh, child);
	return child;
}

/* Whether the supervisor's write at WP = 0 is allowed by that alone. */
static bool kernel_write(const struct role *role, const struct walk_access *a, const struct target *t)
{
	return role->wp0 && a->write && (!a->user || a->implicit) && !(t->access & ACC_W) && (t->access & ACC_U);
}

static enum shadow_result map(struct shadow *sh, uint64_t va, struct walk_access a, const struct walk_result *r)
{
	uint32_t n = sh->root;
	unsigned level = n ? 4 : 3, index = n ? va_index(4, va) : 4 + (va >> 30 & 3);
	struct guest_frame *f;
	struct target t;
	uint64_t spte, old;
	bool changed = false;

	for (; level > 1; index = va_index(--level, va)) {
		n = descend(sh, n, index, r->entry[level], a.write, &changed);
		if (!n)
			return SHADOW_STRANGE;
	}
	t = shadow_target(sh, &sh->page[n], index, r->entry[1]);
	f = shadow_frame(sh, t.gfn);
	if (!t.present || !f)
		return SHADOW_DEVICE;
	if (a.write && f->tables)
		shadow_unsync(sh, t.gfn);
	if (kernel_write(&sh->page[n].role, &a, &t) && sh->page[n].role.smap)
		return SHADOW_EMULATE; /* no entry is the supervisor's alone and yet under SMAP */
	spte = shadow_leaf(sh, &sh->page[n].role, &t, kernel_write(&sh->page[n].role, &a, &t));
	old = table_of(sh, n)[index];
	if (!((old ^ spte) & ~(SPTE_A | SPTE_D)))
		return changed ? SHADOW_FIXED : SHADOW_STRANGE;
	shadow_set(sh, n, index, spte);
	return SHADOW_FIXED;
}

enum shadow_result shadow_fault(struct shadow *sh, const struct walk_mode *m, uint64_t va, uint32_t error, struct walk_access a,
				struct walk_result *r)
{
	struct walk_mem mem = guest_mem_tables(sh->mem);
	enum shadow_result result;
	int e;

	*r = (struct walk_result){ 0 };
	e = guest_walk(m, &mem, va, a, true, r);
	sh->counts.faults++;
	if (e) {
		sh->strange_va = STRANGE_NONE;
		if (e < 0) /* tables in nowhere read as ones on a PC: present, with reserved bits */
			r->error |= PF_P | PF_RSVD;
		return SHADOW_FAULT;
	}
	if (m->format != &pt_long4)
		va &= 0xffffffff;
	result = map(sh, va, a, r);
	/*
	 * The entry allows it, and yet there was a fault with P: a stale translation with fewer rights, which the flush that the
	 * caller now makes ends. If the same comes again at once, it is SMAP, which AC lifts for explicit accesses only: this one
	 * was implicit, which no error code tells (SDM vol. 3, 4.6.1).
	 */
	if (result != SHADOW_STRANGE || !(error & PF_P) || va != sh->strange_va) {
		sh->strange_va = result == SHADOW_STRANGE ? va : STRANGE_NONE;
		return result;
	}
	if (m->smap && m->ac && !a.user && !a.fetch) {
		a.implicit = true;
		if (guest_walk(m, &mem, va, a, true, r) == 1)
			return SHADOW_FAULT;
	}
	return result;
}

/* ---- roots */

static void make_pae_root(struct shadow *sh, const struct walk_mode *m)
{
	struct role role = role_of(m);
	bool changed;
	uint64_t g;

	role.level = 3;
	sh->root = 0;
	sh->page[0].gfn = m->format ? m->root >> PAGE_SHIFT : 0;
	sh->page[0].role = role;
	for (unsigned i = 0; i < 4; i++) {
		g = 0;
		if (m->format == &pt_pae && m->pdpte)
			g = m->pdpte[i];
		else if (m->format == &pt_pae && guest_mem_read(sh->mem, m->root + 8 * i, &g, 8))
			g = 0;
		if (!descend(sh, 0, 4 + i, g, false, &changed))
			shadow_set(sh, 0, 4 + i, 0);
	}
}

bool shadow_unmark_pae_root(struct shadow *sh)
{
	uint64_t *pdpte = table_of(sh, 0) + 4, marked = 0;

	for (unsigned i = 0; i < 4; i++) {
		marked |= pdpte[i] & SPTE_A;
		pdpte[i] &= ~SPTE_A;
	}
	return marked;
}

uint64_t shadow_root(struct shadow *sh, const struct walk_mode *m)
{
	struct role role = role_of(m);

	sh->counts.roots++;
	sh->mode = *m;
	shadow_sync_all(sh);
	if (m->format != &pt_long4) {
		make_pae_root(sh, m);
		return table_hpa(sh, 0) + 32;
	}
	if (!guest_mem_slot(sh->mem, m->root)) { /* a table in nowhere: an empty root, every access faults */
		role.format = SHADOW_DIRECT;
		role.access = 0;
	}
	role.level = 4;
	sh->root = shadow_get(sh, m->root >> PAGE_SHIFT, role);
	return table_hpa(sh, sh->root);
}
