/* The guest loader: kernels in every form, and what each kind of damage is answered with. */
/* links: vmm/loader_multiboot.c vmm/loader_elf.c vmm/loader_segments.c vmm/loader_place.c vmm/loader_mbi.c vmm/guest_mem.c */
/* links: tests/unit/loader_world.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/loader_world.h"
#include "tests/unit/random.h"

static void loads(const struct image *im, const struct seg *seg, unsigned count, const char *protocol, uint32_t entry)
{
	struct loader_in in = { .kernel = blob(im->data, im->len, "kernel a=1"), .map = map, .map_count = 4 };
	struct range span = { UINT64_MAX, 0, "kernel" };
	struct loader_out out;

	memset(ram, 0xee, RAM);
	if (loader_multiboot(&mem, &in, &out, why, sizeof(why)))
		fail_msg("%s", why);
	assert_string_equal(why, "");
	assert_string_equal(out.protocol, protocol);
	assert_int_equal(out.entry, entry);
	for (unsigned i = 0; i < count; i++) {
		assert_memory_equal(ram + seg[i].paddr, im->data + seg[i].offset, seg[i].filesz);
		for (uint64_t b = seg[i].filesz; b < seg[i].memsz; b++)
			assert_int_equal(ram[seg[i].paddr + b], 0);
		assert_int_equal(ram[seg[i].paddr + seg[i].memsz], 0xee);
		span.start = seg[i].paddr < span.start ? seg[i].paddr : span.start;
		span.end = seg[i].paddr + seg[i].memsz > span.end ? seg[i].paddr + seg[i].memsz : span.end;
	}
	check_info(&in, &out, span);
}

/* The load must fail with err and a sentence that holds the words. */
static void refuses(const struct image *im, int err, const char *words)
{
	struct loader_out out;
	int got = load(im, &out);

	if (got != err || !strstr(why, words))
		fail_msg("%d, \"%s\" where %d, \"%s\" was due", got, why, err, words);
}

static void elf_kernels(void **state)
{
	static const struct seg high[] = { { 0x1000, 0x800, 0xffffffff80100000ull, 0x100000, 0x900 } };
	static const struct seg top[] = { { 0x1000, 0x100, 0x100000, 0x100000, RAM - 0x100000 - 64 * 1024 } };
	struct image im;

	(void)state;
	im = usual_elf(32);
	loads(&im, usual, 2, "multiboot 1, ELF32", 0x100010);
	w16(im.data + 18, 62); /* a 64-bit kernel in a 32-bit file */
	loads(&im, usual, 2, "multiboot 1, ELF32", 0x100010);
	free(im.data);
	im = usual_elf(64);
	loads(&im, usual, 2, "multiboot 1, ELF64", 0x100010);
	w32(phdr(&im, 0), 4); /* a note is not loaded: neither is the entry then */
	refuses(&im, -EINVAL, "entry point 0x100010 lies in no segment");
	free(im.data);
	/* entry by virtual address, then by physical */
	im = elf(64, 0x2000, high, 1, 0xffffffff80100020ull);
	loads(&im, high, 1, "multiboot 1, ELF64", 0x100020);
	w64(im.data + 24, 0x100030);
	loads(&im, high, 1, "multiboot 1, ELF64", 0x100030);
	w64(im.data + 24, 0x100900);
	refuses(&im, -EINVAL, "lies in no segment");
	free(im.data);
	/* a kernel that takes nearly all */
	im = elf(32, 0x2000, top, 1, 0x100000);
	loads(&im, top, 1, "multiboot 1, ELF32", 0x100000);
	free(im.data);
}

