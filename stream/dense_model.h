/*
 * The dense mode's state, the same on both ends: the picture as last sent and all that was learnt from it. The parts of the codec
 * (copies, cells, tile map, pixels, background) are functions on this; each codes or decodes according to d->rc.
 */
#ifndef STREAM_DENSE_MODEL_H
#define STREAM_DENSE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream/mixer.h"
#include "stream/picture.h"

#define DENSE_MAX_SIDE 8192
#define DENSE_MAX_TILES (4096 * 4096 / (TILE * TILE) + 1024)

struct rect {
	int32_t x, y, w, h;
};

static inline bool rect_has(const struct rect *r, int32_t x, int32_t y)
{
	return (uint32_t)(x - r->x) < (uint32_t)r->w && (uint32_t)(y - r->y) < (uint32_t)r->h;
}

/* Makes b hold r, too; b of width 0 holds nothing. */
static inline void rect_widen(struct rect *b, const struct rect *r)
{
	int32_t x1 = b->x + b->w, y1 = b->y + b->h;

	if (!b->w) {
		*b = *r;
		return;
	}
	x1 = r->x + r->w > x1 ? r->x + r->w : x1;
	y1 = r->y + r->h > y1 ? r->y + r->h : y1;
	b->x = r->x < b->x ? r->x : b->x;
	b->y = r->y < b->y ? r->y : b->y;
	b->w = x1 - b->x;
	b->h = y1 - b->y;
}

/* -------- copies: a rectangle of the picture was elsewhere before */

#define COPY_MAX 6 /* in a round */

struct copy {
	struct rect to;
	int32_t dx, dy; /* what stands at (x, y) was at (x + dx, y + dy) */
};

struct copies {
	struct copy now[COPY_MAX], last[COPY_MAX]; /* of this round and the one before */
	unsigned count, last_count;
	struct slot more[COPY_MAX + 1], same_vector, same_rect, moved_rect;
	struct slot vector[2][SLOT_NUMBER], side[4][SLOT_NUMBER];
};

/* -------- cells: text on a grid */

#define GRIDS 2
#define CELL_IDS 1023         /* in a dictionary, at most */
#define CELL_NONE 1023        /* no cell of the dictionary */
#define CELL_MIN_W 5          /* pixels */
#define CELL_MAX_W 16
#define CELL_MIN_H 7
#define CELL_MAX_H 32
#define CELL_ROOM (108 * 1024) /* pixels of all cells of a dictionary */
#define CELL_COLOURS 256

#define TEXT_HISTORY 16384
#define TEXT_BLANK_WINDOW 512

struct text {
	uint16_t history[TEXT_HISTORY]; /* ids coded */
	uint32_t length;                /* ever coded */
	uint16_t match_at[4096];        /* where the last four ids were last seen */
	uint32_t match, match_length;   /* where the next id is expected, and how long that held; 0: nowhere */
	uint16_t often[CELL_IDS + 1];   /* in the last TEXT_BLANK_WINDOW */
	uint16_t blank;                 /* the commonest */
};

struct grid {
	uint8_t cw, ch, ox, oy;  /* a cell's size and where the first stands; cw 0: no grid */
	uint16_t ids, count;     /* how many cells fit; numbers given out so far */
	uint16_t free;           /* first of the numbers that no cell has now, see celldict.c */
	uint16_t first_row, rows, first_col, cols; /* of the last round that used it */
	uint16_t newer[CELL_IDS + 1], older[CELL_IDS + 1]; /* ring by last use; CELL_NONE is its head */
	uint16_t chain[CELL_IDS + 1], bucket[1024]; /* by hash */
	uint32_t hash[CELL_IDS];
	uint32_t colour[CELL_COLOURS], uses[CELL_COLOURS]; /* pixels of cells that have this colour; 0: free */
	uint8_t hint[256];       /* by a colour's hash: where it was found last */
	struct text text;
	uint8_t px[CELL_ROOM];
};

