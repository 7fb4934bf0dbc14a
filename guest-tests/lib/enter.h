/* Into code that nobody knows: all general registers at once, until something traps (trap_run). */
#ifndef GUEST_ENTER_H
#define GUEST_ENTER_H

#include <stdint.h>

/* What it starts with, in the order of the loads (enter.asm). */
struct start {
	uint64_t rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15;
	uint64_t rip, cs, rflags, rsp, ss;
};

/** Goes on as s says. */
_Noreturn void program_enter(const struct start *s);

#endif
