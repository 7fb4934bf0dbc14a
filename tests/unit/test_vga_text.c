/*
 * Text as a picture. What a glyph looks like is judged by pictures of a few letters and by what the names of the others promise
 * (which edges a line reaches, which half a block fills); where it is drawn, in which colours, by a renderer of this test's own.
 */
/* links: devices/vga_text.c devices/vga_font.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "devices/vga_font.h"
#include "devices/vga_text.h"
#include "tests/unit/random.h"

static uint8_t memory[VGA_TEXT_MEMORY];
static uint8_t *picture, damaged[VGA_TEXT_BYTES];
static struct vga_text text;
static unsigned runs;

/* Stands in for the stream. */
void dtx_damage(struct display_tx *tx, unsigned head, uint64_t offset, uint64_t len)
{
	(void)tx;
	assert_int_equal(head, 5);
	assert_true(len && offset < VGA_TEXT_BYTES && len <= VGA_TEXT_BYTES - offset);
	memset(damaged + offset, 1, len);
	runs++;
}

static struct vga_text_mode mode3(void)
{
	struct vga_text_mode m;

	memset(&m, 0, sizeof(m));
	m.base = 0xb8000;
	m.columns = m.pitch = 80;
	m.rows = 25;
	m.width = 9;
	m.height = 16;
	m.blink = m.line_graphics = true;
	m.cursor_from = 1; /* > cursor_to: none */
	for (unsigned i = 0; i < 16; i++)
		m.colour[i] = (uint8_t)(0x40 + i);
	return m;
}

static int setup(void **state)
{
	(void)state;
	if (!picture)
		picture = malloc(VGA_TEXT_BYTES);
	memset(&text, 0, sizeof(text));
	text.picture = picture;
	memset(memory, 0, sizeof(memory));
	memset(damaged, 0, sizeof(damaged));
	runs = 0;
	return 0;
}

static void draw(const struct vga_text_mode *m)
{
	memset(damaged, 0, sizeof(damaged));
	runs = 0;
	vga_text_draw(&text, m, memory, NULL, 5);
}

static void put(unsigned at, uint8_t character, uint8_t attribute)
{
	memory[2 * at] = character;
	memory[2 * at + 1] = attribute;
}

/* ---- the font */

static void letters(void **state)
{
	static const struct {
		uint8_t character;
		const char *rows[16];
	} known[] = {
		{ 'E', { "", "", "#######", "##", "##", "##", "#####", "##", "##", "##", "##", "#######", "", "", "", "" } },
		{ 'T',
		  { "", "", " ######", "   ##", "   ##", "   ##", "   ##", "   ##", "   ##", "   ##", "   ##", "   ##", "", "", "",
		    "" } },
		{ 'p',
		  { "", "", "", "", "", "######", "##   ##", "##   ##", "##   ##", "##   ##", "##   ##", "######", "##", "##", "##",
		    "" } },
		{ 0x03,
		  { "", "", "", "", " ## ##", "#######", "#######", "#######", "#######", " #####", "  ###", "   #", "", "", "",
		    "" } },
	};

	(void)state;
	for (unsigned k = 0; k < sizeof(known) / sizeof(known[0]); k++)
		for (unsigned y = 0; y < 16; y++)
			for (unsigned x = 0; x < 8; x++) {
				const char *row = known[k].rows[y];
				bool ink = x < strlen(row) && row[x] == '#';

				if ((vga_font[known[k].character][y] >> (7 - x) & 1) != ink)
					fail_msg("%c, row %u, column %u", known[k].character, y, x);
			}
}

/* Letters, digits and signs are there, differ, and stand apart; only those with a descender go below the line. */
static void printable(void **state)
{
	static const char below[] = "gjpqy,;_Q$|";
	unsigned ink;

	(void)state;
	for (unsigned c = '!'; c <= '~'; c++) {
		ink = 0;
		for (unsigned y = 0; y < 16; y++) {
			ink |= vga_font[c][y];
			if (y >= 12 && vga_font[c][y] && !strchr(below, (int)c))
				fail_msg("%c goes below the line", c);
		}
		if (!ink || (vga_font[c][15] | vga_font[c][0]))
			fail_msg("%c is empty or fills its cell", c);
		if (c != '_' && c != '*' && (ink & 1))
			fail_msg("%c touches the next", c);
		for (unsigned d = '!'; d < c; d++)
			if (!memcmp(vga_font[c], vga_font[d], 16))
				fail_msg("%c looks like %c", c, d);
	}
	for (unsigned y = 0; y < 16; y++)
		assert_int_equal(vga_font[0x00][y] | vga_font[' '][y] | vga_font[0xff][y], 0);
}

