/* copies.h */
#include <string.h>

#include "stream/background.h"
#include "stream/copies.h"

#define FLAG_LIMIT 28

void copies_clear(struct dense *d)
{
	struct copies *c = &d->copies;

	memset(c, 0, sizeof(*c));
	mix_clear_slots(c->more, COPY_MAX + 1);
	mix_clear_slots(&c->same_vector, 1);
	mix_clear_slots(&c->same_rect, 1);
	mix_clear_slots(&c->moved_rect, 1);
	mix_clear_slots(c->vector[0], 2 * SLOT_NUMBER);
	mix_clear_slots(c->side[0], 4 * SLOT_NUMBER);
}

void copies_begin(struct dense *d)
{
	struct copies *c = &d->copies;

	if (c->count) {
		memcpy(c->last, c->now, sizeof(c->last));
		c->last_count = c->count;
	}
	c->count = 0;
}

static bool inside(const struct dense *d, const struct copy *c)
{
	const struct rect *r = &c->to;
	int32_t w = (int32_t)d->width, h = (int32_t)d->height;

	return r->w > 0 && r->h > 0 && r->x >= 0 && r->y >= 0 && r->x + r->w <= w && r->y + r->h <= h && r->x + c->dx >= 0 &&
	       r->y + c->dy >= 0 && r->x + c->dx + r->w <= w && r->y + c->dy + r->h <= h;
}

/* In place, leaving no background: rows go in the order that reads each before it is overwritten. */
static void move(struct dense *d, const struct copy *c)
{
	int32_t y_step = c->dy < 0 ? -1 : 1, y = y_step > 0 ? c->to.y : c->to.y + c->to.h - 1;

	for (int32_t rows = c->to.h; rows--; y += y_step)
		memmove(d->sent + (size_t)y * d->width + (uint32_t)c->to.x,
			d->sent + (size_t)(y + c->dy) * d->width + (uint32_t)(c->to.x + c->dx), (size_t)c->to.w * sizeof(uint32_t));
}

/* In place: rows and pixels go in the order that reads each before it is overwritten. */
static void make(struct dense *d, const struct copy *c)
{
	int32_t y_step = c->dy < 0 ? -1 : 1, x_step = c->dx < 0 ? -1 : 1;
	int32_t y = y_step > 0 ? c->to.y : c->to.y + c->to.h - 1;

	for (int32_t rows = c->to.h; rows--; y += y_step) {
		uint32_t *to = d->sent + (size_t)y * d->width;
		const uint32_t *from = d->sent + (size_t)(y + c->dy) * d->width;
		int32_t x = x_step > 0 ? c->to.x : c->to.x + c->to.w - 1;

		for (int32_t n = c->to.w; n--; x += x_step) {
			uint32_t old = to[x], px = from[x + c->dx];

			if (old == px)
				continue;
			/* What moves away itself is no background. */
			if (!rect_has(&c->to, x - c->dx, y - c->dy))
				background_keep(d, x, y, old);
			to[x] = px;
		}
	}
}

static int flag(struct dense *d, struct slot *slot, int bit)
{
	return slot_bit(&d->rc, slot, FLAG_LIMIT, bit);
}

static void code_vector(struct dense *d, struct copy *copy, const struct copy *like)
{
	struct copies *c = &d->copies;

	if (flag(d, &c->same_vector, copy->dx == like->dx && copy->dy == like->dy)) {
		copy->dx = like->dx;
		copy->dy = like->dy;
		return;
	}
	copy->dx = slot_signed(&d->rc, c->vector[0], copy->dx);
	copy->dy = slot_signed(&d->rc, c->vector[1], copy->dy);
}

static bool same_rect(const struct rect *a, const struct rect *b)
{
	return a->x == b->x && a->y == b->y && a->w == b->w && a->h == b->h;
}

static void code_rect(struct dense *d, struct copy *copy, const struct copy *like)
{
	struct copies *c = &d->copies;
	struct rect *r = &copy->to, near = like->to, moved = like->to;

	if (flag(d, &c->same_rect, same_rect(r, &near))) {
		*r = near;
		return;
	}
	moved.x -= copy->dx;
	moved.y -= copy->dy;
	if (flag(d, &c->moved_rect, r->x - moved.x + r->y - moved.y < r->x - near.x + r->y - near.y))
		near = moved;
	r->x = near.x + slot_signed(&d->rc, c->side[0], r->x - near.x);
	r->y = near.y + slot_signed(&d->rc, c->side[1], r->y - near.y);
	r->w = near.w + slot_signed(&d->rc, c->side[2], r->w - near.w);
	r->h = near.h + slot_signed(&d->rc, c->side[3], r->h - near.h);
}

bool copies_step(struct dense *d, const struct copy *copy)
{
	struct copies *c = &d->copies;
	struct copy now = copy ? *copy : (struct copy){ 0 };
	static const struct copy none;

	if (!flag(d, &c->more[c->count], copy != NULL) || c->count == COPY_MAX)
		return false;
	const struct copy *like = c->count < c->last_count ? &c->last[c->count] :
				  c->count		   ? &c->now[c->count - 1] :
				  c->last_count		   ? &c->last[c->last_count - 1] :
							     &none;

	code_vector(d, &now, like);
	code_rect(d, &now, like);
	if (!inside(d, &now)) {
		d->rc.bad = true;
		return false;
	}
	if (d->mode == MODE_FAST)
		move(d, &now);
	else
		make(d, &now);
	c->now[c->count++] = now;
	return true;
}
