/* Display heads: modes, scanouts, dirty pages to damage, and the --heads option. */
/* links: devices/head.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "devices/head.h"

#define PAGE 4096u
#define VRAM_PAGES 300u

static uint8_t damaged[VRAM_PAGES * PAGE]; /* by offset from the scanout's base */
static unsigned runs, damaged_head;

/* Stands in for the stream. */
void dtx_damage(struct display_tx *tx, unsigned head, uint64_t offset, uint64_t len)
{
	(void)tx;
	assert_true(len > 0 && offset < sizeof(damaged) && len <= sizeof(damaged) - offset);
	damaged_head = head;
	runs++;
	memset(damaged + offset, 1, len);
}

static void modes(void **state)
{
	static uint8_t vram[64 * PAGE];
	struct head h = { .index = 2, .vram_bytes = sizeof(vram), .vram = vram };
	struct scanout so;

	(void)state;
	head_scanout(&h, &so);
	assert_int_equal(so.width, 0);
	assert_int_equal(head_set_mode(&h, 256, 256), 0);
	assert_int_equal(head_set_mode(&h, 256, 257), -EINVAL);
	assert_int_equal(head_set_mode(&h, 0, 10), -EINVAL);
	assert_int_equal(head_set_mode(&h, 10, 0), -EINVAL);
	assert_int_equal(head_set_mode(&h, 8193, 1), -EINVAL);
	assert_int_equal(head_set_mode(&h, UINT32_MAX, UINT32_MAX), -EINVAL);
	assert_int_equal(h.width, 256); /* a refused mode changes nothing */
	head_scanout(&h, &so);
	assert_ptr_equal(so.base, vram);
	assert_int_equal(so.stride, 1024);
	assert_int_equal(so.width, 256);
	assert_int_equal(so.height, 256);
	assert_int_equal(so.bpp, 32);
	/* what a guest may write into a display's registers later: past the end means off */
	h.start = 4;
	head_scanout(&h, &so);
	assert_int_equal(so.width, 0);
	assert_null(so.base);
	h.height = 255;
	head_scanout(&h, &so);
	assert_int_equal(so.height, 255);
	assert_ptr_equal(so.base, vram + 4);
	h.start = UINT32_MAX;
	head_scanout(&h, &so);
	assert_int_equal(so.width, 0);
	h.start = UINT64_MAX;
	head_scanout(&h, &so);
	assert_int_equal(so.width, 0);
	h.start = 0;
	h.stride = UINT32_MAX;
	head_scanout(&h, &so);
	assert_int_equal(so.width, 0);
	h.stride = 1020;
	head_scanout(&h, &so);
	assert_int_equal(so.width, 0);
	/* other depths need less of a row; unknown ones show nothing */
	static const uint8_t bpp[] = { 8, 15, 16, 24 };

	for (unsigned i = 0; i < sizeof(bpp); i++) {
		h.bpp = bpp[i];
		h.stride = 256 * ((bpp[i] + 7u) / 8);
		assert_int_equal(head_visible(&h), (uint64_t)h.stride * 255);
		h.stride--;
		assert_int_equal(head_visible(&h), 0);
	}
	h.stride = 1024;
	h.bpp = 4;
	assert_int_equal(head_visible(&h), 0);
	h.bpp = 32;
	assert_int_equal(head_visible(&h), 1024 * 255);
	h.on = false;
	assert_int_equal(head_visible(&h), 0);
}

/* Every visible byte of a dirty page is damaged, no byte outside, and each run of pages is told once. */
static void damage_is_exact(void **state)
{
	static uint8_t vram[1];
	struct head h = { .index = 3, .vram_bytes = VRAM_PAGES * PAGE, .vram = vram };

	(void)state;
	srand(2);
	for (unsigned round = 0; round < 300; round++) {
		uint64_t bitmap[(VRAM_PAGES + 63) / 64 + 1];
		unsigned first = round % 3 ? 0 : (unsigned)rand() % (VRAM_PAGES + 10);
		unsigned pages = round % 7 == 0 ? VRAM_PAGES + 50 : (unsigned)rand() % (VRAM_PAGES + 1), want_runs = 0;
		bool shown, before = false;

		for (unsigned i = 0; i < sizeof(bitmap) / sizeof(bitmap[0]); i++)
			bitmap[i] = round % 5 == 0   ? UINT64_MAX
				    : round % 5 == 1 ? 0
						     : (uint64_t)rand() << 33 ^ (uint64_t)rand() << 11;
		assert_int_equal(head_set_mode(&h, 1 + rand() % 500, 1 + rand() % 600), 0);
		h.stride += 4 * (rand() % 3);
		h.start = (uint32_t)rand() % (3 * PAGE);
		uint64_t len = (uint64_t)h.stride * (h.height - 1u) + h.width * 4u;

		shown = h.start + len <= h.vram_bytes;
		runs = 0;
		memset(damaged, 0, sizeof(damaged));
		head_damage(&h, NULL, first, bitmap, pages);
		for (uint64_t i = 0; i < VRAM_PAGES * PAGE; i++) {
			uint64_t page = i / PAGE;
			uint64_t bit = page - first;
			bool dirty = page >= first && bit < pages && (bitmap[bit / 64] >> (bit % 64) & 1);
			bool visible = shown && i >= h.start && i < h.start + len;

			if (visible && dirty != damaged[i - h.start])
				fail_msg("round %u: byte %llu of VRAM", round, (unsigned long long)i);
			want_runs += visible && dirty && !before;
			before = visible && dirty;
		}
		for (uint64_t i = shown ? len : 0; i < sizeof(damaged); i++)
			if (damaged[i])
				fail_msg("round %u: damage past what is visible", round);
		assert_int_equal(runs, want_runs);
		if (runs)
			assert_int_equal(damaged_head, 3);
	}
}

