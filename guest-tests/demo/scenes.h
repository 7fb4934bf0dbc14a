/* The scenes of the demo, one a head. */
#ifndef DEMO_SCENES_H
#define DEMO_SCENES_H

#include "guest-tests/demo/canvas.h"

#define FPS 12
#define TICKS_PER_FRAME 2

struct scene {
	const char *name;
	/* Draws the first picture; false when memory is short. */
	bool (*start)(struct canvas *c);
	/* Draws what frame number `frame` (from 1) changes. */
	void (*step)(struct canvas *c, unsigned frame);
};

extern const struct scene card_scene, clock_scene, balls_scene, console_scene, plasma_scene;

/** Seconds since midnight, by the RTC at start and by frames since. */
unsigned seconds_of_day(unsigned frame);

/** The title strip that all scenes but the test card have; returns its height. */
int32_t title_strip(struct canvas *c, const char *name);

#endif
