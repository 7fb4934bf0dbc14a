/* dense_encode.h */
#include <string.h>

#include "stream/background.h"
#include "stream/copysearch.h"
#include "stream/dense_encode.h"
#include "stream/dense_round.h"
#include "stream/glyphplan.h"
#include "stream/gridsearch.h"
#include "stream/like.h"
#include "stream/movesearch.h"

#define LOOK 1u
#define HEADER_MAX 5
#define GRID_MIN_DIFFS 6 /* tiles that differ; below, no grid is looked for */
#define COPY_MIN_DIFFS 2
#define MOVE_MIN_DIFFS 6 /* in the fast mode, where the search must pay */
#define GRID_WAIT_MAX 64 /* rounds */
#define MOVE_WAIT_MAX 3

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
	e->move_pause = e->move_wait = 0;
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

/* Which of the eight tiles from column c on are marked, or are not: a bit in each one's byte. */
static uint64_t marks(const struct dense_enc *e, const uint8_t *flags, uint32_t c, bool marked)
{
	uint64_t eight = 0;

	if (c + sizeof(eight) <= e->d.cols)
		memcpy(&eight, flags + c, sizeof(eight));
	else
		memcpy(&eight, flags + c, e->d.cols - c); /* none beyond */
	return (marked ? eight : ~eight) & LOOK * 0x0101010101010101u;
}

#define RUN_TILES 64

/* Marked tiles beside one another in a row of tiles. */
struct run {
	uint32_t first, count;
};

/* The next of them from column c on; none if count is 0. */
static struct run next_run(const struct dense_enc *e, uint32_t row, uint32_t c)
{
	const uint8_t *flags = e->flags + row * e->d.cols;
	uint64_t found = 0;
	uint32_t end;

	for (; c < e->d.cols && !(found = marks(e, flags, c, true)); c += 8)
		;
	if (!found)
		return (struct run){ e->d.cols, 0 };
	c += (uint32_t)__builtin_ctzll(found) / 8;
	for (end = c; end < e->d.cols && !(found = marks(e, flags, end, false)); end += 8)
		;
	end += end < e->d.cols ? (uint32_t)__builtin_ctzll(found) / 8 : 0;
	end = end < e->d.cols ? end : e->d.cols;
	return (struct run){ c, end - c < RUN_TILES ? end - c : RUN_TILES };
}

/* Tiles first .. first + count - 1 of a row of tiles. */
static struct rect tiles_rect(const struct dense_enc *e, uint32_t row, uint32_t first, uint32_t count)
{
	struct rect r = tile_rect(&e->d, row, first), last = tile_rect(&e->d, row, first + count - 1);

	r.w = last.x + last.w - r.x;
	return r;
}

/* The first row of the rectangle from y on that may differ; its end if none does. */
static int32_t first_difference(const struct dense_enc *e, const struct rect *r, int32_t y)
{
	return y + (int32_t)picture_first_difference(&e->cur, (uint32_t)r->x, (uint32_t)y, (uint32_t)r->w,
						     (uint32_t)(r->y + r->h - y), e->d.sent + (size_t)y * e->d.width + r->x,
						     e->d.width);
}

#define GROUP 4 /* tiles that are looked at together */

/* Which tiles of a run differ. Where many are the same beside one another, that is cheap to see. */
static uint64_t run_differs(const struct dense_enc *e, uint32_t row, const struct run *run)
{
	struct rect all = tiles_rect(e, row, run->first, run->count), group = all;
	int32_t bottom = all.y + all.h, right = all.x + all.w, from = first_difference(e, &all, all.y);
	uint64_t differ = 0;

	if (from == bottom)
		return 0;
	for (uint64_t tile = 1; group.x < right; group.x += GROUP * TILE) {
		group.w = right - group.x < GROUP * TILE ? right - group.x : GROUP * TILE;

		int32_t y = first_difference(e, &group, from), x = group.x, end = group.x + group.w;
		const uint32_t *sent = e->d.sent + (size_t)y * e->d.width + x;

		if (y == bottom) {
			tile <<= GROUP;
			continue;
		}
		for (; x < end; x += TILE, sent += TILE, tile <<= 1)
			if (picture_differs(&e->cur, (uint32_t)x, (uint32_t)y, (uint32_t)(end - x < TILE ? end - x : TILE),
					    (uint32_t)(bottom - y), sent, e->d.width))
				differ |= tile;
	}
	return differ;
}

