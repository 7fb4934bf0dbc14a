/*
 * Ranges that are added, moved, resized and removed one alone while the guest writes and several consumers ask: no write is missed,
 * the first query says all, one range's end harms no other, errors are exact and without effect, and in the end all memory is free
 * again.
 */
#include "guest-tests/ranges/ranges.h"

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/fpu.h"
#include "guest-tests/lib/heads.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/string.h"
#include "guest-tests/lib/trap.h"

#define LARGE 0x200000ull
#define QUERIES 45000u
#define LARGE_AT 0x2000000ull /* 32 MiB: RAM that nothing else uses */

uint64_t areas[AREAS];
static struct prng prng;
static uint8_t bitmaps[2 * PAGE] __attribute__((aligned(4096)));

bool areas_make(void)
{
	uint8_t *ram;

	if (areas[0])
		return true;
	if (!head_count || heads[0].size < 2 * AREA_BYTES) {
		skip("there is no head, or it is too small");
		return false;
	}
	ram = ram_alloc(2 * LARGE);
	areas[0] = (((uint64_t)ram + LARGE) & ~(LARGE - 1)) - AREA_BYTES / 2;
	if (areas[0] < (uint64_t)ram)
		areas[0] += LARGE;
	areas[1] = (uint64_t)heads[0].vram + PAGE;
	return expect(ram, "no RAM");
}

static bool prepare(void)
{
	struct hc_dirty_info info = { 0 };

	if (!track_begin() || !areas_make())
		return false;
	hypercall(HC_DIRTY_INFO, (uint64_t)&info, 0);
	print("source %s\n", info.source);
	model_begin(!memcmp(info.source, "fault", 6));
	return true;
}

static bool clear_all(void)
{
	bool ok = true;

	for (unsigned n = 0; n < HC_DIRTY_RANGES; n++)
		ok &= !model_ranges[n].live || model_remove(n);
	for (unsigned c = 0; c < HC_DIRTY_CONSUMERS; c++)
		ok &= model_consumers[c] < 0 || model_consumer_remove(c);
	return ok;
}

/* ---- random */

static void random_place(uint64_t *gpa, uint64_t *bytes)
{
	uint64_t offset = prng_below(&prng, AREA_BYTES);

	switch (prng_below(&prng, 4)) {
	case 0: /* a few bytes around a page's edge */
		offset = (offset | (PAGE - 1)) - prng_below(&prng, 4);
		*bytes = 1 + prng_below(&prng, 8);
		break;
	case 1: *bytes = 1 + prng_below(&prng, AREA_BYTES); break;
	default: *bytes = 1 + prng_below(&prng, 8 * PAGE); break;
	}
	if (*bytes > AREA_BYTES - offset)
		*bytes = AREA_BYTES - offset;
	*gpa = areas[prng_below(&prng, AREAS)] + offset;
}

static void random_write(void)
{
	uint64_t gpa = areas[prng_below(&prng, AREAS)] + prng_below(&prng, AREA_BYTES - 2 * PAGE), n;
	static struct hc_poke poke;
	void *to;

	if (prng_below(&prng, 2))
		gpa = (gpa | (PAGE - 1)) - prng_below(&prng, 16);
	switch (prng_below(&prng, 8)) {
	case 0:
		poke = (struct hc_poke){ .gpa = gpa, .bytes = 1 + prng_below(&prng, 100), .seed = prng_next(&prng) };
		hypercall(HC_POKE, (uint64_t)&poke, 0);
		model_written(gpa, poke.bytes);
		break;
	case 1:
		n = 1 + prng_below(&prng, PAGE);
		to = (void *)gpa;
		model_written(gpa, n);
		__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(prng_next(&prng)) : "memory");
		break;
	case 2:
		*(volatile uint8_t *)gpa = (uint8_t)prng_next(&prng);
		model_written(gpa, 1);
		break;
	default:
		*(volatile uint64_t *)gpa = prng_next(&prng);
		model_written(gpa, 8);
		break;
	}
}

/* Where a query's bitmap goes: aligned or not, over a page's end, now and then into tracked memory itself. */
static uint8_t *random_bitmap(void)
{
	if (!prng_below(&prng, 16))
		return (uint8_t *)areas[prng_below(&prng, AREAS)] + prng_below(&prng, AREA_BYTES - 8);
	return bitmaps + PAGE - prng_below(&prng, 16);
}

