#include "mm/dirty.h"

#include <errno.h>
#include <string.h>

#include "mm/frames.h"
#include "mm/layout.h"

void dirty_init(struct dirty *d, struct slat *slat)
{
	memset(d, 0, sizeof(*d));
	d->slat = slat;
}

/* Whether a live range tracks any of count pages from gfn on. */
static bool tracked(const struct dirty *d, uint64_t gfn, uint64_t count)
{
	for (unsigned i = 0; i < d->top; i++) {
		const struct dirty_range *r = &d->range[i];

		if (r->live && r->first < gfn + count && gfn < r->first + r->pages)
			return true;
	}
	return false;
}

/* A table of 4 KiB leaves, found once for all pages of the 2 MiB that it maps. */
struct cursor {
	uint64_t region, *table; /* region: gfn >> 9 */
};

/* The page's entry in its table of 4 KiB leaves, present or not; NULL when no present page has shown such a table yet. */
static inline uint64_t *entry_at(const struct slat *s, struct cursor *c, uint64_t gfn)
{
	if (!c->table || c->region != gfn >> 9) {
		unsigned level;
		uint64_t *leaf = slat_leaf(s, gfn << PAGE_SHIFT, &level);

		c->region = gfn >> 9;
		c->table = leaf && level == 1 ? leaf - (gfn & 511) : NULL;
		if (!c->table)
			return NULL;
	}
	return &c->table[gfn & 511];
}

/* Whether all of the pages are mapped. */
static bool mapped(const struct slat *s, uint64_t gfn, uint64_t end)
{
	struct cursor c = { 0 };

	while (gfn < end) {
		uint64_t *e = entry_at(s, &c, gfn);
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
		if (!tracked(d, gfn, 512))
			slat_merge(d->slat, gfn << PAGE_SHIFT);
}

static void fill(struct dirty_range *r, unsigned consumer)
{
	memset(r->bits[consumer], 0xff, r->words * 8);
	if (r->pages % 64)
		r->bits[consumer][r->words - 1] = (1ull << r->pages % 64) - 1;
	r->set[consumer] = r->pages;
}

/* Sets up r's place, leaves and bitmaps; r is not live yet. Leaves no trace when it fails. */
static int range_make(struct dirty *d, struct dirty_range *r, uint64_t gpa, uint64_t len)
{
	uint64_t end, g;

	if (!len || gpa + len - 1 < gpa)
		return -EINVAL;
	*r = (struct dirty_range){ .base = gpa, .len = len, .first = gpa >> PAGE_SHIFT };
	end = ((gpa + len - 1) >> PAGE_SHIFT) + 1;
	r->pages = end - r->first;
	r->words = (r->pages + 63) / 64;
	if (!mapped(d->slat, r->first, end))
		return -EFAULT;
	r->frames = (r->words * 8 * DIRTY_CONSUMERS + PAGE_MASK) >> PAGE_SHIFT;
	r->frames_at = frames_alloc(r->frames, 1);
	if (!r->frames_at)
		return -ENOMEM;
	for (g = r->first; g < end; g = (g | 511) + 1)
		if (!slat_split(d->slat, g << PAGE_SHIFT)) {
			merge(d, r->first, g + 1);
			frames_free(r->frames_at, r->frames);
			return -ENOMEM;
		}
	for (unsigned c = 0; c < DIRTY_CONSUMERS; c++) {
		r->bits[c] = (uint64_t *)(uintptr_t)r->frames_at + c * r->words;
		if (d->consumer[c])
			fill(r, c);
	}
	return 0;
}

/* Gives r's pages that no live range tracks back: writable, and merged to large leaves. r is no longer in d's list. */
static void range_release(struct dirty *d, struct dirty_range *r)
{
	uint64_t end = r->first + r->pages, next;
	struct cursor c = { 0 };

	for (uint64_t at = r->first; at < end; at = next) {
		bool alone;

		next = (at | 511) + 1 < end ? (at | 511) + 1 : end;
		alone = !tracked(d, at, next - at);
		for (uint64_t g = at; g < next; g++) {
			uint64_t *e = entry_at(d->slat, &c, g);

			if (e && (*e & d->slat->format->present) && (alone || !tracked(d, g, 1)))
				slat_write_allow(d->slat, e);
		}
	}
	merge(d, r->first, end);
	frames_free(r->frames_at, r->frames);
}

int dirty_range_add(struct dirty *d, uint64_t gpa, uint64_t len)
{
	unsigned i = 0;
	int e;

	while (i < DIRTY_RANGES && d->range[i].live)
		i++;
	if (i == DIRTY_RANGES)
		return -ENOSPC;
	e = range_make(d, &d->range[i], gpa, len);
	if (e)
		return e;
	d->range[i].live = true;
	if (d->top <= i)
		d->top = i + 1;
	return (int)i;
}

static struct dirty_range *range_get(struct dirty *d, int range)
{
	return range >= 0 && range < DIRTY_RANGES && d->range[range].live ? &d->range[range] : NULL;
}

int dirty_range_move(struct dirty *d, int range, uint64_t gpa, uint64_t len)
{
	struct dirty_range *r = range_get(d, range), old, fresh;
	int e;

	if (!r)
		return -ENOENT;
	e = range_make(d, &fresh, gpa, len);
	if (e)
		return e;
	old = *r;
	*r = fresh;
	r->live = true;
	range_release(d, &old);
	return 0;
}

int dirty_range_remove(struct dirty *d, int range)
{
	struct dirty_range *r = range_get(d, range);

	if (!r)
		return -ENOENT;
	r->live = false;
	while (d->top && !d->range[d->top - 1].live)
		d->top--;
	range_release(d, r);
	return 0;
}

int dirty_consumer_add(struct dirty *d)
{
	unsigned c = 0;

	while (c < DIRTY_CONSUMERS && d->consumer[c])
		c++;
	if (c == DIRTY_CONSUMERS)
		return -ENOSPC;
	d->consumer[c] = true;
	for (unsigned i = 0; i < d->top; i++)
		if (d->range[i].live)
			fill(&d->range[i], c);
	return (int)c;
}

int dirty_consumer_remove(struct dirty *d, int consumer)
{
	if (consumer < 0 || consumer >= DIRTY_CONSUMERS || !d->consumer[consumer])
		return -ENOENT;
	d->consumer[consumer] = false;
	return 0;
}

/* Sets the bits of the pages first..last in every range and for every consumer. Returns how many pages of ranges these are. */
static uint64_t mark(struct dirty *d, uint64_t first, uint64_t last)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < d->top; i++) {
		struct dirty_range *r = &d->range[i];
		uint64_t from, to;

		if (!r->live || last < r->first || first >= r->first + r->pages)
			continue;
		from = first > r->first ? first - r->first : 0;
		to = last - r->first < r->pages ? last - r->first : r->pages - 1;
		count += to - from + 1;
		for (unsigned c = 0; c < DIRTY_CONSUMERS; c++)
			for (uint64_t n = from; d->consumer[c] && n <= to; n++) {
				uint64_t *word = &r->bits[c][n / 64], bit = 1ull << n % 64;

				r->set[c] += !(*word & bit);
				*word |= bit;
			}
	}
	return count;
}

