/* trace.h */
#include <string.h>
#include <stdlib.h>
#include <zstd.h>

#include "host/bench_scene.h"
#include "host/say.h"
#include "host/trace.h"

#define HEADER 64
#define WINDOW_LOG 28 /* as the recordings are made */
#define SIDE_MAX 8192

/* Exactly n bytes: 1; the end: 0; else -1. */
static int read_exactly(struct trace *t, void *to, size_t n)
{
	ZSTD_outBuffer out = { .dst = to, .size = n };

	while (out.pos < out.size) {
		ZSTD_inBuffer in = { .src = t->in, .size = t->in_len, .pos = t->in_pos };
		size_t before = out.pos, status = ZSTD_decompressStream(t->stream, &out, &in);

		t->in_pos = in.pos;
		if (ZSTD_isError(status)) {
			say("%s: %s", t->name, ZSTD_getErrorName(status));
			return -1;
		}
		if (out.pos != before || t->in_pos < t->in_len)
			continue;
		t->in_len = fread(t->in, 1, t->in_room, t->file);
		t->in_pos = 0;
		if (!t->in_len) {
			if (!out.pos)
				return 0;
			say("%s: ends within a frame", t->name);
			return -1;
		}
	}
	return 1;
}

static uint32_t get32(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static int read_header(struct trace *t)
{
	uint8_t h[HEADER];
	int got = read_exactly(t, h, sizeof(h));

	if (got < 0)
		return -1;
	t->width = get32(h + 4);
	t->height = get32(h + 8);
	t->frames = get32(h + 12);
	t->interval_ms = get32(h + 16);
	t->heads = get32(h + 20);
	t->head_width = get32(h + 24);
	t->head_height = get32(h + 28);
	if (!got || memcmp(h, "RET1", 4) != 0 || !t->width || !t->height || t->width > SIDE_MAX || t->height > SIDE_MAX ||
	    !t->heads || t->head_width != t->width || (uint64_t)t->head_height * t->heads != t->height) {
		say("%s: not a recording (RET1)", t->name);
		return -1;
	}
	return 0;
}

static void set_name(struct trace *t, const char *path)
{
	const char *base = strrchr(path, '/');

	snprintf(t->name, sizeof(t->name), "%s", base ? base + 1 : path);
	t->name[strcspn(t->name, ".")] = 0;
}

static int open_scene(struct trace *t, const char *name)
{
	t->scene = scene_find(name);
	if (!t->scene) {
		say("no scene is called %s", name);
		return -1;
	}
	snprintf(t->name, sizeof(t->name), "%s", name);
	t->width = t->head_width = SCENE_WIDTH;
	t->height = t->head_height = SCENE_HEIGHT;
	t->frames = SCENE_FRAMES;
	t->interval_ms = 100;
	t->heads = 1;
	t->px = xalloc((size_t)SCENE_WIDTH * SCENE_HEIGHT * 4);
	return 0;
}

int trace_open(struct trace *t, const char *path)
{
	memset(t, 0, sizeof(*t));
	if (path[0] == '@')
		return open_scene(t, path + 1);
	set_name(t, path);
	t->file = fopen(path, "rb");
	if (!t->file) {
		say("cannot open %s", path);
		return -1;
	}
	t->in_room = ZSTD_DStreamInSize();
	t->in = malloc(t->in_room);
	t->stream = ZSTD_createDStream();
	if (!t->in || !t->stream || ZSTD_isError(ZSTD_DCtx_setParameter(t->stream, ZSTD_d_windowLogMax, WINDOW_LOG)) ||
	    read_header(t) < 0) {
		trace_close(t);
		return -1;
	}
	t->px = calloc((size_t)t->width * t->height, 4);
	if (!t->px) {
		trace_close(t);
		say("%s: out of memory", t->name);
		return -1;
	}
	return 0;
}

int trace_next(struct trace *t)
{
	if (t->scene) {
		if (t->painted == t->frames)
			return 0;
		t->scene->paint(t->px, t->painted++);
		return 1;
	}
	return read_exactly(t, t->px, (size_t)t->width * t->height * 4);
}

void trace_close(struct trace *t)
{
	if (t->file)
		fclose(t->file);
	ZSTD_freeDStream(t->stream);
	free(t->in);
	free(t->px);
	memset(t, 0, sizeof(*t));
}
