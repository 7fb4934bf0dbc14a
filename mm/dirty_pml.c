/* The log of the pml source: pages that the CPU fills, and their way to the bitmaps. */
#include "mm/dirty.h"
#include "mm/layout.h"

static void drain(struct dirty *d, const uint64_t *entry, const uint64_t *end)
{
	struct dirty_run run = { 0 };

	for (; entry < end; entry++) {
		uint64_t gfn = *entry >> PAGE_SHIFT;

		if (dirty_run_add(&run, gfn))
			continue;
		dirty_run_next(d, &run, gfn & ~63ull, 64, gfn & ~63ull);
		(void)dirty_run_add(&run, gfn);
	}
	dirty_run_next(d, &run, 0, 0, 0);
}

/* All pages; of the CPU's, the entries from `used` on. Apart, so that a query with none is short. */
static __attribute__((noinline)) void drain_all(struct dirty *d, unsigned used)
{
	struct dirty_log *log = d->log;

	for (unsigned i = 0; i <= log->full; i++)
		drain(d, log->page[i] + (i == log->full ? used : 0), log->page[i] + DIRTY_LOG_ENTRIES);
	log->full = 0;
	log->load(log->arg, log->page[0]);
}

void dirty_log_full(struct dirty *d)
{
	struct dirty_log *log = d->log;

	if (log->full + 1 == DIRTY_LOG_PAGES)
		drain_all(d, 0);
	else
		log->load(log->arg, log->page[++log->full]);
}

bool dirty_log_drain(struct dirty *d, uint64_t gfn, uint64_t count)
{
	unsigned used = (uint16_t)(d->log->index(d->log->arg) + 1); /* 0: the CPU wrote the page's last entry */

	(void)gfn;
	(void)count;
	if (used != DIRTY_LOG_ENTRIES || d->log->full)
		drain_all(d, used <= DIRTY_LOG_ENTRIES ? used : 0);
	return false;
}
