/* choose.h */
#include "stream/choose.h"

/* The modes side by side, as bench/codec shows them on recordings: the dense one takes 5 to 60 times the CPU's time. */
#define DENSE_TIME 12 /* until it was seen */
#define DENSE_TIME_MIN 4
#define DENSE_TIME_MAX 200

#define BETTER_10 14	       /* tenths: the other mode must be so much quicker */
#define ENOUGH_NS 100000000ull /* coding of so much time, or of so many bytes, tells something new */
#define ENOUGH_BYTES 4096
#define LEAST_BYTES 256
#define HOLD_NS 3000000000ull
#define HOLD_FIRST_NS 50000000ull
#define HOLD_MAX_NS 300000000000ull
#define LOOKS 2 /* so many in a row must say the same */
#define SOON 4	/* a change within so many times the hold was in vain */

void choose_init(struct choose *c, uint64_t now_ns)
{
	*c = (struct choose){ .since_ns = now_ns, .hold_ns = HOLD_FIRST_NS, .dense_time = DENSE_TIME };
}

void choose_note(struct choose *c, uint64_t cpu_ns, uint64_t bytes, uint64_t tiles)
{
	c->fresh_tiles += tiles;
	c->fresh_ns += cpu_ns;
	c->fresh_bytes += bytes;
}

static uint64_t longer(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* The mode was changed: what was measured is of the other. */
static void change(struct choose *c, uint64_t now_ns)
{
	bool in_vain = now_ns - c->since_ns < SOON * c->hold_ns, first = c->hold_ns == HOLD_FIRST_NS;

	c->hold_ns = !first && in_vain ? 2 * c->hold_ns : HOLD_NS;
	c->hold_ns = c->hold_ns < HOLD_MAX_NS ? c->hold_ns : HOLD_MAX_NS;
	c->since_ns = now_ns;
	c->cost_before = c->cpu_ns / c->bytes + 1;
	c->cpu_ns = c->bytes = c->tiles = c->looks = 0;
}

/*
 * How many times the dense mode's bytes the fast one takes, in tenths: noise is noise in both, text and drawings take two and a
 * half times. It is seen by the bits that a pixel takes in the mode at hand.
 */
static uint64_t fast_bytes(const struct choose *c, bool fast)
{
	uint64_t bits = c->bytes * 8 / (c->tiles * 256 + 1), below = bits < 20 ? 20 - bits : 0, tenths;

	tenths = 10 + (fast ? below * 5 / 4 : below * 15 / 17);
	return tenths < 25 ? tenths : 25;
}

/* The first that is heard of a mode after the other: a quarter of what is thought of the two is what was seen. */
static void learn(struct choose *c, bool fast)
{
	uint64_t cost = c->cpu_ns / c->bytes + 1, dense = fast ? c->cost_before : cost, other = fast ? cost : c->cost_before;
	uint64_t seen = dense * 10 / fast_bytes(c, fast) / other;

	c->cost_before = 0;
	seen = seen < DENSE_TIME_MIN ? DENSE_TIME_MIN : seen > DENSE_TIME_MAX ? DENSE_TIME_MAX : seen;
	c->dense_time = (3 * c->dense_time + (unsigned)seen) / 4;
}

bool choose_other(struct choose *c, bool fast, uint32_t rate, unsigned share, uint64_t now_ns)
{
	uint64_t cpu, line, other_cpu, other_line;

	if ((c->fresh_ns < ENOUGH_NS && c->fresh_bytes < ENOUGH_BYTES) || c->fresh_bytes < LEAST_BYTES || !rate ||
	    now_ns - c->since_ns < c->hold_ns)
		return false;
	c->cpu_ns = c->cpu_ns / 2 + c->fresh_ns;
	c->bytes = c->bytes / 2 + c->fresh_bytes;
	c->tiles = c->tiles / 2 + c->fresh_tiles;
	c->fresh_ns = c->fresh_bytes = c->fresh_tiles = 0;
	if (c->cost_before)
		learn(c, fast);
	cpu = c->cpu_ns * 1000 / share;
	line = c->bytes * 1000000000 / rate;
	other_cpu = fast ? cpu * c->dense_time : cpu / c->dense_time;
	other_line = fast ? line * 10 / fast_bytes(c, true) : line * fast_bytes(c, false) / 10;
	if (longer(other_cpu, other_line) * BETTER_10 / 10 >= longer(cpu, line)) {
		c->looks = 0;
		return false;
	}
	if (++c->looks < LOOKS)
		return false;
	change(c, now_ns);
	return true;
}
