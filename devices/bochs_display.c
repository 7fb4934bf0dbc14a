#include "devices/bochs_display.h"

#include <string.h>

#include "stream/display.h"

#define REGS_BYTES 4096u
#define ROM_MIN 2048u /* PCI Local Bus Specification 3.0, 6.2.5.2 */
#define VGA 0x400u
#define VGA_FIRST 0x3c0u /* the port that is seen there, and the number of those that are */
#define VGA_COUNT 0x20u
#define DISPI 0x500u
#define QEXT 0x600u
#define QEXT_BYTES 8u
#define QEXT_ORDER 0x604u
#define ORDER_LITTLE 0x1e1e1e1eu

#define ID_FIRST 0xb0c0u
#define ID 0xb0c5u
#define ENABLE_ON 0x01u
#define ENABLE_GETCAPS 0x02u
#define ENABLE_DAC8 0x20u
#define ENABLE_LFB 0x40u
#define ENABLE_NOCLEAR 0x80u

/* ---- from registers to a mode */

static void update(struct bochs_display *d)
{
	const uint16_t *r = d->dispi;
	unsigned bytes = scanout_bytes(r[DISPI_BPP]),
		 line = r[DISPI_VIRT_WIDTH] > r[DISPI_XRES] ? r[DISPI_VIRT_WIDTH] : r[DISPI_XRES];
	struct head *h = d->head;

	h->on = (r[DISPI_ENABLE] & ENABLE_ON) && vga_shows(&d->vga) && bytes;
	h->width = r[DISPI_XRES];
	h->height = r[DISPI_YRES];
	h->bpp = (uint8_t)(bytes ? r[DISPI_BPP] : 0);
	h->stride = line * bytes;
	h->start = (uint64_t)r[DISPI_X_OFFSET] * bytes + (uint64_t)r[DISPI_Y_OFFSET] * h->stride;
	d->ops->changed(d->arg, d);
}

static void write_enable(struct bochs_display *d, uint16_t value)
{
	bool on = value & ~d->dispi[DISPI_ENABLE] & ENABLE_ON;

	d->vga.dac8 = value & ENABLE_DAC8;
	d->dispi[DISPI_ENABLE] = value & (ENABLE_ON | ENABLE_GETCAPS | ENABLE_DAC8 | ENABLE_LFB | ENABLE_NOCLEAR);
	if (on) {
		d->dispi[DISPI_VIRT_WIDTH] = d->dispi[DISPI_XRES];
		d->dispi[DISPI_X_OFFSET] = d->dispi[DISPI_Y_OFFSET] = 0;
	}
	update(d);
}

static void write_dispi(struct bochs_display *d, unsigned index, uint16_t value)
{
	switch (index) {
	case DISPI_ID:
	case DISPI_VIDEO_MEMORY_64K: return;
	case DISPI_ENABLE: write_enable(d, value); return;
	case DISPI_XRES:
	case DISPI_YRES:
	case DISPI_BPP: /* a mode is set while it is off (Bochs VBE documentation); drivers do so */
	default:
		if (d->dispi[index] == value)
			return;
		d->dispi[index] = value;
		update(d);
		return;
	}
}

/* With GETCAPS the first three tell the largest values. VIRT_HEIGHT is what VRAM holds of such lines. */
static uint16_t read_dispi(const struct bochs_display *d, unsigned index)
{
	bool caps = d->dispi[DISPI_ENABLE] & ENABLE_GETCAPS;

	switch (index) {
	case DISPI_XRES: return caps ? DISPLAY_MAX_SIDE : d->dispi[index];
	case DISPI_YRES: return caps ? DISPLAY_MAX_SIDE : d->dispi[index];
	case DISPI_BPP: return caps ? 32 : d->dispi[index];
	case DISPI_VIDEO_MEMORY_64K: return (uint16_t)(d->head->vram_bytes >> 16);
	default: return d->dispi[index];
	}
}

/* A palette matters to 8 bpp and to text; of the other registers only blanking matters to a mode that is set here. */
static void vga_changed(void *arg, bool palette)
{
	struct bochs_display *d = arg;

	if (!bochs_display_graphics(d) || (palette ? d->dispi[DISPI_BPP] == 8 : vga_shows(&d->vga) != d->head->on))
		update(d);
}

/* ---- BAR 2 */

static uint64_t regs_read(void *dev, uint64_t addr, unsigned size)
{
	struct bochs_display *d = dev;

	if (addr < EDID_BYTES && addr + size <= EDID_BYTES) {
		uint64_t value = 0;

		memcpy(&value, d->edid + addr, size);
		return value;
	}
	if (addr >= VGA && addr < VGA + VGA_COUNT) {
		uint64_t value = 0;

		for (unsigned i = 0; i < size && addr + i < VGA + VGA_COUNT; i++)
			value |= (uint64_t)vga_read(&d->vga, (unsigned)addr - VGA + VGA_FIRST + i) << 8 * i;
		return value;
	}
	if (addr >= DISPI && addr < DISPI + 2 * DISPI_COUNT)
		return (uint64_t)read_dispi(d, (unsigned)(addr - DISPI) / 2) >> 8 * (addr & 1);
	if (addr == QEXT)
		return QEXT_BYTES;
	return addr == QEXT_ORDER ? ORDER_LITTLE : 0;
}

