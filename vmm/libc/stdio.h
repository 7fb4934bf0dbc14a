/* Formatting into a buffer, a subset of the standard's: %c %s %d %i %u %x %X %p %% with flags 0 - +, width, .precision, h hh l ll
 * z. */
#ifndef VMM_LIBC_STDIO_H
#define VMM_LIBC_STDIO_H

#include <stdarg.h>
#include <stddef.h>

/** As C11 7.21.6.5 and .12: writes at most size bytes with the ending 0, returns what it would have written without the limit. */
int snprintf(char *restrict buf, size_t size, const char *restrict fmt, ...) __attribute__((format(printf, 3, 4)));
int vsnprintf(char *restrict buf, size_t size, const char *restrict fmt, va_list ap) __attribute__((format(printf, 3, 0)));

#endif