static void low_kernels(void **state)
{
	/* a kernel that fills low memory pushes the information up; one that spans most of it, down */
	static const struct seg low[] = { { 0x1000, 0x100, 0x1000, 0x1000, 0x9e000 } };
	static const struct seg both[] = { { 0x1000, 0x100, 0x8000, 0x8000, 0x100 },
					   { 0x1100, 0x100, 0x200000, 0x200000, 0x1000 } };
	static const struct seg first_page[] = { { 0x1000, 0x100, 0, 0, 0x1000 } };
	struct image im = elf(32, 0x2000, low, 1, 0x1000);
	struct loader_out out;

	(void)state;
	loads(&im, low, 1, "multiboot 1, ELF32", 0x1000);
	assert_int_equal(load(&im, &out), 0);
	assert_true(out.ebx >= 0x100000);
	free(im.data);
	im = elf(32, 0x2000, both, 2, 0x200000);
	loads(&im, both, 2, "multiboot 1, ELF32", 0x200000);
	assert_int_equal(load(&im, &out), 0);
	assert_in_range(out.ebx, 0x1000, 0x8000);
	free(im.data);
	im = elf(32, 0x2000, first_page, 1, 0);
	loads(&im, first_page, 1, "multiboot 1, ELF32", 0);
	free(im.data);
}

static void broken_elf(void **state)
{
	static const struct seg hole[] = { { 0x1000, 0x800, 0x9f000, 0x9f000, 0x2000 } };
	static const struct seg beyond[] = { { 0x1000, 0x800, RAM - 0x1000, RAM - 0x1000, 0x1001 } };
	static const struct seg wraps[] = { { 0x1000, 0x800, 0, 0xfffffffffffff000ull, 0x2000 } };
	static const struct seg over[] = { { 0x1000, 0x800, 0x100000, 0x100000, 0x800 },
					   { 0x1800, 0x234, 0x1007ff, 0x1007ff, 0x3000 } };
	static const struct seg upper[] = { { 0x1000, 0x10, 0x100000, 0x180000000ull, 0x10 } };
	struct image im = usual_elf(32);

	(void)state;
	im.len = 0x1a00;
	refuses(&im, -EINVAL, "the file is truncated: segment 1 needs bytes up to 0x1a34 but the file has 0x1a00");
	im.len = 0x1001;
	refuses(&im, -EINVAL, "segment 0 needs bytes up to 0x1800 but the file has 0x1001");
	im.len = 0x20c;
	refuses(&im, -EINVAL, "truncated");
	im.len = 0x20b;
	refuses(&im, -ENOEXEC, "no multiboot header");
	im.len = 0x2000;
	w16(im.data + 44, 0);
	refuses(&im, -EINVAL, "no segments");
	w16(im.data + 44, 0xffff);
	refuses(&im, -EINVAL, "truncated");
	w16(im.data + 44, 2);
	w16(im.data + 42, 31);
	refuses(&im, -EINVAL, "segment entries of 31 bytes");
	w16(im.data + 42, 32);
	w32(im.data + 28, 0xfffffff0);
	refuses(&im, -EINVAL, "truncated");
	w32(im.data + 28, 52);
	w16(im.data + 18, 40);
	refuses(&im, -ENOEXEC, "not for x86: machine 40");
	w16(im.data + 18, 3);
	im.data[5] = 2;
	refuses(&im, -ENOEXEC, "not for x86");
	im.data[5] = 1, im.data[4] = 3;
	refuses(&im, -ENOEXEC, "not for x86");
	im.data[4] = 1;
	w16(im.data + 16, 1);
	refuses(&im, -EINVAL, "it is not linked");
	w16(im.data + 16, 2);
	w32(phdr(&im, 1) + 16, 0x3001);
	refuses(&im, -EINVAL, "segment 1");
	w32(phdr(&im, 1) + 16, 0x700);
	w32(phdr(&im, 1) + 20, 0x6ff);
	refuses(&im, -EINVAL, "segment 1 has 0x700 bytes for 0x6ff bytes of memory");
	w32(phdr(&im, 0), 0), w32(phdr(&im, 1), 0);
	refuses(&im, -EINVAL, "nothing to load");
	free(im.data);
	im = elf(32, 0x2000, hole, 1, 0x9f000);
	refuses(&im, -ENOSPC, "segment 0 wants 0x9f000 to 0xa1000");
	free(im.data);
	im = elf(32, 0x2000, beyond, 1, RAM - 0x1000);
	refuses(&im, -ENOSPC, "not all RAM");
	free(im.data);
	im = elf(64, 0x2000, wraps, 1, 0);
	refuses(&im, -EINVAL, "passes 2^64");
	w64(phdr(&im, 0) + 8, UINT64_MAX - 5);
	refuses(&im, -EINVAL, "past 2^64");
	free(im.data);
	im = elf(32, 0x2000, over, 2, 0x100000);
	refuses(&im, -EINVAL, "overlaps");
	free(im.data);
	im = elf(64, 0x2000, upper, 1, 0x100000);
	refuses(&im, -ENOSPC, "not all RAM");
	free(im.data);
}

