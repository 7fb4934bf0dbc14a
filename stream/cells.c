/* cells.h */
#include <string.h>

#include "stream/celldict.h"
#include "stream/cells.h"
#include "stream/pixels.h"

#define ID_BITS 10
#define FLAG_LIMIT 28
#define MATCH_MIN 3

static const struct mix_rule rule_token = { .contexts = 12, .limit = 60, .rate = 6 };

void cells_clear(struct dense *d)
{
	struct cells *c = &d->cells;

	for (unsigned g = 0; g < GRIDS; g++)
		c->grid[g].cw = 0;
	mix_clear_slots(c->flag, sizeof(c->flag) / sizeof(c->flag[0]));
	mix_clear_slots(c->row_flag, sizeof(c->row_flag) / sizeof(c->row_flag[0]));
	mix_clear_slots(c->shape[0], sizeof(c->shape) / sizeof(c->shape[0][0]));
	mix_clear_slots(c->number[0], sizeof(c->number) / sizeof(c->number[0][0]));
	mix_clear_weights(c->a[0], sizeof(c->a) / sizeof(c->a[0]), 12);
	mix_clear_weights(c->b[0], sizeof(c->b) / sizeof(c->b[0]), 12);
	mix_clear_apm(c->apm[0], sizeof(c->apm) / sizeof(c->apm[0]));
}

void cells_begin(struct dense *d)
{
	d->cells.g = 0;
	for (unsigned g = 0; g < GRIDS; g++)
		d->cells.used[g] = false;
}

static unsigned grid_cols(const struct dense *d, const struct grid *g)
{
	return (d->width - g->ox) / g->cw;
}

static unsigned grid_rows(const struct dense *d, const struct grid *g)
{
	return (d->height - g->oy) / g->ch;
}

/* Five bits, the highest first, each with what went before. */
static unsigned shape_number(struct dense *d, struct slot *slot, unsigned v)
{
	unsigned got = 1;

	for (unsigned i = 5; i--;)
		got = got << 1 | (unsigned)slot_bit(&d->rc, slot + (got & 31), FLAG_LIMIT, v >> i & 1);
	return got & 31;
}

static void code_shape(struct dense *d, struct grid *g, const struct cell_plan *plan)
{
	struct cell_plan none = { 0 }, p = plan ? *plan : none;
	struct cells *c = &d->cells;
	unsigned cw = shape_number(d, c->shape[0], p.cw - 1u), ch = shape_number(d, c->shape[1], p.ch - 1u);
	unsigned ox = shape_number(d, c->shape[2], p.ox), oy = shape_number(d, c->shape[3], p.oy);

	cw++;
	ch++;
	if (cw < CELL_MIN_W || cw > CELL_MAX_W || ch < CELL_MIN_H || ch > CELL_MAX_H || ox >= cw || oy >= ch ||
	    ox + cw > d->width || oy + ch > d->height) {
		d->rc.bad = true;
		return;
	}
	celldict_begin(g, cw, ch, ox, oy);
	g->first_row = g->rows = g->first_col = g->cols = 0;
}

static int32_t number_near(struct dense *d, unsigned which, int32_t near, int32_t v)
{
	return near + slot_signed(&d->rc, d->cells.number[which], v - near);
}

bool cells_grid(struct dense *d, const struct cell_plan *plan)
{
	struct cells *c = &d->cells;
	struct grid *g = &c->grid[c->g];

	if (slot_bit(&d->rc, &c->flag[2 * c->g], FLAG_LIMIT, plan && plan->fresh))
		code_shape(d, g, plan);
	if (d->rc.bad || !g->cw || !slot_bit(&d->rc, &c->flag[2 * c->g + 1], FLAG_LIMIT, plan && plan->used))
		return false;

	int32_t row = number_near(d, 0, g->first_row, plan ? plan->first_row : 0);
	int32_t last_row = row + number_near(d, 1, g->rows, plan ? plan->last_row - plan->first_row : 0);
	int32_t col = number_near(d, 2, g->first_col, plan ? plan->first_col : 0);
	int32_t last_col = col + number_near(d, 3, g->cols, plan ? plan->last_col - plan->first_col : 0);

	if (row < 0 || last_row < row || last_row >= (int32_t)grid_rows(d, g) || col < 0 || last_col < col ||
	    last_col >= (int32_t)grid_cols(d, g)) {
		d->rc.bad = true;
		return false;
	}
	g->first_row = c->first_row = c->row = (uint16_t)row;
	g->rows = (uint16_t)(last_row - row);
	g->first_col = c->first_col = (uint16_t)col;
	g->cols = (uint16_t)(last_col - col);
	c->last_row = (uint16_t)last_row;
	c->last_col = (uint16_t)last_col;
	c->used[c->g] = true;
	c->covered[c->g] = (struct rect){ g->ox + col * g->cw, g->oy + row * g->ch, (last_col - col + 1) * g->cw,
					  (last_row - row + 1) * g->ch };
	return true;
}

