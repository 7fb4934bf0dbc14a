#include "devices/vga.h"

#include <string.h>

enum {
	MONO_CRTC_INDEX = 0x3b4,
	MONO_CRTC_DATA = 0x3b5,
	MONO_STATUS1 = 0x3ba,
	ATTRIBUTE = 0x3c0,
	ATTRIBUTE_READ = 0x3c1,
	MISC_WRITE = 0x3c2, /* read: input status 0 */
	SEQ_INDEX = 0x3c4,
	SEQ_DATA = 0x3c5,
	DAC_MASK = 0x3c6,
	DAC_READ = 0x3c7,
	DAC_WRITE = 0x3c8,
	DAC_DATA = 0x3c9,
	FEATURE_READ = 0x3ca,
	MISC_READ = 0x3cc,
	GRAPHICS_INDEX = 0x3ce,
	GRAPHICS_DATA = 0x3cf,
	CRTC_INDEX = 0x3d4,
	CRTC_DATA = 0x3d5,
	STATUS1 = 0x3da /* write: feature control */
};

#define MISC_COLOUR 0x01u /* CRTC at 3d4, not 3b4 */

enum { SEQ_CLOCKING = 1 };
#define CLOCKING_8_DOTS 0x01u
#define CLOCKING_SCREEN_OFF 0x20u

enum {
	CRTC_COLUMNS = 0x01,
	CRTC_OVERFLOW = 0x07,
	CRTC_MAX_ROW = 0x09,
	CRTC_CURSOR_FROM = 0x0a,
	CRTC_CURSOR_TO = 0x0b,
	CRTC_START_HIGH = 0x0c,
	CRTC_START_LOW = 0x0d,
	CRTC_CURSOR_HIGH = 0x0e,
	CRTC_CURSOR_LOW = 0x0f,
	CRTC_RETRACE_END = 0x11,
	CRTC_LINES = 0x12,
	CRTC_OFFSET = 0x13
};
#define MAX_ROW_DOUBLE 0x80u
#define CURSOR_OFF 0x20u
#define RETRACE_PROTECT 0x80u /* CRTC 0 to 7, but for bit 4 of 7 */

enum { GRAPHICS_MISC = 6 };
#define GRAPHICS_MODE 0x01u /* no text */

enum { ATTRIBUTE_MODE = 0x10, ATTRIBUTE_COLOUR_SELECT = 0x14 };
#define MODE_GRAPHICS 0x01u
#define MODE_LINE_GRAPHICS 0x04u
#define MODE_BLINK 0x08u
#define MODE_SELECT 0x80u
#define ATTRIBUTE_SHOW 0x20u /* palette address source, in the index */

/* 640 or 720 x 400 at 70 Hz: nanoseconds of a line and of a picture, and how much of either is visible. */
#define LINE_NS 31778u
#define LINE_SHOWN_NS 25422u
#define PICTURE_LINES 449u
#define PICTURE_SHOWN 400u
#define STATUS1_NOT_SHOWN 0x01u
#define STATUS1_RETRACE 0x08u

/* ---- DAC */

static void dac_write(struct vga *v, uint8_t value)
{
	v->dac_rgb[v->dac_part++] = v->dac8 ? value : (uint8_t)((value & 63) << 2 | (value & 63) >> 4);
	if (v->dac_part < 3)
		return;
	v->dac_part = 0;
	v->palette[v->dac_write++] = (uint32_t)v->dac_rgb[0] << 16 | (uint32_t)v->dac_rgb[1] << 8 | v->dac_rgb[2];
	v->changed(v->arg, true);
}

static uint8_t dac_read(struct vga *v)
{
	uint8_t value = (uint8_t)(v->palette[v->dac_read] >> (16 - 8 * v->dac_read_part));

	if (++v->dac_read_part == 3) {
		v->dac_read_part = 0;
		v->dac_read++;
	}
	return v->dac8 ? value : value >> 2;
}

/* ---- indexed registers */

static void set(struct vga *v, uint8_t *reg, uint8_t value)
{
	if (*reg == value)
		return;
	*reg = value;
	v->changed(v->arg, false);
}

static void attribute_write(struct vga *v, uint8_t value)
{
	v->attribute_data = !v->attribute_data;
	if (v->attribute_data)
		set(v, &v->attribute_index, value & 0x3f);
	else if ((v->attribute_index & 0x1f) < sizeof(v->attribute))
		set(v, &v->attribute[v->attribute_index & 0x1f], value);
}

static void crtc_write(struct vga *v, uint8_t value)
{
	unsigned i = v->crtc_index;

	if (i >= sizeof(v->crtc))
		return;
	if (i <= CRTC_OVERFLOW && (v->crtc[CRTC_RETRACE_END] & RETRACE_PROTECT)) {
		if (i == CRTC_OVERFLOW)
			set(v, &v->crtc[i], (uint8_t)((v->crtc[i] & ~0x10u) | (value & 0x10u)));
		return;
	}
	set(v, &v->crtc[i], value);
}

