/*
 * The dirty tracker: which pages of which ranges of guest memory were written since each consumer last asked.
 *
 * A range is any run of bytes of guest memory; ranges may overlap and share pages. A consumer is someone who asks: the stream, a
 * test oracle, a checkpoint. Each (range, consumer) pair has its own bitmap, so a query by one never changes what another will see.
 *
 * Below it a dirty source notices writes. A page is armed when its next write will be noticed. The invariant, whatever the source:
 * a page that is not armed has its bit set in every (range, consumer) that covers it, or a write to it is already noted somewhere
 * that a query looks at first. So a new range or consumer starts with all bits set, and no page of it needs arming for that.
 * Only the pages of ranges are treated so: their leaves are split to 4 KiB and merge back when the last range leaves.
 * A new mapping is not armed: who maps memory under a live range calls dirty_mark for it, and who takes a mapping away calls
 * dirty_harvest before.
 *
 * Order (what makes a query lossless): the vCPU is outside of guest mode while the VMM runs, so bits are taken and pages armed in
 * one step for the guest; slat.stale makes the next entry flush once for all of it. The caller reads the pages' content after the
 * query and before the guest runs again, or later: a later write is in the next query.
 */
#ifndef MM_DIRTY_H
#define MM_DIRTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DIRTY_RANGES 128
#define DIRTY_CONSUMERS 8

struct dirty;

struct dirty_range {
	bool live;
	bool scan;	    /* for the source: to be scanned, not write-protected */
	int8_t streak;	    /* for the source: how many dense (> 0) or sparse (< 0) queries there were in a row */
	uint64_t base, len; /* bytes, guest-physical */
	uint64_t first;	    /* gfn of the first page */
	uint64_t pages;
	/* For each consumer: a bitmap, then its summary (bit w: word w may have bits). A word is of 64 pages whose gfns differ in
	 * the low six bits alone, so that sources and ranges agree on words; in the first and the last one, bits of pages that are
	 * not the range's mean nothing. */
	uint64_t *bits;
	size_t words, sums; /* words of 64 bits in a bitmap, and in its summary */
	size_t stride;	    /* from one consumer's to the next one's */
	size_t frames;	    /* their memory */
};

/* How writes are noticed. A word of pages: bit i is page gfn + i, gfn a multiple of 64. */
struct dirty_source {
	const char *name;
	bool scan; /* what a new range's `scan` is */
	/* These pages are in a range from now on: makes leaves for them. Some may be in others already. 0; -EFAULT: not all are
	 * mapped; -ENOMEM. On error no trace is left. */
	int (*begin)(struct dirty *d, uint64_t gfn, uint64_t count);
	/* These pages are in no range any more: rights back, leaves merged. */
	void (*end)(struct dirty *d, uint64_t gfn, uint64_t count);
	/* Notes what the hardware recorded about these pages. Returns whether `judge` is to hear of it though nothing was noted.
	 * NULL: it records nothing. */
	bool (*harvest)(struct dirty *d, uint64_t gfn, uint64_t count);
	/* Pages are taken by a consumer: arms them. words[w] has bits of those from gfn + 64 * w on, for each w in the bits of
	 * which. Returns the w whose pages could not all be armed: these stay dirty. NULL: harvest did. */
	uint64_t (*arm)(struct dirty *d, uint64_t gfn, const uint64_t *words, uint64_t which);
	/* After a query of r that reported n pages, or cost more than that: may choose another way. Or NULL. */
	void (*judge)(struct dirty *d, struct dirty_range *r, uint64_t n);
};

struct dirty {
	const struct dirty_source *source;
	void *arg;	    /* the source's: struct slat * for those of mm/dirty_slat.c */
	uint32_t consumers; /* bit c: there is consumer c */
	unsigned count;	    /* of live ranges: live[0..count-1], in no order */
	struct dirty_range range[DIRTY_RANGES], *live[DIRTY_RANGES];
	struct dirty_log *log;		    /* the pml source's; others: NULL */
	uint64_t scans;			    /* tables that were scanned for D bits */
	uint64_t switches;		    /* of 2 MiB regions between faults and scans */
	uint64_t faults, queries, reported; /* reported: pages */
	uint64_t marks;			    /* pages that the VMM wrote, in each range that has them */
};

/** Begins with no range and no consumer. arg, for the source, must outlive d. */
void dirty_init(struct dirty *d, const struct dirty_source *source, void *arg);

/**
 * Tracks [gpa, gpa+len). Every page of it is dirty for every consumer.
 * Returns the range's number; -EINVAL for an empty or wrapping one; -EFAULT where a page is not mapped; -ENOSPC; -ENOMEM.
 */
int dirty_range_add(struct dirty *d, uint64_t gpa, uint64_t len);

/** Moves or resizes a range; all of the new place is dirty. On error (as for add, or -ENOENT) the range stays as it was. */
int dirty_range_move(struct dirty *d, int range, uint64_t gpa, uint64_t len);

/** Stops one range; others, also on the same pages, lose nothing. Returns 0 or -ENOENT. */
int dirty_range_remove(struct dirty *d, int range);

/** Adds a consumer, for which everything is dirty. Returns its number or -ENOSPC. */
int dirty_consumer_add(struct dirty *d);
/** Returns 0 or -ENOENT. */
int dirty_consumer_remove(struct dirty *d, int consumer);

