/* VGA registers: what a BIOS leaves, indexed registers and their quirks, DAC, retrace, text modes, and a million random accesses.
 */
/* links: devices/vga.c devices/bus.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <string.h>

#include "devices/vga.h"
#include "tests/unit/random.h"

static struct bus bus;
static struct vga vga;
static uint32_t palette[256];
static uint64_t time_ns;
static unsigned changes, palette_changes;

static uint64_t now(void *arg)
{
	(void)arg;
	return time_ns;
}

static struct clock clk = { .now = now };

static void changed(void *arg, bool pal)
{
	assert_ptr_equal(arg, palette);
	changes += !pal;
	palette_changes += pal;
}

static int setup(void **state)
{
	(void)state;
	memset(&bus, 0, sizeof(bus));
	time_ns = 0;
	vga_init(&vga, &clk, palette, changed, palette);
	vga_reset(&vga);
	changes = palette_changes = 0;
	return bus_add(&bus, BUS_PIO, VGA_PORT, VGA_PORTS, &vga_ops, &vga);
}

static void out(unsigned port, uint8_t value)
{
	bus_write(&bus, BUS_PIO, port, 1, value);
}

static uint8_t in(unsigned port)
{
	return (uint8_t)bus_read(&bus, BUS_PIO, port, 1);
}

/* Index and data in one 16-bit access, as drivers do it. */
static void pair(unsigned port, uint8_t index, uint8_t value)
{
	bus_write(&bus, BUS_PIO, port, 2, index | value << 8);
}

static uint8_t get(unsigned port, uint8_t index)
{
	out(port, index);
	return in(port + 1);
}

static void attribute(uint8_t index, uint8_t value)
{
	(void)in(0x3da);
	out(0x3c0, index);
	out(0x3c0, value);
}

/* Mode 3 of every VGA: geometry by the registers' meaning, colours by the EGA's. */
static void mode3(void **state)
{
	static const uint32_t colour[16] = { 0x000000, 0x0000aa, 0x00aa00, 0x00aaaa, 0xaa0000, 0xaa00aa, 0xaa5500, 0xaaaaaa,
					     0x555555, 0x5555ff, 0x55ff55, 0x55ffff, 0xff5555, 0xff55ff, 0xffff55, 0xffffff };
	struct vga_text_mode m;

	(void)state;
	assert_true(vga_text_mode(&vga, &m));
	assert_int_equal(m.base, 0xb8000);
	assert_int_equal(m.columns, 80);
	assert_int_equal(m.rows, 25);
	assert_int_equal(m.width, 9);
	assert_int_equal(m.height, 16);
	assert_int_equal(m.start, 0);
	assert_int_equal(m.pitch, 80);
	assert_int_equal(m.cursor, 0);
	assert_int_equal(m.cursor_from, 13);
	assert_int_equal(m.cursor_to, 14);
	assert_true(m.blink && m.line_graphics);
	for (unsigned i = 0; i < 16; i++)
		assert_int_equal(palette[m.colour[i]], colour[i]);
	assert_int_equal(in(0x3cc) & 1, 1);
	assert_int_equal(get(0x3d4, 1), 79);
	assert_int_equal(get(0x3ce, 6), 0x0e);
	assert_int_equal(get(0x3c4, 2), 3);
}

static void text_modes(void **state)
{
	struct vga_text_mode m;

	(void)state;
	pair(0x3d4, 0x0e, 0x07);
	pair(0x3d4, 0x0f, 0xcf);
	pair(0x3d4, 0x0c, 0x01);
	pair(0x3d4, 0x0d, 0x40);
	pair(0x3d4, 0x0a, 0x00);
	assert_int_equal(changes, 5);
	pair(0x3d4, 0x0a, 0x00);
	assert_int_equal(changes, 5); /* the same value changes nothing */
	assert_true(vga_text_mode(&vga, &m));
	assert_int_equal(m.cursor, 1999);
	assert_int_equal(m.start, 320);
	assert_int_equal(m.cursor_from, 0);
	pair(0x3d4, 0x0a, 0x20);
	assert_true(vga_text_mode(&vga, &m) && m.cursor_from > m.cursor_to);
	pair(0x3d4, 0x09, 0x47); /* 8 rows of dots: 50 lines */
	assert_true(vga_text_mode(&vga, &m));
	assert_int_equal(m.rows, 50);
	pair(0x3c4, 1, 0x01);
	assert_true(vga_text_mode(&vga, &m) && m.width == 8);
	pair(0x3ce, 6, 0x0a); /* b0000 */
	assert_true(vga_text_mode(&vga, &m) && m.base == 0xb0000);
	pair(0x3ce, 6, 0x05);
	assert_false(vga_text_mode(&vga, &m));
	pair(0x3ce, 6, 0x0e);
	pair(0x3c4, 1, 0x20); /* screen off */
	assert_false(vga_text_mode(&vga, &m));
	pair(0x3c4, 1, 0x00);
	(void)in(0x3da);
	out(0x3c0, 0x00); /* palette address source */
	assert_false(vga_text_mode(&vga, &m) || vga_shows(&vga));
	out(0x3c0, 0x05); /* data of register 0 */
	out(0x3c0, 0x20);
	assert_true(vga_text_mode(&vga, &m) && vga_shows(&vga));
	assert_int_equal(m.colour[0], 5);
	attribute(0x34, 0x0c); /* colour select: bits 6 and 7 */
	assert_true(vga_text_mode(&vga, &m) && m.colour[1] == 0xc1);
	attribute(0x30, 0x84); /* bits 4 and 5 too; bright backgrounds */
	attribute(0x34, 0x0a);
	assert_true(vga_text_mode(&vga, &m) && !m.blink && m.line_graphics);
	assert_int_equal(m.colour[6], 0xa4);
	out(0x3c6, 0x0f);
	assert_true(vga_text_mode(&vga, &m) && m.colour[6] == 0x04);
}

