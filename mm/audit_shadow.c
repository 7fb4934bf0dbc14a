#include "mm/audit.h"
#include "mm/shadow_priv.h"

void audit_shadow(const struct shadow *sh, struct audit *a)
{
	for (uint32_t n = 0; n <= sh->tables; n++) {
		const struct shadow_page *sp = &sh->page[n];

		if (n && !sp->used)
			continue;
		a->tables++;
		for (unsigned i = 0; i < 512; i++) {
			uint64_t e = table_of(sh, n)[i], hpa = e & PT_ADDR_MASK;
			bool right;

			if (!(e & SPTE_P))
				continue;
			if (n && sp->role.level == 1) {
				a->leaves++;
				right = guest_mem_has(sh->mem, hpa);
			} else { /* never a large page */
				right = hpa - sh->base <= (uint64_t)sh->tables << PAGE_SHIFT && !(e & 1ull << 7);
			}
			if (!right)
				audit_wrong(a, (uint64_t)n << PAGE_SHIFT | i << 3, e);
		}
	}
}
