/* links: boot/bootinfo.c boot/multiboot.c boot/options.c boot/acpi.c */
/* Boot information, command line and ACPI tables, sound and broken in every way that a loader or firmware could think of. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "boot/acpi.h"
#include "boot/multiboot.h"
#include "vmm/log.h"

#define BASE 0x10000ull /* physical address of bytes[0] */
#define SIZE 0x4000
#define IMAGE_START 0x100000ull
#define IMAGE_END 0x140000ull

static uint8_t *bytes; /* on the heap and exactly so big: the address sanitizer sees what goes beyond */
static struct boot_info bi;
static const char *why;
static unsigned warnings;

void log_line(enum log_level level, const char *fmt, ...)
{
	(void)fmt;
	warnings += level <= LOG_WARN;
}

static const void *map(const struct boot_view *v, uint64_t address, uint64_t len)
{
	(void)v;
	return address >= BASE && address < BASE + SIZE && len <= BASE + SIZE - address ? bytes + (address - BASE) : NULL;
}

static const struct boot_view view = { .map = map, .image_start = IMAGE_START, .image_end = IMAGE_END };

static int setup(void **state)
{
	(void)state;
	bytes = calloc(1, SIZE);
	warnings = 0;
	why = NULL;
	return !bytes;
}

static int teardown(void **state)
{
	(void)state;
	free(bytes);
	return 0;
}

static void put32(uint64_t address, uint32_t v)
{
	memcpy(bytes + (address - BASE), &v, 4);
}

