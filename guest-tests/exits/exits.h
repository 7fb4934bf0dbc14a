/* The subjects of the exits kernel: each is a table of tests that ends with an entry without name. */
#ifndef GUEST_EXITS_H
#define GUEST_EXITS_H

#include <stdbool.h>
#include <stdint.h>

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/fpu.h"
#include "guest-tests/lib/heads.h"
#include "guest-tests/lib/hyper.h"
#include "guest-tests/lib/pic.h"
#include "guest-tests/lib/prng.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/string.h"
#include "guest-tests/lib/trap.h"
#include "guest-tests/lib/window.h"

extern const struct test cpuid_tests[], msr_tests[], cr_tests[], xcr_tests[], io_tests[], string_io_tests[], irq_tests[],
	exception_tests[], page_fault_tests[], ring3_tests[], debug_tests[], table_tests[], instruction_tests[], hyper_tests[],
	fpu_tests[], mmio_tests[], vram_tests[], mode_tests[];

/* General registers and flags around one instruction (around.asm). */
struct regs {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, rbp, r8, r9, r10, r11, r12, r13, r14, r15, rflags;
};

/* Loads all of *r, runs one instruction, stores all of it back. */
void around_cpuid(struct regs *r);
void around_rdmsr(struct regs *r);
void around_wrmsr(struct regs *r);
void around_in8(struct regs *r);
void around_in16(struct regs *r);
void around_in32(struct regs *r);
void around_out8(struct regs *r);
void around_vmcall(struct regs *r);
void around_vmmcall(struct regs *r);
void around_rdtsc(struct regs *r);

/** Fills r with noise (arithmetic flags too). */
void regs_random(struct regs *r);

/** Expects that registers other than those in `changed` (bit n: the nth field) are as before. */
void expect_regs(const char *what, const struct regs *after, const struct regs *before, uint32_t changed);
#define REG_RAX (1u << 0)
#define REG_RBX (1u << 1)
#define REG_RCX (1u << 2)
#define REG_RDX (1u << 3)

/** The error code of a fault about an IDT entry: QEMU's translator gives its offset, CPUs its number (Intel SDM vol. 3, 6.13). */
static inline uint64_t idt_error(unsigned vector)
{
	return (cpu_is_tcg() ? vector * 16 : vector * 8) | 2;
}

/** An address that is neither RAM nor a device under Tessera. */
#define UNBACKED 0xc8123000ull
/** A port that nobody answers. */
#define UNCLAIMED_PORT 0x4444

#endif
