/* What the tool says to its user: one line each on stderr, beginning with "tessera: ". Also allocation that cannot fail. */
#ifndef HOST_SAY_H
#define HOST_SAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit statuses of the tool itself (those of a guest come from its debug exit). */
enum { EXIT_USAGE = 2, EXIT_TIMEOUT = 124, EXIT_TOOL = 125, EXIT_CRASH = 126 };

/** Prints one line on stderr. */
void say(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** The same, only with -v. */
void say_more(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** Turns say_more on. */
void say_verbose(bool on);

/** Prints text of unknown origin on stderr, every line behind `prefix`, control characters shown as '.'. */
void say_text(const char *prefix, const char *text, size_t len);

/** malloc, realloc and strdup that end the program with EXIT_TOOL (and its exit handlers) where there is no memory. */
void *xalloc(size_t size);
void *xrealloc(void *p, size_t size);
char *xstrdup(const char *s);

/** printf into a new string, which the caller frees. */
char *xprintf(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** CLOCK_MONOTONIC in microseconds. */
uint64_t now_us(void);

#endif
