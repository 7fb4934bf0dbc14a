#include "guest-tests/demo/trig.h"

#define BITS 30
/* cos and sin of a 1024th of a turn, times 2^30 */
#define STEP_COS 1073721611ll
#define STEP_SIN 6588356ll

static int32_t table[TRIG_TURN];

void trig_init(void)
{
	int64_t c = 1ll << BITS, s = 0;

	for (unsigned i = 0; i <= TRIG_TURN / 4; i++) {
		int32_t v = (int32_t)((s + (1 << (BITS - 15))) >> (BITS - 14)); /* TRIG_ONE is 2^14 */
		int64_t next = (c * STEP_COS - s * STEP_SIN) >> BITS;
		if (v > TRIG_ONE)
			v = TRIG_ONE;
		table[i] = v;
		table[TRIG_TURN / 2 - i] = v;
		table[(TRIG_TURN / 2 + i) % TRIG_TURN] = -v;
		table[(TRIG_TURN - i) % TRIG_TURN] = -v;
		s = (s * STEP_COS + c * STEP_SIN) >> BITS;
		c = next;
	}
}

int32_t sine(int32_t angle)
{
	return table[angle & (TRIG_TURN - 1)];
}

int32_t cosine(int32_t angle)
{
	return sine(angle + TRIG_TURN / 4);
}

uint32_t isqrt(uint64_t v)
{
	uint64_t root = 0, bit = 1ull << 62;

	while (bit > v)
		bit >>= 2;
	for (; bit; bit >>= 2) {
		if (v >= root + bit) {
			v -= root + bit;
			root = (root >> 1) + bit;
		} else {
			root >>= 1;
		}
	}
	return (uint32_t)root;
}