static uint64_t all_of(uint32_t count)
{
	return count < 64 ? (1ull << count) - 1 : ~0ull;
}

/* Of a run, the tiles that differ stay marked; the others were for nothing. */
static void mark_run(struct dense_enc *e, uint32_t row, const struct run *run, uint64_t differ)
{
	uint8_t *flags = e->flags + row * e->d.cols + run->first;

	if (differ == all_of(run->count))
		return;

	for (uint32_t i = 0; i < run->count; i++, differ >>= 1)
		flags[i] = (uint8_t)((flags[i] & ~LOOK) | (differ & LOOK));
}

/* The columns of a row of tiles that copies of this round have changed, and those between them; none if count is 0. */
static struct run copied(const struct dense_enc *e, uint32_t row)
{
	int32_t y = (int32_t)row * TILE;
	struct rect all = { 0 };

	for (unsigned i = 0; i < e->d.copies.count; i++) {
		const struct rect *to = &e->d.copies.now[i].to;

		if (to->y < y + TILE && to->y + to->h > y)
			rect_widen(&all, to);
	}
	if (!all.w)
		return (struct run){ 0, 0 };
	return (struct run){ (uint32_t)all.x / TILE, (uint32_t)((all.x + all.w - 1) / TILE - all.x / TILE + 1) };
}

/* After the copies: what they did not change differs as before. */
static uint64_t run_differs_still(const struct dense_enc *e, uint32_t row, const struct run *run)
{
	struct run c = copied(e, row);
	uint32_t first = c.first > run->first ? c.first : run->first, end = run->first + run->count;
	uint64_t differ = all_of(run->count);

	end = c.first + c.count < end ? c.first + c.count : end;
	if (first >= end)
		return differ;

	struct run part = { first, end - first };
	uint64_t looked_at = all_of(part.count) << (first - run->first);

	return (differ & ~looked_at) | run_differs(e, row, &part) << (first - run->first);
}

/* Looks at one row of tiles. */
static void diff_row(struct dense_enc *e)
{
	for (struct run run = next_run(e, e->row, 0); run.count; run = next_run(e, e->row, run.first + run.count)) {
		uint64_t differ = e->stage == ENC_REDIFF ? run_differs_still(e, e->row, &run) : run_differs(e, e->row, &run);
		uint32_t tile = e->row * e->d.cols + run.first;

		mark_run(e, e->row, &run, differ);
		if (!differ)
			continue;

		uint32_t first = (uint32_t)__builtin_ctzll(differ), last = 63 - (uint32_t)__builtin_clzll(differ);
		struct rect rect = tiles_rect(e, e->row, run.first + first, last - first + 1);

		rect_widen(&e->bounds, &rect);
		for (; differ; differ &= differ - 1, e->diffs++) {
			uint32_t t = tile + (uint32_t)__builtin_ctzll(differ);

			e->diff[t / 32] |= 1u << (t % 32);
		}
	}
}

static void begin_diff(struct dense_enc *e, enum enc_stage stage)
{
	e->row = 0;
	e->diffs = 0;
	e->bounds = (struct rect){ 0 };
	memset(e->diff, 0, (e->d.cols * e->d.rows / 32 + 1) * sizeof(e->diff[0]));
	e->stage = stage;
}

/* -------- what the round asks */

static const struct copy *op_copy(void *arg)
{
	struct dense_enc *e = arg;

	if (e->stage != ENC_COPIES)
		return NULL;
	return e->d.mode == MODE_FAST ? &e->u.moves.found : &e->u.search.found;
}

static const struct cell_plan *op_cells(void *arg, unsigned g)
{
	return &((struct dense_enc *)arg)->plan[g];
}

