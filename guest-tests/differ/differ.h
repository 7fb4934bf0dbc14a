/*
 * Random programs whose outcome the manual fixes: the same registers, memory and fault come of them on a bare CPU, under nested
 * paging and under shadow paging. This kernel tells what came of each; who compares is outside (tests/run, tests/tools/differ.sh).
 */
#ifndef GUEST_DIFFER_H
#define GUEST_DIFFER_H

#include <stdbool.h>
#include <stdint.h>

#include "guest-tests/lib/enter.h"
#include "guest-tests/lib/prng.h"
#include "guest-tests/lib/trap.h"

/* ---- arena.c: the memory that programs work on, in the window */

#define PAGE 4096u

enum arena_page {
	CODE = 0,
	PLAIN = 2, /* two, writable */
	READ_ONLY = 4,
	NO_EXECUTE = 5,
	ABSENT = 6, /* until a program maps it: the frame is there */
	ALIAS = 7,  /* PLAIN's first frame once more */
	SYSTEM = 8, /* never CPL 3's */
	STACK = 9,
	TABLE = 11, /* the page table of all this */
	ARENA_PAGES
};

void arena_make(void);
/** Memory, tables and the CPU's state as every program finds them. user: for CPL 3. */
void arena_reset(bool user);
uint64_t arena_address(enum arena_page page);
/** The code page, to be written. */
uint8_t *arena_code(void);
uint64_t arena_page_digest(enum arena_page page);
#define ARENA_REGISTERS 32
/** What a program may have changed of control and debug registers and MSRs; how many there are. */
unsigned arena_registers(uint64_t out[ARENA_REGISTERS]);
/** A digest of all memory and tables. Accessed and dirty bits count: they are exact in what runs this. */
uint64_t arena_digest(void);

/* ---- program.c */

#define PROGRAM_MAX 40 /* instructions */

/** Writes a program of at most `most` instructions for case `seed` into code, which has room for a page. */
void program_make(uint64_t seed, bool user, unsigned most, uint8_t *code);
/** The registers that it starts with. */
void program_start(uint64_t seed, bool user, struct start *s);

#endif
