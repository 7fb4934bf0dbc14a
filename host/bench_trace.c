#include <stdlib.h>
#include <string.h>
#include <stdio.h>

#include "host/bench_peer.h"
#include "host/bench_trace.h"
#include "host/say.h"
#include "host/trace.h"
#include "stream/dense_encode.h"
#include "stream/link.h"

#define PAGE 4096

/* One head's two ends. */
struct ends {
	uint32_t width, height;
	const uint32_t *cur; /* in the frame at hand */
	uint32_t *before;    /* the frame before it */
	uint8_t *flags;
	uint32_t *sent, *shown; /* the encoder's and the decoder's picture */
	struct dense_enc *enc;
	struct dense *dec;
	uint64_t bytes, datagrams;
};

static void *must(void *p)
{
	if (!p) {
		say("out of memory");
		exit(EXIT_TOOL);
	}
	return p;
}

static void open_ends(struct ends *x, enum dense_mode mode, uint32_t width, uint32_t height)
{
	size_t px = (size_t)width * height;
	uint32_t tiles = ((width + TILE - 1) / TILE) * ((height + TILE - 1) / TILE);

	*x = (struct ends){ .width = width, .height = height };
	x->before = must(calloc(px, 4));
	x->sent = must(calloc(px, 4));
	x->shown = must(calloc(px, 4));
	x->flags = must(calloc(tiles, 1));
	x->enc = must(calloc(1, sizeof(*x->enc)));
	x->dec = must(calloc(1, sizeof(*x->dec)));
	dense_enc_reset(x->enc, mode, x->sent, x->flags, width, height);
	dense_reset(x->dec, mode, x->shown, width, height);
}

static void close_ends(struct ends *x)
{
	free(x->before);
	free(x->sent);
	free(x->shown);
	free(x->flags);
	free(x->enc);
	free(x->dec);
}

/* Marks the tiles that a dirty tracker would: those with a pixel in a page that was written. Returns how many pixels changed. */
static uint64_t mark(struct ends *x)
{
	size_t px = (size_t)x->width * x->height;
	uint32_t cols = (x->width + TILE - 1) / TILE;
	uint64_t changed = 0;

	for (size_t at = 0; at < px; at += PAGE / 4) {
		size_t n = px - at < PAGE / 4 ? px - at : PAGE / 4;

		if (memcmp(x->cur + at, x->before + at, n * 4) == 0)
			continue;
		for (size_t i = at; i < at + n; i++) {
			changed += x->cur[i] != x->before[i];
			x->flags[i / x->width / TILE * cols + i % x->width / TILE] |= 1;
		}
		memcpy(x->before + at, x->cur + at, n * 4);
	}
	return changed;
}

/* Brings a frame over. Returns 0, or -1 if what arrives is not the frame. */
static int send_frame(struct ends *x)
{
	uint8_t out[LINK_BODY_MAX];
	struct scanout cur = { .base = (const volatile uint8_t *)x->cur, .stride = x->width * 4, .bpp = 32 };
	enum dense_status status;

	dense_enc_source(x->enc, &cur);
	do {
		dense_enc_begin(x->enc, out, sizeof(out));
		do
			status = dense_enc_work(x->enc, 1000);
		while (status == DENSE_WORKING);
		size_t n = dense_enc_end(x->enc);

		if (!n)
			break;
		x->bytes += n;
		x->datagrams++;
		if (x->dec && dense_decode(x->dec, out, n) < 0)
			return -1;
	} while (status == DENSE_FULL);
	return memcmp(x->cur, x->dec ? x->shown : x->sent, (size_t)x->width * x->height * 4) ? -1 : 0;
}

#define HEADS_MAX 16
static const char *const mode_name[] = { [MODE_DENSE] = "dense", [MODE_FAST] = "fast" };
#define MODES 2

#define PEERS 4 /* ZRLE and Tight, each told of changes in tiles of 16 and of 64 pixels */

/* A recording on its way over, in each mode. */
struct bench {
	struct trace trace;
	struct ends head[MODES][HEADS_MAX];
	uint64_t first[MODES], total[MODES], changed_frames;
	uint32_t frame;
	unsigned modes; /* bit by bit, which are measured */
	uint64_t changed_px;
	bool peers; /* ZRLE and Tight, too */
	struct peer *peer[PEERS][HEADS_MAX];
};

