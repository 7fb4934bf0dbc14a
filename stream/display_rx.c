/* display.h: the receiver */
#include <errno.h>
#include <string.h>

#include "stream/crc32.h"
#include "stream/dense.h"
#include "stream/display.h"

/* A datagram while it is read. */
struct reader {
	const uint8_t *at, *end;
};

static unsigned get16(const uint8_t *p)
{
	return p[0] | (unsigned)p[1] << 8;
}

static void forget(struct display_rx *rx, struct drx_head *s, unsigned number)
{
	unsigned i = number % DRX_AHEAD;

	if (s->ahead[i].body)
		rx->free(s->ahead[i].body);
	s->ahead[i].body = NULL;
}

static void drop_head(struct display_rx *rx, unsigned head)
{
	struct canvas *c = &rx->head[head];
	struct drx_head *s = &rx->state[head];

	for (unsigned i = 0; i < DRX_AHEAD; i++)
		forget(rx, s, i);
	if (c->px)
		rx->free(c->px);
	*c = (struct canvas){ 0 };
	if (s->codec)
		rx->free(s->codec);
	*s = (struct drx_head){ 0 };
}

/* Gives the head a canvas of that size, and a codec. */
static int make_head(struct display_rx *rx, unsigned head, unsigned width, unsigned height)
{
	struct canvas *c = &rx->head[head];
	struct drx_head *s = &rx->state[head];
	uint32_t *px;

	if (!s->codec) {
		s->codec = rx->alloc(sizeof(struct dense));
		if (!s->codec)
			return -ENOMEM;
		memset(s->codec, 0, sizeof(struct dense));
	}
	if (c->width == width && c->height == height)
		return 0;
	px = rx->alloc((size_t)width * height * 4);
	if (!px)
		return -ENOMEM;
	if (c->px)
		rx->free(c->px);
	*c = (struct canvas){ .width = (uint16_t)width, .height = (uint16_t)height, .px = px };
	return 0;
}

static void report(struct display_rx *rx, unsigned head, bool resized, const struct rect *r)
{
	if (rx->changed && (resized || r->w))
		rx->changed(rx->arg, head, resized, (unsigned)r->x, (unsigned)r->y, (unsigned)(r->x + r->w),
			    (unsigned)(r->y + r->h));
}

static int turn_off(struct display_rx *rx, unsigned head)
{
	struct rect none = { 0 };
	bool was_on = rx->head[head].width;

	drop_head(rx, head);
	if (was_on)
		report(rx, head, true, &none);
	return 0;
}

/* A beginning, after its head; the codec's datagram follows it. */
static int begin(struct display_rx *rx, unsigned head, struct reader *r, struct rect *all, bool *resized)
{
	struct canvas *c = &rx->head[head];
	unsigned width, height, what;
	int err;

	if (r->end - r->at < 5)
		return -EBADMSG;
	width = get16(r->at);
	height = get16(r->at + 2);
	what = r->at[4];
	r->at += 5;
	if (!width || !height || what & ~(DISPLAY_KEEP | DISPLAY_FAST))
		return -EBADMSG;
	if (width > DISPLAY_MAX_SIDE || height > DISPLAY_MAX_SIDE || width * height > DISPLAY_MAX_PIXELS)
		return -EINVAL;
	*resized = width != c->width || height != c->height;
	if (what & DISPLAY_KEEP && *resized) {
		*resized = false;
		return -EBADMSG;
	}
	err = make_head(rx, head, width, height);
	if (err) {
		*resized = false;
		return err;
	}
	if (!(what & DISPLAY_KEEP)) {
		memset(c->px, 0, (size_t)width * height * 4);
		*all = (struct rect){ 0, 0, (int32_t)width, (int32_t)height };
	}
	rx->begins++;
	return dense_reset(rx->state[head].codec, what & DISPLAY_FAST ? MODE_FAST : MODE_DENSE, c->px, width, height);
}

/* What is kept of before a beginning would be taken for what comes 256 datagrams later. */
static void forget_stale(struct display_rx *rx, struct drx_head *s)
{
	for (unsigned i = 0; i < DRX_AHEAD; i++)
		if (s->ahead[i].body && (uint8_t)(s->ahead[i].body[0] - s->number) >= DRX_AHEAD)
			forget(rx, s, i);
}

