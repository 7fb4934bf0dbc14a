/* Page tables of a test's own: 4 levels (Intel SDM vol. 3, 4.5). Entries' flags are in window.h. */
#ifndef GUEST_PAGING_H
#define GUEST_PAGING_H

#include <stdbool.h>
#include <stdint.h>

/* Where tests may map: each PML4 entry from here on is free; boot, CPL 3 and the window use those below. */
#define PAGING_FREE (3ull << 39)
#define PAGING_SLOT (1ull << 39)

/* The tables that are in use: boot's, and what tests add to them. */
extern uint64_t pml4[512];

/**
 * The entry that maps virtual address va at this level (1: 4 KiB, 2: 2 MiB, 3: 1 GiB); missing tables above it are made, present,
 * writable, user. NULL when RAM is short or a large page is in the way.
 */
volatile uint64_t *paging_entry(uint64_t *root, uint64_t va, unsigned level);

/** The CPU has 1 GiB pages. */
bool paging_has_1g(void);

#endif
