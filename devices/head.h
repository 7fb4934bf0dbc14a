/*
 * A display head: VRAM in guest-physical memory, a mode, and from it the scanout. Knows which bytes of VRAM are visible; the stream
 * knows nothing of guests and the tracker nothing of heads, so this is where a dirty page becomes damage.
 */
#ifndef DEVICES_HEAD_H
#define DEVICES_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream/display.h"

struct head {
	unsigned index;
	uint64_t gpa;          /* first byte of VRAM where the guest sees it now, or HEAD_NOWHERE */
	uint64_t vram_bytes;   /* whole pages */
	uint8_t *vram;         /* the VMM's pointer to it */
	/* the mode, as hostile as the guest makes it: head_scanout and head_visible know what of it can be shown */
	bool on;
	uint16_t width, height;
	uint32_t stride;       /* bytes */
	uint64_t start;        /* byte offset of the first visible row in VRAM */
	uint8_t bpp;
	uint32_t palette[256]; /* of 8 bpp: 0x00RRGGBB */
};

#define HEAD_NOWHERE UINT64_MAX

/** Sets a fixed 32 bpp mode of width x height with stride = width * 4. Returns 0 or -EINVAL when it does not fit into the VRAM. */
int head_set_mode(struct head *h, unsigned width, unsigned height);

/** Bytes of VRAM, from start on, that the mode shows; 0: the head is off, or its mode does not lie in the VRAM and the limits. */
uint64_t head_visible(const struct head *h);

/** The scanout for the stream; 0 x 0 where nothing is shown. */
void head_scanout(const struct head *h, struct scanout *so);

/**
 * Turns a dirty bitmap of VRAM pages into damage.
 * @first           page of VRAM that bit 0 stands for
 * @bitmap, @pages  bit i: page first + i of VRAM was written; pages bits
 * Calls dtx_damage for each run of dirty pages, clipped to what is visible.
 */
void head_damage(const struct head *h, struct display_tx *tx, uint64_t first, const uint64_t *bitmap, size_t pages);

/** Whether a head of this size can be made: its sides, its pixels, and VRAM for two pictures within GUEST_HEAD_STRIDE. */
bool head_size_ok(unsigned width, unsigned height);

/** Parses "WxH" at *s and moves *s behind it. Returns 0, or -EINVAL for what is no size or one that head_size_ok refuses. */
int head_parse_size(const char **s, uint16_t size[2]);

/** Parses "N" or "WxH,WxH,..." or "none" (COMMAND.md, --heads) into sizes. Returns the number of heads, or -EINVAL. */
int heads_parse(const char *spec, uint16_t (*sizes)[2], unsigned max);

#endif
