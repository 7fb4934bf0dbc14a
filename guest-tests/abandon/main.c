/*
 * Thousands of page-table trees, each drawn through for a moment and then abandoned: nobody tears them down, their pages become
 * other tables or data, at another level, in any order, with old entries left in them. What is drawn into the framebuffer meanwhile
 * must be reported, and in the end the far end must show it.
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
#include "guest-tests/lib/window.h"

#define PAGE 4096u
#define LARGE 0x200000ull
#define POOL 512u /* pages that trees are made of */
#define LEVELS 4u /* pages of one tree */
#define TREES 2500u
#define SCREEN_TREES 500u /* after so many the picture is compared */
#define SHOWN 12u	  /* pages of the framebuffer that are drawn on; the visible ones first */
#define VIEWS 2u
#define FLAGS (PTE_P | PTE_W)

/* A tree in use. */
struct tree {
	uint64_t *page[LEVELS]; /* from the root down */
	uint64_t base;		/* what it maps the framebuffer at */
	bool large;		/* by a 2 MiB page: the last table is not part of it */
};

static struct prng prng;
static uint8_t *pool;
static struct tree now, before;
static struct track_view views[VIEWS];
static uint64_t vram;

static bool in_use(const uint64_t *page)
{
	for (unsigned l = 0; l < LEVELS; l++)
		if (page == now.page[l] || page == before.page[l])
			return true;
	return false;
}

/* A page of the pool that neither the current tree nor the one before has, whatever is in it. */
static uint64_t *take_page(void)
{
	uint64_t *page;

	do
		page = (uint64_t *)(pool + prng_below(&prng, POOL) * (uint64_t)PAGE);
	while (in_use(page));
	return page;
}

/* Half of the tables start clear; the others keep what they were. */
static void begin_table(uint64_t *table)
{
	if (prng_below(&prng, 2))
		memset(table, 0, PAGE);
}

static void set(uint64_t *entry, uint64_t value)
{
	*(volatile uint64_t *)entry = value;
}

/* The framebuffer's pages in order from base on, some of them global. */
static void fill_leaves(struct tree *t)
{
	uint64_t *table = t->page[3];

	begin_table(table);
	for (unsigned i = 0; i < SHOWN; i++)
		set(&table[(t->base >> 12 & 511) + i], (vram + i * PAGE) | FLAGS | (prng_below(&prng, 4) ? 0 : PTE_G));
}

static void make_tree(struct tree *t)
{
	for (unsigned l = 0; l < LEVELS; l++)
		t->page[l] = NULL;
	for (unsigned l = 0; l < LEVELS; l++)
		do
			t->page[l] = take_page();
		while ((l > 0 && t->page[l] == t->page[0]) || (l > 1 && t->page[l] == t->page[1]) ||
		       (l > 2 && t->page[l] == t->page[2]));
	t->large = !prng_below(&prng, 8);
	t->base = PAGING_FREE + prng_below(&prng, 200) * PAGING_SLOT + prng_below(&prng, 512) * 0x40000000ull +
		  prng_below(&prng, 512) * LARGE;
	if (!t->large)
		t->base += prng_below(&prng, 512 - SHOWN) * (uint64_t)PAGE;
	for (unsigned l = 0; l < 3; l++)
		begin_table(t->page[l]);
	set(&t->page[0][0], pml4[0]);
	set(&t->page[0][1], pml4[1]);
	set(&t->page[0][t->base >> 39 & 511], (uint64_t)t->page[1] | FLAGS);
	set(&t->page[1][t->base >> 30 & 511], (uint64_t)t->page[2] | FLAGS);
	if (t->large) {
		set(&t->page[2][t->base >> 21 & 511], vram | FLAGS | PTE_PS);
		return;
	}
	set(&t->page[2][t->base >> 21 & 511], (uint64_t)t->page[3] | FLAGS);
	fill_leaves(t);
}

/* A few pixels, and the same on the shadow that tells what the screen must show. */
static void draw(const struct tree *t)
{
	const struct head *h = &heads[0];

	for (unsigned n = 1 + prng_below(&prng, 6); n; n--) {
		uint32_t offset = prng_below(&prng, SHOWN * PAGE / 4) * 4, colour = prng_next(&prng) & 0xffffff;

		*(volatile uint32_t *)(t->base + offset) = colour;
		if (offset / h->stride < h->height && offset % h->stride / 4 < h->width)
			h->shadow[offset / h->stride * h->width + offset % h->stride / 4] = colour;
	}
}

/* What was a table is data now. */
static void scribble(void)
{
	uint64_t *page = take_page();

	for (unsigned n = prng_below(&prng, 16); n; n--)
		set(&page[prng_below(&prng, 512)], prng_below(&prng, 2) ? prng_next(&prng) : vram | FLAGS);
}

static bool step(unsigned n)
{
	struct tree next;

	make_tree(&next);
	before = now;
	now = next;
	write_cr3((uint64_t)now.page[0]);
	draw(&now);
	if (before.page[0] && !prng_below(&prng, 4)) { /* back for a moment */
		write_cr3((uint64_t)before.page[0]);
		draw(&before);
		if (prng_below(&prng, 2))
			write_cr3((uint64_t)now.page[0]);
	}
	if (!prng_below(&prng, 16))
		write_cr4(read_cr4() ^ CR4_PGE);
	scribble();
	return track_query(&views[n % VIEWS]) && (prng_below(&prng, 8) || track_query_twice(&views[prng_below(&prng, VIEWS)]));
}

static bool prepare(void)
{
	if (!track_begin())
		return false;
	if (!head_count || heads[0].size < LARGE || (uint64_t)heads[0].vram & (LARGE - 1)) {
		skip("there is no head, or no 2 MiB page fits into it");
		return false;
	}
	vram = (uint64_t)heads[0].vram;
	if (!pool)
		pool = ram_alloc(POOL * (uint64_t)PAGE);
	for (unsigned i = 0; i < VIEWS; i++) {
		if (!views[i].copy && !track_view_make(&views[i], SHOWN))
			return false;
		track_view_set(&views[i], track_consumer(), track_range(vram, SHOWN * PAGE), vram, SHOWN * PAGE);
	}
	memset((void *)vram, 0, SHOWN * PAGE);
	now = before = (struct tree){ 0 };
	return expect(pool && heads_shadow(), "no RAM");
}

static void test_abandon(void)
{
	uint64_t cr3 = read_cr3(), trees = boot_number("trees", TREES);
	unsigned n = 0;

	if (!prepare())
		return;
	prng = track_seed(7);
	while (n < trees && step(n))
		if (!(++n % SCREEN_TREES)) {
			expect(head_matches(&heads[0]), "VRAM is not what was drawn, after %u trees", n);
			head_print_screen(&heads[0]);
			hyper_screenshot();
		}
	write_cr3(cr3);
	expect(n == trees, "tree %u, base 0x%lx", n, now.base);
	track_clear();
	print("%u trees\n", n);
	track_report("abandon");
}

static const struct test tests[] = {
	{ "abandon", test_abandon },
	{ 0 },
};

int main(void)
{
	const char *why;

	guest_init();
	why = heads_find();
	if (why)
		check(false, "heads", why);
	tests_run(tests);
	if (head_count && heads[0].shadow)
		heads_report("abandon-screen");
	return tests_failed() ? 1 : 0;
}
