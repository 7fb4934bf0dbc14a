/*
 * The heads as a driver sees them: PCI functions whose registers set modes of every depth, pan, flip and blank, and whose VRAM
 * moves. Each picture is worked out apart from VRAM, and the far end must show just that.
 */
#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/crc32.h"
#include "guest-tests/lib/heads.h"
#include "guest-tests/lib/hyper.h"
#include "guest-tests/lib/pci.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/prng.h"

#define SLOTS 32
#define ID 0x11111234u
#define MODE_W 104u
#define MODE_H 72u
#define LINE_W 152u /* virtual width */
#define LINES 300u
#define ENABLE_ON 0x41u
#define NOCLEAR 0x80u
#define SPARE 0xc0000000u /* free address space */

enum { XRES = 1, YRES, BPP, ENABLE, BANK, VIRT_WIDTH, VIRT_HEIGHT, X_OFFSET, Y_OFFSET, MEMORY_64K };

struct display {
	unsigned slot;
	uint64_t bar0, bytes;
	volatile uint8_t *vram, *regs;
	uint32_t shown[MODE_W * MODE_H]; /* what should be visible */
};

static struct display *display[HEADS_MAX];
static unsigned display_count;
static struct prng prng = { 0x7e55e7a };

int main(void);

static void dispi(const struct display *d, unsigned reg, uint16_t value)
{
	*(volatile uint16_t *)(d->regs + 0x500 + 2 * reg) = value;
}

static uint16_t dispi_read(const struct display *d, unsigned reg)
{
	return *(volatile uint16_t *)(d->regs + 0x500 + 2 * reg);
}

/* By an instruction of its own: GCC 12 repeats the last of a loop's volatile stores behind the loop. */
static void write8(const struct display *d, unsigned offset, uint8_t value)
{
	__asm__ volatile("movb %1, (%0)" ::"r"(d->regs + offset), "q"(value) : "memory");
}

static void blank(const struct display *d, bool yes)
{
	(void)*(d->regs + 0x41a); /* 3da: the next write to 3c0 is an index */
	write8(d, 0x400, yes ? 0 : 0x20);
}

static void find(void)
{
	for (unsigned slot = 0; slot < SLOTS && display_count < HEADS_MAX; slot++) {
		struct display *d;

		if (pci_read(slot, 0) != ID)
			continue;
		d = display[display_count++] = ram_alloc(sizeof(*d));
		d->slot = slot;
		d->bar0 = pci_read(slot, PCI_BAR(0)) & ~0xfu;
		pci_write(slot, PCI_BAR(0), ~0u);
		d->bytes = ~(pci_read(slot, PCI_BAR(0)) & ~0xfu) + 1u;
		pci_write(slot, PCI_BAR(0), (uint32_t)d->bar0);
		d->vram = (volatile uint8_t *)d->bar0;
		d->regs = (volatile uint8_t *)(uint64_t)(pci_read(slot, PCI_BAR(2)) & ~0xfu);
	}
}

/* ---- pictures */

/* Fills all lines of VRAM with noise, and keeps the pixels that (x, y) of the mode shows. */
static void draw(struct display *d, unsigned bpp, unsigned line, unsigned x0, unsigned y0, const uint32_t *palette)
{
	unsigned bytes = (bpp + 7) / 8;

	for (unsigned y = 0; y < LINES; y++)
		for (unsigned x = 0; x < line; x++) {
			volatile uint8_t *p = d->vram + ((uint64_t)y * line + x) * bytes;
			uint32_t v = prng_next(&prng) * (x / 16 + 1), px, r, g, b;

			for (unsigned i = 0; i < bytes; i++)
				p[i] = (uint8_t)(v >> 8 * i);
			if (x < x0 || x >= x0 + MODE_W || y < y0 || y >= y0 + MODE_H)
				continue;
			r = bpp == 16 ? v >> 11 & 31 : v >> 10 & 31;
			g = bpp == 16 ? v >> 5 & 63 : v >> 5 & 31;
			b = v & 31;
			px = v & 0xffffff;
			if (bpp == 8)
				px = palette[v & 0xff];
			else if (bpp == 16)
				px = (r << 3 | r >> 2) << 16 | (g << 2 | g >> 4) << 8 | (b << 3 | b >> 2);
			else if (bpp == 15)
				px = (r << 3 | r >> 2) << 16 | (g << 3 | g >> 2) << 8 | (b << 3 | b >> 2);
			d->shown[(y - y0) * MODE_W + x - x0] = px;
		}
}

