/* links: boot/bootinfo.c boot/multiboot.c boot/options.c boot/acpi.c */
/* Boot information, sound and broken in every way that a loader could think of. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>

#include "boot/multiboot.h"
#include "tests/unit/boot_world.h"

static const char *why;

static int begin(void **state)
{
	why = NULL;
	return setup(state);
}

static void put_string(uint64_t address, const char *s)
{
	memcpy(bytes + (address - BASE), s, strlen(s) + 1);
}

/* ---- multiboot 1: information at BASE, map at +0x100, modules at +0x400, strings from +0x600 */

#define MMAP (BASE + 0x100)
#define MODS (BASE + 0x400)
#define TEXT (BASE + 0x600)

static void put_mmap1(unsigned i, uint64_t base, uint64_t len, uint32_t type)
{
	put32(MMAP + 24 * i, 20);
	put64(MMAP + 24 * i + 4, base);
	put64(MMAP + 24 * i + 12, len);
	put32(MMAP + 24 * i + 20, type);
	put32(BASE + 44, 24 * (i + 1));
}

static void put_module1(unsigned i, uint32_t start, uint32_t end, uint32_t string)
{
	put32(MODS + 16 * i, start);
	put32(MODS + 16 * i + 4, end);
	put32(MODS + 16 * i + 8, string);
	put32(BASE + 20, i + 1);
}

static void sound1(void)
{
	put32(BASE, 1u << 0 | 1u << 2 | 1u << 3 | 1u << 6 | 1u << 9);
	put32(BASE + 4, 640);
	put32(BASE + 8, 130048);
	put32(BASE + 16, TEXT);
	put_string(TEXT, "heads=2 log=debug");
	put32(BASE + 24, MODS);
	put_string(TEXT + 0x40, "guest its arguments");
	put_module1(0, 0x200000, 0x212345, TEXT + 0x40);
	put_module1(1, 0x300000, 0x300000, 0);
	put32(BASE + 48, MMAP);
	put_mmap1(0, 0, 0x9fc00, 1);
	put_mmap1(1, 0x9fc00, 0x400, 2);
	put_mmap1(2, 0x100000, 0x7f00000, 1);
	put32(BASE + 64, TEXT + 0x80);
	put_string(TEXT + 0x80, "a loader");
}

static int read1(void)
{
	return bootinfo_read_view(&bi, &view, MULTIBOOT1_MAGIC, BASE, &why);
}

static void refused1(const char *word)
{
	assert_int_equal(read1(), -EINVAL);
	assert_non_null(why);
	if (!strstr(why, word))
		fail_msg("\"%s\" does not say \"%s\"", why, word);
}

static void mb1_sound(void **state)
{
	(void)state;
	sound1();
	assert_int_equal(read1(), 0);
	assert_string_equal(bi.loader, "multiboot 1");
	assert_string_equal(bi.loader_name, "a loader");
	assert_string_equal(bi.cmdline, "heads=2 log=debug");
	assert_int_equal(bi.memory_count, 3);
	assert_int_equal(bi.memory[1].base, 0x9fc00);
	assert_int_equal(bi.memory[1].type, 2);
	assert_int_equal(bi.memory[2].len, 0x7f00000);
	assert_int_equal(bi.module_count, 2);
	assert_int_equal(bi.module[0].end, 0x212345);
	assert_string_equal(bi.module[0].args, "guest its arguments");
	assert_string_equal(bi.module[1].args, "");
	assert_int_equal(warnings, 0);
}

static void mb1_without_map(void **state)
{
	(void)state;
	sound1();
	put32(BASE, 1);
	assert_int_equal(read1(), 0);
	assert_int_equal(bi.memory_count, 2);
	assert_int_equal(bi.memory[1].base, 0x100000);
	assert_int_equal(bi.memory[1].len, 130048 * 1024);
	put32(BASE, 0);
	refused1("no memory map");
}

static void mb1_map_broken(void **state)
{
	(void)state;
	sound1();
	put32(MMAP + 24, 4); /* an entry too short for its fields */
	refused1("broken");
	put32(MMAP + 24, 0xffffffff);
	refused1("broken");
	put32(MMAP + 24, 20);
	put32(BASE + 44, 0xffffffff);
	refused1("absurd");
	put32(BASE + 44, 72);
	put32(BASE + 48, 0xfffffff0);
	refused1("broken");
	put32(BASE + 48, BASE + SIZE - 30); /* the second entry runs out of what can be read */
	memset(bytes + SIZE - 30, 0, 30);
	put32(BASE + SIZE - 30, 20);
	refused1("broken");
}

