#include "devices/bochs_display.h"

#include <string.h>

#include "stream/display.h"

#define REGS_BYTES 4096u
#define VGA 0x400u
#define VGA_PORTS 0x20u
#define DISPI 0x500u
#define QEXT 0x600u
#define QEXT_BYTES 8u
#define QEXT_ORDER 0x604u
#define ORDER_LITTLE 0x1e1e1e1eu

#define ID 0xb0c5u
#define ENABLE_ON 0x01u
#define ENABLE_GETCAPS 0x02u
#define ENABLE_DAC8 0x20u
#define ENABLE_LFB 0x40u
#define ENABLE_NOCLEAR 0x80u

/* VGA ports, from 0x3c0 (IBM VGA, "VGA Function"). */
enum {
	ATTRIBUTE = 0x00,
	ATTRIBUTE_READ = 0x01,
	DAC_MASK = 0x06,
	DAC_READ = 0x07,
	DAC_WRITE = 0x08,
	DAC_DATA = 0x09,
	STATUS1 = 0x1a
};
#define ATTRIBUTE_SHOW 0x20u /* palette address source */

/* ---- from registers to a mode */

static void update(struct bochs_display *d)
{
	const uint16_t *r = d->dispi;
	unsigned bytes = scanout_bytes(r[DISPI_BPP]),
		 line = r[DISPI_VIRT_WIDTH] > r[DISPI_XRES] ? r[DISPI_VIRT_WIDTH] : r[DISPI_XRES];
	struct head *h = d->head;

	h->on = (r[DISPI_ENABLE] & ENABLE_ON) && !d->blank && bytes;
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

/* ---- the VGA's ports: attribute controller's blanking, and the DAC of 8 bpp */

static uint8_t dac_scale(const struct bochs_display *d, uint8_t v)
{
	return d->dispi[DISPI_ENABLE] & ENABLE_DAC8 ? v : (uint8_t)((v & 63) << 2 | (v & 63) >> 4);
}

static void dac_write(struct bochs_display *d, uint8_t value)
{
	d->dac_rgb[d->dac_part++] = dac_scale(d, value);
	if (d->dac_part < 3)
		return;
	d->dac_part = 0;
	d->head->palette[d->dac_write++] = (uint32_t)d->dac_rgb[0] << 16 | (uint32_t)d->dac_rgb[1] << 8 | d->dac_rgb[2];
	if (d->dispi[DISPI_BPP] == 8)
		d->ops->changed(d->arg, d);
}

static uint8_t dac_read(struct bochs_display *d)
{
	uint8_t v = (uint8_t)(d->head->palette[d->dac_read] >> (16 - 8 * d->dac_read_part));

	if (++d->dac_read_part == 3) {
		d->dac_read_part = 0;
		d->dac_read++;
	}
	return d->dispi[DISPI_ENABLE] & ENABLE_DAC8 ? v : v >> 2;
}

static void attribute_write(struct bochs_display *d, uint8_t value)
{
	bool blank = !(value & ATTRIBUTE_SHOW);

	d->attribute_data = !d->attribute_data;
	if (!d->attribute_data || blank == d->blank) /* data of a register; or nothing new */
		return;
	d->blank = blank;
	update(d);
}

static void vga_write(struct bochs_display *d, unsigned port, uint8_t value)
{
	switch (port) {
	case ATTRIBUTE: attribute_write(d, value); break;
	case DAC_READ:
		d->dac_read = value;
		d->dac_read_part = 0;
		break;
	case DAC_WRITE:
		d->dac_write = value;
		d->dac_part = 0;
		break;
	case DAC_DATA: dac_write(d, value); break;
	default: break;
	}
}

static uint8_t vga_read(struct bochs_display *d, unsigned port)
{
	switch (port) {
	case DAC_MASK: return 0xff;
	case DAC_WRITE: return d->dac_write;
	case DAC_DATA: return dac_read(d);
	case STATUS1: d->attribute_data = false; return 0;
	default: return 0;
	}
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
	if (addr >= VGA && addr < VGA + VGA_PORTS) {
		uint64_t value = 0;

		for (unsigned i = 0; i < size && addr + i < VGA + VGA_PORTS; i++)
			value |= (uint64_t)vga_read(d, (unsigned)addr - VGA + i) << 8 * i;
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

	if (addr >= VGA && addr < VGA + VGA_PORTS) {
		for (unsigned i = 0; i < size && addr + i < VGA + VGA_PORTS; i++)
			vga_write(d, (unsigned)addr - VGA + i, (uint8_t)(value >> 8 * i));
		return;
	}
	if (addr >= DISPI && addr < DISPI + 2 * DISPI_COUNT && !(addr & 1) && size >= 2)
		write_dispi(d, (unsigned)(addr - DISPI) / 2, (uint16_t)value);
}

static const struct bus_ops regs_ops = { .name = "bochs-display", .read = regs_read, .write = regs_write, .access_max = 4 };

/* ---- making it */

static int place(void *dev, uint64_t base)
{
	struct bochs_display *d = dev;

	return d->ops->place(d->arg, d, base);
}

void bochs_display_init(struct bochs_display *d, struct head *head, unsigned width, unsigned height,
			const struct bochs_display_ops *ops, void *arg)
{
	*d = (struct bochs_display){ .head = head, .ops = ops, .arg = arg };
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
	d->dispi[DISPI_ID] = ID;
	d->dispi[DISPI_XRES] = d->dispi[DISPI_VIRT_WIDTH] = (uint16_t)width;
	d->dispi[DISPI_YRES] = (uint16_t)height;
	d->dispi[DISPI_BPP] = 32;
	d->dispi[DISPI_ENABLE] = ENABLE_ON | ENABLE_LFB | ENABLE_NOCLEAR;
	d->blank = d->attribute_data = false;
	d->dac_write = d->dac_part = d->dac_read = d->dac_read_part = 0;
	for (unsigned i = 0; i < 256; i++)
		d->head->palette[i] = i * 0x010101;
	update(d);
}
