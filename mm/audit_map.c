#include "mm/audit.h"

#include <stdbool.h>
#include <stddef.h>

#include "mm/layout.h"
#include "mm/map.h"
#include "mm/pt_format.h"
#include "vmm/hw/x86.h"

static bool guarded(const struct map_plan *p, uint64_t at, uint64_t size)
{
	for (unsigned i = 0; i < p->guard_count; i++)
		if (p->guard[i] - at < size)
			return true;
	return false;
}

static bool map_leaf_right(const struct map_plan *p, uint64_t at, uint64_t size, uint64_t e)
{
	bool text = at >= p->image_start && at + size <= p->text_end;
	bool constant = at >= p->text_end && at + size <= p->rodata_end;

	if ((e & PT_ADDR_MASK & ~(size - 1)) != at || e & PTE_U)
		return false;
	if (text || constant)
		return !(e & PTE_W) && (text || !p->nx || e & PTE_NX);
	/* A leaf that is larger than what it overlaps of the image would give it other rights. */
	if (at < p->rodata_end && at + size > p->image_start)
		return false;
	return at && !guarded(p, at, size) && (!p->nx || e & PTE_NX);
}

static void map_table(const struct map_plan *p, uint64_t table, unsigned level, uint64_t va, struct audit *a)
{
	uint64_t size = 1ull << pt_shift(&pt_long4, level);

	a->tables++;
	for (unsigned i = 0; i < 512; i++) {
		uint64_t e = pt_table(table)[i], at = va + i * size;

		if (!(e & PTE_P))
			continue;
		if (!pt_is_leaf(&pt_long4, level, e)) {
			map_table(p, e, level - 1, at, a);
			continue;
		}
		a->leaves++;
		if (!map_leaf_right(p, at, size, e))
			audit_wrong(a, at, e);
	}
}

void audit_map(uint64_t root, const struct map_plan *p, struct audit *a)
{
	map_table(p, root, 4, 0, a);
}
