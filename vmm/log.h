/*
 * The VMM's log and its own faults. Lines go to a ring that the link sends on the LOG stream; until a host says hello they also
 * go to the UART as plain text.
 */
#ifndef VMM_LOG_H
#define VMM_LOG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/** Logs one line (the newline is added); printf's formats as in vmm/libc/stdio.h. Never blocks on the line. */
void log_line(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
#define log_error(...) log_line(LOG_ERROR, __VA_ARGS__)
#define log_warn(...) log_line(LOG_WARN, __VA_ARGS__)
#define log_info(...) log_line(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_line(LOG_DEBUG, __VA_ARGS__)

/** The most detailed level that is logged; LOG_INFO at first, `log=` on the command line sets it. */
void log_set_level(enum log_level level);

/**
 * Where log text goes, set as the machine comes up: at first nowhere, then the UART, then the UART and the link's ring. The sink
 * gets whole lines with their newline.
 */
typedef void (*log_sink_fn)(const char *text, size_t len);
void log_set_sink(log_sink_fn sink);

/** The VMM itself is broken: prints the message, registers and a symbolised backtrace over the line, and stops this machine. */
_Noreturn void panic(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/** Where panic() writes: at first uart_write_wait. The link sets a writer that frames the text; it must not wait without bound. */
void panic_set_writer(void (*w)(const char *text, size_t len));

struct trap_frame;

/** As panic(), for an exception: prints the registers that the exception saved, and the backtrace of what it interrupted. */
_Noreturn void panic_trap(const struct trap_frame *f, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Stays on in release. Prints file, line and the expression. */
#define ASSERT(e) ((e) ? (void)0 : panic("%s:%d: assertion failed: %s", __FILE__, __LINE__, #e))

#endif
