/*
 * The VGA's text mode as a kernel without a driver uses it. Each picture is worked out here from characters whose dots need no font
 * (blank, full and half blocks) and from the colours that every VGA has, so the VMM's renderer is not asked what is right.
 */
#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/crc32.h"
#include "guest-tests/lib/hyper.h"
#include "guest-tests/lib/pci.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/prng.h"
#include "guest-tests/lib/string.h"

#define COLUMNS 80u
#define ROWS 25u
#define HEIGHT 16u
#define CELLS 0x4000u /* in the 32 KiB at b8000 */
#define FB_TEXT 2
#define HEAD_ID 0x11111234u

int main(void);

static volatile uint16_t *const memory = (volatile uint16_t *)0xb8000;
static uint32_t *shown; /* the picture as it should be */

/* What the registers are set to, and the picture follows from. */
static struct {
	unsigned start, pitch, cursor, from, to, width;
	bool blink;
	uint32_t colour[16];
} vga;

static struct prng prng = { 0x7e87 };

static void crtc(unsigned index, unsigned value)
{
	outw(0x3d4, (uint16_t)(index | value << 8));
}

static void attribute(unsigned index, uint8_t value)
{
	(void)inb(0x3da);
	outb(0x3c0, (uint8_t)index);
	outb(0x3c0, value);
	outb(0x3c0, 0x20);
}

/* ---- the picture */

static bool dot(uint8_t character, unsigned x, unsigned y)
{
	if (x == 8) /* line graphics repeat the eighth column; the blocks are among them */
		x = 7;
	switch (character) {
	case 0xdb: return true;
	case 0xdc: return y >= HEIGHT / 2;
	case 0xdd: return x < 4;
	case 0xde: return x >= 4;
	case 0xdf: return y < HEIGHT / 2;
	default: return false;
	}
}

static void draw_cell(unsigned row, unsigned column)
{
	unsigned at = (vga.start + row * vga.pitch + column) % CELLS, line = COLUMNS * vga.width;
	uint16_t cell = memory[at];
	uint32_t front = vga.colour[cell >> 8 & 15], back = vga.colour[cell >> 12 & (vga.blink ? 7 : 15)];

	for (unsigned y = 0; y < HEIGHT; y++)
		for (unsigned x = 0; x < vga.width; x++) {
			bool on = dot((uint8_t)cell, x, y) || (at == vga.cursor && y >= vga.from && y <= vga.to);

			shown[(row * HEIGHT + y) * line + column * vga.width + x] = on ? front : back;
		}
}

static void show(void)
{
	for (unsigned row = 0; row < ROWS; row++)
		for (unsigned column = 0; column < COLUMNS; column++)
			draw_cell(row, column);
	print("screen head=0 size=%ux%u crc=%08X\n", COLUMNS * vga.width, ROWS * HEIGHT,
	      crc32_pixels(0, shown, (uint64_t)COLUMNS * vga.width * ROWS * HEIGHT));
	hyper_screenshot();
}

static uint16_t any_cell(void)
{
	static const uint8_t characters[] = { 0x00, 0x20, 0xff, 0xdb, 0xdc, 0xdd, 0xde, 0xdf };
	uint32_t r = prng_next(&prng);

	return (uint16_t)(characters[r & 7] | (r >> 16 & 0xff) << 8);
}

/* ---- mode 3, as a video BIOS sets it */

static void mode3(void)
{
	static const uint8_t crtc3[] = { 0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00,
					 0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff };
	static const uint8_t seq[] = { 3, 0, 3, 0, 2 }, graphics[] = { 0, 0, 0, 0, 0, 0x10, 0x0e, 0, 0xff };

	outb(0x3c2, 0x67);
	for (unsigned i = 0; i < sizeof(seq); i++)
		outw(0x3c4, (uint16_t)(i | seq[i] << 8));
	crtc(0x11, 0x0e); /* opens 0 to 7 */
	for (unsigned i = 0; i < sizeof(crtc3); i++)
		crtc(i, crtc3[i]);
	for (unsigned i = 0; i < sizeof(graphics); i++)
		outw(0x3ce, (uint16_t)(i | graphics[i] << 8));
	for (unsigned i = 0; i < 16; i++)
		attribute(i, (uint8_t)(i < 8 ? (i == 6 ? 0x14 : i) : 0x30 + i));
	attribute(0x10, 0x0c);
	attribute(0x11, 0);
	attribute(0x12, 15);
	attribute(0x13, 8);
	attribute(0x14, 0);
	outb(0x3c6, 0xff);
	outb(0x3c8, 0);
	for (unsigned i = 0; i < 64; i++)
		for (int bit = 2; bit >= 0; bit--)
			outb(0x3c9, (uint8_t)((i >> bit & 1) * 42 + (i >> (bit + 3) & 1) * 21));
}

