/* Shared by the files of the bench kernel. */
#ifndef GUEST_BENCH_H
#define GUEST_BENCH_H

#include <stdint.h>

#include "guest-tests/lib/hyper.h"

/* Of one operation. */
struct bench_cost {
	uint64_t ticks, exits, vmcs, flushes;
};

/* As a measure's result: what the VMM measured around the tracker in the last query counts instead. */
#define BENCH_VMM UINT64_MAX

/** Runs prepare (or nothing) and then measure several times; the run with the fewest ticks becomes the row. */
void bench_row(const char *name, void (*prepare)(uint64_t arg), uint64_t (*measure)(uint64_t arg), uint64_t arg);
/** A row that was measured otherwise. */
void bench_put(const char *name, struct bench_cost cost);
/** Ends the run when a hypercall's result is an error. */
void expect_call(const char *what, int64_t result);

/** The rows about the dirty tracker (tracking.c). */
void bench_tracking(void);

#endif
