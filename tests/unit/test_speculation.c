/* links: vmm/speculation_plan.c */
/* Which speculation controls are used on which CPU. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "vmm/speculation.h"

static void none(void **state)
{
	const struct spec_cpu c = { 0 }, intel = { .intel = true };
	const struct spec_plan nothing = { 0 };
	struct spec_plan p = speculation_plan(&c);

	(void)state;
	assert_memory_equal(&p, &nothing, sizeof(p));
	p = speculation_plan(&intel);
	assert_memory_equal(&p, &nothing, sizeof(p));
}

/* From before any of it was cured: all of it is done. */
static void old_intel(void **state)
{
	const struct spec_cpu c = { .intel = true, .ibrs = true, .ibpb = true, .l1d_flush = true, .md_clear = true };
	struct spec_plan p = speculation_plan(&c);

	(void)state;
	assert_true(p.ibrs_each_exit && p.ibpb_reset && p.l1d_each_entry && p.verw);
	assert_false(p.ibrs_once || p.auto_ibrs);
}

static void new_intel(void **state)
{
	struct spec_cpu c = { .intel = true, .ibrs = true, .ibpb = true, .l1d_flush = true, .md_clear = true };
	struct spec_plan p;

	(void)state;
	c.arch_caps = ARCH_CAP_IBRS_ALL | ARCH_CAP_RDCL_NO | ARCH_CAP_MDS_NO;
	p = speculation_plan(&c);
	assert_true(p.ibrs_once && p.ibpb_reset);
	assert_false(p.ibrs_each_exit || p.l1d_each_entry || p.verw);
	c.arch_caps = ARCH_CAP_SKIP_L1DFL; /* as a hypervisor below says that flushes itself */
	p = speculation_plan(&c);
	assert_true(p.ibrs_each_exit && p.verw);
	assert_false(p.l1d_each_entry);
}

static void amd(void **state)
{
	struct spec_cpu c = { .ibrs = true, .ibpb = true };
	struct spec_plan p = speculation_plan(&c);

	(void)state;
	assert_true(p.ibpb_reset);
	assert_false(p.ibrs_once || p.ibrs_each_exit || p.auto_ibrs || p.verw || p.l1d_each_entry);
	c.ibrs_always_on = true;
	assert_true(speculation_plan(&c).ibrs_once);
	c.auto_ibrs = true;
	p = speculation_plan(&c);
	assert_true(p.auto_ibrs && !p.ibrs_once);
	c.arch_caps = ~0ull; /* Intel's: nobody reads it here */
	c.l1d_flush = c.md_clear = true;
	p = speculation_plan(&c);
	assert_false(p.l1d_each_entry || p.verw);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(none), cmocka_unit_test(old_intel), cmocka_unit_test(new_intel),
					    cmocka_unit_test(amd) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
