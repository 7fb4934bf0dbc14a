/* Recordings of framebuffers (RET1 in a zstd frame): what the codec is measured with. */
#ifndef HOST_TRACE_H
#define HOST_TRACE_H

#include <stdint.h>
#include <stdio.h>

struct scene;

struct trace {
	uint32_t width, height;           /* pixels, all heads on top of one another */
	uint32_t frames, interval_ms;
	uint32_t heads, head_width, head_height;
	uint32_t *px;                     /* the frame read last, words 0x00RRGGBB */
	char name[64];                    /* the file's, without folder and ending */
	/* private */
	const struct scene *scene; /* painted, not read */
	uint32_t painted;
	FILE *file;
	void *stream;
	uint8_t *in;
	size_t in_len, in_pos, in_room;
};

/** Opens a recording; "@NAME": one of our own scenes. Returns 0, or -1 after saying what is wrong. */
int trace_open(struct trace *t, const char *path);

/** Reads the next frame into t->px. Returns 1; 0 after the last one; -1 after saying what is wrong. */
int trace_next(struct trace *t);

void trace_close(struct trace *t);

#endif
