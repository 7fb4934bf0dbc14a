#include "vmm/hypercall_dirty.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mm/frames.h"
#include "vmm/hw/hw.h"
#include "vmm/vm.h"

/* No display stream may find the tracker full because of the guest. */
_Static_assert(HC_DIRTY_RANGES + DISPLAY_HEADS <= DIRTY_RANGES, "the heads' ranges");
_Static_assert(HC_DIRTY_CONSUMERS + 1 <= DIRTY_CONSUMERS, "the stream");

/* Pages that hold [gpa, gpa+bytes), which does not wrap. */
static uint32_t page_count(uint64_t gpa, uint64_t bytes)
{
	return (uint32_t)(((gpa + bytes - 1) >> PAGE_SHIFT) - (gpa >> PAGE_SHIFT) + 1);
}

static int check_range(const struct vm *vm, uint64_t gpa, uint64_t bytes)
{
	if (!bytes || gpa + bytes - 1 < gpa)
		return -EINVAL;
	if (bytes > HC_DIRTY_RANGE_BYTES)
		return -E2BIG;
	return guest_mem_check(&vm->mem, gpa, bytes);
}

static bool has_range(const struct guest_dirty *g, uint64_t id)
{
	return id < HC_DIRTY_RANGES && g->range[id].live;
}

static bool has_consumer(const struct guest_dirty *g, uint64_t id)
{
	return id < HC_DIRTY_CONSUMERS && g->consumer[id].live;
}

static int64_t info(struct vm *vm, uint64_t gpa)
{
	const struct guest_dirty *g = &vm->guest_dirty;
	struct hc_dirty_info out = { .ranges_max = HC_DIRTY_RANGES,
				     .consumers_max = HC_DIRTY_CONSUMERS,
				     .range_bytes_max = HC_DIRTY_RANGE_BYTES };

	snprintf(out.source, sizeof(out.source), "%s", vm->dirty.source->name);
	for (unsigned i = 0; i < HC_DIRTY_RANGES; i++)
		out.ranges += g->range[i].live;
	for (unsigned i = 0; i < HC_DIRTY_CONSUMERS; i++)
		out.consumers += g->consumer[i].live;
	return guest_mem_write(&vm->mem, gpa, &out, sizeof(out));
}

static int64_t range_add(struct vm *vm, uint64_t gpa, uint64_t bytes)
{
	struct guest_dirty *g = &vm->guest_dirty;
	int e = check_range(vm, gpa, bytes), number;
	unsigned id = 0;
	uint64_t start;

	if (e)
		return e;
	while (id < HC_DIRTY_RANGES && g->range[id].live)
		id++;
	if (id == HC_DIRTY_RANGES)
		return -ENOSPC;
	start = rdtsc();
	number = dirty_range_add(&vm->dirty, gpa, bytes);
	if (number < 0)
		return number;
	g->add_ticks = rdtsc() - start;
	g->range[id].live = true;
	g->range[id].number = number;
	g->range[id].pages = page_count(gpa, bytes);
	return id;
}

static int64_t range_move(struct vm *vm, uint64_t id, uint64_t gpa, uint64_t bytes)
{
	struct guest_dirty *g = &vm->guest_dirty;
	uint64_t start;
	int e;

	if (!has_range(g, id))
		return -ENOENT;
	e = check_range(vm, gpa, bytes);
	if (e)
		return e;
	start = rdtsc();
	e = dirty_range_move(&vm->dirty, g->range[id].number, gpa, bytes);
	if (e)
		return e;
	g->move_ticks = rdtsc() - start;
	g->range[id].pages = page_count(gpa, bytes);
	return 0;
}

static int64_t range_remove(struct vm *vm, uint64_t id)
{
	struct guest_dirty *g = &vm->guest_dirty;
	uint64_t start;

	if (!has_range(g, id))
		return -ENOENT;
	g->range[id].live = false;
	start = rdtsc();
	dirty_range_remove(&vm->dirty, g->range[id].number);
	g->remove_ticks = rdtsc() - start;
	return 0;
}

