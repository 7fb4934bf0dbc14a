/* display.h: the sender */
#include <errno.h>
#include <string.h>

#include "stream/display.h"

#define HEADER 5

static bool is_on(const struct dtx_head *h)
{
	return h->so.width != 0;
}

static uint32_t tile_count(const struct dtx_head *h)
{
	return (uint32_t)h->cols * h->rows;
}

static bool has_work(const struct dtx_head *h)
{
	return h->announce || h->todo;
}

/* Marks every tile and sets more flags on each. */
static void mark_all(struct dtx_head *h, uint8_t more)
{
	uint32_t n = tile_count(h);

	for (uint32_t t = 0; t < n; t++)
		h->flags[t] |= DTX_LOOK | more;
	h->todo = n;
}

static void mark(struct dtx_head *h, uint32_t tile)
{
	if (!(h->flags[tile] & DTX_LOOK)) {
		h->flags[tile] |= DTX_LOOK;
		h->todo++;
	}
}

static int check_scanout(const struct scanout *so)
{
	if (so->width > DISPLAY_MAX_SIDE || so->height > DISPLAY_MAX_SIDE ||
	    (uint32_t)so->width * so->height > DISPLAY_MAX_PIXELS || !scanout_bytes(so->bpp) || !so->base ||
	    so->stride < so->width * scanout_bytes(so->bpp) || (so->bpp == 8 && !so->palette))
		return -EINVAL;
	return 0;
}

static void turn_off(struct dtx_head *h)
{
	if (is_on(h))
		*h = (struct dtx_head){ .announce = true, .generation = h->generation + 1 };
}

int dtx_mode(struct display_tx *tx, unsigned head, const struct scanout *so, uint32_t *sent, size_t sent_bytes, uint8_t *flags,
	     size_t flags_bytes)
{
	if (head >= DISPLAY_HEADS)
		return -EINVAL;
	struct dtx_head *h = &tx->head[head];

	if (!so->width || !so->height) {
		turn_off(h);
		return 0;
	}

	int err = check_scanout(so);
	uint32_t cols = (so->width + TILE - 1u) / TILE, rows = (so->height + TILE - 1u) / TILE;

	if (!err && (!sent || !flags || sent_bytes < (size_t)so->width * so->height * 4 || flags_bytes < (size_t)cols * rows))
		err = -ENOMEM;
	if (err) {
		turn_off(h);
		return err;
	}
	*h = (struct dtx_head){
		.so = *so,
		.cols = (uint16_t)cols,
		.rows = (uint16_t)rows,
		.sent = sent,
		.flags = flags,
		.sent_bytes = sent_bytes,
		.flags_bytes = flags_bytes,
		.announce = true,
		.generation = h->generation + 1,
	};
	memset(flags, 0, (size_t)cols * rows);
	mark_all(h, DTX_UNKNOWN);
	return 0;
}

int dtx_pan(struct display_tx *tx, unsigned head, const volatile uint8_t *base, uint32_t stride)
{
	if (head >= DISPLAY_HEADS || !is_on(&tx->head[head]))
		return -EINVAL;
	struct dtx_head *h = &tx->head[head];
	struct scanout so = h->so;

	so.base = base;
	so.stride = stride;
	int err = check_scanout(&so);

	if (err)
		return err;
	h->so = so;
	mark_all(h, 0);
	return 0;
}

/* Marks the tiles of one row of pixels that show bytes [from, to) of that row; to <= stride. */
static void damage_row(struct dtx_head *h, uint32_t row, uint32_t from, uint32_t to)
{
	uint32_t bytes = scanout_bytes(h->so.bpp), end = h->so.width * bytes, base = row / TILE * h->cols;

	if (to > end)
		to = end;
	if (from >= to)
		return;
	for (uint32_t col = from / (bytes * TILE); col <= (to - 1) / (bytes * TILE); col++)
		mark(h, base + col);
}

