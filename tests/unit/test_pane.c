/* The window view's drawing, on SDL's dummy display and software renderer: pixels, scaling, the bar of a loading head, and who is
 * where. */
/* links: host/pane.c host/layout.c host/loading.c host/say.c host/session.c host/window.c host/window_keys.c devices/vga_font.c */
/* links: stream/[a-z]*.c */
/* libs: -lSDL2 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "host/pane.h"
#include "host/options.h"
#include "host/say.h"
#include "host/session.h"
#include "host/window.h"

#define BAR_COLOR 0x5b8cff

static struct canvas heads[DISPLAY_HEADS];
static struct loading loading;
static struct pane pane;

static void set_head(unsigned h, uint16_t width, uint16_t height)
{
	free(heads[h].px);
	heads[h] = (struct canvas){ width, height, NULL };
	if (width)
		heads[h].px = malloc((size_t)width * height * 4);
	for (unsigned i = 0; i < (unsigned)width * height; i++)
		heads[h].px[i] = (i * 2654435761u + h * 7919) >> 8;
	loading_changed(&loading, h, true, &heads[h], 0, 0, width, height, now_us());
	pane_changed(&pane, h, true, 0, 0, width, height);
}

static void all_came(unsigned h)
{
	loading_changed(&loading, h, false, &heads[h], 0, 0, heads[h].width, heads[h].height, now_us());
	pane_changed(&pane, h, false, 0, 0, heads[h].width, heads[h].height);
}

static void draw(void)
{
	pane_draw(&pane, heads, &loading, "status");
}

/* A pixel of the window, without what stands above its colours. */
static uint32_t at(int x, int y)
{
	uint32_t v;
	SDL_Rect r = { x, y, 1, 1 };

	assert_int_equal(SDL_RenderReadPixels(pane.renderer, &r, SDL_PIXELFORMAT_RGB888, &v, 4), 0);
	return v & 0xffffff;
}

static void assert_head(unsigned h, int left, int top, int scale)
{
	for (int y = 0; y < heads[h].height * scale; y++)
		for (int x = 0; x < heads[h].width * scale; x++)
			if (at(left + x, top + y) != heads[h].px[y / scale * heads[h].width + x / scale])
				fail_msg("head %u at %d,%d: %06x", h, x, y, at(left + x, top + y));
}

static int set_up(void **state)
{
	(void)state;
	assert_int_equal(pane_open(&pane, "test", UINT32_MAX), 0);
	set_head(0, 40, 30);
	set_head(3, 24, 20);
	all_came(0);
	all_came(3);
	draw();
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	for (unsigned h = 0; h < DISPLAY_HEADS; h++)
		set_head(h, 0, 0);
	draw();
	pane_close(&pane);
	loading_free(&loading);
	return 0;
}

static void heads_are_side_by_side(void **state)
{
	int w, h;

	(void)state;
	SDL_GetWindowSize(pane.window, &w, &h);
	assert_int_equal(w, 40 + 8 + 24);
	assert_int_equal(h, 30 + PANE_STATUS_HEIGHT);
	assert_head(0, 0, 0, 1);
	assert_head(3, 48, 0, 1);
	assert_int_equal(at(44, 10), 0);
}

static void only_what_changed_is_read(void **state)
{
	(void)state;
	heads[0].px[5 * 40 + 7] = 0x123456;
	heads[0].px[6 * 40 + 8] = 0xabcdef;
	pane_changed(&pane, 0, false, 7, 5, 8, 6);
	draw();
	assert_int_equal(at(7, 5), 0x123456);
	assert_int_not_equal(at(8, 6), 0xabcdef);
	pane_changed(&pane, 0, false, 8, 6, 9, 7);
	draw();
	assert_head(0, 0, 0, 1);
}

static void a_larger_window_shows_larger_pixels(void **state)
{
	(void)state;
	SDL_SetWindowSize(pane.window, 72 * 2, 30 * 2 + PANE_STATUS_HEIGHT);
	SDL_PumpEvents();
	pane.stale = true;
	draw();
	assert_head(0, 0, 0, 2);
	assert_head(3, 96, 0, 2);
}

static void who_is_where(void **state)
{
	unsigned x, y;

	(void)state;
	assert_int_equal(pane_head_at(&pane, 0, 0, &x, &y), 0);
	assert_true(x == 0 && y == 0);
	assert_int_equal(pane_head_at(&pane, 39, 29, &x, &y), 0);
	assert_true(x == 39 && y == 29);
	assert_int_equal(pane_head_at(&pane, 40, 0, &x, &y), -1);
	assert_int_equal(pane_head_at(&pane, 48, 19, &x, &y), 3);
	assert_true(x == 0 && y == 19);
	assert_int_equal(pane_head_at(&pane, 48, 20, &x, &y), -1);
	assert_int_equal(pane_head_at(&pane, 10, 30, &x, &y), -1);
	assert_int_equal(pane_head_at(&pane, -1, 5, &x, &y), -1);
	SDL_SetWindowSize(pane.window, 72 * 2, 30 * 2 + PANE_STATUS_HEIGHT);
	assert_int_equal(pane_head_at(&pane, 79, 59, &x, &y), 0);
	assert_true(x == 39 && y == 29);
}

