/* Dirty sources on second-level tables (EPT, NPT): write faults. */
#include <errno.h>

#include "mm/dirty.h"
#include "mm/layout.h"
#include "mm/slat.h"

/* The page's entry in its table of 4 KiB leaves, present or not; NULL where there is no such table. */
static inline uint64_t *page_entry(struct slat *s, uint64_t gfn)
{
	uint64_t *table = slat_region_table(s, slat_region(s, gfn << PAGE_SHIFT));

	return table ? &table[gfn & 511] : NULL;
}

static bool mapped(struct slat *s, uint64_t gfn, uint64_t end)
{
	while (gfn < end) {
		uint64_t *e = page_entry(s, gfn);
		unsigned level = 1;

		if (e ? !(*e & s->format->present) : !slat_leaf(s, gfn << PAGE_SHIFT, &level))
			return false;
		gfn = (gfn | ((1ull << (9 * (level - 1))) - 1)) + 1;
	}
	return true;
}

/* Merges the pages' leaves, where no range is left in the whole 2 MiB: a live range's pages keep leaves of their own. */
static void merge(struct dirty *d, uint64_t gfn, uint64_t end)
{
	for (gfn &= ~511ull; gfn < end; gfn += 512)
		if (!dirty_tracked(d, gfn, 512))
			slat_merge(d->arg, gfn << PAGE_SHIFT);
}

static int begin(struct dirty *d, uint64_t gfn, uint64_t count)
{
	if (!mapped(d->arg, gfn, gfn + count))
		return -EFAULT;
	for (uint64_t g = gfn; g < gfn + count; g = (g | 511) + 1)
		if (!slat_split(d->arg, g << PAGE_SHIFT)) {
			merge(d, gfn, g + 1);
			return -ENOMEM;
		}
	return 0;
}

static void end(struct dirty *d, uint64_t gfn, uint64_t count)
{
	struct slat *s = d->arg;

	for (uint64_t g = gfn; g < gfn + count; g++) {
		uint64_t *e = page_entry(s, g);

		if (e && (*e & s->format->present))
			slat_write_allow(s, e);
	}
	/* Not left to the faults that would drop stale translations one by one: the guest decides how many these are. */
	s->stale = true;
	merge(d, gfn, gfn + count);
}

/* Arms pages of one 2 MiB. */
static uint64_t arm_region(struct slat *s, uint64_t gfn, uint64_t word)
{
	const uint64_t armed = s->format->write;
	uint64_t *table = slat_region_table(s, slat_region(s, gfn << PAGE_SHIFT)), taken = 0;

	if (!table) {
		/* Mapped anew since the range began, or not mapped. */
		if (!slat_leaf(s, gfn << PAGE_SHIFT, NULL))
			return 0;
		if (!slat_split(s, gfn << PAGE_SHIFT))
			return word;
		table = slat_region_table(s, slat_region(s, gfn << PAGE_SHIFT));
	}
	for (table += gfn & 511; word; word &= word - 1) {
		uint64_t *e = &table[__builtin_ctzll(word)];

		taken |= *e & armed;
		*e &= ~armed;
	}
	s->stale |= taken != 0;
	return 0;
}

static uint64_t arm(struct dirty *d, uint64_t gfn, uint64_t word)
{
	uint64_t here = 512 - (gfn & 511), low = here < 64 ? word & ((1ull << here) - 1) : word, kept = 0;

	if (low)
		kept = arm_region(d->arg, gfn, low);
	if (word != low)
		kept |= arm_region(d->arg, gfn + here, word >> here) << here;
	return kept;
}

bool dirty_write_fault(struct dirty *d, uint64_t gpa)
{
	struct slat *s = d->arg;
	uint64_t *e = page_entry(s, gpa >> PAGE_SHIFT);

	if (!e || !(*e & s->format->present) || (*e & s->format->write) || !dirty_note(d, gpa >> PAGE_SHIFT))
		return false;
	d->faults++;
	slat_write_allow(s, e);
	return true;
}

const struct dirty_source dirty_fault = { .name = "fault", .begin = begin, .end = end, .arm = arm };
