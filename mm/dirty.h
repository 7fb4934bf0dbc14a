/*
 * The dirty tracker: which pages of which ranges of guest memory were written since each consumer last asked.
 *
 * A range is any run of bytes of guest memory; ranges may overlap and share pages. A consumer is someone who asks: the stream, a
 * test oracle, a checkpoint. Each (range, consumer) pair has its own bitmap, so a query by one never changes what another will see.
 *
 * The invariant, by write faults: a page whose leaf is writable has its bit set in every (range, consumer) that covers it. So
 *  - the first write after a query faults once, sets the bits and makes the page writable;
 *  - a query takes its own bits and write-protects just those pages;
 *  - a new range or consumer starts with all bits set, and no page of it needs a fault for that.
 * Only the pages of ranges are split to 4 KiB; they merge back when the last range leaves.
 * A new mapping is writable, whatever was there before: who maps memory under a live range calls dirty_mark for it.
 *
 * Order (what makes a query lossless): the vCPU is outside of guest mode while the VMM runs, so bits are taken and pages protected
 * in one step for the guest; slat.stale makes the next entry flush once for all of it. The caller reads the pages' content after
 * the query and before the guest runs again, or later: a later write is in the next query.
 */
#ifndef MM_DIRTY_H
#define MM_DIRTY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/slat.h"

#define DIRTY_RANGES 128
#define DIRTY_CONSUMERS 8

struct dirty_range {
	bool live;
	uint64_t base, len;                 /* bytes, guest-physical */
	uint64_t first;                     /* gfn of the first page */
	size_t pages, words;                /* words of 64 bits in each bitmap */
	uint64_t *bits[DIRTY_CONSUMERS];    /* bit i: page first + i */
	size_t set[DIRTY_CONSUMERS];        /* how many are set */
	uint64_t frames_at;                 /* the bitmaps' memory */
	size_t frames;
};

struct dirty {
	struct slat *slat;
	bool consumer[DIRTY_CONSUMERS];
	unsigned top;                       /* ranges 0..top-1 may be live */
	struct dirty_range range[DIRTY_RANGES];
	uint64_t faults, queries, reported, marks; /* counters; reported and marks in pages, marks in each range that has the page */
};

/** Begins with no range and no consumer. slat must outlive d. */
void dirty_init(struct dirty *d, struct slat *slat);

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
 * Takes what was written in `range` since this consumer's last query. A page that could not be protected for lack of memory (only
 * if it was mapped anew, in a larger leaf) is reported and stays dirty.
 * @bitmap  receives one bit a page (bit 0: the page of the range's first byte); words 64-bit words of room, all are written
 * Returns the number of dirty pages; -ENOENT; -ENOSPC where the room is too small (nothing is taken then).
 */
long dirty_query(struct dirty *d, int consumer, int range, uint64_t *bitmap, size_t words);

/** Puts back what a query took and could not be delivered: those pages will be reported to this consumer again. 0 or -ENOENT. */
int dirty_put_back(struct dirty *d, int consumer, int range, const uint64_t *bitmap, size_t words);

/**
 * The guest's write to gpa was stopped. Returns true when a range's page was protected there: it is dirty and writable now, and the
 * write can be done again. False: not ours, or the page is writable and a stale translation stopped the write.
 */
bool dirty_write_fault(struct dirty *d, uint64_t gpa);

/** The VMM itself wrote [gpa, gpa+len) for the guest (emulator, devices, loader): counts as a write, in every source. */
void dirty_mark(struct dirty *d, uint64_t gpa, uint64_t len);

#endif
