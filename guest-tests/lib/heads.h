/* Display heads: where they are, a shadow copy of what each should show, and the lines that tests compare. */
#ifndef GUEST_HEADS_H
#define GUEST_HEADS_H

#include <stdbool.h>
#include <stdint.h>

#define HEADS_MAX 16

struct head {
	unsigned index;
	uint32_t width, height, stride; /* pixels; stride in bytes, may exceed width * 4 */
	uint32_t size;			/* bytes of VRAM */
	volatile uint8_t *vram;
	uint32_t *shadow; /* width * height words: what should be visible, drawn in parallel, never read back from VRAM */
};

extern struct head heads[HEADS_MAX];
extern unsigned head_count;

/**
 * Finds the heads: number 0 from the multiboot information, others by hypercall. NULL when all is well (also without any head: then
 * head_count is 0), else what is wrong, in words.
 */
const char *heads_find(void);

/** Gives every head a shadow, black. False when memory is short. */
bool heads_shadow(void);

/** Head's row y in VRAM. */
static inline volatile uint32_t *head_row(const struct head *h, uint32_t y)
{
	return (volatile uint32_t *)(h->vram + (uint64_t)y * h->stride);
}

/** True when every visible pixel in VRAM equals the shadow (fourth bytes do not count). */
bool head_matches(const struct head *h);

/** Prints the head's `screen` line, from the shadow. */
void head_print_screen(const struct head *h);

/** For all heads: compares VRAM with the shadow, reports that as test name, prints the `screen` lines, asks for screenshots. */
void heads_report(const char *name);

#endif
