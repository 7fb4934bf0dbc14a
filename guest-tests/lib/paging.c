#include "guest-tests/lib/paging.h"

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/window.h"

#define ADDRESS 0x000ffffffffff000ull
#define CPUID_PAGE1G (1u << 26)

volatile uint64_t *paging_entry(uint64_t *root, uint64_t va, unsigned level)
{
	uint64_t *table = root;

	for (unsigned l = 4; l > level; l--) {
		uint64_t *entry = &table[va >> (12 + 9 * (l - 1)) & 511];

		if (!(*entry & PTE_P)) {
			void *page = ram_alloc(4096);

			if (!page)
				return NULL;
			*(volatile uint64_t *)entry = (uint64_t)page | PTE_P | PTE_W | PTE_U;
		} else if (*entry & PTE_PS) {
			return NULL;
		}
		table = (uint64_t *)(*entry & ADDRESS);
	}
	return &table[va >> (12 + 9 * (level - 1)) & 511];
}

bool paging_has_1g(void)
{
	return cpuid(0x80000001, 0).edx & CPUID_PAGE1G;
}