static void put64(uint64_t address, uint64_t v)
{
	memcpy(bytes + (address - BASE), &v, 8);
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

/* ---- command line */

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

/* ---- ACPI: RSDP at BASE, root at +0x100, MADT at +0x200, FADT at +0x400, HPET at +0x600 */

static void sum(uint64_t address, size_t len, size_t field)
{
	uint8_t *p = bytes + (address - BASE), s = 0;
	p[field] = 0;
	for (size_t i = 0; i < len; i++)
		s = (uint8_t)(s + p[i]);
	p[field] = (uint8_t)-s;
}

static void put_table(uint64_t address, const char *signature, uint32_t len)
{
	memcpy(bytes + (address - BASE), signature, 4);
	put32(address + 4, len);
	sum(address, len, 9);
}

static void put_rsdp(uint8_t revision)
{
	memcpy(bytes, "RSD PTR ", 8);
	bytes[15] = revision;
	put32(BASE + 16, BASE + 0x180);
	put32(BASE + 20, 36);
	put64(BASE + 24, BASE + 0x100);
	sum(BASE, 20, 8);
	sum(BASE, 36, 32);
}

/* One entry a line. */
/* clang-format off */
static const uint8_t madt[] = {
	0,    0,  0xe0, 0xfe, 1,    0,	  0,	0,				/* local APIC's address, flags */
	0,    8,  0,	5,    1,    0,	  0,	0,				/* CPU with APIC id 5 */
	0,    8,  1,	6,    0,    0,	  0,	0,				/* not enabled */
	0,    8,  2,	5,    1,    0,	  0,	0,				/* 5 again */
	9,    16, 0,	0,    0x34, 0x12, 0,	0,    1,   0, 0, 0, 3, 0, 0, 0, /* x2APIC id 0x1234 */
	1,    12, 9,	0,    0,    0,	  0xc1, 0xfe, 24,  0, 0, 0,		/* second I/O APIC, GSI 24 */
	1,    12, 8,	0,    0,    0,	  0xc0, 0xfe, 0,   0, 0, 0,		/* first */
	2,    10, 0,	4,    20,   0,	  0,	0,    0xf, 0,			/* IRQ 4 is GSI 20, low, level */
	2,    10, 0,	77,   1,    0,	  0,	0,    0,   0,			/* no such IRQ */
	0x7f, 6,  1,	2,    3,    4,						/* something new */
};
/* clang-format on */

static void sound_acpi(void)
{
	put_rsdp(2);
	put64(BASE + 0x100 + 36, BASE + 0x200);
	put64(BASE + 0x100 + 44, BASE + 0x400);
	put64(BASE + 0x100 + 52, BASE + 0x600);
	put64(BASE + 0x100 + 60, 0xfffffffffffffff0); /* points nowhere */
	put_table(BASE + 0x100, "XSDT", 36 + 32);
	put32(BASE + 0x180 + 36, BASE + 0x200);
	put_table(BASE + 0x180, "RSDT", 36 + 4);
	memcpy(bytes + 0x200 + 36, madt, sizeof(madt));
	put_table(BASE + 0x200, "APIC", 36 + sizeof(madt));
	put32(BASE + 0x400 + 76, 0x608);
	bytes[0x400 + 91] = 4;
	put32(BASE + 0x400 + 112, 1u << 8);
	put_table(BASE + 0x400, "FACP", 244);
	put64(BASE + 0x600 + 44, 0xfed00000);
	put_table(BASE + 0x600, "HPET", 56);
	memset(&bi, 0, sizeof(bi));
	bi.rsdp = BASE;
}

static void acpi_sound(void **state)
{
	(void)state;
	sound_acpi();
	acpi_read(&bi, &view);
	assert_int_equal(bi.cpu_count, 2);
	assert_int_equal(bi.cpu_apic_id[0], 5);
	assert_int_equal(bi.cpu_apic_id[1], 0x1234);
	assert_int_equal(bi.lapic_base, 0xfee00000);
	assert_int_equal(bi.ioapic_base, 0xfec00000);
	assert_int_equal(bi.ioapic_gsi_base, 0);
	assert_int_equal(bi.isa_gsi[4], 20);
	assert_int_equal(bi.isa_flags[4], 0xf);
	assert_int_equal(bi.isa_gsi[3], 3);
	assert_int_equal(bi.pm_timer_port, 0x608);
	assert_true(bi.pm_timer_32);
	assert_int_equal(bi.hpet_base, 0xfed00000);
	assert_int_equal(warnings, 0);
}

static void acpi_old(void **state)
{
	(void)state;
	sound_acpi();
	put_rsdp(0); /* revision 1.0: the RSDT, which names the MADT alone */
	acpi_read(&bi, &view);
	assert_int_equal(bi.cpu_count, 2);
	assert_int_equal(bi.pm_timer_port, 0);

	sound_acpi();
	bytes[0x100 + 40]++; /* the XSDT is damaged: the RSDT is taken */
	acpi_read(&bi, &view);
	assert_int_equal(bi.cpu_count, 2);
	assert_int_equal(bi.pm_timer_port, 0);
}

static void acpi_broken(void **state)
{
	(void)state;
	sound_acpi();
	bytes[3] = 'x'; /* no RSDP, and nothing to scan */
	acpi_read(&bi, &view);
	assert_int_equal(bi.cpu_count, 0);
	assert_int_equal(bi.isa_gsi[15], 15);
	assert_int_equal(warnings, 1);

	sound_acpi();
	bytes[0x200 + 50]++; /* MADT's checksum */
	acpi_read(&bi, &view);
	assert_int_equal(bi.cpu_count, 0);
	assert_int_equal(bi.pm_timer_port, 0x608);

	sound_acpi();
	bytes[0x200 + 36 + 8 + 1] = 0; /* an entry of no length */
	sum(BASE + 0x200, 36 + sizeof(madt), 9);
	acpi_read(&bi, &view);
	assert_int_equal(bi.cpu_count, 0);

	sound_acpi();
	bytes[0x200 + 36 + 8 + 1] = 4; /* shorter than its type needs */
	sum(BASE + 0x200, 36 + sizeof(madt), 9);
	acpi_read(&bi, &view);

	for (uint32_t len = 0; len < 36 + sizeof(madt); len++) {
		sound_acpi();
		put32(BASE + 0x204, len);
		if (len > 9)
			sum(BASE + 0x200, len, 9);
		acpi_read(&bi, &view);
		assert_true(bi.cpu_count <= 2);
	}
	sound_acpi();
	put32(BASE + 0x204, 0xffffffff);
	acpi_read(&bi, &view);
	assert_int_equal(bi.cpu_count, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

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
		TEST(options),
		TEST(options_broken),
		TEST(acpi_sound),
		TEST(acpi_old),
		TEST(acpi_broken),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
