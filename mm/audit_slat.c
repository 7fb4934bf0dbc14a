#include "mm/audit.h"

#include <stdbool.h>
#include <stddef.h>

#include "mm/layout.h"
#include "mm/pt_format.h"
#include "mm/slat.h"
#include "vmm/guest_mem.h"

static bool slat_leaf_right(const struct guest_mem *mem, uint64_t gpa, uint64_t hpa, uint64_t size)
{
	const struct mem_slot *s = guest_mem_slot(mem, gpa);

	return s && hpa == s->hpa + (gpa - s->gpa) && s->len - (gpa - s->gpa) >= size;
}

static void slat_table(const struct slat *s, const struct guest_mem *mem, uint64_t table, unsigned level, uint64_t gpa,
		       struct audit *a)
{
	const struct pt_format *f = s->format;
	uint64_t size = 1ull << pt_shift(f, level);

	a->tables++;
	for (unsigned i = 0; i < 512; i++) {
		uint64_t e = pt_table(table)[i], at = gpa + i * size;

		if (!(e & f->present))
			continue;
		if (pt_is_leaf(f, level, e)) {
			a->leaves++;
			if (!slat_leaf_right(mem, at, e & PT_ADDR_MASK & ~(size - 1), size))
				audit_wrong(a, at, e);
		} else if (guest_mem_has(mem, e & PT_ADDR_MASK)) {
			audit_wrong(a, at, e);
		} else {
			slat_table(s, mem, e, level - 1, at, a);
		}
	}
}

void audit_slat(const struct slat *s, const struct guest_mem *mem, struct audit *a)
{
	slat_table(s, mem, s->root, s->format->levels, 0, a);
}