static void too_many_segments(void **state)
{
	struct seg many[40];
	struct image im;

	(void)state;
	for (unsigned i = 0; i < 40; i++)
		many[i] = (struct seg){ 0x1000, 0x10, 0x100000 + i * 0x1000, 0x100000 + i * 0x1000, 0x20 };
	im = elf(32, 0x4000, many, 40, 0x100000);
	refuses(&im, -EINVAL, "more than 32 segments");
	w16(im.data + 44, 32);
	loads(&im, many, 32, "multiboot 1, ELF32", 0x100000);
	free(im.data);
}

static void headers(void **state)
{
	struct image im = usual_elf(32);
	static const uint32_t required[] = { 3, 4, 7, 12, 15 };
	char bit[16];

	(void)state;
	for (unsigned i = 0; i < sizeof(required) / sizeof(required[0]); i++) {
		put_header(im.data + 0x200, 1u << required[i]);
		snprintf(bit, sizeof(bit), "bit %u", required[i]);
		refuses(&im, -EINVAL, bit);
	}
	put_header(im.data + 0x200, 0x7 | 0x80000000); /* what may be ignored is ignored */
	loads(&im, usual, 2, "multiboot 1, ELF32", 0x100010);
	im.data[0x208]++;
	refuses(&im, -EINVAL, "checksum is wrong");
	put_header(im.data + 0x1ffc - 8, 0); /* a good one after a bad one; the last possible place */
	loads(&im, usual, 2, "multiboot 1, ELF32", 0x100010);
	w32(im.data + 0x1ff4, 0);
	put_header(im.data + 0x302, 0); /* not aligned: not a header */
	refuses(&im, -EINVAL, "checksum is wrong");
	w32(im.data + 0x200, 0);
	refuses(&im, -ENOEXEC, "this ELF file has no multiboot header");
	free(im.data);
	/* past 8 KiB */
	im = elf(32, 0x4000, usual, 2, 0x100010);
	w32(im.data + 0x200, 0);
	put_header(im.data + 0x1ff8, 0);
	refuses(&im, -ENOEXEC, "no multiboot header");
	put_header(im.data + 0x1ff4, 0);
	loads(&im, usual, 2, "multiboot 1, ELF32", 0x100010);
	free(im.data);
}

static void other_files(void **state)
{
	uint8_t *d = calloc(1, 0x9000);
	struct image im = { .data = d, .len = 0 };

	(void)state;
	refuses(&im, -ENOEXEC, "empty");
	im.len = 1;
	refuses(&im, -ENOEXEC, "not a kernel that we know");
	im.len = 0x9000;
	memcpy(d + 0x8001, "CD001", 5);
	refuses(&im, -ENOEXEC, "CD image");
	memcpy(d, "\037\213", 2);
	refuses(&im, -ENOEXEC, "gzip");
	memcpy(d, "MZ", 2);
	refuses(&im, -ENOEXEC, "EFI or DOS");
	put_header(d + 0x400, 0);
	refuses(&im, -EINVAL, "is no ELF file and its multiboot header gives no addresses");
	free(d);
}

