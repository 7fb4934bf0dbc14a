/* What the parts of the pixel coder share. */
#ifndef STREAM_PIXELS_INTERNAL_H
#define STREAM_PIXELS_INTERNAL_H

#include "stream/dense_model.h"

/* info: what is remembered of a coded pixel, by column */
#define INFO_ESCAPED (1u << 24)

static inline int32_t channel(uint32_t px, unsigned c)
{
	return px >> 8 * c & 0xff; /* 0 blue, 1 green, 2 red */
}

/* What is known around a pixel: neighbours already coded, the picture before, background, and what was learnt. */
struct around {
	uint32_t w, ww, www, n, nn, nnn, nw, nww, ne, nee, nnw, nne;
	uint32_t base, base_w, base_n, base_e, base_s;
	uint32_t bg;
	bool has_bg;
	uint32_t info_w, info_n, info_nw, info_ne;
	unsigned escapes; /* of w, nw, n, ne: how many no candidate had */
	uint32_t key[3];  /* places in the colour tables */
	uint32_t h4, match_key;
};

/**
 * True if so many quarters of what the pixel at hand may take above 24 bits are spent.
 * @had  its bits that are through, of the 24
 */
static inline bool overdrawn(const struct pixels *p, const struct rangecoder *rc, uint32_t had, int32_t quarters)
{
	return (int32_t)(rc_bits(rc) - p->budget.start - had) * 4 >= p->budget.slack * quarters;
}

/** Codes a pixel that no candidate had, as differences. Returns it; *info receives its residuals. */
uint32_t residual_code(struct dense *d, const struct around *a, uint32_t px, uint32_t *info);

void residual_clear(struct dense *d);

#endif
