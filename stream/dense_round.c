/* dense_round.h */
#include <string.h>

#include "stream/background.h"
#include "stream/copies.h"
#include "stream/dense_round.h"
#include "stream/glyphs.h"
#include "stream/pixels.h"
#include "stream/tilemap.h"

void round_begin(struct dense *d)
{
	copies_begin(d);
	if (d->mode == MODE_FAST)
		glyphs_begin(d);
	else
		cells_begin(d);
	d->px.old_valid[0] = d->px.old_valid[1] = false;
	d->stage = DENSE_COPIES;
}

/* Enters a pixel that no pixel coder coded. */
static void put_px(struct dense *d, uint32_t x, uint32_t y, uint32_t px)
{
	uint32_t *at = &d->sent[(size_t)y * d->width + x];

	if (*at == px)
		return;
	if (pixels_leave_background(d, (int32_t)x, (int32_t)y))
		background_keep(d, (int32_t)x, (int32_t)y, *at);
	*at = px;
}

static struct rect tile_rect(const struct dense *d)
{
	struct rect r = { (int32_t)(d->col * TILE), (int32_t)(d->row * TILE), TILE, TILE };

	r.w = (int32_t)d->width - r.x < TILE ? (int32_t)d->width - r.x : TILE;
	r.h = (int32_t)d->height - r.y < TILE ? (int32_t)d->height - r.y : TILE;
	return r;
}

static void draw_background(struct dense *d)
{
	struct rect r = tile_rect(d);
	uint32_t tile = d->row * d->cols + d->col;
	uint8_t bg[TILE * TILE * 3];

	rect_widen(&d->touch.all, &r);
	memcpy(bg, background_of(d, tile), sizeof(bg));
	for (int32_t y = 0; y < r.h; y++)
		for (int32_t x = 0; x < r.w; x++)
			put_px(d, (uint32_t)(r.x + x), (uint32_t)(r.y + y), background_px(bg, x, y));
	background_settle(d, tile);
}

static void draw_solid(struct dense *d)
{
	struct rect r = tile_rect(d);
	uint32_t px = d->sent[(size_t)r.y * d->width + (uint32_t)r.x];

	rect_widen(&d->touch.all, &r);
	if (d->mode == MODE_FAST) {
		for (int32_t y = 0; y < r.h; y++)
			pixels_fill(d->sent + (size_t)(r.y + y) * d->width + (uint32_t)r.x, px, (uint32_t)r.w);
		return;
	}
	for (int32_t y = 0; y < r.h; y++)
		for (int32_t x = 0; x < r.w; x++)
			put_px(d, (uint32_t)(r.x + x), (uint32_t)(r.y + y), px);
	background_settle(d, d->row * d->cols + d->col);
}

static unsigned mode_at(const struct dense *d, uint32_t col)
{
	return d->map.mode[d->row * d->cols + col] & 15;
}

/* Begins the next region of pixels in this row of tiles; false if there is none. */
static bool next_region(struct dense *d)
{
	while (d->col < d->cols && (mode_at(d, d->col) == TILE_SAME || mode_at(d, d->col) == TILE_BACKGROUND))
		d->col++;
	if (d->col == d->cols)
		return false;
	struct rect r = tile_rect(d);
	uint32_t end = d->col + 1;
	unsigned mode = mode_at(d, d->col);

	if (mode == TILE_SOLID) {
		pixels_begin(d, r.x, r.y, 1, 1, false, false);
		return true;
	}
	while (end < d->cols && end - d->col < PX_WIDE / TILE && mode_at(d, end) == mode)
		end++;
	r.w = (int32_t)(end * TILE < d->width ? end * TILE : d->width) - r.x;
	pixels_begin(d, r.x, r.y, r.w, r.h, false, mode == TILE_TEXTURE);
	return true;
}

/* The region of pixels is complete. */
static void end_region(struct dense *d)
{
	uint32_t end = d->col + ((uint32_t)d->px.region.w + TILE - 1) / TILE;

	if (mode_at(d, d->col) == TILE_SOLID)
		draw_solid(d);
	else if (d->mode == MODE_DENSE)
		for (uint32_t c = d->col; c < end; c++)
			background_settle(d, d->row * d->cols + c);
	d->col = end;
}

/* A row of tiles is about to change: its last row of pixels, as it is, is what the row below sees above itself. */
static void keep_old_row(struct dense *d)
{
	uint32_t y = d->row * TILE + TILE - 1;

	if (d->mode == MODE_FAST)
		return;
	memcpy(d->px.old_row[0], d->px.old_row[1], d->width * sizeof(uint32_t));
	d->px.old_valid[0] = d->px.old_valid[1];
	d->px.old_valid[1] = y < d->height;
	if (y < d->height)
		memcpy(d->px.old_row[1], d->sent + (size_t)y * d->width, d->width * sizeof(uint32_t));
}

