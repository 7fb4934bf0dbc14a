/*
 * Scenes of our own, where no recordings are at hand, and to see that the codec does as well on what it was not tuned with: a
 * console, a terminal that flickers with colours, a window that moves over a gradient, noise that moves, a plot.
 */
#ifndef HOST_BENCH_SCENE_H
#define HOST_BENCH_SCENE_H

#include <stdint.h>

#define SCENE_WIDTH 800
#define SCENE_HEIGHT 600
#define SCENE_FRAMES 24

struct scene {
	const char *name;
	void (*paint)(uint32_t *px, uint32_t frame); /* changes the frame before into this one */
};

/** The scene of this name, or NULL. */
const struct scene *scene_find(const char *name);

/** All of them; the last has no name. */
extern const struct scene scenes[];

#endif
