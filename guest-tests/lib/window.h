/* Page tables for tests: 2 MiB of virtual addresses in 4 KiB pages, apart from the identity map. */
#ifndef GUEST_WINDOW_H
#define GUEST_WINDOW_H

#include <stdint.h>

#define WINDOW_BASE 0x10000000000ull
#define WINDOW_PAGES 512

#define PTE_P (1ull << 0)
#define PTE_W (1ull << 1)
#define PTE_U (1ull << 2)
#define PTE_PWT (1ull << 3)
#define PTE_PCD (1ull << 4)
#define PTE_A (1ull << 5)
#define PTE_D (1ull << 6)
#define PTE_PS (1ull << 7)
#define PTE_G (1ull << 8)
#define PTE_NX (1ull << 63)

/** The window's page table; upper levels are present, writable, user. */
extern volatile uint64_t window_table[WINDOW_PAGES];

/** Maps the window's page to a physical address with PTE_* flags (0: not present); returns its virtual address. */
void *window_map(unsigned page, uint64_t physical, uint64_t flags);

/** Makes the window's upper level point to another page table. */
void window_use_table(uint64_t table);

#endif
