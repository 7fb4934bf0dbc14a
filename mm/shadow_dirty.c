/*
 * The dirty source of shadow paging: D bits of the leaves that map a range's frames. Which leaves these are is known from the
 * frames' chains when a range begins, and from then on by every change of an entry (shadow_set); nothing is ever searched for.
 * Leaves of other frames have D set all the time.
 *
 * A table that has had leaves of ranges is watched. It is open, or all entries that point to it lack W and its leaves of ranges
 * lack D: then nothing below can be written before a page fault (shadow_fault.c) that opens it (SDM vol. 3, 4.6: W counts at every
 * level, CR0.WP is set here). A harvest looks at the open tables, whatever their frames, and closes them. So it costs what was
 * written since the last one, not what is tracked; the price is a fault for each 2 MiB that is written between two harvests.
 */
#include "mm/shadow_priv.h"

#include <errno.h>

#include "mm/dirty.h"

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
	const struct link *links = sh->links;
	const struct shadow_page *page = sh->page;
	struct guest_frame *f;
	uint64_t end = gfn + count, n, *entries = entry_of(sh, 0);

	for (uint64_t g = gfn; g < end; g += n) {
		n = run_of_frames(sh, g, end, &f);
		if (!n)
			return -EFAULT;
	}
	for (uint64_t g = gfn; g < end; g += n) {
		n = run_of_frames(sh, g, end, &f);
		for (struct guest_frame *last = f + n; f < last; f++) {
			if (f->tracked)
				continue; /* by another range: its D bits are not ours to clear */
			f->tracked = true;
			for (spte_id id = f->rmap; id; id = links[id].next) {
				entries[id] ^= SPTE_D | SPTE_TRACKED;
				if (__builtin_expect(!page[ID_TABLE(id)].watched, 0))
					shadow_watch(sh, ID_TABLE(id));
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
		for (struct guest_frame *last = f + n; f < last; f++) {
			f->tracked = false;
			for (spte_id id = f->rmap; id; id = sh->links[id].next)
				*entry_of(sh, id) = (*entry_of(sh, id) & ~SPTE_TRACKED) | SPTE_D;
		}
	}
}

static __attribute__((noinline)) void next_run(struct shadow *sh, struct dirty_run *run, uint64_t page)
{
	const struct mem_slot *s = shadow_slot(sh, page << PAGE_SHIFT);
	uint64_t at = page - (s->hpa >> PAGE_SHIFT);

	dirty_run_next(sh->dirty, run, page, (s->len >> PAGE_SHIFT) - at, (s->gpa >> PAGE_SHIFT) + at);
	(void)dirty_run_add(run, page);
}

/* Closes the table first, then takes D: a write that comes between sets D in time, or faults. */
static void harvest_table(struct shadow *sh, uint32_t n)
{
	const uint64_t want = SPTE_TRACKED | SPTE_D;
	struct dirty_run run = { 0 };
	uint64_t seen = 0;

	for (spte_id id = sh->page[n].parents; id; id = sh->links[id].next)
		__atomic_fetch_and(entry_of(sh, id), ~SPTE_W, __ATOMIC_SEQ_CST);
	*sh->stale = true;
	for (uint64_t *e = table_of(sh, n), *end = e + 512; e < end; e += 8) {
		uint64_t any = e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7];

		seen |= any;
		if ((any & want) != want)
			continue;
		for (unsigned i = 0; i < 8; i++) {
			uint64_t spte = e[i], page = (spte & PT_ADDR_MASK) >> PAGE_SHIFT;

			if ((spte & want) != want)
				continue;
			__atomic_fetch_and(&e[i], ~SPTE_D, __ATOMIC_SEQ_CST);
			if (!dirty_run_add(&run, page))
				next_run(sh, &run, page);
		}
	}
	dirty_run_next(sh->dirty, &run, 0, 0, 0);
	sh->page[n].watched = seen & SPTE_TRACKED;
}

static bool shadow_harvest(struct dirty *d, uint64_t gfn, uint64_t count)
{
	struct shadow *sh = d->arg;

	(void)gfn;
	(void)count;
	while (sh->open) {
		uint32_t n = sh->open;

		sh->open = sh->page[n].open_next;
		sh->page[n].open = false;
		if (sh->page[n].watched)
			harvest_table(sh, n);
	}
	return false;
}

const struct dirty_source shadow_dirty_source = {
	.name = "shadow",
	.begin = shadow_begin,
	.end = shadow_end,
	.harvest = shadow_harvest,
};
