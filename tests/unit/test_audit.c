/* links: mm/audit_slat.c mm/slat.c mm/pt_format.c vmm/guest_mem.c */
/* The audits see each kind of wrong entry, and nothing wrong in what slat and the shadow pager make (test_shadow.c's world is
 * audited too). */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "mm/audit.h"
#include "mm/dirty.h"
#include "mm/layout.h"
#include "mm/slat.h"
#include "tests/unit/random.h"
#include "tests/unit/fake_frames.h"
#include "vmm/guest_mem.h"

#define RAM_GPA 0ull
#define RAM_HPA 0x40000000ull /* never touched: only the tables are */
#define RAM_BYTES 0x10000000ull
#define VRAM_GPA 0xd0000000ull
#define VRAM_HPA 0x80200000ull
#define VRAM_BYTES 0x400000ull

void dirty_mark(struct dirty *d, uint64_t gpa, uint64_t len)
{
	(void)d;
	(void)gpa;
	(void)len;
}

void shadow_written(struct shadow *sh, uint64_t gpa, uint64_t len)
{
	(void)sh;
	(void)gpa;
	(void)len;
}

static struct slat slat;
static struct guest_mem mem;

static uint64_t wrong(void)
{
	struct audit a = { 0 };

	audit_slat(&slat, &mem, &a);
	assert_true(a.tables == slat.tables);
	return a.wrong;
}

static int setup(void **state)
{
	(void)state;
	fake_frames_reset();
	mem = (struct guest_mem){ 0 };
	assert_int_equal(slat_init(&slat, &pt_npt, 3, true), 0);
	assert_int_equal(guest_mem_add(&mem, RAM_GPA, RAM_BYTES, RAM_HPA), 0);
	assert_int_equal(guest_mem_add(&mem, VRAM_GPA, VRAM_BYTES, VRAM_HPA), 0);
	assert_int_equal(slat_map(&slat, RAM_GPA, RAM_HPA, RAM_BYTES), 0);
	assert_int_equal(slat_map(&slat, VRAM_GPA, VRAM_HPA, VRAM_BYTES), 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	slat_destroy(&slat);
	return fake_frames.held != 0;
}

static void right(void **state)
{
	struct audit a = { 0 };

	(void)state;
	assert_int_equal(wrong(), 0);
	for (uint64_t gpa = 0; gpa < 0x600000; gpa += 0x3000)
		slat_write_protect(&slat, slat_split(&slat, gpa));
	assert_int_equal(wrong(), 0);
	assert_int_equal(slat_unmap(&slat, 0x5000, 0x203000), 0);
	assert_int_equal(wrong(), 0);
	audit_slat(&slat, &mem, &a);
	assert_true(a.leaves > 1000);
}

/* Each defect alone, put right again. */
static void astray(void **state)
{
	uint64_t *leaf = slat_split(&slat, 0x7000), *large = slat_leaf(&slat, 0x800000, NULL), keep = *leaf;
	const uint64_t bad[] = {
		0x200000 | (keep & PAGE_MASK),		    /* the VMM's image */
		(RAM_HPA + 0x8000) | (keep & PAGE_MASK),    /* the guest's, but another page */
		(RAM_HPA + RAM_BYTES) | (keep & PAGE_MASK), /* the first page behind it */
		(VRAM_HPA + 0x7000) | (keep & PAGE_MASK),   /* another slot's */
		0xfee00000 | (keep & PAGE_MASK),	    /* the real local APIC */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		*leaf = bad[i];
		assert_int_equal(wrong(), 1);
	}
	*leaf = keep;
	assert_int_equal(wrong(), 0);
	keep = *large;
	*large += LARGE_PAGE_SIZE;
	assert_int_equal(wrong(), 1);
	*large = keep;
	assert_int_equal(guest_mem_remove(&mem, VRAM_GPA), 0); /* mapped still, though it is no more the guest's */
	assert_int_equal(wrong(), VRAM_BYTES / LARGE_PAGE_SIZE);
}

/* A slot that ends within a large leaf. */
static void too_long(void **state)
{
	(void)state;
	assert_int_equal(guest_mem_remove(&mem, VRAM_GPA), 0);
	assert_int_equal(guest_mem_add(&mem, VRAM_GPA, VRAM_BYTES - PAGE_SIZE, VRAM_HPA), 0);
	assert_int_equal(wrong(), 1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = { TEST(right), TEST(astray), TEST(too_long) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
