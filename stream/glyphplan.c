/* glyphplan.h */
#include <string.h>

#include "stream/glyphplan.h"
#include "stream/glyphs.h"

#define YOUNG 20    /* glyphs; below, a dictionary's record says nothing */
#define FEW_CELLS 8 /* that are new in a row of text, when little changed, as when somebody types */
#define FEW_TILES 32
#define UNKNOWN 0xffff /* a cell that did not change */

void glyphplan_begin(struct dense_enc *e)
{
	struct glyphplan *p = &e->u.text.plan;

	p->g = 0;
	p->row = 0;
	p->lines = p->line = 0;
	p->symbols = 0;
	for (unsigned g = 0; g < GRIDS; g++)
		e->plan[g].used = false;
	memset(e->u.text.seen, 0, sizeof(e->u.text.seen));
}

/* The shape of a grid as it is to be in this round. */
struct shape {
	unsigned cw, ch, ox, oy, cols, rows;
};

static bool shape_of(const struct dense_enc *e, unsigned g, struct shape *s)
{
	const struct cell_plan *p = &e->plan[g];
	const struct glyph_grid *grid = &e->d.fast.glyphs.grid[g];

	if (!p->fresh && !grid->cw)
		return false;
	*s = p->fresh ? (struct shape){ .cw = p->cw, .ch = p->ch, .ox = p->ox, .oy = p->oy }
		      : (struct shape){ .cw = grid->cw, .ch = grid->ch, .ox = grid->ox, .oy = grid->oy };
	s->cols = (e->d.width - s->ox) / s->cw;
	s->rows = (e->d.height - s->oy) / s->ch;
	return true;
}

/* True where the grid before this one has the cell already. */
static bool taken(const struct dense_enc *e, unsigned g, uint32_t x, uint32_t y)
{
	const struct glyphplan *p = &e->u.text.plan;
	struct shape s;

	if (!g || !e->plan[0].used || !shape_of(e, 0, &s) || x < s.ox || y < s.oy)
		return false;
	uint32_t col = (x - s.ox) / s.cw, row = (y - s.oy) / s.ch;

	for (unsigned i = 0; i < p->lines && p->of[i].g == 0 && p->of[i].line.row <= row; i++)
		if (p->of[i].line.row == row)
			return col >= p->of[i].line.first && col <= p->of[i].line.last;
	return false;
}

static inline __attribute__((always_inline)) uint32_t hash_32(const struct scanout *so, const unsigned cw, unsigned ch, uint32_t x,
							      uint32_t y)
{
	uint64_t stride = so->stride;
	const uint8_t *row = (const uint8_t *)(uintptr_t)so->base + y * stride + x * 4;
	px4 h = { 0 };

	for (; ch; ch--, row += stride)
		h = glyphs_mix(h, row, cw, px4_all(0xffffff));
	__asm__ volatile("" ::: "memory");
	return glyphs_hash_end(h);
}

/* What stands in a cell, as glyphs_hash sees it. */
static uint32_t hash_of(const struct dense_enc *e, unsigned cw, unsigned ch, uint32_t x, uint32_t y)
{
	uint32_t px[CELL_MAX_W * CELL_MAX_H];

	if (e->cur.bpp != 32) {
		picture_read_rect(&e->cur, x, y, cw, ch, px, cw);
		return glyphs_hash(px, cw, ch);
	}
	switch (cw) {
	case 6: return hash_32(&e->cur, 6, ch, x, y);
	case 7: return hash_32(&e->cur, 7, ch, x, y);
	case 8: return hash_32(&e->cur, 8, ch, x, y);
	case 9: return hash_32(&e->cur, 9, ch, x, y);
	case 10: return hash_32(&e->cur, 10, ch, x, y);
	default: return hash_32(&e->cur, cw, ch, x, y);
	}
}

/* The number of the glyph that stands in a cell, or GLYPH_NEW. */
static unsigned find(const struct dense_enc *e, const struct glyph_grid *g, uint32_t x, uint32_t y, uint32_t hash)
{
	unsigned id = glyphs_first(g, hash);

	while (id != GLYPH_NEW && picture_differs(&e->cur, x, y, g->cw, g->ch, glyphs_px(g, id), g->cw))
		id = glyphs_next(g, id);
	return id;
}

/* How many pixels are as the first one. */
static unsigned ground_of(const uint32_t *px, unsigned area)
{
	const px4 first = px4_all(px[0]);
	px4 ground = { 0 };
	unsigned i = 0;

	for (; i + 4 <= area; i += 4)
		ground -= (px4)(px4_load(px + i) == first);

	unsigned n = ground[0] + ground[1] + ground[2] + ground[3];

	for (; i < area; i++)
		n += px[i] == px[0];
	return n;
}

struct count {
	unsigned changed, known, solid;
};

/* A cell that changed: its symbol. */
static unsigned look_at(struct dense_enc *e, const struct shape *s, unsigned g, uint32_t x, uint32_t y, struct count *n)
{
	const struct glyph_grid *grid = &e->d.fast.glyphs.grid[g];
	uint32_t px[CELL_MAX_W * CELL_MAX_H], hash = hash_of(e, s->cw, s->ch, x, y);
	unsigned area = s->cw * s->ch, ground, id = e->plan[g].fresh ? GLYPH_NEW : find(e, grid, x, y, hash);

	if (id != GLYPH_NEW) {
		n->changed += !grid->solid[id];
		n->known += !grid->solid[id];
		n->solid += grid->solid[id];
		return id;
	}
	picture_read_rect(&e->cur, x, y, s->cw, s->ch, px, s->cw);
	ground = ground_of(px, area);
	if (ground == area) {
		n->solid++;
		return GLYPH_NEW;
	}
	n->changed++;
	if (e->u.text.seen[hash >> 21] == hash) {
		n->known++;
		return GLYPH_NEW;
	}
	e->u.text.seen[hash >> 21] = hash;
	/* A glyph stands on a ground, of which there is much, and in its corner. */
	return ground * 3 > area ? GLYPH_NEW : GLYPH_LEAVE;
}

