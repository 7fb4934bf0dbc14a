/* What the fuzzers share. */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/** The length of the next piece of the input, never more than is left: one byte, or two if the first one's top bit is set. */
static inline size_t fuzz_length(const uint8_t *data, size_t size, size_t *at)
{
	size_t len = data[(*at)++];

	if (len & 0x80 && *at < size)
		len = (len & 0x7f) | (size_t)data[(*at)++] << 7;
	return len < size - *at ? len : size - *at;
}

#endif
