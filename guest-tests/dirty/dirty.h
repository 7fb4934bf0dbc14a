/* Writes by every means into tracked memory, each repeated on an untracked twin, which must come out the same. */
#ifndef GUEST_DIRTY_H
#define GUEST_DIRTY_H

#include <stdbool.h>
#include <stdint.h>

#include "guest-tests/lib/prng.h"

#define PAGE 4096u
#define SPAN (3 * PAGE) /* a write's bytes lie in the SPAN bytes from its place on */

#define ZONES 2
#define ZONE_PAGES 32u
#define ZONE_BYTES (ZONE_PAGES * PAGE)
#define TABLE_PAGES 2u /* behind the first zone: page tables in VRAM */

/* Where something is written. */
struct place {
	uint8_t *at;   /* through one of the aliases */
	uint8_t *flat; /* the same offset in the identity map: also guest-physical */
};

/* Tracked memory: the begin of head 0's VRAM, and RAM on both sides of a 2 MiB boundary. */
struct zone {
	uint64_t gpa;
	uint64_t tracked; /* bytes, the page tables behind it too */
	uint8_t *twin;	  /* ZONE_BYTES of RAM that nobody tracks */
};
extern struct zone zones[ZONES];

/** Finds zones and maps the aliases. False, with the test skipped or failed, where there is no head or no RAM. */
bool places_make(void);

/** How many aliases there are: the same memory through pages of other sizes, or in another order. */
unsigned alias_count(void);

/** The place at an offset (at most ZONE_BYTES - SPAN) of a zone through one alias, and the same in the zone's twin. */
struct place place_in_zone(unsigned zone, uint64_t offset, unsigned alias);
struct place place_in_twin(unsigned zone, uint64_t offset, unsigned alias);

/** True when both zones equal their twins. */
bool twins_equal(void);

/* A way to write. The generator decides on size, value and so on, so that the same state repeats the same write. */
struct means {
	const char *name;
	void (*fn)(const struct place *p, struct prng *r);
	unsigned weight; /* of 1 in the random mix */
	bool own;	 /* what it writes can't be repeated: the twin takes it over */
};

/* Each ends with an entry without name. */
extern const struct means cpu_means[], vmm_means[], walk_means[];

/** Switches on what they use, for each test anew: FPU, page tables in VRAM, tracker ids. */
void cpu_means_prepare(void);
void vmm_means_prepare(int64_t consumer, int64_t range, unsigned pages);
bool walk_means_prepare(void);

static inline uint64_t random64(struct prng *r)
{
	uint64_t high = prng_next(r);

	return high << 32 | prng_next(r);
}

#endif
