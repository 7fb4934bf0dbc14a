/*
 * Exceptions and interrupts in test kernels.
 *
 * What a trap does, in this order: the vector's own handler (trap_handler) may take it; an instruction written with GUARD is
 * skipped; the innermost trap_run ends; else the guest fails. In each case trap_last tells what happened.
 */
#ifndef GUEST_TRAP_H
#define GUEST_TRAP_H

#include <stdbool.h>
#include <stdint.h>

#include "guest-tests/lib/cpu.h"

/* As trap.asm pushes it, the lower part as the CPU does (Intel SDM vol. 3, 6.14.2). */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx, rcx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};

#define TRAP_NONE (-1)

struct trap {
	int vector;		  /* TRAP_NONE: nothing was raised */
	uint64_t error, cr2, dr6; /* as they were in the handler */
	struct trap_frame frame;
};

/* The last trap that no handler took. */
extern struct trap trap_last;

/* The 64-bit TSS (Intel SDM vol. 3, 7.7). */
struct __attribute__((packed)) tss {
	uint32_t reserved0;
	uint64_t rsp[3], reserved1, ist[7], reserved2;
	uint16_t reserved3, io_map;
};
_Static_assert(sizeof(struct tss) == 104, "SDM vol. 3, 7.7");

/* An IDT gate (Intel SDM vol. 3, 6.14.1). */
struct __attribute__((packed)) gate {
	uint16_t offset0, selector;
	uint8_t ist, type;
	uint16_t offset1;
	uint32_t offset2, reserved;
};
_Static_assert(sizeof(struct gate) == 16, "SDM vol. 3, 6.14.1");

extern struct tss tss;
extern struct gate idt[256];
extern uint64_t gdt[16];
extern uint8_t trap_stubs[];

/** Sets up IDT, TSS and GDT. Vectors 3, 4 and VEC_USER may be called from CPL 3; #DF has a stack of its own. */
void trap_init(void);

/** Loads idt, gdt, TR and the segment registers anew, as trap_init left them, and forgets all handlers. */
void trap_reset(void);

/** A vector's own handler: true when it took the trap; execution goes on with what it left in the frame. NULL: none. */
void trap_handler(unsigned vector, bool (*handler)(struct trap_frame *f));

/** Calls fn(arg), with traps ending the call. Returns true when one did; trap_last tells which. Nests. */
bool trap_run(void (*fn)(void *arg), void *arg);

/**
 * Calls fn(arg) at CPL 3, on a stack of its own; returns what it returned in *result (may be NULL). fn and what it calls may use
 * only code and data reached relative to RIP. Returns true when a trap cut it short.
 */
bool user_run(uint64_t (*fn)(uint64_t arg), uint64_t arg, uint64_t *result);

/** The address under which CPL 3 sees an address below 4 GiB. */
static inline uint64_t user_address(const volatile void *p)
{
	return USER_BASE + (uint64_t)p;
}

/*
 * One instruction that may raise an exception: GUARD("wrmsr") in an asm statement. If it does, the instruction is skipped.
 * Use between trap_begin and trap_end, which returns the vector or TRAP_NONE.
 */
#define GUARD(insn) "771: " insn "\n772:\n.pushsection .guards,\"a\"\n.quad 771b, 772b\n.popsection\n"

static inline void trap_begin(void)
{
	trap_last.vector = TRAP_NONE;
	__asm__ volatile("" ::: "memory");
}

static inline int trap_end(void)
{
	__asm__ volatile("" ::: "memory");
	return trap_last.vector;
}

/** Runs one instruction without operands, or with operands written out, under GUARD: the vector or TRAP_NONE. */
#define TRY(insn)                                                                                                                  \
	({                                                                                                                         \
		trap_begin();                                                                                                      \
		__asm__ volatile(GUARD(insn)::: "memory", "cc", "rax", "rbx", "rcx", "rdx", "rsi", "rdi");                         \
		trap_end();                                                                                                        \
	})

/** The same with one 64-bit input operand, %0. */
#define TRY_IN(insn, value)                                                                                                        \
	({                                                                                                                         \
		trap_begin();                                                                                                      \
		__asm__ volatile(GUARD(insn)::"r"((uint64_t)(value)) : "memory", "cc");                                            \
		trap_end();                                                                                                        \
	})

/** RDMSR and WRMSR under GUARD: the vector or TRAP_NONE. */
int try_rdmsr(uint32_t msr, uint64_t *value);
int try_wrmsr(uint32_t msr, uint64_t value);

#endif