/* The sixteen colours that this shows. */
static void defaults(void)
{
	static const uint32_t colour[16] = { 0x000000, 0x0000aa, 0x00aa00, 0x00aaaa, 0xaa0000, 0xaa00aa, 0xaa5500, 0xaaaaaa,
					     0x555555, 0x5555ff, 0x55ff55, 0x55ffff, 0xff5555, 0xff55ff, 0xffff55, 0xffffff };

	vga.start = vga.cursor = 0;
	vga.pitch = COLUMNS;
	vga.from = 13;
	vga.to = 14;
	vga.width = 9;
	vga.blink = true;
	memcpy(vga.colour, colour, sizeof(colour));
}

static void cursor(unsigned at, unsigned from, unsigned to)
{
	vga.cursor = at;
	vga.from = from;
	vga.to = to;
	crtc(0x0e, at >> 8);
	crtc(0x0f, at & 0xff);
	crtc(0x0a, from);
	crtc(0x0b, to);
}

static void start(unsigned at)
{
	vga.start = at;
	crtc(0x0c, at >> 8);
	crtc(0x0d, at & 0xff);
}

/* ---- tests; each leaves text mode with its picture */

/* Nothing was set up by this kernel: what it finds, and the cleared screen with a cursor. */
static void test_found(void)
{
	struct hc_head info;

	expect(boot.flags & MBI_FRAMEBUFFER, "no framebuffer information");
	expect_eq("its type", boot.fb_type, FB_TEXT);
	expect_eq("its address", boot.fb_addr, 0xb8000);
	expect_eq("its width", boot.fb_width, COLUMNS);
	expect_eq("its height", boot.fb_height, ROWS);
	expect_eq("its pitch", boot.fb_pitch, 2 * COLUMNS);
	expect_eq("head 0", (uint64_t)hypercall(HC_HEAD_INFO, 0, (uint64_t)&info), 0);
	expect_eq("a framebuffer's width", info.width, 0);
	outb(0x3d4, 0x13);
	expect_eq("the offset register", inb(0x3d5), COLUMNS / 2);
	expect_eq("a monochrome CRTC", inb(0x3b5), 0xff);
	for (unsigned i = 0; i < CELLS; i++)
		expect(memory[i] == 0x0720, "cell %u is 0x%x", i, memory[i]);
	defaults();
	show();
}

/* Every attribute, with every character whose dots are known. */
static void test_attributes(void)
{
	static const uint8_t characters[] = { 0xdb, 0xdc, 0xdd, 0xde, 0xdf, 0x20, 0x00 };

	for (unsigned i = 0; i < COLUMNS * ROWS; i++)
		memory[i] = (uint16_t)(characters[i / 256 % 7] | (i & 255) << 8);
	show();
	vga.blink = false;
	attribute(0x10, 0x04);
	show();
	vga.blink = true;
	attribute(0x10, 0x0c);
}

static void test_cursor(void)
{
	memory[COLUMNS * 12 + 79] = 0x4a20;
	memory[COLUMNS * 24 + 79] = 0x1e00;
	memory[COLUMNS * 3] = 0x2f20;
	cursor(COLUMNS * 12 + 79, 0, 15);
	show();
	cursor(COLUMNS * 24 + 79, 7, 7);
	show();
	crtc(0x0a, 0x27); /* off */
	vga.from = 99;
	show();
	cursor(COLUMNS * 3, 9, 4); /* ends before it begins */
	show();
	cursor(COLUMNS * 25, 0, 15); /* below the picture */
	show();
}

/* The start moves; at the end of the 32 KiB text goes on at their beginning. */
static void test_start(void)
{
	for (unsigned i = 0; i < CELLS; i++)
		memory[i] = any_cell();
	cursor(COLUMNS * 30 + 5, 4, 11);
	start(COLUMNS * 20);
	show();
	start(CELLS - COLUMNS * 7 - 3);
	show();
	vga.pitch = 100;
	crtc(0x13, 50);
	show();
	vga.pitch = COLUMNS;
	crtc(0x13, 40);
	start(0);
}

