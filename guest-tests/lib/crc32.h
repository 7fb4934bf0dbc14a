/* CRC-32 as zlib's crc32(): reflected polynomial 0xedb88320. */
#ifndef GUEST_CRC32_H
#define GUEST_CRC32_H

#include <stddef.h>
#include <stdint.h>

/** Goes on from crc (0 to begin) over n bytes. */
uint32_t crc32(uint32_t crc, const void *data, size_t n);

/** Over n pixels, each as the bytes B, G, R, 0: the fourth byte of a word does not count. */
uint32_t crc32_pixels(uint32_t crc, const uint32_t *px, size_t n);

#endif
