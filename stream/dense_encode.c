/* dense_encode.h */
#include <string.h>

#include "stream/background.h"
#include "stream/copysearch.h"
#include "stream/dense_encode.h"
#include "stream/dense_round.h"
#include "stream/gridsearch.h"

#define LOOK 1u
#define HEADER_MAX 5
#define GRID_MIN_DIFFS 6 /* tiles that differ; below, no grid is looked for */
#define COPY_MIN_DIFFS 2
#define GRID_WAIT_MAX 64 /* rounds */

int dense_enc_reset_begin(struct dense_enc *e, enum dense_mode mode, uint32_t *sent, uint8_t *flags, uint32_t width,
			  uint32_t height)
{
	int err = dense_reset_begin(&e->d, mode, sent, width, height);

	if (err)
		return err;
	e->flags = flags;
	e->stage = ENC_IDLE;
	e->grid_pause = 0;
	e->grid_wait = 4;
	e->round = 0;
	e->units = e->round_units = 0;
	e->broken = false;
	e->out = NULL;
	for (unsigned g = 0; g < GRIDS; g++) {
		e->last_used[g] = 0;
		e->known[g] = 0;
	}
	return 0;
}

int dense_enc_reset(struct dense_enc *e, enum dense_mode mode, uint32_t *sent, uint8_t *flags, uint32_t width, uint32_t height)
{
	int err = dense_enc_reset_begin(e, mode, sent, flags, width, height);

	while (!err && dense_reset_step(&e->d))
		;
	return err;
}

void dense_enc_source(struct dense_enc *e, const struct scanout *cur)
{
	e->cur = *cur;
}

void dense_enc_begin(struct dense_enc *e, uint8_t *out, size_t cap)
{
	e->out = out;
	e->cap = cap;
	e->units = 0;
	rc_begin_encode(&e->d.rc, out + HEADER_MAX, cap - HEADER_MAX);
}

size_t dense_enc_end(struct dense_enc *e)
{
	size_t n, header = 0;
	bool cut = e->broken || (e->stage != ENC_IDLE && e->stage != ENC_DIFF);

	if (!e->units && !e->broken)
		return 0;
	n = rc_finish(&e->d.rc);
	e->out[header++] = (uint8_t)((cut ? DENSE_CUT : 0) | (e->broken ? DENSE_BREAK : 0));
	if (cut) {
		uint32_t v = e->units;

		for (; v > 0x7f; v >>= 7)
			e->out[header++] = (uint8_t)(v | 0x80);
		e->out[header++] = (uint8_t)v;
	}
	memmove(e->out + header, e->out + HEADER_MAX, n);
	e->units = 0;
	e->broken = false;
	return header + n;
}

void dense_enc_break(struct dense_enc *e)
{
	struct dense *d = &e->d;

	/* Of the tiles in this row some are unmarked already and not yet coded. */
	if (e->stage == ENC_CODE && (d->stage == DENSE_TILES || d->stage == DENSE_PIXELS))
		for (uint32_t c = 0; c < d->cols; c++)
			e->flags[d->row * d->cols + c] |= LOOK;
	/* A round without a unit is not known to the far end: it has not begun for this one, either. */
	if (e->round_units) {
		e->broken = true;
		e->round_units = 0;
		d->stage = DENSE_DONE;
	}
	e->stage = ENC_IDLE;
}

/* -------- what changed */

static struct rect tile_rect(const struct dense *d, uint32_t row, uint32_t col)
{
	struct rect r = { (int32_t)(col * TILE), (int32_t)(row * TILE), TILE, TILE };

	r.w = (int32_t)d->width - r.x < TILE ? (int32_t)d->width - r.x : TILE;
	r.h = (int32_t)d->height - r.y < TILE ? (int32_t)d->height - r.y : TILE;
	return r;
}

static bool tile_differs(const struct dense_enc *e, const struct rect *r, uint32_t px[TILE][TILE])
{
	bool differs = false;

	for (int32_t y = 0; y < r->h; y++) {
		picture_read(&e->cur, (uint32_t)r->x, (uint32_t)(r->y + y), (uint32_t)r->w, px[y]);
		differs |= !pixels_equal(px[y], e->d.sent + (size_t)(r->y + y) * e->d.width + r->x, (uint32_t)r->w);
	}
	return differs;
}

/* The same, without all pixels. */
static bool any_differs(const struct dense_enc *e, const struct rect *r)
{
	for (int32_t y = 0; y < r->h; y++) {
		uint32_t px[TILE];

		picture_read(&e->cur, (uint32_t)r->x, (uint32_t)(r->y + y), (uint32_t)r->w, px);
		if (!pixels_equal(px, e->d.sent + (size_t)(r->y + y) * e->d.width + r->x, (uint32_t)r->w))
			return true;
	}
	return false;
}

