#include "vmm/guest_mem.h"

#include <errno.h>
#include <string.h>

#include "mm/dirty.h"
#include "mm/layout.h"
#include "mm/shadow.h"

/* Index of the first slot that is not wholly below gpa. */
static unsigned find(const struct guest_mem *m, uint64_t gpa)
{
	unsigned lo = 0, hi = m->count;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (m->slot[mid].gpa + (m->slot[mid].len - 1) < gpa)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

int guest_mem_add(struct guest_mem *m, uint64_t gpa, uint64_t len, uint64_t hpa)
{
	if (len == 0 || hpa == 0 || ((gpa | len | hpa) & PAGE_MASK))
		return -EINVAL;
	if (gpa + (len - 1) < gpa || hpa + (len - 1) < hpa)
		return -EINVAL;
	unsigned i = find(m, gpa);

	if (i < m->count && m->slot[i].gpa <= gpa + (len - 1))
		return -EEXIST;
	if (m->count == MEM_SLOTS)
		return -ENOSPC;
	memmove(&m->slot[i + 1], &m->slot[i], (m->count - i) * sizeof(m->slot[0]));
	m->slot[i] = (struct mem_slot){ .gpa = gpa, .len = len, .hpa = hpa };
	m->count++;
	m->changes++;
	return 0;
}

int guest_mem_remove(struct guest_mem *m, uint64_t gpa)
{
	unsigned i = find(m, gpa);

	if (i == m->count || m->slot[i].gpa != gpa)
		return -ENOENT;
	m->count--;
	m->changes++;
	memmove(&m->slot[i], &m->slot[i + 1], (m->count - i) * sizeof(m->slot[0]));
	return 0;
}

const struct mem_slot *guest_mem_slot(const struct guest_mem *m, uint64_t gpa)
{
	unsigned i = find(m, gpa);

	return i < m->count && m->slot[i].gpa <= gpa ? &m->slot[i] : NULL;
}

/* The VMM's pointer to gpa and how many of len bytes lie together from there; NULL when gpa is not RAM. */
static uint8_t *piece(const struct guest_mem *m, uint64_t gpa, size_t len, size_t *got)
{
	const struct mem_slot *s = guest_mem_slot(m, gpa);

	*got = 0;
	if (!s)
		return NULL;
	uint64_t offset = gpa - s->gpa, left = s->len - offset;

	*got = len < left ? len : (size_t)left;
	return (uint8_t *)(uintptr_t)(s->hpa + offset);
}

static void written(struct guest_mem *m, uint64_t gpa, size_t len)
{
	if (!len)
		return;
	if (m->dirty)
		dirty_mark(m->dirty, gpa, len);
	if (m->shadow)
		shadow_written(m->shadow, gpa, len);
}

int guest_mem_check(const struct guest_mem *m, uint64_t gpa, uint64_t len)
{
	size_t got;

	if (len && gpa + (len - 1) < gpa)
		return -EFAULT;
	for (; len; gpa += got, len -= got)
		if (!piece(m, gpa, len, &got))
			return -EFAULT;
	return 0;
}

int guest_mem_read(const struct guest_mem *m, uint64_t gpa, void *dst, size_t len)
{
	uint8_t *to = dst;
	size_t got;

	if (guest_mem_check(m, gpa, len))
		return -EFAULT;
	for (; len; gpa += got, to += got, len -= got) {
		const uint8_t *from = piece(m, gpa, len, &got);

		memcpy(to, from, got);
	}
	return 0;
}

int guest_mem_write(struct guest_mem *m, uint64_t gpa, const void *src, size_t len)
{
	const uint8_t *from = src;
	uint64_t at = gpa;
	size_t left = len, got;

	if (guest_mem_check(m, gpa, len))
		return -EFAULT;
	for (; left; at += got, from += got, left -= got) {
		uint8_t *to = piece(m, at, left, &got);

		memcpy(to, from, got);
	}
	written(m, gpa, len);
	return 0;
}

int guest_mem_cas(struct guest_mem *m, uint64_t gpa, unsigned size, uint64_t old, uint64_t value)
{
	size_t got;
	uint8_t *at = piece(m, gpa, size, &got);
	uint32_t old32 = (uint32_t)old;
	bool same;

	if (!at || got < size)
		return -EFAULT;
	if (size == 4)
		same = __atomic_compare_exchange_n((uint32_t *)(void *)at, &old32, (uint32_t)value, false, __ATOMIC_SEQ_CST,
						   __ATOMIC_SEQ_CST);
	else
		same = __atomic_compare_exchange_n((uint64_t *)(void *)at, &old, value, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
	if (same && m->dirty)
		dirty_mark(m->dirty, gpa, size);
	return !same;
}

static int table_read(void *arg, uint64_t addr, unsigned size, uint64_t *value)
{
	*value = 0;
	return guest_mem_read(arg, addr, value, size);
}

static int table_cas(void *arg, uint64_t addr, unsigned size, uint64_t old, uint64_t value)
{
	return guest_mem_cas(arg, addr, size, old, value);
}

struct walk_mem guest_mem_tables(struct guest_mem *m)
{
	return (struct walk_mem){ .read = table_read, .cas = table_cas, .arg = m };
}

int guest_mem_fill(struct guest_mem *m, uint64_t gpa, uint8_t value, size_t len)
{
	uint64_t at = gpa;
	size_t left = len, got;

	if (guest_mem_check(m, gpa, len))
		return -EFAULT;
	for (; left; at += got, left -= got) {
		uint8_t *to = piece(m, at, left, &got);

		memset(to, value, got);
	}
	written(m, gpa, len);
	return 0;
}
