#include "vmm/loader_priv.h"

#include <errno.h>

#include "mm/layout.h"

#define MAP_USABLE 1u

/* The end of the run of usable RAM that goes on from addr within one entry of the map, at most limit; addr itself: not RAM. */
static uint64_t map_run(const struct load *l, uint64_t addr, uint64_t limit)
{
	for (unsigned i = 0; i < l->in->map_count; i++) {
		const struct loader_map *e = &l->in->map[i];

		if (e->type != MAP_USABLE || addr < e->base || addr - e->base >= e->len)
			continue;
		uint64_t left = e->len - (addr - e->base);

		return limit - addr < left ? limit : addr + left;
	}
	return addr;
}

static uint64_t slot_run(const struct load *l, uint64_t addr, uint64_t limit)
{
	const struct mem_slot *s = guest_mem_slot(l->mem, addr);

	if (!s)
		return addr;
	uint64_t left = s->len - (addr - s->gpa);

	return limit - addr < left ? limit : addr + left;
}

bool place_is_ram(const struct load *l, struct span s)
{
	while (s.start < s.end) {
		uint64_t end = map_run(l, s.start, s.end);

		end = slot_run(l, s.start, end);
		if (end == s.start)
			return false;
		s.start = end;
	}
	return true;
}

void place_take(struct load *l, struct span s)
{
	if (l->taken_count < LOADER_TAKEN)
		l->taken[l->taken_count++] = s;
}

static const struct span *conflict(const struct load *l, struct span s)
{
	for (unsigned i = 0; i < l->taken_count; i++)
		if (s.start < l->taken[i].end && l->taken[i].start < s.end)
			return &l->taken[i];
	return NULL;
}

static uint64_t align_up(uint64_t v, uint64_t align)
{
	return (v + align - 1) & ~(align - 1);
}

static uint64_t align_down(uint64_t v, uint64_t align)
{
	return v & ~(align - 1);
}

/* What an entry of the map offers within [from, to). */
static struct span offer(const struct loader_map *e, uint64_t from, uint64_t to)
{
	uint64_t end = e->base + e->len < e->base ? UINT64_MAX : e->base + e->len;
	struct span s = { e->base > from ? e->base : from, end < to ? end : to };

	if (e->type != MAP_USABLE || s.start > s.end)
		s.end = s.start;
	return s;
}

/* Every round passes one taken span for good, so both searches end. Addresses here are below 4 GiB: sums do not wrap. */

static bool lowest(const struct load *l, struct span room, uint64_t size, uint64_t align, struct span *s)
{
	const struct span *c;

	s->start = align_up(room.start, align);
	for (;;) {
		s->end = s->start + size;
		if (s->end > room.end)
			return false;
		c = conflict(l, *s);
		if (!c)
			return place_is_ram(l, *s);
		s->start = align_up(c->end, align);
	}
}

static bool highest(const struct load *l, struct span room, uint64_t size, uint64_t align, struct span *s)
{
	const struct span *c;

	s->end = room.end;
	for (;;) {
		if (s->end < room.start + size)
			return false;
		s->start = align_down(s->end - size, align);
		if (s->start < room.start)
			return false;
		s->end = s->start + size;
		c = conflict(l, *s);
		if (!c)
			return place_is_ram(l, *s);
		s->end = c->start;
	}
}

static int place(struct load *l, uint64_t size, uint64_t align, struct span within, bool high, uint64_t *at)
{
	struct span best = { 0, 0 }, s = { 0, 0 };
	bool found = false;

	if (within.end > GUEST_HIGH_RAM || size > GUEST_HIGH_RAM)
		return -ENOSPC;
	for (unsigned i = 0; i < l->in->map_count; i++) {
		struct span room = offer(&l->in->map[i], within.start, within.end);

		if (room.start == room.end || !(high ? highest : lowest)(l, room, size, align, &s))
			continue;
		if (!found || (high ? s.start > best.start : s.start < best.start))
			best = s;
		found = true;
	}
	if (!found)
		return -ENOSPC;
	place_take(l, best);
	*at = best.start;
	return 0;
}

int place_low(struct load *l, uint64_t size, uint64_t align, uint64_t from, uint64_t to, uint64_t *at)
{
	return place(l, size, align, (struct span){ from, to }, false, at);
}

int place_high(struct load *l, uint64_t size, uint64_t align, uint64_t from, uint64_t to, uint64_t *at)
{
	return place(l, size, align, (struct span){ from, to }, true, at);
}
