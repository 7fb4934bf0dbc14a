#include "guest-tests/storm/storm.h"

struct prng dice = { 1 };

uint32_t below(uint32_t n)
{
	return prng_below(&dice, n);
}

uint64_t wide(void)
{
	uint64_t high = prng_next(&dice);

	return high << 32 | prng_next(&dice);
}

uint64_t an_address(void)
{
	static const struct {
		uint64_t base;
		uint32_t len;
	} places[] = {
		{ 0, 0xa0000 },		 /* RAM below the hole: vectors, what the loader left */
		{ 0xa0000, 0x20000 },	 /* the VGA's memory */
		{ 0xc0000, 0x40000 },	 /* tables, firmware */
		{ 0x200000, 0x1e00000 }, /* RAM */
		{ 0x1fff000, 0x2000 },	 /* where it ends with --memory 32 */
		{ 0xc0000000, 0x1000 },
		{ 0xd0000000, 0x8000 }, /* head 0's VRAM */
		{ 0xd0000000, 0x2000000 },
		{ 0xf1000000, 0x2000 }, /* heads' registers */
		{ 0xfec00000, 0x40 },
		{ 0xfed00000, 0x400 },
		{ 0xfee00000, 0x400 },
		{ 0xfef00000, 0x100000 },
		{ 0xff000000, 0x10000 },
		{ 0xfffff000, 0x1000 },
		{ 0xfffffff0, 0x20 },
		{ 0x100000000, 0x1000 },
	};
	unsigned i = below(sizeof(places) / sizeof(places[0]) + 3);
	uint64_t at;

	switch (i) {
	case sizeof(places) / sizeof(places[0]): return wide();
	case sizeof(places) / sizeof(places[0]) + 1: return 1ull << below(64);
	case sizeof(places) / sizeof(places[0]) + 2: return -(wide() & 0xffff);
	default:
		at = places[i].base + below(places[i].len);
		return once_in(3) ? (at | (PAGE - 1)) - below(8) : at & ~(uint64_t)below(16);
	}
}

uint64_t a_value(void)
{
	switch (below(8)) {
	case 0: return below(16);
	case 1: return -(uint64_t)below(16);
	case 2: return 1ull << below(64);
	case 3: return (1ull << below(64)) - 1;
	case 4: return an_address();
	case 5: return wide() & wide() & wide();
	default: return wide();
	}
}

/* 0xf4 ends the run, 0x601 to 0x605 may switch the machine off, 0xae08 ejects heads for good, 0x71 writes the progress (attack_rtc
 * writes elsewhere). */
static bool forbidden(uint32_t port)
{
	for (uint32_t p = port; p < port + 4; p++)
		if ((p >= 0xf4 && p <= 0xf7) || p == 0x70 || p == 0x71 || (p >= 0x601 && p <= 0x605) || (p >= 0xae08 && p < 0xae0c))
			return true;
	return false;
}

uint16_t a_port(void)
{
	static const uint16_t places[] = { 0x20,  0x21,	 0x40,	0x42,	0x43,	0x60,	0x61,	0x64,	0x80,  0x92,
					   0xa0,  0xe0,	 0xe8,	0x170,	0x1ce,	0x1d0,	0x1f0,	0x2f8,	0x3b4, 0x3c0,
					   0x3c4, 0x3c8, 0x3ce, 0x3d4,	0x3f8,	0x402,	0x4d0,	0x510,	0x514, 0x606,
					   0xae0, 0xcf8, 0xcfc, 0x2000, 0xae00, 0xafe0, 0xb004, 0xfff8, 0xffff };
	uint16_t port;

	do {
		port = (uint16_t)(once_in(3) ? below(0x10000) : places[below(sizeof(places) / sizeof(places[0]))] + below(8));
	} while (forbidden(port));
	return port;
}
