/*
 * The one way to guest memory: by guest-physical address, bounded by the guest's slots. Writes are reported to the dirty tracker
 * (DIRTY-VRAM defect 9: what the VMM writes for the guest counts).
 */
#ifndef VMM_GUEST_MEM_H
#define VMM_GUEST_MEM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct dirty;

#define MEM_SLOTS 24

struct mem_slot {
	uint64_t gpa, len; /* whole pages */
	uint64_t hpa;      /* contiguous; also the VMM's pointer */
};

struct guest_mem {
	unsigned count;
	struct mem_slot slot[MEM_SLOTS]; /* sorted by gpa, never overlapping */
	struct dirty *dirty;             /* may be NULL (host tests) */
};

/** Adds RAM. Returns 0, -EEXIST on overlap, -ENOSPC, -EINVAL (alignment, wrap). */
int guest_mem_add(struct guest_mem *m, uint64_t gpa, uint64_t len, uint64_t hpa);

/** The slot that holds gpa, or NULL. */
const struct mem_slot *guest_mem_slot(const struct guest_mem *m, uint64_t gpa);

/** 0 when all of the bytes are RAM, else -EFAULT; of no bytes all are. The copies look first, so that they are all or nothing. */
int guest_mem_check(const struct guest_mem *m, uint64_t gpa, uint64_t len);

/** Copies len bytes; may cross slots. Returns 0, or -EFAULT when any byte is not RAM (nothing is copied then). */
int guest_mem_read(const struct guest_mem *m, uint64_t gpa, void *dst, size_t len);
int guest_mem_write(struct guest_mem *m, uint64_t gpa, const void *src, size_t len);

/** Fills with a byte. */
int guest_mem_fill(struct guest_mem *m, uint64_t gpa, uint8_t value, size_t len);

#endif