/* 40x30 pixels are 3x2 cells: two of them, a third of all, leave a bar of a third. */
static void a_bar_while_it_loads(void **state)
{
	(void)state;
	set_head(0, 48, 32);
	loading_changed(&loading, 0, false, &heads[0], 0, 0, 32, 16, now_us());
	assert_int_equal(loading_left(&loading, 0, now_us()), 4);
	assert_int_equal(loading_percent(&loading, 0, now_us()), 33);
	draw();
	assert_int_equal(at(0, 31), BAR_COLOR);
	assert_int_equal(at(14, 31), BAR_COLOR);
	assert_int_not_equal(at(16, 31), BAR_COLOR);
	all_came(0);
	assert_int_equal(loading_left(&loading, 0, now_us()), 0);
	draw();
	assert_head(0, 0, 0, 1);
}

/* What is black need not come: after a while of quiet it is complete, and what comes then is no first picture. */
static void quiet_is_complete(void **state)
{
	uint64_t later = now_us() + 3000000;

	(void)state;
	set_head(0, 48, 32);
	assert_int_equal(loading_percent(&loading, 0, now_us()), 0);
	assert_int_equal(loading_percent(&loading, 0, later), 100);
	loading_changed(&loading, 0, false, &heads[0], 0, 0, 16, 16, later);
	assert_int_equal(loading_percent(&loading, 0, later), 100);
}

static void the_rate_is_of_the_last_moment(void **state)
{
	struct loading l = { 0 };

	(void)state;
	loading_bytes(&l, 5000, 1000000);
	assert_int_equal(l.rate, 0);
	loading_bytes(&l, 16000, 2000000);
	assert_int_equal(l.rate, 11000);
	loading_bytes(&l, 16000, 2100000);
	assert_int_equal(l.rate, 11000);
	loading_bytes(&l, 16000, 3000000);
	assert_int_equal(l.rate, 0);
}

static void a_head_goes(void **state)
{
	unsigned x, y;

	(void)state;
	set_head(3, 0, 0);
	draw();
	assert_int_equal(pane_head_at(&pane, 48, 10, &x, &y), -1);
	assert_head(0, 0, 0, 1);
}

/* USB HID usages against an AT keyboard's set 1. */
static void keys_by_their_place(void **state)
{
	(void)state;
	assert_int_equal(window_scancode(4), 0x1e);
	assert_int_equal(window_scancode(29), 0x2c);
	assert_int_equal(window_scancode(30), 0x02);
	assert_int_equal(window_scancode(40), 0x1c);
	assert_int_equal(window_scancode(69), 0x58);
	assert_int_equal(window_scancode(82), 0xe048);
	assert_int_equal(window_scancode(230), 0xe038);
	assert_int_equal(window_scancode(0), 0);
	assert_int_equal(window_scancode(-1), 0);
	assert_int_equal(window_scancode(5000), 0);
}

static void asked_to_quit(void *arg)
{
	(*(unsigned *)arg)++;
}

/* Closing the last window ends the run. */
static void closing_ends_it(void **state)
{
	static const struct session_ops no_ops = { 0 };
	static struct session session;
	struct options o = { .guest = "test" };
	struct pollset p = { 0 };
	unsigned quits = 0;

	(void)state;
	session_init(&session, &no_ops, NULL, 8192);
	for (unsigned each = 0; each < 2; each++) {
		struct show_env env = { &o, 0, &session, &loading, asked_to_quit, &quits };
		SDL_Event quit = { .type = SDL_QUIT };
		void *view;

		o.window_per_head = each;
		view = window_ops.start(&env);
		assert_non_null(view);
		window_ops.pump(view, &p);
		assert_int_equal(quits, each);
		SDL_PushEvent(&quit);
		window_ops.pump(view, &p);
		assert_int_equal(quits, each + 1);
		window_ops.stop(view);
	}
	session_free(&session);
}

static int init(void **state)
{
	(void)state;
	setenv("SDL_VIDEODRIVER", "dummy", 1);
	setenv("SDL_RENDER_DRIVER", "software", 1);
	return SDL_Init(SDL_INIT_VIDEO);
}

static int quit(void **state)
{
	(void)state;
	SDL_Quit();
	return 0;
}

#define WITH_PANE(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		WITH_PANE(heads_are_side_by_side),
		WITH_PANE(only_what_changed_is_read),
		WITH_PANE(a_larger_window_shows_larger_pixels),
		WITH_PANE(who_is_where),
		WITH_PANE(a_bar_while_it_loads),
		WITH_PANE(quiet_is_complete),
		WITH_PANE(a_head_goes),
		cmocka_unit_test(the_rate_is_of_the_last_moment),
		cmocka_unit_test(keys_by_their_place),
		cmocka_unit_test(closing_ends_it),
	};

	return cmocka_run_group_tests(tests, init, quit);
}
