/* The tile map of the dense mode: for each tile, whether it changed and how it is coded. */
#ifndef STREAM_TILEMAP_H
#define STREAM_TILEMAP_H

#include "stream/dense_model.h"

/** Forgets all. */
void tilemap_clear(struct dense *d);

/** Codes whether any tile of row d->row is not TILE_SAME, and moves the row's modes of this round to those of the one before. */
bool tilemap_row(struct dense *d, bool any);

/** Codes the mode of tile (d->row, d->col), which is put into the map. background: whether TILE_BACKGROUND is possible. */
enum tile_mode tilemap_code(struct dense *d, bool background, enum tile_mode mode);

#endif
