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
};

/**
 * Translates va, of which outside of long mode only the low 32 bits count. With update, sets A in every entry used and D in the
 * leaf of a write, by compare-and-exchange (SDM vol. 3, 4.8).
 * Returns 0; 1: page fault, r->error says which (PF_*, SDM vol. 3, 4.7); -EFAULT: a table is not in memory, or another CPU kept on
 * changing an entry.
 */
int guest_walk(const struct walk_mode *m, const struct walk_mem *mem, uint64_t va, struct walk_access a, bool update,
	       struct walk_result *r);

#endif