static int bench_frame(struct bench *b)
{
	struct trace *t = &b->trace;
	uint64_t changed = 0;

	for (unsigned mode = 0; mode < MODES; mode++) {
		if (!(b->modes >> mode & 1))
			continue;
		changed = 0;
		for (uint32_t i = 0; i < t->heads; i++) {
			struct ends *x = &b->head[mode][i];
			uint64_t was = x->bytes;

			x->cur = t->px + (size_t)i * t->head_height * t->head_width;
			changed += mark(x);
			if (send_frame(x) < 0) {
				say("%s: frame %u does not come back as it was (%s)", t->name, b->frame, mode_name[mode]);
				return -1;
			}
			b->total[mode] += x->bytes - was;
		}
		if (!b->frame)
			b->first[mode] = b->total[mode];
	}
	for (unsigned k = 0; b->peers && k < PEERS; k++)
		for (uint32_t i = 0; i < t->heads; i++)
			peer_frame(b->peer[k][i], t->px + (size_t)i * t->head_height * t->head_width);
	b->changed_frames += b->frame && changed;
	b->changed_px += changed;
	return 0;
}

static void open_peers(struct bench *b)
{
	for (unsigned k = 0; b->peers && k < PEERS; k++)
		for (uint32_t i = 0; i < b->trace.heads; i++)
			b->peer[k][i] = peer_open(k < 2 ? PEER_ZRLE : PEER_TIGHT, b->trace.head_width, b->trace.head_height,
						  k & 1 ? 64 : 16);
}

/* The fewer bytes of the two kinds of damage. */
static uint64_t peer_total(struct bench *b, enum peer_encoding encoding)
{
	uint64_t sum[2] = { 0 };

	for (unsigned k = 0; k < 2; k++)
		for (uint32_t i = 0; i < b->trace.heads; i++)
			sum[k] += peer_bytes(b->peer[2 * encoding + k][i]);
	return sum[0] < sum[1] ? sum[0] : sum[1];
}

static void close_peers(struct bench *b)
{
	for (unsigned k = 0; b->peers && k < PEERS; k++)
		for (uint32_t i = 0; i < b->trace.heads; i++)
			peer_close(b->peer[k][i]);
}

static void print_result(struct bench *b)
{
	printf("%s frames=%u changed=%llu first=%llu dense=%llu fast=%llu pixels=%llu", b->trace.name, b->frame,
	       (unsigned long long)b->changed_frames, (unsigned long long)b->first[MODE_DENSE],
	       (unsigned long long)b->total[MODE_DENSE], (unsigned long long)b->total[MODE_FAST],
	       (unsigned long long)b->changed_px);
	if (b->peers)
		printf(" zrle=%llu tight=%llu", (unsigned long long)peer_total(b, PEER_ZRLE),
		       (unsigned long long)peer_total(b, PEER_TIGHT));
	printf("\n");
	fflush(stdout);
}

static int bench_file(const char *path, unsigned modes, uint32_t frames, bool peers)
{
	struct bench b = { .modes = modes, .peers = peers };
	struct trace *t = &b.trace;
	int got, status = 0;

	if (trace_open(t, path) < 0)
		return EXIT_TOOL;
	if (t->heads > HEADS_MAX) {
		say("%s: too many heads", t->name);
		trace_close(t);
		return EXIT_TOOL;
	}
	for (unsigned mode = 0; mode < MODES; mode++) {
		for (uint32_t i = 0; i < t->heads; i++)
			open_ends(&b.head[mode][i], (enum dense_mode)mode, t->head_width, t->head_height);
	}
	open_peers(&b);
	for (got = 0; b.frame < frames && (got = trace_next(t)) > 0; b.frame++)
		if (bench_frame(&b) < 0) {
			status = EXIT_TOOL;
			break;
		}
	if (got < 0)
		status = EXIT_TOOL;
	if (!status)
		print_result(&b);
	close_peers(&b);
	for (unsigned mode = 0; mode < MODES; mode++)
		for (uint32_t i = 0; i < t->heads; i++)
			close_ends(&b.head[mode][i]);
	trace_close(t);
	return status;
}

int bench_trace(int argc, char **argv)
{
	unsigned modes = 1u << MODE_DENSE | 1u << MODE_FAST;
	uint32_t frames = ~0u;
	bool peers = false;
	int worst = 0;

	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "--mode=", 7)) {
			modes = !strcmp(argv[i] + 7, "dense")  ? 1u << MODE_DENSE
				: !strcmp(argv[i] + 7, "fast") ? 1u << MODE_FAST
							       : 0;
			if (!modes) {
				say("bench trace: --mode=dense or fast, not '%s'", argv[i] + 7);
				return EXIT_USAGE;
			}
			continue;
		}
		if (!strncmp(argv[i], "--frames=", 9)) {
			frames = (uint32_t)strtoul(argv[i] + 9, NULL, 10);
			continue;
		}
		if (!strcmp(argv[i], "--peers")) {
			peers = true;
			continue;
		}
		int status = bench_file(argv[i], modes, frames, peers);

		worst = status > worst ? status : worst;
	}
	return worst;
}