static void option(void **state)
{
	static const struct {
		const char *spec;
		int count;
		uint16_t first[2], last[2];
	} cases[] = {
		{ "none", 0, { 0, 0 }, { 0, 0 } },
		{ "1", 1, { 1024, 768 }, { 1024, 768 } },
		{ "4", 4, { 1024, 768 }, { 1024, 768 } },
		{ "16", 16, { 1024, 768 }, { 1024, 768 } },
		{ "640x480", 1, { 640, 480 }, { 640, 480 } },
		{ "640x480,1920x1080", 2, { 640, 480 }, { 1920, 1080 } },
		{ "1x1,8192x512,512x8192", 3, { 1, 1 }, { 512, 8192 } },
		{ "2048x2048", 1, { 2048, 2048 }, { 2048, 2048 } },
	};
	static const char *const bad[] = {
		"",
		"0",
		"17",
		"-1",
		"+1",
		" 1",
		"1 ",
		"04x",
		"x",
		"1x",
		"x1",
		"0x5",
		"5x0",
		"8193x1",
		"1x8193",
		"2048x2049",
		"8192x8192",
		"640x480,",
		",640x480",
		"640x480,,640x480",
		"640x480,none",
		"640x480,2",
		"2,640x480",
		"640X480",
		"640x480x2",
		"99999999999x1",
		"65537x65537",
		"4294967297",
		"None",
		"none ",
		"1,1",
		"640*480",
		"00640x480",
		"1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1",
	};
	uint16_t sizes[DISPLAY_HEADS][2];

	(void)state;
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int n = heads_parse(cases[i].spec, sizes, DISPLAY_HEADS);

		assert_int_equal(n, cases[i].count);
		if (n > 0) {
			assert_memory_equal(sizes[0], cases[i].first, sizeof(sizes[0]));
			assert_memory_equal(sizes[n - 1], cases[i].last, sizeof(sizes[0]));
		}
	}
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (heads_parse(bad[i], sizes, DISPLAY_HEADS) != -EINVAL)
			fail_msg("\"%s\" was taken", bad[i]);
	assert_int_equal(heads_parse("3", sizes, 2), -EINVAL);
	assert_int_equal(heads_parse("1x1,1x1,1x1", sizes, 2), -EINVAL);
	assert_int_equal(heads_parse("1x1,1x1", sizes, 2), 2);
}

static void option_fuzz(void **state)
{
	static const char letters[] = "0123456789x,none ";

	(void)state;
	srand(3);
	for (unsigned round = 0; round < 200000; round++) {
		unsigned len = (unsigned)rand() % 39, max = 1 + (unsigned)rand() % 4;
		char *spec = malloc(len + 1); /* exact, so that a read past the end is seen */
		uint16_t sizes[4][2];

		for (unsigned i = 0; i < len; i++)
			spec[i] = letters[(unsigned)rand() % (sizeof(letters) - 1)];
		spec[len] = 0;
		int n = heads_parse(spec, sizes, max);

		assert_true(n == -EINVAL || (n >= 0 && n <= (int)max));
		for (int i = 0; i < n; i++)
			assert_true(sizes[i][0] >= 1 && sizes[i][1] >= 1 && sizes[i][0] * sizes[i][1] * 4u <= 16u << 20);
		free(spec);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(modes),
		cmocka_unit_test(damage_is_exact),
		cmocka_unit_test(option),
		cmocka_unit_test(option_fuzz),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