static void unit_row(struct dense *d, const struct round_ops *ops, void *e)
{
	if (tilemap_row(d, ops->row && ops->row(e))) {
		keep_old_row(d);
		d->col = 0;
		d->stage = DENSE_TILES;
		return;
	}
	d->px.old_valid[1] = false;
	d->row++;
}

static void unit_tiles(struct dense *d, const struct round_ops *ops, void *e)
{
	for (unsigned i = 0; i < ROUND_TILES && d->col < d->cols; i++, d->col++) {
		bool background = background_of(d, d->row * d->cols + d->col);

		enum tile_mode mode = tilemap_code(d, background, ops->tile ? ops->tile(e) : TILE_SAME);

		d->touch.tiles += mode != TILE_SAME;
		if (mode == TILE_BACKGROUND)
			draw_background(d);
	}
	if (d->col < d->cols)
		return;
	d->col = 0;
	d->stage = DENSE_PIXELS;
	if (!next_region(d)) {
		d->row++;
		d->stage = DENSE_ROW;
	}
}

static void unit_pixels(struct dense *d, const struct round_ops *ops, void *e)
{
	uint32_t stride = 0;
	const uint32_t *px = ops->px ? ops->px(e, &d->px.region, &stride) : NULL;
	struct rect rest = d->px.region;

	rest.h += rest.y - d->px.y;
	rest.y = d->px.y;
	rect_widen(&d->touch.all, &rest);
	if (pixels_step(d, px, stride))
		return;
	end_region(d);
	if (!next_region(d)) {
		d->row++;
		d->stage = DENSE_ROW;
	}
}

static void next_cell(struct dense *d)
{
	d->stage = cells_next(d) ? DENSE_CELL : DENSE_CELL_ROW;
}

static void unit_cell(struct dense *d, const struct round_ops *ops, void *e)
{
	struct rect r = cells_rect(d);
	uint32_t stride = 0;
	const uint32_t *px = ops->px ? ops->px(e, &r, &stride) : NULL;

	rect_widen(&d->touch.all, &r);
	if (d->stage == DENSE_CELL) {
		d->touch.tiles++;
		if (cells_code(d, px, stride))
			next_cell(d);
		else
			d->stage = DENSE_LITERAL;
		return;
	}
	if (pixels_step(d, px, stride))
		return;
	cells_literal(d);
	next_cell(d);
}

static void unit_cell_row(struct dense *d, const struct round_ops *ops, void *e)
{
	struct cells *c = &d->cells;
	const struct cell_plan *plan = ops->cells ? ops->cells(e, c->g) : NULL;

	if (cells_row(d, plan && plan->rows[c->row / 32] >> (c->row % 32) & 1))
		d->stage = DENSE_CELL;
	else
		c->row++;
}

static void cells_unit(struct dense *d, const struct round_ops *ops, void *e)
{
	struct cells *c = &d->cells;

	switch (d->stage) {
	case DENSE_CELLS:
		if (cells_grid(d, ops->cells ? ops->cells(e, c->g) : NULL))
			d->stage = DENSE_CELL_ROW;
		else
			c->g++;
		break;
	case DENSE_CELL_ROW: unit_cell_row(d, ops, e); break;
	default: unit_cell(d, ops, e); break;
	}
	/* What is through without a unit of its own. */
	if (d->stage == DENSE_CELL_ROW && c->row > c->last_row) {
		c->g++;
		d->stage = DENSE_CELLS;
	}
	if (d->stage == DENSE_CELLS && c->g == GRIDS) {
		d->row = 0;
		d->stage = DENSE_ROW;
	}
}

bool round_unit(struct dense *d, const struct round_ops *ops, void *e)
{
	switch (d->stage) {
	case DENSE_COPIES:
		if (copies_step(d, ops->copy ? ops->copy(e) : NULL))
			rect_widen(&d->touch.all, &d->copies.now[d->copies.count - 1].to);
		else
			d->stage = DENSE_CELLS;
		break;
	case DENSE_CELLS:
	case DENSE_CELL_ROW:
	case DENSE_CELL:
	case DENSE_LITERAL:
		if (d->mode == MODE_FAST)
			glyphs_unit(d, ops, e);
		else
			cells_unit(d, ops, e);
		break;
	case DENSE_ROW: unit_row(d, ops, e); break;
	case DENSE_TILES: unit_tiles(d, ops, e); break;
	case DENSE_PIXELS: unit_pixels(d, ops, e); break;
	case DENSE_DONE: return false;
	}
	if (d->stage == DENSE_ROW && d->row == d->rows) {
		d->stage = DENSE_DONE;
		d->first = false;
	}
	return d->stage != DENSE_DONE;
}
