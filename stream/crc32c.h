/* CRC-32C (Castagnoli), the check of every frame on the line. */
#ifndef STREAM_CRC32C_H
#define STREAM_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/**
 * CRC-32C of a byte string: polynomial 0x1EDC6F41 reflected, initial value and final xor ~0 (RFC 3720, B.4).
 * @crc   0 to begin, or the result for the bytes before, to go on
 * @data  len bytes, read only
 * Returns the CRC; crc32c(0, "123456789", 9) is 0xE3069283.
 */
uint32_t crc32c(uint32_t crc, const void *data, size_t len);

#endif
