/* The log of the pml source: pages that the CPU fills, and their way to the bitmaps. */
#include "mm/dirty.h"
#include "mm/layout.h"

/* Entries next to each other often are of pages next to each other: noted by words. */
static void drain(struct dirty *d, const uint64_t *entry, const uint64_t *end)
{
	uint64_t at = 0, word = 0;

	for (; entry < end; entry++) {
		uint64_t gfn = *entry >> PAGE_SHIFT;

		if (gfn / 64 != at) {
			if (word)
				dirty_note_word(d, at * 64, word);
			at = gfn / 64;
			word = 0;
		}
		word |= 1ull << gfn % 64;
	}
	if (word)
		dirty_note_word(d, at * 64, word);
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

void dirty_log_drain(struct dirty *d, uint64_t gfn, uint64_t count)
{
	struct dirty_log *log = d->log;
	const uint64_t *page = log->page[log->full];
	unsigned used = (uint16_t)(log->index(log->arg) + 1); /* entries below it are empty; 0: none is */

	(void)gfn;
	(void)count;
	if (used > DIRTY_LOG_ENTRIES)
		used = 0;
	if (used == DIRTY_LOG_ENTRIES && !log->full)
		return;
	drain(d, page + used, page + DIRTY_LOG_ENTRIES);
	drain_full(d);
	log->load(log->arg, log->page[0]);
}
