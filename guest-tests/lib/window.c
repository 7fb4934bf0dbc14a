#include "guest-tests/lib/window.h"

#include "guest-tests/lib/cpu.h"

#define ALIGNED __attribute__((aligned(4096)))

extern uint64_t pml4[512];
volatile uint64_t window_table[WINDOW_PAGES] ALIGNED;
static uint64_t window_directory[512] ALIGNED, window_pdpt[512] ALIGNED;

#define UPPER (PTE_P | PTE_W | PTE_U)

void window_use_table(uint64_t table)
{
	window_directory[0] = table | UPPER;
	window_pdpt[0] = (uint64_t)window_directory | UPPER;
	pml4[WINDOW_BASE >> 39] = (uint64_t)window_pdpt | UPPER;
	write_cr3(read_cr3());
}

void *window_map(unsigned page, uint64_t physical, uint64_t flags)
{
	void *at = (void *)(WINDOW_BASE + page * 4096ull);

	if (!pml4[WINDOW_BASE >> 39])
		window_use_table((uint64_t)window_table);
	window_table[page] = flags ? physical | flags : 0;
	invlpg(at);
	return at;
}
