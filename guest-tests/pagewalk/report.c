#include "guest-tests/lib/print.h"
#include "guest-tests/pagewalk/script.h"

#define FAIL_LINES 20

unsigned checks, failures;
static const char *group, *group_config;
static unsigned group_failures, group_checks;

void group_begin(const char *name, const char *config)
{
	group = name;
	group_config = config;
	group_failures = group_checks = 0;
}

void group_end(void)
{
	if (!group_checks)
		fail("no check was made");
	if (!group_failures)
		print("PASS %s-%s\n", group, group_config);
}

void fail(const char *fmt, ...)
{
	char text[800];
	va_list ap;

	group_failures++;
	if (++failures > FAIL_LINES)
		return;
	va_start(ap, fmt);
	print_to_va(text, sizeof(text), fmt, ap);
	va_end(ap);
	print("FAIL %s-%s: %s\n", group, group_config, text);
	if (failures == FAIL_LINES)
		print("(no more of them are printed)\n");
}

void note_checks(unsigned n)
{
	checks += n;
	group_checks += n;
}
