/* An analogue clock. */
#include "guest-tests/demo/scenes.h"
#include "guest-tests/demo/trig.h"
#include "guest-tests/lib/print.h"

#define FACE RGB(246, 243, 234)
#define INK RGB(34, 38, 48)
#define RED RGB(208, 44, 38)

struct dial {
	int32_t cx, cy, radius; /* 1/16 pixels */
	unsigned shown;		/* half seconds; what the hands show */
	struct rect hand[3];	/* pixels that the hands cover */
};

static struct dial dials[HEADS_MAX];

/* The point at a share (in 1/256) of the radius, in the direction `angle` from twelve o'clock. */
static int32_t point_x(const struct dial *d, int32_t angle, int32_t share)
{
	return d->cx + (int32_t)((int64_t)sine(angle) * d->radius / TRIG_ONE * share / 256);
}

static int32_t point_y(const struct dial *d, int32_t angle, int32_t share)
{
	return d->cy - (int32_t)((int64_t)cosine(angle) * d->radius / TRIG_ONE * share / 256);
}

static void spoke(struct canvas *c, const struct dial *d, int32_t angle, int32_t from, int32_t to, int32_t width, uint32_t color)
{
	canvas_line(c, point_x(d, angle, from), point_y(d, angle, from), point_x(d, angle, to), point_y(d, angle, to),
		    d->radius * width / 256, color);
}

static void face(struct canvas *c, const struct dial *d)
{
	const int32_t size = d->radius / 16 / 7;
	char number[4];

	canvas_disc(c, d->cx + 64, d->cy + 96, d->radius + d->radius / 14, RGB(14, 24, 36)); /* its shadow on the wall */
	canvas_disc(c, d->cx, d->cy, d->radius + d->radius / 14, RGB(60, 66, 78));
	canvas_disc(c, d->cx, d->cy, d->radius, FACE);
	for (int32_t i = 0; i < 60; i++)
		spoke(c, d, i * TRIG_TURN / 60, i % 5 ? 236 : 222, 244, i % 5 ? 3 : 7, INK);
	for (int32_t i = 1; i <= 12; i++) {
		int32_t angle = i * TRIG_TURN / 12, n = (int32_t)print_to(number, sizeof(number), "%d", (int)i);
		canvas_title(c, point_x(d, angle, 184) / 16 - n * size / 2, point_y(d, angle, 184) / 16 - size / 2, size, number,
			     INK);
	}
}

/* A hand through the middle; notes which pixels it covers, so that they can be brought back. */
static void hand(struct canvas *c, struct dial *d, unsigned n, int32_t angle, int32_t from, int32_t to, int32_t width,
		 uint32_t color)
{
	const int32_t ax = point_x(d, angle, from), ay = point_y(d, angle, from), bx = point_x(d, angle, to),
		      by = point_y(d, angle, to);
	const int32_t margin = d->radius * width / 256 + d->radius / 18 + 32; /* the hub too */

	d->hand[n] = (struct rect){
		((ax < bx ? ax : bx) - margin) / 16,
		((ay < by ? ay : by) - margin) / 16,
		((ax > bx ? ax : bx) + margin) / 16,
		((ay > by ? ay : by) + margin) / 16,
	};
	spoke(c, d, angle, from, to, width, color);
}

static void hands(struct canvas *c, struct dial *d, unsigned half_seconds)
{
	int32_t t = (int32_t)(half_seconds / 2 % 43200);

	hand(c, d, 0, (int32_t)((int64_t)t * TRIG_TURN / 43200), -30, 125, 16, INK);
	hand(c, d, 1, (int32_t)((int64_t)(t % 3600) * TRIG_TURN / 3600), -34, 190, 10, INK);
	hand(c, d, 2, (int32_t)(half_seconds % 120) * TRIG_TURN / 120, -48, 214, 4, RED);
	canvas_disc(c, d->cx, d->cy, d->radius / 18, RED);
	d->shown = half_seconds;
}

static bool clock_start(struct canvas *c)
{
	struct dial *d = &dials[c->head->index % HEADS_MAX];
	int32_t top, side;

	canvas_shade(c, 0, 0, c->width, c->height, RGB(44, 74, 104), RGB(22, 36, 54));
	top = title_strip(c, "clock");
	side = c->height - top < c->width ? c->height - top : c->width;
	*d = (struct dial){ .cx = c->width * 8, .cy = (c->height + top) * 8, .radius = side * 16 * 41 / 100 };
	c->scene = d;
	if (d->radius < 64)
		return canvas_keep(c);
	face(c, d);
	if (!canvas_keep(c))
		return false;
	hands(c, d, seconds_of_day(0) * 2);
	return true;
}

/* Hands move twice a second; only where they were and will be is drawn anew. */
static void clock_step(struct canvas *c, unsigned frame)
{
	struct dial *d = c->scene;
	unsigned now = seconds_of_day(frame) * 2 + (frame % FPS >= FPS / 2);

	if (now == d->shown || d->radius < 64)
		return;
	for (unsigned i = 0; i < 3; i++)
		canvas_restore(c, &d->hand[i]);
	hands(c, d, now);
}

const struct scene clock_scene = { "clock", clock_start, clock_step };