/* ---- a.out kludge */

static void address_kernels(void **state)
{
	struct image im = { .data = malloc(0x3000), .len = 0x3000 };
	uint8_t *p = im.data + 0x100;
	const char *name = "multiboot 1, a.out kludge";
	struct seg s = { 0x80, 0x1000, 0x200000, 0x200000, 0x2000 };

	(void)state;
	for (size_t i = 0; i < im.len; i++)
		im.data[i] = (uint8_t)(i * 11);
	kludge(p, 0x200080, 0x200000, 0x201000, 0x202000, 0x200123);
	loads(&im, &s, 1, name, 0x200123);
	kludge(p, 0x200080, 0x200000, 0, 0x204000, 0x200123); /* to the file's end */
	s.filesz = 0x3000 - 0x80, s.memsz = 0x4000;
	loads(&im, &s, 1, name, 0x200123);
	kludge(p, 0x200080, 0x200000, 0, 0, 0x200123); /* and no bss */
	s.memsz = s.filesz;
	loads(&im, &s, 1, name, 0x200123);
	memcpy(im.data, "\177ELF", 4); /* the addresses count, whatever the file is */
	loads(&im, &s, 1, name, 0x200123);
	kludge(p, 0x200080, 0x200081, 0, 0, 0x200123);
	refuses(&im, -EINVAL, "load_addr 0x200081 does not fit header_addr 0x200080");
	kludge(p, 0x200101, 0x200000, 0, 0, 0x200123); /* would begin before the file */
	refuses(&im, -EINVAL, "does not fit");
	kludge(p, 0x200080, 0x200000, 0x1fffff, 0, 0x200123);
	refuses(&im, -EINVAL, "load_end_addr 0x1fffff is below");
	kludge(p, 0x200080, 0x200000, 0x201000, 0x200fff, 0x200123);
	refuses(&im, -EINVAL, "bss_end_addr 0x200fff is below");
	kludge(p, 0x200080, 0x200000, 0x203000, 0, 0x200123);
	refuses(&im, -EINVAL, "truncated: segment 0 needs bytes up to 0x3080 but the file has 0x3000");
	kludge(p, 0x200080, 0x200000, 0x201000, 0, 0x201000);
	refuses(&im, -EINVAL, "entry point 0x201000");
	kludge(p, 0x80, 0, 0x1000, 0xfffffff0, 0);
	refuses(&im, -ENOSPC, "not all RAM");
	im.len = 0x100 + 31;
	refuses(&im, -EINVAL, "ends before them");
	free(im.data);
}

/* ---- modules, strings, framebuffer */

static void everything(void **state)
{
	static uint8_t a[10000], b[4096], c[1];
	struct image im = usual_elf(64);
	struct loader_blob modules[] = { blob(a, sizeof(a), "one x=y"), blob(b, sizeof(b), NULL), blob(c, 0, ""),
					 blob(c, 1, "four") };
	struct loader_in in = {
		.kernel = blob(im.data, im.len, NULL),
		.modules = modules,
		.module_count = 4,
		.map = map,
		.map_count = 4,
		.fb_addr = 0xe0000000,
		.fb_pitch = 4096,
		.fb_width = 1024,
		.fb_height = 768,
		.fb_bpp = 32,
	};
	static const uint8_t colours[] = { 32, 1, 16, 8, 8, 8, 0, 8 };
	struct loader_out out;
	uint64_t addr = 0xe0000000;

	(void)state;
	memset(a, 0x11, sizeof(a));
	memset(b, 0x22, sizeof(b));
	memset(c, 0x33, sizeof(c));
	if (loader_multiboot(&mem, &in, &out, why, sizeof(why)))
		fail_msg("%s", why);
	check_info(&in, &out, (struct range){ 0x100000, 0x105000, "kernel" });
	assert_in_range(out.ebx, 0x10000, 0x9f000);	    /* where boot loaders leave it */
	assert_true(r32(r32(out.ebx + 24)) > RAM - 0x4000); /* as high as possible */
	assert_memory_equal(ram + out.ebx + 88, &addr, 8);
	assert_int_equal(r32(out.ebx + 96), 4096);
	assert_int_equal(r32(out.ebx + 100), 1024);
	assert_int_equal(r32(out.ebx + 104), 768);
	assert_memory_equal(ram + out.ebx + 108, colours, sizeof(colours));
	free(im.data);
}