/* By hand: GCC's builtin needs libgcc, which the VMM has not. */
static size_t ones(uint64_t word)
{
	size_t n = 0;

	for (; word; word &= word - 1)
		n++;
	return n;
}

/* Write-protects the pages of a bitmap word, whose bit 0 is gfn. Returns those that stay writable: no memory to split a leaf. */
static uint64_t protect_word(struct slat *s, struct cursor *c, uint64_t gfn, uint64_t word)
{
	const uint64_t write = s->format->write;
	uint64_t kept = 0;

	for (; word; word &= word - 1) {
		uint64_t g = gfn + (unsigned)__builtin_ctzll(word), *e = entry_at(s, c, g);

		if (!e)
			e = slat_split(s, g << PAGE_SHIFT);
		if (e && (*e & write))
			slat_write_protect(s, e);
		else if (!e && slat_leaf(s, g << PAGE_SHIFT, NULL))
			kept |= word & -word;
	}
	return kept;
}

static bool pair_get(struct dirty *d, int consumer, int range, struct dirty_range **r)
{
	*r = range_get(d, range);
	return *r && consumer >= 0 && consumer < DIRTY_CONSUMERS && d->consumer[consumer];
}

long dirty_query(struct dirty *d, int consumer, int range, uint64_t *bitmap, size_t words)
{
	struct cursor c = { 0 };
	struct dirty_range *r;
	long n;

	if (!pair_get(d, consumer, range, &r))
		return -ENOENT;
	if (words < r->words)
		return -ENOSPC;
	d->queries++;
	n = (long)r->set[consumer];
	if (!n) {
		memset(bitmap, 0, words * 8);
		return 0;
	}
	r->set[consumer] = 0;
	for (size_t w = 0; w < r->words; w++) {
		uint64_t *bits = &r->bits[consumer][w];

		bitmap[w] = *bits;
		if (!*bits)
			continue;
		*bits = protect_word(d->slat, &c, r->first + w * 64, *bits);
		r->set[consumer] += ones(*bits);
	}
	memset(bitmap + r->words, 0, (words - r->words) * 8);
	d->reported += (uint64_t)n;
	return n;
}

int dirty_put_back(struct dirty *d, int consumer, int range, const uint64_t *bitmap, size_t words)
{
	struct dirty_range *r;

	if (!pair_get(d, consumer, range, &r))
		return -ENOENT;
	for (size_t w = 0; w < r->words && w < words; w++) {
		uint64_t valid = w + 1 == r->words && r->pages % 64 ? (1ull << r->pages % 64) - 1 : ~0ull;
		uint64_t fresh = bitmap[w] & valid & ~r->bits[consumer][w];

		r->bits[consumer][w] |= fresh;
		r->set[consumer] += ones(fresh);
	}
	return 0;
}

bool dirty_write_fault(struct dirty *d, uint64_t gpa)
{
	unsigned level;
	uint64_t *leaf = slat_leaf(d->slat, gpa, &level);

	if (!leaf || level != 1 || (*leaf & d->slat->format->write) || !mark(d, gpa >> PAGE_SHIFT, gpa >> PAGE_SHIFT))
		return false;
	d->faults++;
	slat_write_allow(d->slat, leaf);
	return true;
}

void dirty_mark(struct dirty *d, uint64_t gpa, uint64_t len)
{
	uint64_t last = len ? gpa + len - 1 : gpa;

	/* The leaf's protection stays: a set bit on a protected page is allowed, and the next guest write just faults once. */
	if (len)
		d->marks += mark(d, gpa >> PAGE_SHIFT, (last < gpa ? UINT64_MAX : last) >> PAGE_SHIFT);
}
