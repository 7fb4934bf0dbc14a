/* Physical frames: one bit for each that is taken, and bits where allocations begin and end, so that a wrong free is seen. */
#include "mm/frames.h"

#include <errno.h>
#include <string.h>

#include "mm/layout.h"
#include "vmm/log.h"

#define LOW_END 0x100000ull	 /* firmware's and loaders' ground */
#define EARLY_END 0x100000000ull /* what is mapped before map_init */

static uint64_t *taken, *first_of, *last_of; /* bitmaps over [0, limit) frames */
static size_t limit;
static size_t total, available;
static size_t lowest; /* no free frame lies below this one */
static struct frames_canary canary;
static uint64_t fail_at;

static bool test_bit(const uint64_t *map, size_t i)
{
	return map[i / 64] >> (i % 64) & 1;
}

static void set_bit(uint64_t *map, size_t i)
{
	map[i / 64] |= 1ull << (i % 64);
}

static void clear_bit(uint64_t *map, size_t i)
{
	map[i / 64] &= ~(1ull << (i % 64));
}

/* The first frame in [from, to) whose taken bit is `value`, else `to`. */
static size_t find_bit(size_t from, size_t to, bool value)
{
	while (from < to) {
		uint64_t word = value ? taken[from / 64] : ~taken[from / 64];
		word >>= from % 64;
		if (word) {
			from += (size_t)__builtin_ctzll(word);
			return from < to ? from : to;
		}
		from = (from / 64 + 1) * 64;
	}
	return to;
}

static uint64_t round_up(uint64_t v, uint64_t to)
{
	return (v + to - 1) / to * to;
}

struct busy {
	uint64_t start, end;
};

static unsigned busy_count(const struct boot_info *bi)
{
	return bi->memory_count + bi->module_count + 2;
}

/* The i-th range that must not be given out, empty if it is none: firmware's ground, the image, modules, what is not usable RAM. */
static struct busy busy_range(const struct boot_info *bi, struct busy image, unsigned i)
{
	if (i == 0)
		return (struct busy){ 0, LOW_END };
	if (i == 1)
		return image;
	i -= 2;
	if (i < bi->module_count)
		return (struct busy){ bi->module[i].start, bi->module[i].end };
	const struct boot_memory *m = &bi->memory[i - bi->module_count];
	return m->type == 1 ? (struct busy){ 0, 0 } : (struct busy){ m->base, m->base + m->len };
}

/* The lowest run of size bytes below 4 GiB, page-aligned, that is usable RAM and busy with nothing; 0 when there is none. */
static uint64_t find_hole(const struct boot_info *bi, struct busy image, uint64_t size)
{
	uint64_t best = 0;
	for (unsigned m = 0; m < bi->memory_count; m++) {
		if (bi->memory[m].type != 1)
			continue;
		uint64_t at = round_up(bi->memory[m].base, PAGE_SIZE), end = bi->memory[m].base + bi->memory[m].len;
		end = end < EARLY_END ? end : EARLY_END;
		/* Each busy range can push the candidate up once; passing all of them without a push settles it. */
		for (unsigned i = 0; i < busy_count(bi) && at < end && end - at >= size; i++) {
			struct busy b = busy_range(bi, image, i);
			if (b.start < at + size && at < b.end) {
				at = round_up(b.end, PAGE_SIZE);
				i = -1u;
			}
		}
		if (at < end && end - at >= size && (!best || at < best))
			best = at;
	}
	return best;
}

/* Sets taken for frames [from, to), as far as they exist. */
static void mark(uint64_t from, uint64_t to, bool value)
{
	to = to < limit ? to : limit;
	while (from < to) {
		uint64_t bit = from % 64, n = to - from < 64 - bit ? to - from : 64 - bit;
		uint64_t mask = (n == 64 ? ~0ull : (1ull << n) - 1) << bit;
		if (value)
			taken[from / 64] |= mask;
		else
			taken[from / 64] &= ~mask;
		from += n;
	}
}

int frames_init(const struct boot_info *bi, uint64_t image_start, uint64_t image_end)
{
	struct busy image = { image_start, image_end };
	uint64_t top = 0;
	for (unsigned i = 0; i < bi->memory_count; i++) {
		const struct boot_memory *m = &bi->memory[i];
		if (m->type == 1 && m->base + m->len > top)
			top = m->base + m->len;
	}
	limit = top / PAGE_SIZE;
	size_t bytes = (limit + 63) / 64 * 8;
	uint64_t hole = limit ? find_hole(bi, image, 3 * bytes) : 0;
	if (!hole)
		return -ENOMEM;
	taken = (uint64_t *)(uintptr_t)hole;
	first_of = taken + bytes / 8;
	last_of = first_of + bytes / 8;
	memset(taken, 0xff, bytes);
	memset(first_of, 0, 2 * bytes);

	/* Whole frames of usable RAM are free; then all that is busy, even by a byte, is not, whatever overlaps what. */
	for (unsigned i = 0; i < bi->memory_count; i++) {
		const struct boot_memory *m = &bi->memory[i];
		if (m->type == 1)
			mark(round_up(m->base, PAGE_SIZE) / PAGE_SIZE, (m->base + m->len) / PAGE_SIZE, false);
	}
	for (unsigned i = 0; i < busy_count(bi); i++) {
		struct busy b = busy_range(bi, image, i);
		mark(b.start / PAGE_SIZE, round_up(b.end, PAGE_SIZE) / PAGE_SIZE, true);
	}
	mark(hole / PAGE_SIZE, round_up(hole + 3 * bytes, PAGE_SIZE) / PAGE_SIZE, true);

	total = 0;
	for (size_t i = find_bit(0, limit, false), end; i < limit; i = find_bit(end, limit, false)) {
		end = find_bit(i, limit, true);
		total += end - i;
	}
	available = total;
	lowest = find_bit(0, limit, false);
	return 0;
}

