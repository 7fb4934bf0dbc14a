/*
 * What the manual says about paging, as a model: the pool's memory as it should be, the paging registers, and which translations
 * the CPU may still have cached. From the Intel SDM vol. 3, chapter 4; AMD's APM vol. 2, chapter 5, where the two differ.
 */
#ifndef PAGEWALK_MODEL_H
#define PAGEWALK_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "guest-tests/pagewalk/world.h"

#define CR4_PSE (1u << 4)
#define CR4_MCE (1u << 6)

#define ERR_P 1u
#define ERR_W 2u
#define ERR_U 4u
#define ERR_RSVD 8u
#define ERR_I 16u

/* The pool's frames that tests may use. Those from HIGH_FRAME on lie 2 MiB further up, so that large pages' offsets matter. */
#define FRAMES 64
#define HIGH_FRAME 48
#define FRAME_WORDS 512
#define NOWHERE                                                                                                                    \
	0xc8123000ull /* a page that is neither RAM nor a device: what is read there is ones (a walk may try it under Tessera) */

enum paging { PAGING_OFF, PAGING_LEGACY, PAGING_PAE, PAGING_LONG };

struct cpu_limits {
	bool amd, tcg;
	bool nx, smep, smap, page1g;
	unsigned phys_bits;
};
extern struct cpu_limits limits;

/* The registers that decide; pdpte: as the CPU loaded them (SDM 4.4.1). */
struct registers {
	uint64_t cr0, cr3, cr4, efer;
	uint64_t pdpte[4];
};

struct access {
	uint64_t va;
	bool write, fetch;
	bool user;     /* from CPL 3 */
	bool implicit; /* a system access, whatever the CPL */
	bool ac;       /* EFLAGS.AC */
};

/* One way in which a walk may end. */
struct outcome {
	bool fault;
	bool stale; /* not what the tables say now, but what may be cached */
	bool wild;  /* leaves the pool: not to be tried */
	uint32_t error;
	uint64_t pa;
	unsigned depth; /* entries looked at */
	uint64_t at[4]; /* where they are, from the top; 0: a PDPTE that was taken from its register, or in NOWHERE */
};
#define OUTCOMES 12

extern struct registers regs;

/** Reads limits from CPUID. */
void model_init(void);

/** The pool and the model as at first: every frame holds its pattern, nothing is cached. */
void model_reset(void);
enum paging model_paging(void);
/** 4 or 8. */
unsigned model_entry_size(void);

uint64_t frame_pa(unsigned frame);
/** True when all bytes are in frames. */
bool model_has(uint64_t pa, unsigned size);
/** Memory as it should be; *loose: the bits that may be either. */
uint64_t model_read(uint64_t pa, unsigned size, uint64_t *loose);
void model_write(uint64_t pa, unsigned size, uint64_t value);
/** The same for memory that the CPU has no part in yet: nothing of the old value is cached. */
void model_preset(uint64_t pa, unsigned size, uint64_t value);
void model_loosen(uint64_t pa, uint64_t bits);
/** What is at a frame's word at first. Bit 0 of each half is clear: no entry made of it is present. */
uint64_t frame_pattern(unsigned frame, unsigned word);
#define FRAME_CODE 0xf00 /* mov eax, frame_code(); ret */
uint32_t frame_code(unsigned frame);

/** All ways in which a walk may end; the first is what the tables say. Returns how many, 0: too many to tell. */
unsigned model_walk(const struct access *a, struct outcome out[OUTCOMES]);
/** An access came through, by out: accessed and dirty bits. certain: it was the only way. */
void model_used(const struct outcome *out, bool write, bool certain);
/** An access faulted: what may have been set, and what is no longer cached. */
void model_faulted(const struct access *a, const struct outcome *out);

/** Walks take the entry at `at` to be this; at 0: what is in memory. */
void model_suppose(uint64_t at, uint64_t entry);

void model_invlpg(uint64_t va);
void model_flush(void);
/** The CR3 write's flush leaves global pages alone. */
void model_flush_local(void);
/** Loads the PDPTEs; false: one has a reserved bit set. */
bool model_load_pdptes(struct registers *r);
/** An op is over. */
void model_tick(void);

/** Compares the pool with the model. Returns the number of words that differ; tells of the first. */
unsigned model_compare(char *why, unsigned size);

#endif
