#include "host/faults.h"

#include <string.h>

#define CUT_LASTS_US 1000000u
#define STALL_LASTS_US 1000000u

/* xorshift64* (Vigna 2016): fast, and the same everywhere. */
static uint64_t next_random(struct faults *f)
{
	f->random ^= f->random >> 12;
	f->random ^= f->random << 25;
	f->random ^= f->random >> 27;
	return f->random * 0x2545f4914f6cdd1dull;
}

static uint64_t threshold(double p)
{
	if (p <= 0)
		return 0;
	if (p >= 1)
		return UINT64_MAX;
	return (uint64_t)(p * 18446744073709551616.0);
}

void faults_init(struct faults *f, const struct fault_rates *rates, unsigned direction)
{
	*f = (struct faults){
		.flip = threshold(rates->flip),
		.drop = threshold(rates->drop),
		.dup = threshold(rates->dup),
		.burst = threshold(rates->burst),
		.cut_us = rates->cut_us,
		.stall_us = rates->stall_us,
		.random = (rates->seed * 2 + direction) * 0x9e3779b97f4a7c15ull + 1,
	};
	if (!f->random)
		f->random = 1;
	for (int i = 0; i < 8; i++)
		next_random(f);
}

bool faults_stalled(const struct faults *f, uint64_t now_us, uint64_t *until_us)
{
	uint64_t at = f->stall_us ? now_us % f->stall_us : 0;

	*until_us = now_us + f->stall_us - at;
	return f->stall_us && at >= f->stall_us - STALL_LASTS_US;
}

size_t faults_apply(struct faults *f, const uint8_t *in, size_t n, uint8_t *out, uint64_t now_us)
{
	size_t k = 0;

	if (f->cut_us && now_us % f->cut_us >= f->cut_us - CUT_LASTS_US) {
		f->dropped += n;
		return 0;
	}
	if (!f->flip && !f->drop && !f->dup && !f->burst) {
		memcpy(out, in, n);
		return n;
	}
	for (size_t i = 0; i < n; i++) {
		uint8_t byte = in[i];

		if (f->burst && !f->burst_left && next_random(f) < f->burst)
			f->burst_left = 1 + (unsigned)(next_random(f) % FAULTS_BURST);
		if (f->burst_left) {
			f->burst_left--;
			f->noisy++;
			out[k++] = (uint8_t)(next_random(f) >> 56);
			continue;
		}
		if (f->drop && next_random(f) < f->drop) {
			f->dropped++;
			continue;
		}
		if (f->flip && next_random(f) < f->flip) {
			f->flipped++;
			byte ^= (uint8_t)(1u << (next_random(f) >> 61));
		}
		out[k++] = byte;
		if (f->dup && next_random(f) < f->dup) {
			f->doubled++;
			out[k++] = byte;
		}
	}
	return k;
}
