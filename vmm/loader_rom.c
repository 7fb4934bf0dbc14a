/*
 * A firmware image, which the CPU enters at its reset vector in real mode (SDM vol. 3, 10.1.4). It lies at the top of 4 GiB, and
 * its last 128 KiB below 1 MiB too.
 */
#include <errno.h>

#include "mm/layout.h"
#include "vmm/loader_priv.h"

#define ROM_UNIT 0x10000u
#define RESET_VECTOR 16u /* from the end */

/* Instructions that firmware may have before the jump which it begins with: NOP, CLI, CLD. */
static bool may_precede(uint8_t opcode)
{
	return opcode == 0x90 || opcode == 0xfa || opcode == 0xfc;
}

bool rom_is(const struct loader_blob *b)
{
	const uint8_t *p;
	unsigned i = 0;

	if (!b->len || b->len % ROM_UNIT || b->len > GUEST_ROM_MAX)
		return false;
	p = b->data + b->len - RESET_VECTOR;
	while (i < RESET_VECTOR / 2 && may_precede(p[i]))
		i++;
	return p[i] == 0xe9 || p[i] == 0xea || p[i] == 0xeb; /* JMP near, far, short */
}

int loader_rom(struct guest_mem *m, const struct loader_in *in, struct loader_out *out, char *why, size_t why_len)
{
	const struct loader_blob *b = &in->kernel;
	uint64_t low = b->len < GUEST_ROM_LOW ? b->len : GUEST_ROM_LOW;
	struct load l = { .mem = m, .in = in, .why = why, .why_len = why_len };

	if (why_len)
		why[0] = '\0';
	*out = (struct loader_out){ .protocol = "firmware", .entry = 0xfffffff0, .reset_vector = true };
	if (guest_mem_write(m, GUEST_ROM_END - b->len, b->data, b->len) ||
	    guest_mem_write(m, GUEST_HIGH_START - low, b->data + b->len - low, low))
		return loader_fail(&l, -ENOSPC, "no memory for a firmware image of 0x%zx bytes", b->len);
	return 0;
}
