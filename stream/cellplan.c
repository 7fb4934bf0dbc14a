/* gridsearch.h: which cells */
#include <string.h>

#include "stream/celldict.h"
#include "stream/gridsearch.h"

#define DICT_YOUNG 20 /* cells; below, a dictionary's record says nothing */

void cellplan_begin(struct dense_enc *e)
{
	struct cellplan *s = &e->u.plan;

	memset(s, 0, sizeof(*s));
	for (unsigned g = 0; g < GRIDS; g++) {
		struct cell_plan *p = &e->plan[g];

		p->used = false;
		memset(p->rows, 0, sizeof(p->rows));
	}
}

/* The shape of a grid as it is to be in this round. */
struct shape {
	unsigned cw, ch, ox, oy, cols, rows;
};

static bool shape_of(const struct dense_enc *e, unsigned g, struct shape *s)
{
	const struct cell_plan *p = &e->plan[g];
	const struct grid *grid = &e->d.cells.grid[g];

	if (!p->fresh && !grid->cw)
		return false;
	*s = p->fresh ? (struct shape){ .cw = p->cw, .ch = p->ch, .ox = p->ox, .oy = p->oy }
		      : (struct shape){ .cw = grid->cw, .ch = grid->ch, .ox = grid->ox, .oy = grid->oy };
	s->cols = (e->d.width - s->ox) / s->cw;
	s->rows = (e->d.height - s->oy) / s->ch;
	return true;
}

/* Reads a cell; tells whether it differs from what was sent, and if so, whether it is of one colour, and its hash. */
static bool look_at_cell(struct dense_enc *e, const struct shape *s, uint32_t x, uint32_t y, bool *solid, uint32_t *hash)
{
	uint32_t *px = e->u.plan.px;

	if (!picture_differs(&e->cur, x, y, s->cw, s->ch, e->d.sent + (size_t)y * e->d.width + x, e->d.width))
		return false;
	for (unsigned r = 0; r < s->ch; r++)
		picture_read(&e->cur, x, y + r, s->cw, px + r * s->cw);
	*solid = true;
	for (unsigned i = 1; i < s->cw * s->ch && *solid; i++)
		*solid = px[i] == px[0];
	*hash = celldict_hash(s->cw, s->ch, px, s->cw);
	return true;
}

struct row_count {
	unsigned changed, known, solid, first, last;
};

/* True where the grid before this one has the row already. */
static bool taken(const struct dense_enc *e, unsigned g, uint32_t x, uint32_t y)
{
	for (unsigned i = 0; i < g; i++) {
		const struct cell_plan *p = &e->plan[i];
		struct shape s;

		if (!p->used || !shape_of(e, i, &s) || x < s.ox || y < s.oy)
			continue;
		uint32_t col = (x - s.ox) / s.cw, row = (y - s.oy) / s.ch;

		if (col >= p->first_col && col <= p->last_col && row < s.rows && p->rows[row / 32] >> (row % 32) & 1)
			return true;
	}
	return false;
}

static void look_at_row(struct dense_enc *e, const struct shape *s, struct row_count *n)
{
	struct cellplan *p = &e->u.plan;
	const struct grid *grid = &e->d.cells.grid[p->g];
	uint32_t y = s->oy + p->row * s->ch, cols[DENSE_MAX_SIDE / TILE / 32];

	*n = (struct row_count){ .first = ~0u };
	if (!dense_enc_columns(e, y, s->ch, cols))
		return;
	for (unsigned c = 0; c < s->cols; c++) {
		uint32_t x = s->ox + c * s->cw, hash;
		bool solid;

		if (!(cols[x / TILE / 32] >> (x / TILE % 32) & 1) &&
		    !(cols[(x + s->cw - 1) / TILE / 32] >> ((x + s->cw - 1) / TILE % 32) & 1))
			continue;
		if (taken(e, p->g, x + s->cw / 2, y + s->ch / 2))
			continue;
		if (!look_at_cell(e, s, x, y, &solid, &hash))
			continue;
		n->first = n->first < c ? n->first : c;
		n->last = c;
		if (solid) {
			n->solid++;
			continue;
		}
		n->changed++;
		if (p->seen[hash >> 21] == hash || (!e->plan[p->g].fresh && celldict_has_hash(grid, hash)))
			n->known++;
		p->seen[hash >> 21] = hash;
	}
}

static bool is_text(const struct dense_enc *e, unsigned g, const struct row_count *n)
{
	if (!n->changed && !n->solid)
		return false;
	if (e->plan[g].fresh)
		return n->known * 3 >= n->changed;
	if (n->known * 2 >= n->changed)
		return true;
	return e->d.cells.grid[g].count >= DICT_YOUNG && e->known[g] >= 128 && n->changed <= 8;
}

bool cellplan_step(struct dense_enc *e)
{
	struct cellplan *p = &e->u.plan;
	struct cell_plan *plan = &e->plan[p->g];
	struct shape s;
	struct row_count n;

	if (!shape_of(e, p->g, &s) || p->row >= s.rows) {
		p->row = 0;
		memset(p->seen, 0, sizeof(p->seen));
		return ++p->g < GRIDS;
	}
	look_at_row(e, &s, &n);
	if (is_text(e, p->g, &n)) {
		if (!plan->used) {
			plan->used = true;
			plan->first_row = p->row;
			plan->first_col = (uint16_t)n.first;
			plan->last_col = (uint16_t)n.last;
		}
		plan->last_row = p->row;
		plan->first_col = n.first < plan->first_col ? (uint16_t)n.first : plan->first_col;
		plan->last_col = n.last > plan->last_col ? (uint16_t)n.last : plan->last_col;
		plan->rows[p->row / 32] |= 1u << (p->row % 32);
	}
	p->row++;
	return true;
}