static bool is_text(const struct dense_enc *e, unsigned g, const struct count *n)
{
	if (!n->changed && !n->solid)
		return false;
	if (e->plan[g].fresh)
		return n->known * 3 >= n->changed;
	if (n->known * 2 >= n->changed)
		return true;
	return e->d.fast.glyphs.grid[g].count >= YOUNG && e->known[g] >= 128 && n->changed <= FEW_CELLS && e->diffs <= FEW_TILES;
}

/* It will not be, whatever the cells that are left in the row are. */
static bool is_hopeless(const struct dense_enc *e, unsigned g, const struct count *n, unsigned left)
{
	if (e->plan[g].fresh)
		return n->known * 3 + left * 2 < n->changed;
	return n->known * 2 + left < n->changed && n->changed > FEW_CELLS;
}

/* Cells between those that changed, so that what stands to the left of a glyph is what it was when the same was read before. */
static void fill_in(struct dense_enc *e, const struct shape *s, const struct glyph_line *line, unsigned g)
{
	uint16_t *symbol = e->u.text.plan.symbol + e->u.text.plan.symbols;

	for (unsigned c = line->first; c <= line->last; c++, symbol++) {
		if (*symbol != UNKNOWN)
			continue;
		*symbol = GLYPH_LEAVE;
		if (e->plan[g].fresh)
			continue;

		uint32_t x = s->ox + c * s->cw, y = s->oy + line->row * s->ch;
		unsigned id = find(e, &e->d.fast.glyphs.grid[g], x, y, hash_of(e, s->cw, s->ch, x, y));

		if (id != GLYPH_NEW)
			*symbol = (uint16_t)id;
	}
}

/* Looks at a row; true if it becomes a line. */
static bool look_at_row(struct dense_enc *e, const struct shape *s, struct glyph_line *line)
{
	struct glyphplan *p = &e->u.text.plan;
	uint32_t y = s->oy + p->row * s->ch, cols[DENSE_MAX_SIDE / TILE / 32], next = 0;
	uint16_t *symbol = p->symbol + p->symbols;
	struct count n = { 0 };

	*line = (struct glyph_line){ .row = p->row };
	if (!dense_enc_columns(e, y, s->ch, cols))
		return false;
	for (unsigned c = 0; c < s->cols; c++) {
		uint32_t x = s->ox + c * s->cw, t = x / TILE, u = (x + s->cw - 1) / TILE;

		if (!((cols[t / 32] >> (t % 32) | cols[u / 32] >> (u % 32)) & 1) || taken(e, p->g, x + s->cw / 2, y + s->ch / 2) ||
		    !picture_differs(&e->cur, x, y, s->cw, s->ch, e->d.sent + (size_t)y * e->d.width + x, e->d.width))
			continue;
		if (!next)
			line->first = (uint16_t)c;
		for (; next && next < c; next++)
			symbol[next - line->first] = UNKNOWN;
		symbol[c - line->first] = (uint16_t)look_at(e, s, p->g, x, y, &n);
		line->last = (uint16_t)c;
		next = c + 1;
		if (is_hopeless(e, p->g, &n, s->cols - next))
			return false;
	}
	return is_text(e, p->g, &n);
}

bool glyphplan_step(struct dense_enc *e)
{
	struct glyphplan *p = &e->u.text.plan;
	struct glyph_line line;
	struct shape s;

	if (!shape_of(e, p->g, &s) || p->row >= s.rows) {
		p->row = 0;
		p->evicted[p->g] = e->d.fast.glyphs.grid[p->g].evicted;
		memset(e->u.text.seen, 0, sizeof(e->u.text.seen));
		return ++p->g < GRIDS;
	}
	/* What there is no room for goes as pixels. */
	if (p->symbols + s.cols <= PLAN_SYMBOLS && p->lines < PLAN_LINES && look_at_row(e, &s, &line)) {
		fill_in(e, &s, &line, p->g);
		p->of[p->lines].g = p->g;
		p->of[p->lines].at = p->symbols;
		p->of[p->lines++].line = line;
		p->symbols += line.last - line.first + 1u;
		e->plan[p->g].used = true;
	}
	p->row++;
	return true;
}

const struct glyph_line *glyphplan_line(struct dense_enc *e)
{
	struct glyphplan *p = &e->u.text.plan;

	if (p->line == p->lines || p->of[p->line].g != e->d.fast.glyphs.g)
		return NULL;
	return &p->of[p->line++].line;
}

unsigned glyphplan_glyph(struct dense_enc *e)
{
	struct glyphplan *p = &e->u.text.plan;
	const struct glyphs *s = &e->d.fast.glyphs;
	const struct glyph_grid *g = &s->grid[s->g];
	unsigned id = p->symbol[p->of[p->line - 1].at + s->col - s->first];
	uint32_t x = g->ox + s->col * (uint32_t)g->cw, y = g->oy + s->row * (uint32_t)g->ch;

	if (id == GLYPH_LEAVE)
		return id;
	/* What was not known when it was looked at may have been entered since, and what was known may have given way. */
	if (id == GLYPH_NEW || p->evicted[s->g] != g->evicted)
		id = find(e, g, x, y, hash_of(e, g->cw, g->ch, x, y));
	/* How often the dictionary had it. */
	e->known[s->g] = e->known[s->g] - e->known[s->g] / 16 + (id != GLYPH_NEW ? 16 : 0);
	return id;
}
