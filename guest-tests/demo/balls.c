/* Balls that fall, bounce off the walls, and shine. */
#include "guest-tests/demo/scenes.h"
#include "guest-tests/lib/prng.h"

#define BALLS 5
#define GRAVITY 14 /* 1/16 pixels per frame and frame */

struct ball {
	int32_t x, y, dx, dy, radius; /* 1/16 pixels */
	uint32_t color;
};

static struct balls {
	struct ball ball[BALLS];
	int32_t top;
} all[HEADS_MAX];

static const uint32_t colors[BALLS] = {
	RGB(239, 71, 111), RGB(255, 209, 102), RGB(6, 214, 160), RGB(17, 138, 178), RGB(255, 140, 66),
};

static struct rect around(const struct ball *b)
{
	return (struct rect){ (b->x - b->radius) / 16 - 2, (b->y - b->radius) / 16 - 2, (b->x + b->radius) / 16 + 3,
			      (b->y + b->radius) / 16 + 3 };
}

static void draw(struct canvas *c, const struct ball *b)
{
	canvas_disc(c, b->x, b->y, b->radius, blend(b->color, 0, 80));
	canvas_disc(c, b->x - b->radius / 14, b->y - b->radius / 14, b->radius * 7 / 8, b->color);
	canvas_disc(c, b->x - b->radius / 3, b->y - b->radius / 3, b->radius / 4, blend(b->color, RGB(255, 255, 255), 160));
}

static bool balls_start(struct canvas *c)
{
	struct balls *s = &all[c->head->index % HEADS_MAX];
	struct prng prng = { 0xba11 + c->head->index };
	const int32_t unit = (c->width < c->height ? c->width : c->height) * 16 / 10;

	canvas_shade(c, 0, 0, c->width, c->height, RGB(28, 30, 48), RGB(58, 62, 92));
	s->top = title_strip(c, "balls") * 16;
	c->scene = s;
	if (!canvas_keep(c))
		return false;
	for (unsigned i = 0; i < BALLS; i++) {
		s->ball[i] = (struct ball){
			.radius = unit * 2 / 5 + (int32_t)prng_below(&prng, (uint32_t)unit * 2 / 5 + 1),
			.x = unit + (int32_t)prng_below(&prng, (uint32_t)c->width * 16),
			.y = s->top + unit + (int32_t)prng_below(&prng, (uint32_t)c->height * 8),
			.dx = (int32_t)prng_below(&prng, 256) - 128,
			.color = colors[i],
		};
		draw(c, &s->ball[i]);
	}
	return true;
}

/* One axis: keeps at within [low, high], turning the speed at the walls. */
static void bounce(int32_t *at, int32_t *speed, int32_t low, int32_t high)
{
	*at += *speed;
	if (*at < low) {
		*at = low;
		*speed = *speed < 0 ? -*speed : *speed;
	} else if (*at > high) {
		*at = high > low ? high : low;
		*speed = *speed > 0 ? -*speed : *speed;
	}
}

static void balls_step(struct canvas *c, unsigned frame)
{
	struct balls *s = c->scene;

	(void)frame;
	for (unsigned i = 0; i < BALLS; i++) {
		struct rect r = around(&s->ball[i]);
		canvas_restore(c, &r);
	}
	for (unsigned i = 0; i < BALLS; i++) {
		struct ball *b = &s->ball[i];
		b->dy += GRAVITY;
		bounce(&b->x, &b->dx, b->radius, c->width * 16 - b->radius);
		bounce(&b->y, &b->dy, s->top + b->radius, c->height * 16 - b->radius);
		draw(c, b);
	}
}

const struct scene balls_scene = { "balls", balls_start, balls_step };