/* Looks at one row of tiles. Those that were marked for nothing are done with. */
static void diff_row(struct dense_enc *e)
{
	for (uint32_t c = 0; c < e->d.cols; c++) {
		uint32_t tile = e->row * e->d.cols + c;
		struct rect r = tile_rect(&e->d, e->row, c);

		if (!(e->flags[tile] & LOOK))
			continue;
		e->flags[tile] &= (uint8_t)~LOOK;
		if (!any_differs(e, &r))
			continue;
		e->flags[tile] |= LOOK;
		e->diff[tile / 32] |= 1u << (tile % 32);
		e->diffs++;
		rect_widen(&e->bounds, &r);
	}
}

static void begin_diff(struct dense_enc *e, enum enc_stage stage)
{
	e->row = 0;
	e->diffs = 0;
	e->bounds = (struct rect){ 0 };
	memset(e->diff, 0, sizeof(e->diff));
	e->stage = stage;
}

/* -------- what the round asks */

static const struct copy *op_copy(void *arg)
{
	struct dense_enc *e = arg;

	return e->stage == ENC_COPIES ? &e->u.search.found : NULL;
}

static const struct cell_plan *op_cells(void *arg, unsigned g)
{
	return &((struct dense_enc *)arg)->plan[g];
}

static const uint32_t *op_px(void *arg, const struct rect *r, uint32_t *stride)
{
	struct dense_enc *e = arg;

	/* A cell is read when it begins, a region of tiles likewise; what is being coded stays. */
	if (e->d.stage == DENSE_CELL || (e->d.stage == DENSE_PIXELS && e->d.px.x == r->x && e->d.px.y == r->y))
		for (int32_t y = 0; y < r->h; y++)
			picture_read(&e->cur, (uint32_t)r->x, (uint32_t)(r->y + y), (uint32_t)r->w,
				     e->d.stage == DENSE_CELL ? e->u.cell + y * r->w : e->u.px[y]);
	*stride = e->d.stage == DENSE_PIXELS ? PX_WIDE : (uint32_t)r->w;
	return e->d.stage == DENSE_PIXELS ? e->u.px[0] : e->u.cell;
}

/* One colour; pixels; or, in the fast mode, pixels of which few are like a neighbour or the one before. */
static enum tile_mode kind_of(const struct dense *d, const struct rect *r, uint32_t px[TILE][TILE])
{
	unsigned unlike_first = 0, like = 0;

	for (int32_t y = 0; y < r->h; y++) {
		const uint32_t *sent = d->sent + (size_t)(r->y + y) * d->width + (uint32_t)r->x;

		for (int32_t x = 0; x < r->w; x++) {
			unlike_first |= px[y][x] ^ px[0][0];
			like += (x && px[y][x] == px[y][x - 1]) | (y && px[y][x] == px[y - 1][x]) | (px[y][x] == sent[x]);
		}
	}
	if (!unlike_first)
		return TILE_SOLID;
	return d->mode == MODE_FAST && like * 4 < (unsigned)(r->w * r->h) ? TILE_TEXTURE : TILE_CODED;
}

static enum tile_mode op_tile(void *arg)
{
	struct dense_enc *e = arg;
	struct dense *d = &e->d;
	uint32_t tile = d->row * d->cols + d->col, px[TILE][TILE];
	struct rect r = tile_rect(d, d->row, d->col);

	if (!(e->flags[tile] & LOOK))
		return TILE_SAME;
	e->flags[tile] &= (uint8_t)~LOOK;
	if (!tile_differs(e, &r, px))
		return TILE_SAME;
	if (background_equals(d, tile, px[0], TILE, (uint32_t)r.w, (uint32_t)r.h))
		return TILE_BACKGROUND;
	return kind_of(d, &r, px);
}

static bool op_row(void *arg)
{
	struct dense_enc *e = arg;

	for (uint32_t c = 0; c < e->d.cols; c++)
		if (e->flags[e->d.row * e->d.cols + c] & LOOK) {
			struct rect r = tile_rect(&e->d, e->d.row, c);

			if (any_differs(e, &r))
				return true;
		}
	for (uint32_t c = 0; c < e->d.cols; c++)
		e->flags[e->d.row * e->d.cols + c] &= (uint8_t)~LOOK;
	return false;
}

static const struct round_ops ops = { .copy = op_copy, .cells = op_cells, .px = op_px, .tile = op_tile, .row = op_row };

/* -------- a round */

static bool unit(struct dense_enc *e)
{
	e->units++;
	e->round_units++;
	return round_unit(&e->d, &ops, e);
}

