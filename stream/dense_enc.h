/*
 * The dense encoder's state: the model and what it needs to decide what to code. All that is kept for a head beside the picture as
 * it was sent.
 */
#ifndef STREAM_DENSE_ENC_H
#define STREAM_DENSE_ENC_H

#include "stream/cells.h"
#include "stream/dense_model.h"
#include "stream/dense_round.h"
#include "stream/picture.h"
#include "stream/votes.h"

#define DIFF_WORDS (DENSE_MAX_TILES / 32 + 2)

/* -------- search for copies */

#define SEARCH_BLOCKS 2048
#define SEARCH_VECTORS 1024
#define SEARCH_TRIES 8
#define SEARCH_GAINS 16384

enum search_stage { SEARCH_LAST, SEARCH_ENTER, SEARCH_SCAN, SEARCH_PICK, SEARCH_GAIN, SEARCH_RECT, SEARCH_REFINE, SEARCH_END };

struct copysearch {
	enum search_stage stage;
	struct rect bounds;              /* of the tiles that differ, in pixels */
	int32_t y, top;
	unsigned tries, vectors, side;
	struct {
		int16_t dx, dy;
		int32_t gain;            /* when tried last; -1: not yet */
	} vector[SEARCH_TRIES];
	struct copy best;
	int32_t best_gain;
	struct copy found;
	int32_t gain;
	unsigned anchors;                /* in block[] */
	bool fine;                       /* many anchors */
	bool scanned;                    /* the old picture was looked through */
	int32_t changed;                 /* pixels in bounds, estimated with the last vector */
	unsigned shift;                  /* blocks of 1 << shift pixels */
	int32_t block_cols, block_rows;
	struct {
		uint32_t hash;           /* 0: none here */
		uint16_t x, y;
		int16_t dx, dy;          /* the vector that the first place names where it was found */
		uint16_t places, twins;  /* how often it was found; how many such blocks there are beside it */
	} block[SEARCH_BLOCKS];
	struct vote vote[SEARCH_VECTORS];
	int16_t gains[SEARCH_GAINS];
	int32_t sum[DENSE_MAX_SIDE / 8];
	uint32_t line[DENSE_MAX_SIDE];
};

/* -------- the fast mode's search */

#define MOVE_PROBES 1024 /* a power of two */
#define MOVE_VOTES 256
#define MOVE_TRIES 3

enum move_stage { MOVE_PROBE, MOVE_SCAN, MOVE_SCORE, MOVE_FIT, MOVE_REFINE, MOVE_AGAIN };

struct movesearch {
	enum move_stage stage;
	uint32_t tile, seen, next, picked; /* of the tiles that differ: the one at hand; how many there were; the one to take next */
	unsigned probes;
	struct {
		uint32_t hash;             /* 0: none here */
		uint16_t x, y;
	} probe[MOVE_PROBES];
	bool first[4096];                  /* by hash of a feature's first pixels, whether there is one */
	struct vote vote[MOVE_VOTES];
	unsigned vectors, tries, passes, side;
	struct {
		int16_t dx, dy;
		int32_t gain;              /* when tried last */
	} vector[MOVE_TRIES];
	int32_t row, rows, cols;           /* of the bounds, in tiles */
	int32_t changed;                   /* samples that changed */
	int32_t gain, best_gain;
	struct copy found, best;           /* best: in tiles */
	int32_t sum[DENSE_MAX_SIDE / TILE];
	int8_t score[DENSE_MAX_TILES];     /* what the vector at hand does to a tile */
};

/* -------- search for a grid of text */

#define CROP_W 448
#define CROP_H 256

#define GRID_MAX_W 12     /* widths and heights that are tried */
#define GRID_MAX_H 24
#define AXIS_TRIES 32     /* the fast mode: sizes and places of cells that are tried in full, across and down */
#define AXIS_ALL_W ((GRID_MAX_W * (GRID_MAX_W + 1) - CELL_MIN_W * (CELL_MIN_W - 1)) / 2)
#define AXIS_ALL_H ((GRID_MAX_H * (GRID_MAX_H + 1) - CELL_MIN_H * (CELL_MIN_H - 1)) / 2)


struct grid_axis {
	uint8_t size, phase;
	uint16_t blank; /* how little ink stands there */
};

