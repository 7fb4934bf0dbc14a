/* Paging structures of the mode under test, built in the pool. */
#ifndef PAGEWALK_TREE_H
#define PAGEWALK_TREE_H

#include "guest-tests/lib/prng.h"
#include "guest-tests/pagewalk/script.h"

/* A paging mode with its features, as all groups are run in it. */
struct config {
	const char *name;
	uint64_t cr0, cr4, efer;
};
extern const struct config configs[];

/* Frame 0 is the root; DATA on are for data (each is at the same place in a large page), those between are handed out as tables. */
#define ROOT 0u
#define DATA 32u
#define HIGH_DATA HIGH_FRAME

#define FULL ((uint64_t)(PTE_P | PTE_W | PTE_U))

/** Root, HOME and registers; rights in CR0 and CR4 beyond the configuration's. False: the CPU has not got what is asked for. */
bool tree_begin(const struct config *c, uint64_t cr0, uint64_t cr4);
/** One more root beside it, of another mode, which is the current one from now on. */
bool tree_another(const struct config *c, uint64_t cr0, uint64_t cr4);
/** 2, 3 or 4. */
unsigned tree_levels(void);
/** The largest leaf's level: 1 where there are only 4 KiB pages. */
unsigned tree_leaf_max(void);
/** A fresh frame for a table. */
unsigned tree_frame(void);

/*
 * The virtual address at which, in a window (0 to 2), a frame is seen when a leaf of any size maps it or the large page around it.
 * All windows differ in the index below the root's.
 */
uint64_t tree_va(unsigned window, unsigned frame);

/** Where the entry of va at a level is when all above it are as they should be; tables that are missing are made, with full rights.
 */
uint64_t tree_entry(uint64_t va, unsigned level);
/** Writes that entry before the script starts. */
void tree_set(uint64_t va, unsigned level, uint64_t entry);
/** An entry that maps the frame seen at va by a leaf at level. */
uint64_t tree_leaf(uint64_t va, unsigned level, uint64_t flags);
/** Maps va by a leaf of the level. */
void tree_map(uint64_t va, unsigned level, uint64_t flags);

/** Appends a look at every entry of va's way, upper ones too, from the root to the first that is no table. */
void tree_show(uint64_t va);

extern struct prng prng;

/* The subjects. */
typedef void group_fn(const struct config *c);
group_fn test_rights, test_rights_upper, test_rights_large, test_reserved, test_nowhere, test_pdpte, test_accessed, test_dirty,
	test_grant, test_revoke, test_cross, test_string, test_implicit, test_flush, test_cache_bits, test_random, test_switch,
	test_tables;

#endif
