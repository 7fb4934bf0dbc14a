/* Screenshots. */
#ifndef HOST_PNG_H
#define HOST_PNG_H

#include <stdint.h>

#include "stream/display.h"

/** Writes a canvas as an 8-bit RGB PNG; the file appears whole or not at all. Returns 0 or a negative errno. */
int png_write(const struct canvas *c, const char *path);

/** Makes a directory and those above it. Returns 0, or a negative errno having said why. */
int png_make_dir(const char *dir);

/**
 * Writes dir/headH.png for every head that is on (dir is made if need be), and dir/headH-NNN.png too where number >= 0.
 * Returns how many heads were written, or a negative errno having said why.
 */
int png_shots(const struct display_rx *rx, const char *dir, int64_t number);

#endif
