/* Writes that the VMM makes for the guest: port input, the instruction emulator, devices, hypercalls. */
#include "guest-tests/dirty/dirty.h"

#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/heads.h"
#include "guest-tests/lib/hyper.h"
#include "guest-tests/lib/print.h"

#define COM1_SCRATCH 0x3ff
#define UNCLAIMED_PORT 0x4444
#define UNBACKED 0xc8123000ull /* neither RAM nor a device: reads as ones */

static int64_t asker, asked;
static unsigned asked_pages;

void vmm_means_prepare(int64_t consumer, int64_t range, unsigned pages)
{
	asker = consumer;
	asked = range;
	asked_pages = pages;
}

#define INPUT(insn, port, di, n) __asm__ volatile(insn : "+D"(di), "+c"(n) : "d"(port) : "memory", "cc")

static void input(const struct place *p, struct prng *r)
{
	uint8_t *at = p->at + 64 + prng_below(r, 64);
	uint64_t n = prng_below(r, 50);

	outb(COM1_SCRATCH, (uint8_t)prng_next(r));
	switch (prng_below(r, 5)) {
	case 0: INPUT("insb", COM1_SCRATCH, at, n); break;
	case 1: INPUT("rep insb", COM1_SCRATCH, at, n); break;
	case 2: INPUT("std; rep insb; cld", COM1_SCRATCH, at, n); break;
	case 3: INPUT("rep insw", UNCLAIMED_PORT, at, n); break;
	default: INPUT("rep insl", UNCLAIMED_PORT, at, n); break;
	}
}

#define FROM_DEVICE(insn, di, si, n) __asm__ volatile(insn : "+D"(di), "+S"(si), "+c"(n)::"memory", "cc")

static void from_device(const struct place *p, struct prng *r)
{
	uint8_t *at = p->at + 512 + prng_below(r, 64);
	uint64_t n = prng_below(r, 60), si = UNBACKED + 1024;

	switch (prng_below(r, 6)) {
	case 0: FROM_DEVICE("movsb", at, si, n); break;
	case 1: FROM_DEVICE("movsq", at, si, n); break;
	case 2: FROM_DEVICE("rep movsb", at, si, n); break;
	case 3: FROM_DEVICE("rep movsw", at, si, n); break;
	case 4: FROM_DEVICE("std; rep movsl; cld", at, si, n); break;
	default: FROM_DEVICE("rep movsq", at, si, n); break;
	}
}

static void device(const struct place *p, struct prng *r)
{
	static struct hc_poke poke;
	int64_t e;

	poke.gpa = (uint64_t)p->flat + prng_below(r, 64);
	poke.bytes = prng_below(r, 4) ? prng_below(r, 64) : prng_below(r, HC_POKE_BYTES + 1);
	poke.seed = prng_next(r);
	e = hypercall(HC_POKE, (uint64_t)&poke, 0);
	expect(!e, "HC_POKE of %u bytes: error %ld", poke.bytes, e);
}

static void structure(const struct place *p, struct prng *r)
{
	uint64_t gpa = (uint64_t)p->flat + prng_below(r, 64);
	int64_t e = prng_below(r, 2) ? hypercall(HC_DIRTY_INFO, gpa, 0) : hypercall(HC_HEAD_INFO, 0, gpa);

	expect(!e, "a structure: error %ld", e);
}

/* The bitmap of a query in the memory that it asks about. */
static void bitmap(const struct place *p, struct prng *r)
{
	uint64_t gpa = (uint64_t)p->flat + prng_below(r, 64);
	int64_t n = hypercall4(HC_DIRTY_QUERY, (uint64_t)asker, (uint64_t)asked, gpa, (asked_pages + 7) / 8);

	expect(n >= 0, "a query into tracked memory: error %ld", n);
}

const struct means vmm_means[] = {
	{ "INS", input, 3, false },	  { "MOVS from a device", from_device, 3, false },
	{ "a device", device, 8, false }, { "a hypercall's structure", structure, 2, false },
	{ "a bitmap", bitmap, 2, true },  { 0 },
};
