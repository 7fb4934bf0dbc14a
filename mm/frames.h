/* Physical frames of the machine: who has which. One allocator for page tables, guest RAM and buffers. */
#ifndef MM_FRAMES_H
#define MM_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "boot/bootinfo.h"

/**
 * Takes all usable RAM of the memory map but the image's [image_start, image_end), the modules', and what lies below 1 MiB. What
 * the loader left elsewhere is lost: read it before. Until map_init only frames below 4 GiB can be reached, and those go out first.
 * Returns 0, or -ENOMEM when there is no room for the allocator's own maps.
 */
int frames_init(const struct boot_info *bi, uint64_t image_start, uint64_t image_end);

/**
 * Allocates count contiguous 4 KiB frames.
 * @align  in frames, a power of two: 1, 512 (2 MiB), 262144 (1 GiB)
 * Returns the physical address (also the pointer, mm/layout.h), zeroed, or 0 when there is no such run. The caller owns it.
 */
uint64_t frames_alloc(size_t count, size_t align);

/** Gives back exactly what one frames_alloc gave. A wrong address or count is a bug of the VMM: panics. */
void frames_free(uint64_t hpa, size_t count);

/*
 * The canary: a pattern in every frame that nobody has, so that a stray write to the VMM's memory is seen. Costs a pass over all
 * free memory at each check, and over what is allocated and freed.
 */
struct frames_canary {
	bool on;
	uint64_t bytes; /* looked at, by all checks */
	uint64_t wrong; /* of these, not as they were left; then put right */
};

/** Fills all free frames; from now on they are watched. After map_init. */
void frames_canary_begin(void);
/** Looks at all free frames; the counts so far. No-op where it is off. */
const struct frames_canary *frames_canary_check(void);
/** The counts without a look. */
const struct frames_canary *frames_canary(void);

/** From the n-th allocation from now on, exactly that one fails; 0: none does. For tests of what callers then do. */
void frames_fail(uint64_t n);

/** Counts, in frames. */
size_t frames_total(void);
size_t frames_available(void);

#endif
