#include "guest-tests/lib/crc32.h"

#include <stdbool.h>

#define POLYNOMIAL 0xedb88320u

/* table[k][b]: what byte b, k bytes before the end of a word, adds. */
static uint32_t table[4][256];

static void make_table(void)
{
	for (uint32_t b = 0; b < 256; b++) {
		uint32_t c = b;
		for (unsigned bit = 0; bit < 8; bit++)
			c = c & 1 ? c >> 1 ^ POLYNOMIAL : c >> 1;
		table[0][b] = c;
	}
	for (unsigned k = 1; k < 4; k++)
		for (unsigned b = 0; b < 256; b++)
			table[k][b] = table[k - 1][b] >> 8 ^ table[0][table[k - 1][b] & 255];
}

uint32_t crc32(uint32_t crc, const void *data, size_t n)
{
	const uint8_t *p = data;

	if (!table[0][1])
		make_table();
	crc = ~crc;
	while (n--)
		crc = crc >> 8 ^ table[0][(crc ^ *p++) & 255];
	return ~crc;
}

uint32_t crc32_pixels(uint32_t crc, const uint32_t *px, size_t n)
{
	if (!table[0][1])
		make_table();
	crc = ~crc;
	while (n--) {
		crc ^= *px++ & 0xffffff;
		crc = table[3][crc & 255] ^ table[2][crc >> 8 & 255] ^ table[1][crc >> 16 & 255] ^ table[0][crc >> 24];
	}
	return ~crc;
}
