/* The decoder: datagrams of the display channel. Memory is refused past a bound, as a host that is short of it would. */
/* links: stream/[a-z]*.c */
#include <stdlib.h>
#include <string.h>

#include "stream/display.h"
#include "tests/fuzz/memory.h"
#include "tests/fuzz/pieces.h"

#define DATAGRAMS_MAX 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct display_rx rx;
	struct pieces p = { data, size };
	const uint8_t *body;
	size_t len;

	memset(&rx, 0, sizeof(rx));
	rx.alloc = fuzz_alloc;
	rx.free = free;
	fuzz_memory = FUZZ_MEMORY;
	for (unsigned n = 0; n < DATAGRAMS_MAX && (body = pieces_next(&p, &len)); n++) {
		uint8_t *copy = malloc(len ? len : 1);

		memcpy(copy, body, len);
		drx_datagram(&rx, copy, len);
		free(copy);
	}
	for (unsigned h = 0; h < DISPLAY_HEADS; h++)
		drx_crc(&rx, h);
	drx_reset(&rx);
	return 0;
}
