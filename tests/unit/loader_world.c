#include "tests/unit/loader_world.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "mm/dirty.h"

/* The guest's memory has no tracker here. */
void dirty_mark(struct dirty *d, uint64_t gpa, uint64_t len)
{
	(void)d, (void)gpa, (void)len;
	fail();
}

void shadow_written(struct shadow *sh, uint64_t gpa, uint64_t len)
{
	(void)sh, (void)gpa, (void)len;
	fail();
}

uint8_t *ram;
struct guest_mem mem;
struct loader_map map[MAP_ENTRIES] = {
	{ 0, 0x9fc00, 1 }, { 0x9fc00, 0x400, 2 }, { 0xf0000, 0x10000, 2 }, { 0x100000, RAM - 0x100000, 1 }
};
char why[160];

int setup(void **state)
{
	(void)state;
	ram = aligned_alloc(PAGE, RAM);
	return !ram || guest_mem_add(&mem, 0, RAM, (uint64_t)(uintptr_t)ram);
}

int teardown(void **state)
{
	(void)state;
	free(ram);
	return 0;
}

/* ---- kernels */

void w16(uint8_t *p, unsigned v)
{
	p[0] = (uint8_t)v, p[1] = (uint8_t)(v >> 8);
}

void w32(uint8_t *p, uint32_t v)
{
	w16(p, v & 0xffff), w16(p + 2, v >> 16);
}

void w64(uint8_t *p, uint64_t v)
{
	w32(p, (uint32_t)v), w32(p + 4, (uint32_t)(v >> 32));
}

uint32_t r32(uint32_t gpa)
{
	uint32_t v;

	assert_true(gpa <= RAM - 4);
	memcpy(&v, ram + gpa, 4);
	return v;
}

void put_header(uint8_t *p, uint32_t flags)
{
	w32(p, 0x1badb002);
	w32(p + 4, flags);
	w32(p + 8, 0u - 0x1badb002u - flags);
}

uint8_t *phdr(const struct image *im, unsigned i)
{
	return im->data + (im->bits == 32 ? 52 + 32 * i : 64 + 56 * i);
}

struct image elf(unsigned bits, size_t len, const struct seg *seg, unsigned count, uint64_t entry)
{
	struct image im = { .data = malloc(len), .len = len, .bits = bits };
	uint8_t *d = im.data;

	for (size_t i = 0; i < len; i++)
		d[i] = (uint8_t)(i * 7 + i / 256);
	memset(d, 0, bits == 32 ? 52 : 64);
	memcpy(d, "\177ELF", 4);
	d[4] = bits == 32 ? 1 : 2;
	d[5] = d[6] = 1;
	w16(d + 16, 2);
	w16(d + 18, bits == 32 ? 3 : 62);
	w32(d + 20, 1);
	if (bits == 32) {
		w32(d + 24, (uint32_t)entry), w32(d + 28, 52);
		w16(d + 40, 52), w16(d + 42, 32), w16(d + 44, count);
	} else {
		w64(d + 24, entry), w64(d + 32, 64);
		w16(d + 52, 64), w16(d + 54, 56), w16(d + 56, count);
	}
	for (unsigned i = 0; i < count; i++) {
		uint8_t *p = phdr(&im, i);

		w32(p, 1);
		if (bits == 32) {
			w32(p + 4, seg[i].offset), w32(p + 8, (uint32_t)seg[i].vaddr), w32(p + 12, (uint32_t)seg[i].paddr);
			w32(p + 16, seg[i].filesz), w32(p + 20, (uint32_t)seg[i].memsz), w32(p + 24, 7), w32(p + 28, PAGE);
		} else {
			w32(p + 4, 7);
			w64(p + 8, seg[i].offset), w64(p + 16, seg[i].vaddr), w64(p + 24, seg[i].paddr);
			w64(p + 32, seg[i].filesz), w64(p + 40, seg[i].memsz), w64(p + 48, PAGE);
		}
	}
	put_header(d + (count < 8 ? 0x200 : 0x1800), 3); /* behind the table */
	return im;
}

const struct seg usual[2] = {
	{ 0x1000, 0x800, 0x100000, 0x100000, 0x800 },
	{ 0x1800, 0x234, 0x102000, 0x102000, 0x3000 },
};