void dtx_damage(struct display_tx *tx, unsigned head, uint64_t offset, uint64_t len)
{
	if (head >= DISPLAY_HEADS || !is_on(&tx->head[head]) || !len)
		return;
	struct dtx_head *h = &tx->head[head];
	uint64_t stride = h->so.stride, size = stride * h->so.height;

	if (offset >= size)
		return;
	uint64_t last = len > size - offset ? size - 1 : offset + len - 1;
	uint32_t first_row = (uint32_t)(offset / stride), last_row = (uint32_t)(last / stride);
	uint32_t from = (uint32_t)(offset % stride), to = (uint32_t)(last % stride + 1);

	if (first_row == last_row) {
		damage_row(h, first_row, from, to);
		return;
	}
	damage_row(h, first_row, from, (uint32_t)stride);
	damage_row(h, last_row, 0, to);
	/* The rows between are whole, so whole rows of tiles are marked, each once. */
	if (last_row - first_row < 2)
		return;
	uint32_t tile = (first_row + 1) / TILE * h->cols, end = ((last_row - 1) / TILE + 1) * h->cols;

	for (; tile < end; tile++)
		mark(h, tile);
}

void dtx_reset(struct display_tx *tx)
{
	for (unsigned i = 0; i < DISPLAY_HEADS; i++) {
		struct dtx_head *h = &tx->head[i];

		if (!h->generation)
			continue; /* never on */
		h->generation++;
		h->announce = true;
		h->inflight = 0;
		if (is_on(h))
			mark_all(h, DTX_UNKNOWN);
	}
}

/* Where a tile lies in pixels and how large it is. */
struct area {
	uint32_t x, y, w, h;
};

static struct area tile_area(const struct dtx_head *h, uint32_t tile)
{
	struct area a = { .x = tile % h->cols * TILE, .y = tile / h->cols * TILE };

	a.w = h->so.width - a.x < TILE ? h->so.width - a.x : TILE;
	a.h = h->so.height - a.y < TILE ? h->so.height - a.y : TILE;
	return a;
}

static void fetch_tile(const struct scanout *so, const struct area *a, uint32_t *px)
{
	for (uint32_t y = 0; y < a->h; y++, px += a->w)
		picture_read(so, a->x, a->y + y, a->w, px);
}

static bool same_as_sent(const struct dtx_head *h, const struct area *a, const uint32_t *px)
{
	const uint32_t *sent = h->sent + (size_t)a->y * h->so.width + a->x;

	for (uint32_t y = 0; y < a->h; y++, px += a->w, sent += h->so.width)
		if (memcmp(px, sent, a->w * 4))
			return false;
	return true;
}

static void set_sent(struct dtx_head *h, const struct area *a, const uint32_t *px)
{
	uint32_t *sent = h->sent + (size_t)a->y * h->so.width + a->x;

	for (uint32_t y = 0; y < a->h; y++, px += a->w, sent += h->so.width)
		memcpy(sent, px, a->w * 4);
}

static size_t put_varint(uint8_t *out, uint32_t v)
{
	size_t n = 0;

	for (; v > 0x7f; v >>= 7)
		out[n++] = (uint8_t)(v | 0x80);
	out[n++] = (uint8_t)v;
	return n;
}

/* The next tile in [from, end) that is marked, or end. Eight flags at a time where none is. */
static uint32_t next_marked(const struct dtx_head *h, uint32_t from, uint32_t end)
{
	while (from < end) {
		uint64_t eight;

		if (end - from >= 8) {
			memcpy(&eight, h->flags + from, 8);
			if (!(eight & DTX_LOOK * 0x0101010101010101u)) {
				from += 8;
				continue;
			}
		}
		if (h->flags[from] & DTX_LOOK)
			return from;
		from++;
	}
	return end;
}

/* A datagram while it is built. */
struct build {
	uint8_t *buf;
	size_t len, cap;
	unsigned budget; /* tiles that may still be compared */
	struct dtx_cookie *cookie;
	uint32_t last; /* tile of the last record; ~0 before the first */
};

/*
 * Looks at one marked tile and adds it if it must be sent. What is compared, coded and kept as sent is one copy: the guest may
 * write meanwhile. Returns false where there was no room: the tile stays as it was.
 */