static bool random_query(void)
{
	unsigned n = prng_below(&prng, HC_DIRTY_RANGES), c = prng_below(&prng, HC_DIRTY_CONSUMERS);

	for (unsigned i = 0; i < HC_DIRTY_RANGES && !model_ranges[n].live; i++)
		n = (n + 1) % HC_DIRTY_RANGES;
	for (unsigned i = 0; i < HC_DIRTY_CONSUMERS && model_consumers[c] < 0; i++)
		c = (c + 1) % HC_DIRTY_CONSUMERS;
	return !model_ranges[n].live || model_consumers[c] < 0 || model_query(c, n, random_bitmap());
}

/* Towards `wanted` live ranges. */
static bool random_change(unsigned wanted)
{
	unsigned n = prng_below(&prng, HC_DIRTY_RANGES), live = model_live();
	uint64_t gpa, bytes;

	random_place(&gpa, &bytes);
	if (live < wanted || (live == HC_DIRTY_RANGES && !prng_below(&prng, 4)))
		return model_add(gpa, bytes);
	if (!model_ranges[n].live)
		return true;
	if (live > wanted)
		return model_remove(n);
	return model_move(n, gpa, bytes);
}

static bool random_step(void)
{
	static unsigned wanted;
	unsigned what = prng_below(&prng, 1000), c = prng_below(&prng, HC_DIRTY_CONSUMERS);

	if (what < 4)
		wanted = prng_below(&prng, 3) ? prng_below(&prng, HC_DIRTY_RANGES + 1) : HC_DIRTY_RANGES;
	if (what < 100)
		return random_change(wanted);
	if (what < 110)
		return model_consumers[c] >= 0 && prng_below(&prng, 2) ? model_consumer_remove(c) : model_consumer_add();
	if (what < 170)
		return wrong_call(&prng);
	if (what < 600)
		random_write();
	return what < 600 || random_query();
}

static void test_random(void)
{
	uint64_t queries = boot_number("queries", QUERIES), frames;
	unsigned most = 0;

	if (!prepare())
		return;
	prng = track_seed(3);
	frames = track_frames_free();
	while (track_count.queries < queries) {
		if (!random_step()) {
			print("query %lu\n", track_count.queries);
			return;
		}
		if (model_live() > most)
			most = model_live();
	}
	clear_all();
	expect_eq("free frames in the end", track_frames_free(), frames);
	expect(queries < QUERIES || most >= 64, "only %u ranges were live at a time", most);
	print("up to %u ranges at a time, %lu pages reported that nobody wrote\n", most, model_extra);
	track_report("ranges-random");
}

/* ---- limits */

static void test_limits(void)
{
	struct hc_dirty_info info = { 0 };
	uint64_t frames;

	if (!prepare())
		return;
	prng = track_seed(4);
	frames = track_frames_free();
	for (unsigned id = 0; id < 200; id++) {
		expect_eq("removing the stream's range", (uint64_t)hypercall(HC_DIRTY_RANGE_REMOVE, id, 0),
			  (uint64_t)ERROR(ENOENT));
		expect_eq("removing the stream's consumer", (uint64_t)hypercall(HC_DIRTY_CONSUMER_REMOVE, id, 0),
			  (uint64_t)ERROR(ENOENT));
		expect_eq("moving the stream's range", (uint64_t)hypercall4(HC_DIRTY_RANGE_MOVE, id, areas[0], PAGE, 0),
			  (uint64_t)ERROR(ENOENT));
	}
	for (unsigned round = 0; round < 3; round++) {
		for (unsigned n = 0; n < HC_DIRTY_RANGES + 2; n++) {
			uint64_t gpa, bytes;

			random_place(&gpa, &bytes);
			if (!model_add(gpa, bytes))
				return;
		}
		for (unsigned c = 0; c < HC_DIRTY_CONSUMERS + 2; c++)
			if (!model_consumer_add())
				return;
		hypercall(HC_DIRTY_INFO, (uint64_t)&info, 0);
		expect_eq("live ranges", info.ranges, info.ranges_max);
		expect_eq("live consumers", info.consumers, info.consumers_max);
		for (unsigned c = 0; c < HC_DIRTY_CONSUMERS; c++)
			for (unsigned n = 0; n < HC_DIRTY_RANGES; n++)
				if (!model_query(c, n, bitmaps + prng_below(&prng, PAGE)))
					return;
		if (!clear_all())
			return;
		expect_eq("free frames", track_frames_free(), frames);
	}
	track_report("ranges-limits");
}

