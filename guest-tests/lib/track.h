/*
 * A test as a client of the dirty tracker, with a content oracle: each (consumer, range) pair has a copy of the range's pages that
 * is brought up to date from reported pages alone. After every query copy and memory must be equal: then no write was missed.
 */
#ifndef GUEST_TRACK_H
#define GUEST_TRACK_H

#include <stdbool.h>
#include <stdint.h>

#include "guest-tests/lib/hyper.h"
#include "guest-tests/lib/prng.h"

struct test; /* guest-tests/lib/print.h */

#define TRACK_PAGES_MAX 512u

/* What the queries of a test came to. */
struct track_count {
	uint64_t queries;
	uint64_t reported; /* pages */
	uint64_t same;	   /* of them: their content had not changed */
	uint64_t idle;	   /* pages reported by a second query, before which nothing was written */
};
extern struct track_count track_count;

/* One consumer's view of one range. */
struct track_view {
	int64_t consumer, range;
	uint64_t gpa; /* first page's */
	unsigned pages;
	uint8_t *copy; /* pages_max pages */
	unsigned pages_max;
	bool fresh; /* not asked yet: everything is dirty */
};

/** Call first: true under Tessera, and then what a failed test left is removed; else the test becomes a SKIP. */
bool track_begin(void);

/** Removes all of the guest's ranges and consumers. */
void track_clear(void);

/** A new range or consumer; a failure is the test's, and the result is negative. */
int64_t track_range(uint64_t gpa, uint64_t bytes);
int64_t track_consumer(void);

/** Gives v room for pages_max pages. False when RAM is short. */
bool track_view_make(struct track_view *v, unsigned pages_max);

/** v is now of this range of these bytes, which was just added or moved. */
void track_view_set(struct track_view *v, int64_t consumer, int64_t range, uint64_t gpa, uint64_t bytes);

/**
 * Queries v and compares. Fails the test where a changed page was not reported, a fresh view was not reported whole, or the bitmap
 * and the number returned disagree. Returns false then, so that the test can stop.
 */
bool track_query(struct track_view *v);

/** Queries v twice: nothing is written between, so the second one must report nothing. */
bool track_query_twice(struct track_view *v);

/** HC_DIRTY_COST's frames_free, and all of it. */
uint64_t track_frames_free(void);
void track_cost(struct hc_dirty_cost *cost);

/**
 * main of a test of the tracker: runs the tests with the heads known, leaves a clean picture (head 0's VRAM is theirs to write to),
 * and returns the exit value.
 */
int track_main(const struct test *tests);

/** Prints one line about the test that ends, and clears track_count. */
void track_report(const char *name);

/** The seed of this run ("seed=N" on the command line, else otherwise), which is printed. */
struct prng track_seed(uint64_t otherwise);

#endif
