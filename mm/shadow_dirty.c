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

/* A leaf of this region for a table that has none yet, or of another region. */
static void track_first(struct shadow *sh, uint32_t n, uint64_t region)
{
	struct shadow_page *sp = &sh->page[n];

	if (!sp->tracked++) {
		sp->region = region;
		list_add(sh, n);
	} else if (sp->region != REGION_MIXED) {
		list_remove(sh, n);
		sp->region = REGION_MIXED;
		list_add(sh, n);
	}
}

static inline void track(struct shadow *sh, uint32_t n, uint64_t region)
{
	struct shadow_page *sp = &sh->page[n];

	if (sp->tracked && sp->region == region)
		sp->tracked++;
	else
		track_first(sh, n, region);
}

static inline void untrack(struct shadow *sh, uint32_t n)
{
	if (!--sh->page[n].tracked)
		list_remove(sh, n);
}

void shadow_tracked_leaf(struct shadow *sh, uint32_t n, uint64_t spte, bool add)
{
	if (add)
		track(sh, n, shadow_gfn(sh, spte) >> 9);
	else
		untrack(sh, n);
}

/* ---- the source */

/* The frames of [gfn, end) that lie together from gfn on: their number, and the first in *f; 0 where there is no RAM. */
static uint64_t run_of_frames(struct shadow *sh, uint64_t gfn, uint64_t end, struct guest_frame **f)
{
	uint64_t slot_end;

	*f = shadow_frame(sh, gfn);
	if (!*f)
		return 0;
	slot_end = (sh->last_slot->gpa + sh->last_slot->len) >> PAGE_SHIFT;
	return (slot_end < end ? slot_end : end) - gfn;
}

static int shadow_begin(struct dirty *d, uint64_t gfn, uint64_t count)
{
	struct shadow *sh = d->arg;
	struct guest_frame *f;
	uint64_t end = gfn + count, n;

	for (uint64_t g = gfn; g < end; g += n) {
		n = run_of_frames(sh, g, end, &f);
		if (!n)
			return -EFAULT;
	}
	for (uint64_t g = gfn; g < end; g += n) {
		n = run_of_frames(sh, g, end, &f);
		for (uint64_t i = 0; i < n; i++, f++) {
			if (f->tracked)
				continue; /* by another range: its D bits are not ours to clear */
			f->tracked = true;
			for (spte_id id = f->rmap; id; id = sh->links[id].next) {
				uint64_t *at = entry_of(sh, id);

				/* A D that is set meanwhile may be lost: all pages begin dirty. */
				__atomic_store_n(at, (*at & ~SPTE_D) | SPTE_TRACKED, __ATOMIC_RELAXED);
				track(sh, ID_TABLE(id), (g + i) >> 9);
			}
		}
	}
	*sh->stale = true;
	return 0;
}

static void shadow_end(struct dirty *d, uint64_t gfn, uint64_t count)
{
	struct shadow *sh = d->arg;
	struct guest_frame *f;
	uint64_t end = gfn + count, n;

	for (uint64_t g = gfn; g < end; g += n ? n : 1) {
		n = run_of_frames(sh, g, end, &f);
		for (uint64_t i = 0; i < n; i++, f++) {
			f->tracked = false;
			for (spte_id id = f->rmap; id; id = sh->links[id].next) {
				uint64_t *at = entry_of(sh, id);

				untrack(sh, ID_TABLE(id));
				__atomic_store_n(at, (*at & ~SPTE_TRACKED) | SPTE_D, __ATOMIC_RELAXED);
			}
		}
	}
}

/* Whether any entry that points to the table has A. */
static inline bool accessed(const struct shadow *sh, const struct shadow_page *sp)
{
	uint64_t any = sp->touched ? SPTE_A : 0;

	for (spte_id id = sp->parents; id; id = sh->links[id].next)
		any |= *entry_of(sh, id);
	return any & SPTE_A;
}

/* Takes D from the 64 leaves at `table`, and notes the frames of those that had it: most often a run. */
static void harvest_leaves(struct shadow *sh, uint64_t *table)
{
	const uint64_t want = SPTE_TRACKED | SPTE_D;
	uint64_t first = 0, limit = 0, gfn = 0, word = 0;

	for (unsigned i = 0; i < 64; i++) {
		uint64_t spte = table[i], hpa = spte & PT_ADDR_MASK, at;

		if ((spte & want) != want)
			continue;
		__atomic_fetch_and(&table[i], ~SPTE_D, __ATOMIC_SEQ_CST);
		at = (hpa - first) >> PAGE_SHIFT;
		if (!word || at >= 64 || hpa >= limit) {
			if (word)
				dirty_note_word(sh->dirty, gfn, word);
			word = at = 0;
			gfn = shadow_gfn(sh, spte);
			first = hpa;
			limit = sh->last_slot->hpa + sh->last_slot->len;
		}
		word |= 1ull << at;
	}
	if (word)
		dirty_note_word(sh->dirty, gfn, word);
}

/* A first, then D: a write that comes between sets D in time, or A again. */
static void harvest_table(struct shadow *sh, uint32_t n)
{
	struct shadow_page *sp = &sh->page[n];
	uint64_t *table = table_of(sh, n);

	for (spte_id id = sp->parents; id; id = sh->links[id].next)
		__atomic_fetch_and(entry_of(sh, id), ~SPTE_A, __ATOMIC_SEQ_CST);
	sp->touched = false;
	*sh->stale = true;
	for (unsigned i = 0; i < 512; i += 64)
		harvest_leaves(sh, table + i);
}

static void shadow_harvest(struct dirty *d, uint64_t gfn, uint64_t count)
{
	struct shadow *sh = d->arg;

	for (uint64_t region = gfn >> 9, last = (gfn + count - 1) >> 9; region <= last; region++)
		for (uint32_t n = sh->bucket[region % SHADOW_BUCKETS]; n; n = sh->page[n].tracked_next)
			if (sh->page[n].region == region && accessed(sh, &sh->page[n]))
				harvest_table(sh, n);
	for (uint32_t n = sh->bucket[SHADOW_BUCKETS]; n; n = sh->page[n].tracked_next)
		if (accessed(sh, &sh->page[n]))
			harvest_table(sh, n);
}

const struct dirty_source shadow_dirty_source = {
	.name = "shadow",
	.begin = shadow_begin,
	.end = shadow_end,
	.harvest = shadow_harvest,
};
