/* What must come of an op, and whether it did. */
#ifndef PAGEWALK_JUDGE_H
#define PAGEWALK_JUDGE_H

#include "guest-tests/pagewalk/model.h"

/* One outcome. vector 0: the routine came to its end, and the low `size` bytes of AX are `value` but for loose bits. */
struct way {
	uint8_t vector, size;
	uint32_t error, error_loose; /* and which of its bits may be either */
	uint64_t cr2, cr2_loose;
	uint64_t value, loose;
};

struct expected {
	const char *what;
	struct registers regs;
	uint64_t ip;	   /* of faults; 0: the routine */
	uint64_t entry[4]; /* on the way, for the report */
	unsigned entries;
	unsigned seen_count; /* faults that must be there, in order; the last of them ends the op unless ways says how */
	struct way seen[RESULT_FAULTS];
	unsigned ways; /* how it may end */
	struct way way[OUTCOMES];
	bool string; /* CX, SI and DI count too, and at the faults CX */
	uint64_t cx, si, di;
	uint64_t seen_cx[RESULT_FAULTS];
};

/** The expectation for op n; expected_new empties it. */
struct expected *expected_of(unsigned n);
struct expected *expected_new(unsigned n);
/** Of the op that was appended last. */
struct expected *expected_last(void);
void expected_describe(struct expected *e, const char *what, const struct outcome *path);
void judge(unsigned n);
/** The first op that fails prints all ops up to it. */
extern bool judge_trace;

#endif
