#include "mm/dirty.h"

#include <errno.h>
#include <string.h>

#include "mm/frames.h"
#include "mm/layout.h"

void dirty_init(struct dirty *d, const struct dirty_source *source, void *arg)
{
	memset(d, 0, sizeof(*d));
	d->source = source;
	d->arg = arg;
}

bool dirty_tracked(const struct dirty *d, uint64_t gfn, uint64_t count, bool scan)
{
	for (unsigned i = 0; i < d->count; i++) {
		const struct dirty_range *r = d->live[i];

		if (r->scan >= scan && r->first < gfn + count && gfn < r->first + r->pages)
			return true;
	}
	return false;
}

/* ---- bitmaps */

/* n low bits. */
static inline uint64_t low_bits(uint64_t n)
{
	return n < 64 ? (1ull << n) - 1 : ~0ull;
}

static uint64_t *bits_of(const struct dirty_range *r, unsigned consumer)
{
	return r->bits + consumer * r->stride;
}

/* By hand: GCC's builtin needs libgcc, which the VMM has not. */
static inline uint64_t ones(uint64_t x)
{
	if (!(x & (x - 1)))
		return x != 0;
	x -= x >> 1 & 0x5555555555555555;
	x = (x & 0x3333333333333333) + (x >> 2 & 0x3333333333333333);
	return ((x + (x >> 4)) & 0x0f0f0f0f0f0f0f0f) * 0x0101010101010101 >> 56;
}

static void set_word(const struct dirty_range *r, uint64_t *bits, uint64_t w, uint64_t word)
{
	bits[w] |= word;
	bits[r->words + w / 64] |= 1ull << w % 64;
}

/* Clears bits that mean nothing. */
static inline void trim(const struct dirty_range *r, uint64_t *bits)
{
	bits[0] &= ~0ull << r->first % 64;
	bits[r->words - 1] &= low_bits((r->first + r->pages - 1) % 64 + 1);
}

void dirty_note_word(struct dirty *d, uint64_t gfn, uint64_t word)
{
	for (unsigned i = 0; i < d->count; i++) {
		const struct dirty_range *r = d->live[i];
		uint64_t w = gfn / 64 - r->first / 64;

		if (w < r->words)
			dirty_set(d, r, w, word);
	}
}

void dirty_mark(struct dirty *d, uint64_t gpa, uint64_t len)
{
	uint64_t first = gpa >> PAGE_SHIFT, last = (gpa + len - 1 < gpa ? UINT64_MAX : gpa + len - 1) >> PAGE_SHIFT;

	/* Armed pages stay so: a set bit on one is allowed, and the next guest write is just noticed once more. */
	for (unsigned i = 0; len && i < d->count; i++) {
		const struct dirty_range *r = d->live[i];
		uint64_t g = first > r->first ? first : r->first, end = r->first + r->pages;

		end = last < end ? last + 1 : end;
		for (d->marks += g < end ? end - g : 0; g < end; g = (g | 63) + 1)
			dirty_set(d, r, g / 64 - r->first / 64, low_bits(end - (g & ~63ull)) & ~0ull << g % 64);
	}
}

static void fill(struct dirty_range *r, unsigned consumer)
{
	uint64_t *bits = bits_of(r, consumer);

	memset(bits, 0xff, r->stride * 8);
	bits[r->stride - 1] = low_bits((r->words - 1) % 64 + 1);
}

/* ---- ranges */

/* Ends the tracking of those of count pages from gfn on that no live range has. */
static void release(struct dirty *d, uint64_t gfn, uint64_t count)
{
	uint64_t end = gfn + count, next;

	for (; gfn < end; gfn = next) {
		bool alone = true;

		/* [gfn, next) is within one range, or in none. */
		next = end;
		for (unsigned i = 0; i < d->count; i++) {
			const struct dirty_range *r = d->live[i];
			bool has = gfn - r->first < r->pages;
			uint64_t edge = has ? r->first + r->pages : r->first;

			alone &= !has;
			if (gfn < edge && edge < next)
				next = edge;
		}
		if (alone)
			d->source->end(d, gfn, next - gfn);
	}
}

/* Sets up r's place, leaves and bitmaps; r is not live yet. Leaves no trace when it fails. */
static int range_make(struct dirty *d, struct dirty_range *r, uint64_t gpa, uint64_t len)
{
	uint64_t memory;
	int e;

	if (!len || gpa + len - 1 < gpa)
		return -EINVAL;
	*r = (struct dirty_range){ .base = gpa, .len = len, .first = gpa >> PAGE_SHIFT, .scan = d->source->scan };
	r->pages = ((gpa + len - 1) >> PAGE_SHIFT) - r->first + 1;
	r->words = (r->first % 64 + r->pages + 63) / 64;
	r->sums = (r->words + 63) / 64;
	r->stride = r->words + r->sums;
	r->frames = (r->stride * 8 * DIRTY_CONSUMERS + PAGE_MASK) >> PAGE_SHIFT;
	/* Pages first: a range that is larger than all memory asks for none. */
	e = d->source->begin(d, r->first, r->pages);
	if (e)
		return e;
	memory = frames_alloc(r->frames, 1);
	if (!memory) {
		release(d, r->first, r->pages);
		return -ENOMEM;
	}
	r->bits = (uint64_t *)(uintptr_t)memory;
	for (uint32_t c = d->consumers; c; c &= c - 1)
		fill(r, (unsigned)__builtin_ctz(c));
	return 0;
}

static struct dirty_range *range_get(struct dirty *d, int range)
{
	return range >= 0 && range < DIRTY_RANGES && d->range[range].live ? &d->range[range] : NULL;
}