/* The header's wish for a screen (3.1.2), and EGA text in the information (3.3). */
static void screens(void **state)
{
	static const struct {
		uint32_t flags, mode_type;
		bool graphics;
	} headers[] = { { 0, 0, false }, { 3, 0, false }, { 4, 0, true }, { 7, 0, true }, { 7, 1, false }, { 4, 77, false } };
	struct image im = usual_elf(32);
	struct loader_in in = { .kernel = blob(im.data, im.len, ""), .map = map, .map_count = 4, .fb_width = 640, .text = true };
	uint8_t header[48];
	struct loader_out out;
	uint64_t addr = 0xb8000;

	(void)state;
	for (unsigned i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		struct loader_blob b = { .data = header, .len = sizeof(header) };

		memset(header, 0, sizeof(header));
		w32(header, 0x1badb002);
		w32(header + 4, headers[i].flags);
		w32(header + 8, -(0x1badb002 + headers[i].flags));
		w32(header + 32, headers[i].mode_type);
		assert_int_equal(multiboot_wants_graphics(&b), headers[i].graphics);
		b.len = 35; /* the wish lies past the end */
		assert_false(multiboot_wants_graphics(&b));
	}
	assert_false(multiboot_wants_graphics(&(struct loader_blob){ .data = header, .len = 0 }));
	assert_int_equal(loader_multiboot(&mem, &in, &out, why, sizeof(why)), 0);
	assert_int_equal(r32(out.ebx) >> 12 & 1, 1);
	assert_memory_equal(ram + out.ebx + 88, &addr, 8);
	assert_int_equal(r32(out.ebx + 96), 160);
	assert_int_equal(r32(out.ebx + 100), 80);
	assert_int_equal(r32(out.ebx + 104), 25);
	assert_int_equal(ram[out.ebx + 108], 16);
	assert_int_equal(ram[out.ebx + 109], 2);
	free(im.data);
}

