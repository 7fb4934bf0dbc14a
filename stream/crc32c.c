/* crc32c.h */
#include "stream/crc32c.h"

#define CRC_POLY 0x82f63b78u
#include "stream/crc_table.h"

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	crc = ~crc;
	while (len--)
		crc = crc >> 8 ^ crc_table[(crc ^ *p++) & 0xff];
	return ~crc;
}
