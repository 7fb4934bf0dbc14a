/* Log lines: level, time, text, in one piece to the sink (log.h). */
#include "vmm/log.h"

#include <stdio.h>

#include "vmm/hw/hw.h"

#define LINE_MAX 400

static enum log_level log_max = LOG_INFO;
static log_sink_fn log_sink;

void log_set_level(enum log_level level)
{
	log_max = level;
}

void log_set_sink(log_sink_fn sink)
{
	log_sink = sink;
}

void log_line(enum log_level level, const char *fmt, ...)
{
	static const char *const tag[] = { [LOG_ERROR] = "error: ", [LOG_WARN] = "warning: ", [LOG_INFO] = "", [LOG_DEBUG] = "" };
	if (level > log_max || !log_sink)
		return;

	char line[LINE_MAX];
	uint64_t us = tsc_hz() ? time_ns() / 1000 : 0;
	int n = snprintf(line, sizeof(line), "[%4llu.%06llu] %s", (unsigned long long)(us / 1000000),
			 (unsigned long long)(us % 1000000), tag[level]);
	size_t len = (size_t)n;
	va_list ap;
	va_start(ap, fmt);
	n = vsnprintf(line + len, sizeof(line) - 1 - len, fmt, ap);
	va_end(ap);
	len += (size_t)n;
	if (len > sizeof(line) - 2) {
		len = sizeof(line) - 2;
		line[len - 1] = line[len - 2] = line[len - 3] = '.';
	}
	line[len++] = '\n';
	log_sink(line, len);
}
