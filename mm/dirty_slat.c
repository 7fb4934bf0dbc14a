/*
 * Dirty sources on second-level tables (EPT, NPT).
 *  - By faults: an armed page's leaf is not writable.
 *  - By PML: an armed page's D bit is clear. Leaves outside of ranges have D set, so that they are never logged.
 *  - By scans: a harvest moves D bits to the bitmaps. Each region (the 2 MiB of one table of leaves) is either scanned or not, so
 *    ranges that share pages always agree; a bit of its entry that the CPU ignores says which.
 * A scan is left out where the A bit of the region's entry is clear: the CPU then found no way to its leaves since the last
 * harvest, which cleared all their D bits. That holds because it may not use a way found before: whoever clears A sets slat.stale,
 * and the next entry drops what the CPU holds of the tables (SDM vol. 3, 29.4.3; APM vol. 2, 15.16, 15.25). It is also why a
 * harvest takes the whole region: were some D bits left behind under a clear A, no other range would look for them.
 */
#include <errno.h>

#include "mm/dirty.h"
#include "mm/layout.h"
#include "mm/slat.h"

#define SCANNED (1ull << 11) /* ignored by the CPU: SDM vol. 3, table 29-6; APM vol. 2, 5.3.3 */

static inline uint64_t armed_bit(const struct dirty *d)
{
	const struct pt_format *f = ((struct slat *)d->arg)->format;

	return d->log ? f->dirty : f->write;
}

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
		if (!dirty_tracked(d, gfn, 512, false))
			slat_merge(d->arg, gfn << PAGE_SHIFT);
}

/* The table of leaves for gfn, whose pages are to be armed; NULL where there is no such need. False: there is no memory for it. */
static bool table_to_arm(struct dirty *d, uint64_t gfn, uint64_t **table)
{
	struct slat *s = d->arg;
	uint64_t *region = slat_region(s, gfn << PAGE_SHIFT);

	*table = slat_region_table(s, region);
	if (!*table && slat_leaf(s, gfn << PAGE_SHIFT, NULL)) { /* mapped anew since the range began, in a larger leaf */
		if (!slat_split(s, gfn << PAGE_SHIFT))
			return false;
		region = slat_region(s, gfn << PAGE_SHIFT);
		*table = slat_region_table(s, region);
	}
	if (*table && (*region & SCANNED)) /* the harvest cleared D */
		*table = NULL;
	return true;
}

static uint64_t arm(struct dirty *d, uint64_t gfn, const uint64_t *words, uint64_t which)
{
	const uint64_t armed = armed_bit(d);
	uint64_t taken = 0, kept = 0, *table = NULL, region = ~0ull; /* the last one, and its table */

	for (; which; which &= which - 1) {
		unsigned w = (unsigned)__builtin_ctzll(which);
		uint64_t g = gfn + 64 * w, word, *e;

		if (g >> 9 != region) {
			region = g >> 9;
			if (!table_to_arm(d, g, &table)) {
				kept |= 1ull << w;
				region = ~0ull;
			}
		}
		if (!table)
			continue;
		for (e = table + (g & 511), word = words[w]; word;) { /* by runs of pages */
			unsigned gap = (unsigned)__builtin_ctzll(word);

			e += gap;
			for (word >>= gap; word & 1; word >>= 1, e++) {
				taken |= *e;
				__atomic_fetch_and(e, ~armed, __ATOMIC_RELAXED);
			}
		}
	}
	((struct slat *)d->arg)->stale |= (taken & armed) != 0;
	return kept;
}

/* ---- scans */

static __attribute__((noinline)) void harvest_region(struct dirty *d, uint64_t *region, uint64_t *table, uint64_t gfn)
{
	struct slat *s = d->arg;
	const uint64_t dirty = s->format->dirty;

	d->scans++;
	s->stale = true;
	__atomic_fetch_and(region, ~s->format->accessed, __ATOMIC_RELAXED);
	for (unsigned i = 0; i < 512; i += 64) {
		uint64_t word = 0;

		for (unsigned n = 0; n < 64; n += 8) {
			uint64_t *e = &table[i + n];

			if (!((e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7]) & dirty))
				continue;
			for (unsigned k = 0; k < 8; k++)
				if (e[k] & dirty) {
					__atomic_fetch_and(&e[k], ~dirty, __ATOMIC_RELAXED);
					word |= 1ull << (n + k);
				}
		}
		if (word)
			dirty_note_word(d, gfn + i, word);
	}
}

static __attribute__((noinline)) bool harvest_regions(struct dirty *d, uint64_t gfn, uint64_t end)
{
	const uint64_t accessed = ((struct slat *)d->arg)->format->accessed, scans = d->scans;

	for (; gfn < end; gfn += 512) {
		uint64_t *region = slat_region(d->arg, gfn << PAGE_SHIFT);

		if (!region || !(*region & accessed))
			continue;
		if (*region & SCANNED)
			harvest_region(d, region, slat_region_table(d->arg, region), gfn);
		else /* there A means nothing: clear, it keeps the next look short */
			__atomic_fetch_and(region, ~accessed, __ATOMIC_RELAXED);
	}
	return d->scans != scans;
}

