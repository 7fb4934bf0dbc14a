/* dense.h: the model as a whole, and the decoder */
#include <errno.h>
#include <string.h>

#include "stream/background.h"
#include "stream/cells.h"
#include "stream/copies.h"
#include "stream/dense.h"
#include "stream/dense_round.h"
#include "stream/fast.h"
#include "stream/pixels.h"
#include "stream/tilemap.h"

/* The table's part of a reset is by far the largest: it goes in pieces. */
#define TABLE_PIECE (16 * 1024)
#define TABLE_PIECES (MIX_SLOTS / TABLE_PIECE)
_Static_assert(MIX_SLOTS % TABLE_PIECE == 0, "whole pieces");

int dense_reset_begin(struct dense *d, enum dense_mode mode, uint32_t *sent, uint32_t width, uint32_t height)
{
	uint32_t cols = (width + TILE - 1) / TILE, rows = (height + TILE - 1) / TILE;

	if (!width || !height || width > DENSE_MAX_SIDE || height > DENSE_MAX_SIDE || cols * rows > DENSE_MAX_TILES)
		return -EINVAL;
	mix_init();
	d->mode = mode;
	d->sent = sent;
	d->width = width;
	d->height = height;
	d->cols = cols;
	d->rows = rows;
	d->stage = DENSE_DONE;
	d->first = true;
	d->reset = 0;
	return 0;
}

/* Of what both modes have. */
static void reset_round(struct dense *d)
{
	tilemap_clear(d);
	copies_clear(d);
	copies_begin(d);
}

bool dense_reset_step(struct dense *d)
{
	unsigned step = d->reset++;

	if (d->mode == MODE_FAST) {
		if (step)
			return false;
		reset_round(d);
		fast_clear(d);
		return false;
	}
	if (step < TABLE_PIECES) {
		mix_clear_slots(d->table + (size_t)step * TABLE_PIECE, TABLE_PIECE);
		return true;
	}
	switch (step - TABLE_PIECES) {
	case 0: cells_clear(d); return true;
	case 1: pixels_clear(d); return true;
	case 2:
		reset_round(d);
		background_clear(d);
		cells_begin(d);
		return false;
	default: return false;
	}
}

int dense_reset(struct dense *d, enum dense_mode mode, uint32_t *sent, uint32_t width, uint32_t height)
{
	int err = dense_reset_begin(d, mode, sent, width, height);

	while (!err && dense_reset_step(d))
		;
	return err;
}

/* The number of units before a cut; the header's length, or 0 for a malformed one. */
static size_t get_units(const uint8_t *in, size_t len, uint32_t *units)
{
	size_t at = 1;

	*units = ~0u;
	if (!len)
		return 0;
	if (!(in[0] & DENSE_CUT))
		return 1;
	*units = 0;
	for (unsigned shift = 0; shift < 28 && at < len; shift += 7) {
		uint8_t byte = in[at++];

		*units |= (byte & 0x7fu) << shift;
		if (!(byte & 0x80))
			return at;
	}
	return 0;
}

int dense_decode(struct dense *d, const uint8_t *in, size_t len)
{
	static const struct round_ops decoder;
	uint32_t units;
	size_t header = get_units(in, len, &units);
	bool more = true;

	if (!header || (in[0] & DENSE_FLAGS) == DENSE_BREAK)
		return -EBADMSG;
	if (d->stage == DENSE_DONE)
		round_begin(d);
	rc_begin_decode(&d->rc, in + header, len - header);
	while (units-- && more && !d->rc.bad)
		more = round_unit(d, &decoder, NULL);
	/* A datagram that is cut leaves something to come; one that is not goes to the end. */
	if (!rc_ended(&d->rc) || more != !!(in[0] & DENSE_CUT))
		return -EBADMSG;
	if (in[0] & DENSE_BREAK)
		d->stage = DENSE_DONE;
	return 0;
}
