/*
 * Second-level address translation: guest-physical to host-physical, as EPT or NPT. One implementation; what differs is a
 * descriptor (mm/pt_format.h).
 */
#ifndef MM_SLAT_H
#define MM_SLAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/pt_format.h"

struct slat {
	const struct pt_format *format;
	uint64_t root;	       /* hpa of the top table (4 levels) */
	unsigned max_leaf;     /* largest leaf level the CPU allows: 1 (4 KiB), 2 (2 MiB), 3 (1 GiB) */
	bool ad_bits;	       /* the CPU sets accessed and dirty bits (EPT: when enabled in EPTP; NPT: always) */
	bool stale;	       /* rights were taken away since the last flush; whoever enters the guest flushes and clears */
	size_t tables;	       /* frames used by tables */
	uint64_t *dir, dir_at; /* the level-2 table that slat_region found last, and its gpa >> 30; ~0: none */
};

/** Begins empty tables. max_leaf, ad_bits: by the vendor's features. Returns 0 or -ENOMEM. */
int slat_init(struct slat *s, const struct pt_format *format, unsigned max_leaf, bool ad_bits);

/**
 * Maps [gpa, gpa+len) to hpa read/write/execute, write-back, with the largest leaves that fit.
 * Returns 0; -EINVAL: not whole pages, beyond the address space, or partly mapped already; -ENOMEM. On error nothing is mapped.
 */
int slat_map(struct slat *s, uint64_t gpa, uint64_t hpa, uint64_t len);

/**
 * Takes [gpa, gpa+len) away, what of it is mapped; leaves that cross an edge are split, tables that become empty freed.
 * Returns 0; -EINVAL: not whole pages, or beyond the address space; -ENOMEM: an edge could not be split, and all stays mapped.
 */
int slat_unmap(struct slat *s, uint64_t gpa, uint64_t len);

/**
 * Makes sure that the page at gpa has a 4 KiB leaf of its own, splitting larger ones (same rights, A and D kept). Returns a pointer
 * to the leaf entry, or NULL: not mapped, or out of memory. The pointer stays valid until the page is merged or unmapped.
 */
uint64_t *slat_split(struct slat *s, uint64_t gpa);

/** Merges the 2 MiB that hold gpa into one leaf if all the 4 KiB leaves are contiguous and have equal rights; so then the 1 GiB. */
void slat_merge(struct slat *s, uint64_t gpa);

/** The leaf entry that translates gpa, and its level; NULL when none does. */
uint64_t *slat_leaf(const struct slat *s, uint64_t gpa, unsigned *level);

/** As slat_region; always walks. */
uint64_t *slat_region_find(struct slat *s, uint64_t gpa);

/**
 * The entry of level 2 that maps the 2 MiB of gpa: a leaf, the way to a table of 4 KiB leaves, or not present. NULL where there is
 * no such entry: a leaf of 1 GiB, or nothing, maps gpa. Cheap when asked again within the same 1 GiB. Valid until a merge or unmap.
 */
static inline uint64_t *slat_region(struct slat *s, uint64_t gpa)
{
	return s->dir_at == gpa >> 30 ? &s->dir[gpa >> 21 & 511] : slat_region_find(s, gpa);
}

/** The table that a region's entry leads to; NULL when it is a leaf or not present. */
static inline uint64_t *slat_region_table(const struct slat *s, const uint64_t *region)
{
	return region && (*region & s->format->present) && !(*region & s->format->large)
		       ? (uint64_t *)(uintptr_t)(*region & PT_ADDR_MASK)
		       : NULL;
}

/** Takes away the write right of a 4 KiB leaf from slat_split. */
static inline void slat_write_protect(struct slat *s, uint64_t *leaf)
{
	*leaf &= ~s->format->write;
	s->stale = true;
}

/**
 * Gives it back. No flush: a translation cached without the right faults once more at most, as that fault drops it (SDM vol. 3,
 * 29.4.3.1; APM vol. 2, 15.25.6).
 */
static inline void slat_write_allow(struct slat *s, uint64_t *leaf)
{
	*leaf |= s->format->write;
}

/** Frees all tables. */
void slat_destroy(struct slat *s);

#endif
