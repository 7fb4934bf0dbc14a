/* Stands in for mm/frames.c: frames from the heap, so that the sanitizer sees every use after free; counted, and refused on demand.
 */
#ifndef TESTS_UNIT_FAKE_FRAMES_H
#define TESTS_UNIT_FAKE_FRAMES_H

#include <stdlib.h>
#include <string.h>

#include "mm/frames.h"

#define FAKE_FRAMES_SLOTS 65536u /* a power of two, twice what any test holds at once */

static struct {
	struct {
		uint64_t hpa;
		size_t count;
	} slot[FAKE_FRAMES_SLOTS]; /* open addressing by address; hpa 1: was in use */
	size_t held, blocks;	   /* frames and blocks not given back */
	long fail_at;		   /* this call from now on fails, 1 is the next one; 0: none */
	uint32_t fail_once_in;	   /* fails at random: one call in so many; 0: never */
	struct rng rng;
	unsigned long failed;
} fake_frames;

/* Forgets what a failed test held, so that the next is judged alone. */
static void fake_frames_reset(void)
{
	memset(&fake_frames, 0, sizeof(fake_frames));
}

static size_t fake_frames_find(uint64_t hpa, uint64_t want)
{
	size_t i = (size_t)(hpa >> 12) * 0x9e3779b1u % FAKE_FRAMES_SLOTS;

	for (size_t n = 0; n < FAKE_FRAMES_SLOTS; n++, i = (i + 1) % FAKE_FRAMES_SLOTS) {
		uint64_t there = fake_frames.slot[i].hpa;

		if (there == want || (want <= 1 && there <= 1))
			return i;
		if (!there)
			break;
	}
	fail_msg("frame 0x%llx is not held (or too many are)", (unsigned long long)hpa);
	return 0;
}

uint64_t frames_alloc(size_t count, size_t align)
{
	size_t i;
	void *p;

	assert_true(count && align && !(align & (align - 1)));
	if (fake_frames.fail_at && --fake_frames.fail_at == 0) {
		fake_frames.failed++;
		return 0;
	}
	if (fake_frames.fail_once_in && rng_once_in(&fake_frames.rng, fake_frames.fail_once_in)) {
		fake_frames.failed++;
		return 0;
	}
	p = aligned_alloc(align * 4096, (count + align - 1) / align * align * 4096);
	assert_non_null(p);
	memset(p, 0, count * 4096);
	i = fake_frames_find((uint64_t)(uintptr_t)p, 0);
	fake_frames.slot[i].hpa = (uint64_t)(uintptr_t)p;
	fake_frames.slot[i].count = count;
	fake_frames.held += count;
	fake_frames.blocks++;
	return (uint64_t)(uintptr_t)p;
}

void frames_free(uint64_t hpa, size_t count)
{
	size_t i = fake_frames_find(hpa, hpa);

	assert_int_equal(fake_frames.slot[i].count, count);
	fake_frames.slot[i].hpa = 1;
	fake_frames.held -= count;
	fake_frames.blocks--;
	free((void *)(uintptr_t)hpa);
}

#endif