static void too_much(void **state)
{
	struct image im = usual_elf(32);
	uint8_t *big = calloc(1, RAM);
	char *args = malloc(5000);
	struct loader_blob modules[33];
	struct loader_in in = { .kernel = blob(im.data, im.len, ""), .modules = modules, .map = map, .map_count = 4 };
	struct loader_out out;

	(void)state;
	memset(args, 'x', 4999);
	args[4999] = 0;
	for (unsigned i = 0; i < 33; i++)
		modules[i] = blob(big, 100, "m");
	in.module_count = 33;
	assert_int_equal(loader_multiboot(&mem, &in, &out, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "33 modules"));
	in.module_count = 32;
	assert_int_equal(loader_multiboot(&mem, &in, &out, why, sizeof(why)), 0);
	check_info(&in, &out, (struct range){ 0x100000, 0x105000, "kernel" });
	modules[1].len = RAM;
	in.module_count = 2;
	assert_int_equal(loader_multiboot(&mem, &in, &out, why, sizeof(why)), -ENOSPC);
	assert_non_null(strstr(why, "module 2 does not fit"));
	modules[1].len = SIZE_MAX;
	assert_int_equal(loader_multiboot(&mem, &in, &out, why, sizeof(why)), -ENOSPC);
	modules[1].len = RAM - 0x106000; /* to the last page beside the kernel and the first module */
	assert_int_equal(loader_multiboot(&mem, &in, &out, why, sizeof(why)), 0);
	check_info(&in, &out, (struct range){ 0x100000, 0x105000, "kernel" });
	modules[1].len++;
	assert_int_equal(loader_multiboot(&mem, &in, &out, why, sizeof(why)), -ENOSPC);
	modules[1] = blob(big, 1, args);
	assert_int_equal(loader_multiboot(&mem, &in, &out, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "arguments of module 2"));
	in.module_count = 0;
	in.kernel.args = args;
	assert_int_equal(loader_multiboot(&mem, &in, &out, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "command line"));
	args[4095] = 0;
	assert_int_equal(loader_multiboot(&mem, &in, &out, why, sizeof(why)), 0);
	check_info(&in, &out, (struct range){ 0x100000, 0x105000, "kernel" });
	/* a map that names what is not there */
	struct loader_map lie[] = { { 0x100000, 64u << 20, 1 } };

	in.map = lie, in.map_count = 1;
	modules[0] = blob(big, 5000, "");
	in.module_count = 1;
	assert_int_equal(loader_multiboot(&mem, &in, &out, why, sizeof(why)), -ENOSPC);
	in.map_count = 0;
	assert_int_equal(loader_multiboot(&mem, &in, &out, why, sizeof(why)), -ENOSPC);
	assert_non_null(strstr(why, "not all RAM"));
	/* a sentence that does not fit is cut */
	char small[8];

	assert_int_equal(loader_multiboot(&mem, &in, &out, small, sizeof(small)), -ENOSPC);
	assert_int_equal(strlen(small), 7);
	assert_int_equal(loader_multiboot(&mem, &in, &out, NULL, 0), -ENOSPC);
	free(big);
	free(args);
	free(im.data);
}

/* Section headers: those of symbol and string tables point at copies, the others are as in the file. */
static void sections(void **state)
{
	static const struct {
		uint32_t type, flags, addr, offset, size;
	} list[] = {
		{ 0, 0, 0, 0, 0 },	   { 1, 6, 0x100000, 0x1000, 0x800 }, { 2, 0, 0, 0x1c00, 0x100 },
		{ 3, 0, 0, 0x1d00, 0x33 }, { 3, 2, 0x102000, 0x1800, 0x20 },  { 3, 0, 0, 0x1ff0, 0x20 /* past the file */ },
	};
	static const unsigned bits[] = { 32, 64 };

	(void)state;
	for (unsigned k = 0; k < 2; k++) {
		struct image im = usual_elf(bits[k]);
		unsigned size = bits[k] == 32 ? 40 : 64, table = 0x1a40;
		struct loader_out out;

		for (unsigned i = 0; i < 6; i++) {
			uint8_t *s = im.data + table + i * size;

			memset(s, 0, size);
			w32(s + 4, list[i].type);
			w32(s + 8, list[i].flags);
			w32(s + (size == 40 ? 12 : 16), list[i].addr);
			w32(s + (size == 40 ? 16 : 24), list[i].offset);
			w32(s + (size == 40 ? 20 : 32), list[i].size);
		}
		w32(im.data + (size == 40 ? 32 : 40), table);
		w16(im.data + (size == 40 ? 46 : 58), size);
		w16(im.data + (size == 40 ? 48 : 60), 6);
		w16(im.data + (size == 40 ? 50 : 62), 3);
		loads(&im, usual, 2, size == 40 ? "multiboot 1, ELF32" : "multiboot 1, ELF64", 0x100010);
		assert_int_equal(load(&im, &out), 0);
		assert_true(r32(out.ebx) & 1u << 5);
		assert_int_equal(r32(out.ebx + 28), 6);
		assert_int_equal(r32(out.ebx + 32), size);
		assert_int_equal(r32(out.ebx + 40), 3);
		for (unsigned i = 0; i < 6; i++) {
			uint32_t at = r32(out.ebx + 36) + i * size, addr = r32(at + (size == 40 ? 12 : 16));

			if (i == 2 || i == 3)
				assert_memory_equal(ram + addr, im.data + list[i].offset, list[i].size);
			else
				assert_int_equal(addr, list[i].addr);
		}
		w16(im.data + (size == 40 ? 48 : 60), 0x4000); /* a table past the file: none */
		loads(&im, usual, 2, size == 40 ? "multiboot 1, ELF32" : "multiboot 1, ELF64", 0x100010);
		assert_int_equal(load(&im, &out), 0);
		assert_false(r32(out.ebx) & 1u << 5);
		free(im.data);
	}
}