/* ---- the largest range: split and merged over many large pages */

static bool large_query(int64_t consumer, int64_t range, uint8_t *bits, uint64_t bytes, int64_t want, unsigned page)
{
	int64_t n = hypercall4(HC_DIRTY_QUERY, (uint64_t)consumer, (uint64_t)range, (uint64_t)bits, bytes);

	track_count.queries++;
	return expect(n == want, "a query of the largest range: %ld pages, not %ld", n, want) &&
	       expect(bits[page / 8] >> page % 8 & 1, "page %u is not among them", page);
}

/* Writes to many pages with no exit of the guest's own between them: more than a log of the CPU's holds (PML: 512 entries). */
static bool large_burst(int64_t consumer, int64_t range, uint8_t *bits, uint64_t pages)
{
	const uint64_t base = LARGE_AT & ~(uint64_t)(PAGE - 1), room = (pages + 7) / 8;
	unsigned count = 513 + prng_below(&prng, 2000), step = 1 + prng_below(&prng, (uint32_t)pages / count), first, wrong = 0;
	int64_t n;

	first = prng_below(&prng, (uint32_t)(pages - (uint64_t)(count - 1) * step));
	for (unsigned i = 0; i < count; i++)
		*(volatile uint8_t *)(base + (first + (uint64_t)i * step) * PAGE + prng_below(&prng, PAGE)) = (uint8_t)i;
	n = hypercall4(HC_DIRTY_QUERY, (uint64_t)consumer, (uint64_t)range, (uint64_t)bits, room);
	track_count.queries++;
	for (unsigned p = 0; p < pages; p++) {
		bool written = p >= first && (p - first) % step == 0 && (p - first) / step < count;

		wrong += written != (bits[p / 8] >> p % 8 & 1);
	}
	return expect(n == count && !wrong, "%u pages from %u on, every %u: %ld reported, %u wrong", count, first, step, n, wrong);
}

static void test_large(void)
{
	const uint64_t at = LARGE_AT + 5, bytes = HC_DIRTY_RANGE_BYTES, pages = bytes / PAGE + 1;
	uint64_t frames;
	uint8_t *bits;
	int64_t consumer, range;

	if (!prepare())
		return;
	if (boot.mem_upper < (LARGE_AT + bytes + PAGE - 0x100000) / 1024) {
		skip("too little RAM");
		return;
	}
	prng = track_seed(5);
	bits = ram_alloc((pages + 7) / 8);
	frames = track_frames_free();
	consumer = track_consumer();
	range = track_range(at, bytes);
	if (!expect(bits && consumer >= 0 && range >= 0, "no range") ||
	    !large_query(consumer, range, bits, (pages + 7) / 8, (int64_t)pages, (unsigned)pages - 1))
		return;
	for (unsigned i = 0; i < 100; i++) {
		unsigned page = prng_below(&prng, (uint32_t)pages);

		*(volatile uint32_t *)((LARGE_AT & ~(uint64_t)(PAGE - 1)) + page * (uint64_t)PAGE + prng_below(&prng, PAGE - 4)) =
			i;
		if (!large_query(consumer, range, bits, (pages + 7) / 8, 1, page))
			return;
	}
	for (unsigned i = 0; i < 10; i++)
		if (!large_burst(consumer, range, bits, pages))
			return;
	hypercall(HC_DIRTY_RANGE_REMOVE, (uint64_t)range, 0);
	hypercall(HC_DIRTY_CONSUMER_REMOVE, (uint64_t)consumer, 0);
	expect_eq("free frames in the end", track_frames_free(), frames);
	track_report("ranges-large");
}

/* ---- from other modes */

