/*
 * Translations that were made before, each with all that it was made of. One holds as long as that is still the same: the paging
 * mode, the kind of access, and every entry that the walk went through, which are compared with what is in memory now. So nothing
 * has to be told when a guest changes its tables, and a walk costs a few loads.
 */
#ifndef VMM_GVA_MEMO_H
#define VMM_GVA_MEMO_H

#include <stdbool.h>
#include <stdint.h>

#include "mm/walk.h"

struct guest_mem;

#define GVA_MEMOS 4u /* the last one for each is kept: fetches, and accesses by their page */
#define GVA_MEMO_ENTRIES 4u

struct gva_memo {
	const struct pt_format *format; /* NULL: there is none */
	uint64_t page, root, gpa;	/* of the first bytes of pages */
	const uint8_t *memory;		/* the same page as the VMM sees it; NULL: not RAM */
	uint32_t how, slots;		/* mode and access; the guest's memory as it was (guest_mem.changes) */
	unsigned count;
	const void *at[GVA_MEMO_ENTRIES];
	uint64_t entry[GVA_MEMO_ENTRIES];
};

/** The memo of GVA_MEMOS that may hold va's translation. */
static inline struct gva_memo *gva_memo_of(struct gva_memo *memo, uint64_t va, struct walk_access a)
{
	return &memo[a.fetch ? 0 : 1 + (va >> 12) % (GVA_MEMOS - 1)];
}

/** Whether it holds va's translation now, for this access in this mode, with A and D set as a walk would leave them. */
bool gva_memo_holds(const struct gva_memo *t, const struct guest_mem *mem, const struct walk_mode *m, uint64_t va,
		    struct walk_access a);

/** Keeps what a walk found that set A and D. */
void gva_memo_keep(struct gva_memo *t, const struct guest_mem *mem, const struct walk_mode *m, uint64_t va, struct walk_access a,
		   const struct walk_result *r);

#endif
