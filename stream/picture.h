/* A picture in memory that someone else may be writing: words 0x00RRGGBB at any address, the top byte ignored. */
#ifndef STREAM_PICTURE_H
#define STREAM_PICTURE_H

#include <stdint.h>

struct picture {
	const volatile uint8_t *base; /* not owned */
	uint32_t stride;              /* bytes from row to row */
};

struct picture_word {
	uint32_t v;
} __attribute__((packed, may_alias));

/** Reads n pixels from (x, y) on, each once, with the top bytes 0. */
static inline void picture_read(const struct picture *p, uint32_t x, uint32_t y, uint32_t n, uint32_t *px)
{
	const volatile struct picture_word *row = (const volatile struct picture_word *)(p->base + (uint64_t)y * p->stride) + x;

	for (uint32_t i = 0; i < n; i++)
		px[i] = row[i].v & 0xffffff;
}

#endif
