/*
 * Faults injected into a byte stream, as a bad cable would: flipped bits, lost and doubled bytes, bursts of noise, a line that is
 * dead at times; and a reader who looks away at times.
 */
#ifndef HOST_FAULTS_H
#define HOST_FAULTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FAULTS_BURST 100

struct fault_rates {
	double flip, drop, dup; /* probability for each byte */
	double burst;		/* and that up to FAULTS_BURST bytes from it on are noise */
	uint64_t cut_us;	/* each such span ends with a dead second; 0: never */
	uint64_t stall_us;	/* each such span ends with a second in which nothing is read; 0: never */
	uint64_t seed;
};

struct faults {
	uint64_t flip, drop, dup, burst; /* the probabilities times 2^64 */
	uint64_t cut_us, stall_us, random;
	unsigned burst_left;			   /* bytes of noise */
	uint64_t flipped, dropped, doubled, noisy; /* what was done so far */
};

/** The reader looks away now; *until_us: until then, as now_us. */
bool faults_stalled(const struct faults *f, uint64_t now_us, uint64_t *until_us);

/** direction: 0 or 1, so that both ways of a line see different faults for one seed. */
void faults_init(struct faults *f, const struct fault_rates *rates, unsigned direction);

/**
 * Passes n bytes on. out has room for 2 * n. now_us counts from the line's beginning.
 * Returns how many bytes came out. The same bytes, seed and pieces give the same result.
 */
size_t faults_apply(struct faults *f, const uint8_t *in, size_t n, uint8_t *out, uint64_t now_us);

#endif
