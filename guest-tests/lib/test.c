/* How tests are run and judged. */
#include "guest-tests/lib/print.h"

#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/pic.h"
#include "guest-tests/lib/trap.h"

static const char *const exception_name[32] = {
	[VEC_DE] = "#DE", [VEC_DB] = "#DB", [VEC_NMI] = "NMI", [VEC_BP] = "#BP", [VEC_OF] = "#OF", [VEC_BR] = "#BR",
	[VEC_UD] = "#UD", [VEC_NM] = "#NM", [VEC_DF] = "#DF",  [VEC_TS] = "#TS", [VEC_NP] = "#NP", [VEC_SS] = "#SS",
	[VEC_GP] = "#GP", [VEC_PF] = "#PF", [VEC_MF] = "#MF",  [VEC_AC] = "#AC", [VEC_XM] = "#XM",
};

static unsigned failures;

/* The test that runs now. */
static struct {
	unsigned failed;
	char why[200];
	const char *skipped;
} now;

static void verdict(const char *word, const char *name, const char *why)
{
	if (why)
		print("%s %s: %s\n", word, name, why);
	else
		print("%s %s\n", word, name);
}

bool check(bool ok, const char *name, const char *why)
{
	if (!ok)
		failures++;
	verdict(ok ? "PASS" : "FAIL", name, ok ? NULL : why);
	return ok;
}

void check_skip(const char *name, const char *why)
{
	verdict("SKIP", name, why);
}

unsigned tests_failed(void)
{
	return failures;
}

bool expect(bool cond, const char *fmt, ...)
{
	va_list ap;

	if (cond || now.failed++)
		return cond;
	va_start(ap, fmt);
	print_to_va(now.why, sizeof(now.why), fmt, ap);
	va_end(ap);
	return cond;
}

bool expect_eq(const char *what, uint64_t got, uint64_t want)
{
	return expect(got == want, "%s is 0x%lx, not 0x%lx", what, got, want);
}

static const char *trap_name(int vector, char buf[12])
{
	if (vector == TRAP_NONE)
		return "nothing";
	if (vector < 32 && exception_name[vector])
		return exception_name[vector];
	print_to(buf, 12, "vector %d", vector);
	return buf;
}

bool expect_trap(const char *what, int vector, int want)
{
	char a[12], b[12];

	return expect(vector == want, "%s raised %s, not %s", what, trap_name(vector, a), trap_name(want, b));
}

bool expect_error(const char *what, int vector, int want, uint64_t error)
{
	return expect_trap(what, vector, want) &&
	       expect(trap_last.error == error, "%s: error code 0x%lx, not 0x%lx", what, trap_last.error, error);
}

void skip(const char *why)
{
	now.skipped = why;
}

static void call(void *p)
{
	((const struct test *)p)->fn();
}

static void run(const struct test *t)
{
	uint64_t cr0 = read_cr0(), cr3 = read_cr3(), cr4 = read_cr4();
	char name[12];

	now.failed = 0;
	now.skipped = NULL;
	if (trap_run(call, (void *)t)) {
		now.failed = 0; /* the trap tells more than what failed before it */
		expect(false, "unexpected %s, error 0x%lx, at 0x%lx, cr2 0x%lx", trap_name(trap_last.vector, name), trap_last.error,
		       trap_last.frame.rip, trap_last.cr2);
	}
	write_cr4(cr4);
	write_cr3(cr3);
	write_cr0(cr0);
	write_dr7(0x400);
	trap_reset();
	pic_init();
	if (now.failed)
		check(false, t->name, now.why);
	else if (now.skipped)
		check_skip(t->name, now.skipped);
	else
		check(true, t->name, NULL);
}

void tests_run(const struct test *tests)
{
	for (; tests->name; tests++)
		run(tests);
}
