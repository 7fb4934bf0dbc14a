/*
 * The view `window`: the heads in a window of this display (SDL 2), all in one as monitors beside each other, or each in its own.
 * Below them a status line.
 */
#ifndef HOST_WINDOW_H
#define HOST_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "host/show.h"

/** There is a display to open a window on. */
bool window_possible(void);

extern const struct show_ops window_ops;

/** window_keys.c: the set-1 make code, 0xe0xx for extended keys, of a key by its place (SDL_Scancode); 0 for none. */
uint16_t window_scancode(int sdl_scancode);

#endif
