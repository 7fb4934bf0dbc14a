/*
 * Writes into tracked memory by every means, under random queries of several consumers over overlapping ranges. Two oracles: each
 * (consumer, range) pair's copy, fed from reported pages alone, equals memory after every query (guest-tests/lib/track.h); and
 * memory equals an untracked twin on which every write was repeated.
 */
#include "guest-tests/dirty/dirty.h"

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/heads.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/string.h"
#include "guest-tests/lib/track.h"

#define CONSUMERS 3u
#define RANGES 6u
#define RANGE_BYTES (8 * PAGE)
#define RANGE_PAGES 9u /* that many pages RANGE_BYTES can touch */
#define QUERIES 40000u
#define EPOCH 500u /* queries until ranges get new places */
#define IDLE 8u	   /* one query of so many is repeated at once */

static struct track_view views[CONSUMERS * RANGES], whole[ZONES];
static int64_t consumer[CONSUMERS], range[RANGES], spare;
static const struct means *const lists[] = { cpu_means, vmm_means, walk_means };
static struct prng prng;

/* One write by m at a place that p chooses, repeated on the twin. */
static void write_by(const struct means *m, struct prng *p, unsigned alias)
{
	unsigned zone = prng_below(p, ZONES);
	uint64_t offset = prng_below(p, ZONE_BYTES - SPAN);
	struct place at, twin;
	struct prng r;

	if (prng_below(p, 2)) /* near a page's end */
		offset = (offset | (PAGE - 1)) - prng_below(p, 96);
	if (offset > ZONE_BYTES - SPAN)
		offset = ZONE_BYTES - SPAN;
	if (zone == 1 && !prng_below(p, 4)) /* near the 2 MiB boundary */
		offset = ZONE_BYTES / 2 - prng_below(p, 96);
	at = place_in_zone(zone, offset, alias);
	twin = place_in_twin(zone, offset, alias);
	r = (struct prng){ random64(p) | 1 };
	if (m->own) {
		m->fn(&at, &r);
		memcpy(twin.at, at.at, SPAN);
		memcpy(twin.flat, at.flat, SPAN);
	} else {
		struct prng again = r;

		m->fn(&at, &r);
		m->fn(&twin, &again);
	}
}

static const struct means *pick(struct prng *p)
{
	static unsigned total;
	unsigned n;

	for (unsigned i = 0; !total && i < sizeof(lists) / sizeof(lists[0]); i++)
		for (const struct means *m = lists[i]; m->name; m++)
			total += m->weight;
	n = prng_below(p, total);
	for (unsigned i = 0;; i++)
		for (const struct means *m = lists[i]; m->name; m++) {
			if (n < m->weight)
				return m;
			n -= m->weight;
		}
}

/* ---- each means alone */

static bool each_alone(const struct means *m)
{
	for (unsigned alias = 0; alias < alias_count(); alias++)
		for (unsigned i = 0; i < 6; i++) {
			write_by(m, &prng, alias);
			for (unsigned z = 0; z < ZONES; z++)
				if (!track_query(&whole[z])) {
					print("by %s, alias %u\n", m->name, alias);
					return false;
				}
		}
	if (twins_equal())
		return true;
	print("by %s\n", m->name);
	return false;
}

static bool prepare(void)
{
	if (!track_begin() || !places_make())
		return false;
	cpu_means_prepare();
	return walk_means_prepare();
}

static void test_each(void)
{
	uint64_t frames;

	if (!prepare())
		return;
	prng = track_seed(1);
	frames = track_frames_free();
	consumer[0] = track_consumer();
	spare = track_consumer();
	for (unsigned z = 0; z < ZONES; z++) {
		range[z] = track_range(zones[z].gpa, zones[z].tracked);
		if (!track_view_make(&whole[z], ZONE_PAGES + TABLE_PAGES))
			return;
		track_view_set(&whole[z], consumer[0], range[z], zones[z].gpa, zones[z].tracked);
		track_query_twice(&whole[z]);
	}
	vmm_means_prepare(spare, range[0], ZONE_PAGES + TABLE_PAGES);
	for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (const struct means *m = lists[i]; m->name; m++)
			if (!each_alone(m))
				return;
	for (unsigned z = 0; z < ZONES; z++)
		hypercall(HC_DIRTY_RANGE_REMOVE, (uint64_t)range[z], 0);
	hypercall(HC_DIRTY_CONSUMER_REMOVE, (uint64_t)consumer[0], 0);
	hypercall(HC_DIRTY_CONSUMER_REMOVE, (uint64_t)spare, 0);
	expect_eq("free frames in the end", track_frames_free(), frames);
	track_report("dirty-each");
}

