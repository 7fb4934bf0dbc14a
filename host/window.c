#include "host/window.h"

#include <SDL2/SDL.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/options.h"
#include "host/pane.h"
#include "host/say.h"

#define LOOK_US 10000u	  /* between looks at SDL's events, which no descriptor tells of */
#define FRAME_US 16000u	  /* changes are collected for this long */
#define STATUS_US 500000u /* between status lines */

struct window {
	struct show_env env;
	bool each; /* a window for each head */
	struct pane pane[DISPLAY_HEADS];
	char status[160];
	uint64_t drawn_us, status_us;
	bool grabbed;
	uint32_t down[8]; /* keys that are down: SDL scancodes below 256, as bits */
	uint8_t buttons;  /* as the guest has them */
	bool moved;	  /* the pointer did, and the guest was not told: */
	int at_head;	  /* where it is; -1: on none */
	unsigned at_x, at_y;
};

/* ---- keyboard and pointer */

static void key(struct window *w, int scancode, bool down)
{
	uint16_t code = window_scancode(scancode);

	if (!code || scancode > 255)
		return;
	if (down)
		w->down[scancode / 32] |= 1u << scancode % 32;
	else
		w->down[scancode / 32] &= ~(1u << scancode % 32);
	session_key(w->env.session, down, code);
}

/* What goes up elsewhere is not told to us. */
static void release_all(struct window *w)
{
	for (int i = 0; i < 256; i++)
		if (w->down[i / 32] >> i % 32 & 1)
			key(w, i, false);
}

static void tell_pointer(struct window *w, int wheel)
{
	w->moved = false;
	if (w->at_head >= 0)
		session_pointer(w->env.session, (unsigned)w->at_head, w->at_x, w->at_y, w->buttons, wheel);
}

static struct pane *pane_of(struct window *w, uint32_t id)
{
	for (unsigned i = 0; i < DISPLAY_HEADS; i++)
		if (w->pane[i].window && SDL_GetWindowID(w->pane[i].window) == id)
			return &w->pane[i];
	return NULL;
}

static void move(struct window *w, uint32_t id, int x, int y)
{
	struct pane *p = pane_of(w, id);

	if (!p)
		return;
	w->at_head = pane_head_at(p, x, y, &w->at_x, &w->at_y);
	w->moved = true;
}

static void button(struct window *w, const SDL_MouseButtonEvent *e)
{
	uint8_t bit = e->button == SDL_BUTTON_LEFT ? 1 : e->button == SDL_BUTTON_MIDDLE ? 2 : e->button == SDL_BUTTON_RIGHT ? 4 : 0;

	move(w, e->windowID, e->x, e->y);
	w->buttons = e->state == SDL_PRESSED ? w->buttons | bit : (uint8_t)(w->buttons & ~bit);
	tell_pointer(w, 0);
}

/* ---- the window's own keys */

static void grab(struct window *w, bool on)
{
	w->grabbed = on;
	w->status_us = 0;
	for (unsigned i = 0; i < DISPLAY_HEADS; i++) {
		if (!w->pane[i].window)
			continue;
		SDL_SetWindowKeyboardGrab(w->pane[i].window, on && SDL_GetKeyboardFocus() == w->pane[i].window);
		SDL_SetWindowMouseGrab(w->pane[i].window, on && SDL_GetKeyboardFocus() == w->pane[i].window);
	}
}

/* Ctrl+Alt with a letter, as QEMU has it. True where it was one. */
static bool own_key(struct window *w, const SDL_KeyboardEvent *e)
{
	struct pane *p = pane_of(w, e->windowID);

	if (!p || !(e->keysym.mod & KMOD_CTRL) || !(e->keysym.mod & KMOD_ALT))
		return false;
	switch (e->keysym.scancode) {
	case SDL_SCANCODE_G: grab(w, !w->grabbed); return true;
	case SDL_SCANCODE_F:
		SDL_SetWindowFullscreen(p->window, SDL_GetWindowFlags(p->window) & SDL_WINDOW_FULLSCREEN_DESKTOP
							   ? 0
							   : SDL_WINDOW_FULLSCREEN_DESKTOP);
		return true;
	case SDL_SCANCODE_U:
		SDL_SetWindowSize(p->window, (int)p->layout.width, (int)p->layout.height + PANE_STATUS_HEIGHT);
		return true;
	default: return false;
	}
}

