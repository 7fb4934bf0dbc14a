/* The CPU time of a child process. */
/* links: host/child.c host/say.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "host/child.h"
#include "host/say.h"

#define AGES_US 1000000000000u
#define LONG_US 60000000u

static void start(struct child *c, const char *script)
{
	char *argv[] = { xprintf("/bin/sh"), xprintf("-c"), xprintf("%s", script), NULL }, *output = child_path("output");

	assert_int_equal(child_start(c, argv, NULL, output), 0);
	for (int i = 0; i < 3; i++)
		free(argv[i]);
	free(output);
}

/* It had some, and wants more. */
static void test_busy(void **state)
{
	const uint64_t until = now_us() + LONG_US;
	struct child c;
	uint64_t lacks;

	(void)state;
	start(&c, "while :; do :; done");
	do
		lacks = child_lacks_us(&c, AGES_US);
	while ((!lacks || lacks > AGES_US - 50000) && now_us() < until);
	assert_in_range(lacks, AGES_US - LONG_US, AGES_US - 50000);
	assert_int_equal(child_lacks_us(&c, 1), 0);
	child_kill(&c);
	assert_int_equal(child_lacks_us(&c, AGES_US), 0);
}

/* One that waits for something else than the CPU. */
static void test_idle(void **state)
{
	const uint64_t until = now_us() + LONG_US;
	struct child c;
	unsigned idle = 0;

	(void)state;
	start(&c, "exec sleep 1000");
	while (idle < 1000 && now_us() < until) /* it has to be loaded first */
		idle = child_lacks_us(&c, AGES_US) ? 0 : idle + 1;
	assert_int_equal(idle, 1000);
	child_kill(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_busy), cmocka_unit_test(test_idle) };

	if (child_signals() < 0 || !child_dir())
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