static void test_compat(void)
{
	const uint64_t upper = 0xdeadbeef00000000ull;
	bool vmcall = hyper_present() && hyper_is_vmcall();
	int64_t range, consumer;

	if (!prepare())
		return;
	range = hypercall_compat(HC_DIRTY_RANGE_ADD, areas[0] | upper, (3 * PAGE) | upper, upper, upper, vmcall);
	consumer = hypercall_compat(HC_DIRTY_CONSUMER_ADD, upper, upper, upper, upper, vmcall);
	expect(range >= 0 && range < HC_DIRTY_RANGES && consumer >= 0, "from 32-bit code: range %ld, consumer %ld", range,
	       consumer);
	*bitmaps = 0;
	expect_eq("a query from 32-bit code",
		  (uint64_t)hypercall_compat(HC_DIRTY_QUERY, (uint64_t)consumer | upper, (uint64_t)range | upper,
					     (uint64_t)bitmaps | upper, 1 | upper, vmcall),
		  3);
	expect_eq("its bitmap", *bitmaps, 7);
	expect_eq("a query without room",
		  (uint64_t)hypercall_compat(HC_DIRTY_QUERY, (uint64_t)consumer, (uint64_t)range, (uint64_t)bitmaps, upper, vmcall),
		  (uint32_t)ERROR(ENOSPC));
	expect_eq("removing from 32-bit code", (uint64_t)hypercall_compat(HC_DIRTY_RANGE_REMOVE, (uint64_t)range, 0, 0, 0, vmcall),
		  0);
	expect_eq("removing again", (uint64_t)hypercall_compat(HC_DIRTY_RANGE_REMOVE, (uint64_t)range, 0, 0, 0, vmcall),
		  (uint32_t)ERROR(ENOENT));
	hypercall(HC_DIRTY_CONSUMER_REMOVE, (uint64_t)consumer, 0);
}

static uint64_t user_vmcall(uint64_t n)
{
	__asm__ volatile("vmcall" : "+a"(n) : "b"(0x200000), "c"(PAGE), "d"(0), "S"(0) : "memory");
	return n;
}

static uint64_t user_vmmcall(uint64_t n)
{
	__asm__ volatile("vmmcall" : "+a"(n) : "b"(0x200000), "c"(PAGE), "d"(0), "S"(0) : "memory");
	return n;
}

static void test_user(void)
{
	struct hc_dirty_info info = { 0 };
	uint64_t v = 0;

	if (!prepare())
		return;
	for (uint32_t call = HC_DIRTY_INFO; call <= HC_POKE; call++) {
		expect(!user_run(hyper_is_vmcall() ? user_vmcall : user_vmmcall, call, &v), "the hypercall trapped");
		expect_eq("a call from CPL 3", v, (uint64_t)ERROR(EPERM));
	}
	hypercall(HC_DIRTY_INFO, (uint64_t)&info, 0);
	expect(!info.ranges && !info.consumers, "CPL 3 made %u ranges and %u consumers", info.ranges, info.consumers);
}

/* The VMM clears a range's bitmaps by a vector register while the guest's are in the CPU. */
static void test_vectors(void)
{
	static const uint64_t given[4] = { 0x0123456789abcdef, 0xfedcba9876543210, 0x1122334455667788, 0x8877665544332211 };
	uint64_t found[4] = { 0 };
	int64_t range;

	if (!prepare())
		return;
	if (fpu_on() & XCR0_AVX) {
		__asm__ volatile("vmovups %0, %%ymm0" ::"m"(given));
		range = hypercall(HC_DIRTY_RANGE_ADD, areas[0], PAGE);
		__asm__ volatile("vmovups %%ymm0, %0" : "=m"(found));
		expect(!memcmp(found, given, 32), "YMM0 became %lx %lx %lx %lx", found[0], found[1], found[2], found[3]);
	} else {
		__asm__ volatile("movups %0, %%xmm0" ::"m"(given));
		range = hypercall(HC_DIRTY_RANGE_ADD, areas[0], PAGE);
		__asm__ volatile("movups %%xmm0, %0" : "=m"(found));
		expect(!memcmp(found, given, 16), "XMM0 became %lx %lx", found[0], found[1]);
	}
	expect_eq("its end", (uint64_t)hypercall(HC_DIRTY_RANGE_REMOVE, (uint64_t)range, 0), 0);
}

static const struct test tests[] = {
	{ "ranges-limits", test_limits },
	{ "ranges-random", test_random },
	{ "ranges-large", test_large },
	{ "ranges-compat", test_compat },
	{ "ranges-user", test_user },
	{ "ranges-vectors", test_vectors },
	{ 0 },
};

int main(void)
{
	return track_main(tests);
}