int dirty_range_add(struct dirty *d, uint64_t gpa, uint64_t len)
{
	unsigned i = 0;
	int e;

	if (d->count == DIRTY_RANGES)
		return -ENOSPC;
	while (d->range[i].live)
		i++;
	e = range_make(d, &d->range[i], gpa, len);
	if (e)
		return e;
	d->range[i].live = true;
	d->live[d->count++] = &d->range[i];
	return (int)i;
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
	release(d, old.first, old.pages);
	frames_free((uint64_t)(uintptr_t)old.bits, old.frames);
	return 0;
}

int dirty_range_remove(struct dirty *d, int range)
{
	struct dirty_range *r = range_get(d, range);
	unsigned i = 0;

	if (!r)
		return -ENOENT;
	while (d->live[i] != r)
		i++;
	d->live[i] = d->live[--d->count];
	r->live = false;
	release(d, r->first, r->pages);
	frames_free((uint64_t)(uintptr_t)r->bits, r->frames);
	return 0;
}

/* ---- consumers */

int dirty_consumer_add(struct dirty *d)
{
	unsigned c = (unsigned)__builtin_ctz(~d->consumers);

	if (c >= DIRTY_CONSUMERS)
		return -ENOSPC;
	d->consumers |= 1u << c;
	for (unsigned i = 0; i < d->count; i++)
		fill(d->live[i], c);
	return (int)c;
}

static bool is_consumer(const struct dirty *d, int consumer)
{
	return consumer >= 0 && consumer < DIRTY_CONSUMERS && (d->consumers >> consumer & 1);
}

int dirty_consumer_remove(struct dirty *d, int consumer)
{
	if (!is_consumer(d, consumer))
		return -ENOENT;
	d->consumers &= ~(1u << consumer);
	return 0;
}

/* Moves the bits to the bitmap and arms their pages. Returns how many pages these are. Apart, so that a query with none is short.
 */
static __attribute__((noinline)) long take(struct dirty *d, struct dirty_range *r, uint64_t *bits, uint64_t *bitmap, size_t words)
{
	const struct dirty_source *source = d->source;
	uint64_t n = 0, *sums = bits + r->words, kept = 0;
	unsigned shift = r->first % 64;

	memset(bitmap, 0, words * 8);
	trim(r, bits);
	for (size_t sum = 0; sum < r->sums; sum++) {
		uint64_t todo = sums[sum];

		if (source->arm)
			kept = source->arm(d, (r->first & ~63ull) + sum * 4096, bits + sum * 64, todo);
		for (sums[sum] = kept; todo; todo &= todo - 1) {
			size_t w = sum * 64 + (unsigned)__builtin_ctzll(todo);
			uint64_t word = bits[w];

			n += ones(word);
			if (!(kept >> w % 64 & 1))
				bits[w] = 0;
			if (word >> shift)
				bitmap[w] |= word >> shift;
			if (shift && word << (64 - shift))
				bitmap[w - 1] |= word << (64 - shift);
		}
	}
	d->reported += n;
	if (source->judge)
		source->judge(d, r, n);
	return (long)n;
}

/* Apart, so that the compiler keeps r instead of finding it again and again. */
static __attribute__((noinline)) long query(struct dirty *d, struct dirty_range *r, unsigned consumer, uint64_t *bitmap,
					    size_t words)
{
	uint64_t any = d->source->harvest && d->source->harvest(d, r->first, r->pages), *bits = bits_of(r, consumer);
	const uint64_t *sum = bits + r->words, *end = bits + r->stride;

	do
		any |= *sum++;
	while (sum < end);
	return any ? take(d, r, bits, bitmap, words) : 0;
}

long dirty_query(struct dirty *d, int consumer, int range, uint64_t *bitmap, size_t words)
{
	struct dirty_range *r = range_get(d, range);

	if (!r || !is_consumer(d, consumer))
		return -ENOENT;
	if (words < r->words && words < (r->pages + 63) / 64)
		return -ENOSPC;
	d->queries++;
	return query(d, r, (unsigned)consumer, bitmap, words);
}

long dirty_pending(struct dirty *d, int consumer, int range)
{
	const struct dirty_range *r = range_get(d, range);
	uint64_t n = 0, *bits;

	if (!r || !is_consumer(d, consumer))
		return -ENOENT;
	if (d->source->harvest)
		d->source->harvest(d, r->first, r->pages);
	bits = bits_of(r, (unsigned)consumer);
	trim(r, bits);
	for (size_t w = 0; w < r->words; w++)
		n += ones(bits[w]);
	return (long)n;
}

int dirty_put_back(struct dirty *d, int consumer, int range, const uint64_t *bitmap, size_t words)
{
	const struct dirty_range *r = range_get(d, range);
	uint64_t *bits;

	if (!r || !is_consumer(d, consumer))
		return -ENOENT;
	bits = bits_of(r, (unsigned)consumer);
	for (size_t w = 0; w < words && w * 64 < r->pages; w++) {
		uint64_t word = bitmap[w] & low_bits(r->pages - w * 64), high = word >> 1 >> (63 - r->first % 64);

		set_word(r, bits, w, word << r->first % 64);
		if (high)
			set_word(r, bits, w + 1, high);
	}
	return 0;
}

void dirty_harvest(struct dirty *d, uint64_t gpa, uint64_t len)
{
	if (d->source->harvest && len)
		d->source->harvest(d, gpa >> PAGE_SHIFT, ((gpa + len - 1) >> PAGE_SHIFT) - (gpa >> PAGE_SHIFT) + 1);
}
