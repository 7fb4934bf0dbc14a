/* Walks a guest's own page tables, of any format, as the CPU would: permissions, reserved bits, accessed and dirty bits. */
#ifndef MM_WALK_H
#define MM_WALK_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/pt_format.h"
#include "vmm/hw/x86.h"

/* The paging mode, from the guest's control registers. */
struct walk_mode {
	const struct pt_format *format; /* NULL: paging is off */
	uint64_t root;                  /* CR3's table address */
	const uint64_t *pdpte;          /* PAE on a CPU that keeps the four PDPTEs in registers; NULL: they are read from memory */
	bool wp, nxe, smep, smap, ac, pse;
	uint8_t phys_bits;
	bool page1g;                    /* 1 GiB pages exist */
};

struct walk_access {
	bool write, user, fetch;
	bool implicit;                  /* a system access (descriptor tables): supervisor whatever the CPL, no AC exemption */
};

/* Memory that the tables live in. Each returns 0 or -EFAULT. cas: 1 when another value was found. */
struct walk_mem {
	int (*read)(void *arg, uint64_t addr, unsigned size, uint64_t *value);
	int (*cas)(void *arg, uint64_t addr, unsigned size, uint64_t old, uint64_t value);
	void *arg;
};

struct walk_result {
	uint64_t gpa;      /* of the byte at va */
	unsigned level;    /* of the leaf; 0: paging is off */
	uint32_t error;    /* page-fault error code when the walk faults */
	uint64_t entry[5]; /* the entries used, by level, with the A and D that the walk has set; of a walk that did not fault */
};

/**
 * Translates va, of which outside of long mode only the low 32 bits count. With update, sets A in every entry used and D in the
 * leaf of a write, by compare-and-exchange (SDM vol. 3, 4.8).
 * Returns 0; 1: page fault, r->error says which (PF_*, SDM vol. 3, 4.7); -EFAULT: a table is not in memory, or another CPU kept on
 * changing an entry.
 */
int guest_walk(const struct walk_mode *m, const struct walk_mem *mem, uint64_t va, struct walk_access a, bool update,
	       struct walk_result *r);

/** Bits of an entry at this level that are set and reserved (SDM vol. 3, 4.3 to 4.5). */
uint64_t walk_reserved(const struct walk_mode *m, unsigned level, uint64_t entry);
/** Whether a present entry at this level maps a page itself. */
bool walk_is_leaf(const struct walk_mode *m, unsigned level, uint64_t entry);
/** Guest-physical address of the byte at va in the page that a leaf maps. */
uint64_t walk_leaf_address(const struct walk_mode *m, unsigned level, uint64_t entry, uint64_t va);
/** The guest-physical address of the table that an entry points to. */
static inline uint64_t walk_next_table(const struct walk_mode *m, uint64_t entry)
{
	return m->format->entry_size == 4 ? entry & 0xfffff000 : entry & PT_ADDR_MASK;
}

#endif