/* What is being coded of a grid in this round. */
struct cells {
	struct grid grid[GRIDS];
	uint8_t g;                      /* grid at hand */
	bool used[GRIDS];               /* in this round */
	uint16_t row, col, first_row, last_row, first_col, last_col;
	uint16_t left[6];               /* ids to the left, the next one first */
	uint32_t word;                  /* hash of those since the last blank */
	uint16_t above, above_right;    /* ids of the row above */
	uint16_t here;                  /* id of what stands there */
	struct rect covered[GRIDS];     /* in pixels, all rows between the first and the last */
	struct slot flag[2 * GRIDS], row_flag[2], shape[4][32], number[4][SLOT_NUMBER];
	int32_t a[12 * 4][MIX_INPUTS(12)], b[16][MIX_INPUTS(12)];
	uint16_t apm[16][MIX_APM];
};

/* -------- tile map */

enum tile_mode {
	TILE_SAME = 0,   /* as it was, after copies and cells */
	TILE_CODED,      /* pixels */
	TILE_BACKGROUND, /* what the background pool has */
	TILE_SOLID,      /* one colour */
	TILE_TEXTURE,    /* fast mode: pixels that are all different */
};

struct tile_map {
	uint8_t mode[DENSE_MAX_TILES]; /* this round's in the low half, the one's before in the high half */
	uint8_t any[DENSE_MAX_SIDE / TILE]; /* by row, whether one is not TILE_SAME: bit 0 this round, bit 1 the one before */
	struct slot row[8];
	struct slot fast[5 * 5 * 5][3]; /* by the modes left, above and before */
	int32_t a[3 * 32][MIX_INPUTS(7)], b[3 * 32][MIX_INPUTS(7)];
	uint16_t apm[3][MIX_APM];
};

/* -------- background pool: what lay under what moved */

#define POOL_TILES 768

struct background {
	uint16_t bucket[1024], chain[POOL_TILES];              /* by tile number; POOL_TILES ends a chain */
	uint32_t tile[POOL_TILES];
	uint16_t newer[POOL_TILES + 1], older[POOL_TILES + 1]; /* ring by last use; POOL_TILES is its head */
	uint16_t count, free;                            /* free: first of a list through newer, or POOL_TILES */
	uint8_t px[POOL_TILES][TILE * TILE * 3];
};

/* -------- pixels */

#define PX_WIDE (64 * TILE) /* pixels in a region's row, at most */
#define PX_MARGIN 8
#define PX_STRIDE (PX_WIDE + 2 * PX_MARGIN)
#define PX_INFO 4096
#define PX_TABLE 8192
#define PX_SOURCES 16
#define PX_MRU 8
#define LMS_INPUTS 17

struct pixels {
	/* the region at hand */
	struct rect region;
	int32_t x, y;                     /* the next pixel, in the picture */
	bool literal;                     /* a cell, no tiles */
	bool texture;                     /* tiles of mode TILE_TEXTURE */
	uint32_t info_nw;                 /* info of the pixel above the last one */
	int16_t slack[DENSE_MAX_SIDE / TILE]; /* by column of tiles: bits that the tile at hand may still take above 24 a pixel */
	struct {
		uint32_t start;           /* rc_bits before the pixel at hand */
		int32_t slack;            /* that it may take above 24 */
	} budget;
	uint32_t mean;                    /* bits that the model took or would have taken for the last pixels, in 1/16 of one */
	uint32_t unheard;                 /* pixels that the model did not see since the last that it did */
	uint32_t now[4][PX_STRIDE];       /* rows y & 3: this one and three above */
	uint32_t before[3][PX_STRIDE];    /* rows y % 3: what was above, here and below before the region was coded */
	uint32_t info[PX_INFO];           /* by column modulo PX_INFO: residuals and escape flag of the pixel coded there last */
	uint32_t old_row[2][DENSE_MAX_SIDE]; /* the last row of the tiles above, as it was before this round; and of these */
	bool old_valid[2];
	/* what was learnt */
	struct slot flat[2048];
	uint32_t table[3][PX_TABLE];      /* colour, and confidence in the top byte */
	uint32_t match_at[PX_TABLE];      /* y << 16 | x of the last place with such neighbours */
	uint32_t mru[PX_MRU];
	uint32_t match;                   /* y << 16 | x that is expected to be like the next pixel; ~0: none */
	uint32_t match_length;
	int32_t hit_a[PX_SOURCES * 5 * 4][MIX_INPUTS(8)], hit_b[1024][MIX_INPUTS(8)];
	uint16_t hit_apm[PX_SOURCES][MIX_APM];
	int32_t res_a[3 * 16][MIX_INPUTS(12)], res_b[3 * 16][MIX_INPUTS(12)];
	uint16_t res_apm[3 * 16][MIX_APM];
	int32_t lms[3][LMS_INPUTS];
	uint32_t energy[3];
};

