/* The tracked memory and its aliases. */
#include "guest-tests/dirty/dirty.h"

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/heads.h"
#include "guest-tests/lib/paging.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/string.h"
#include "guest-tests/lib/window.h"

#define LARGE 0x200000ull
#define HUGE 0x40000000ull
#define SMALL_BASE PAGING_FREE
#define LARGE_BASE (PAGING_FREE + PAGING_SLOT)
#define HUGE_BASE (PAGING_FREE + 2 * PAGING_SLOT)
#define FLAGS (PTE_P | PTE_W | PTE_U)

struct zone zones[ZONES];

/* The identity map, CPL 3's map, own 2 MiB pages, own 1 GiB pages; then, in another order, 4 KiB pages. */
static uint64_t linear[4];
static unsigned linear_count;

unsigned alias_count(void)
{
	return linear_count + 1;
}

/* Which page of a zone is the nth of the small alias: neighbours there are no neighbours in memory. */
static unsigned shuffled(unsigned n)
{
	return (n * 5 + 3) % ZONE_PAGES;
}

static uint64_t small_base(unsigned zone, bool twin)
{
	return SMALL_BASE + (zone * 2 + twin) * LARGE;
}

static bool map_small(unsigned zone, bool twin, uint64_t gpa)
{
	for (unsigned i = 0; i < ZONE_PAGES; i++) {
		volatile uint64_t *e = paging_entry(pml4, small_base(zone, twin) + i * (uint64_t)PAGE, 1);

		if (!e)
			return false;
		*e = (gpa + shuffled(i) * PAGE) | FLAGS;
	}
	return true;
}

static bool map_linear(uint64_t base, unsigned level, uint64_t size, uint64_t from, uint64_t to)
{
	for (uint64_t at = from & ~(size - 1); at < to; at += size) {
		volatile uint64_t *e = paging_entry(pml4, base + at, level);

		if (!e)
			return false;
		*e = at | FLAGS | PTE_PS;
	}
	return true;
}

static bool map_zone(unsigned n)
{
	const struct zone *z = &zones[n];
	uint64_t end = z->gpa + z->tracked;

	return map_small(n, false, z->gpa) && map_small(n, true, (uint64_t)z->twin) &&
	       map_linear(LARGE_BASE, 2, LARGE, z->gpa, end) && (!paging_has_1g() || map_linear(HUGE_BASE, 3, HUGE, z->gpa, end));
}

bool places_make(void)
{
	uint8_t *ram;

	if (zones[0].gpa)
		return true;
	if (!head_count || heads[0].size < ZONE_BYTES + TABLE_PAGES * PAGE) {
		skip("there is no head, or it is too small");
		return false;
	}
	ram = ram_alloc(2 * LARGE);
	zones[0].twin = ram_alloc(ZONE_BYTES);
	zones[1].twin = ram_alloc(ZONE_BYTES);
	if (!expect(ram && zones[0].twin && zones[1].twin, "no RAM"))
		return false;
	zones[1].gpa = (((uint64_t)ram + LARGE) & ~(LARGE - 1)) - ZONE_BYTES / 2;
	if (zones[1].gpa < (uint64_t)ram)
		zones[1].gpa += LARGE;
	zones[1].tracked = ZONE_BYTES;
	zones[0].tracked = ZONE_BYTES + TABLE_PAGES * PAGE;
	zones[0].gpa = (uint64_t)heads[0].vram;
	linear[linear_count++] = 0;
	linear[linear_count++] = USER_BASE;
	linear[linear_count++] = LARGE_BASE;
	if (paging_has_1g())
		linear[linear_count++] = HUGE_BASE;
	memset((void *)zones[0].gpa, 0, ZONE_BYTES);
	return expect(map_zone(0) && map_zone(1), "the aliases could not be mapped");
}

struct place place_in_zone(unsigned zone, uint64_t offset, unsigned alias)
{
	uint8_t *flat = (uint8_t *)zones[zone].gpa + offset;
	uint64_t at = alias < linear_count ? linear[alias] + (uint64_t)flat : small_base(zone, false) + offset;

	return (struct place){ .at = (uint8_t *)at, .flat = flat };
}

struct place place_in_twin(unsigned zone, uint64_t offset, unsigned alias)
{
	uint8_t *flat = zones[zone].twin + offset;

	return (struct place){ .at = alias < linear_count ? flat : (uint8_t *)small_base(zone, true) + offset, .flat = flat };
}

bool twins_equal(void)
{
	for (unsigned n = 0; n < ZONES; n++) {
		const uint64_t *a = (const uint64_t *)zones[n].gpa, *b = (const uint64_t *)zones[n].twin;

		for (unsigned i = 0; i < ZONE_BYTES / 8; i++)
			if (!expect(a[i] == b[i], "zone %u, offset 0x%x: 0x%lx, and 0x%lx in the twin", n, i * 8, a[i], b[i]))
				return false;
	}
	return true;
}