/* Lines in a row or column of bits. */
static unsigned strokes(unsigned bits)
{
	return (unsigned)__builtin_popcount(bits & ~(bits << 1));
}

static unsigned column_bits(uint8_t c, unsigned x)
{
	unsigned bits = 0;

	for (unsigned y = 0; y < 16; y++)
		bits |= (vga_font[c][y] >> (7 - x) & 1u) << y;
	return bits;
}

/* Code page 437, b3 to da: how many lines go up, down, left and right ("BOX DRAWINGS ..." in Unicode's table of it). */
static void boxes(void **state)
{
	static const uint16_t arms[] = { 0x1100, 0x1110, 0x1120, 0x2210, 0x0210, 0x0120, 0x2220, 0x2200, 0x0220, 0x2020,
					 0x2010, 0x1020, 0x0110, 0x1001, 0x1011, 0x0111, 0x1101, 0x0011, 0x1111, 0x1102,
					 0x2201, 0x2002, 0x0202, 0x2022, 0x0222, 0x2202, 0x0022, 0x2222, 0x1022, 0x2011,
					 0x0122, 0x0211, 0x2001, 0x1002, 0x0102, 0x0201, 0x2211, 0x1122, 0x1010, 0x0101 };

	(void)state;
	for (unsigned i = 0; i < sizeof(arms) / sizeof(arms[0]); i++) {
		uint8_t c = (uint8_t)(0xb3 + i);
		unsigned got = strokes(vga_font[c][0]) << 12 | strokes(vga_font[c][15]) << 8 | strokes(column_bits(c, 0)) << 4 |
			       strokes(column_bits(c, 7));

		if (got != arms[i])
			fail_msg("%02x has arms %04x, not %04x", c, got, arms[i]);
		/* they meet those of each neighbour: the same dots everywhere */
		assert_true(!(arms[i] >> 12) || vga_font[c][0] == vga_font[arms[i] >> 12 == 1 ? 0xb3 : 0xba][0]);
		assert_true(!(arms[i] >> 8 & 15) || vga_font[c][15] == vga_font[(arms[i] >> 8 & 15) == 1 ? 0xb3 : 0xba][0]);
		assert_true(!(arms[i] >> 4 & 15) || column_bits(c, 0) == column_bits((arms[i] >> 4 & 15) == 1 ? 0xc4 : 0xcd, 0));
		assert_true(!(arms[i] & 15) || column_bits(c, 7) == column_bits((arms[i] & 15) == 1 ? 0xc4 : 0xcd, 0));
	}
}

static void blocks(void **state)
{
	unsigned ink[3] = { 0 };

	(void)state;
	for (unsigned y = 0; y < 16; y++) {
		assert_int_equal(vga_font[0xdb][y], 0xff);
		assert_int_equal(vga_font[0xdc][y], y >= 8 ? 0xff : 0);
		assert_int_equal(vga_font[0xdd][y], 0xf0);
		assert_int_equal(vga_font[0xde][y], 0x0f);
		assert_int_equal(vga_font[0xdf][y], y < 8 ? 0xff : 0);
		for (unsigned i = 0; i < 3; i++)
			ink[i] += (unsigned)__builtin_popcount(vga_font[0xb0 + i][y]);
	}
	assert_int_equal(ink[0], 32); /* a quarter, a half, three quarters of 128 */
	assert_int_equal(ink[1], 64);
	assert_int_equal(ink[2], 96);
}

/* ---- the picture */

/* A dot of the picture, straight from the rules. */
static uint8_t pixel(const struct vga_text_mode *m, unsigned x, unsigned y)
{
	unsigned row = y / m->height, column = x / m->width, dy = y % m->height, dx = x % m->width;
	unsigned at = (m->start + row * m->pitch + column) % 0x4000, c = memory[2 * at], a = memory[2 * at + 1];
	unsigned under = (m->cursor - m->start) & 0x3fff;
	bool ink = dx < 8 ? dy < 16 && (vga_font[c][dy] & 0x80 >> dx)
			  : m->line_graphics && c >> 5 == 6 && dy < 16 && (vga_font[c][dy] & 1);

	if (m->pitch && row == under / m->pitch && column == under % m->pitch && dy >= m->cursor_from && dy <= m->cursor_to)
		ink = true;
	return m->colour[ink ? a & 15 : m->blink ? a >> 4 & 7 : a >> 4];
}