/* The id of what stands in a cell now. */
static unsigned standing(const struct dense *d, const struct grid *g, int32_t row, int32_t col)
{
	if (row < 0 || col < 0 || col >= (int32_t)grid_cols(d, g))
		return CELL_NONE;
	return celldict_find(g, d->sent + (size_t)(g->oy + (uint32_t)row * g->ch) * d->width + g->ox + (uint32_t)col * g->cw,
			     d->width);
}

struct rect cells_rect(const struct dense *d)
{
	const struct grid *g = &d->cells.grid[d->cells.g];

	return (struct rect){ g->ox + d->cells.col * g->cw, g->oy + d->cells.row * g->ch, g->cw, g->ch };
}

static void push_left(struct cells *c, const struct text *t, unsigned id)
{
	for (unsigned i = 5; i; i--)
		c->left[i] = c->left[i - 1];
	c->left[0] = (uint16_t)id;
	c->word = id == t->blank ? 0 : hash2(c->word + 1, id);
}

bool cells_row(struct dense *d, bool coded)
{
	struct cells *c = &d->cells;
	struct grid *g = &c->grid[c->g];
	const struct text *t = &g->text;

	if (c->row != c->first_row && c->row != c->last_row)
		coded = slot_bit(&d->rc, &c->row_flag[0], FLAG_LIMIT, coded);
	else
		coded = true;
	if (!coded)
		return false;
	c->col = c->first_col;
	c->word = 0;
	/* Left of the first cell stands what the picture has there, or else what was coded last. */
	for (int32_t i = 6; i > 0; i--)
		push_left(c, t,
			  c->first_col		     ? standing(d, g, c->row, c->first_col - i)
			  : t->length >= (uint32_t)i ? t->history[(t->length - (uint32_t)i) % TEXT_HISTORY]
						     : CELL_NONE);
	c->above = (uint16_t)standing(d, g, c->row - 1, c->col);
	return true;
}

/* What is expected next, or CELL_NONE. */
static unsigned expected_id(const struct text *t)
{
	return t->match_length ? t->history[t->match % TEXT_HISTORY] : CELL_NONE;
}

static uint32_t match_class(uint32_t length)
{
	return length < 8    ? length
	       : length < 12 ? 8
	       : length < 16 ? 9
	       : length < 24 ? 10
	       : length < 32 ? 11
	       : length < 64 ? 12
			     : 13;
}

static uint32_t last_four(const struct text *t)
{
	uint32_t h = 0;

	for (uint32_t i = 1; i <= 4; i++)
		h = hash2(h, t->history[(t->length - i) % TEXT_HISTORY]);
	return h % (sizeof(t->match_at) / sizeof(t->match_at[0]));
}

static uint32_t common_past(const struct text *t, uint32_t at)
{
	uint32_t n = 0, oldest = t->length > TEXT_HISTORY ? t->length - TEXT_HISTORY : 0;

	while (n < 32 && at > oldest + n &&
	       t->history[(at - 1 - n) % TEXT_HISTORY] == t->history[(t->length - 1 - n) % TEXT_HISTORY])
		n++;
	return n;
}

static void find_match(struct text *t)
{
	uint32_t key, at;

	if (t->length < 4)
		return;
	key = last_four(t);
	if (!t->match_length) {
		/* match_at holds places modulo 2^16: the latest one with these low bits. */
		at = (t->length & ~0xffffu) | t->match_at[key];
		if (at >= t->length)
			at -= 0x10000;
		if (at && at < t->length && t->length - at < TEXT_HISTORY) {
			uint32_t n = common_past(t, at);

			t->match = at;
			t->match_length = n >= MATCH_MIN ? n : 0;
		}
	}
	t->match_at[key] = (uint16_t)t->length;
}

static void count_often(struct text *t, unsigned id)
{
	if (t->length > TEXT_BLANK_WINDOW)
		t->often[t->history[(t->length - 1 - TEXT_BLANK_WINDOW) % TEXT_HISTORY]]--;
	if (++t->often[id] > t->often[t->blank])
		t->blank = (uint16_t)id;
}

