/* Page-table formats: one descriptor for each, one walker for all (mm/walk.h). */
#ifndef MM_PT_FORMAT_H
#define MM_PT_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

struct pt_format {
	const char *name;
	uint8_t levels;           /* 4 for EPT, NPT and long mode; 3 PAE; 2 for 32-bit */
	uint8_t entry_size;       /* 8 or 4 bytes */
	uint8_t index_bits;       /* 9 or 10 */
	uint8_t leaf_levels;      /* bit l set: level l can hold a leaf with the large bit (1 needs none) */
	uint64_t present;         /* any of these bits: present */
	uint64_t write, user, nx, exec; /* 0: the format has none */
	uint64_t large;           /* page-size bit at levels above 1 */
	uint64_t accessed, dirty;
	uint64_t table_flags;     /* set in entries that point to tables made by us */
	uint64_t leaf_flags;      /* set in leaves made by us: rights, write-back memory type, A and D (so that PML logs none unasked) */
};

#define PT_ADDR_MASK 0x000ffffffffff000ull

/** Bit position of the lowest address bit that level l (1: 4 KiB pages) translates. */
static inline unsigned pt_shift(const struct pt_format *f, unsigned level)
{
	return 12 + f->index_bits * (level - 1);
}

/** Index of va's entry in its table of level l. */
static inline unsigned pt_index(const struct pt_format *f, unsigned level, uint64_t va)
{
	return (unsigned)(va >> pt_shift(f, level)) & ((1u << f->index_bits) - 1);
}

/** The table that an entry of the VMM's own leads to: a frame's address is its pointer. */
static inline uint64_t *pt_table(uint64_t entry)
{
	return (uint64_t *)(uintptr_t)(entry & PT_ADDR_MASK);
}

/** Whether a present entry at level l translates a page itself. */
static inline bool pt_is_leaf(const struct pt_format *f, unsigned level, uint64_t entry)
{
	return level == 1 || ((f->leaf_levels >> level & 1) && (entry & f->large));
}

extern const struct pt_format pt_ept, pt_npt, pt_legacy32, pt_pae, pt_long4;

#endif