/* Applies the datagram whose turn it is. */
static int apply(struct display_rx *rx, unsigned head, const uint8_t *body, size_t len)
{
	struct drx_head *s = &rx->state[head];
	struct reader r = { .at = body + 1, .end = body + len };
	struct rect all = { 0 };
	bool resized = false;
	int err = 0;

	if (body[1] & DISPLAY_BEGIN) {
		r.at++;
		err = begin(rx, head, &r, &all, &resized);
	}
	if (!err && r.at < r.end) {
		s->codec->touch.all = all;
		err = dense_decode(s->codec, r.at, (size_t)(r.end - r.at));
		all = s->codec->touch.all;
	}
	s->exact = !err;
	s->number = (uint8_t)(body[0] + 1);
	forget_stale(rx, s);
	report(rx, head, resized, &all);
	return err;
}

/* What came before its turn, and has it now. */
static int apply_ahead(struct display_rx *rx, unsigned head)
{
	struct drx_head *s = &rx->state[head];
	int err = 0;

	for (unsigned i = s->number % DRX_AHEAD; !err && s->ahead[i].body && s->ahead[i].body[0] == s->number;
	     i = s->number % DRX_AHEAD) {
		err = apply(rx, head, s->ahead[i].body, s->ahead[i].len);
		forget(rx, s, i);
	}
	return err;
}

/* Keeps a datagram until its turn. One that is kept in its place is of before a beginning that is still to come. */
static int keep(struct display_rx *rx, struct drx_head *s, const uint8_t *body, size_t len)
{
	unsigned i = body[0] % DRX_AHEAD;

	forget(rx, s, i);
	s->ahead[i].body = rx->alloc(len);
	if (!s->ahead[i].body)
		return -ENOMEM;
	memcpy(s->ahead[i].body, body, len);
	s->ahead[i].len = len;
	rx->early++;
	return 0;
}

/* A beginning that needs nothing of before it. */
static bool is_fresh(const uint8_t *body, size_t len)
{
	return body[1] & DISPLAY_BEGIN && (len < 7 || !(body[6] & DISPLAY_KEEP));
}

static int take(struct display_rx *rx, unsigned head, const uint8_t *body, size_t len)
{
	struct drx_head *s = &rx->state[head];
	uint8_t distance = (uint8_t)(body[0] - s->number);
	int err;

	if (is_fresh(body, len)) {
		if (len == 6 && !get16(body + 2) && !get16(body + 4))
			return turn_off(rx, head);
	} else if (!s->exact) {
		return -EAGAIN;
	} else if (distance) {
		if (distance < DRX_AHEAD)
			return keep(rx, s, body, len);
		return distance >= 256 - DRX_AHEAD ? 0 : -EAGAIN;
	}
	err = apply(rx, head, body, len);
	return err ? err : apply_ahead(rx, head);
}

int drx_datagram(struct display_rx *rx, const uint8_t *body, size_t len)
{
	if (len < 2 || len > DISPLAY_BODY_MAX)
		return -EBADMSG;
	int err = take(rx, body[1] & (DISPLAY_HEADS - 1), body, len);

	if (err)
		rx->refused++;
	else
		rx->datagrams++;
	return err;
}

void drx_reset(struct display_rx *rx)
{
	for (unsigned i = 0; i < DISPLAY_HEADS; i++)
		drop_head(rx, i);
}

uint32_t drx_crc(const struct display_rx *rx, unsigned head)
{
	if (head >= DISPLAY_HEADS)
		return 0;
	const struct canvas *c = &rx->head[head];
	size_t left = (size_t)c->width * c->height;
	uint32_t crc = 0;

	for (const uint32_t *px = c->px; left;) {
		uint8_t bytes[4 * 64];
		size_t n = left < 64 ? left : 64;

		for (size_t i = 0; i < n; i++, px++) {
			bytes[4 * i] = (uint8_t)*px;
			bytes[4 * i + 1] = (uint8_t)(*px >> 8);
			bytes[4 * i + 2] = (uint8_t)(*px >> 16);
			bytes[4 * i + 3] = 0;
		}
		crc = crc32_ieee(crc, bytes, 4 * n);
		left -= n;
	}
	return crc;
}