/* ---- all of them mixed */

/* A run of bytes in one of the zones. */
static void random_range(uint64_t *gpa, uint64_t *bytes)
{
	const struct zone *z = &zones[prng_below(&prng, ZONES)];
	uint64_t offset = prng_below(&prng, (uint32_t)z->tracked);

	*bytes = 1 + prng_below(&prng, prng_below(&prng, 2) ? 2 * PAGE : RANGE_BYTES);
	if (*bytes > z->tracked - offset)
		*bytes = z->tracked - offset;
	*gpa = z->gpa + offset;
}

/* Gives range n a place; the first time a number too. */
static bool place_range(unsigned n, bool first)
{
	uint64_t gpa, bytes;
	int64_t e = 0;

	random_range(&gpa, &bytes);
	if (!first && prng_below(&prng, 2)) {
		e = hypercall4(HC_DIRTY_RANGE_MOVE, (uint64_t)range[n], gpa, bytes, 0);
	} else {
		if (!first)
			e = hypercall(HC_DIRTY_RANGE_REMOVE, (uint64_t)range[n], 0);
		range[n] = track_range(gpa, bytes);
	}
	for (unsigned c = 0; c < CONSUMERS; c++)
		track_view_set(&views[c * RANGES + n], consumer[c], range[n], gpa, bytes);
	if (!n)
		vmm_means_prepare(spare, range[0], views[0].pages);
	return expect(!e && range[n] >= 0, "a range of %lu bytes at 0x%lx: error %ld", bytes, gpa, e);
}

static bool random_step(void)
{
	struct track_view *v = &views[prng_below(&prng, CONSUMERS * RANGES)];

	for (unsigned n = prng_below(&prng, 5); n; n--)
		write_by(pick(&prng), &prng, prng_below(&prng, alias_count()));
	if (!(track_count.queries % EPOCH) && !place_range(prng_below(&prng, RANGES), false))
		return false;
	return prng_below(&prng, IDLE) ? track_query(v) : track_query_twice(v);
}

static bool begin_random(void)
{
	for (unsigned c = 0; c < CONSUMERS; c++)
		consumer[c] = track_consumer();
	spare = track_consumer();
	for (unsigned i = 0; i < CONSUMERS * RANGES; i++)
		if (!track_view_make(&views[i], RANGE_PAGES))
			return false;
	for (unsigned n = 0; n < RANGES; n++)
		if (!place_range(n, true))
			return false;
	return true;
}

static void test_random(void)
{
	uint64_t queries = boot_number("queries", QUERIES), next_look = 0, frames;

	if (!prepare())
		return;
	prng = track_seed(2);
	frames = track_frames_free();
	if (!begin_random())
		return;
	while (track_count.queries < queries) {
		if (!random_step())
			return;
		if (track_count.queries >= next_look && !twins_equal())
			return;
		if (track_count.queries >= next_look)
			next_look += EPOCH;
	}
	for (unsigned i = 0; i < CONSUMERS * RANGES; i++)
		if (!track_query_twice(&views[i]))
			return;
	for (unsigned n = 0; n < RANGES; n++)
		hypercall(HC_DIRTY_RANGE_REMOVE, (uint64_t)range[n], 0);
	for (unsigned c = 0; c < CONSUMERS; c++)
		hypercall(HC_DIRTY_CONSUMER_REMOVE, (uint64_t)consumer[c], 0);
	hypercall(HC_DIRTY_CONSUMER_REMOVE, (uint64_t)spare, 0);
	expect_eq("free frames in the end", track_frames_free(), frames);
	track_report("dirty-random");
}

static const struct test tests[] = {
	{ "dirty-each", test_each },
	{ "dirty-random", test_random },
	{ 0 },
};

int main(void)
{
	return track_main(tests);
}
