/* Calls that must be refused, with the error that vmm/hypercall.h promises, and without effect. */
#include "guest-tests/ranges/ranges.h"

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/heads.h"
#include "guest-tests/lib/print.h"

static bool refused(const char *what, int64_t got, int64_t want)
{
	return expect(got == want, "%s: %ld, not %ld", what, got, want);
}

/* A place that can't be tracked, and why. */
static int64_t bad_place(struct prng *r, uint64_t *gpa, uint64_t *bytes)
{
	uint64_t vram_end = (uint64_t)heads[0].vram + heads[0].size;

	switch (prng_below(r, 8)) {
	case 0:
		*gpa = areas[0] + prng_next(r) % AREA_BYTES;
		*bytes = 0;
		return ERROR(EINVAL);
	case 1:
		*gpa = ~0ull - prng_below(r, 4096);
		*bytes = 4097 + prng_below(r, 4096);
		return ERROR(EINVAL);
	case 2:
		*gpa = 4096;
		*bytes = ~0ull - 4095 + prng_below(r, 2); /* up to the very end, or a byte further */
		return *bytes == ~0ull - 4095 ? ERROR(E2BIG) : ERROR(EINVAL);
	case 3:
		*gpa = areas[0];
		*bytes = HC_DIRTY_RANGE_BYTES + 1ull + (prng_below(r, 2) ? 0 : (uint64_t)prng_next(r) << 20);
		return ERROR(E2BIG);
	case 4:
		*gpa = UNBACKED + prng_below(r, 4096);
		*bytes = 1 + prng_below(r, 100000);
		return ERROR(EFAULT);
	case 5:
		*gpa = vram_end - 1 - prng_below(r, 8192);
		*bytes = vram_end - *gpa + 1;
		return ERROR(EFAULT);
	case 6:
		*gpa = (uint64_t)heads[0].vram - 1;
		*bytes = 2 + prng_below(r, 8192);
		return ERROR(EFAULT);
	default:
		*gpa = areas[0] | 1ull << (40 + prng_below(r, 23));
		*bytes = 1 + prng_below(r, 100000);
		return ERROR(EFAULT);
	}
}

/* A number that is no live id: near to real ones, or one of them with an upper bit. */
static uint64_t dead_id(struct prng *r, uint64_t live)
{
	switch (prng_below(r, 4)) {
	case 0: return live | 1ull << 32;
	case 1: return live | 1ull << (8 + prng_below(r, 56));
	case 2: return ~0ull - prng_below(r, 200);
	default: return HC_DIRTY_RANGES + prng_below(r, 100);
	}
}

/* A bitmap's address that can't be written to its end, for two bytes or more. */
static uint64_t bad_bitmap(struct prng *r)
{
	switch (prng_below(r, 4)) {
	case 0: return UNBACKED + prng_below(r, 4096);
	case 1: return ~0ull;
	case 2: return (uint64_t)heads[0].vram + heads[0].size - 1;
	default: return 1ull << (40 + prng_below(r, 23));
	}
}

static bool wrong_query(struct prng *r, unsigned c, unsigned n)
{
	const struct model_range *m = &model_ranges[n];
	static uint8_t bitmap[8];
	uint64_t bytes = (m->pages + 7) / 8, consumer = (uint64_t)model_consumers[c], range = (uint64_t)m->id;

	switch (prng_below(r, 4)) {
	case 0:
		return refused("a query of no range", hypercall4(HC_DIRTY_QUERY, consumer, dead_id(r, range), (uint64_t)bitmap, 8),
			       ERROR(ENOENT));
	case 1:
		return refused("a query by nobody", hypercall4(HC_DIRTY_QUERY, dead_id(r, consumer), range, (uint64_t)bitmap, 8),
			       ERROR(ENOENT));
	case 2:
		return refused("a bitmap too small",
			       hypercall4(HC_DIRTY_QUERY, consumer, range, (uint64_t)bitmap, prng_below(r, (uint32_t)bytes)),
			       ERROR(ENOSPC));
	default:
		return bytes < 2 ||
		       refused("a bitmap in nowhere",
			       hypercall4(HC_DIRTY_QUERY, consumer, range, bad_bitmap(r), bytes + prng_below(r, 2)), ERROR(EFAULT));
	}
}

bool wrong_call(struct prng *r)
{
	unsigned n = prng_below(r, HC_DIRTY_RANGES), c = prng_below(r, HC_DIRTY_CONSUMERS);
	uint64_t gpa, bytes, id = model_ranges[n].live ? (uint64_t)model_ranges[n].id : n;
	int64_t e;

	switch (prng_below(r, 6)) {
	case 0:
		e = bad_place(r, &gpa, &bytes);
		return refused("a range in a bad place", hypercall(HC_DIRTY_RANGE_ADD, gpa, bytes), e);
	case 1:
		e = model_ranges[n].live ? bad_place(r, &gpa, &bytes) : ERROR(ENOENT);
		if (!model_ranges[n].live) {
			gpa = areas[0];
			bytes = PAGE;
			id = dead_id(r, id);
		}
		return refused("a move", hypercall4(HC_DIRTY_RANGE_MOVE, id, gpa, bytes, 0), e);
	case 2: return refused("removing no range", hypercall(HC_DIRTY_RANGE_REMOVE, dead_id(r, id), 0), ERROR(ENOENT));
	case 3: return refused("removing no consumer", hypercall(HC_DIRTY_CONSUMER_REMOVE, dead_id(r, c), 0), ERROR(ENOENT));
	default: return !model_ranges[n].live || model_consumers[c] < 0 || wrong_query(r, c, n);
	}
}