static void text_push(struct text *t, unsigned id)
{
	if (t->match_length && expected_id(t) == id && id != CELL_NONE) {
		t->match++;
		t->match_length++;
	} else {
		t->match_length = 0;
	}
	t->history[t->length++ % TEXT_HISTORY] = (uint16_t)id;
	count_often(t, id);
	find_match(t);
}

static void token_contexts(const struct dense *d, const struct text *t, uint32_t *h)
{
	const struct cells *c = &d->cells;
	const uint16_t *l = c->left;

	h[0] = 0x20;
	h[1] = hash2(0x21, l[0]);
	for (unsigned i = 2; i < 6; i++)
		h[i] = hash2(h[i - 1] + 0x100, l[i - 1]);
	h[6] = hash3(0x26, c->word, l[0] == t->blank);
	h[7] = hash3(0x27, c->above, l[0]);
	h[8] = hash3(0x28, c->here, l[0]);
	h[9] = hash3(0x29, c->above, c->above_right);
	h[11] = hash3(0x2b, l[1], l[2]);
	for (unsigned i = 0; i < 12; i++)
		h[i] += d->cells.g;
}

/* CELL_NONE stands for "its pixels follow". */
static unsigned code_token(struct dense *d, unsigned id)
{
	struct cells *c = &d->cells;
	const struct text *t = &c->grid[c->g].text;
	uint32_t base[12], h[12];
	unsigned expected = expected_id(t), node = 0, got = 0;
	uint32_t length = t->match_length;

	token_contexts(d, t, base);
	for (unsigned i = 0; i <= ID_BITS; i++) {
		/* The first bit tells a literal; then come the id's bits, the highest first. */
		int bit = i ? id >> (ID_BITS - i) & 1 : id == CELL_NONE, guess = 0;
		unsigned state = 0;

		if (length) {
			bool holds = expected != CELL_NONE && (!i || expected >> (ID_BITS + 1 - i) == got);

			guess = i && expected != CELL_NONE ? expected >> (ID_BITS - i) & 1 : expected == CELL_NONE;
			state = holds || !i ? 1u + (unsigned)guess : 3;
		}
		base[10] = hash3(0x2a, state, length < 15 ? length : 15);
		for (unsigned k = 0; k < 12; k++)
			h[k] = hash2(base[k], node);
		bit = mix_bit(&d->rc, &rule_token, d->table, h, c->a[i * 4 + state], c->b[match_class(length)], c->apm[i], bit);
		if (!i && bit)
			return CELL_NONE;
		if (i)
			got = got << 1 | (unsigned)bit;
		node = i ? got | 1u << i : 1;
	}
	return got;
}

static void coded(struct dense *d, unsigned id)
{
	struct cells *c = &d->cells;

	push_left(c, &c->grid[c->g].text, id);
	text_push(&c->grid[c->g].text, id);
}

bool cells_code(struct dense *d, const uint32_t *px, uint32_t stride)
{
	struct cells *c = &d->cells;
	struct grid *g = &c->grid[c->g];
	struct rect r = cells_rect(d);
	unsigned id = px ? celldict_find(g, px, stride) : CELL_NONE;

	c->here = (uint16_t)standing(d, g, c->row, c->col);
	c->above_right = (uint16_t)standing(d, g, c->row - 1, c->col + 1);
	id = code_token(d, id);
	if (id == CELL_NONE) {
		pixels_begin(d, r.x, r.y, r.w, r.h, true, false);
		return false;
	}
	if (!celldict_has(g, id)) {
		d->rc.bad = true;
		return true;
	}
	celldict_touch(g, id);
	celldict_draw(g, id, d->sent + (size_t)r.y * d->width + r.x, d->width);
	coded(d, id);
	return true;
}

void cells_literal(struct dense *d)
{
	struct grid *g = &d->cells.grid[d->cells.g];
	struct rect r = cells_rect(d);
	const uint32_t *px = d->sent + (size_t)r.y * d->width + r.x;
	unsigned id = celldict_find(g, px, d->width);

	coded(d, id == CELL_NONE ? celldict_enter(g, px, d->width) : id);
}

bool cells_next(struct dense *d)
{
	struct cells *c = &d->cells;

	c->above = c->above_right;
	if (c->col++ < c->last_col)
		return true;
	c->row++;
	return false;
}
