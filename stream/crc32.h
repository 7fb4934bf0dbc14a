/* CRC-32 as in zlib, PNG and Ethernet: what guest tests print of a screen. */
#ifndef STREAM_CRC32_H
#define STREAM_CRC32_H

#include <stddef.h>
#include <stdint.h>

/**
 * CRC-32 of a byte string: polynomial 0x04C11DB7 reflected, initial value and final xor ~0.
 * @crc   0 to begin, or the result for the bytes before, to go on
 * @data  len bytes, read only
 * Returns the CRC; crc32_ieee(0, "123456789", 9) is 0xCBF43926. Not named crc32, which is zlib's own.
 */
uint32_t crc32_ieee(uint32_t crc, const void *data, size_t len);

#endif
