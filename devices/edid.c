#include "devices/edid.h"

#include <stdio.h>
#include <string.h>

#define SIDE_MAX 4095u
#define REFRESH 60u
#define CLOCK_MAX 65535u /* in 10 kHz */
#define DPI 96u

/* Reduced blanking: 160 pixels a line (48 front porch, 32 sync), at least 460 us a frame (CVT 1.2, 5.3). */
#define HBLANK 160u
#define HFRONT 48u
#define HSYNC 32u
#define VBLANK_US 460u
#define VFRONT 3u
#define VSYNC 6u

static unsigned millimetres(unsigned pixels)
{
	return pixels * 254 / (10 * DPI);
}

/* Lines of blanking: the line's time follows from the visible lines and what is left of a frame beside the blanking. */
static unsigned vblank(unsigned height)
{
	unsigned left_us = 1000000 / REFRESH - VBLANK_US, lines = (VBLANK_US * height + left_us - 1) / left_us + 1;

	return lines < VFRONT + VSYNC + 6 ? VFRONT + VSYNC + 6 : lines;
}

/* A detailed timing descriptor (3.10.2). */
static void timing(uint8_t *d, unsigned width, unsigned height)
{
	unsigned vb = vblank(height), clock = (width + HBLANK) * (height + vb) / 10000 * REFRESH + 1, mmw = millimetres(width);
	unsigned mmh = millimetres(height);

	if (clock > CLOCK_MAX)
		clock = CLOCK_MAX;
	d[0] = (uint8_t)clock;
	d[1] = (uint8_t)(clock >> 8);
	d[2] = (uint8_t)width;
	d[3] = HBLANK;
	d[4] = (uint8_t)(width >> 8 << 4);
	d[5] = (uint8_t)height;
	d[6] = (uint8_t)vb;
	d[7] = (uint8_t)(height >> 8 << 4 | vb >> 8);
	d[8] = HFRONT;
	d[9] = HSYNC;
	d[10] = VFRONT << 4 | VSYNC;
	d[12] = (uint8_t)mmw;
	d[13] = (uint8_t)mmh;
	d[14] = (uint8_t)(mmw >> 8 << 4 | (mmh >> 8 & 15));
	d[17] = 0x1e; /* digital separate sync, both positive */
}

/* A text descriptor: 13 bytes, ended by a line feed, filled with blanks (3.10.3). */
static void text(uint8_t *d, uint8_t tag, const char *s)
{
	size_t n = strlen(s);

	d[3] = tag;
	memset(d + 5, ' ', 13);
	memcpy(d + 5, s, n < 13 ? n : 13);
	if (n < 13)
		d[5 + n] = '\n';
}

void edid_make(uint8_t edid[EDID_BYTES], unsigned number, unsigned width, unsigned height)
{
	static const uint8_t header[8] = { 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0 };
	/* sRGB's primaries and white point (3.7) */
	static const uint8_t chromaticity[10] = { 0xee, 0x91, 0xa3, 0x54, 0x4c, 0x99, 0x26, 0x0f, 0x50, 0x54 };
	/* 1280x1024, 1280x960, 1280x720, 1440x900, 1600x1200, 1680x1050, 1920x1080 at 60 Hz (3.9) */
	static const uint8_t standard[14] = { 0x81, 0x80, 0x81, 0x40, 0x81, 0xc0, 0x95, 0x00, 0xa9, 0x40, 0xb3, 0x00, 0xd1, 0xc0 };
	char name[14];
	uint8_t sum = 0;

	width = width < SIDE_MAX ? width : SIDE_MAX;
	height = height < SIDE_MAX ? height : SIDE_MAX;
	memset(edid, 0, EDID_BYTES);
	memcpy(edid, header, sizeof(header));
	edid[8] = 0x52; /* "TSR", five bits a letter, big-endian: T 20, S 19, R 18 */
	edid[9] = 0x72;
	edid[10] = 1;
	edid[12] = (uint8_t)(number + 1);
	edid[17] = 2026 - 1990;
	edid[18] = 1;
	edid[19] = 4;
	edid[20] = 0xa0; /* digital, 8 bits a colour */
	edid[21] = (uint8_t)((millimetres(width) + 5) / 10 < 255 ? (millimetres(width) + 5) / 10 : 255);
	edid[22] = (uint8_t)((millimetres(height) + 5) / 10 < 255 ? (millimetres(height) + 5) / 10 : 255);
	edid[23] = 120;	 /* gamma 2.2 */
	edid[24] = 0x06; /* sRGB; the preferred timing is the native one */
	memcpy(edid + 25, chromaticity, sizeof(chromaticity));
	edid[35] = 0x21; /* 640x480, 800x600 at 60 Hz */
	edid[36] = 0x08; /* 1024x768 at 60 Hz */
	memcpy(edid + 38, standard, sizeof(standard));
	edid[52] = edid[53] = 1; /* unused */
	timing(edid + 54, width, height);
	(void)snprintf(name, sizeof(name), "Tessera %u", number);
	text(edid + 72, 0xfc, name);
	text(edid + 90, 0xfe, "virtual head");
	edid[108 + 3] = 0x10; /* dummy */
	for (unsigned i = 0; i < EDID_BYTES - 1; i++)
		sum = (uint8_t)(sum + edid[i]);
	edid[127] = (uint8_t)-sum;
}
