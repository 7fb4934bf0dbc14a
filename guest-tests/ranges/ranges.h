/* Ranges and consumers that come, move and go, against a model of what each must be told. */
#ifndef GUEST_RANGES_H
#define GUEST_RANGES_H

#include <stdbool.h>
#include <stdint.h>

#include "guest-tests/lib/track.h"

#define PAGE 4096u
#define UNBACKED 0xc8123000ull /* neither RAM nor a device */
#define AREAS 2
#define AREA_PAGES 64u /* so that what a range must report fits into a word */
#define AREA_BYTES (AREA_PAGES * PAGE)

/* Memory that is written and tracked: RAM on both sides of a 2 MiB boundary, and VRAM. */
extern uint64_t areas[AREAS];
bool areas_make(void);

/** Errors as results of hypercalls. */
#define ERROR(e) ((int64_t) - (HYPER_##e))

/* ---- model.c */

struct model_range {
	bool live;
	int64_t id;
	unsigned area, first, pages;
};

extern struct model_range model_ranges[HC_DIRTY_RANGES];
extern int64_t model_consumers[HC_DIRTY_CONSUMERS]; /* ids, -1: none */
extern uint64_t model_extra;			    /* pages reported that nobody wrote */

/** Forgets everything. exact: pages that nobody wrote may not be reported. */
void model_begin(bool exact);
unsigned model_live(void);
bool model_add(uint64_t gpa, uint64_t bytes);
bool model_move(unsigned n, uint64_t gpa, uint64_t bytes);
bool model_remove(unsigned n);
bool model_consumer_add(void);
bool model_consumer_remove(unsigned c);
/** Memory [gpa, gpa+bytes) was written. */
void model_written(uint64_t gpa, uint64_t bytes);
/** Asks with a bitmap at this address, and compares. */
bool model_query(unsigned c, unsigned n, uint8_t *bitmap);

/** One call that must fail, chosen by r, and its error. */
bool wrong_call(struct prng *r);

/* ---- compat.asm: a hypercall from 32-bit code; arguments are loaded whole, also their upper halves */
int64_t hypercall_compat(uint32_t number, uint64_t rbx, uint64_t rcx, uint64_t rdx, uint64_t rsi, bool vmcall);

#endif
