/* Exceptions and interrupts that hit the VMM itself. */
#ifndef BOOT_TRAP_H
#define BOOT_TRAP_H

#include <stdint.h>

/* What boot/isr.asm pushes, lowest address first, then what the CPU pushed (SDM vol. 3 6.14.2). */
struct trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error;
	uint64_t rip, cs, rflags, rsp, ss;
};
_Static_assert(sizeof(struct trap_frame) == 22 * 8, "boot/isr.asm builds this");

/** Called by the stubs for every vector. Returns to go on, or never: an exception that nobody expected stops the VMM. */
void trap(struct trap_frame *f);

/** Fills f with the registers as they are at the call (RIP: the return address). Vector and error are 0. */
void trap_capture(struct trap_frame *f);

#endif