/* What a copy broke must be looked at, too. */
static void mark(struct dense_enc *e, const struct rect *r)
{
	for (int32_t y = r->y / TILE; y <= (r->y + r->h - 1) / TILE; y++)
		for (int32_t x = r->x / TILE; x <= (r->x + r->w - 1) / TILE; x++)
			e->flags[(uint32_t)y * e->d.cols + (uint32_t)x] |= LOOK;
}

/* What is left after the copies is known. */
static void begin_plan(struct dense_enc *e)
{
	for (unsigned g = 0; g < GRIDS; g++)
		e->plan[g].fresh = false;
	cellplan_begin(e);
	e->stage = ENC_PLAN;
}

static void step_copies(struct dense_enc *e)
{
	enum search_result r = e->diffs >= COPY_MIN_DIFFS && e->d.copies.count < COPY_MAX ? copysearch_step(e) : SEARCH_NONE;

	if (r == SEARCH_MORE)
		return;
	if (r == SEARCH_FOUND) {
		unit(e);
		mark(e, &e->d.copies.now[e->d.copies.count - 1].to);
		return;
	}
	e->stage = ENC_GRID;
	unit(e);
	if (e->d.copies.count)
		begin_diff(e, ENC_REDIFF);
	else
		begin_plan(e);
}

static void step_plan(struct dense_enc *e)
{
	if (cellplan_step(e))
		return;
	e->stage = ENC_CODE;
	if (e->grid_pause) {
		e->grid_pause--;
		return;
	}
	if (e->diffs < GRID_MIN_DIFFS || e->plan[0].used || e->plan[1].used || e->plan[0].fresh || e->plan[1].fresh)
		return;
	gridsearch_begin(e);
	e->stage = ENC_GRID;
}

static void step_grid(struct dense_enc *e)
{
	if (gridsearch_step(e))
		return;
	e->stage = ENC_CODE;
	if (!e->u.grid.best.fresh) {
		e->grid_pause = e->grid_wait;
		e->grid_wait = e->grid_wait < GRID_WAIT_MAX ? 2 * e->grid_wait : GRID_WAIT_MAX;
		return;
	}
	unsigned g = e->last_used[0] <= e->last_used[1] ? 0 : 1;
	const struct grid *old = e->d.cells.grid;

	e->grid_pause = e->grid_wait;
	for (unsigned i = 0; i < GRIDS; i++)
		if (old[i].cw == e->u.grid.best.cw && old[i].ch == e->u.grid.best.ch && old[i].ox == e->u.grid.best.ox &&
		    old[i].oy == e->u.grid.best.oy)
			return;
	e->grid_wait = 4;
	e->known[g] = 128;
	e->plan[g] = e->u.grid.best;
	cellplan_begin(e);
	e->stage = ENC_PLAN;
}

/* How often the dictionary had the cell. */
static void note_cell(struct dense_enc *e, uint8_t g, bool known)
{
	e->known[g] = e->known[g] - e->known[g] / 16 + (known ? 16 : 0);
}

static void step_code(struct dense_enc *e)
{
	bool cell = e->d.stage == DENSE_CELL;
	uint8_t at = e->d.cells.g;
	bool more = unit(e);

	if (cell)
		note_cell(e, at, e->d.stage != DENSE_LITERAL);
	if (more)
		return;
	for (unsigned g = 0; g < GRIDS; g++)
		if (e->plan[g].used)
			e->last_used[g] = e->round;
	e->round++;
	e->round_units = 0;
	e->stage = ENC_IDLE;
}

static void step(struct dense_enc *e)
{
	switch (e->stage) {
	case ENC_IDLE: begin_diff(e, ENC_DIFF); break;
	case ENC_DIFF:
		diff_row(e);
		if (++e->row < e->d.rows)
			break;
		e->stage = ENC_IDLE;
		if (!e->diffs)
			break;
		if (e->d.stage == DENSE_DONE)
			round_begin(&e->d);
		copysearch_begin(e);
		e->stage = ENC_COPIES;
		break;
	case ENC_COPIES: step_copies(e); break;
	case ENC_REDIFF:
		diff_row(e);
		if (++e->row == e->d.rows)
			begin_plan(e);
		break;
	case ENC_PLAN: step_plan(e); break;
	case ENC_GRID: step_grid(e); break;
	case ENC_CODE: step_code(e); break;
	}
}

enum dense_status dense_enc_work(struct dense_enc *e, unsigned slices)
{
	while (slices--) {
		if (rc_used(&e->d.rc) + DENSE_UNIT_MAX > e->d.rc.end)
			return DENSE_FULL;
		step(e);
		if (e->stage == ENC_IDLE)
			return DENSE_READY;
	}
	return DENSE_WORKING;
}