/* In the fast mode: a row of tiles was read when its map was coded, if there is room for it. */
static const uint32_t *fast_px(struct dense_enc *e, const struct rect *r, uint32_t *stride)
{
	uint32_t *px = e->u.text.px;

	/* A glyph is narrow, and may be higher than a tile. */
	*stride = e->d.px.literal ? (uint32_t)r->w : PX_WIDE;
	if (!e->d.px.literal && e->d.width <= PX_WIDE)
		return px + r->x;
	if (e->d.px.x == r->x && e->d.px.y == r->y)
		picture_read_rect(&e->cur, (uint32_t)r->x, (uint32_t)r->y, (uint32_t)r->w, (uint32_t)r->h, px, *stride);
	return px;
}

static const uint32_t *op_px(void *arg, const struct rect *r, uint32_t *stride)
{
	struct dense_enc *e = arg;

	if (e->d.mode == MODE_FAST)
		return fast_px(e, r, stride);
	/* A cell is read when it begins, a region of tiles likewise; what is being coded stays. */
	if (e->d.stage == DENSE_CELL || (e->d.stage == DENSE_PIXELS && e->d.px.x == r->x && e->d.px.y == r->y))
		for (int32_t y = 0; y < r->h; y++)
			picture_read(&e->cur, (uint32_t)r->x, (uint32_t)(r->y + y), (uint32_t)r->w,
				     e->d.stage == DENSE_CELL ? e->u.cell + y * r->w : e->u.px[y]);
	*stride = e->d.stage == DENSE_PIXELS ? PX_WIDE : (uint32_t)r->w;
	return e->d.stage == DENSE_PIXELS ? e->u.px[0] : e->u.cell;
}

#define SAMPLE 6 /* of a tile's rows, every so many */

/* Pixels of which few are like their neighbours or the one before. */
static bool is_texture(const struct dense *d, const struct rect *r, const uint32_t *px, uint32_t stride)
{
	int32_t like = 0, looked = 0;

	for (int32_t y = SAMPLE / 2; y < r->h; y += SAMPLE) {
		const uint32_t *sent = d->sent + (size_t)(r->y + y) * d->width + (uint32_t)r->x;
		const uint32_t *row = px + (uint32_t)y * stride;
		struct like l = like_what(sent, row - stride, row, r->w);

		like += like_odd((l.left & l.above) | l.base);
		looked += r->w / 2;
	}
	return like * 3 < looked;
}

static bool is_solid(const struct rect *r, const uint32_t *px, uint32_t stride)
{
	uint32_t row[TILE];

	pixels_fill(row, px[0], TILE);
	for (int32_t y = 0; y < r->h; y++, px += stride)
		if (!pixels_equal(px, row, (uint32_t)r->w))
			return false;
	return true;
}

/* One colour; pixels; or, in the fast mode, textures. */
static enum tile_mode op_tile(void *arg)
{
	struct dense_enc *e = arg;
	struct dense *d = &e->d;
	bool fast = d->mode == MODE_FAST;
	uint32_t tile = d->row * d->cols + d->col, one[TILE * TILE], *px = one, stride = TILE;
	struct rect r = tile_rect(d, d->row, d->col);

	/* It was seen to differ, in this slice or in one before. */
	if (!(e->flags[tile] & LOOK))
		return TILE_SAME;
	e->flags[tile] &= (uint8_t)~LOOK;
	if (fast && d->width <= PX_WIDE) {
		px = e->u.text.px + r.x;
		stride = PX_WIDE;
	}
	picture_read_rect(&e->cur, (uint32_t)r.x, (uint32_t)r.y, (uint32_t)r.w, (uint32_t)r.h, px, stride);
	if (background_equals(d, tile, px, stride, (uint32_t)r.w, (uint32_t)r.h))
		return TILE_BACKGROUND;
	if (is_solid(&r, px, stride))
		return TILE_SOLID;
	return fast && is_texture(d, &r, px, stride) ? TILE_TEXTURE : TILE_CODED;
}

static bool op_row(void *arg)
{
	struct dense_enc *e = arg;
	uint32_t row = e->d.row;
	bool any = false;

	/* In the fast mode what was seen after the copies counts, unless text has come since. */
	if (e->d.mode == MODE_FAST && !e->plan[0].used && !e->plan[1].used)
		return next_run(e, row, 0).count;
	for (struct run r = next_run(e, row, 0); r.count; r = next_run(e, row, r.first + r.count)) {
		uint64_t differ = run_differs(e, row, &r);

		mark_run(e, row, &r, differ);
		any |= differ != 0;
	}
	return any;
}

