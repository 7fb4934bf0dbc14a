/*
 * Paints every head and changes the pictures step by step, from everything to one word. After each step: a verdict on what VRAM
 * reads back, a `screen` line for each head, and a request for screenshots, so that every step can be compared at the far end.
 */
#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/prng.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/painter.h"

#define TILE 16 /* the stream's: steps go around its edges */

int main(void);

static struct prng prng = { 0x7e55e7a };

static uint32_t rgb(uint32_t r, uint32_t g, uint32_t b)
{
	return r << 16 | g << 8 | b;
}

/* Smooth across the patch: every pixel of a tile differs, the worst for a palette. */
static void gradient_patch(const struct head *h, uint32_t x, uint32_t y, uint32_t side)
{
	for (uint32_t j = 0; j < side; j++)
		for (uint32_t i = 0; i < side; i++)
			paint_pixel(h, x + i, y + j, rgb(i * 255 / side, j * 255 / side, 255 - (i + j) * 127 / side));
}

static void noise_patch(const struct head *h, uint32_t x, uint32_t y, uint32_t side)
{
	for (uint32_t j = 0; j < side; j++)
		for (uint32_t i = 0; i < side; i++)
			paint_pixel(h, x + i, y + j, prng_next(&prng)); /* the fourth byte too: it must not matter */
}

static void checkerboard(const struct head *h, uint32_t x, uint32_t y, uint32_t side, uint32_t cell)
{
	for (uint32_t j = 0; j < side; j++)
		for (uint32_t i = 0; i < side; i++)
			paint_pixel(h, x + i, y + j, (i / cell + j / cell) & 1 ? rgb(255, 255, 255) : rgb(0, 0, 0));
}

static void step_frame(const struct head *h)
{
	char text[80];

	for (uint32_t y = 0; y < h->height; y++) /* a sky in 32 bands */
		paint_fill(h, 0, y, h->width, 1, rgb(16 + h->index * 8, 32 + y * 32 / h->height * 2, 96 + y * 32 / h->height * 4));
	gradient_patch(h, 8, 8, 64);
	noise_patch(h, 88, 8, 48);
	checkerboard(h, 152, 8, 64, 1);
	checkerboard(h, 232, 8, 64, 7);
	paint_fill(h, 0, h->height / 2, h->width, 18, rgb(0, 0, 0));
	print_to(text, sizeof(text), "Head %u: %ux%u, %u bytes a row", h->index, h->width, h->height, h->stride);
	paint_text(h, 3, h->height / 2 + 1, text, rgb(255, 255, 255), rgb(0, 0, 0));
	for (uint32_t y = h->height / 2 + 24; y + 16 <= h->height - h->height / 8; y += 16)
		paint_text(h, 8, y, "The quick brown fox jumps over the lazy dog. 0123456789 {[(<>)]}", rgb(255, 220, 120),
			   rgb(24, 24, 32));
	paint_fill(h, h->width - 1, 0, 1, h->height, rgb(255, 0, 0)); /* the last column and row, each its own colour */
	paint_fill(h, 0, h->height - 1, h->width, 1, rgb(0, 255, 0));
}

static void step_word(const struct head *h)
{
	paint_pixel(h, h->width / 2, h->height / 3, rgb(255, 0, 255));
}

static void step_row(const struct head *h)
{
	paint_fill(h, 0, h->height * 2 / 5, h->width, 1, rgb(255, 255, 0));
}

static void step_tile(const struct head *h)
{
	uint32_t x = h->width / TILE / 2 * TILE, y = h->height / TILE / 4 * TILE;

	for (uint32_t j = 0; j < TILE; j++)
		for (uint32_t i = 0; i < TILE; i++)
			paint_pixel(h, x + i, y + j, rgb(i * 16, 255 - j * 16, (i ^ j) * 16));
}

/* Across tiles and pages, aligned to neither. */
static void step_rectangle(const struct head *h)
{
	paint_fill(h, h->width / 4 + 3, h->height / 4 + 5, h->width / 2 + 1, h->height / 4 + 2, rgb(200, 40, 90));
}

static void store(volatile uint8_t *at, uint64_t v, unsigned size)
{
	switch (size) {
	case 2: __asm__ volatile("movw %w0, (%1)" ::"r"(v), "r"(at) : "memory"); break;
	case 4: __asm__ volatile("movl %k0, (%1)" ::"r"(v), "r"(at) : "memory"); break;
	default: __asm__ volatile("movq %0, (%1)" ::"r"(v), "r"(at) : "memory"); break;
	}
}

/* Stores of 2, 4 and 8 bytes that cross from one page into the next. */
static void step_unaligned(const struct head *h)
{
	volatile uint8_t *vram;
	uint8_t *shadow;
	unsigned nth = 0;

	for (unsigned size = 2; size <= 8; size *= 2)
		for (unsigned before = 1; before < size; before++, nth++) {
			uint64_t v = 0x1122334455667788ull * (nth + 1);
			if (!find_boundary(h, nth, 8, &vram, &shadow))
				return;
			store(vram - before, v, size);
			for (unsigned i = 0; i < size; i++)
				*(shadow - before + i) = (uint8_t)(v >> 8 * i);
		}
}

