/* The decoder: datagrams of the display channel. Memory is refused past a bound, as a host that is short of it would. */
/* links: stream/[a-z]*.c */
#include <stdlib.h>
#include <string.h>

#include "stream/display.h"
#include "tests/fuzz/pieces.h"

#define MEMORY_MAX (64u << 20)

static size_t used;

static void *get(size_t size)
{
	if (size > MEMORY_MAX - used)
		return NULL;
	used += size;
	return malloc(size);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct display_rx rx;
	struct pieces p = { data, size };
	const uint8_t *body;
	size_t len;

	memset(&rx, 0, sizeof(rx));
	rx.alloc = get;
	rx.free = free;
	used = 0;
	while ((body = pieces_next(&p, &len))) {
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