static uint8_t crtc_read(const struct vga *v)
{
	return v->crtc_index < sizeof(v->crtc) ? v->crtc[v->crtc_index] : 0xff;
}

/* Whether a CRTC port is where bit 0 of the miscellaneous output register has put it. */
static bool crtc_here(const struct vga *v, unsigned port)
{
	return (port >= CRTC_INDEX) == (bool)(v->misc & MISC_COLOUR);
}

/* By guest time, so that a loop that waits for the retrace waits as long as on a monitor. */
static uint8_t status1(struct vga *v)
{
	uint64_t now = clock_now(v->clock) % ((uint64_t)LINE_NS * PICTURE_LINES);

	v->attribute_data = false;
	if (now / LINE_NS >= PICTURE_SHOWN)
		return STATUS1_RETRACE | STATUS1_NOT_SHOWN;
	return now % LINE_NS >= LINE_SHOWN_NS ? STATUS1_NOT_SHOWN : 0;
}

void vga_write(struct vga *v, unsigned port, uint8_t value)
{
	switch (port) {
	case ATTRIBUTE: attribute_write(v, value); break;
	case MISC_WRITE: v->misc = value; break;
	case SEQ_INDEX: v->seq_index = value & 7; break;
	case SEQ_DATA:
		if (v->seq_index < sizeof(v->seq))
			set(v, &v->seq[v->seq_index], value);
		break;
	case DAC_MASK:
		if (v->dac_mask != value) {
			v->dac_mask = value;
			v->changed(v->arg, true);
		}
		break;
	case DAC_READ:
		v->dac_read = value;
		v->dac_read_part = 0;
		break;
	case DAC_WRITE:
		v->dac_write = value;
		v->dac_part = 0;
		break;
	case DAC_DATA: dac_write(v, value); break;
	case GRAPHICS_INDEX: v->graphics_index = value & 15; break;
	case GRAPHICS_DATA:
		if (v->graphics_index < sizeof(v->graphics))
			set(v, &v->graphics[v->graphics_index], value);
		break;
	case MONO_CRTC_INDEX:
	case CRTC_INDEX:
		if (crtc_here(v, port))
			v->crtc_index = value & 0x3f;
		break;
	case MONO_CRTC_DATA:
	case CRTC_DATA:
		if (crtc_here(v, port))
			crtc_write(v, value);
		break;
	case MONO_STATUS1:
	case STATUS1: v->feature = value & 3; break;
	default: break;
	}
}

uint8_t vga_read(struct vga *v, unsigned port)
{
	unsigned i = v->attribute_index & 0x1f;

	switch (port) {
	case ATTRIBUTE: return v->attribute_index;
	case ATTRIBUTE_READ: return i < sizeof(v->attribute) ? v->attribute[i] : 0;
	case MISC_WRITE: return 0;
	case SEQ_INDEX: return v->seq_index;
	case SEQ_DATA: return v->seq_index < sizeof(v->seq) ? v->seq[v->seq_index] : 0;
	case DAC_MASK: return v->dac_mask;
	case DAC_READ: return 0;
	case DAC_WRITE: return v->dac_write;
	case DAC_DATA: return dac_read(v);
	case FEATURE_READ: return v->feature;
	case MISC_READ: return v->misc;
	case GRAPHICS_INDEX: return v->graphics_index;
	case GRAPHICS_DATA: return v->graphics_index < sizeof(v->graphics) ? v->graphics[v->graphics_index] : 0;
	case MONO_CRTC_INDEX:
	case CRTC_INDEX: return crtc_here(v, port) ? v->crtc_index : 0xff;
	case MONO_CRTC_DATA:
	case CRTC_DATA: return crtc_here(v, port) ? crtc_read(v) : 0xff;
	case MONO_STATUS1:
	case STATUS1: return crtc_here(v, port) ? status1(v) : 0xff;
	default: return 0xff;
	}
}

static uint64_t port_read(void *dev, uint64_t addr, unsigned size)
{
	(void)size;
	return vga_read(dev, VGA_PORT + (unsigned)addr);
}

static void port_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	(void)size;
	vga_write(dev, VGA_PORT + (unsigned)addr, (uint8_t)value);
}

const struct bus_ops vga_ops = { .name = "VGA", .read = port_read, .write = port_write, .access_max = 1 };

/* ---- what the registers show */

bool vga_shows(const struct vga *v)
{
	return v->attribute_index & ATTRIBUTE_SHOW;
}

static void colours(const struct vga *v, struct vga_text_mode *m)
{
	uint8_t select = v->attribute[ATTRIBUTE_COLOUR_SELECT], mask = v->attribute[ATTRIBUTE_MODE] & MODE_SELECT ? 0x0f : 0x3f;

	for (unsigned i = 0; i < 16; i++)
		m->colour[i] = (uint8_t)((v->attribute[i] & mask) | (select << 4 & ~mask)) & v->dac_mask;
}

