/* display.h: the receiver */
#include <errno.h>
#include <string.h>

#include "stream/crc32.h"
#include "stream/display.h"

#define HEADER 5

/* A datagram being read. */
struct reader {
	const uint8_t *at, *end;
	uint32_t width, height;
	uint32_t cols, tiles;
	uint32_t tile; /* of the record read last; ~0 before the first */
};

static unsigned get16(const uint8_t *p)
{
	return p[0] | (unsigned)p[1] << 8;
}

/* A varint below limit, or -EBADMSG. limit < 2^28. */
static int64_t get_varint(struct reader *r, uint32_t limit)
{
	uint32_t v = 0;

	for (unsigned shift = 0; shift < 28 && r->at < r->end; shift += 7) {
		uint8_t byte = *r->at++;

		v |= (byte & 0x7fu) << shift;
		if (!(byte & 0x80))
			return v < limit ? (int64_t)v : -EBADMSG;
	}
	return -EBADMSG;
}

struct area {
	uint32_t x, y, w, h;
};

/* Reads the next record; false at the end of the datagram; err tells of a bad one. */
static bool next_tile(struct reader *r, uint32_t *px, struct area *a, int *err)
{
	if (r->at == r->end)
		return false;
	int64_t skip = get_varint(r, r->tiles - (r->tile + 1));

	if (skip < 0) {
		*err = -EBADMSG;
		return false;
	}
	r->tile += 1 + (uint32_t)skip;
	a->x = r->tile % r->cols * TILE;
	a->y = r->tile / r->cols * TILE;
	a->w = r->width - a->x < TILE ? r->width - a->x : TILE;
	a->h = r->height - a->y < TILE ? r->height - a->y : TILE;
	int used = codec_decode_tile(r->at, (size_t)(r->end - r->at), a->w, a->h, px);

	if (used < 0) {
		*err = used;
		return false;
	}
	r->at += used;
	return true;
}

static int check(struct reader r)
{
	uint32_t px[TILE * TILE];
	struct area a;
	int err = 0;

	while (next_tile(&r, px, &a, &err))
		;
	return err;
}

static void drop_canvas(struct display_rx *rx, struct canvas *c)
{
	if (c->px)
		rx->free(c->px);
	*c = (struct canvas){ 0 };
}

static int new_canvas(struct display_rx *rx, struct canvas *c, unsigned width, unsigned height)
{
	size_t size = (size_t)width * height * 4;
	uint32_t *px = NULL;

	if (size) {
		px = rx->alloc(size);
		if (!px)
			return -ENOMEM;
		memset(px, 0, size);
	}
	drop_canvas(rx, c);
	*c = (struct canvas){ .width = (uint16_t)width, .height = (uint16_t)height, .px = px };
	return 0;
}

/* Draws the records, which were checked, and gives the area that holds them all. */
static void draw(struct display_rx *rx, struct canvas *c, struct reader *r, struct area *all)
{
	uint32_t px[TILE * TILE], right = 0, bottom = 0;
	struct area a;
	int err = 0;

	*all = (struct area){ .x = c->width, .y = c->height };
	while (next_tile(r, px, &a, &err)) {
		for (uint32_t y = 0; y < a.h; y++)
			memcpy(c->px + (size_t)(a.y + y) * c->width + a.x, px + y * a.w, a.w * 4);
		all->x = a.x < all->x ? a.x : all->x;
		all->y = a.y < all->y ? a.y : all->y;
		right = a.x + a.w > right ? a.x + a.w : right;
		bottom = a.y + a.h > bottom ? a.y + a.h : bottom;
		rx->tiles++;
	}
	all->w = right > all->x ? right - all->x : 0;
	all->h = bottom > all->y ? bottom - all->y : 0;
}

int drx_datagram(struct display_rx *rx, const uint8_t *body, size_t len)
{
	if (len < HEADER)
		return -EBADMSG;
	unsigned head = body[0], width = get16(body + 1), height = get16(body + 3);

	if (head >= DISPLAY_HEADS || width > DISPLAY_MAX_SIDE || height > DISPLAY_MAX_SIDE || width * height > DISPLAY_MAX_PIXELS)
		return -EINVAL;
	if (!width != !height || (!width && len > HEADER))
		return -EBADMSG;

	struct canvas *c = &rx->head[head];
	bool resized = width != c->width || height != c->height;
	uint32_t cols = (width + TILE - 1) / TILE, rows = (height + TILE - 1) / TILE;
	struct reader r = {
		.at = body + HEADER,
		.end = body + len,
		.width = width,
		.height = height,
		.cols = cols,
		.tiles = cols * rows,
		.tile = ~0u,
	};
	struct area all;
	int err = check(r);

	if (!err && resized)
		err = new_canvas(rx, c, width, height);
	if (err)
		return err;
	rx->datagrams++;
	draw(rx, c, &r, &all);
	if (rx->changed && resized)
		rx->changed(rx->arg, head, true, 0, 0, width, height);
	else if (rx->changed && all.w)
		rx->changed(rx->arg, head, false, all.x, all.y, all.x + all.w, all.y + all.h);
	return 0;
}

void drx_reset(struct display_rx *rx)
{
	for (unsigned i = 0; i < DISPLAY_HEADS; i++)
		drop_canvas(rx, &rx->head[i]);
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
