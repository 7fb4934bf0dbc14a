/*
 * A script as tests write it: each call appends an op, moves the model on and notes what must come out. The script runs when
 * script_run is called, or when it is full; then every op's outcome and the whole pool are compared with the model.
 */
#ifndef PAGEWALK_SCRIPT_H
#define PAGEWALK_SCRIPT_H

#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/window.h"
#include "guest-tests/pagewalk/model.h"

enum kind {
	READ1,
	READ2,
	READ4,
	READ8,
	WRITE1,
	WRITE2,
	WRITE4,
	WRITE8,
	EXEC,
	XADD4,
	CMPXCHG4,
	CMPXCHG8B,
	OR4,
	AND4,
	BTS,
	BTR,
	STOS1,
	STOS4,
	MOVS1,
	MOVS4,
	KINDS
};

#define BY_USER OPF_USER
#define BY_KERNEL 0u
#define WITH_AC RFLAGS_AC

/* What the model says of an op before it runs. */
enum verdict { REFUSED, PASSES, FAULTS, EITHER };

/* A group of checks in one configuration: what PASS and FAIL lines are about. */
void group_begin(const char *name, const char *config);
void group_end(void);
void fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void note_checks(unsigned n);
extern unsigned checks, failures;

/** The pool is fresh, the registers are as given; write tables with preset_* next. */
void script_begin(uint64_t cr0, uint64_t cr4, uint64_t efer, uint64_t cr3);
/** The same with the pool as it is: another mode from now on. */
void script_enter(uint64_t cr0, uint64_t cr4, uint64_t efer, uint64_t cr3);
/** Runs what there is; the model's registers then count for what is appended next. */
void script_run(void);

/** Appends an access; value: what is written, or compared (CMPXCHG: value is put where compare is found). Refused: nothing happens.
 */
enum verdict script_access(enum kind kind, uint64_t va, uint64_t value, uint32_t flags);
/** CMPXCHG and CMPXCHG8B. */
enum verdict script_exchange(enum kind kind, uint64_t va, uint64_t compare, uint64_t value, uint32_t flags);
/** REP STOS or MOVS of count elements. */
enum verdict script_string(enum kind kind, uint64_t va, uint64_t source, unsigned count, uint64_t value, uint32_t flags);
/** What the model says of an access, without appending it. */
enum verdict script_foresee(enum kind kind, uint64_t va, uint32_t flags);
/** The next access gets a repair: when it faults, an entry is stored, and it is tried again. Up to OP_REPAIRS. */
void script_repair(uint64_t entry_pa, uint64_t entry);
/** For ops that walk by themselves: the model makes the nth of these repairs (false: there is none); the op takes them along. */
bool script_apply_repair(unsigned n);
void script_attach_repairs(struct op *o);
/** Stores through HOME's view of the pool. */
void script_poke(uint64_t pa, unsigned size, uint64_t value);
/** Replaces an entry of the mode's size, by halves where the mode has no 8-byte stores. */
void script_poke_entry(uint64_t pa, uint64_t entry);
/** Appends an op that calls a routine, with what must come of it to be filled in; both stay valid until the next call. */
struct expected;
struct op *script_append(void (*routine)(void), struct expected **e);
/** Any routine with an outcome of one's own: vector -1 for none. Does nothing to the model. */
void script_raw(void (*routine)(void), const struct op *registers, int vector, uint32_t error, uint64_t cr2, const char *what);
void script_invlpg(uint64_t va);
/** MOV to control registers and EFER, with what that loads and flushes. */
void script_cr0(uint64_t value);
void script_cr3(uint64_t value);
void script_cr4(uint64_t value);
void script_efer(uint64_t value);
/** Forgets everything that is cached: CR3, or CR4.PGE where it is on. */
void script_flush(void);

#endif