static void regs_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct bochs_display *d = dev;

	if (addr >= VGA && addr < VGA + VGA_COUNT) {
		for (unsigned i = 0; i < size && addr + i < VGA + VGA_COUNT; i++)
			vga_write(&d->vga, (unsigned)addr - VGA + VGA_FIRST + i, (uint8_t)(value >> 8 * i));
		return;
	}
	if (addr >= DISPI && addr < DISPI + 2 * DISPI_COUNT && !(addr & 1) && size >= 2)
		write_dispi(d, (unsigned)(addr - DISPI) / 2, (uint16_t)value);
}

static const struct bus_ops regs_ops = { .name = "bochs-display", .read = regs_read, .write = regs_write, .access_max = 4 };

/* ---- ports: 16 bits each, data at the odd port next to the index or at the even one behind it */

static uint64_t port_read(void *dev, uint64_t addr, unsigned size)
{
	const struct bochs_display *d = dev;

	if (size != 2)
		return 0xff;
	if (addr == 0)
		return d->port_index;
	if (d->port_index == DISPI_ID)
		return d->port_id;
	return d->port_index < DISPI_COUNT ? read_dispi(d, d->port_index) : 0;
}

/* Firmware writes each version and reads it back, to find the newest. */
static void port_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct bochs_display *d = dev;

	if (size != 2)
		return;
	if (addr == 0)
		d->port_index = (uint16_t)value;
	else if (d->port_index == DISPI_ID && value >= ID_FIRST && value <= ID)
		d->port_id = (uint16_t)value;
	else if (d->port_index < DISPI_COUNT)
		write_dispi(d, d->port_index, (uint16_t)value);
}

const struct bus_ops bochs_display_port_ops = {
	.name = "bochs-display ports", .read = port_read, .write = port_write, .access_max = 2
};

/* ---- the expansion ROM */

static uint64_t rom_read(void *dev, uint64_t addr, unsigned size)
{
	const struct bochs_display *d = dev;
	uint64_t value = UINT64_MAX; /* behind its end */

	if (addr < d->rom_bytes)
		memcpy(&value, d->rom + addr, size < d->rom_bytes - addr ? size : d->rom_bytes - addr);
	return value;
}

static void rom_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	(void)dev, (void)addr, (void)size, (void)value;
}

static const struct bus_ops rom_ops = { .name = "bochs-display ROM", .read = rom_read, .write = rom_write, .access_max = 8 };

void bochs_display_set_rom(struct bochs_display *d, const uint8_t *rom, uint32_t len)
{
	uint32_t size = ROM_MIN;

	while (size < len)
		size *= 2;
	d->rom = rom;
	d->rom_bytes = len;
	d->pci.bar[PCI_ROM] = (struct pci_bar){ .size = size, .ops = &rom_ops, .at = PCI_NOWHERE };
}

/* ---- making it */

static int place(void *dev, uint64_t base)
{
	struct bochs_display *d = dev;

	return d->ops->place(d->arg, d, base);
}

void bochs_display_init(struct bochs_display *d, struct head *head, unsigned width, unsigned height, struct clock *clock,
			const struct bochs_display_ops *ops, void *arg)
{
	*d = (struct bochs_display){ .head = head, .ops = ops, .arg = arg };
	vga_init(&d->vga, clock, head->palette, vga_changed, d);
	pci_function_init(&d->pci, 0x1234, 0x1111, 0x038000, 2);
	d->pci.config[PCI_SUBSYSTEM] = 0xf4;
	d->pci.config[PCI_SUBSYSTEM + 1] = 0x1a;
	d->pci.config[PCI_SUBSYSTEM + 3] = 0x11;
	d->pci.dev = d;
	d->pci.bar[0] = (struct pci_bar){ .size = (uint32_t)head->vram_bytes, .prefetch = true, .place = place };
	d->pci.bar[2] = (struct pci_bar){ .size = REGS_BYTES, .ops = &regs_ops };
	bochs_display_resize(d, width, height);
}

void bochs_display_resize(struct bochs_display *d, unsigned width, unsigned height)
{
	edid_make(d->edid, d->head->index, width, height);
}

void bochs_display_reset(struct bochs_display *d, unsigned width, unsigned height)
{
	memset(d->dispi, 0, sizeof(d->dispi));
	d->dispi[DISPI_ID] = d->port_id = ID;
	d->port_index = 0;
	d->dispi[DISPI_XRES] = d->dispi[DISPI_VIRT_WIDTH] = (uint16_t)width;
	d->dispi[DISPI_YRES] = (uint16_t)height;
	d->dispi[DISPI_BPP] = 32;
	d->dispi[DISPI_ENABLE] = width ? ENABLE_ON | ENABLE_LFB | ENABLE_NOCLEAR : 0;
	vga_reset(&d->vga);
	update(d);
}

void bochs_display_disable(struct bochs_display *d)
{
	d->dispi[DISPI_ENABLE] &= (uint16_t)~ENABLE_ON;
	update(d);
}