static void mb1_map_strange(void **state)
{
	(void)state;
	sound1();
	put_mmap1(3, 0xfffffffffffff000, 0x2000, 1); /* wraps */
	put_mmap1(4, 0x9000000, 0, 1);		     /* empty */
	put_mmap1(5, 1ull << 60, 0x1000, 1);	     /* beyond any CPU */
	put_mmap1(6, 0x9000000, 0x1000, 1);
	put_mmap1(7, 0x9001000, 0x1000, 1); /* goes on where the last one ends */
	assert_int_equal(read1(), 0);
	assert_int_equal(bi.memory_count, 4);
	assert_int_equal(bi.memory[3].base, 0x9000000);
	assert_int_equal(bi.memory[3].len, 0x2000);
	assert_int_equal(warnings, 2);
	for (unsigned i = 0; i < 150; i++)
		put_mmap1(3 + i, 0x10000000 + 0x10000 * (uint64_t)i, 0x1000, 2);
	put32(BASE, 1u << 6);
	refused1("128");
}

static void mb1_no_ram_below_image(void **state)
{
	(void)state;
	sound1();
	put_mmap1(2, 0x120000, 0x7f00000, 1);
	refused1("VMM itself");
}

static void mb1_modules_broken(void **state)
{
	(void)state;
	sound1();
	put_module1(1, 0x300000, 0x2fffff, 0);
	refused1("ends before");
	put_module1(1, 0x13ffff, 0x150000, 0);
	refused1("on top of the VMM");
	put_module1(1, 0x7fff000, 0x8000001, 0);
	refused1("outside of RAM");
	put_module1(1, 0x9f000, 0x9fd00, 0);
	refused1("outside of RAM");
	put_module1(1, 0x212344, 0x220000, 0);
	refused1("overlap");
	put_module1(1, 0x300000, 0x300001, TEXT + 0x1000);
	memset(bytes + (TEXT + 0x1000 - BASE), 'a', 2000);
	refused1("longer than 1023");
	put_module1(1, 0x300000, 0x300001, 0xffffffff);
	refused1("longer than 1023");
	put32(BASE + 20, 17);
	refused1("more than 16");
	put32(BASE + 20, 2);
	put32(BASE + 24, BASE + SIZE - 20);
	put32(BASE + SIZE - 20, 0x200000);
	put32(BASE + SIZE - 16, 0x200001);
	put32(BASE + SIZE - 12, 0);
	refused1("outside of memory");
}

/* A module may lie across two usable ranges that touch, in whatever order they come. */
static void mb1_module_across_ranges(void **state)
{
	(void)state;
	sound1();
	put_mmap1(3, 0x9000000, 0x1000000, 1);
	put_mmap1(4, 0x8000000, 0x1000000, 1);
	put_module1(1, 0x7000000, 0x9800000, 0);
	assert_int_equal(read1(), 0);
}

static void mb1_strings_broken(void **state)
{
	(void)state;
	sound1();
	put32(BASE + 16, BASE + SIZE - 4); /* runs out of what can be read */
	memset(bytes + SIZE - 4, 'x', 4);
	refused1("command line");
	put32(BASE + 16, 0);
	refused1("command line");
	assert_int_equal(bootinfo_read_view(&bi, &view, MULTIBOOT1_MAGIC, BASE + SIZE - 40, &why), -EINVAL);
	assert_int_equal(bootinfo_read_view(&bi, &view, MULTIBOOT1_MAGIC, ~0ull, &why), -EINVAL);
	assert_int_equal(bootinfo_read_view(&bi, &view, 0x12345678, BASE, &why), -EINVAL);
}

/* ---- multiboot 2 */

static uint32_t total;

static uint64_t begin_tag(uint32_t type, uint32_t len)
{
	uint64_t at = BASE + total;
	put32(at, type);
	put32(at + 4, len + 8);
	total += (len + 8 + 7) & ~7u;
	put32(BASE, total);
	return at + 8;
}

static void sound2(void)
{
	uint64_t t;
	total = 8;
	put_string(begin_tag(1, 10), "log=error");
	put_string(begin_tag(2, 5), "grub");
	t = begin_tag(6, 8 + 3 * 24);
	put32(t, 24);
	put64(t + 8, 0);
	put64(t + 16, 0x9f000);
	put32(t + 24, 1);
	put64(t + 32, 0x100000);
	put64(t + 40, 0x7f00000);
	put32(t + 48, 1);
	put64(t + 56, 0xfffc0000);
	put64(t + 64, 0x40000);
	put32(t + 72, 2);
	t = begin_tag(3, 8 + 6);
	put32(t, 0x200000);
	put32(t + 4, 0x201000);
	put_string(t + 8, "guest");
	t = begin_tag(3, 8); /* no string at all */
	put32(t, 0x300000);
	put32(t + 4, 0x301000);
	begin_tag(14, 20);
	begin_tag(15, 36);
	begin_tag(21, 4);
	begin_tag(0, 0);
}