static bool add_tile(struct display_tx *tx, struct dtx_head *h, struct build *b, uint32_t tile)
{
	uint32_t px[TILE * TILE];
	uint8_t rec[5 + CODEC_TILE_MAX];
	struct area a = tile_area(h, tile);

	fetch_tile(&h->so, &a, px);
	tx->tiles_compared++;
	b->budget--;
	if ((h->flags[tile] & DTX_UNKNOWN) || !same_as_sent(h, &a, px)) {
		size_t n = put_varint(rec, tile - b->last - 1);

		n += codec_encode_tile(px, a.w, a.h, rec + n);
		if (n > b->cap - b->len || b->cookie->count == DTX_COOKIE_TILES)
			return false;
		memcpy(b->buf + b->len, rec, n);
		b->len += n;
		b->last = tile;
		b->cookie->tile[b->cookie->count++] = tile;
		set_sent(h, &a, px);
		tx->tiles_sent++;
		tx->tiles_bytes += n;
	}
	h->flags[tile] = 0;
	h->todo--;
	return true;
}

/* Looks at marked tiles of [h->scan, end) as far as room and budget go. */
static void scan_tiles(struct display_tx *tx, struct dtx_head *h, struct build *b, uint32_t end)
{
	while (h->todo && b->budget) {
		h->scan = next_marked(h, h->scan, end);
		if (h->scan == end || !add_tile(tx, h, b, h->scan))
			break;
		h->scan++;
	}
}

/* Builds one head's datagram; the length, or 0 if neither mode nor tile had to be told. */
static size_t build_head(struct display_tx *tx, unsigned head, struct build *b)
{
	struct dtx_head *h = &tx->head[head];
	uint32_t begin = h->scan;

	b->buf[0] = (uint8_t)head;
	b->buf[1] = (uint8_t)h->so.width;
	b->buf[2] = (uint8_t)(h->so.width >> 8);
	b->buf[3] = (uint8_t)h->so.height;
	b->buf[4] = (uint8_t)(h->so.height >> 8);
	b->len = HEADER;
	b->last = ~0u;
	b->cookie->generation = h->generation;
	b->cookie->head = (uint8_t)head;
	b->cookie->count = 0;
	b->cookie->announce = h->announce;

	scan_tiles(tx, h, b, tile_count(h));
	/* Tiles go in raster order: the top of the picture follows the bottom only where nothing was found there. */
	if (h->scan == tile_count(h)) {
		h->scan = 0;
		if (!b->cookie->count)
			scan_tiles(tx, h, b, begin);
	}
	if (!b->cookie->count && !h->announce)
		return 0;
	h->announce = false;
	h->inflight++;
	tx->datagrams++;
	return b->len;
}

size_t dtx_build(struct display_tx *tx, uint8_t *buf, size_t cap, unsigned max_tiles, struct dtx_cookie *cookie)
{
	struct build b = { .buf = buf, .cap = cap, .budget = max_tiles, .cookie = cookie };

	if (cap < DTX_CAP_MIN)
		return 0;
	for (unsigned i = 0; i < DISPLAY_HEADS; i++) {
		unsigned head = tx->next_head % DISPLAY_HEADS;

		if (!b.budget)
			break;
		tx->next_head = (head + 1) % DISPLAY_HEADS;
		if (!has_work(&tx->head[head]))
			continue;
		size_t len = build_head(tx, head, &b);

		if (len)
			return len;
	}
	return 0;
}

void dtx_answer(struct display_tx *tx, const struct dtx_cookie *cookie, bool ok)
{
	if (cookie->head >= DISPLAY_HEADS)
		return;
	struct dtx_head *h = &tx->head[cookie->head];

	if (cookie->generation != h->generation)
		return;
	if (h->inflight)
		h->inflight--;
	if (ok)
		return;
	h->announce |= cookie->announce;
	/*
	 * A later datagram may have carried such a tile again and arrived; then it is sent once more for nothing. But a later one
	 * may also be lost, or on its way: unknown is always true enough.
	 */
	for (unsigned i = 0; i < cookie->count && i < DTX_COOKIE_TILES; i++) {
		uint32_t tile = cookie->tile[i];

		if (tile >= tile_count(h))
			continue;
		mark(h, tile);
		h->flags[tile] |= DTX_UNKNOWN;
		tx->tiles_lost++;
	}
}

bool dtx_idle(const struct display_tx *tx, bool in_flight)
{
	for (unsigned i = 0; i < DISPLAY_HEADS; i++)
		if (has_work(&tx->head[i]) || (in_flight && tx->head[i].inflight))
			return false;
	return true;
}
