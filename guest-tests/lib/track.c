#include "guest-tests/lib/track.h"

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/heads.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/string.h"

#define PAGE 4096u
#define GUARD_BYTE 0xa5

struct track_count track_count;

void track_clear(void)
{
	for (unsigned id = 0; id < HC_DIRTY_RANGES; id++)
		hypercall(HC_DIRTY_RANGE_REMOVE, id, 0);
	for (unsigned id = 0; id < HC_DIRTY_CONSUMERS; id++)
		hypercall(HC_DIRTY_CONSUMER_REMOVE, id, 0);
}

bool track_begin(void)
{
	if (!hyper_present()) {
		skip("not under Tessera");
		return false;
	}
	track_clear();
	track_count = (struct track_count){ 0 };
	return true;
}

int64_t track_range(uint64_t gpa, uint64_t bytes)
{
	int64_t range = hypercall(HC_DIRTY_RANGE_ADD, gpa, bytes);

	expect(range >= 0, "a range of %lu bytes at 0x%lx: error %ld", bytes, gpa, range);
	return range;
}

int64_t track_consumer(void)
{
	int64_t consumer = hypercall(HC_DIRTY_CONSUMER_ADD, 0, 0);

	expect(consumer >= 0, "a consumer: error %ld", consumer);
	return consumer;
}

bool track_view_make(struct track_view *v, unsigned pages_max)
{
	v->copy = ram_alloc(pages_max * (uint64_t)PAGE);
	v->pages_max = pages_max;
	return expect(v->copy, "no RAM for a copy of %u pages", pages_max);
}

void track_view_set(struct track_view *v, int64_t consumer, int64_t range, uint64_t gpa, uint64_t bytes)
{
	v->consumer = consumer;
	v->range = range;
	v->gpa = gpa & ~(uint64_t)(PAGE - 1);
	v->pages = (unsigned)((gpa + bytes - 1) / PAGE - gpa / PAGE + 1);
	v->fresh = true;
}

/* Both page-aligned. Eight words at a time: most pages are equal, and there are many. */
static bool page_equal(const uint64_t *a, const uint64_t *b)
{
	uint64_t different = 0;

	for (unsigned i = 0; i < PAGE / 8; i += 8)
		different |= (a[i] ^ b[i]) | (a[i + 1] ^ b[i + 1]) | (a[i + 2] ^ b[i + 2]) | (a[i + 3] ^ b[i + 3]) |
			     (a[i + 4] ^ b[i + 4]) | (a[i + 5] ^ b[i + 5]) | (a[i + 6] ^ b[i + 6]) | (a[i + 7] ^ b[i + 7]);
	return !different;
}

static void page_copy(void *to, const void *from)
{
	uint64_t n = PAGE / 8;

	__asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(n)::"memory");
}

/* The hypercall alone, with its bitmap checked to the bit. Negative: an error, which fails the test. */
static int64_t query(const struct track_view *v, uint8_t *bits)
{
	unsigned bytes = (v->pages + 7) / 8, ones = 0;
	int64_t n;

	bits[bytes] = GUARD_BYTE;
	n = hypercall4(HC_DIRTY_QUERY, (uint64_t)v->consumer, (uint64_t)v->range, (uint64_t)bits, bytes);
	track_count.queries++;
	for (unsigned i = 0; n >= 0 && i < bytes * 8; i++)
		if (bits[i / 8] >> i % 8 & 1) {
			ones++;
			expect(i < v->pages, "bit %u is set of a bitmap of %u pages", i, v->pages);
		}
	expect(n == ones, "query of consumer %ld, range %ld: %ld, but %u bits", v->consumer, v->range, n, ones);
	expect(bits[bytes] == GUARD_BYTE, "the bitmap is longer than %u bytes", bytes);
	if (n > 0)
		track_count.reported += (uint64_t)n;
	return n == ones ? n : -1;
}

bool track_query(struct track_view *v)
{
	static uint8_t bits[TRACK_PAGES_MAX / 8 + 1];
	bool ok = true;
	int64_t n = query(v, bits);

	if (n < 0)
		return false;
	if (v->fresh)
		ok = expect(n == v->pages, "the first query of a range of %u pages reported %ld", v->pages, n);
	for (unsigned i = 0; i < v->pages; i++) {
		void *copy = v->copy + i * (uint64_t)PAGE;
		const void *memory = (const void *)(v->gpa + i * (uint64_t)PAGE);
		bool reported = bits[i / 8] >> i % 8 & 1;

		if (reported && !v->fresh && page_equal(copy, memory))
			track_count.same++;
		if (reported)
			page_copy(copy, memory);
		else if (!page_equal(copy, memory))
			ok = expect(false, "missed: page %u of %u at 0x%lx, consumer %ld, range %ld, query %lu", i, v->pages,
				    v->gpa, v->consumer, v->range, track_count.queries);
	}
	v->fresh = false;
	return ok;
}

bool track_query_twice(struct track_view *v)
{
	uint64_t before;

	if (!track_query(v))
		return false;
	before = track_count.reported;
	if (!track_query(v))
		return false;
	track_count.idle += track_count.reported - before;
	return expect(track_count.reported == before, "%lu pages were reported though nothing was written",
		      track_count.reported - before);
}

void track_cost(struct hc_dirty_cost *cost)
{
	int64_t e = hypercall(HC_DIRTY_COST, (uint64_t)cost, 0);

	expect(!e, "HC_DIRTY_COST: error %ld", e);
}

uint64_t track_frames_free(void)
{
	struct hc_dirty_cost cost = { 0 };

	track_cost(&cost);
	return cost.frames_free;
}

void track_report(const char *name)
{
	const struct track_count *c = &track_count;

	print("%s: %lu queries, %lu pages reported, %lu of them unchanged, %lu when idle\n", name, c->queries, c->reported, c->same,
	      c->idle);
	track_count = (struct track_count){ 0 };
}

struct prng track_seed(uint64_t otherwise)
{
	uint64_t seed = boot_number("seed", otherwise);

	print("seed=%lu\n", seed);
	return (struct prng){ seed ? seed : 1 };
}

int track_main(const struct test *tests)
{
	const char *why;

	guest_init();
	why = heads_find();
	if (why)
		check(false, "heads", why);
	tests_run(tests);
	if (head_count)
		memset((void *)heads[0].vram, 0, heads[0].size);
	return tests_failed() ? 1 : 0;
}
