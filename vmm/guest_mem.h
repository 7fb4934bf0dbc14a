/*
 * The one way to guest memory: by guest-physical address, bounded by the guest's slots. Writes are reported to the dirty tracker
 * (DIRTY-VRAM defect 9: what the VMM writes for the guest counts).
 */
#ifndef VMM_GUEST_MEM_H
#define VMM_GUEST_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/walk.h"

struct dirty;
struct guest_frame;
struct shadow;

#define MEM_SLOTS 24 /* RAM in a few pieces, and VRAM of 16 heads */

struct mem_slot {
	uint64_t gpa, len;	   /* whole pages */
	uint64_t hpa;		   /* contiguous; also the VMM's pointer */
	struct guest_frame *frame; /* the shadow pager's, one a page; NULL without it */
};

struct guest_mem {
	unsigned count;
	uint32_t changes;		 /* counts slots that came and went */
	struct mem_slot slot[MEM_SLOTS]; /* sorted by gpa, never overlapping */
	struct dirty *dirty;		 /* may be NULL (host tests) */
	struct shadow *shadow;		 /* NULL: no shadow paging */
};

/** Adds RAM. Returns 0, -EEXIST on overlap, -ENOSPC, -EINVAL (alignment, wrap). */
int guest_mem_add(struct guest_mem *m, uint64_t gpa, uint64_t len, uint64_t hpa);

/** Removes the slot that begins at gpa. Its content is the owner's. Returns 0 or -ENOENT. */
int guest_mem_remove(struct guest_mem *m, uint64_t gpa);

/** The slot that holds gpa, or NULL. */
const struct mem_slot *guest_mem_slot(const struct guest_mem *m, uint64_t gpa);

/** The same, for whoever keeps state in it; NULL too when there is none. */
static inline struct mem_slot *guest_mem_slot_for_change(struct guest_mem *m, uint64_t gpa)
{
	return (struct mem_slot *)(uintptr_t)guest_mem_slot(m, gpa);
}
/** 0 when all of the bytes are RAM, else -EFAULT; of no bytes all are. The copies look first, so that they are all or nothing. */
int guest_mem_check(const struct guest_mem *m, uint64_t gpa, uint64_t len);

/** Copies len bytes; may cross slots. Returns 0, or -EFAULT when any byte is not RAM (nothing is copied then). */
int guest_mem_read(const struct guest_mem *m, uint64_t gpa, void *dst, size_t len);
int guest_mem_write(struct guest_mem *m, uint64_t gpa, const void *src, size_t len);

/**
 * Compares and exchanges an entry of a guest's page table, 4 or 8 bytes, aligned, as the CPU does when it sets A and D (SDM vol. 3,
 * 4.8): counts as a write for the tracker, but the shadow pager knows of it. Returns 0; 1: another value was there; -EFAULT.
 */
int guest_mem_cas(struct guest_mem *m, uint64_t gpa, unsigned size, uint64_t old, uint64_t value);

/** What guest_walk reads and writes the guest's tables through: m, by the two functions above. */
struct walk_mem guest_mem_tables(struct guest_mem *m);

/** Fills with a byte. */
int guest_mem_fill(struct guest_mem *m, uint64_t gpa, uint8_t value, size_t len);

/** Whether hpa is in the guest's memory. */
static inline bool guest_mem_has(const struct guest_mem *m, uint64_t hpa)
{
	for (unsigned i = 0; i < m->count; i++)
		if (hpa - m->slot[i].hpa < m->slot[i].len)
			return true;
	return false;
}

#endif
