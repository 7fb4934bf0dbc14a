/*
 * The byte table of a reflected CRC with polynomial CRC_POLY (defined before this is included), made by the compiler. A CRC is
 * linear, so an entry is the xor of the entries of its index's bits; and an entry of one bit is one shift of the next bit's.
 */
#include <stdint.h>

#define CRC_SHIFT(c) ((c)&1 ? (c) >> 1 ^ CRC_POLY : (c) >> 1)
enum {
	BIT7 = CRC_POLY,
	BIT6 = CRC_SHIFT(BIT7),
	BIT5 = CRC_SHIFT(BIT6),
	BIT4 = CRC_SHIFT(BIT5),
	BIT3 = CRC_SHIFT(BIT4),
	BIT2 = CRC_SHIFT(BIT3),
	BIT1 = CRC_SHIFT(BIT2),
	BIT0 = CRC_SHIFT(BIT1),
};
#define CRC_BIT(n, i) ((uint32_t)BIT##i * ((n) >> i & 1))
#define CRC1(n)                                                                                                                    \
	(CRC_BIT(n, 0) ^ CRC_BIT(n, 1) ^ CRC_BIT(n, 2) ^ CRC_BIT(n, 3) ^ CRC_BIT(n, 4) ^ CRC_BIT(n, 5) ^ CRC_BIT(n, 6) ^           \
	 CRC_BIT(n, 7))
#define CRC4(n) CRC1(n), CRC1((n) + 1), CRC1((n) + 2), CRC1((n) + 3)
#define CRC16(n) CRC4(n), CRC4((n) + 4), CRC4((n) + 8), CRC4((n) + 12)
#define CRC64(n) CRC16(n), CRC16((n) + 16), CRC16((n) + 32), CRC16((n) + 48)

static const uint32_t crc_table[256] = { CRC64(0), CRC64(64), CRC64(128), CRC64(192) };