static const struct glyph_line *op_line(void *arg)
{
	return glyphplan_line(arg);
}

static unsigned op_glyph(void *arg)
{
	return glyphplan_glyph(arg);
}

static const struct round_ops ops = {
	.copy = op_copy, .cells = op_cells, .line = op_line, .glyph = op_glyph, .px = op_px, .tile = op_tile, .row = op_row
};

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

static void plan_again(struct dense_enc *e)
{
	if (e->d.mode == MODE_FAST)
		glyphplan_begin(e);
	else
		cellplan_begin(e);
	e->stage = ENC_PLAN;
}

/* What is left after the copies is known. */
static void begin_plan(struct dense_enc *e)
{
	for (unsigned g = 0; g < GRIDS; g++)
		e->plan[g].fresh = false;
	plan_again(e);
}

static enum search_result search_copy(struct dense_enc *e)
{
	bool fast = e->d.mode == MODE_FAST;

	if (e->diffs < (fast ? MOVE_MIN_DIFFS : COPY_MIN_DIFFS) || e->d.copies.count == COPY_MAX || (fast && e->move_pause))
		return SEARCH_NONE;
	return fast ? movesearch_step(e) : copysearch_step(e);
}

/* The fast mode: where nothing moved for long, it is not looked for in each round. */
static void note_moves(struct dense_enc *e)
{
	if (e->move_pause) {
		e->move_pause--;
	} else if (e->d.copies.count) {
		e->move_wait = 0;
	} else if (e->diffs >= MOVE_MIN_DIFFS) {
		e->move_pause = e->move_wait;
		e->move_wait = e->move_wait < MOVE_WAIT_MAX ? e->move_wait + 1 : MOVE_WAIT_MAX;
	}
}

static void step_copies(struct dense_enc *e)
{
	enum search_result r = search_copy(e);

	if (r == SEARCH_MORE)
		return;
	if (r == SEARCH_FOUND) {
		unit(e);
		mark(e, &e->d.copies.now[e->d.copies.count - 1].to);
		return;
	}
	note_moves(e);
	e->stage = ENC_GRID;
	unit(e);
	if (e->d.copies.count)
		begin_diff(e, ENC_REDIFF);
	else
		begin_plan(e);
}

static void step_plan(struct dense_enc *e)
{
	if (e->d.mode == MODE_FAST ? glyphplan_step(e) : cellplan_step(e))
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

static bool has_grid(const struct dense_enc *e, unsigned g, const struct cell_plan *p)
{
	const struct grid *c = &e->d.cells.grid[g];
	const struct glyph_grid *f = &e->d.fast.glyphs.grid[g];

	if (e->d.mode == MODE_FAST)
		return f->cw == p->cw && f->ch == p->ch && f->ox == p->ox && f->oy == p->oy;
	return c->cw == p->cw && c->ch == p->ch && c->ox == p->ox && c->oy == p->oy;
}

static void step_grid(struct dense_enc *e)
{
	if (gridsearch_step(e))
		return;

	struct cell_plan best = e->u.grid.best;

	if (e->d.mode == MODE_FAST)
		glyphplan_begin(e); /* the search took its room */
	e->stage = ENC_CODE;
	if (!best.fresh) {
		e->grid_pause = e->grid_wait;
		e->grid_wait = e->grid_wait < GRID_WAIT_MAX ? 2 * e->grid_wait : GRID_WAIT_MAX;
		return;
	}
	unsigned g = e->last_used[0] <= e->last_used[1] ? 0 : 1;

	e->grid_pause = e->grid_wait;
	if (has_grid(e, 0, &best) || has_grid(e, 1, &best))
		return;
	e->grid_wait = 4;
	e->known[g] = 128;
	e->plan[g] = best;
	plan_again(e);
}

/* How often the dictionary had the cell. */
static void note_cell(struct dense_enc *e, uint8_t g, bool known)
{
	e->known[g] = e->known[g] - e->known[g] / 16 + (known ? 16 : 0);
}

static void step_code(struct dense_enc *e)
{
	bool cell = e->d.mode == MODE_DENSE && e->d.stage == DENSE_CELL;
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
		if (e->d.mode == MODE_FAST)
			movesearch_begin(e);
		else
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
