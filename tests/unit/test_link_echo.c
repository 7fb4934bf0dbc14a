/*
 * What a user looks at goes first: on a line of 115,200 baud, 8N1, a key's glyph is there 60 ms after the key while another head
 * repaints all of itself, and 130 ms after it while its own does; and nobody starves for it.
 */
/* links: stream/link.c stream/link_baud.c stream/link_rate.c stream/link_ring.c stream/link_rx.c stream/link_tx.c stream/cobs.c stream/crc32c.c */
/* links: stream/display_tx.c stream/display_build.c stream/display_pick.c stream/display_rx.c CODEC stream/crc32.c */
/* links: stream/proto.c tests/unit/link_world.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "stream/display_internal.h"
#include "tests/unit/link_world.h"

#define STEPS_PER_SECOND (1000000 / STEP_US)
#define RATE (11520 / STEPS_PER_SECOND) /* line bytes a step */
#define PHOTO_Y 448			/* to the bottom */
#define ECHO_STEPS 1			/* and this often after an input */
#define SLIDE_W 160
#define SLIDE_H 120

/* A second head that shows slides; the first is the world's, a console. */
static struct {
	uint32_t px[SLIDE_W * SLIDE_H];
	void *room;
	uint32_t number;
} slides;

static void next_slide(struct world *w)
{
	slides.number++;
	for (uint32_t i = 0; i < SLIDE_W * SLIDE_H; i++)
		slides.px[i] = (rng_next(&w->r) & 0x3f3f3f) + (i % SLIDE_W / 8 * 0x010203 + slides.number * 0x111111) % 0xc0c0c0;
	dtx_damage(&w->tx, 1, 0, sizeof(slides.px));
}

static void begin(struct world *w, uint64_t seed)
{
	const struct scanout so = {
		.base = (uint8_t *)slides.px, .stride = SLIDE_W * 4, .width = SLIDE_W, .height = SLIDE_H, .bpp = 32
	};

	world_setup(w, seed, WIDTH, HEIGHT);
	w->tx.fast = false;
	for (uint32_t i = 0; i < WIDTH * HEIGHT; i++)
		w->fb[i] = i / WIDTH / 16 % 3 && (i % 8 ^ i / WIDTH % 16) % 5 == 1 ? 0xc0c0c0 : 0;
	world_start_vmm(w, 4096);
	world_start_host(w, 4096);
	world_settle(w, 100000000);
	slides.room = malloc(dtx_room(SLIDE_W, SLIDE_H));
	assert_int_equal(dtx_mode(&w->tx, 1, &so, slides.room, dtx_room(SLIDE_W, SLIDE_H)), 0);
	w->rate = RATE;
}

static void end(struct world *w)
{
	world_teardown(w);
	free(slides.room);
}

/* The guest draws a glyph in the console. What is written lies in pages, so the VMM marks whole rows of tiles. */
static uint32_t draw_glyph(struct world *w, unsigned n)
{
	uint32_t x = 8 * (n % 70), y = 16 * (n / 70 % 25), first = y * WIDTH * 4 & ~4095u, last = ((y + 16) * WIDTH * 4) | 4095;

	for (uint32_t r = 0; r < 16; r++)
		for (uint32_t c = 0; c < 8; c++)
			w->fb[(y + r) * WIDTH + x + c] = (r * 5 + c * (n % 3 + 1)) % 4 ? 0 : 0xffffff - n;
	dtx_damage(&w->tx, 0, first, last + 1 - first);
	return y * WIDTH + x;
}

static bool shows_glyph(const struct world *w, uint32_t at)
{
	for (uint32_t r = 0; r < 16; r++)
		if (memcmp(w->rx.head[0].px + at + r * WIDTH, w->fb + at + r * WIDTH, 8 * 4))
			return false;
	return true;
}

/* A key is pressed; returns the line time until its glyph is seen. The guest takes one step to answer. */
static uint64_t press_key(struct world *w, unsigned n)
{
	uint64_t pressed = w->now;
	uint32_t at;

	world_write_message(&w->host, LINK_INPUT, &w->host_input, 4);
	while (w->from_host[LINK_INPUT].message != w->host_input)
		world_step(w);
	w->tx.echo = true;
	for (unsigned i = 0; i < ECHO_STEPS; i++)
		world_step(w);
	at = draw_glyph(w, n);
	while (!shows_glyph(w, at)) {
		world_step(w);
		if (w->now - pressed > 2000000)
			FAIL(w, "key %u: no glyph after two seconds", n);
	}
	return w->now - pressed;
}

