/* Shadow paging: guest tables in and out of sync. */
#include "mm/shadow_priv.h"

#include <string.h>

#define IDLE_SYNCS 8 /* a table that is rewritten this often, and never met by a fault, is no table any more */

void shadow_unsync(struct shadow *sh, uint64_t gfn)
{
	struct guest_frame *f = shadow_frame(sh, gfn);

	for (uint32_t n = shadow_find(sh, gfn, 0); n && f->tables; n = shadow_find(sh, gfn, n)) {
		struct shadow_page *sp = &sh->page[n];

		if (sp->unsync)
			continue;
		sp->unsync = true;
		f->tables--;
		sh->counts.unsyncs++;
		if (sp->unsync_listed)
			continue;
		sp->unsync_listed = true;
		sp->unsync_next = sh->unsync;
		sh->unsync = n;
	}
}

void shadow_written(struct shadow *sh, uint64_t gpa, uint64_t len)
{
	uint64_t last = (gpa + len - 1) >> PAGE_SHIFT;

	for (uint64_t gfn = gpa >> PAGE_SHIFT; gfn <= last; gfn++) {
		struct guest_frame *f = shadow_frame(sh, gfn);

		if (f && f->tables)
			shadow_unsync(sh, gfn);
	}
}

/* The guest's entry g, seen now, against what (n, index) holds. */
static void sync_entry(struct shadow *sh, uint32_t n, unsigned index, uint64_t g)
{
	struct shadow_page *sp = &sh->page[n];
	uint64_t spte = table_of(sh, n)[index], fresh;
	struct target t = shadow_target(sh, sp, index, g);

	if (!t.present) {
		shadow_set(sh, n, index, 0);
	} else if (!t.leaf) {
		const struct shadow_page *child = &sh->page[child_of(sh, spte)];

		if (child->gfn != t.gfn || memcmp(&child->role, &t.role, sizeof(t.role)))
			shadow_set(sh, n, index, 0);
	} else {
		fresh = shadow_leaf(sh, &sp->role, &t, false);
		if ((spte ^ fresh) & ~(SPTE_A | SPTE_D)) {
			shadow_set(sh, n, index, fresh);
			*sh->stale = true; /* new rights too: only at a fault has the CPU dropped what it had by itself */
		}
	}
}

/* The part of a guest's table that a shadow table stands for. */
static const uint64_t *read_entries(struct shadow *sh, const struct shadow_page *sp)
{
	static uint64_t g[512];
	uint64_t gpa = sp->gfn << PAGE_SHIFT;
	uint32_t g32[512];
	unsigned count = 512, shift = 0;

	if (sp->role.format != SHADOW_LEGACY32) {
		guest_mem_read(sh->mem, gpa, g, sizeof(g));
		return g;
	}
	if (sp->role.level == 2) {
		count = 256;
		shift = 1;
	}
	guest_mem_read(sh->mem, gpa + sp->role.quadrant * count * 4, g32, count * 4);
	for (unsigned i = 0; i < 512; i++)
		g[i] = g32[i >> shift];
	return g;
}

static void sync_table(struct shadow *sh, uint32_t n)
{
	const uint64_t *table = table_of(sh, n), *g = read_entries(sh, &sh->page[n]);

	for (unsigned i = 0; i < 512; i++)
		if (table[i])
			sync_entry(sh, n, i, g[i]);
	sh->counts.syncs++;
}

void shadow_sync_all(struct shadow *sh)
{
	while (sh->unsync) {
		uint32_t n = sh->unsync;
		struct shadow_page *sp = &sh->page[n];
		struct guest_frame *f;

		sh->unsync = sp->unsync_next;
		sp->unsync_listed = false;
		if (!sp->used || !sp->unsync)
			continue;
		if (n != sh->root && ++sp->idle > IDLE_SYNCS) {
			shadow_zap(sh, n);
			continue;
		}
		/* Protected before it is read. */
		sp->unsync = false;
		f = shadow_frame(sh, sp->gfn);
		if (!f->tables++)
			shadow_write_protect(sh, f);
		sync_table(sh, n);
	}
}

/* One entry; of a 4 MiB page both halves. */
static void sync_place(struct shadow *sh, uint32_t n, unsigned index)
{
	const struct shadow_page *sp = &sh->page[n];
	unsigned other = sp->role.format == SHADOW_LEGACY32 && sp->role.level == 2 ? index ^ 1 : index;
	const uint64_t *table = table_of(sh, n), *g = read_entries(sh, sp);

	if (table[index])
		sync_entry(sh, n, index, g[index]);
	if (table[other])
		sync_entry(sh, n, other, g[other]);
}

/*
 * Only the entries on the way to va: what others hold may stay, as translations in a TLB may (SDM vol. 3, 4.10.4.1). The upper ones
 * are looked at as well, and whenever a fault goes through them, so nothing new is made from an old one.
 */
void shadow_invlpg(struct shadow *sh, uint64_t va)
{
	uint32_t n = sh->root;
	unsigned level = n ? 4 : 3, index = n ? (va >> 39 & 511) : 4 + (va >> 30 & 3);

	for (;;) {
		struct shadow_page *sp = &sh->page[n];
		uint64_t spte;

		if (sp->unsync)
			sync_place(sh, n, index);
		spte = table_of(sh, n)[index];
		if (level == 1 || !(spte & SPTE_P))
			return;
		n = child_of(sh, spte);
		level--;
		index = (va >> (12 + 9 * (level - 1))) & 511;
	}
}
