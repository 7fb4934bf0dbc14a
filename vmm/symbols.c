#include "vmm/symbols.h"

#include <stddef.h>

#include "boot/image.h"

const char *symbol_find(uint64_t address, uint64_t *offset)
{
	if (address < (uintptr_t)image_start || address >= (uintptr_t)image_text_end)
		return NULL;
	/* The last entry that is not beyond the address. */
	uint32_t low = 0, high = symbol_count;
	while (low < high) {
		uint32_t mid = low + (high - low) / 2;
		if (symbol_table[mid].address <= address)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low)
		return NULL;
	*offset = address - symbol_table[low - 1].address;
	return symbol_names + symbol_table[low - 1].name;
}
