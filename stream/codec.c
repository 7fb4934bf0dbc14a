/* codec.h */
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "stream/codec.h"

struct palette {
	uint32_t colour[CODEC_COLOURS];
	unsigned n;
	unsigned bits; /* of an index */
};

static unsigned index_bits(unsigned n)
{
	return n > 8 ? 4 : n > 4 ? 3 : n > 2 ? 2 : 1;
}

static size_t put_pixel(uint8_t *out, uint32_t px)
{
	out[0] = (uint8_t)px;
	out[1] = (uint8_t)(px >> 8);
	out[2] = (uint8_t)(px >> 16);
	return 3;
}

static uint32_t get_pixel(const uint8_t *in)
{
	return in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16;
}

/* Finds the tile's colours and every pixel's index; false where there are too many. */
static bool find_palette(const uint32_t *px, unsigned count, struct palette *pal, uint8_t *index)
{
	unsigned last = 0;

	pal->colour[0] = px[0];
	pal->n = 1;
	for (unsigned i = 0; i < count; i++) {
		if (px[i] != pal->colour[last]) {
			for (last = 0; last < pal->n && pal->colour[last] != px[i]; last++)
				;
			if (last == pal->n) {
				if (pal->n == CODEC_COLOURS)
					return false;
				pal->colour[pal->n++] = px[i];
			}
		}
		index[i] = (uint8_t)last;
	}
	pal->bits = index_bits(pal->n);
	return true;
}

static size_t put_palette(const struct palette *pal, uint8_t *out)
{
	size_t at = 0;

	out[at++] = (uint8_t)(pal->n - 1);
	for (unsigned i = 0; i < pal->n; i++)
		at += put_pixel(out + at, pal->colour[i]);
	return at;
}

/* Codes indices as runs; gives up (0) once limit bytes would be passed. */
static size_t put_runs(const struct palette *pal, const uint8_t *index, unsigned count, uint8_t *out, size_t limit)
{
	unsigned full = 0xffu >> pal->bits;
	size_t at = 0;

	for (unsigned i = 0, end; i < count; i = end) {
		for (end = i + 1; end < count && index[end] == index[i]; end++)
			;
		unsigned more = end - i - 1, low = more < full ? more : full;

		if (at + 2 > limit)
			return 0;
		out[at++] = (uint8_t)(index[i] | low << pal->bits);
		if (low == full)
			out[at++] = (uint8_t)(more - full);
	}
	return at;
}

static size_t packed_size(const struct palette *pal, unsigned count)
{
	return (count * pal->bits + 7) / 8;
}

static void put_packed(const struct palette *pal, const uint8_t *index, unsigned count, uint8_t *out)
{
	memset(out, 0, packed_size(pal, count));
	for (unsigned i = 0, bit = 0; i < count; i++, bit += pal->bits) {
		unsigned v = (unsigned)index[i] << (bit & 7);

		out[bit / 8] |= (uint8_t)v;
		if (v > 0xff)
			out[bit / 8 + 1] |= (uint8_t)(v >> 8);
	}
}

static size_t put_raw(const uint32_t *px, unsigned count, uint8_t *out)
{
	size_t at = 0;

	out[at++] = CODEC_RAW;
	for (unsigned i = 0; i < count; i++)
		at += put_pixel(out + at, px[i]);
	return at;
}

size_t codec_encode_tile(const uint32_t *px, unsigned w, unsigned h, uint8_t *out)
{
	unsigned count = w * h;
	uint8_t index[TILE * TILE], runs[TILE * TILE / 2]; /* runs: only if shorter than packed */
	struct palette pal;

	if (!find_palette(px, count, &pal, index))
		return put_raw(px, count, out);
	if (pal.n == 1) {
		out[0] = CODEC_SOLID;
		return 1 + put_pixel(out + 1, px[0]);
	}

	size_t head = 2 + 3 * pal.n, size = packed_size(&pal, count);
	size_t run_size = put_runs(&pal, index, count, runs, size);
	bool by_runs = run_size && run_size < size;

	if (by_runs)
		size = run_size;
	if (head + size >= 1 + 3 * count)
		return put_raw(px, count, out);
	out[0] = by_runs ? CODEC_RUNS : CODEC_PACKED;
	put_palette(&pal, out + 1);
	if (by_runs)
		memcpy(out + head, runs, size);
	else
		put_packed(&pal, index, count, out + head);
	return head + size;
}