/* ---- a thousand guests after each other in the same memory */

#define GUESTS 1000u
#define MODULES_MOST 5u

static uint8_t module_bytes[MODULES_MOST][9000];

/* Loads guest n; memory is cleared before, as vm_boot does. Returns a sum of all of it. */
static uint64_t load_nth(unsigned n)
{
	struct rng r = rng_seed(n + 1);
	struct seg seg[2] = { { .offset = 0x1000 }, { .offset = 0x1800 } };
	struct loader_blob module[MODULES_MOST];
	struct loader_in in = { .modules = module, .map = map, .map_count = 4 };
	struct loader_out out;
	struct range span;
	struct image im;
	uint64_t sum = 0;

	seg[0].paddr = seg[0].vaddr = 0x100000 + (rng_next(&r) % 0x200) * PAGE;
	seg[0].filesz = 0x100 + (uint32_t)(rng_next(&r) % 0x700);
	seg[0].memsz = seg[0].filesz;
	seg[1].paddr = seg[1].vaddr = seg[0].paddr + 0x1000 + (rng_next(&r) % 0x40) * PAGE;
	seg[1].filesz = (uint32_t)(rng_next(&r) % 0x700);
	seg[1].memsz = seg[1].filesz + rng_next(&r) % 0x20000;
	im = elf(rng_next(&r) & 1 ? 32 : 64, 0x2000, seg, 2, seg[0].vaddr + 0x10);
	in.kernel = blob(im.data, im.len, "kernel a=1");
	in.module_count = (unsigned)(rng_next(&r) % (MODULES_MOST + 1));
	for (unsigned i = 0; i < in.module_count; i++) {
		memset(module_bytes[i], (int)rng_next(&r), sizeof(module_bytes[i]));
		module[i] = blob(module_bytes[i], 1 + rng_next(&r) % sizeof(module_bytes[i]), "module");
	}
	memset(ram, 0, RAM);
	if (loader_multiboot(&mem, &in, &out, why, sizeof(why)))
		fail_msg("guest %u: %s", n, why);
	assert_memory_equal(ram + seg[0].paddr, im.data + seg[0].offset, seg[0].filesz);
	span = (struct range){ seg[0].paddr, seg[1].paddr + seg[1].memsz, "kernel" };
	check_info(&in, &out, span);
	free(im.data);
	for (size_t i = 0; i < RAM; i += 8)
		sum = (sum ^ *(uint64_t *)(ram + i)) * 0x100000001b3ull;
	return sum;
}

/* No loader takes a frame or keeps anything between two guests (none has memory of its own but the guest's): what the first one's
 * memory holds is the same after a thousand others; the sanitizer would tell of what is not given back. */
static void thousand(void **state)
{
	uint64_t first = load_nth(0);

	(void)state;
	for (unsigned n = 1; n < GUESTS; n++)
		load_nth(n);
	assert_int_equal(load_nth(0), first);
	assert_int_not_equal(load_nth(1), first);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(elf_kernels),	     cmocka_unit_test(low_kernels), cmocka_unit_test(broken_elf),
		cmocka_unit_test(too_many_segments), cmocka_unit_test(headers),	    cmocka_unit_test(other_files),
		cmocka_unit_test(address_kernels),   cmocka_unit_test(everything),  cmocka_unit_test(screens),
		cmocka_unit_test(too_much),	     cmocka_unit_test(sections),    cmocka_unit_test(thousand),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