/* -------- the fast mode */

#define GLYPH_IDS 1000
#define GLYPH_ROOM 60000 /* pixels of all cells of a dictionary */
#define GLYPH_BUCKETS 1024
#define GLYPH_TWO 4096
#define GLYPH_FOUR 8192

struct glyph_grid {
	uint8_t cw, ch, ox, oy;     /* as in struct grid */
	uint16_t ids, count, hand;  /* how many fit; how many there are; where the next one to give way is looked for */
	uint32_t evicted;           /* how many gave way */
	uint8_t used[GLYPH_IDS];    /* since the hand was there */
	bool solid[GLYPH_IDS];      /* of one colour */
	uint16_t chain[GLYPH_IDS], bucket[GLYPH_BUCKETS];       /* by hash */
	uint32_t hash[GLYPH_IDS];
	uint16_t after_two[GLYPH_TWO], after_four[GLYPH_FOUR];  /* what came after the two, the four, to the left last time */
	uint32_t px[GLYPH_ROOM] __attribute__((aligned(16)));
};

struct glyphs {
	struct glyph_grid grid[GRIDS];
	uint8_t g;                  /* grid at hand */
	uint8_t hits;               /* cells in a row that were as after four before; 3 at most */
	uint16_t row, col, first, last;
	uint16_t left[4];           /* the symbols before, the last one first */
	struct slot flag[2 * GRIDS + 2], guess[3 * 4], number[3][SLOT_NUMBER];
};

/* The fast mode's pixel coder: adaptive bits without mixing, and Golomb-Rice codes. Probabilities of a 1, in 1/65536. */
#define FAST_TABLE 8192

struct fast {
	uint16_t piece[3][64];                /* what a row of a tile is: as the one above was? by that */
	uint16_t guess[128 + 5], run[2][TILE];
	unsigned hit;                         /* whether what stood in such a place did again, of the last three times */
	uint32_t table[FAST_TABLE];           /* what stood where the neighbours were so */
	uint32_t mru[4], cache[128];          /* colours: the last ones; by hash */
	struct {
		uint8_t k[2];
		uint32_t bits[2], count;      /* of the last differences */
	} lone;                               /* how pixels are coded that no guess had */
	uint8_t parameter[DENSE_MAX_SIDE / TILE][2]; /* of textures: by column of tiles, green; red and blue */
	uint8_t kind[DENSE_MAX_SIDE / TILE + 2];
	struct glyphs glyphs;
};

enum dense_stage { DENSE_COPIES, DENSE_CELLS, DENSE_CELL_ROW, DENSE_CELL, DENSE_LITERAL, DENSE_ROW, DENSE_TILES, DENSE_PIXELS, DENSE_DONE };

enum dense_mode { MODE_DENSE, MODE_FAST };

/* What was changed, for the owner, who empties it; a reset of the codec leaves it alone. */
struct touch {
	struct rect all; /* what was changed lies in it; w 0: nothing */
	uint32_t tiles;  /* tiles and cells coded */
};

struct dense {
	enum dense_mode mode;
	struct rangecoder rc;
	uint32_t *sent;             /* the picture, width * height words; owned by the caller */
	uint32_t width, height, cols, rows;
	bool first;                 /* nothing was coded since the reset: what stood there is no background */
	enum dense_stage stage;
	unsigned reset;             /* steps of it that are made */
	uint32_t row, col;          /* tiles, in the stages of tiles */
	struct touch touch;
	struct copies copies;
	struct cells cells;
	struct tile_map map;
	union {
		struct background pool; /* dense mode */
		struct fast fast;       /* fast mode */
	};
	struct pixels px;
	struct slot table[MIX_SLOTS];
};

#endif
