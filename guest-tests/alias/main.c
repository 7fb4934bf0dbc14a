/*
 * A few frames of VRAM under up to 2,000 page-table entries and large pages at once, whose entries change all the time: to other
 * frames, to the same frame with the dirty bit cleared, to nothing between a write and the query; with and without INVLPG; whole
 * tables are replaced and their memory used for something else. Copies that are fed from reported pages alone must equal memory
 * after every query.
 */
#include <stdbool.h>
#include <stdint.h>

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/heads.h"
#include "guest-tests/lib/paging.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/string.h"
#include "guest-tests/lib/track.h"
#include "guest-tests/lib/trap.h"
#include "guest-tests/lib/window.h"

#define PAGE 4096u
#define LARGE 0x200000ull
#define FRAMES 4u
#define FIRST_PAGE 16u /* of the frames, in VRAM: behind what is visible */
#define TABLES 4u
#define SLOTS (TABLES * 512u)
#define SPARE 4u  /* tables that are not in use now */
#define LARGES 4u /* 2 MiB pages that always map the VRAM */
#define VIEWS 4u
#define QUERIES 15000u
#define EXACT 64u /* up to so many aliases an idle page may not be reported */
#define BASE PAGING_FREE
#define LARGE_BASE (PAGING_FREE + TABLES * LARGE)
#define FLAGS (PTE_P | PTE_W)

static struct prng prng;
static uint64_t vram;
static volatile uint64_t *directory;
static volatile uint64_t *table[TABLES], *spare[SPARE];
static struct track_view views[VIEWS];
static unsigned live; /* slots 0 .. live-1 are used */

static volatile uint64_t *slot_entry(unsigned slot)
{
	return &table[slot / 512][slot % 512];
}

static uint8_t *slot_address(unsigned slot)
{
	return (uint8_t *)(BASE + slot * (uint64_t)PAGE);
}

static uint64_t random_frame(void)
{
	return vram + (FIRST_PAGE + prng_below(&prng, FRAMES)) * PAGE;
}

/* The table's place in the directory is a 2 MiB page now, so that its entries are not in use. */
static bool is_large(unsigned t)
{
	return directory[t] & PTE_PS;
}

static void maybe_invalidate(const void *at)
{
	if (prng_below(&prng, 3))
		invlpg(at);
}

/* A store that may fault, where an entry is not present and no stale translation is there. */
static void write_at(uint8_t *at)
{
	uint64_t v = prng_next(&prng);

	trap_begin();
	__asm__ volatile(GUARD("movl %k1, (%0)")::"r"(at), "r"(v) : "memory");
	trap_end();
}

static void write_slot(unsigned slot)
{
	if (is_large(slot / 512)) /* the whole VRAM is behind it */
		write_at((uint8_t *)BASE + slot / 512 * LARGE + (FIRST_PAGE + slot % FRAMES) * PAGE + prng_below(&prng, PAGE - 4));
	else
		write_at(slot_address(slot) + prng_below(&prng, PAGE - 4));
}

/* ---- what happens between two queries */

static void by_slot(unsigned slot)
{
	write_slot(slot);
}

static void by_large(unsigned slot)
{
	(void)slot;
	write_at((uint8_t *)LARGE_BASE + prng_below(&prng, LARGES) * LARGE + (FIRST_PAGE + prng_below(&prng, FRAMES)) * PAGE +
		 prng_below(&prng, PAGE - 4));
}

static void by_identity(unsigned slot)
{
	(void)slot;
	write_at((uint8_t *)random_frame() + prng_below(&prng, PAGE - 4));
}

static void by_vmm(unsigned slot)
{
	static struct hc_poke poke;

	poke = (struct hc_poke){ .gpa = random_frame(), .bytes = 1 + prng_below(&prng, PAGE), .seed = slot };
	hypercall(HC_POKE, (uint64_t)&poke, 0);
}

static void read_slot(unsigned slot)
{
	trap_begin();
	__asm__ volatile(GUARD("movb (%0), %%al")::"r"(slot_address(slot)) : "rax", "memory");
	trap_end();
}

/* The same frame again, and its dirty bit is gone: by a plain store, a locked one, or byte-wise. */
static void clear_dirty(unsigned slot)
{
	volatile uint64_t *e = slot_entry(slot);

	switch (prng_below(&prng, 3)) {
	case 0: *e = *e & ~(PTE_D | (prng_below(&prng, 2) ? PTE_A : 0)); break;
	case 1: __asm__ volatile("lock btrq $6, %0" : "+m"(*e)::"memory", "cc"); break;
	default: *(volatile uint8_t *)e &= (uint8_t)~PTE_D; break;
	}
	maybe_invalidate(slot_address(slot));
	if (prng_below(&prng, 2))
		write_slot(slot);
}

static void other_frame(unsigned slot)
{
	*slot_entry(slot) = random_frame() | FLAGS | (prng_below(&prng, 2) ? PTE_A | PTE_D : 0);
	maybe_invalidate(slot_address(slot));
	if (prng_below(&prng, 2))
		write_slot(slot);
}

/* The entry goes between the write and the query that must tell of it. */
static void write_and_remove(unsigned slot)
{
	write_slot(slot);
	*slot_entry(slot) = 0;
	maybe_invalidate(slot_address(slot));
}

static void read_only(unsigned slot)
{
	write_slot(slot);
	*slot_entry(slot) = random_frame() | PTE_P;
	maybe_invalidate(slot_address(slot));
}