static int read2(void)
{
	return bootinfo_read_view(&bi, &view, MULTIBOOT2_MAGIC, BASE, &why);
}

static void mb2_sound(void **state)
{
	(void)state;
	sound2();
	assert_int_equal(read2(), 0);
	assert_string_equal(bi.loader, "multiboot 2");
	assert_string_equal(bi.loader_name, "grub");
	assert_string_equal(bi.cmdline, "log=error");
	assert_int_equal(bi.memory_count, 3);
	assert_int_equal(bi.memory[2].base, 0xfffc0000);
	assert_int_equal(bi.module_count, 2);
	assert_string_equal(bi.module[0].args, "guest");
	assert_string_equal(bi.module[1].args, "");
	assert_true(bi.rsdp > BASE && bi.rsdp < BASE + total);
}

static void mb2_sizes(void **state)
{
	(void)state;
	sound2();
	static const uint32_t bad[] = { 0, 8, 15, 0x7fffffff, 0xffffffff, SIZE + 1 };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		put32(BASE, bad[i]);
		assert_int_equal(read2(), -EINVAL);
	}
	/* However short, it never reads beyond, and never succeeds: the end tag is missing. */
	for (uint32_t cut = 16; cut < total; cut++) {
		put32(BASE, cut);
		assert_int_equal(read2(), -EINVAL);
	}
	assert_int_equal(bootinfo_read_view(&bi, &view, MULTIBOOT2_MAGIC, BASE + 4, &why), -EINVAL);
}

static void mb2_tags_broken(void **state)
{
	(void)state;
	static const uint32_t sizes[] = { 0, 4, 7, 0x10000, 0xfffffff8, 0xffffffff };
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		sound2();
		put32(BASE + 8 + 4, sizes[i]);
		assert_int_equal(read2(), -EINVAL);
	}
	static const uint32_t entry_sizes[] = { 0, 8, 23, 25, 0xfffffff8 };
	for (size_t i = 0; i < sizeof(entry_sizes) / sizeof(entry_sizes[0]); i++) {
		total = 8;
		put32(begin_tag(6, 8 + 24), entry_sizes[i]);
		begin_tag(0, 0);
		assert_int_equal(read2(), -EINVAL);
	}
	total = 8;
	memset(bytes + (begin_tag(1, 4) - BASE), 'x', 4); /* no ending 0 */
	begin_tag(0, 0);
	assert_int_equal(read2(), -EINVAL);
	total = 8;
	begin_tag(3, 4);
	begin_tag(0, 0);
	assert_int_equal(read2(), -EINVAL);
	total = 8;
	begin_tag(0, 0);
	assert_int_equal(read2(), -EINVAL);
	assert_non_null(strstr(why, "no memory map"));
}

/* Any byte changed to anything: refused or read, but nothing outside of the view is touched and nothing loops. */
static void fuzz(void **state)
{
	(void)state;
	srand(7);
	for (unsigned round = 0; round < 20000; round++) {
		memset(bytes, 0, SIZE);
		if (round % 2)
			sound1();
		else
			sound2();
		for (int i = rand() % 6; i >= 0; i--)
			bytes[rand() % 0x700] = (uint8_t)(rand() % 3 ? rand() : rand() % 2 ? 0xff : 0);
		int err = round % 2 ? read1() : read2();
		assert_true(!err || (err == -EINVAL && why));
		assert_true(bi.memory_count <= BOOT_MEMORY_MAX && bi.module_count <= BOOT_MODULES_MAX);
		assert_true(memchr(bi.cmdline, 0, sizeof(bi.cmdline)) != NULL);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(mb1_sound),
		TEST(mb1_without_map),
		TEST(mb1_map_broken),
		TEST(mb1_map_strange),
		TEST(mb1_no_ram_below_image),
		TEST(mb1_modules_broken),
		TEST(mb1_module_across_ranges),
		TEST(mb1_strings_broken),
		TEST(mb2_sound),
		TEST(mb2_sizes),
		TEST(mb2_tags_broken),
		TEST(fuzz),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
