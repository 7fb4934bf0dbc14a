/* links: boot/options.c */
/* The VMM's command line: every option, and every way to get one wrong. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "boot/bootinfo.h"

static const char *why;
static struct boot_options opt;

static void options_refused(const char *line, const char *word)
{
	why = NULL;
	assert_int_equal(bootinfo_options(line, &opt, &why), -EINVAL);
	assert_non_null(why);
	if (!strstr(why, word))
		fail_msg("%s: \"%s\" does not say \"%s\"", line, why, word);
}

static void options(void **state)
{
	(void)state;
	assert_int_equal(bootinfo_options("", &opt, &why), 0);
	assert_string_equal(opt.paging, "hap");
	assert_string_equal(opt.dirty, "auto");
	assert_string_equal(opt.heads, "1");
	assert_string_equal(opt.log, "info");
	assert_string_equal(opt.wait, "no");
	assert_int_equal(opt.memory_mib, 0);
	assert_int_equal(opt.cpus, 1);
	assert_int_equal(opt.port, 0x3f8);
	assert_int_equal(opt.baud, 115200);
	assert_int_equal(opt.share, 25);
	assert_int_equal(opt.uart_clock, 1843200);
	assert_int_equal(bootinfo_options("  /a=b/tessera.elf paging=shadow\tdirty=pml heads=800x600,640x480 memory=256 cpus=4 "
					  "port=0x2F8 baud=3000000 uart-clock=48000000 share=7 log=debug ",
					  &opt, &why),
			 0);
	assert_string_equal(opt.paging, "shadow");
	assert_string_equal(opt.dirty, "pml");
	assert_string_equal(opt.heads, "800x600,640x480");
	assert_string_equal(opt.log, "debug");
	assert_int_equal(opt.memory_mib, 256);
	assert_int_equal(opt.cpus, 4);
	assert_int_equal(opt.port, 0x2f8);
	assert_int_equal(opt.baud, 3000000);
	assert_int_equal(opt.uart_clock, 48000000);
	assert_int_equal(opt.share, 7);
	assert_int_equal(bootinfo_options("tessera.elf heads=none", &opt, &why), 0);
	assert_int_equal(bootinfo_options("heads=3 wait=host", &opt, &why), 0);
	assert_string_equal(opt.wait, "host");
	assert_string_equal(opt.heads, "3");
}

static void options_broken(void **state)
{
	(void)state;
	char line[1000];
	options_refused("frob=1", "frob=1");
	options_refused("tessera.elf extra", "extra");
	options_refused("paging=", "paging=");
	options_refused("paging=ha", "hap shadow");
	options_refused("paging=hap shadow", "shadow");
	options_refused("dirty=pmlx", "pmlx");
	options_refused("paging=hap paging=hap", "twice");
	options_refused("memory=0", "memory=0");
	options_refused("share=0", "1 to 100");
	options_refused("share=101", "1 to 100");
	options_refused("memory=12q", "memory");
	options_refused("memory=99999999999999999999999", "memory");
	options_refused("memory=-1", "memory");
	options_refused("cpus=65", "1 to 64");
	options_refused("port=0x", "port");
	options_refused("port=65536", "port");
	options_refused("baud=4000001", "baud");
	options_refused("uart-clock=64000001", "uart-clock");
	options_refused("uart-clock=1", "Hz");
	options_refused("heads=2;rm", "heads");
	options_refused("heads=x", "heads");
	options_refused("=5", "=5");
	options_refused("wait=yes", "no host");
	snprintf(line, sizeof(line), "heads=%0500d", 1);
	options_refused(line, "heads");
	snprintf(line, sizeof(line), "x=%0900d", 1);
	options_refused(line, "unknown option x=000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(options),
		cmocka_unit_test(options_broken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
