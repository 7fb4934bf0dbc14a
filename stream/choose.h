/*
 * Which of the codec's modes is the quicker one for a head, as its pictures, the line and the CPU are now. What is coded costs the
 * CPU's time and the line's; the two go on side by side, so the longer one counts. In the mode at hand both are measured; in the
 * other they are worked out by what the modes are to one another. A change makes the codec forget what it has learnt, so the other
 * mode must be much better, and one that proves wrong soon is not tried again for a while.
 */
#ifndef STREAM_CHOOSE_H
#define STREAM_CHOOSE_H

#include <stdbool.h>
#include <stdint.h>

struct choose {
	uint64_t cpu_ns, bytes; /* coding in the mode at hand, with what is older fading */
	uint64_t fresh_ns;	/* of that, since it was last looked at */
	uint64_t fresh_bytes;
	uint64_t tiles, fresh_tiles; /* that those bytes were for */
	uint64_t cost_before;	     /* of a byte in the other mode, ns, right before a change; 0: that is through */
	unsigned looks;		     /* that said in a row that the other mode is better */
	unsigned dense_time;	     /* so many times the CPU's time does the dense mode take */
	uint64_t since_ns, hold_ns;  /* when the mode was chosen, and how long it stays at least */
};

/** Begins in a mode that was chosen by little knowledge: it may be changed soon. */
void choose_init(struct choose *c, uint64_t now_ns);

/** Coding took so long, and so many bytes came of it, for so many tiles (16x16 pixels). */
void choose_note(struct choose *c, uint64_t cpu_ns, uint64_t bytes, uint64_t tiles);

/**
 * Is the other mode to be taken?
 * @fast   the mode at hand
 * @rate   the line's, in bytes a second
 * @share  of the CPU's time that is there for coding, in 1/1000, not 0
 * Returns true for a change, which then counts as made.
 */
bool choose_other(struct choose *c, bool fast, uint32_t rate, unsigned share, uint64_t now_ns);

#endif
