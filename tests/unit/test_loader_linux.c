/* Linux's boot protocol: what a kernel finds in its zero page, where things lie, what is refused; and damage at random. */
/* links: vmm/loader_linux.c vmm/loader_multiboot.c vmm/loader_elf.c vmm/loader_segments.c vmm/loader_place.c vmm/loader_mbi.c */
/* links: vmm/guest_mem.c tests/unit/loader_world.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/loader_world.h"
#include "tests/unit/random.h"

#define SETUP 4u
#define PAYLOAD 0x3456u
#define FILE_BYTES ((SETUP + 1) * 512 + PAYLOAD)

static uint8_t file[FILE_BYTES];

static void make(void)
{
	for (unsigned i = 0; i < FILE_BYTES; i++)
		file[i] = (uint8_t)(i * 3 + i / 256);
	memset(file + 0x1f1, 0, 0x264 - 0x1f1);
	file[0x1f1] = SETUP;
	w16(file + 0x1fe, 0xaa55);
	file[0x200] = 0xeb;
	file[0x201] = 0x62; /* the header ends at 0x264 */
	memcpy(file + 0x202, "HdrS", 4);
	w16(file + 0x206, 0x20f);
	file[0x211] = 1;
	w32(file + 0x214, 0x100000);
	w32(file + 0x22c, 0x7fffffff);
	w32(file + 0x230, 0x200000);
	file[0x234] = 1;
	w32(file + 0x238, 2047);
	w64(file + 0x258, 0x300000);
	w32(file + 0x260, 0x150000);
}

static bool text; /* head 0 is in text mode */

static int start(const char *args, const struct loader_blob *initrd, struct loader_out *out)
{
	struct loader_in in = {
		.kernel = blob(file, sizeof(file), args),
		.modules = initrd,
		.module_count = initrd ? 1 : 0,
		.map = map,
		.map_count = 4,
		.fb_addr = 0xd0000000,
		.fb_pitch = 2560,
		.fb_width = 640,
		.fb_height = 480,
		.fb_bpp = 32,
		.text = text,
	};

	memset(ram, 0xee, RAM);
	return loader_linux(&mem, &in, out, why, sizeof(why));
}

static void test_zero_page(void **state)
{
	static uint8_t ramdisk[5000];
	struct loader_blob initrd = blob(ramdisk, sizeof(ramdisk), "initrd");
	struct loader_out out;
	const uint8_t *zero;
	uint32_t at;

	(void)state;
	make();
	memset(ramdisk, 0x5a, sizeof(ramdisk));
	assert_true(linux_is(&(struct loader_blob){ .data = file, .len = sizeof(file) }));
	assert_false(linux_is(&(struct loader_blob){ .data = file, .len = 0x263 }));
	assert_int_equal(start("vmlinuz console=ttyS0  quiet", &initrd, &out), 0);
	assert_int_equal(out.entry, 0x300000);
	assert_memory_equal(ram + 0x300000, file + (SETUP + 1) * 512, PAYLOAD);
	assert_in_range(out.esi, 0x10000, 0x8f000);
	zero = ram + out.esi;
	assert_memory_equal(zero + 0x1f1, file + 0x1f1, 0x210 - 0x1f1);
	assert_int_equal(zero[0x210], 0xff);
	assert_int_equal(r32(out.esi + 0x214), 0x300000);
	assert_int_equal(r32(out.esi + 0x260), 0x150000);
	assert_string_equal((char *)ram + r32(out.esi + 0x228), "console=ttyS0  quiet");
	at = r32(out.esi + 0x218);
	assert_int_equal(r32(out.esi + 0x21c), sizeof(ramdisk));
	assert_int_equal(at % PAGE, 0);
	assert_true(at >= 0x300000 + 0x150000 && at + sizeof(ramdisk) <= RAM);
	assert_memory_equal(ram + at, ramdisk, sizeof(ramdisk));
	/* screen_info for efifb */
	assert_int_equal(zero[0x0f], 0x70);
	assert_int_equal(r32(out.esi + 0x12), 640 | 480 << 16);
	assert_int_equal(r32(out.esi + 0x18), 0xd0000000);
	assert_int_equal(r32(out.esi + 0x1c), 2560 * 480);
	assert_int_equal(zero[0x24] | zero[0x25] << 8, 2560);
	assert_int_equal(r32(out.esi + 0x26), 8 | 16 << 8 | 8 << 16 | 8u << 24);
	/* the memory map */
	assert_int_equal(zero[0x1e8], 4);
	for (unsigned i = 0; i < 4; i++) {
		assert_memory_equal(zero + 0x2d0 + 20 * i, &map[i].base, 8);
		assert_memory_equal(zero + 0x2d0 + 20 * i + 8, &map[i].len, 8);
		assert_int_equal(r32(out.esi + 0x2d0 + 20 * i + 16), map[i].type);
	}
	/* flat segments 0x10 and 0x18 */
	assert_int_equal(out.gdt_limit, 31);
	assert_int_equal(r32(out.gdt + 0x14), 0x00cf9a00);
	assert_int_equal(r32(out.gdt + 0x1c), 0x00cf9200);
	assert_int_equal(r32(out.gdt + 0x18), 0x0000ffff);
}