/* The table's memory becomes another table or plain data; nobody tore it down. */
static void recycle(unsigned slot)
{
	unsigned t = slot / 512, s = prng_below(&prng, SPARE);
	volatile uint64_t *old = table[t];

	write_slot(slot);
	for (unsigned i = 0; i < 512; i++)
		spare[s][i] = prng_below(&prng, 4) ? old[i] & ~PTE_D : old[i] ? random_frame() | FLAGS : 0;
	directory[t] = (uint64_t)spare[s] | FLAGS;
	table[t] = spare[s];
	spare[s] = old;
	if (prng_below(&prng, 2))
		for (unsigned i = 0; i < 512; i++)
			old[i] = prng_next(&prng);
	write_cr3(read_cr3());
	write_slot(slot);
}

/* 512 small entries against one large one, and back. */
static void turn_large(unsigned slot)
{
	unsigned t = slot / 512;

	write_slot(slot);
	directory[t] = is_large(t) ? (uint64_t)table[t] | FLAGS : vram | FLAGS | PTE_PS;
	write_cr3(read_cr3());
	write_slot(slot);
}

static void reload(unsigned slot)
{
	(void)slot;
	write_cr3(read_cr3());
}

static const struct {
	void (*fn)(unsigned slot);
	unsigned weight;
} steps[] = {
	{ by_slot, 40 },     { by_large, 8 },	      { by_identity, 4 }, { by_vmm, 3 },  { read_slot, 8 },  { clear_dirty, 16 },
	{ other_frame, 12 }, { write_and_remove, 6 }, { read_only, 3 },	  { recycle, 1 }, { turn_large, 2 }, { reload, 2 },
};

static void random_change(void)
{
	unsigned n = prng_below(&prng, 105), i = 0;

	while (n >= steps[i].weight)
		n -= steps[i++].weight;
	steps[i].fn(prng_below(&prng, live));
}

/* ---- the test */

static bool make_tables(void)
{
	volatile uint64_t *e = paging_entry(pml4, BASE, 2);

	if (!expect(e, "no RAM for a directory"))
		return false;
	directory = (volatile uint64_t *)((uint64_t)e & ~(uint64_t)(PAGE - 1));
	for (unsigned t = 0; t < TABLES; t++) {
		table[t] = ram_alloc(PAGE);
		if (!expect(table[t], "no RAM for a table"))
			return false;
		directory[t] = (uint64_t)table[t] | FLAGS;
	}
	for (unsigned s = 0; s < SPARE; s++) {
		spare[s] = ram_alloc(PAGE);
		if (!expect(spare[s], "no RAM for a table"))
			return false;
	}
	for (unsigned i = 0; i < LARGES; i++)
		directory[TABLES + i] = vram | FLAGS | PTE_PS;
	return true;
}

static bool make_views(void)
{
	const uint64_t gpa[2] = { vram + FIRST_PAGE * PAGE + 100, vram + (FIRST_PAGE + 1) * PAGE },
		       bytes[2] = { FRAMES * PAGE - 200, PAGE + 1 };
	int64_t consumer[2] = { track_consumer(), track_consumer() };

	for (unsigned r = 0; r < 2; r++) {
		int64_t range = track_range(gpa[r], bytes[r]);

		for (unsigned c = 0; c < 2; c++) {
			if (!track_view_make(&views[r * 2 + c], FRAMES))
				return false;
			track_view_set(&views[r * 2 + c], consumer[c], range, gpa[r], bytes[r]);
		}
	}
	return true;
}

/* n aliases from now on, each of a random frame. */
static void set_live(unsigned n)
{
	live = n;
	for (unsigned t = 0; t < TABLES; t++)
		directory[t] = (uint64_t)table[t] | FLAGS;
	for (unsigned slot = 0; slot < SLOTS; slot++)
		*slot_entry(slot) = slot < n ? random_frame() | FLAGS : 0;
	write_cr3(read_cr3());
}

static bool phase(unsigned aliases, uint64_t until)
{
	set_live(aliases);
	while (track_count.queries < until) {
		struct track_view *v = &views[prng_below(&prng, VIEWS)];

		for (unsigned n = prng_below(&prng, 6); n; n--)
			random_change();
		/* gone entries come back */
		for (unsigned n = 0, slot = prng_below(&prng, live); n < 4; n++, slot = (slot + 1) % live)
			if (!*slot_entry(slot))
				*slot_entry(slot) = random_frame() | FLAGS;
		if (!(aliases <= EXACT && !prng_below(&prng, 8) ? track_query_twice(v) : track_query(v))) {
			print("with %u aliases\n", aliases);
			return false;
		}
	}
	return true;
}

static void test_alias(void)
{
	static const unsigned counts[] = { 1, 2, 3, 8, EXACT, 512, 2000, 17, 2000, 1 };
	const unsigned phases = sizeof(counts) / sizeof(counts[0]);
	uint64_t queries = boot_number("queries", QUERIES), frames;

	if (!track_begin())
		return;
	if (!head_count || heads[0].size < LARGE || (uint64_t)heads[0].vram & (LARGE - 1)) {
		skip("there is no head, or no 2 MiB page fits into it");
		return;
	}
	vram = (uint64_t)heads[0].vram;
	prng = track_seed(6);
	frames = track_frames_free();
	if (!make_tables() || !make_views())
		return;
	for (unsigned i = 0; i < phases; i++)
		if (!phase(counts[i], queries * (i + 1) / phases))
			return;
	track_clear();
	expect_eq("free frames in the end", track_frames_free(), frames);
	track_report("alias");
}

static const struct test tests[] = {
	{ "alias", test_alias },
	{ 0 },
};

int main(void)
{
	return track_main(tests);
}
