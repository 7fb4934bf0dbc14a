/* The wall between guest and VMM, looked at from behind: is all that no guest may reach as it was? */
#ifndef VMM_WALL_H
#define VMM_WALL_H

#include <stdbool.h>
#include <stddef.h>

struct vm;

/** Begins to watch. canary: all free memory too (mm/frames.h), and the image's text and constants. Before the first guest runs. */
void wall_begin(bool canary);

/**
 * Looks at the live tables that the guest runs on and at the VMM's own; memory: at free memory and the image too, if they are
 * watched. What is wrong is logged as an error and counted.
 */
void wall_check(const struct vm *vm, bool memory);

/** The counts so far as a JSON object; returns its length. */
size_t wall_stats(char *buf, size_t size);

#endif
