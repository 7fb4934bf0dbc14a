/*
 * Shadow paging: the tables that the CPU walks when it has no EPT or NPT, made from the guest's own (linear to host-physical).
 *
 * A shadow table stands for one guest table in one role (level, rights that the way to it leaves, paging mode), or for a run of
 * memory that a large guest page or a guest without paging maps (`direct`). Shadow entries are made at page faults and exist only
 * where the guest's entry is present with A set, writable only where its D is set: so the CPU's own A and D appear in the guest's
 * tables exactly as the manual says (SDM vol. 3, 4.8). Shadow tables are always of 8-byte entries: 4 levels for a guest in long
 * mode, else PAE; leaves are always 4 KiB.
 *
 * Guest tables that have shadows are write-protected. The first write to one lets it out of sync: its shadows keep what they have,
 * as a TLB would, and the page becomes writable; the guest's next TLB flush (CR3, paging bits) brings all such tables back in
 * sync and protects them again, INVLPG brings the one address. So no write to a table is ever emulated, and a table that is
 * rewritten whole costs one fault, not 512.
 *
 * Every shadow entry is in one chain: leaves in that of the guest frame they map (the reverse map), others in that of the shadow
 * table they point to. Chains go through links kept beside the entries, so that no number of mappings needs more memory.
 * Shadow tables come from a fixed pool; the one not used for longest is recycled. Dropping any of them is always right: the guest
 * only faults again.
 */
#ifndef MM_SHADOW_H
#define MM_SHADOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/walk.h"

struct dirty;
struct dirty_source;
struct guest_mem;
struct mem_slot;
struct shadow;

/* What to do after a page fault of the guest. */
enum shadow_result {
	SHADOW_FIXED,	/* the shadow was behind: run the instruction again */
	SHADOW_FAULT,	/* the guest's own: shadow_invlpg, then #PF with the walk's error code */
	SHADOW_DEVICE,	/* the address is mapped to where there is no RAM */
	SHADOW_EMULATE, /* allowed, but no shadow entry can say so: emulate the instruction */
	SHADOW_STRANGE, /* allowed, and the shadow says so already: flush, and run the instruction again */
};

/* Counters, for statistics. */
struct shadow_counts {
	uint64_t faults, made, recycled, unsyncs, syncs, roots;
};

/**
 * Makes a pager with a pool of `tables` shadow tables (at least SHADOW_TABLES_MIN) for a guest whose memory is mem's; its slots so
 * far are prepared. mem must outlive it.
 * @stale  set to true whenever an entry changed such that the CPU's translations must go before the guest runs again; whoever
 *         enters the guest flushes and clears it
 * Returns NULL when there is no memory for it, below 4 GiB for the tables.
 */
struct shadow *shadow_create(struct guest_mem *mem, unsigned tables, bool *stale);
#define SHADOW_TABLES_MIN 64u
void shadow_destroy(struct shadow *sh);

/** Prepares for a slot that was added to mem. Must be called before the guest runs with it. 0 or -ENOMEM. */
int shadow_slot_added(struct shadow *sh, struct mem_slot *slot);
/** Drops all entries that map the slot or shadow tables in it, and frees what was kept for it. Call before it leaves mem. */
void shadow_slot_removed(struct shadow *sh, struct mem_slot *slot);

/** The tracker that hears of writes; its source is shadow_dirty_source. */
void shadow_set_dirty(struct shadow *sh, struct dirty *d);
extern const struct dirty_source shadow_dirty_source; /* arg: the struct shadow */

/**
 * How the guest's memory types (index: PAT, PCD, PWT of an entry) appear in shadow leaves: 8 combinations of the PAT, PCD and PWT
 * bits of a 4 KiB leaf. Existing leaves are dropped.
 */
void shadow_set_memory_types(struct shadow *sh, const uint64_t bits[8]);

/**
 * The root for the guest's paging mode: what CR3 must hold. All tables that were out of sync are in sync then; call it for a
 * guest's write of CR3 and for each change of its paging bits.
 */
uint64_t shadow_root(struct shadow *sh, const struct walk_mode *m);

/** Takes A out of the PAE root's entries, where it is reserved. Returns whether it was there. */
bool shadow_unmark_pae_root(struct shadow *sh);

/** The guest's INVLPG; and a page fault that the guest gets, which forgets its address as well. */
void shadow_invlpg(struct shadow *sh, uint64_t va);

/** The VMM writes [gpa, gpa + len) for the guest: tables there are out of sync. guest_mem calls this. */
void shadow_written(struct shadow *sh, uint64_t gpa, uint64_t len);

/**
 * A page fault at va while the root for m is in use. error: the CPU's error code.
 * @a      the access
 * @r      the walk's result: for SHADOW_FAULT its error code, for SHADOW_DEVICE the address
 */
enum shadow_result shadow_fault(struct shadow *sh, const struct walk_mode *m, uint64_t va, uint32_t error, struct walk_access a,
				struct walk_result *r);

/** Drops every shadow table: the guest is reset. */
void shadow_clear(struct shadow *sh);

const struct shadow_counts *shadow_counters(const struct shadow *sh);

#endif