static bool harvest(struct dirty *d, uint64_t gfn, uint64_t count)
{
	const struct slat *s = d->arg;
	uint64_t last = gfn + count - 1, any = ~0ull;
	const uint64_t *e, *end;

	/* Entries of one gigabyte are side by side: where none has A, this is all. */
	if (s->dir_at == gfn >> 18 && s->dir_at == last >> 18) {
		e = &s->dir[gfn >> 9 & 511];
		end = &s->dir[last >> 9 & 511];
		for (any = *e; e < end; any |= *e)
			e++;
	}
	return any & s->format->accessed && harvest_regions(d, gfn & ~511ull, last + 1);
}

/* From faults to scans. Pages that are writable have their bits set, the others were not written: no D bit matters. */
static void start_scans(struct dirty *d, uint64_t *region, uint64_t *table)
{
	struct slat *s = d->arg;

	for (unsigned i = 0; i < 512; i++)
		if (table[i] & s->format->present)
			table[i] = (table[i] | s->format->write) & ~s->format->dirty;
	*region = (*region | SCANNED) & ~s->format->accessed;
	s->stale = true;
}

/* From scans to faults: all that the region's ranges have of it is armed, also what is dirty for all of them. */
static void stop_scans(struct dirty *d, uint64_t *region, uint64_t *table, uint64_t gfn)
{
	harvest_region(d, region, table, gfn);
	*region &= ~SCANNED;
	for (unsigned i = 0; i < d->count; i++) {
		const struct dirty_range *r = d->live[i];
		uint64_t g = r->first > gfn ? r->first : gfn, last = r->first + r->pages;

		for (last = last < gfn + 512 ? last : gfn + 512; g < last; g++)
			table[g & 511] &= ~armed_bit(d);
	}
}

/* Each region around the pages goes to scans if a range in it wants that, else to faults. */
static void settle(struct dirty *d, uint64_t gfn, uint64_t count)
{
	struct slat *s = d->arg;

	for (uint64_t g = gfn & ~511ull; g < gfn + count; g += 512) {
		uint64_t *region = slat_region(s, g << PAGE_SHIFT), *table = slat_region_table(s, region);
		bool scan = d->source->scan || dirty_tracked(d, g, 512, true);

		if (!table || scan == !!(*region & SCANNED))
			continue;
		d->switches++;
		if (scan)
			start_scans(d, region, table);
		else
			stop_scans(d, region, table, g);
	}
}

/*
 * A fault costs some 500 instructions; a scan 1,700 for each region that was touched, and little more for what it finds: they break
 * even at three or four pages a region. So four queries in a row choose: with 16 pages a region or more scans, below 4 faults.
 */
static void judge(struct dirty *d, struct dirty_range *r, uint64_t n)
{
	uint64_t pages = ((r->first & 511) + r->pages + 511) & ~511ull;

	if (n * 32 >= pages)
		r->streak = r->streak > 0 ? r->streak + 1 : 1;
	else if (n * 128 < pages)
		r->streak = r->streak < 0 ? r->streak - 1 : -1;
	else
		r->streak = 0;
	if (r->streak > -4 && r->streak < 4)
		return;
	r->scan = r->streak > 0;
	r->streak = 0;
	settle(d, r->first, r->pages);
}

/* ---- begin and end */

static int begin(struct dirty *d, uint64_t gfn, uint64_t count)
{
	if (!mapped(d->arg, gfn, gfn + count))
		return -EFAULT;
	for (uint64_t g = gfn; g < gfn + count; g = (g | 511) + 1)
		if (!slat_split(d->arg, g << PAGE_SHIFT)) {
			merge(d, gfn, g + 1);
			return -ENOMEM;
		}
	settle(d, gfn, count);
	return 0;
}

static void end(struct dirty *d, uint64_t gfn, uint64_t count)
{
	struct slat *s = d->arg;
	const uint64_t armed = armed_bit(d);

	for (uint64_t g = gfn, next; g < gfn + count; g = next) {
		uint64_t *e = page_entry(s, g);

		next = (g | 511) + 1 < gfn + count ? (g | 511) + 1 : gfn + count;
		for (uint64_t n = g; e && n < next; n++, e++)
			if (*e & s->format->present)
				*e |= armed;
	}
	/* Not left to the faults that would drop stale translations one by one: the guest decides how many these are. */
	s->stale = true;
	settle(d, gfn, count);
	merge(d, gfn, gfn + count);
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
const struct dirty_source dirty_pml = { .name = "pml", .begin = begin, .end = end, .harvest = dirty_log_drain, .arm = arm };
const struct dirty_source dirty_dbit = { .name = "dbit", .scan = true, .begin = begin, .end = end, .harvest = harvest, .arm = arm };
const struct dirty_source dirty_auto = {
	.name = "auto", .begin = begin, .end = end, .harvest = harvest, .arm = arm, .judge = judge
};
