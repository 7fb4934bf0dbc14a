/* A world: a paging mode with its control registers, and what runs in it: a script of ops (world.asm, script.inc). */
#ifndef PAGEWALK_WORLD_H
#define PAGEWALK_WORLD_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Virtual addresses that are the same in every world; paging structures for them are HOME's and no test changes them:
 *   0 to 4 MiB               this program, as it lies in memory; supervisor
 *   USER_CODE, USER_STACK    the routines and a stack for CPL 3
 *   POOL                     the frames that tests work with, as they lie in memory; supervisor
 */
#define HOME_END 0x400000u
#define USER_CODE 0x800000u
#define USER_STACK 0x801000u
#define USER_STACK_TOP 0x801f00u
#define POOL 0x1000000u
#define POOL_SIZE 0x400000u

#define OPF_USER 1u
#define OP_REPAIRS 2
#define RESULT_FAULTS 3

/* A store that the trap handler makes before it retries. size: 4 or 8. */
struct repair {
	uint64_t va, value, size;
};

struct op {
	void (*routine)(void);
	uint64_t di, ax, cx, si, dx, bx;
	uint32_t flags;	  /* OPF_USER, RFLAGS_AC */
	uint32_t repairs; /* how many of repair[] there are */
	struct repair repair[OP_REPAIRS];
};
_Static_assert(sizeof(struct op) == 112, "world.asm");

struct fault {
	uint32_t vector, error;
	uint64_t cr2, ip, cx;
};

struct result {
	uint32_t faults; /* how many there were; the first RESULT_FAULTS are recorded */
	uint32_t done;	 /* 1: the routine came to its end */
	uint64_t ax, cx, si, di, dx;
	struct fault fault[RESULT_FAULTS];
};
_Static_assert(sizeof(struct result) == 144, "world.asm");

struct world {
	uint64_t long_mode;
	uint64_t cr0, cr3, cr4, efer;
};

#define OPS_MAX 1024
extern struct op ops[OPS_MAX];
extern struct result results[OPS_MAX];

/** Sets up descriptor tables and HOME's paging structures. NULL, or why it can't. */
const char *world_init(void);

/** Writes the entries for HOME into an empty top-level table: of 1024, 4 or 512 entries. */
void home_legacy(uint32_t *root, bool pse);
void home_pae(uint64_t *root);
void home_long(uint64_t *root);

/** Runs the first n ops in w. NULL, or what went wrong outside of an op. */
const char *world_run(const struct world *w, unsigned n);

/** A world's IDT in memory: 256 gates of the size above. */
const void *world_idt(bool long_mode);
/** The two quadwords of the world's GDT that make up LDT_SELECTOR. */
uint64_t *world_ldt_descriptor(void);
#define LDT_SELECTOR 0x58

/* routines.asm */
#define ROUTINES(X)                                                                                                                \
	X(read1)                                                                                                                   \
	X(read2)                                                                                                                   \
	X(read4)                                                                                                                   \
	X(read8)                                                                                                                   \
	X(write1)                                                                                                                  \
	X(write2)                                                                                                                  \
	X(write4) X(write8) X(exec) X(xadd4) X(cmpxchg4) X(cmpxchg8b) X(or4) X(and4) X(bts) X(btr) X(stos1) X(stos4) X(movs1)      \
		X(movs4) X(invlpg) X(set_cr0) X(set_cr3) X(set_cr4) X(wrmsr) X(lldt) X(load_gs) X(lidt) X(int80)
#define ROUTINE_DECLARE(name) void r_##name(void);
ROUTINES(ROUTINE_DECLARE)
extern uint8_t routines[4096];

#endif
