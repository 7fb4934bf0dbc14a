/*
 * The dirty tracker's rows. A range is a framebuffer of 1920 x 1080 x 4 bytes: 2,025 pages, which the guest maps in 4 KiB pages
 * whose A and D bits are set, as a guest that has drawn before.
 */
#include "guest-tests/bench/bench.h"

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/paging.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/string.h"
#include "guest-tests/lib/window.h"

#define PAGE 4096ull
#define RANGE_PAGES 2025u
#define RANGE_BYTES (RANGE_PAGES * PAGE)
#define RANGE_APART 0x800000ull /* each begins with a 2 MiB page */
#define RANGES 4u
#define RUNS 9
#define PARTS 45u
#define PART_PAGES (RANGE_PAGES / PARTS)
_Static_assert(RANGE_PAGES % PARTS == 0, "parts of one size");
#define BITMAP_BYTES ((RANGE_PAGES + 63) / 64 * 8)

static uint8_t *memory; /* of all ranges, where it lies in RAM */
static uint8_t *view;	/* the same, in 4 KiB pages */
static uint8_t *bitmap;
static int64_t consumer, range[RANGES];

static uint8_t *page_of(unsigned r, unsigned page)
{
	return view + r * RANGE_APART + page * PAGE;
}

static void map(void)
{
	const uint64_t at = PAGING_FREE;

	memory = ram_alloc((RANGES + 1) * RANGE_APART);
	bitmap = ram_alloc(PAGE);
	if (!memory || !bitmap)
		expect_call("memory for the ranges", -1);
	memory = (uint8_t *)(((uint64_t)memory + RANGE_APART - 1) & ~(RANGE_APART - 1));
	for (uint64_t offset = 0; offset < RANGES * RANGE_APART; offset += PAGE) {
		volatile uint64_t *entry = paging_entry(pml4, at + offset, 1);

		if (!entry)
			expect_call("memory for page tables", -1);
		*entry = ((uint64_t)memory + offset) | PTE_P | PTE_W | PTE_A | PTE_D;
	}
	write_cr3(read_cr3());
	view = (uint8_t *)at;
}

/* ---- steps */

/* Writes one word in n pages, spread over the range. */
static void soil(unsigned r, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		*(volatile uint64_t *)page_of(r, (unsigned)((uint64_t)i * RANGE_PAGES / n)) = i;
}

static int64_t query(unsigned r)
{
	int64_t n = hypercall4(HC_DIRTY_QUERY, (uint64_t)consumer, (uint64_t)range[r], (uint64_t)bitmap, BITMAP_BYTES);

	expect_call("HC_DIRTY_QUERY", n);
	return n;
}

static void add(unsigned r)
{
	range[r] = hypercall(HC_DIRTY_RANGE_ADD, (uint64_t)memory + r * RANGE_APART, RANGE_BYTES);
	expect_call("HC_DIRTY_RANGE_ADD", range[r]);
}

static void removed(unsigned r)
{
	expect_call("HC_DIRTY_RANGE_REMOVE", hypercall(HC_DIRTY_RANGE_REMOVE, (uint64_t)range[r], 0));
}

static struct hc_dirty_cost cost(void)
{
	struct hc_dirty_cost c;

	expect_call("HC_DIRTY_COST", hypercall(HC_DIRTY_COST, (uint64_t)&c, 0));
	return c;
}

/* ---- rows */

static void soil_one(uint64_t pages)
{
	query(0);
	soil(0, (unsigned)pages);
}

/* The number of pages must be right, or the figure is not of what it says. */
static void asked(int64_t got, uint64_t pages)
{
	if ((uint64_t)got != pages) {
		print("FAIL bench: a query reported %lu pages, not %lu\n", (unsigned long)got, (unsigned long)pages);
		guest_exit(1);
	}
}

static uint64_t query_inside(uint64_t pages)
{
	asked(query(0), pages);
	return BENCH_VMM;
}

static uint64_t query_call(uint64_t pages)
{
	uint64_t from = rdtsc(), to;
	int64_t n = query(0);

	to = rdtsc();
	asked(n, pages);
	return to - from;
}

/* All clean first: a query may take note of what was written in other ranges too. */
static void soil_four(uint64_t pages)
{
	for (unsigned r = 0; r < RANGES; r++)
		query(r);
	for (unsigned r = 0; r < RANGES; r++)
		soil(r, (unsigned)pages);
}

/* HC_DIRTY_COST tells of the last query only, and is itself no part of the sum. */
static void four_row(const char *name, unsigned pages)
{
	struct bench_cost best = { .ticks = UINT64_MAX };

	for (unsigned i = 0; i < RUNS; i++) {
		struct hc_dirty_cost a = cost(), b = cost();
		uint64_t calls = b.exits - a.exits, vmcs = b.vmcs_accesses - a.vmcs_accesses, flushes = 0;
		struct bench_cost now = { 0 };

		soil_four(pages);
		for (unsigned r = 0; r < RANGES; r++) {
			a = cost();
			asked(query(r), pages);
			b = cost();
			now.ticks += b.query_ticks;
			now.exits += b.exits - a.exits - calls;
			now.vmcs += b.vmcs_accesses - a.vmcs_accesses - vmcs;
			now.flushes += b.tlb_flushes - a.tlb_flushes - flushes;
		}
		if (now.ticks < best.ticks)
			best = now;
	}
	bench_put(name, best);
}

