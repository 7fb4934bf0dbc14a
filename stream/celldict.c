/* celldict.h */
#include <string.h>

#include "stream/celldict.h"

#define HEAD CELL_NONE
#define BUCKETS (sizeof(((struct grid *)0)->bucket) / sizeof(uint16_t))

void celldict_begin(struct grid *g, unsigned cw, unsigned ch, unsigned ox, unsigned oy)
{
	unsigned ids = CELL_ROOM / (cw * ch);

	g->cw = (uint8_t)cw;
	g->ch = (uint8_t)ch;
	g->ox = (uint8_t)ox;
	g->oy = (uint8_t)oy;
	g->ids = (uint16_t)(ids > CELL_IDS ? CELL_IDS : ids);
	g->count = 0;
	g->free = HEAD;
	g->newer[HEAD] = g->older[HEAD] = HEAD;
	for (unsigned i = 0; i < BUCKETS; i++)
		g->bucket[i] = CELL_NONE;
	memset(g->uses, 0, sizeof(g->uses));
	memset(g->hint, 0, sizeof(g->hint));
	memset(&g->text, 0, sizeof(g->text));
}

uint32_t celldict_hash(unsigned cw, unsigned ch, const uint32_t *px, uint32_t stride)
{
	uint64_t h = 0, two;

	for (unsigned y = 0; y < ch; y++, px += stride) {
		unsigned x = 0;

		for (; x + 2 <= cw; x += 2) {
			memcpy(&two, px + x, sizeof(two));
			h = (h ^ two) * 0x9e3779b97f4a7c15u;
			h ^= h >> 32;
		}
		if (x < cw)
			h = (h ^ px[x]) * 0x9e3779b97f4a7c15u;
	}
	return (uint32_t)(h >> 32) | 1;
}

static bool equals(const struct grid *g, unsigned id, const uint32_t *px, uint32_t stride)
{
	const uint8_t *cell = g->px + (size_t)id * g->cw * g->ch;

	for (unsigned y = 0; y < g->ch; y++, px += stride)
		for (unsigned x = 0; x < g->cw; x++)
			if (g->colour[*cell++] != px[x])
				return false;
	return true;
}

static unsigned bucket_of(uint32_t hash)
{
	return hash >> 8 & (BUCKETS - 1);
}

bool celldict_has_hash(const struct grid *g, uint32_t hash)
{
	unsigned id = g->bucket[bucket_of(hash)];

	while (id != CELL_NONE && g->hash[id] != hash)
		id = g->chain[id];
	return id != CELL_NONE;
}

unsigned celldict_find(const struct grid *g, const uint32_t *px, uint32_t stride)
{
	uint32_t h = celldict_hash(g->cw, g->ch, px, stride);
	unsigned id = g->bucket[bucket_of(h)];

	while (id != CELL_NONE && (g->hash[id] != h || !equals(g, id, px, stride)))
		id = g->chain[id];
	return id;
}

static void unlink(struct grid *g, unsigned id)
{
	g->older[g->newer[id]] = g->older[id];
	g->newer[g->older[id]] = g->newer[id];
}

/* The head's older is the newest, its newer the oldest. */
static void link_newest(struct grid *g, unsigned id)
{
	unsigned was = g->older[HEAD];

	g->older[id] = (uint16_t)was;
	g->newer[id] = HEAD;
	g->newer[was] = (uint16_t)id;
	g->older[HEAD] = (uint16_t)id;
}

void celldict_touch(struct grid *g, unsigned id)
{
	if (g->older[HEAD] == id)
		return;
	unlink(g, id);
	link_newest(g, id);
}

/* Numbers that no cell has are a list through newer; each is its own older one. */
static void release(struct grid *g, unsigned id)
{
	g->newer[id] = g->free;
	g->older[id] = (uint16_t)id;
	g->free = (uint16_t)id;
}

bool celldict_has(const struct grid *g, unsigned id)
{
	return id < g->count && g->older[id] != id;
}

/* Takes the oldest cell out, with the colours that it alone has. */
static void evict(struct grid *g)
{
	unsigned id = g->newer[HEAD], size = g->cw * g->ch;
	uint16_t *at = &g->bucket[bucket_of(g->hash[id])];

	while (*at != id)
		at = &g->chain[*at];
	*at = g->chain[id];
	unlink(g, id);
	for (unsigned i = 0; i < size; i++)
		g->uses[g->px[(size_t)id * size + i]]--;
	release(g, id);
}

/* The place of a colour in the palette; a free one becomes it. CELL_COLOURS if there is neither. */
static unsigned find_colour(struct grid *g, uint32_t px)
{
	uint8_t *hint = &g->hint[px * 0x9e3779b1u >> 24];
	unsigned free = CELL_COLOURS;

	if (g->uses[*hint] && g->colour[*hint] == px)
		return *hint;

	for (unsigned i = 0; i < CELL_COLOURS; i++) {
		if (!g->uses[i]) {
			if (free == CELL_COLOURS)
				free = i;
		} else if (g->colour[i] == px) {
			*hint = (uint8_t)i;
			return i;
		}
	}
	if (free < CELL_COLOURS) {
		g->colour[free] = px;
		*hint = (uint8_t)free;
	}
	return free;
}

/* Writes a cell as indices; false, with nothing changed, where the palette lacks room. */
static bool put(struct grid *g, unsigned id, const uint32_t *px, uint32_t stride)
{
	uint8_t *cell = g->px + (size_t)id * g->cw * g->ch;
	unsigned n = 0, last = CELL_COLOURS;

	for (unsigned y = 0; y < g->ch; y++, px += stride) {
		for (unsigned x = 0; x < g->cw; x++) {
			if (last == CELL_COLOURS || g->colour[last] != px[x])
				last = find_colour(g, px[x]);
			if (last == CELL_COLOURS) {
				while (n--)
					g->uses[cell[n]]--;
				return false;
			}
			cell[n++] = (uint8_t)last;
			g->uses[last]++;
		}
	}
	return true;
}

#define GIVE_WAY 8 /* cells that are evicted for the colours of one, at most */

unsigned celldict_enter(struct grid *g, const uint32_t *px, uint32_t stride)
{
	uint32_t h = celldict_hash(g->cw, g->ch, px, stride);
	unsigned id, evicted = 0;

	if (g->free == HEAD && g->count < g->ids)
		release(g, g->count++);
	else if (g->free == HEAD)
		evict(g);
	id = g->free;
	g->free = g->newer[id];
	while (!put(g, id, px, stride)) {
		if (evicted++ == GIVE_WAY || g->newer[HEAD] == HEAD) {
			release(g, id);
			return CELL_NONE;
		}
		evict(g);
	}
	g->hash[id] = h;
	g->chain[id] = g->bucket[bucket_of(h)];
	g->bucket[bucket_of(h)] = (uint16_t)id;
	link_newest(g, id);
	return id;
}

void celldict_draw(const struct grid *g, unsigned id, uint32_t *px, uint32_t stride)
{
	const uint8_t *cell = g->px + (size_t)id * g->cw * g->ch;

	for (unsigned y = 0; y < g->ch; y++, px += stride)
		for (unsigned x = 0; x < g->cw; x++)
			px[x] = g->colour[*cell++];
}