/**
 * Takes what was written in `range` since this consumer's last query. A page that could not be armed for lack of memory (only if it
 * was mapped anew, in a larger leaf) is reported and stays dirty.
 * @bitmap  receives one bit a page (bit 0: the page of the range's first byte); words 64-bit words of room, all are written,
 *          or none if the result is 0
 * Returns the number of dirty pages; -ENOENT; -ENOSPC where the room is too small (nothing is taken then).
 */
long dirty_query(struct dirty *d, int consumer, int range, uint64_t *bitmap, size_t words);

/** How many pages a query by this consumer would report now; takes nothing. -ENOENT. */
long dirty_pending(struct dirty *d, int consumer, int range);

/** Puts back what a query took and could not be delivered: those pages will be reported to this consumer again. 0 or -ENOENT. */
int dirty_put_back(struct dirty *d, int consumer, int range, const uint64_t *bitmap, size_t words);

/** The VMM itself wrote [gpa, gpa+len) for the guest (emulator, devices, loader): counts as a write, in every source. */
void dirty_mark(struct dirty *d, uint64_t gpa, uint64_t len);

/** The mappings of [gpa, gpa+len) are about to go: what the hardware recorded in them is noted first. */
void dirty_harvest(struct dirty *d, uint64_t gpa, uint64_t len);

/* ---- for sources */

/* Sets bits in word w of r's bitmaps, for every consumer. */
static inline void dirty_set(const struct dirty *d, const struct dirty_range *r, uint64_t w, uint64_t word)
{
	uint64_t sum_bit = 1ull << w % 64;
	uint64_t *to = &r->bits[w], *sum = &r->bits[r->words + w / 64];

	for (uint32_t c = d->consumers; c; c >>= 1, to += r->stride, sum += r->stride)
		if (c & 1) {
			*to |= word;
			*sum |= sum_bit;
		}
}

/** A write to this page was noticed: sets its bit in every range and for every consumer that has it. Returns whether any range has.
 */
static inline bool dirty_note(struct dirty *d, uint64_t gfn)
{
	bool noted = false;

	/* As dirty_note_word for one page, and by itself: most writes are noticed here. */
	for (struct dirty_range *const *live = d->live, *const *end = live + d->count; live < end; live++) {
		const struct dirty_range *r = *live;

		if (gfn - r->first >= r->pages)
			continue;
		noted = true;
		dirty_set(d, r, gfn / 64 - r->first / 64, 1ull << gfn % 64);
	}
	return noted;
}

/** The same for a word of pages. */
void dirty_note_word(struct dirty *d, uint64_t gfn, uint64_t word);

/* Pages found one by one, most often next to each other: noted by words. Zeros: none. */
struct dirty_run {
	uint64_t first, room; /* page numbers in the finder's space that fit: room of them */
	uint64_t gfn, word;   /* of `first`; the pages found, from there on */
};

/** Adds a page; false where it does not fit: dirty_run_next first. */
static inline bool dirty_run_add(struct dirty_run *run, uint64_t page)
{
	uint64_t at = page - run->first;

	if (at >= run->room)
		return false;
	run->word |= 1ull << at;
	return true;
}

/** Notes what was found, and begins anew: page `first` is gfn, and room pages from there on may be added, those of gfn's word. */
static inline void dirty_run_next(struct dirty *d, struct dirty_run *run, uint64_t first, uint64_t room, uint64_t gfn)
{
	uint64_t left = 64 - gfn % 64;

	if (run->word)
		dirty_note_word(d, run->gfn & ~63ull, run->word << run->gfn % 64);
	*run = (struct dirty_run){ .first = first, .room = room < left ? room : left, .gfn = gfn };
}

/** Whether a range (scan: one to be scanned) has any of count pages from gfn on. */
bool dirty_tracked(const struct dirty *d, uint64_t gfn, uint64_t count, bool scan);

/* ---- second-level tables (mm/dirty_slat.c, mm/dirty_pml.c) */

/*
 * By write faults; by scans for D bits; by page-modification logging; by faults or scans, as each range behaves. All but
 * dirty_fault need a CPU that sets A and D bits.
 */
extern const struct dirty_source dirty_fault, dirty_dbit, dirty_pml, dirty_auto;

/**
 * The guest's write to gpa was stopped. Returns true when a range's page was protected there: it is dirty and writable now, and the
 * write can be done again. False: not ours, or the page is writable and a stale translation stopped the write.
 */
bool dirty_write_fault(struct dirty *d, uint64_t gpa);

#define DIRTY_LOG_PAGES 8u     /* twice what one full-HD picture fills */
#define DIRTY_LOG_ENTRIES 512u /* in a page: guest-physical addresses, filled from the last one down */

/* The CPU's log of pages whose D bit it set (SDM vol. 3, 29.3.6). The vendor part owns it and fills in all but `full`. */
struct dirty_log {
	uint64_t *page[DIRTY_LOG_PAGES];
	unsigned full; /* pages 0..full-1 are full, page[full] is the CPU's */
	void *arg;
	/* The entry that the CPU writes next; beyond the page: it is full. */
	uint16_t (*index)(void *arg);
	/* Gives the CPU this page, empty. */
	void (*load)(void *arg, const uint64_t *page);
};

/** The CPU found its page of the log full, and did not do the write that it could not log. */
void dirty_log_full(struct dirty *d);

/** The harvest of dirty_pml: notes all that is in the log, whatever the pages. */
bool dirty_log_drain(struct dirty *d, uint64_t gfn, uint64_t count);

#endif
