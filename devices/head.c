#include "devices/head.h"

#include <errno.h>
#include <string.h>

#include "mm/layout.h"

#define WORD 64u

#define DEFAULT_WIDTH 1024
#define DEFAULT_HEIGHT 768

uint64_t head_visible(const struct head *h)
{
	uint64_t row = (uint64_t)h->width * scanout_bytes(h->bpp), bytes;

	if (!h->on || !h->width || !h->height || h->width > DISPLAY_MAX_SIDE || h->height > DISPLAY_MAX_SIDE ||
	    (uint64_t)h->width * h->height > DISPLAY_MAX_PIXELS || !row || h->stride < row)
		return 0;
	bytes = (uint64_t)h->stride * (h->height - 1u) + row;
	return h->start <= h->vram_bytes && bytes <= h->vram_bytes - h->start ? bytes : 0;
}

int head_set_mode(struct head *h, unsigned width, unsigned height)
{
	if (width < 1 || height < 1 || width > DISPLAY_MAX_SIDE || height > DISPLAY_MAX_SIDE)
		return -EINVAL;
	if ((uint64_t)width * height > DISPLAY_MAX_PIXELS || (uint64_t)width * height * 4 > h->vram_bytes)
		return -EINVAL;
	h->width = (uint16_t)width;
	h->height = (uint16_t)height;
	h->stride = width * 4;
	h->start = 0;
	h->bpp = 32;
	h->on = true;
	return 0;
}

void head_scanout(const struct head *h, struct scanout *so)
{
	*so = (struct scanout){ 0 };
	if (!head_visible(h))
		return;
	*so = (struct scanout){
		.base = h->vram + h->start,
		.palette = h->palette,
		.stride = h->stride,
		.width = h->width,
		.height = h->height,
		.bpp = h->bpp,
	};
}

static void damage_pages(const struct head *h, struct display_tx *tx, uint64_t first, uint64_t end)
{
	uint64_t from = first * PAGE_SIZE, to = end * PAGE_SIZE, shown = h->start + head_visible(h);

	if (from < h->start)
		from = h->start;
	if (to > shown)
		to = shown;
	if (from < to)
		dtx_damage(tx, h->index, from - h->start, to - from);
}

/* First page from `from` on whose bit equals set; pages when there is none. Looks at a word at a time. */
static size_t next_page(const uint64_t *bitmap, size_t from, size_t pages, bool set)
{
	while (from < pages) {
		uint64_t word = (set ? bitmap[from / WORD] : ~bitmap[from / WORD]) >> (from % WORD);

		if (word) {
			from += (unsigned)__builtin_ctzll(word);
			break;
		}
		from += WORD - from % WORD;
	}
	return from < pages ? from : pages;
}

void head_damage(const struct head *h, struct display_tx *tx, uint64_t first, const uint64_t *bitmap, size_t pages)
{
	uint64_t limit = h->vram_bytes / PAGE_SIZE;

	if (!head_visible(h) || first >= limit)
		return;
	if (pages > limit - first)
		pages = limit - first;
	for (size_t from = next_page(bitmap, 0, pages, true), end; from < pages; from = next_page(bitmap, end, pages, true)) {
		end = next_page(bitmap, from, pages, false);
		damage_pages(h, tx, first + from, first + end);
	}
}

/* ---- --heads */

/* Reads a decimal number of at most four digits that is not 0; moves *s past it. Returns 0 where there is none. */
static unsigned number(const char **s)
{
	unsigned v = 0, digits = 0;

	for (; **s >= '0' && **s <= '9'; (*s)++) {
		if (++digits > 4)
			return 0;
		v = v * 10 + (unsigned)(**s - '0');
	}
	return v;
}

bool head_size_ok(unsigned width, unsigned height)
{
	return width >= 1 && width <= DISPLAY_MAX_SIDE && height >= 1 && height <= DISPLAY_MAX_SIDE &&
	       (uint64_t)width * height * 4 <= GUEST_HEAD_MODE_MAX;
}

int head_parse_size(const char **s, uint16_t size[2])
{
	unsigned width = number(s), height;

	if (**s != 'x')
		return -EINVAL;
	(*s)++;
	height = number(s);
	if (!head_size_ok(width, height))
		return -EINVAL;
	size[0] = (uint16_t)width;
	size[1] = (uint16_t)height;
	return 0;
}

static int parse_count(const char *s, uint16_t (*sizes)[2], unsigned max)
{
	unsigned n = number(&s);

	if (*s || n < 1 || n > max)
		return -EINVAL;
	for (unsigned i = 0; i < n; i++) {
		sizes[i][0] = DEFAULT_WIDTH;
		sizes[i][1] = DEFAULT_HEIGHT;
	}
	return (int)n;
}

int heads_parse(const char *spec, uint16_t (*sizes)[2], unsigned max)
{
	const char *s = spec;
	unsigned n = 0;

	if (max > DISPLAY_HEADS)
		max = DISPLAY_HEADS;
	if (strcmp(spec, "none") == 0)
		return 0;
	if (!strchr(spec, 'x'))
		return parse_count(spec, sizes, max);
	for (;;) {
		if (n == max || head_parse_size(&s, sizes[n]))
			return -EINVAL;
		n++;
		if (!*s)
			return (int)n;
		if (*s++ != ',')
			return -EINVAL;
	}
}