static void set_mode(const struct display *d, unsigned bpp, unsigned flags)
{
	dispi(d, ENABLE, 0);
	dispi(d, BPP, (uint16_t)bpp);
	dispi(d, XRES, MODE_W);
	dispi(d, YRES, MODE_H);
	dispi(d, ENABLE, (uint16_t)(ENABLE_ON | flags));
}

static void show_all(void)
{
	for (unsigned i = 0; i < display_count; i++)
		print("screen head=%u size=%ux%u crc=%08X\n", i, MODE_W, MODE_H,
		      crc32_pixels(0, display[i]->shown, MODE_W * MODE_H));
	hyper_screenshot();
}

/* ---- tests; each leaves every head showing `shown` */

static void test_identity(void)
{
	static uint8_t edid[128];

	for (unsigned i = 0; i < display_count; i++) {
		const struct display *d = display[i];
		uint8_t sum = 0;

		expect_eq("address", d->bar0, (uint64_t)heads[i].vram);
		expect_eq("DISPI id", dispi_read(d, 0), 0xb0c5);
		expect_eq("VRAM in 64 KiB", dispi_read(d, MEMORY_64K), d->bytes >> 16);
		expect_eq("width", dispi_read(d, XRES), heads[i].width);
		expect_eq("height", dispi_read(d, YRES), heads[i].height);
		for (unsigned k = 0; k < 128; k++)
			sum = (uint8_t)(sum + (edid[k] = d->regs[k]));
		expect_eq("EDID's sum", sum, 0);
		expect_eq("EDID's width", edid[56] | (edid[58] >> 4) << 8, heads[i].width);
		expect_eq("EDID's height", edid[59] | (edid[61] >> 4) << 8, heads[i].height);
		{
			uint64_t left = 128, from = (uint64_t)edid, to = (uint64_t)d->regs;

			__asm__ volatile("cld; repe cmpsb" : "+S"(from), "+D"(to), "+c"(left)::"memory", "cc");
			expect_eq("a string instruction on registers", left, 0);
		}
	}
}

static void depth(unsigned bpp)
{
	uint32_t palette[256];

	for (unsigned i = 0; i < display_count; i++) {
		struct display *d = display[i];

		set_mode(d, bpp, bpp == 8 ? 0x20 : 0);
		write8(d, 0x408, 0);
		for (unsigned k = 0; k < 256; k++) {
			palette[k] = prng_next(&prng) & 0xffffff;
			for (unsigned part = 0; part < 3; part++)
				write8(d, 0x409, (uint8_t)(palette[k] >> (16 - 8 * part)));
		}
		draw(d, bpp, MODE_W, 0, 0, palette);
	}
	show_all();
}

static void test_32(void)
{
	depth(32);
}

static void test_24(void)
{
	depth(24);
}

static void test_16(void)
{
	depth(16);
}

static void test_15(void)
{
	depth(15);
}

static void test_8(void)
{
	depth(8);
}

/* Drawn while the mode looks elsewhere, then shown by the offsets alone. */
static void pan_to(unsigned x, unsigned y)
{
	for (unsigned i = 0; i < display_count; i++) {
		struct display *d = display[i];

		draw(d, 32, LINE_W, x + i, y, NULL);
		dispi(d, VIRT_WIDTH, LINE_W);
	}
	for (unsigned i = 0; i < display_count; i++) {
		dispi(display[i], X_OFFSET, (uint16_t)(x + i));
		dispi(display[i], Y_OFFSET, (uint16_t)y);
	}
	show_all();
}

static void test_panned(void)
{
	for (unsigned i = 0; i < display_count; i++)
		set_mode(display[i], 32, 0);
	pan_to(13, 57);
	pan_to(0, LINES - MODE_H);
	/* a write after the flip is seen too, through the new place */
	for (unsigned i = 0; i < display_count; i++) {
		struct display *d = display[i];

		*(volatile uint32_t *)(d->vram + ((LINES - MODE_H + 5) * LINE_W + i + 9) * 4) = 0x123456;
		d->shown[5 * MODE_W + 9] = 0x123456;
	}
	show_all();
}

