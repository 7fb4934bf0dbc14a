/* Builds the VMM's own page tables: identity, no page both writable and executable (mm/layout.h; SDM vol. 3 4.5). */
#include "mm/map.h"

#include <errno.h>
#include <stddef.h>

#include "mm/frames.h"
#include "mm/layout.h"
#include "mm/pt_format.h"
#include "vmm/hw/x86.h"

#define MMIO_FLAGS (PTE_P | PTE_W | PTE_PCD | PTE_PWT | PTE_A | PTE_D | PTE_G)
#define RAM_FLAGS (PTE_P | PTE_W | PTE_A | PTE_D | PTE_G)

#define IDENTITY_END (1ull << 47) /* lower half of the 4-level address space */

static uint64_t *top;
static uint64_t no_execute; /* PTE_NX, or 0 where the CPU has none */

static uint64_t level_size(unsigned level)
{
	return 1ull << pt_shift(&pt_long4, level);
}

/*
 * Maps one leaf at `at`, the largest of at most max_level that fits before end, and sets *next behind it. A leaf with the same
 * flags that is there already stays: memory maps with overlapping ranges exist.
 */
static int map_leaf(uint64_t at, uint64_t end, uint64_t flags, unsigned max_level, uint64_t *next)
{
	uint64_t *table = top;
	for (unsigned level = 4;; level--) {
		uint64_t *e = &table[pt_index(&pt_long4, level, at)];
		uint64_t size = level_size(level), leaf_flags = flags | (level > 1 ? PTE_PS : 0);
		*next = (at & ~(size - 1)) + size;
		if (*e & PTE_P && pt_is_leaf(&pt_long4, level, *e))
			return (*e & ~PT_ADDR_MASK) == leaf_flags ? 0 : -EINVAL;
		if (level <= max_level && !(*e & PTE_P) && at % size == 0 && end - at >= size) {
			*e = at | leaf_flags;
			return 0;
		}
		if (!(*e & PTE_P)) {
			uint64_t frame = frames_alloc(1, 1);
			if (!frame)
				return -ENOMEM;
			*e = frame | PTE_P | PTE_W | PTE_A;
		}
		table = pt_table(*e);
	}
}

/* Maps [at, end), on page boundaries, to itself. */
static int map_range(uint64_t at, uint64_t end, uint64_t flags, unsigned max_level)
{
	int err = 0;
	while (!err && at < end)
		err = map_leaf(at, end, flags, max_level, &at);
	return err;
}

/* Takes away the 4 KiB leaf of a page that has one. */
static void unmap_page(uint64_t va)
{
	uint64_t *table = top;
	for (unsigned level = 4; level > 1; level--)
		table = pt_table(table[pt_index(&pt_long4, level, va)]);
	table[pt_index(&pt_long4, 1, va)] = 0;
}

/* Maps RAM [start, end) without the ranges that have rights of their own: page 0 and the image. */
static int map_ram(uint64_t start, uint64_t end, const struct map_plan *p)
{
	const struct {
		uint64_t start, end;
	} holes[] = { { 0, PAGE_SIZE }, { p->image_start, p->image_end } };
	uint64_t at = (start + PAGE_MASK) & ~PAGE_MASK;
	end = (end < IDENTITY_END ? end : IDENTITY_END) & ~PAGE_MASK;
	for (size_t i = 0; i < sizeof(holes) / sizeof(holes[0]); i++) {
		if (at >= holes[i].end || end <= holes[i].start)
			continue;
		if (at < holes[i].start) {
			int err = map_range(at, holes[i].start, RAM_FLAGS | no_execute, p->huge ? 3 : 2);
			if (err)
				return err;
		}
		at = holes[i].end;
	}
	return at < end ? map_range(at, end, RAM_FLAGS | no_execute, p->huge ? 3 : 2) : 0;
}

static int map_image(const struct map_plan *p)
{
	int err = map_range(p->image_start, p->text_end, PTE_P | PTE_A | PTE_G, 1);
	if (!err)
		err = map_range(p->text_end, p->rodata_end, PTE_P | PTE_A | PTE_G | no_execute, 1);
	if (!err)
		err = map_range(p->rodata_end, p->image_end, RAM_FLAGS | no_execute, 1);
	for (unsigned i = 0; !err && i < p->guard_count; i++)
		unmap_page(p->guard[i]);
	return err;
}

int map_build(const struct boot_info *bi, const struct map_plan *p, uint64_t *root)
{
	uint64_t frame = frames_alloc(1, 1);
	if (!frame)
		return -ENOMEM;
	top = (uint64_t *)(uintptr_t)frame;
	no_execute = p->nx ? PTE_NX : 0;
	int err = map_image(p);
	for (unsigned i = 0; !err && i < bi->memory_count; i++) {
		const struct boot_memory *m = &bi->memory[i];
		if (m->type == 1)
			err = map_ram(m->base, m->base + m->len, p);
	}
	*root = frame;
	return err;
}

int map_mmio(uint64_t hpa, uint64_t len)
{
	if (!len || hpa >= IDENTITY_END || len > IDENTITY_END - hpa)
		return -EINVAL;
	return map_range(hpa & ~PAGE_MASK, (hpa + len + PAGE_MASK) & ~PAGE_MASK, MMIO_FLAGS | no_execute, 1);
}