/* Types keys at times that hit every phase of what else is sent, and gives the longest wait. */
static uint64_t type_keys(struct world *w, void (*meanwhile)(struct world *w), unsigned keys)
{
	uint64_t worst = 0;

	for (unsigned n = 0; n < keys; n++) {
		uint64_t took;

		for (unsigned i = 20 + rng_below(&w->r, 40); i--;) {
			if (i == 10)
				w->tx.echo = false;
			world_step(w);
		}
		meanwhile(w);
		took = press_key(w, n);
		worst = took > worst ? took : worst;
	}
	return worst;
}

static void slide_when_idle(struct world *w)
{
	if (!dtx_has_work(&w->tx.head[1]))
		next_slide(w);
}

static void test_another_head_repaints(void **state)
{
	struct world *w = &the_world;
	uint64_t worst, bytes;

	(void)state;
	begin(w, 1);
	next_slide(w);
	for (int i = 0; i < 100; i++)
		world_step(w);
	bytes = w->rx.datagrams;
	worst = type_keys(w, slide_when_idle, 24);
	print_message("a key's glyph while another head repaints: %llu ms at worst\n", (unsigned long long)worst / 1000);
	assert_in_range(worst, 1, 60000);
	assert_true(w->rx.datagrams - bytes > 120); /* the slides did go on */
	assert_true(!dtx_idle(&w->tx, false));	    /* and were never done */
	end(w);
}

/* A photo on the console's own head: its round is given up for the glyph, and goes on behind it. */
static void photo(struct world *w)
{
	if (dtx_has_work(&w->tx.head[0]))
		return;
	for (uint32_t i = PHOTO_Y * WIDTH; i < WIDTH * HEIGHT; i++)
		w->fb[i] = rng_next(&w->r) & 0xffffff;
	dtx_damage(&w->tx, 0, PHOTO_Y * WIDTH * 4, (HEIGHT - PHOTO_Y) * WIDTH * 4);
}

static void test_the_same_head_repaints(void **state)
{
	struct world *w = &the_world;
	uint64_t worst, breaks;

	(void)state;
	begin(w, 2);
	world_settle(w, 100000000);
	photo(w);
	for (int i = 0; i < 100; i++)
		world_step(w);
	breaks = w->tx.breaks;
	worst = type_keys(w, photo, 12);
	print_message("a key's glyph while its head repaints: %llu ms at worst\n", (unsigned long long)worst / 1000);
	assert_in_range(worst, 1, 130000); /* a complete datagram and the end of the round go before it */
	assert_true(w->tx.breaks - breaks > 4);
	w->rate = 5000;
	world_settle(w, 1000000000);
	world_check_picture(w);
	end(w);
}

/* Small changes all the time, on the same head and on another, put the photo and the slides off, but not for ever. */
static void test_nothing_starves(void **state)
{
	struct world *w = &the_world;
	uint64_t before;
	unsigned steps = 0;

	(void)state;
	begin(w, 3);
	world_settle(w, 100000000);
	photo(w);
	next_slide(w);
	before = w->vmm.tx_bytes;
	for (w->tx.echo = true;
	     memcmp(w->rx.head[1].px, slides.px, sizeof(slides.px)) ||
	     memcmp(w->rx.head[0].px + PHOTO_Y * WIDTH, w->fb + PHOTO_Y * WIDTH, (HEIGHT - PHOTO_Y) * WIDTH * 4);) {
		if (steps % 8 == 0)
			draw_glyph(w, steps / 8);
		world_step(w);
		if (++steps > 300 * STEPS_PER_SECOND)
			FAIL(w, "something starves");
	}
	print_message("both pictures came in %u s and %llu bytes\n", steps / STEPS_PER_SECOND,
		      (unsigned long long)(w->vmm.tx_bytes - before));
	end(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_another_head_repaints),
		cmocka_unit_test(test_the_same_head_repaints),
		cmocka_unit_test(test_nothing_starves),
	};

	return cmocka_run_group_tests(tests, NULL, world_free);
}
