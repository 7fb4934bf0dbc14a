/*
 * A guest under shadow paging without a machine: its memory, and a CPU that walks the shadow tables as the manual allows at its
 * worst. What the CPU found once it uses until a flush is asked for, or forgets at random: leaves (with D, or without), and the way
 * to a table of leaves, in which it then sets no A.
 */
#ifndef TESTS_UNIT_SHADOW_WORLD_H
#define TESTS_UNIT_SHADOW_WORLD_H

#include "mm/dirty.h"
#include "mm/shadow_priv.h"
#include "tests/unit/random.h"

#define RAM_FRAMES 192u
#define VRAM_FRAMES 48u
#define VRAM_GFN 0x800u /* 8 MiB */

struct world {
	struct guest_mem mem;
	struct dirty dirty;
	struct shadow *sh;
	struct rng rng;
	struct walk_mode mode; /* the guest's, now */
	bool stale;
	uint64_t cr3; /* the CPU's */
	uint8_t *ram, *vram;
	uint64_t faults, emulated, flushes, frames_held;
};
extern struct world w;

/** Makes w anew. tables: of the shadow pool. */
void world_begin(uint64_t seed, unsigned tables);
/** Frees all; asserts that no frame is left. */
void world_end(void);

/** Where a guest frame is; NULL: nowhere. */
uint8_t *world_frame(uint64_t gfn);

/** The guest loads CR3 or changes its mode: w.mode as it is now. */
void cpu_load_root(void);
void cpu_invlpg(uint64_t va);

enum cpu_outcome { CPU_DONE, CPU_FAULT, CPU_DEVICE };

/**
 * One access of up to 8 bytes that does not cross a page. For a write *value goes to memory, else it is what was read.
 * *error, *gpa: of a fault; where it went.
 */
enum cpu_outcome cpu_access(uint64_t va, struct walk_access a, unsigned size, uint64_t *value, uint32_t *error, uint64_t *gpa);

/** What the guest's own tables say about the access, now. */
enum cpu_outcome world_expect(uint64_t va, struct walk_access a, uint32_t *error, uint64_t *gpa);

/** Asserts all that must hold between tables, chains, frames and tracked leaves. */
void world_check(void);

/** Instructions that f takes, counted one by one. */
uint64_t count_instructions(void (*f)(void *arg), void *arg);

#endif