static int64_t consumer_add(struct vm *vm)
{
	struct guest_dirty *g = &vm->guest_dirty;
	unsigned id = 0;
	int number;

	while (id < HC_DIRTY_CONSUMERS && g->consumer[id].live)
		id++;
	if (id == HC_DIRTY_CONSUMERS)
		return -ENOSPC;
	number = dirty_consumer_add(&vm->dirty);
	if (number < 0)
		return number;
	g->consumer[id].live = true;
	g->consumer[id].number = number;
	return id;
}

static int64_t consumer_remove(struct vm *vm, uint64_t id)
{
	struct guest_dirty *g = &vm->guest_dirty;

	if (!has_consumer(g, id))
		return -ENOENT;
	g->consumer[id].live = false;
	return dirty_consumer_remove(&vm->dirty, g->consumer[id].number);
}

static int64_t query(struct vm *vm, const uint64_t *arg)
{
	static uint64_t bitmap[(HC_DIRTY_RANGE_BYTES >> PAGE_SHIFT) / 64 + 1]; /* + 1: a range that begins within a page */
	struct guest_dirty *g = &vm->guest_dirty;
	uint64_t consumer = arg[0], range = arg[1], gpa = arg[2], room = arg[3], start;
	size_t bytes, words;
	long pages;

	if (!has_consumer(g, consumer) || !has_range(g, range))
		return -ENOENT;
	bytes = (g->range[range].pages + 7) / 8;
	words = (g->range[range].pages + 63) / 64;
	if (room < bytes)
		return -ENOSPC;
	start = rdtsc();
	pages = dirty_query(&vm->dirty, g->consumer[consumer].number, g->range[range].number, bitmap, words);
	if (pages < 0)
		return pages;
	g->query_ticks = rdtsc() - start;
	if (!pages)
		memset(bitmap, 0, bytes);
	if (guest_mem_write(&vm->mem, gpa, bitmap, bytes)) {
		dirty_put_back(&vm->dirty, g->consumer[consumer].number, g->range[range].number, bitmap, words);
		return -EFAULT;
	}
	return pages;
}

static int64_t cost(struct vm *vm, uint64_t gpa)
{
	const struct guest_dirty *g = &vm->guest_dirty;
	struct hc_dirty_cost out = {
		.add_ticks = g->add_ticks,
		.move_ticks = g->move_ticks,
		.remove_ticks = g->remove_ticks,
		.query_ticks = g->query_ticks,
		.exits = vcpu_exits(vm->vcpu),
		.dirty_faults = vm->dirty.faults,
		.queries = vm->dirty.queries,
		.reported = vm->dirty.reported,
		.frames_free = frames_available(),
		.host_exits = vm->vcpu->exits[EXIT_HOST_INTERRUPT],
	};

	vm->vcpu->ops->counters(vm->vcpu, &out.vmcs_accesses, &out.tlb_flushes);
	return guest_mem_write(&vm->mem, gpa, &out, sizeof(out));
}

int64_t hypercall_dirty(struct vm *vm, uint32_t number, const uint64_t arg[4])
{
	switch (number) {
	case HC_DIRTY_INFO: return info(vm, arg[0]);
	case HC_DIRTY_RANGE_ADD: return range_add(vm, arg[0], arg[1]);
	case HC_DIRTY_RANGE_MOVE: return range_move(vm, arg[0], arg[1], arg[2]);
	case HC_DIRTY_RANGE_REMOVE: return range_remove(vm, arg[0]);
	case HC_DIRTY_CONSUMER_ADD: return consumer_add(vm);
	case HC_DIRTY_CONSUMER_REMOVE: return consumer_remove(vm, arg[0]);
	case HC_DIRTY_QUERY: return query(vm, arg);
	case HC_DIRTY_COST: return cost(vm, arg[0]);
	default: return -ENOSYS;
	}
}

void hypercall_dirty_reset(struct vm *vm)
{
	for (unsigned i = 0; i < HC_DIRTY_RANGES; i++)
		range_remove(vm, i);
	for (unsigned i = 0; i < HC_DIRTY_CONSUMERS; i++)
		consumer_remove(vm, i);
	memset(&vm->guest_dirty, 0, sizeof(vm->guest_dirty));
}