struct image usual_elf(unsigned bits)
{
	return elf(bits, 0x2000, usual, 2, 0x100010);
}

void kludge(uint8_t *p, uint32_t header, uint32_t start, uint32_t end, uint32_t bss, uint32_t entry)
{
	put_header(p, 0x10003);
	w32(p + 12, header), w32(p + 16, start), w32(p + 20, end), w32(p + 24, bss), w32(p + 28, entry);
}

/* ---- loading, and the check of all that a loaded guest is given */

struct loader_blob blob(const void *data, size_t len, const char *args)
{
	return (struct loader_blob){ .data = data, .len = len, .args = args };
}

int load(const struct image *im, struct loader_out *out)
{
	struct loader_in in = { .kernel = blob(im->data, im->len, "kernel a=1"), .map = map, .map_count = 4 };

	return loader_multiboot(&mem, &in, out, why, sizeof(why));
}

static void check_apart(const struct range *r, unsigned n)
{
	for (unsigned i = 0; i < n; i++) {
		assert_true(r[i].start <= r[i].end && r[i].end <= RAM);
		if (r[i].start < r[i].end && i > 0) { /* the kernel may lie where it wants, in RAM */
			assert_true(r[i].start >= PAGE);
			assert_true(r[i].end <= 0x9fc00 || r[i].start >= 0x100000);
		}
		for (unsigned j = 0; j < i; j++)
			if (r[i].start < r[j].end && r[j].start < r[i].end)
				fail_msg("%s and %s overlap at 0x%llx", r[i].what, r[j].what, (unsigned long long)r[i].start);
	}
}

static void check_string(uint32_t addr, const char *want)
{
	assert_true(addr < RAM - strlen(want) - 1);
	assert_string_equal((char *)ram + addr, want ? want : "");
}

void check_info(const struct loader_in *in, const struct loader_out *out, struct range kernel)
{
	uint32_t b = out->ebx, flags = r32(b), mmap = r32(b + 48);
	struct range r[40] = { kernel };
	unsigned n = 1;

	assert_int_equal(out->eax, 0x2badb002);
	assert_int_equal(b & 3, 0);
	assert_int_equal(flags & ~(1u << 12 | 1u << 5), 0x24d);
	assert_int_equal(r32(b + 4), 0x9fc00 / 1024);
	assert_int_equal(r32(b + 8), (RAM - 0x100000) / 1024);
	r[n++] = (struct range){ b, b + 116, "mbi" };
	check_string(r32(b + 16), in->kernel.args ? in->kernel.args : "");
	r[n++] = (struct range){ r32(b + 16), r32(b + 16) + strlen((char *)ram + r32(b + 16)) + 1, "command line" };
	check_string(r32(b + 64), "Tessera");
	assert_int_equal(r32(b + 44), in->map_count * 24);
	r[n++] = (struct range){ mmap, mmap + r32(b + 44), "map" };
	for (unsigned i = 0; i < in->map_count; i++, mmap += 24) {
		assert_int_equal(r32(mmap), 20);
		assert_memory_equal(ram + mmap + 4, &in->map[i].base, 8);
		assert_memory_equal(ram + mmap + 12, &in->map[i].len, 8);
		assert_int_equal(r32(mmap + 20), in->map[i].type);
	}
	assert_int_equal(r32(b + 20), in->module_count);
	for (unsigned i = 0; i < in->module_count; i++) {
		uint32_t m = r32(b + 24) + 16 * i, start = r32(m), end = r32(m + 4);

		assert_int_equal(start % PAGE, 0);
		assert_int_equal(end - start, in->modules[i].len);
		assert_memory_equal(ram + start, in->modules[i].data, end - start);
		assert_true(start >= 0x100000);
		check_string(r32(m + 8), in->modules[i].args ? in->modules[i].args : "");
		assert_int_equal(r32(m + 12), 0);
		r[n++] = (struct range){ start, end, "module" };
	}
	if (flags & 1u << 5)
		r[n++] = (struct range){ r32(b + 36), r32(b + 36) + r32(b + 28) * r32(b + 32), "section headers" };
	assert_int_equal(!!(flags & 1u << 12), in->fb_width != 0);
	check_apart(r, n);
}
