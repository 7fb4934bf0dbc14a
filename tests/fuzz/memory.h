/* Memory that ends. */
#ifndef FUZZ_MEMORY_H
#define FUZZ_MEMORY_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "stream/dense.h"

/*
 * Memory for the decoder, for one input in all, freed or not: a few bytes can be a whole picture, and with sanitizers a large one takes
 * seconds. Refused past the bound, as a host that is short of it would. Set fuzz_memory to FUZZ_MEMORY before each input.
 */
#define FUZZ_MEMORY (4 * sizeof(struct dense) + (256u << 10))
static size_t fuzz_memory;

static inline void *fuzz_alloc(size_t size)
{
	if (size > fuzz_memory)
		return NULL;
	fuzz_memory -= size;
	return malloc(size);
}

#endif
