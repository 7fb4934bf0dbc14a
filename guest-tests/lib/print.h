/* The guest's console on COM1, and how tests report. */
#ifndef GUEST_PRINT_H
#define GUEST_PRINT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

/** Sets COM1 to 115200 8N1 without interrupts. */
void print_init(void);

/** Waits for a byte on COM1 and takes it. */
void console_wait(void);

/** Prints on COM1, polled, with a bound on every wait. Formats: %s %c %d %u %x %lu %lx %%, with width and zero padding. */
void print(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** Like print into buf, always terminated; returns the length written. */
unsigned print_to(char *buf, unsigned size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

unsigned print_to_va(char *buf, unsigned size, const char *fmt, va_list ap);

/** Ends the run: value 0 is success. */
_Noreturn void guest_exit(uint32_t value);

/* A test: its name on the PASS, FAIL or SKIP line. */
struct test {
	const char *name;
	void (*fn)(void);
};

/**
 * Runs tests up to an entry without name. Before each, control registers, IDT, GDT and PIC masks are as after boot; an exception
 * that a test did not expect fails that test, and the next one runs.
 */
void tests_run(const struct test *tests);

/** Within a test: the condition must hold. The first failure's words become the line's reason. Returns cond. */
bool expect(bool cond, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/** got must equal want; says both. */
bool expect_eq(const char *what, uint64_t got, uint64_t want);

/** The vector (from TRY and its like) must be want; TRAP_NONE for none. */
bool expect_trap(const char *what, int vector, int want);

/** The trap must be want with this error code. */
bool expect_error(const char *what, int vector, int want, uint64_t error);

/** Within a test: it can't be made here. The reason becomes the SKIP line; what has failed so far still counts. */
void skip(const char *why);

/** One-line verdicts outside of tests_run. check returns ok. */
bool check(bool ok, const char *name, const char *why);
void check_skip(const char *name, const char *why);

/** How many FAIL lines there were: the exit value is 1 if any. */
unsigned tests_failed(void);

#endif
