/* Guest memory: slots, bounds, copies that cross slots, and what the dirty tracker is told. */
/* links: vmm/guest_mem.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "mm/dirty.h"
#include "vmm/guest_mem.h"

#define PAGE 4096u

static unsigned marks;
static uint64_t marked_gpa, marked_len;

/* Stands in for the tracker. */
void dirty_mark(struct dirty *d, uint64_t gpa, uint64_t len)
{
	assert_non_null(d);
	marks++;
	marked_gpa = gpa;
	marked_len = len;
}

/* Stands in for the shadow pager. */
static unsigned shadow_writes;

void shadow_written(struct shadow *sh, uint64_t gpa, uint64_t len)
{
	assert_non_null(sh);
	assert_int_equal(gpa, marked_gpa);
	assert_int_equal(len, marked_len);
	shadow_writes++;
}

static uint8_t *pages(unsigned n)
{
	uint8_t *p = aligned_alloc(PAGE, n * PAGE);

	assert_non_null(p);
	memset(p, 0, n * PAGE);
	return p;
}

static uint64_t hpa(const void *p)
{
	return (uint64_t)(uintptr_t)p;
}

static void adding(void **state)
{
	struct guest_mem m = { 0 };
	uint8_t *p = pages(1);

	(void)state;
	assert_int_equal(guest_mem_add(&m, 0, 0, hpa(p)), -EINVAL);
	assert_int_equal(guest_mem_add(&m, 1, PAGE, hpa(p)), -EINVAL);
	assert_int_equal(guest_mem_add(&m, 0, PAGE + 1, hpa(p)), -EINVAL);
	assert_int_equal(guest_mem_add(&m, 0, PAGE, hpa(p) + 1), -EINVAL);
	assert_int_equal(guest_mem_add(&m, 0, PAGE, 0), -EINVAL);
	assert_int_equal(guest_mem_add(&m, 0ull - PAGE, 2 * PAGE, hpa(p)), -EINVAL);
	assert_int_equal(guest_mem_add(&m, 0, PAGE, 0ull - PAGE + 0), 0);
	assert_int_equal(guest_mem_add(&m, 0, 4 * PAGE, hpa(p)), -EEXIST);
	assert_int_equal(guest_mem_add(&m, 8 * PAGE, 4 * PAGE, hpa(p)), 0);
	assert_int_equal(guest_mem_add(&m, 4 * PAGE, 4 * PAGE, hpa(p)), 0);
	assert_int_equal(guest_mem_add(&m, 3 * PAGE, 2 * PAGE, hpa(p)), -EEXIST);
	assert_int_equal(guest_mem_add(&m, 11 * PAGE, PAGE, hpa(p)), -EEXIST);
	assert_int_equal(guest_mem_add(&m, 0ull - PAGE, PAGE, hpa(p)), 0);
	assert_int_equal(m.slot[1].gpa, 4 * PAGE);
	assert_null(guest_mem_slot(&m, PAGE));
	assert_ptr_equal(guest_mem_slot(&m, 4 * PAGE), &m.slot[1]);
	assert_ptr_equal(guest_mem_slot(&m, 8 * PAGE - 1), &m.slot[1]);
	assert_ptr_equal(guest_mem_slot(&m, 8 * PAGE), &m.slot[2]);
	assert_null(guest_mem_slot(&m, 12 * PAGE));
	assert_ptr_equal(guest_mem_slot(&m, UINT64_MAX), &m.slot[3]);
	/* removing: by its first byte alone; the neighbours stay, and the place is free */
	assert_int_equal(guest_mem_remove(&m, 5 * PAGE), -ENOENT);
	assert_int_equal(guest_mem_remove(&m, 12 * PAGE), -ENOENT);
	assert_int_equal(guest_mem_remove(&m, 4 * PAGE), 0);
	assert_int_equal(guest_mem_remove(&m, 4 * PAGE), -ENOENT);
	assert_null(guest_mem_slot(&m, 4 * PAGE));
	assert_int_equal(m.slot[1].gpa, 8 * PAGE);
	assert_non_null(guest_mem_slot(&m, 0));
	assert_int_equal(guest_mem_add(&m, 3 * PAGE, 5 * PAGE, hpa(p)), 0);
	while (m.count < MEM_SLOTS)
		assert_int_equal(guest_mem_add(&m, (uint64_t)(20 + m.count) * PAGE, PAGE, hpa(p)), 0);
	assert_int_equal(guest_mem_add(&m, 1000 * PAGE, PAGE, hpa(p)), -ENOSPC);
	free(p);
}