static void crtc_protection(void **state)
{
	(void)state;
	assert_int_equal(get(0x3d4, 0x11) & 0x80, 0x80);
	pair(0x3d4, 0x01, 0x27);
	assert_int_equal(get(0x3d4, 0x01), 79);
	pair(0x3d4, 0x07, 0x00);
	assert_int_equal(get(0x3d4, 0x07), 0x0f); /* bit 4 alone may be written */
	pair(0x3d4, 0x11, 0x0e);
	pair(0x3d4, 0x01, 0x27);
	assert_int_equal(get(0x3d4, 0x01), 39);
	assert_int_equal(get(0x3d4, 0x30), 0xff);
}

/* Bit 0 of the miscellaneous output register moves the CRTC and status 1. */
static void monochrome(void **state)
{
	(void)state;
	assert_int_equal(in(0x3b5), 0xff);
	out(0x3c2, 0x66);
	assert_int_equal(in(0x3cc), 0x66);
	assert_int_equal(get(0x3b4, 1), 79);
	assert_int_equal(in(0x3d5), 0xff);
	pair(0x3d4, 0x0f, 9);
	assert_int_equal(get(0x3b4, 0x0f), 0);
	assert_int_equal(in(0x3da), 0xff);
	assert_int_equal(in(0x3ba) & 0xf6, 0);
}

static void dac(void **state)
{
	(void)state;
	out(0x3c8, 255);
	out(0x3c9, 63), out(0x3c9, 1);
	assert_int_equal(palette_changes, 0);
	out(0x3c9, 0xff);
	assert_int_equal(palette_changes, 1);
	assert_int_equal(palette[255], 0xff04ff);
	assert_int_equal(in(0x3c8), 0);
	out(0x3c7, 255);
	assert_int_equal(in(0x3c9), 63);
	assert_int_equal(in(0x3c9), 1);
	assert_int_equal(in(0x3c9), 63);
	vga.dac8 = true;
	out(0x3c8, 3);
	out(0x3c9, 0x12), out(0x3c9, 0x34), out(0x3c9, 0x56);
	assert_int_equal(palette[3], 0x123456);
	out(0x3c7, 3);
	assert_int_equal(in(0x3c9), 0x12);
	assert_int_equal(in(0x3c6), 0xff);
}

/* 70 pictures a second, of which a part is retrace; every line ends in a part that is not shown. */
static void retrace(void **state)
{
	unsigned rises = 0, line_ends = 0;
	uint8_t old = 0;

	(void)state;
	for (time_ns = 0; time_ns < 1000000000; time_ns += 3000) {
		uint8_t s = in(0x3da);

		assert_true(!(s & 8) || (s & 1));
		rises += !(old & 8) && (s & 8);
		line_ends += !(old & 1) && (s & 1) && !(s & 8);
		old = s;
	}
	assert_in_range(rises, 70, 71);
	assert_in_range(line_ends, 70 * 399, 71 * 401);
}

/* Whatever is written: a text mode has bounds that a picture can be made in. */
static void hostile(void **state)
{
	struct rng r = rng_seed(77);
	unsigned texts = 0;
	struct vga_text_mode m;

	(void)state;
	for (unsigned n = 0; n < 1000000; n++) {
		unsigned port = VGA_PORT + rng_below(&r, VGA_PORTS), size = 1u << rng_below(&r, 3);

		if (rng_once_in(&r, 5000))
			vga_reset(&vga);
		time_ns += rng_next(&r);
		if (rng_once_in(&r, 3))
			(void)bus_read(&bus, BUS_PIO, port, size);
		else
			bus_write(&bus, BUS_PIO, port, size, rng_next(&r));
		if (!vga_text_mode(&vga, &m))
			continue;
		texts++;
		assert_in_range(m.columns, 1, VGA_TEXT_COLUMNS);
		assert_in_range(m.rows * m.height, 1, VGA_TEXT_LINES);
		assert_in_range(m.rows * m.columns, 1, VGA_TEXT_CELLS);
		assert_true(m.base == 0xb8000 || m.base == 0xb0000);
	}
	assert_true(texts > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(mode3, setup),
		cmocka_unit_test_setup(text_modes, setup),
		cmocka_unit_test_setup(crtc_protection, setup),
		cmocka_unit_test_setup(monochrome, setup),
		cmocka_unit_test_setup(dac, setup),
		cmocka_unit_test_setup(retrace, setup),
		cmocka_unit_test_setup(hostile, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