static void expect_picture(const struct vga_text_mode *m)
{
	unsigned stride = m->columns * m->width;

	for (unsigned y = 0; y < (unsigned)m->rows * m->height; y++)
		for (unsigned x = 0; x < stride; x++)
			if (picture[y * stride + x] != pixel(m, x, y))
				fail_msg("%u, %u is 0x%02x, not 0x%02x", x, y, picture[y * stride + x], pixel(m, x, y));
}

static void one_cell(void **state)
{
	struct vga_text_mode m = mode3();
	struct scanout so;

	(void)state;
	draw(&m);
	assert_true(runs > 0);
	expect_picture(&m);
	vga_text_scanout(&text, &m, NULL, &so);
	assert_int_equal(so.width, 720);
	assert_int_equal(so.height, 400);
	assert_int_equal(so.stride, 720);
	assert_int_equal(so.bpp, 8);
	draw(&m);
	assert_int_equal(runs, 0); /* nothing was written: nothing to send */
	put(80 * 3 + 7, 0xdb, 0x1e);
	draw(&m);
	for (unsigned i = 0; i < 720 * 400; i++) {
		unsigned x = i % 720, y = i / 720, inside = x / 9 == 7 && y / 16 == 3;

		assert_int_equal(damaged[i], inside);
		assert_int_equal(picture[i], inside ? 0x4e : 0x40);
	}
}

static void cursor_moves(void **state)
{
	struct vga_text_mode m = mode3();

	(void)state;
	for (unsigned i = 0; i < 2000; i++)
		put(i, ' ', 0x07);
	m.cursor = 81;
	m.cursor_from = 13;
	m.cursor_to = 14;
	draw(&m);
	expect_picture(&m);
	assert_int_equal(picture[(16 + 13) * 720 + 9], 0x47);
	m.cursor = 82;
	draw(&m);
	expect_picture(&m);
	assert_int_equal(runs, 16); /* both cells lie side by side: one run of each row of dots */
	m.cursor = 80 * 25;
	draw(&m);
	expect_picture(&m);
	m.cursor_from = 0;
	draw(&m);
	assert_int_equal(runs, 0); /* its shape, where it is not */
}

/* Random text and modes: the picture is always that of the rules, and what changed in it was told. */
static void random_modes(void **state)
{
	static uint8_t before[VGA_TEXT_BYTES];
	struct vga_text_mode m = mode3(), was = m;
	struct rng r = rng_seed(3);

	(void)state;
	rng_fill(&r, memory, sizeof(memory));
	draw(&m);
	for (unsigned n = 0; n < 300; n++) {
		unsigned size;

		for (unsigned i = rng_below(&r, 40); i; i--)
			put(rng_below(&r, rng_once_in(&r, 4) ? 0x4000 : 2000), (uint8_t)rng_next(&r), (uint8_t)rng_next(&r));
		switch (rng_below(&r, 12)) {
		case 0: m.start = (uint16_t)rng_next(&r); break;
		case 1: m.pitch = (uint16_t)(2 * rng_below(&r, 256)); break;
		case 2: m.width = 17 - m.width; break;
		case 3: m.height = (uint8_t)(8 + rng_below(&r, 12)); break;
		case 4: m.columns = (uint16_t)(1 + rng_below(&r, VGA_TEXT_COLUMNS)); break;
		case 5: m.blink = !m.blink; break;
		case 6: m.line_graphics = !m.line_graphics; break;
		case 7: m.colour[rng_below(&r, 16)] = (uint8_t)rng_next(&r); break;
		default:
			m.cursor = (uint16_t)(m.start + rng_below(&r, 2100));
			m.cursor_from = (uint8_t)rng_below(&r, 20);
			m.cursor_to = (uint8_t)rng_below(&r, 20);
		}
		memcpy(before, picture, VGA_TEXT_BYTES);
		draw(&m);
		expect_picture(&m);
		size = m.columns * m.width * m.rows * (unsigned)m.height;
		if (was.columns == m.columns && was.width == m.width && was.height == m.height)
			for (unsigned i = 0; i < size; i++)
				assert_true(damaged[i] || picture[i] == before[i]);
		was = m;
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(letters, setup),	     cmocka_unit_test_setup(printable, setup),
		cmocka_unit_test_setup(boxes, setup),	     cmocka_unit_test_setup(blocks, setup),
		cmocka_unit_test_setup(one_cell, setup),     cmocka_unit_test_setup(cursor_moves, setup),
		cmocka_unit_test_setup(random_modes, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