static void cursor(const struct vga *v, struct vga_text_mode *m)
{
	m->cursor = (uint16_t)(v->crtc[CRTC_CURSOR_HIGH] << 8 | v->crtc[CRTC_CURSOR_LOW]);
	m->cursor_from = v->crtc[CRTC_CURSOR_FROM] & 31;
	m->cursor_to = v->crtc[CRTC_CURSOR_TO] & 31;
	if (v->crtc[CRTC_CURSOR_FROM] & CURSOR_OFF || m->cursor_from > m->cursor_to)
		m->cursor_from = 1, m->cursor_to = 0; /* however it was turned off, the picture is the same */
}

bool vga_text_mode(const struct vga *v, struct vga_text_mode *m)
{
	const uint8_t *c = v->crtc;
	unsigned lines = (c[CRTC_LINES] | (c[CRTC_OVERFLOW] & 0x02u) << 7 | (c[CRTC_OVERFLOW] & 0x40u) << 3) + 1;
	uint8_t mode = v->attribute[ATTRIBUTE_MODE];

	memset(m, 0, sizeof(*m)); /* padding too: modes are compared */
	if (!vga_shows(v) || v->seq[SEQ_CLOCKING] & CLOCKING_SCREEN_OFF || v->graphics[GRAPHICS_MISC] & GRAPHICS_MODE ||
	    mode & MODE_GRAPHICS)
		return false;
	if (c[CRTC_MAX_ROW] & MAX_ROW_DOUBLE)
		lines /= 2;
	m->base = (v->graphics[GRAPHICS_MISC] >> 2 & 3) == 2 ? 0xb0000 : 0xb8000;
	m->columns = (uint16_t)(c[CRTC_COLUMNS] + 1);
	m->width = v->seq[SEQ_CLOCKING] & CLOCKING_8_DOTS ? 8 : 9;
	m->height = (c[CRTC_MAX_ROW] & 31) + 1;
	m->rows = (uint16_t)(lines / m->height);
	m->start = (uint16_t)(c[CRTC_START_HIGH] << 8 | c[CRTC_START_LOW]);
	m->pitch = (uint16_t)(c[CRTC_OFFSET] * 2);
	m->blink = mode & MODE_BLINK;
	m->line_graphics = mode & MODE_LINE_GRAPHICS;
	cursor(v, m);
	colours(v, m);
	return m->rows && m->columns <= VGA_TEXT_COLUMNS && m->rows * m->height <= VGA_TEXT_LINES &&
	       m->rows * m->columns <= VGA_TEXT_CELLS;
}

/* ---- mode 3 */

void vga_reset(struct vga *v)
{
	static const uint8_t seq[] = { 0x03, 0x00, 0x03, 0x00, 0x02 };
	static const uint8_t crtc[] = { 0x5f, 0x4f, 0x50, 0x82, 0x55, 0x81, 0xbf, 0x1f, 0x00, 0x4f, 0x0d, 0x0e, 0x00,
					0x00, 0x00, 0x00, 0x9c, 0x8e, 0x8f, 0x28, 0x1f, 0x96, 0xb9, 0xa3, 0xff };
	static const uint8_t graphics[] = { 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x0e, 0x00, 0xff };
	static const uint8_t attribute[] = { 0x00, 0x01, 0x02, 0x03, 0x04, 0x05, 0x14, 0x07, 0x38, 0x39, 0x3a,
					     0x3b, 0x3c, 0x3d, 0x3e, 0x3f, 0x0c, 0x00, 0x0f, 0x08, 0x00 };

	memcpy(v->seq, seq, sizeof(seq));
	memcpy(v->crtc, crtc, sizeof(crtc));
	memcpy(v->graphics, graphics, sizeof(graphics));
	memcpy(v->attribute, attribute, sizeof(attribute));
	v->misc = 0x67;
	v->feature = v->seq_index = v->crtc_index = v->graphics_index = 0;
	v->attribute_index = ATTRIBUTE_SHOW;
	v->attribute_data = v->dac8 = false;
	v->dac_mask = 0xff;
	v->dac_write = v->dac_part = v->dac_read = v->dac_read_part = 0;
	/* The EGA's 64 colours: bits r g b R G B, of two thirds and one third. */
	for (unsigned i = 0; i < 256; i++)
		v->palette[i] = ((i >> 2 & 1) * 0xaau + (i >> 5 & 1) * 0x55u) << 16 |
				((i >> 1 & 1) * 0xaau + (i >> 4 & 1) * 0x55u) << 8 | ((i & 1) * 0xaau + (i >> 3 & 1) * 0x55u);
}

void vga_init(struct vga *v, struct clock *clock, uint32_t *palette, void (*changed)(void *arg, bool palette), void *arg)
{
	*v = (struct vga){ .clock = clock, .palette = palette, .changed = changed, .arg = arg };
}
