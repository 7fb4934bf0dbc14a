/* One window with heads in it: what is drawn where. Only for the view `window`. */
#ifndef HOST_PANE_H
#define HOST_PANE_H

#include <SDL2/SDL.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/layout.h"
#include "host/loading.h"

#define PANE_STATUS_HEIGHT 20 /* pixels of the status line */

struct pane {
	SDL_Window *window; /* NULL: not open */
	SDL_Renderer *renderer;
	uint32_t heads; /* that may be shown here, as bits */
	struct layout layout;
	SDL_Texture *texture[DISPLAY_HEADS]; /* of heads that are on */
	SDL_Rect fresh[DISPLAY_HEADS];	     /* pixels that the texture does not have yet */
	uint32_t resized;		     /* heads whose mode changed since the last draw, as bits */
	bool stale;			     /* it must be drawn again */
	int width, height;		     /* that we gave the window: another size is the user's choice */
};

/** Opens the window. Returns 0, or -1 having said why. */
int pane_open(struct pane *p, const char *title, uint32_t heads);
void pane_close(struct pane *p);

/** A rectangle of a head changed, or (resized) its mode. The canvas is read when it is drawn. */
void pane_changed(struct pane *p, unsigned head, bool resized, unsigned x0, unsigned y0, unsigned x1, unsigned y1);

/** Draws what is stale: the heads, a bar over each that is still loading, and the status line. */
void pane_draw(struct pane *p, const struct canvas *heads, const struct loading *loading, const char *status);

/** The head at a place of the window, and where in it; -1 where there is none. */
int pane_head_at(const struct pane *p, int x, int y, unsigned *head_x, unsigned *head_y);

#endif