static void window_event(struct window *w, const SDL_WindowEvent *e)
{
	struct pane *p = pane_of(w, e->windowID);

	if (p)
		p->stale = true;
	if (e->event == SDL_WINDOWEVENT_FOCUS_LOST) {
		release_all(w);
		grab(w, false);
	}
	/* One of several windows may go; the last one is the run's end. */
	if (e->event == SDL_WINDOWEVENT_CLOSE && p && w->each)
		pane_close(p);
}

static void event(struct window *w, const SDL_Event *e)
{
	switch (e->type) {
	case SDL_QUIT: w->env.quit(w->env.arg); break;
	case SDL_WINDOWEVENT: window_event(w, &e->window); break;
	case SDL_KEYDOWN:
		if (!own_key(w, &e->key))
			key(w, e->key.keysym.scancode, true);
		break;
	case SDL_KEYUP: key(w, e->key.keysym.scancode, false); break;
	case SDL_MOUSEMOTION: move(w, e->motion.windowID, e->motion.x, e->motion.y); break;
	case SDL_MOUSEBUTTONDOWN:
	case SDL_MOUSEBUTTONUP: button(w, &e->button); break;
	case SDL_MOUSEWHEEL: tell_pointer(w, e->wheel.direction == SDL_MOUSEWHEEL_FLIPPED ? e->wheel.y : -e->wheel.y); break;
	default: break;
	}
}

/* ---- drawing */

static void make_status(struct window *w, uint64_t now)
{
	unsigned left = 0;
	char loading[48] = "";

	for (unsigned h = 0; h < DISPLAY_HEADS; h++)
		left += loading_left(w->env.loading, h, now);
	if (left)
		snprintf(loading, sizeof(loading), "  %u tiles to come", left);
	snprintf(w->status, sizeof(w->status), "%s%s  %.1f kB/s%s  %s",
		 w->env.session->link.up ? "" : "waiting for the VMM: ", w->env.o->guest, w->env.loading->rate / 1000.0, loading,
		 w->grabbed ? "Ctrl+Alt+G lets go" : "Ctrl+Alt+G grabs, F fills the screen, U unscaled");
	for (unsigned i = 0; i < DISPLAY_HEADS; i++)
		w->pane[i].stale = true;
	w->status_us = now;
}

static void changed(void *view, unsigned head, bool resized, unsigned x0, unsigned y0, unsigned x1, unsigned y1)
{
	struct window *w = view;
	struct pane *own = &w->pane[head];
	char title[32];

	if (w->each && resized && w->env.session->rx.head[head].width && !own->window) {
		snprintf(title, sizeof(title), "Tessera head %u", head);
		pane_open(own, title, 1u << head);
	}
	pane_changed(w->each ? own : &w->pane[0], head, resized, x0, y0, x1, y1);
}

static void prepare(void *view, struct pollset *p)
{
	(void)view;
	pollset_wake(p, now_us() + LOOK_US);
}

static void pump(void *view, const struct pollset *p)
{
	struct window *w = view;
	uint64_t now = now_us();
	SDL_Event e;

	(void)p;
	while (SDL_PollEvent(&e))
		event(w, &e);
	if (w->moved)
		tell_pointer(w, 0);
	if (now - w->status_us >= STATUS_US)
		make_status(w, now);
	if (now - w->drawn_us < FRAME_US)
		return;
	for (unsigned i = 0; i < DISPLAY_HEADS; i++)
		pane_draw(&w->pane[i], w->env.session->rx.head, w->env.loading, w->status);
	w->drawn_us = now;
}

/* ---- beginning and end */

bool window_possible(void)
{
	return getenv("WAYLAND_DISPLAY") || getenv("DISPLAY");
}

static void stop(void *view)
{
	struct window *w = view;

	for (unsigned i = 0; i < DISPLAY_HEADS; i++)
		pane_close(&w->pane[i]);
	SDL_Quit();
	free(w);
}

static void *start(const struct show_env *env)
{
	struct window *w;

	SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1"); /* signals are the event loop's */
	SDL_SetHint(SDL_HINT_VIDEO_ALLOW_SCREENSAVER, "1");
	if (SDL_Init(SDL_INIT_VIDEO) != 0) {
		say("a window: %s", SDL_GetError());
		return NULL;
	}
	w = xalloc(sizeof(*w));
	w->env = *env;
	w->each = env->o->window_per_head;
	w->at_head = -1;
	if (!w->each && pane_open(&w->pane[0], "Tessera", UINT32_MAX) < 0) {
		stop(w);
		return NULL;
	}
	return w;
}

const struct show_ops window_ops = { .start = start, .stop = stop, .changed = changed, .prepare = prepare, .pump = pump };
