/* crc32.h */
#include "stream/crc32.h"

#define CRC_POLY 0xedb88320u
#include "stream/crc_table.h"

uint32_t crc32_ieee(uint32_t crc, const void *data, size_t len)
{
	const uint8_t *p = data;

	crc = ~crc;
	while (len--)
		crc = crc >> 8 ^ crc_table[(crc ^ *p++) & 0xff];
	return ~crc;
}
