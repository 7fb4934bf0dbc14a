/* An 8x8 font for ASCII, drawn for this project. */
#ifndef GUEST_FONT_H
#define GUEST_FONT_H

#include <stdint.h>

#define FONT_WIDTH 8
#define FONT_HEIGHT 8

/** The eight rows of a character, bit 7 leftmost; a box for what is not printable ASCII. */
const uint8_t *font_glyph(char c);

#endif
