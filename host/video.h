/* Pictures with their times, through ffmpeg into an MP4. */
#ifndef HOST_VIDEO_H
#define HOST_VIDEO_H

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

struct video {
	FILE *pipe;
	pid_t pid;
	const char *path;
	unsigned width, height;
	int error; /* errno of the first write that failed */
};

/** Starts ffmpeg. width and height: even, of every picture. Returns 0, or -1 having said why. path must stay. */
int video_begin(struct video *v, const char *path, unsigned width, unsigned height);

/** A picture of width * height words 0x00RRGGBB, shown from ms on; times grow. It is read before this returns. */
void video_frame(struct video *v, const uint32_t *px, uint64_t ms);

/** Waits for ffmpeg. Returns 0, or -1 having said why; the file is gone then. */
int video_end(struct video *v);

#endif