/* VRAM goes elsewhere while it is shown: same picture, and writes at the new place count. */
static void test_move(void)
{
	for (unsigned i = 0; i < display_count; i++) {
		struct display *d = display[i];
		uint32_t to = SPARE + i * (uint32_t)d->bytes;
		volatile uint32_t *px;

		set_mode(d, 32, 0);
		draw(d, 32, MODE_W, 0, 0, NULL);
		pci_write(d->slot, PCI_BAR(0), to);
		expect_eq("VRAM at its old place", *(volatile uint32_t *)d->bar0, 0xffffffff);
		px = (volatile uint32_t *)(uint64_t)to;
		expect_eq("a pixel at the new place", px[MODE_W + 1] & 0xffffff, d->shown[MODE_W + 1]);
		px[MODE_W + 1] = d->shown[MODE_W + 1] ^= 0xffffff;
		expect_eq("its BAR", pci_read(d->slot, PCI_BAR(0)), to | 8);
	}
	show_all();
	for (unsigned i = 0; i < display_count; i++) {
		struct display *d = display[i];

		/* off the bus and back */
		pci_write(d->slot, PCI_COMMAND, 0);
		expect_eq("VRAM off the bus", *(volatile uint32_t *)(uint64_t)(SPARE + i * d->bytes), 0xffffffff);
		pci_write(d->slot, PCI_BAR(0), (uint32_t)d->bar0);
		pci_write(d->slot, PCI_COMMAND, PCI_COMMAND_MEMORY);
		*(volatile uint32_t *)(d->vram + 4) = d->shown[1] ^= 0x808080;
	}
	show_all();
}

/* Blank and back: the same picture, with what was drawn meanwhile. */
static void test_blank(void)
{
	for (unsigned i = 0; i < display_count; i++)
		blank(display[i], true);
	for (unsigned i = 0; i < display_count; i++) {
		*(volatile uint32_t *)display[i]->vram = display[i]->shown[0] ^= 0xff00ff;
		blank(display[i], false);
	}
	show_all();
}

/* Registers in states that no driver sets; then a mode, and all is well. */
static void test_hostile(void)
{
	for (unsigned i = 0; i < display_count; i++) {
		struct display *d = display[i];

		for (unsigned n = 0; n < 3000; n++) {
			uint32_t r = prng_next(&prng);

			if (r & 1)
				dispi(d, (r >> 1) % 12, (uint16_t)(r >> 16));
			else
				*(volatile uint32_t *)(d->regs + (r >> 1 & 0xffc)) = r ^ r << 9;
			if (n % 500 == 0)
				dispi(d, ENABLE, 1);
		}
		pci_write(d->slot, PCI_BAR(0), 0xfee00000); /* over the interrupt controllers' place, and over RAM */
		pci_write(d->slot, PCI_BAR(0), 0);
		pci_write(d->slot, PCI_BAR(2), (uint32_t)(uint64_t)image_start & ~0xfffu);
		expect_eq("RAM under a BAR", *(volatile uint32_t *)image_start, *(volatile uint32_t *)image_start);
		pci_write(d->slot, PCI_BAR(2), (uint32_t)(uint64_t)d->regs);
		pci_write(d->slot, PCI_BAR(0), (uint32_t)d->bar0);
		blank(d, false);
		set_mode(d, 32, 0);
		draw(d, 32, MODE_W, 0, 0, NULL);
	}
	show_all();
}

int main(void)
{
	static const struct test tests[] = {
		{ "display-identity", test_identity },
		{ "display-32", test_32 },
		{ "display-24", test_24 },
		{ "display-16", test_16 },
		{ "display-15", test_15 },
		{ "display-8", test_8 },
		{ "display-pan", test_panned },
		{ "display-move", test_move },
		{ "display-blank", test_blank },
		{ "display-hostile", test_hostile },
		{ 0 },
	};
	const char *why;

	guest_init();
	why = heads_find();
	if (!check(!why && head_count, "heads", why ? why : "there is no head"))
		return 1;
	find();
	if (!check(display_count == head_count, "functions", "there are not as many PCI functions as heads"))
		return 1;
	tests_run(tests);
	return tests_failed() ? 1 : 0;
}