static void test_palette(void)
{
	outb(0x3c8, 0x3f);
	outb(0x3c9, 63), outb(0x3c9, 0), outb(0x3c9, 32);
	vga.colour[15] = 0xff0082;
	attribute(2, 0x04);
	vga.colour[2] = vga.colour[4];
	show();
	mode3();
	defaults();
	show();
}

static void test_eight_dots(void)
{
	vga.width = 8;
	outw(0x3c4, 0x0101);
	show();
	vga.width = 9;
	outw(0x3c4, 0x0001);
}

/* A word at a time, as a kernel prints, and by a string instruction, as it scrolls. */
static void test_print(void)
{
	uint64_t from = (uint64_t)(memory + COLUMNS), to = (uint64_t)memory, words = COLUMNS * (ROWS - 1);

	for (unsigned i = 0; i < 40; i++) {
		unsigned at = prng_next(&prng) % (COLUMNS * ROWS);

		memory[at] = any_cell();
		cursor(at, 12, 13);
	}
	show();
	__asm__ volatile("cld; rep movsw" : "+S"(from), "+D"(to), "+c"(words)::"memory");
	show();
}

/* A graphics mode takes the screen; when it is turned off, text is there again, and what was written meanwhile. */
static void test_graphics(void)
{
	volatile uint16_t *dispi = NULL;
	volatile uint32_t *vram = NULL;

	for (unsigned slot = 0; slot < 32 && !dispi; slot++)
		if (pci_read(slot, 0) == HEAD_ID) {
			dispi = (volatile uint16_t *)(uint64_t)((pci_read(slot, PCI_BAR(2)) & ~0xfu) + 0x500);
			vram = (volatile uint32_t *)(uint64_t)(pci_read(slot, PCI_BAR(0)) & ~0xfu);
		}
	if (!expect(dispi, "head 0 has no PCI function"))
		return;
	dispi[3] = 32, dispi[1] = 64, dispi[2] = 32, dispi[4] = 0x41;
	for (unsigned i = 0; i < 64 * 32; i++)
		vram[i] = shown[i] = prng_next(&prng) & 0xffffff;
	print("screen head=0 size=64x32 crc=%08X\n", crc32_pixels(0, shown, 64 * 32));
	hyper_screenshot();
	memory[COLUMNS + 1] = 0x4edb;
	dispi[4] = 0;
	show();
}

/* Every port of the VGA, with anything; then mode 3, and all is well. */
static void test_hostile(void)
{
	for (unsigned n = 0; n < 4000; n++) {
		uint32_t r = prng_next(&prng);
		uint16_t port = (uint16_t)(0x3b0 + (r >> 8) % 0x30);

		if (r & 0x80)
			outw(port, (uint16_t)(r >> 16));
		else if (r & 0x40)
			outb(port, (uint8_t)(r >> 16));
		else
			(void)inl(port);
	}
	mode3();
	defaults();
	cursor(0, 13, 14);
	show();
}

/* Waiting for the vertical retrace ends, and takes as long as a picture lasts at 70 Hz; how exact that is, is not the point. */
static void test_retrace(void)
{
	unsigned turns = 0;

	for (unsigned i = 0; i < 3; i++) {
		while (!(inb(0x3da) & 8) && ++turns < 1000000)
			;
		while ((inb(0x3da) & 8) && ++turns < 1000000)
			;
	}
	expect(turns < 1000000, "there is no retrace");
	expect(turns > 6, "the retrace is not one of a monitor");
}

static const struct test tests[] = {
	{ "text-found", test_found },
	{ "text-attributes", test_attributes },
	{ "text-cursor", test_cursor },
	{ "text-start", test_start },
	{ "text-palette", test_palette },
	{ "text-eight-dots", test_eight_dots },
	{ "text-print", test_print },
	{ "text-graphics", test_graphics },
	{ "text-hostile", test_hostile },
	{ "text-retrace", test_retrace },
	{ 0 },
};

int main(void)
{
	guest_init();
	shown = ram_alloc(COLUMNS * 9 * ROWS * HEIGHT * sizeof(*shown));
	if (!check(shown && hyper_present(), "screen", "no memory, or not under Tessera"))
		return 1;
	tests_run(tests);
	return tests_failed() ? 1 : 0;
}
