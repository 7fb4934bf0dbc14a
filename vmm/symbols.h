/* Names of the VMM's own functions, for backtraces. */
#ifndef VMM_SYMBOLS_H
#define VMM_SYMBOLS_H

#include <stdint.h>

/* The table that the second link carries (mk/vmm.mk, boot/symbols.awk), ascending by address. */
struct symbol {
	uint32_t address;
	uint32_t name; /* offset in symbol_names */
};
extern const struct symbol symbol_table[];
extern const uint32_t symbol_count;
extern const char symbol_names[];

/** The function that address lies in, with the distance from its start in *offset; NULL when it is not in the image's text. */
const char *symbol_find(uint64_t address, uint64_t *offset);

#endif