/* String instructions over a page boundary: fill, copy from RAM, copy downwards (DF = 1), copy from VRAM to VRAM. */
static void step_string(const struct head *h)
{
	enum { ROOM = 32 };
	static uint8_t ram[2 * ROOM];
	uint8_t *shadow;
	const volatile uint8_t *from;
	volatile uint8_t *to;
	uint64_t n;
	uint32_t y;

	for (unsigned i = 0; i < sizeof(ram); i++)
		ram[i] = (uint8_t)prng_next(&prng);
	if (find_boundary(h, 1, ROOM, &to, &shadow)) {
		to -= ROOM;
		n = 2 * ROOM - 3;
		__asm__ volatile("rep stosb" : "+D"(to), "+c"(n) : "a"(0xa5) : "memory");
		for (unsigned i = 0; i < 2 * ROOM - 3; i++)
			*(shadow - ROOM + i) = 0xa5;
	}
	if (find_boundary(h, 2, ROOM, &to, &shadow)) {
		to -= ROOM;
		from = ram;
		n = 2 * ROOM;
		__asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(n)::"memory");
		for (unsigned i = 0; i < 2 * ROOM; i++)
			*(shadow - ROOM + i) = ram[i];
	}
	if (find_boundary(h, 3, ROOM, &to, &shadow)) {
		to += ROOM - 4;
		from = ram + 2 * ROOM - 4;
		n = ROOM / 2;
		__asm__ volatile("std; rep movsl; cld" : "+D"(to), "+S"(from), "+c"(n)::"memory");
		for (unsigned i = 0; i < 2 * ROOM; i++)
			*(shadow - ROOM + i) = ram[i];
	}
	y = h->height / 2;
	to = (volatile uint8_t *)head_row(h, h->height - h->height / 9 - 1);
	from = (volatile uint8_t *)head_row(h, y);
	n = h->width;
	__asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(n)::"memory");
	for (uint32_t x = 0; x < h->width; x++)
		h->shadow[(uint64_t)(h->height - h->height / 9 - 1) * h->width + x] = h->shadow[(uint64_t)y * h->width + x];
}

/* Instructions that read, change and write back, locked or not. */
static void step_modify(const struct head *h)
{
	const uint32_t y = h->height / 5;
	volatile uint32_t *p = head_row(h, y) + h->width / 3;
	uint32_t *s = h->shadow + (uint64_t)y * h->width + h->width / 3, v = 0x00c0ffee, was;

	if (h->width / 3 + 2 >= h->width)
		return;
	was = s[2];
	__asm__ volatile("xorl %1, %0" : "+m"(p[0]) : "r"(0x00ffffff));
	__asm__ volatile("lock addl %1, %0" : "+m"(p[0]) : "r"(0x010203));
	s[0] = (s[0] ^ 0x00ffffff) + 0x010203;
	__asm__ volatile("xchgl %1, %0" : "+m"(p[1]), "+r"(v));
	s[1] = 0x00c0ffee;
	__asm__ volatile("lock cmpxchgl %2, %0" : "+m"(p[2]), "+a"(was) : "r"(0x00123456) : "cc"); /* equal: stored */
	s[2] = 0x00123456;
	__asm__ volatile("orb $0x81, %0" : "+m"(p[2]));
	s[2] |= 0x81;
}

/* Everything that is in VRAM and not on the screen: ends of rows, and what follows the last row. The picture stays. */
static void step_invisible(const struct head *h)
{
	for (uint32_t y = 0; y + 1 < h->height; y++)
		for (uint32_t x = h->width; x < h->stride / 4; x++)
			head_row(h, y)[x] = 0xdeadbeef;
	for (uint64_t at = (uint64_t)h->stride * (h->height - 1) + h->width * 4; at + 4 <= h->size; at += 64)
		*(volatile uint32_t *)(h->vram + at) = 0xdeadbeef;
}

static void step_solid(const struct head *h)
{
	for (uint32_t y = 0; y < h->height; y++) {
		volatile uint32_t *to = head_row(h, y);
		uint64_t n = h->width;
		__asm__ volatile("rep stosl" : "+D"(to), "+c"(n) : "a"(0x00204060) : "memory");
		for (uint32_t x = 0; x < h->width; x++)
			h->shadow[(uint64_t)y * h->width + x] = 0x00204060;
	}
}

static void step_everything(const struct head *h)
{
	for (uint32_t y = 0; y < h->height; y++)
		for (uint32_t x = 0; x < h->width; x++)
			paint_pixel(h, x, y, rgb((x / 8 + y / 8) * 8 & 255, (x / 16 ^ y / 16) * 16 & 255, y * 8 / h->height * 31));
	paint_text(h, 4, 4, "The last step", rgb(255, 255, 255), rgb(0, 0, 0));
}

static const struct {
	const char *name;
	void (*fn)(const struct head *h);
} steps[] = {
	{ "frame", step_frame },
	{ "word", step_word },
	{ "row", step_row },
	{ "tile", step_tile },
	{ "rectangle", step_rectangle },
	{ "unaligned", step_unaligned },
	{ "string", step_string },
	{ "modify", step_modify },
	{ "invisible", step_invisible },
	{ "solid", step_solid },
	{ "everything", step_everything },
};

int main(void)
{
	const char *why;

	guest_init();
	why = heads_find();
	if (!check(!why, "heads", why))
		return 1;
	if (!head_count) {
		check_skip("paint", "there is no head");
		return 0;
	}
	if (!check(heads_shadow(), "shadows", "not enough memory for a copy of every head; --memory gives more"))
		return 1;
	for (unsigned i = 0; i < head_count; i++) /* VRAM's content at boot is not specified: black, as the shadow is */
		paint_fill(&heads[i], 0, 0, heads[i].width, heads[i].height, 0);
	for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		for (unsigned n = 0; n < head_count; n++)
			steps[i].fn(&heads[n]);
		heads_report(steps[i].name);
	}
	return tests_failed() ? 1 : 0;
}
