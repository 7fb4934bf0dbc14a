/* A fuzzer's input as a sequence of pieces: u16 length (little-endian, cut to what is left), bytes. */
#ifndef FUZZ_PIECES_H
#define FUZZ_PIECES_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct pieces {
	const uint8_t *at;
	size_t left;
};

/** The next piece, or NULL; *len may be 0. */
static inline const uint8_t *pieces_next(struct pieces *p, size_t *len)
{
	const uint8_t *body = p->at + 2;

	if (p->left < 2)
		return NULL;
	*len = p->at[0] | (size_t)p->at[1] << 8;
	*len = *len < p->left - 2 ? *len : p->left - 2;
	p->at += 2 + *len;
	p->left -= 2 + *len;
	return body;
}

#endif
