/* links: mm/frames.c mm/map.c mm/audit_map.c mm/pt_format.c */
/* The frame allocator and the VMM's page tables, over host memory mapped where the machine would have its RAM (address = pointer).
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "mm/audit.h"
#include "mm/frames.h"
#include "mm/layout.h"
#include "mm/map.h"
#include "mm/pt_format.h"
#include "vmm/hw/x86.h"
#include "vmm/log.h"

#define RAM 0x10000000ull /* low enough for the sanitizer's address space to leave it free */
#define RAM_SIZE 0x4000000ull
#define IMAGE_START (RAM + 0x100000)
#define IMAGE_END (RAM + 0x142000)
#define FRAMES (RAM_SIZE / PAGE_SIZE)

void log_line(enum log_level level, const char *fmt, ...)
{
	(void)level;
	(void)fmt;
}

static jmp_buf panicked;
static bool panic_expected;

void panic(const char *fmt, ...)
{
	if (!panic_expected) {
		fprintf(stderr, "panic: %s\n", fmt);
		abort();
	}
	longjmp(panicked, 1);
}

#define EXPECT_PANIC(call)                                                                                                         \
	do {                                                                                                                       \
		panic_expected = true;                                                                                             \
		if (!setjmp(panicked)) {                                                                                           \
			call;                                                                                                      \
			fail_msg("%s did not panic", #call);                                                                       \
		}                                                                                                                  \
		panic_expected = false;                                                                                            \
	} while (0)

static struct boot_info bi;

static int setup(void **state)
{
	(void)state;
	void *p = mmap((void *)RAM, RAM_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);
	if (p != (void *)RAM)
		return -1;
	memset(p, 0xee, RAM_SIZE); /* RAM is not zero at power-on */
	memset(&bi, 0, sizeof(bi));
	bi.memory[bi.memory_count++] = (struct boot_memory){ 0, 0x9fc00, 1 };
	bi.memory[bi.memory_count++] = (struct boot_memory){ RAM, RAM_SIZE, 1 };
	bi.memory[bi.memory_count++] = (struct boot_memory){ RAM + 0x20fffff, 2, 2 }; /* touches two frames in the middle */
	bi.module[bi.module_count++] = (struct boot_module){ .start = RAM + 0x200000, .end = RAM + 0x200801 };
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	return munmap((void *)RAM, RAM_SIZE);
}

static bool overlap(uint64_t a, uint64_t a_end, uint64_t b, uint64_t b_end)
{
	return a < b_end && b < a_end;
}

static bool forbidden(uint64_t hpa, uint64_t end)
{
	return hpa < RAM || end > RAM + RAM_SIZE || overlap(hpa, end, IMAGE_START, IMAGE_END) ||
	       overlap(hpa, end, RAM + 0x200000, RAM + 0x200801) || overlap(hpa, end, RAM + 0x20fffff, RAM + 0x2100001);
}

static void counts(void **state)
{
	(void)state;
	assert_int_equal(frames_init(&bi, IMAGE_START, IMAGE_END), 0);
	/* Image, module, the two reserved bytes; and three bitmaps over all frames up to the top, rounded up. */
	size_t bitmaps = (3 * ((RAM + RAM_SIZE) / PAGE_SIZE / 8) + PAGE_MASK) / PAGE_SIZE;
	assert_int_equal(frames_total(), FRAMES - 0x42 - 1 - 2 - bitmaps);
	assert_int_equal(frames_available(), frames_total());
}

static void alloc_all(void **state)
{
	(void)state;
	assert_int_equal(frames_init(&bi, IMAGE_START, IMAGE_END), 0);
	static uint8_t seen[FRAMES];
	static const uint8_t zero[PAGE_SIZE];
	size_t n = 0;
	uint64_t hpa;
	memset(seen, 0, sizeof(seen));
	while ((hpa = frames_alloc(1, 1))) {
		assert_int_equal(hpa % PAGE_SIZE, 0);
		assert_false(forbidden(hpa, hpa + PAGE_SIZE));
		assert_false(seen[(hpa - RAM) / PAGE_SIZE]++);
		assert_memory_equal((void *)(uintptr_t)hpa, zero, PAGE_SIZE);
		memset((void *)(uintptr_t)hpa, 0x55, PAGE_SIZE);
		n++;
	}
	assert_int_equal(n, frames_total());
	assert_int_equal(frames_available(), 0);
	for (size_t i = 0; i < FRAMES; i++) {
		if (seen[i])
			frames_free(RAM + i * PAGE_SIZE, 1);
	}
	assert_int_equal(frames_available(), frames_total());
	assert_true(frames_alloc(1, 1) != 0);
}

static void runs(void **state)
{
	(void)state;
	assert_int_equal(frames_init(&bi, IMAGE_START, IMAGE_END), 0);
	uint64_t a = frames_alloc(512, 512), b = frames_alloc(3, 4), c = frames_alloc(1000, 1);
	assert_true(a && a % LARGE_PAGE_SIZE == 0);
	assert_true(b && b % (4 * PAGE_SIZE) == 0);
	assert_true(c && !forbidden(c, c + 1000 * PAGE_SIZE));
	assert_int_equal(frames_alloc(FRAMES, 1), 0);
	assert_int_equal(frames_alloc(0, 1), 0);
	assert_int_equal(frames_alloc(1, 1u << 30), 0);
	assert_int_equal(frames_alloc((size_t)-1, 1), 0);
	frames_free(a, 512);
	assert_int_equal(frames_alloc(512, 512), a);
}

static void wrong_frees(void **state)
{
	(void)state;
	assert_int_equal(frames_init(&bi, IMAGE_START, IMAGE_END), 0);
	uint64_t a = frames_alloc(4, 4), b = frames_alloc(1, 1), one = frames_alloc(1, 1);
	EXPECT_PANIC(frames_free(a, 3));
	EXPECT_PANIC(frames_free(a, 5));
	EXPECT_PANIC(frames_free(a + PAGE_SIZE, 3));
	EXPECT_PANIC(frames_free(a + 1, 4));
	EXPECT_PANIC(frames_free(a, 0));
	EXPECT_PANIC(frames_free(IMAGE_START, 1));
	EXPECT_PANIC(frames_free(0, 1));
	EXPECT_PANIC(frames_free(~0ull << 12, 1));
	EXPECT_PANIC(frames_free(a, (size_t)-1));
	frames_free(a, 4);
	EXPECT_PANIC(frames_free(a, 4));
	frames_free(b, 1);
	EXPECT_PANIC(frames_free(b, 1));
	frames_free(one, 1);
	EXPECT_PANIC(frames_alloc(1, 3));
	assert_int_equal(frames_available(), frames_total());
}

/* Random allocations and frees against a plain record of who owns what. */
static void random_use(void **state)
{
	(void)state;
	struct {
		uint64_t hpa;
		size_t count;
	} own[200] = { 0 };
	size_t used = 0;
	assert_int_equal(frames_init(&bi, IMAGE_START, IMAGE_END), 0);
	srand(3);
	for (unsigned round = 0; round < 6000; round++) {
		size_t i = (size_t)rand() % 200;
		if (own[i].hpa) {
			/* Each allocation holds its owner's number to its last byte: nobody else had it. */
			uint8_t *p = (uint8_t *)(uintptr_t)own[i].hpa;
			assert_int_equal(p[0], (uint8_t)i);
			assert_int_equal(p[own[i].count * PAGE_SIZE - 1], (uint8_t)i);
			frames_free(own[i].hpa, own[i].count);
			used -= own[i].count;
			own[i].hpa = 0;
			continue;
		}
		size_t count = 1 + (size_t)rand() % (rand() % 8 ? 4 : 100), align = 1u << (rand() % 5);
		uint64_t hpa = frames_alloc(count, align);
		if (!hpa)
			continue;
		assert_int_equal(hpa % (align * PAGE_SIZE), 0);
		assert_false(forbidden(hpa, hpa + count * PAGE_SIZE));
		uint8_t *p = (uint8_t *)(uintptr_t)hpa;
		assert_int_equal(p[0] | p[count * PAGE_SIZE - 1], 0);
		p[0] = p[count * PAGE_SIZE - 1] = (uint8_t)i;
		own[i].hpa = hpa;
		own[i].count = count;
		used += count;
		assert_int_equal(frames_available(), frames_total() - used);
	}
	assert_true(used > 0);
}

static void no_room(void **state)
{
	(void)state;
	bi.memory_count = 1; /* below 1 MiB only */
	assert_int_equal(frames_init(&bi, IMAGE_START, IMAGE_END), -ENOMEM);
	bi.memory_count = 0;
	assert_int_equal(frames_init(&bi, IMAGE_START, IMAGE_END), -ENOMEM);
	/* A map that claims more than its bitmaps would leave room for. */
	bi.memory[0] = (struct boot_memory){ RAM, 1ull << 50, 1 };
	bi.memory[1] = (struct boot_memory){ RAM + 0x1000, 1ull << 50, 2 };
	bi.memory_count = 2;
	assert_int_equal(frames_init(&bi, IMAGE_START, IMAGE_END), -ENOMEM);
}

/* ---- page tables */

static uint64_t root;

/* The leaf of va, 0 when it is not mapped. */
static uint64_t leaf(uint64_t va, unsigned *level)
{
	uint64_t table = root;
	for (*level = 4;; (*level)--) {
		uint64_t e = ((const uint64_t *)(uintptr_t)table)[pt_index(&pt_long4, *level, va)];
		if (!(e & PTE_P))
			return 0;
		if (pt_is_leaf(&pt_long4, *level, e))
			return e;
		table = e & PT_ADDR_MASK;
	}
}

static struct map_plan plan(void)
{
	return (struct map_plan){
		.image_start = IMAGE_START,
		.text_end = IMAGE_START + 0x8000,
		.rodata_end = IMAGE_START + 0xc000,
		.image_end = IMAGE_END,
		.guard = { IMAGE_START + 0x20000, IMAGE_START + 0x30000 },
		.guard_count = 2,
		.nx = true,
	};
}

static void map_rights(void **state)
{
	(void)state;
	struct map_plan p = plan();
	assert_int_equal(frames_init(&bi, IMAGE_START, IMAGE_END), 0);
	assert_int_equal(map_build(&bi, &p, &root), 0);
	unsigned level;
	for (uint64_t va = 0; va < RAM + RAM_SIZE + 0x200000; va += PAGE_SIZE) {
		uint64_t e = leaf(va, &level);
		bool guard = va == p.guard[0] || va == p.guard[1];
		bool ram = (va >= PAGE_SIZE && va < 0x9f000) || (va >= RAM && va < RAM + RAM_SIZE);
		assert_int_equal(e != 0, ram && !guard);
		if (!e)
			continue;
		uint64_t size = 1ull << pt_shift(&pt_long4, level);
		uint64_t mask = PT_ADDR_MASK & ~(size - 1);
		assert_int_equal(e & mask, va & mask); /* identity */
		bool text = va >= p.image_start && va < p.text_end, rodata = va >= p.text_end && va < p.rodata_end;
		assert_int_equal(!(e & PTE_NX), text);
		assert_int_equal(!(e & PTE_W), text || rodata);
		assert_false(e & (PTE_U | PTE_PCD | PTE_PWT));
	}
	leaf(RAM + 0x1000000, &level);
	assert_int_equal(level, 2);
}

static void map_overlaps(void **state)
{
	(void)state;
	/* Usable ranges that overlap, nest and break large pages, over a hole of an image. */
	bi.memory[bi.memory_count++] = (struct boot_memory){ RAM + 0x1234, 0x345678, 1 };
	bi.memory[bi.memory_count++] = (struct boot_memory){ RAM + RAM_SIZE - 0x1000, 0x3000, 1 };
	struct map_plan p = plan();
	unsigned level;
	assert_int_equal(frames_init(&bi, IMAGE_START, IMAGE_END), 0);
	assert_int_equal(map_build(&bi, &p, &root), 0);
	assert_int_equal(leaf(RAM + RAM_SIZE + 0x1000, &level) & PT_ADDR_MASK, RAM + RAM_SIZE + 0x1000);
	assert_int_equal(leaf(IMAGE_START, &level) & (PTE_W | PTE_NX), 0);
}

static void map_huge(void **state)
{
	(void)state;
	/* Only the tables are touched, so RAM that is not there will do. */
	bi.memory[bi.memory_count++] = (struct boot_memory){ 0x100000000, 0xc0200000, 1 };
	struct map_plan p = plan();
	p.huge = true;
	p.nx = false;
	unsigned level;
	assert_int_equal(frames_init(&bi, IMAGE_START, IMAGE_END), 0);
	assert_int_equal(map_build(&bi, &p, &root), 0);
	assert_int_equal(leaf(0x17fffffff, &level) & PT_ADDR_MASK, 0x140000000);
	assert_int_equal(level, 3);
	assert_int_equal(leaf(0x1c01ff000, &level) & PT_ADDR_MASK, 0x1c0000000);
	assert_int_equal(level, 2);
	assert_int_equal(leaf(0x1c0200000, &level), 0);
	assert_int_equal(leaf(RAM, &level) & PTE_NX, 0);
}

static void mmio(void **state)
{
	(void)state;
	struct map_plan p = plan();
	unsigned level;
	assert_int_equal(frames_init(&bi, IMAGE_START, IMAGE_END), 0);
	assert_int_equal(map_build(&bi, &p, &root), 0);
	assert_int_equal(map_mmio(0xfee00010, 0x1000), 0); /* two pages by its alignment */
	assert_int_equal(leaf(0xfee01000, &level) & PT_ADDR_MASK, 0xfee01000);
	assert_int_equal(level, 1);
	assert_int_equal(leaf(0xfee00000, &level) & (PTE_P | PTE_W | PTE_PCD | PTE_PWT | PTE_NX),
			 PTE_P | PTE_W | PTE_PCD | PTE_PWT | PTE_NX);
	assert_int_equal(map_mmio(0xfee00000, 0x400), 0);
	assert_int_equal(map_mmio(RAM + 0x5000, 8), -EINVAL); /* RAM is not a device */
	assert_int_equal(map_mmio(IMAGE_START, 8), -EINVAL);
	assert_int_equal(map_mmio(~0ull - 0xfff, 0x2000), -EINVAL);
	assert_int_equal(map_mmio(0xfee00000, 0), -EINVAL);
	while (frames_alloc(1, 1))
		;
	assert_int_equal(map_mmio(0x7fee00000, 8), -ENOMEM);
	assert_int_equal(map_build(&bi, &p, &root), -ENOMEM);
}

/* ---- audit and canary */

static uint64_t *leaf_entry(uint64_t va)
{
	uint64_t table = root;
	for (unsigned level = 4;; level--) {
		uint64_t *e = &((uint64_t *)(uintptr_t)table)[pt_index(&pt_long4, level, va)];
		if (pt_is_leaf(&pt_long4, level, *e))
			return e;
		table = *e & PT_ADDR_MASK;
	}
}

static uint64_t wrong(const struct map_plan *p)
{
	struct audit a = { 0 };
	audit_map(root, p, &a);
	assert_true(a.leaves > 60);
	return a.wrong;
}

static void audit_sees(void **state)
{
	(void)state;
	struct map_plan p = plan();
	const struct {
		uint64_t at, set, clear;
	} defects[] = {
		{ IMAGE_START, PTE_W, 0 },	      /* text that can be written */
		{ IMAGE_START + 0x8000, PTE_W, 0 },   /* constants */
		{ IMAGE_START + 0x9000, 0, PTE_NX },  /* constants that run */
		{ IMAGE_START + 0x10000, 0, PTE_NX }, /* data */
		{ RAM + 0x2000000, 0, PTE_NX },	      /* memory */
		{ RAM + 0x2000000, PTE_U, 0 },	      /* for CPL 3 */
		{ RAM + 0x2000000, 0x400000, 0 },     /* to elsewhere */
		{ p.guard[0], IMAGE_START + 0x20000 + (PTE_P | PTE_W | PTE_NX), 0 },
		{ p.guard[1], IMAGE_START + 0x30000 + (PTE_P | PTE_NX), 0 },
	};
	assert_int_equal(frames_init(&bi, IMAGE_START, IMAGE_END), 0);
	assert_int_equal(map_build(&bi, &p, &root), 0);
	assert_int_equal(map_mmio(0xfee00000, 0x1000), 0);
	assert_int_equal(wrong(&p), 0);
	for (size_t i = 0; i < sizeof(defects) / sizeof(defects[0]); i++) {
		uint64_t *e = leaf_entry(defects[i].at), keep = *e;
		*e = (keep | defects[i].set) & ~defects[i].clear;
		assert_int_equal(wrong(&p), 1);
		*e = keep;
	}
	assert_int_equal(wrong(&p), 0);
}

static void canary_sees(void **state)
{
	(void)state;
	uint64_t kept[64];
	const struct frames_canary *c;
	assert_int_equal(frames_init(&bi, IMAGE_START, IMAGE_END), 0);
	assert_int_equal(frames_canary_check()->bytes, 0); /* it is off */
	frames_canary_begin();
	for (unsigned round = 0; round < 4; round++) {
		for (unsigned i = 0; i < 64; i++) {
			kept[i] = frames_alloc(1 + i % 7, 1);
			memset((void *)(uintptr_t)kept[i], 0x5a, (1 + i % 7) * PAGE_SIZE);
		}
		for (unsigned i = 0; i < 64; i++)
			frames_free(kept[i], 1 + i % 7);
	}
	c = frames_canary_check();
	assert_int_equal(c->wrong, 0);
	assert_true(c->bytes > frames_available() * PAGE_SIZE);
	*(volatile uint8_t *)(RAM + 0x3000001) ^= 1;
	*(volatile uint8_t *)(RAM + 0x3456789) ^= 0x80;
	assert_int_equal(frames_canary_check()->wrong, 2);
	assert_int_equal(frames_canary_check()->wrong, 2); /* told once */
	uint64_t at = frames_alloc(1, 1);
	frames_free(at, 1);
	*(volatile uint64_t *)(uintptr_t)(at + 8) ^= ~0ull; /* used after it was freed, and then given out again */
	assert_int_equal(frames_alloc(1, 1), at);
	assert_int_equal(frames_canary()->wrong, 10);
}

static void fails_once(void **state)
{
	(void)state;
	assert_int_equal(frames_init(&bi, IMAGE_START, IMAGE_END), 0);
	frames_fail(3);
	assert_true(frames_alloc(1, 1) && frames_alloc(2, 1));
	size_t before = frames_available();
	assert_int_equal(frames_alloc(1, 1), 0);
	assert_int_equal(frames_available(), before);
	assert_true(frames_alloc(1, 1));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(counts),	  TEST(alloc_all),   TEST(runs),	 TEST(wrong_frees), TEST(random_use),
		TEST(no_room),	  TEST(map_rights),  TEST(map_overlaps), TEST(map_huge),    TEST(mmio),
		TEST(audit_sees), TEST(canary_sees), TEST(fails_once),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
