/* Guest timers. */
/* links: devices/clock.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "devices/clock.h"

static uint64_t time_now;

static uint64_t now(void *arg)
{
	(void)arg;
	return time_now;
}

struct probe {
	struct clock *clock;
	struct dev_timer timer;
	unsigned fired;
	uint64_t again; /* what the handler sets */
};

static void fire(void *arg)
{
	struct probe *p = arg;

	assert_true(p->timer.deadline == CLOCK_NEVER);
	p->fired++;
	clock_set(p->clock, &p->timer, p->again);
}

static void add(struct clock *c, struct probe *p)
{
	*p = (struct probe){ .clock = c, .timer = { .fire = fire, .arg = p, .deadline = 5 }, .again = CLOCK_NEVER };
	clock_add(c, &p->timer);
}

static void deadlines(void **state)
{
	struct clock c = { .now = now };
	struct probe a, b;

	(void)state;
	time_now = 0;
	assert_true(clock_next(&c) == CLOCK_NEVER);
	clock_run(&c);
	add(&c, &a);
	add(&c, &b);
	assert_true(clock_next(&c) == CLOCK_NEVER);
	clock_set(&c, &a.timer, 100);
	clock_set(&c, &b.timer, 50);
	assert_true(clock_next(&c) == 50);
	time_now = 49;
	clock_run(&c);
	assert_int_equal(a.fired + b.fired, 0);
	time_now = 50;
	clock_run(&c);
	assert_int_equal(a.fired, 0);
	assert_int_equal(b.fired, 1);
	assert_true(clock_next(&c) == 100);
	clock_set(&c, &a.timer, CLOCK_NEVER);
	time_now = 1000;
	clock_run(&c);
	assert_int_equal(a.fired, 0);
	assert_true(clock_next(&c) == CLOCK_NEVER);
}

/* A handler that sets a deadline in the past fires once a call, so a run always ends. */
static void past_deadline(void **state)
{
	struct clock c = { .now = now };
	struct probe a;

	(void)state;
	time_now = 1000;
	add(&c, &a);
	a.again = 1;
	clock_set(&c, &a.timer, 1);
	clock_run(&c);
	assert_int_equal(a.fired, 1);
	assert_true(clock_next(&c) == 1);
	clock_run(&c);
	assert_int_equal(a.fired, 2);
}

static void added_twice(void **state)
{
	struct clock c = { .now = now };
	struct probe a, b;

	(void)state;
	time_now = 10;
	add(&c, &a);
	add(&c, &b);
	clock_set(&c, &a.timer, 3);
	clock_add(&c, &a.timer);
	assert_true(clock_next(&c) == CLOCK_NEVER);
	clock_set(&c, &a.timer, 10);
	clock_set(&c, &b.timer, 10);
	clock_run(&c);
	assert_int_equal(a.fired, 1);
	assert_int_equal(b.fired, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deadlines),
		cmocka_unit_test(past_deadline),
		cmocka_unit_test(added_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
