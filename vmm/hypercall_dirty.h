/* The guest as a client of the dirty tracker (HC_DIRTY_*, vmm/hypercall.h): its ids, behind which the tracker's own stay hidden. */
#ifndef VMM_HYPERCALL_DIRTY_H
#define VMM_HYPERCALL_DIRTY_H

#include <stdbool.h>
#include <stdint.h>

#include "vmm/hypercall.h"

struct vm;

struct guest_dirty {
	struct {
		bool live;
		int number; /* the tracker's */
		uint32_t pages;
	} range[HC_DIRTY_RANGES];
	struct {
		bool live;
		int number;
	} consumer[HC_DIRTY_CONSUMERS];
	uint64_t add_ticks, move_ticks, remove_ticks, query_ticks; /* TSC ticks that the last call spent in the tracker */
};

/** A hypercall of HC_DIRTY_*: its result, or -ENOSYS when number is none of them. */
int64_t hypercall_dirty(struct vm *vm, uint32_t number, const uint64_t arg[4]);

/** Removes all of the guest's ranges and consumers. */
void hypercall_dirty_reset(struct vm *vm);

#endif
