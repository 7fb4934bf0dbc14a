/* The end of the VMM: what broke, the registers, how it came there. Uses nothing that may itself be what broke. */
#include "vmm/log.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "boot/image.h"
#include "boot/trap.h"
#include "vmm/cpu.h"
#include "vmm/hw/hw.h"
#include "vmm/hw/x86.h"
#include "vmm/symbols.h"

#define BACKTRACE_MAX 32
#define EXIT_FAILED 62 /* isa-debug-exit makes (62 << 1) | 1 = 125 of it: the VMM failed */

static void (*panic_writer)(const char *text, size_t len) = uart_write_wait;
static unsigned panic_depth;

void panic_set_writer(void (*w)(const char *text, size_t len))
{
	panic_writer = w;
}

__attribute__((format(printf, 1, 2))) static void print(const char *fmt, ...)
{
	char line[256];
	va_list ap;
	va_start(ap, fmt);
	int n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	panic_writer(line, n < (int)sizeof(line) ? (size_t)n : sizeof(line) - 1);
}

static void print_registers(const struct trap_frame *f)
{
	static const struct {
		const char *name;
		size_t offset;
	} regs[] = {
#define REG(r) { #r, offsetof(struct trap_frame, r) }
		REG(rax), REG(rbx), REG(rcx), REG(rdx), REG(rsi), REG(rdi), REG(rbp), REG(rsp),	   REG(r8), REG(r9),
		REG(r10), REG(r11), REG(r12), REG(r13), REG(r14), REG(r15), REG(rip), REG(rflags), REG(cs), REG(ss),
#undef REG
	};
	for (size_t i = 0; i < sizeof(regs) / sizeof(regs[0]); i++) {
		uint64_t v;
		memcpy(&v, (const char *)f + regs[i].offset, sizeof(v));
		print("  %-6s %016llx%s", regs[i].name, (unsigned long long)v, i % 4 == 3 ? "\n" : "");
	}
	print("  cr0    %016llx  cr2    %016llx  cr3    %016llx  cr4    %016llx\n", (unsigned long long)read_cr0(),
	      (unsigned long long)read_cr2(), (unsigned long long)read_cr3(), (unsigned long long)read_cr4());
}

static void print_address(uint64_t address, uint64_t lookup)
{
	uint64_t offset;
	const char *name = symbol_find(lookup, &offset);
	if (name)
		print("  %016llx %s+0x%llx\n", (unsigned long long)address, name, (unsigned long long)(offset + address - lookup));
	else
		print("  %016llx ?\n", (unsigned long long)address);
}

struct stack {
	uint64_t low, high;
};

/* The stack that holds a frame at rbp: two words, all inside. */
static bool find_stack(uint64_t rbp, struct stack *s)
{
	const struct stack stacks[] = {
		{ this_cpu()->stack_low, this_cpu()->stack_high },
		{ (uintptr_t)ist_stack_df, (uintptr_t)ist_stack_df + IST_STACK_SIZE },
		{ (uintptr_t)ist_stack_nmi, (uintptr_t)ist_stack_nmi + IST_STACK_SIZE },
		{ (uintptr_t)ist_stack_mc, (uintptr_t)ist_stack_mc + IST_STACK_SIZE },
		{ (uintptr_t)ist_stack_pf, (uintptr_t)ist_stack_pf + IST_STACK_SIZE },
	};
	for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++) {
		if (rbp >= stacks[i].low && rbp < stacks[i].high && stacks[i].high - rbp >= 16) {
			*s = stacks[i];
			return true;
		}
	}
	return false;
}

/* Follows the frame pointers: each must lie above the last, on the same stack, so this ends whatever the stack holds. */
static void print_backtrace(uint64_t rip, uint64_t rbp)
{
	struct stack s;
	print("backtrace:\n");
	print_address(rip, rip);
	if (!find_stack(rbp, &s))
		return;
	for (unsigned i = 0; i < BACKTRACE_MAX && rbp >= s.low && rbp <= s.high - 16 && rbp % 8 == 0; i++) {
		const uint64_t *frame = (const uint64_t *)(uintptr_t)rbp;
		uint64_t ret = frame[1];
		if (!ret)
			break;
		/* A call may be a function's last instruction: look up the call, not what follows it. */
		print_address(ret, ret - 1);
		if (frame[0] <= rbp)
			break;
		rbp = frame[0];
	}
}

static char first_message[320];

static void keep_message(const char *fmt, va_list ap)
{
	cli();
	if (!panic_depth++)
		vsnprintf(first_message, sizeof(first_message), fmt, ap);
}

static _Noreturn void stop(const struct trap_frame *f)
{
	/* A second panic inside of the first may be the writer's: one line, straight to the UART. A third says nothing. */
	if (panic_depth > 1) {
		panic_writer = uart_write_wait;
		if (panic_depth == 2)
			print("\npanic inside of a panic, at %016llx; the first was: %.150s\n", (unsigned long long)f->rip,
			      first_message);
		machine_off(EXIT_FAILED);
	}
	print("\nTessera %s: panic: ", TESSERA_VERSION);
	panic_writer(first_message, strlen(first_message));
	print("\n");
	print_registers(f);
	print_backtrace(f->rip, f->rbp);
	machine_off(EXIT_FAILED);
}

void panic_trap(const struct trap_frame *f, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	keep_message(fmt, ap);
	va_end(ap);
	stop(f);
}

void panic(const char *fmt, ...)
{
	struct trap_frame f;
	va_list ap;
	trap_capture(&f);
	va_start(ap, fmt);
	keep_message(fmt, ap);
	va_end(ap);
	stop(&f);
}
