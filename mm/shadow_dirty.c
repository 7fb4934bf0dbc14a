/*
 * The dirty source of shadow paging: D bits of the leaves that map a range's frames. Which leaves these are is known from the
 * frames' chains when a range begins, and from then on by every change of an entry (shadow_set); nothing is ever searched for.
 *
 * A harvest looks only at tables that have such leaves, and at their leaves only where an entry that points to the table has A set:
 * the CPU sets A before it uses the entry, and after each harvest that cleared one the guest runs only behind a flush. So with A
 * clear nothing below can have been written since.
 */
#include "mm/shadow_priv.h"

#include <errno.h>

#include "mm/dirty.h"

void shadow_note(struct shadow *sh, uint64_t spte)
{
	if (sh->dirty)
		dirty_note(sh->dirty, shadow_gfn(sh, spte));
}

/* ---- which tables have leaves of ranges */

static uint32_t *bucket_of(struct shadow *sh, uint64_t region)
{
	return &sh->bucket[region == REGION_MIXED ? SHADOW_BUCKETS : region % SHADOW_BUCKETS];
}

static void list_add(struct shadow *sh, uint32_t n)
{
	struct shadow_page *sp = &sh->page[n];
	uint32_t *head = bucket_of(sh, sp->region);

	sp->tracked_prev = 0;
	sp->tracked_next = *head;
	if (*head)
		sh->page[*head].tracked_prev = n;
	*head = n;
}

static void list_remove(struct shadow *sh, uint32_t n)
{
	struct shadow_page *sp = &sh->page[n];

	*(sp->tracked_prev ? &sh->page[sp->tracked_prev].tracked_next : bucket_of(sh, sp->region)) = sp->tracked_next;
	if (sp->tracked_next)
		sh->page[sp->tracked_next].tracked_prev = sp->tracked_prev;
}

void shadow_tracked_leaf(struct shadow *sh, uint32_t n, uint64_t spte, bool add)
{
	struct shadow_page *sp = &sh->page[n];
	uint64_t region;

	if (!add) {
		if (!--sp->tracked)
			list_remove(sh, n);
		return;
	}
	region = shadow_gfn(sh, spte) >> 9;
	if (!sp->tracked++) {
		sp->region = region;
		list_add(sh, n);
	} else if (sp->region != region && sp->region != REGION_MIXED) {
		list_remove(sh, n);
		sp->region = REGION_MIXED;
		list_add(sh, n);
	}
}

/* ---- the source */

static int shadow_begin(struct dirty *d, uint64_t gfn, uint64_t count)
{
	struct shadow *sh = d->arg;

	for (uint64_t g = gfn; g < gfn + count; g++)
		if (!shadow_frame(sh, g))
			return -EFAULT;
	for (uint64_t g = gfn; g < gfn + count; g++) {
		struct guest_frame *f = shadow_frame(sh, g);

		if (f->tracked)
			continue; /* by another range: its D bits are not ours to clear */
		f->tracked = true;
		for (spte_id id = f->rmap; id; id = sh->links[id].next) {
			uint64_t *at = &table_of(sh, ID_TABLE(id))[ID_INDEX(id)];

			__atomic_store_n(at, (*at & ~SPTE_D) | SPTE_TRACKED, __ATOMIC_SEQ_CST); /* all pages begin dirty */
			shadow_tracked_leaf(sh, ID_TABLE(id), *at, true);
			*sh->stale = true;
		}
	}
	return 0;
}

static void shadow_end(struct dirty *d, uint64_t gfn, uint64_t count)
{
	struct shadow *sh = d->arg;

	for (uint64_t g = gfn; g < gfn + count; g++) {
		struct guest_frame *f = shadow_frame(sh, g);

		if (!f)
			continue;
		f->tracked = false;
		for (spte_id id = f->rmap; id; id = sh->links[id].next) {
			uint64_t *at = &table_of(sh, ID_TABLE(id))[ID_INDEX(id)];

			shadow_tracked_leaf(sh, ID_TABLE(id), *at, false);
			__atomic_store_n(at, (*at & ~SPTE_TRACKED) | SPTE_D, __ATOMIC_SEQ_CST);
		}
	}
}

/* Clears A in all entries that point to the table; whether any had it. */
static bool take_accessed(struct shadow *sh, struct shadow_page *sp)
{
	bool any = sp->touched;

	for (spte_id id = sp->parents; id; id = sh->links[id].next) {
		uint64_t *at = &table_of(sh, ID_TABLE(id))[ID_INDEX(id)];

		if (*at & SPTE_A) {
			__atomic_fetch_and(at, ~SPTE_A, __ATOMIC_SEQ_CST);
			any = *sh->stale = true;
		}
	}
	sp->touched = false;
	return any;
}

/* A first, then D: a write that comes between sets D in time, or A again. */
static void harvest_table(struct shadow *sh, uint32_t n)
{
	const uint64_t want = SPTE_TRACKED | SPTE_D;
	uint64_t *table = table_of(sh, n);

	if (!take_accessed(sh, &sh->page[n]))
		return;
	for (unsigned i = 0; i < 512; i++)
		if ((table[i] & want) == want) {
			__atomic_fetch_and(&table[i], ~SPTE_D, __ATOMIC_SEQ_CST);
			*sh->stale = true;
			shadow_note(sh, table[i]);
		}
}

static void shadow_harvest(struct dirty *d, uint64_t gfn, uint64_t count)
{
	struct shadow *sh = d->arg;

	for (uint64_t region = gfn >> 9; region <= (gfn + count - 1) >> 9; region++)
		for (uint32_t n = sh->bucket[region % SHADOW_BUCKETS]; n; n = sh->page[n].tracked_next)
			if (sh->page[n].region == region)
				harvest_table(sh, n);
	for (uint32_t n = sh->bucket[SHADOW_BUCKETS]; n; n = sh->page[n].tracked_next)
		harvest_table(sh, n);
}

const struct dirty_source shadow_dirty_source = {
	.name = "shadow",
	.begin = shadow_begin,
	.end = shadow_end,
	.harvest = shadow_harvest,
};
