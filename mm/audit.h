/*
 * Walks of live page tables that ask one question: does each entry lead where it may? The guest's tables, of either kind of paging,
 * to the guest's memory only; the VMM's own to itself, nothing both writable and executable.
 */
#ifndef MM_AUDIT_H
#define MM_AUDIT_H

#include <stdint.h>

struct guest_mem;
struct map_plan;
struct shadow;
struct slat;

struct audit {
	uint64_t leaves, tables;
	uint64_t wrong;	       /* entries */
	uint64_t where, entry; /* the first of these: the address that it translates, and what it holds */
};

/** Every leaf maps a guest-physical address to where mem has it; tables lie outside of the guest's memory. */
void audit_slat(const struct slat *s, const struct guest_mem *mem, struct audit *a);

/** Every leaf of a shadow table in use leads into the guest's memory, every other entry to a shadow table. In audit_shadow.c. */
void audit_shadow(const struct shadow *sh, struct audit *a);

/** The tables at root are as mm/layout.h says: identity, text r-x, rodata r--, all else never executable, page 0 and guards not
 * mapped. */
void audit_map(uint64_t root, const struct map_plan *p, struct audit *a);

/** Counts a wrong entry. */
static inline void audit_wrong(struct audit *a, uint64_t where, uint64_t entry)
{
	if (!a->wrong++) {
		a->where = where;
		a->entry = entry;
	}
}

#endif
