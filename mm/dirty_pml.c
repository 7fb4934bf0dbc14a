/* The log of the pml source: pages that the CPU fills, and their way to the bitmaps. */
#include "mm/dirty.h"
#include "mm/layout.h"

/* Entries next to each other often are of pages next to each other: noted by words. */
static void drain(struct dirty *d, const uint64_t *entry, const uint64_t *end)
{
	uint64_t at = 0, word = 0;

	for (; entry < end; entry++) {
		uint64_t gfn = *entry >> PAGE_SHIFT;

		if ((gfn ^ at) >= 64) {
			if (word)
				dirty_note_word(d, at, word);
			at = gfn & ~63ull;
			word = 0;
		}
		word |= 1ull << gfn % 64;
	}
	if (word)
		dirty_note_word(d, at, word);
}

static void drain_full(struct dirty *d)
{
	for (unsigned i = 0; i < d->log->full; i++)
		drain(d, d->log->page[i], d->log->page[i] + DIRTY_LOG_ENTRIES);
	d->log->full = 0;
}

void dirty_log_full(struct dirty *d)
{
	if (++d->log->full == DIRTY_LOG_PAGES)
		drain_full(d);
	d->log->load(d->log->arg, d->log->page[d->log->full]);
}

/* All pages; of the CPU's, the entries from `used` on. Apart, so that a query with none is short. */
static __attribute__((noinline)) void drain_all(struct dirty *d, unsigned used)
{
	const uint64_t *page = d->log->page[d->log->full];

	drain(d, page + used, page + DIRTY_LOG_ENTRIES);
	drain_full(d);
	d->log->load(d->log->arg, d->log->page[0]);
}

void dirty_log_drain(struct dirty *d, uint64_t gfn, uint64_t count)
{
	unsigned used = (uint16_t)(d->log->index(d->log->arg) + 1); /* 0: the CPU wrote the page's last entry */

	(void)gfn;
	(void)count;
	if (used != DIRTY_LOG_ENTRIES || d->log->full)
		drain_all(d, used < DIRTY_LOG_ENTRIES ? used : 0);
}