/* A loop that no compiler changes: its own cost is measured by running it again, when the pages are clean no more. */
static uint64_t write_part(unsigned part)
{
	uint64_t from = rdtsc();
	uint8_t *p = page_of(0, part * PART_PAGES), *end = page_of(0, (part + 1) * PART_PAGES);

	__asm__ volatile("1:\tmov %%eax, (%[p])\n\t"
			 "add $4096, %[p]\n\t"
			 "cmp %[end], %[p]\n\t"
			 "jne 1b"
			 : [p] "+r"(p)
			 : [end] "r"(end)
			 : "memory", "cc");
	return rdtsc() - from;
}

/* Rounded up, so that nothing is lost. */
static uint64_t each(uint64_t total)
{
	return (total + RANGE_PAGES - 1) / RANGE_PAGES;
}

/*
 * All pages take so long that an interrupt for the VMM (its line's, its timer's) may come in each run: a part of them has a run
 * without one.
 */
static void first_write_row(void)
{
	uint64_t least[PARTS], first[PARTS];
	struct bench_cost best = { .exits = UINT64_MAX };

	memset(least, 0xff, sizeof(least));
	for (unsigned i = 0; i < RUNS; i++) {
		struct hc_dirty_cost a, b, c;
		uint64_t exits;

		query(0);
		a = cost();
		for (unsigned p = 0; p < PARTS; p++)
			first[p] = write_part(p);
		b = cost();
		for (unsigned p = 0; p < PARTS; p++) {
			first[p] -= write_part(p);
			least[p] = first[p] < least[p] ? first[p] : least[p];
		}
		c = cost();
		exits = b.exits - a.exits - (c.exits - b.exits);
		if (exits < best.exits)
			best = (struct bench_cost){
				.exits = exits,
				.vmcs = b.vmcs_accesses - a.vmcs_accesses - (c.vmcs_accesses - b.vmcs_accesses),
				.flushes = b.tlb_flushes - a.tlb_flushes,
			};
	}
	for (unsigned p = 0; p < PARTS; p++)
		best.ticks += least[p];
	bench_put("first_write", (struct bench_cost){ each(best.ticks), each(best.exits), each(best.vmcs), each(best.flushes) });
	bench_put("first_write_all", best);
}

static void start_stop_rows(void)
{
	struct bench_cost start = { .ticks = UINT64_MAX }, armed = start, stop = start;

	for (unsigned i = 0; i < RUNS; i++) {
		struct hc_dirty_cost c[5];

		removed(0);
		c[0] = cost();
		add(0);
		c[1] = cost();
		asked(query(0), RANGE_PAGES);
		c[2] = cost();
		removed(0);
		c[3] = cost();
		add(0);
		query(0);
		c[4] = cost();
#define COUNTS(n, from)                                                                                                            \
	.exits = c[n].exits - c[from].exits - ((n) - (from)), .vmcs = c[n].vmcs_accesses - c[from].vmcs_accesses,                  \
	.flushes = c[n].tlb_flushes - c[from].tlb_flushes
		if (c[1].add_ticks < start.ticks)
			start = (struct bench_cost){ .ticks = c[1].add_ticks, COUNTS(1, 0) };
		if (c[1].add_ticks + c[2].query_ticks < armed.ticks)
			armed = (struct bench_cost){ .ticks = c[1].add_ticks + c[2].query_ticks, COUNTS(2, 0) };
		if (c[3].remove_ticks < stop.ticks)
			stop = (struct bench_cost){ .ticks = c[3].remove_ticks, COUNTS(3, 2) };
#undef COUNTS
	}
	bench_put("track_start", start);
	bench_put("track_start_armed", armed);
	bench_put("track_stop", stop);
}

void bench_tracking(void)
{
	static const struct {
		const char *inside, *call;
		uint64_t pages;
	} queries[] = {
		{ "query_0", "query_0_call", 0 },
		{ "query_1", "query_1_call", 1 },
		{ "query_16", "query_16_call", 16 },
		{ "query_256", "query_256_call", 256 },
		{ "query_2025", "query_2025_call", RANGE_PAGES },
	};

	map();
	consumer = hypercall(HC_DIRTY_CONSUMER_ADD, 0, 0);
	expect_call("HC_DIRTY_CONSUMER_ADD", consumer);
	for (unsigned r = 0; r < RANGES; r++) {
		add(r);
		query(r);
		soil(r, RANGE_PAGES); /* what a source makes at the first write of all is made */
		query(r);
	}
	first_write_row();
	for (unsigned i = 0; i < sizeof(queries) / sizeof(queries[0]); i++) {
		bench_row(queries[i].inside, soil_one, query_inside, queries[i].pages);
		bench_row(queries[i].call, soil_one, query_call, queries[i].pages);
	}
	four_row("query4_0", 0);
	four_row("query4_all", RANGE_PAGES);
	start_stop_rows();
}