static void copies(void **state)
{
	struct guest_mem m = { 0 };
	uint8_t *a = pages(2), *b = pages(1), buf[3 * PAGE];

	(void)state;
	/* two neighbours in the guest that lie apart in the host, then a hole */
	assert_int_equal(guest_mem_add(&m, 0x10000, 2 * PAGE, hpa(a)), 0);
	assert_int_equal(guest_mem_add(&m, 0x12000, PAGE, hpa(b)), 0);
	for (unsigned i = 0; i < sizeof(buf); i++)
		buf[i] = (uint8_t)(i * 7 + (i >> 8));
	assert_int_equal(guest_mem_write(&m, 0x10000, buf, sizeof(buf)), 0);
	assert_memory_equal(a, buf, 2 * PAGE);
	assert_memory_equal(b, buf + 2 * PAGE, PAGE);
	uint8_t back[300];

	assert_int_equal(guest_mem_read(&m, 0x12000 - 100, back, sizeof(back)), 0);
	assert_memory_equal(back, buf + 2 * PAGE - 100, sizeof(back));
	/* nothing moves when any byte is outside */
	memset(back, 0xee, sizeof(back));
	assert_int_equal(guest_mem_read(&m, 0x13000 - 100, back, sizeof(back)), -EFAULT);
	assert_int_equal(back[0], 0xee);
	assert_int_equal(guest_mem_write(&m, 0x13000 - 100, back, 101), -EFAULT);
	assert_memory_equal(b, buf + 2 * PAGE, PAGE);
	assert_int_equal(guest_mem_fill(&m, 0xffff, 1, 2), -EFAULT);
	assert_int_equal(guest_mem_read(&m, UINT64_MAX - 1, back, 4), -EFAULT);
	assert_int_equal(guest_mem_read(&m, 0x10000, back, SIZE_MAX), -EFAULT);
	/* nothing asked for is always there */
	assert_int_equal(guest_mem_read(&m, 0x99999, back, 0), 0);
	assert_int_equal(guest_mem_write(&m, 0x99999, back, 0), 0);
	assert_int_equal(guest_mem_fill(&m, 0x12000 - 1, 0x5a, 2), 0);
	assert_int_equal(a[2 * PAGE - 1], 0x5a);
	assert_int_equal(b[0], 0x5a);
	assert_int_equal(b[1], buf[2 * PAGE + 1]);
	free(a);
	free(b);
}

static void dirt(void **state)
{
	struct guest_mem m = { 0 };
	uint8_t *a = pages(2), byte = 3;

	(void)state;
	marks = 0;
	assert_int_equal(guest_mem_add(&m, 0x10000, PAGE, hpa(a)), 0);
	assert_int_equal(guest_mem_add(&m, 0x11000, PAGE, hpa(a + PAGE)), 0);
	assert_int_equal(guest_mem_write(&m, 0x10010, &byte, 1), 0);
	assert_int_equal(marks, 0); /* no tracker */
	m.dirty = (struct dirty *)&m;
	assert_int_equal(guest_mem_write(&m, 0x10010, &byte, 1), 0);
	assert_int_equal(marks, 1);
	assert_true(marked_gpa == 0x10010 && marked_len == 1);
	assert_int_equal(guest_mem_fill(&m, 0x10ff0, 9, 0x20), 0);
	assert_int_equal(marks, 2);
	assert_true(marked_gpa == 0x10ff0 && marked_len == 0x20);
	assert_int_equal(guest_mem_write(&m, 0x12000, &byte, 1), -EFAULT);
	assert_int_equal(guest_mem_write(&m, 0x10000, &byte, 0), 0);
	assert_int_equal(guest_mem_read(&m, 0x10010, &byte, 1), 0);
	assert_int_equal(marks, 2);
	assert_int_equal(byte, 3);
	free(a);
}

/* The VMM's writes reach the pager; A and D that it sets itself in a table reach the tracker alone. */
static void tables(void **state)
{
	struct guest_mem m = { 0 };
	uint8_t *a = pages(1);
	uint64_t entry = 0x1007, found = 0;

	(void)state;
	marks = shadow_writes = 0;
	assert_int_equal(guest_mem_add(&m, 0x10000, PAGE, hpa(a)), 0);
	m.dirty = (struct dirty *)&m;
	m.shadow = (struct shadow *)&m;
	assert_int_equal(guest_mem_write(&m, 0x10008, &entry, 8), 0);
	assert_int_equal(guest_mem_fill(&m, 0x10010, 1, 8), 0);
	assert_int_equal(shadow_writes, 2);
	assert_int_equal(marks, 2);
	assert_int_equal(guest_mem_cas(&m, 0x10008, 8, 0x1007, 0x1067), 0);
	assert_int_equal(marks, 3);
	assert_true(marked_gpa == 0x10008 && marked_len == 8);
	assert_int_equal(guest_mem_cas(&m, 0x10008, 8, 0x1007, 0x1027), 1);
	assert_int_equal(guest_mem_cas(&m, 0x10008, 4, 0x1067, 0x2067), 0);
	assert_int_equal(guest_mem_cas(&m, 0x10ffc, 8, 0, 1), -EFAULT);
	assert_int_equal(guest_mem_cas(&m, 0x11000, 4, 0, 1), -EFAULT);
	assert_int_equal(marks, 4);
	assert_int_equal(shadow_writes, 2);
	assert_int_equal(guest_mem_read(&m, 0x10008, &found, 8), 0);
	assert_int_equal(found, 0x2067);
	free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(adding),
		cmocka_unit_test(copies),
		cmocka_unit_test(dirt),
		cmocka_unit_test(tables),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