/* The screen that `vga=` asks for (boot.rst), and the screen_info of a VGA in mode 3 as Linux's own setup code makes it. */
static void test_text(void **state)
{
	static const struct {
		const char *args;
		bool graphics;
	} lines[] = {
		{ NULL, true },
		{ "vmlinuz", true },
		{ "vmlinuz quiet", true },
		{ "k vga=normal", false },
		{ "k vga=ext a", false },
		{ "k a vga=ask", false },
		{ "k vga=0x317", true },
		{ "k vga=791", true },
		{ "k vga=0xf01", true },
		{ "k vga=1", false },
		{ "k vga=0xFFFF", false },
		{ "k vga=", false },
		{ "k vga=791 vga=normal", false },
		{ "k xvga=normal", true },
		{ "k vga=99999999999", false },
	};
	struct loader_out out;
	const uint8_t *zero;

	(void)state;
	for (unsigned i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		if (linux_wants_graphics(&(struct loader_blob){ .args = lines[i].args }) != lines[i].graphics)
			fail_msg("%s", lines[i].args);
	make();
	text = true;
	assert_int_equal(start("k vga=normal", NULL, &out), 0);
	text = false;
	zero = ram + out.esi;
	assert_int_equal(zero[0x06], 3);
	assert_int_equal(zero[0x07], 80);
	assert_int_not_equal(zero[0x0a], 0x10); /* else it is taken for a CGA */
	assert_int_equal(zero[0x0e], 25);
	assert_int_equal(zero[0x0f], 1);
	assert_int_equal(zero[0x10], 16);
	assert_int_equal(r32(out.esi + 0x12) | r32(out.esi + 0x18), 0);
}

/* The CPU's walk of 4-level tables in guest memory (SDM vol. 3, 4.5), as far as 2 MiB leaves go. */
static uint64_t walk(uint32_t cr3, uint64_t addr)
{
	uint64_t entry = cr3;

	for (unsigned shift = 39; shift >= 21; shift -= 9) {
		uint64_t at = (entry & 0xffffffffff000) + (addr >> shift & 511) * 8;

		assert_true(at + 8 <= RAM);
		memcpy(&entry, ram + at, 8);
		assert_int_equal(entry & 3, 3);
		if (entry & 0x80)
			break;
	}
	assert_true(entry & 0x80);
	return (entry & 0xfffffffe00000) + (addr & 0x1fffff);
}

/* boot.rst, "64-bit boot protocol": who has the entry, where it is, and what it finds. */
static void test_64(void **state)
{
	struct loader_out out;

	(void)state;
	make();
	assert_int_equal(start("k", NULL, &out), 0);
	assert_int_equal(out.cr3, 0);
	w16(file + 0x236, 1);
	w16(file + 0x206, 0x20b); /* the field has no meaning yet */
	assert_int_equal(start("k", NULL, &out), 0);
	assert_int_equal(out.cr3, 0);
	assert_int_equal(out.entry, 0x300000);
	w16(file + 0x206, 0x20c);
	assert_int_equal(start("k", NULL, &out), 0);
	assert_int_equal(out.entry, 0x300200);
	assert_int_equal(out.cr3 % PAGE, 0);
	assert_in_range(out.cr3, 0x10000, 0x8a000);
	for (uint64_t at = 0; at < 1ull << 32; at += 0x1ff123)
		assert_int_equal(walk(out.cr3, at), at);
	assert_int_equal(out.gdt_limit, 31);
	assert_int_equal(r32(out.gdt + 0x14), 0x00af9a00); /* L, not D */
	assert_int_equal(r32(out.gdt + 0x1c), 0x00cf9200);
	assert_true(out.esi + PAGE <= out.cr3 || out.cr3 + 6 * PAGE <= out.esi);
	assert_int_equal(r32(out.esi + 0x202), 0x53726448);
}

static void refused(int err, const char *words)
{
	struct loader_out out;

	assert_int_equal(start("k", NULL, &out), err);
	assert_non_null(strstr(why, words));
}

static void test_places(void **state)
{
	static char longer[3000];
	struct loader_blob initrd = blob(file, sizeof(file), "i");
	struct loader_out out;

	(void)state;
	make(); /* where it likes to be there is no memory: aligned and as low as it fits */
	w64(file + 0x258, 0x1000000);
	assert_int_equal(start("k", NULL, &out), 0);
	assert_int_equal(out.entry, 0x200000);
	assert_int_equal(ram[r32(out.esi + 0x228)], 0);
	file[0x234] = 0; /* not relocatable */
	refused(-ENOSPC, "needs");
	make();
	w32(file + 0x260, 0x7000000);
	refused(-ENOSPC, "needs");
	make();
	w64(file + 0x258, ~0ull - 0x1000);
	assert_int_equal(start("k", NULL, &out), 0);
	assert_int_equal(out.entry, 0x200000);
	/* the initramfs below its limit */
	make();
	w32(file + 0x22c, 0x2fffff);
	assert_int_equal(start("k", &initrd, &out), 0);
	assert_true(r32(out.esi + 0x218) + sizeof(file) <= 0x300000);
	w32(file + 0x22c, 0x1000);
	assert_int_equal(start("k", &initrd, &out), -ENOSPC);
	make();
	memset(longer, 'x', sizeof(longer) - 1);
	longer[0] = 'k';
	longer[1] = ' ';
	assert_int_equal(start(longer, NULL, &out), -EINVAL);
	longer[2049] = 0;
	assert_int_equal(start(longer, NULL, &out), 0);
}

static void test_refused(void **state)
{
	(void)state;
	make();
	w16(file + 0x206, 0x204);
	refused(-ENOEXEC, "2.04");
	make();
	file[0x211] = 0;
	refused(-ENOEXEC, "zImage");
	make();
	file[0x1f1] = 200;
	refused(-EINVAL, "truncated");
}

/* Damage anywhere in the header: a sentence, or a kernel that lies in RAM with its parameters. */
static void test_damage(void **state)
{
	struct loader_blob initrd = blob(file, 1000, "i");
	struct rng r = rng_seed(3);
	unsigned good = 0;

	(void)state;
	for (unsigned round = 0; round < 3000; round++) {
		struct loader_out out;
		int e;

		make();
		for (unsigned n = 1 + rng_below(&r, 4); n; n--) {
			unsigned at = 0x1f1 + rng_below(&r, 0x264 - 0x1f1);

			if (at < 0x1fe || at > 0x205) /* what makes it a bzImage stays */
				file[at] = rng_once_in(&r, 3) ? 0xff : (uint8_t)rng_next(&r);
		}
		e = start("k a=b", rng_once_in(&r, 2) ? &initrd : NULL, &out);
		assert_true(e == 0 || e == -EINVAL || e == -ENOEXEC || e == -ENOSPC);
		assert_int_equal(e == 0, why[0] == 0);
		if (e)
			continue;
		good++;
		assert_true(out.entry >= 0x100000 && out.entry < RAM);
		assert_true(out.esi + PAGE <= 0x90000);
		assert_string_equal((char *)ram + r32(out.esi + 0x228), "a=b");
	}
	assert_true(good > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_zero_page), cmocka_unit_test(test_text),	  cmocka_unit_test(test_64),
		cmocka_unit_test(test_places),	  cmocka_unit_test(test_refused), cmocka_unit_test(test_damage),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