/* One word for all of a frame, of its own for each: it is filled and looked at in few instructions, for there is much of it. */
static uint64_t canary_word(size_t frame)
{
	return (frame + 1) * 0x9e3779b97f4a7c15ull ^ 0x7e55e7ac0ffee000ull;
}

static uint64_t *frame_words(size_t frame)
{
	return (uint64_t *)(uintptr_t)(frame * PAGE_SIZE);
}

static void canary_fill(size_t frame, size_t count)
{
	for (; count; frame++, count--) {
		uint64_t *words = frame_words(frame), word = canary_word(frame);

		for (size_t i = 0; i < PAGE_SIZE / 8; i++)
			words[i] = word;
	}
}

static uint64_t wrong_bytes(const uint64_t *words, uint64_t word)
{
	uint64_t wrong = 0;

	for (size_t i = 0; i < PAGE_SIZE / 8; i++)
		for (uint64_t differs = words[i] ^ word; differs; differs >>= 8)
			wrong += (differs & 0xff) != 0;
	return wrong;
}

static void canary_look(size_t frame, size_t count)
{
	canary.bytes += count * PAGE_SIZE;
	for (; count; frame++, count--) {
		const uint64_t *w = frame_words(frame), word = canary_word(frame);
		uint64_t differs = 0;

		for (size_t i = 0; i < PAGE_SIZE / 8; i += 8)
			differs |= (w[i] ^ word) | (w[i + 1] ^ word) | (w[i + 2] ^ word) | (w[i + 3] ^ word) | (w[i + 4] ^ word) |
				   (w[i + 5] ^ word) | (w[i + 6] ^ word) | (w[i + 7] ^ word);
		if (!differs)
			continue;
		canary.wrong += wrong_bytes(w, word);
		canary_fill(frame, 1);
	}
}

static void free_runs(void (*f)(size_t frame, size_t count))
{
	for (size_t i = find_bit(0, limit, false), end; i < limit; i = find_bit(end, limit, false)) {
		end = find_bit(i, limit, true);
		f(i, end - i);
	}
}

void frames_canary_begin(void)
{
	free_runs(canary_fill);
	canary = (struct frames_canary){ .on = true };
}

const struct frames_canary *frames_canary_check(void)
{
	if (canary.on)
		free_runs(canary_look);
	return &canary;
}

const struct frames_canary *frames_canary(void)
{
	return &canary;
}

void frames_fail(uint64_t n)
{
	fail_at = n;
}

uint64_t frames_alloc(size_t count, size_t align)
{
	ASSERT(align && !(align & (align - 1)));
	if (!count || count > available)
		return 0;
	if (fail_at && !--fail_at) {
		log_warn("frames: an allocation of %zu is refused, as was asked", count);
		return 0;
	}
	size_t at = round_up(lowest, align);
	for (;;) {
		if (at >= limit || limit - at < count)
			return 0;
		size_t in_the_way = find_bit(at, at + count, true);
		if (in_the_way == at + count)
			break;
		at = round_up(find_bit(in_the_way, limit, false), align);
	}
	mark(at, at + count, true);
	set_bit(first_of, at);
	set_bit(last_of, at + count - 1);
	available -= count;
	if (at == lowest)
		lowest = find_bit(at + count, limit, false);
	if (canary.on)
		canary_look(at, count);
	memset((void *)(uintptr_t)(at * PAGE_SIZE), 0, count * PAGE_SIZE);
	return at * PAGE_SIZE;
}

void frames_free(uint64_t hpa, size_t count)
{
	size_t first = hpa / PAGE_SIZE;
	if (hpa % PAGE_SIZE || !count || first >= limit || count > limit - first || !test_bit(first_of, first))
		panic("frames_free: %016llx + %zu frames: no allocation begins there", (unsigned long long)hpa, count);
	size_t last = first;
	while (!test_bit(last_of, last))
		last++;
	if (last - first + 1 != count)
		panic("frames_free: %016llx + %zu frames: %zu were allocated", (unsigned long long)hpa, count, last - first + 1);
	clear_bit(first_of, first);
	clear_bit(last_of, last);
	mark(first, first + count, false);
	if (canary.on)
		canary_fill(first, count);
	available += count;
	lowest = first < lowest ? first : lowest;
}

size_t frames_total(void)
{
	return total;
}

size_t frames_available(void)
{
	return available;
}