struct gridsearch {
	struct rect crop;
	unsigned line;                                 /* next one to count ink in */
	uint32_t ink_x[CROP_W], ink_y[CROP_H];
	struct grid_axis across[AXIS_ALL_W], down[AXIS_ALL_H];
	unsigned rows, cols, row, col;                 /* how many there are to try, and those at hand */
	unsigned sums;                                 /* rows of cells in sum, of the height at hand */
	unsigned cw, ch, ox, oy;                       /* at hand */
	uint32_t best_cost, plain_cost;                /* of the best grid so far, in 1/1024 bit a pixel; with its first cell at a corner */
	struct cell_plan best;
	uint32_t solid;                                /* the commonest colour */
	uint32_t seen[2048];                           /* hashes of cells */
	uint32_t inverse[CROP_W];                      /* of the columns' multipliers */
	uint32_t sum[CROP_H / CELL_MIN_H][CROP_W + 1]; /* of each row of cells: hashes of columns, added up from the left */
};

/* -------- which cells to code */

struct cellplan {
	uint8_t g;
	uint16_t row;
	uint32_t seen[2048];
	uint32_t px[CELL_MAX_W * CELL_MAX_H];
};

/* -------- the fast mode's: which cells are glyphs */

#define PLAN_LINES 1024
#define PLAN_SYMBOLS 16384

struct glyphplan {
	uint8_t g;
	uint16_t row;                /* at hand */
	unsigned lines, line, symbols;
	uint32_t evicted[GRIDS];     /* when the cells were looked at */
	struct {
		uint8_t g;
		struct glyph_line line;
		uint16_t at;         /* of its first cell in symbol */
	} of[PLAN_LINES];
	uint16_t symbol[PLAN_SYMBOLS];
};

enum enc_stage { ENC_IDLE, ENC_DIFF, ENC_COPIES, ENC_REDIFF, ENC_GRID, ENC_PLAN, ENC_CODE };

struct dense_enc {
	struct dense d;
	struct scanout cur;              /* what is to be shown */
	uint8_t *flags;                  /* by tile, bit 0: may differ; cleared when coded. Owned by the caller */
	enum enc_stage stage;
	uint32_t row;
	uint32_t diff[DIFF_WORDS];       /* tiles that differ */
	uint32_t diffs;
	struct rect bounds;              /* of those, in pixels */
	unsigned grid_pause, grid_wait;  /* rounds until a grid is looked for again; what the next failure makes of it */
	unsigned move_pause, move_wait;  /* the same for what moved, in the fast mode */
	unsigned units, round_units;     /* coded in this datagram and in this round */
	bool broken;                     /* the datagram at hand gives its round up */
	size_t header;
	uint8_t *out;
	size_t cap;
	struct cell_plan plan[GRIDS];
	uint32_t last_used[GRIDS], round; /* the rounds in which the grids were used, and this one's number */
	uint32_t known[GRIDS];            /* how much of what was coded lately the dictionaries had, in 1/256 */
	union {
		struct copysearch search;
		struct movesearch moves;
		struct gridsearch grid;
		struct cellplan plan;
		uint32_t px[TILE][PX_WIDE];  /* what is coded */
		struct {
			union {
				uint32_t px[TILE * PX_WIDE];
				uint32_t seen[2048]; /* before: hashes of cells that were looked at */
			};
			struct glyphplan plan;
		} text;
		uint32_t cell[CELL_MAX_W * CELL_MAX_H];
	} u;
};

/**
 * The columns of tiles in which any differs, of those that rows y to y + h - 1 touch. False if there are none.
 */
static inline bool dense_enc_columns(const struct dense_enc *e, uint32_t y, uint32_t h, uint32_t cols[DENSE_MAX_SIDE / TILE / 32])
{
	uint32_t words = (e->d.cols + 31) / 32, any = 0;

	for (uint32_t i = 0; i < words; i++)
		cols[i] = 0;
	for (uint32_t row = y / TILE; row <= (y + h - 1) / TILE; row++) {
		uint32_t at = row * e->d.cols;

		for (uint32_t i = 0; i < words; i++, at += 32) {
			uint64_t two = e->diff[at / 32] | (uint64_t)e->diff[at / 32 + 1] << 32;
			uint32_t bits = (uint32_t)(two >> (at % 32));

			/* What is beyond the row is the next one's. */
			if ((i + 1) * 32 > e->d.cols)
				bits &= (1u << (e->d.cols % 32)) - 1;
			cols[i] |= bits;
			any |= bits;
		}
	}
	return any;
}

_Static_assert(sizeof(struct dense_enc) <= 2 * 1024 * 1024, "a head's state stays within 2 MiB");

#endif