/* Reads a palette; returns the bytes used or -EBADMSG. */
static int get_palette(const uint8_t *in, size_t len, struct palette *pal)
{
	if (len < 1 || in[0] < 1 || in[0] >= CODEC_COLOURS)
		return -EBADMSG;
	pal->n = in[0] + 1u;
	pal->bits = index_bits(pal->n);
	if (len < 1 + 3 * pal->n)
		return -EBADMSG;
	for (unsigned i = 0; i < pal->n; i++)
		pal->colour[i] = get_pixel(in + 1 + 3 * i);
	return (int)(1 + 3 * pal->n);
}

static int get_runs(const struct palette *pal, const uint8_t *in, size_t len, unsigned count, uint32_t *px)
{
	unsigned full = 0xffu >> pal->bits, mask = (1u << pal->bits) - 1;
	size_t at = 0;

	for (unsigned i = 0; i < count;) {
		if (at == len)
			return -EBADMSG;
		unsigned byte = in[at++], index = byte & mask, run = (byte >> pal->bits) + 1;

		if (run == full + 1) {
			if (at == len)
				return -EBADMSG;
			run += in[at++];
		}
		if (index >= pal->n || run > count - i)
			return -EBADMSG;
		while (run--)
			px[i++] = pal->colour[index];
	}
	return (int)at;
}

static int get_packed(const struct palette *pal, const uint8_t *in, size_t len, unsigned count, uint32_t *px)
{
	size_t size = packed_size(pal, count);
	unsigned mask = (1u << pal->bits) - 1, bit = 0;

	if (len < size)
		return -EBADMSG;
	for (unsigned i = 0; i < count; i++, bit += pal->bits) {
		unsigned v = in[bit / 8] >> (bit & 7);

		if ((bit & 7) + pal->bits > 8)
			v |= (unsigned)in[bit / 8 + 1] << (8 - (bit & 7));
		if ((v & mask) >= pal->n)
			return -EBADMSG;
		px[i] = pal->colour[v & mask];
	}
	if ((bit & 7) && in[bit / 8] >> (bit & 7))
		return -EBADMSG;
	return (int)size;
}

static int get_indexed(const uint8_t *in, size_t len, unsigned count, uint32_t *px, bool by_runs)
{
	struct palette pal;
	int head = get_palette(in, len, &pal);

	if (head < 0)
		return head;
	in += head;
	len -= (size_t)head;
	int size = by_runs ? get_runs(&pal, in, len, count, px) : get_packed(&pal, in, len, count, px);

	return size < 0 ? size : head + size;
}

int codec_decode_tile(const uint8_t *in, size_t len, unsigned w, unsigned h, uint32_t *px)
{
	unsigned count = w * h;
	int size;

	if (len < 1)
		return -EBADMSG;
	uint8_t method = *in++;

	len--;
	switch (method) {
	case CODEC_SOLID:
		if (len < 3)
			return -EBADMSG;
		for (unsigned i = 0; i < count; i++)
			px[i] = get_pixel(in);
		return 1 + 3;
	case CODEC_RUNS:
	case CODEC_PACKED: size = get_indexed(in, len, count, px, method == CODEC_RUNS); return size < 0 ? size : 1 + size;
	case CODEC_RAW:
		if (len < 3 * (size_t)count)
			return -EBADMSG;
		for (unsigned i = 0; i < count; i++)
			px[i] = get_pixel(in + 3 * i);
		return (int)(1 + 3 * count);
	default: return -EBADMSG;
	}
}
