/*
 * What ffmpeg reads is Matroska with uncompressed pictures (RFC 9559), since that has a time for each picture: a console that
 * stands still for an hour costs two pictures, not 90,000.
 */
#define _GNU_SOURCE
#include "host/video.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "host/paths.h"
#include "host/say.h"

extern char **environ;

#define CLUSTER_TIME 10 /* bytes of a Timestamp element as made here */
#define BLOCK_HEAD 4	/* track, relative time, flags */
#define BLOCK_SIZE_AT 9 /* bytes of a SimpleBlock's identifier and size */

static size_t big_endian(uint8_t *p, uint64_t v, size_t bytes)
{
	for (size_t i = bytes; i--; v >>= 8)
		p[i] = (uint8_t)v;
	return bytes;
}

static void put(struct video *v, const void *data, size_t len)
{
	if (!v->error && fwrite(data, 1, len, v->pipe) != len)
		v->error = errno ? errno : EIO;
}

/* An element's size in eight bytes (RFC 8794, 4.). */
static size_t size8(uint8_t *p, uint64_t size)
{
	return big_endian(p, size | 1ull << 56, 8);
}

static void put_header(struct video *v)
{
	static const uint8_t ebml[] = {
		0x1a, 0x45, 0xdf, 0xa3, 0x80 | 19, 0x42, 0x82, 0x88, 'm',  'a',	 't',  'r',  'o', 's', 'k', 'a', /* DocType */
		0x42, 0x87, 0x81, 4,	0x42,	   0x85, 0x81, 2,						 /* its versions */
		0x18, 0x53, 0x80, 0x67, 0x01,	   0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, /* Segment, unknown size */
		0x15, 0x49, 0xa9, 0x66, 0x80 | 7,  0x2a, 0xd7, 0xb1, 0x83, 0x0f, 0x42, 0x40  /* Info: times in ms */
	};
	uint8_t tracks[] = {
		0x16, 0x54, 0xae, 0x6b, 0x80 | 46, 0xae, 0x80 | 44, 0xd7, 0x81, 1,   0x73, 0xc5, 0x81, 1, /* number, UID */
		0x83, 0x81, 1,	  0x86, 0x80 | 14, 'V',	 '_',	    'U',  'N',	'C', 'O',  'M',	 'P',  'R',
		'E',  'S',  'S',  'E',	'D',	   0xe0, 0x80 | 16, 0xb0, 0x82, 0,   0,	   0xba, 0x82, 0,
		0,    0x2e, 0xb5, 0x24, 0x84,	   'B',	 'G',	    'R',  0
	};

	big_endian(tracks + 37, v->width, 2);
	big_endian(tracks + 41, v->height, 2);
	put(v, ebml, sizeof(ebml));
	put(v, tracks, sizeof(tracks));
}

void video_frame(struct video *v, const uint32_t *px, uint64_t ms)
{
	size_t bytes = (size_t)v->width * v->height * 4, n = 0;
	uint8_t head[12 + CLUSTER_TIME + BLOCK_SIZE_AT + BLOCK_HEAD] = { 0x1f, 0x43, 0xb6, 0x75 };

	n = 4 + size8(head + 4, CLUSTER_TIME + BLOCK_SIZE_AT + BLOCK_HEAD + bytes);
	head[n++] = 0xe7;
	head[n++] = 0x88;
	n += big_endian(head + n, ms, 8);
	head[n++] = 0xa3;
	n += size8(head + n, BLOCK_HEAD + bytes);
	head[n++] = 0x81; /* the track; the time within its cluster is 0 */
	head[n + 2] = 0x80;
	put(v, head, n + 3);
	put(v, px, bytes);
}

static int spawn(struct video *v, const char *program, int in)
{
	char *argv[] = { (char *)"ffmpeg",
			 (char *)"-hide_banner",
			 (char *)"-loglevel",
			 (char *)"error",
			 (char *)"-y",
			 (char *)"-f",
			 (char *)"matroska",
			 (char *)"-i",
			 (char *)"pipe:0",
			 (char *)"-fps_mode",
			 (char *)"vfr",
			 (char *)"-c:v",
			 (char *)"libx264",
			 (char *)"-preset",
			 (char *)"veryfast",
			 (char *)"-crf",
			 (char *)"16",
			 (char *)"-pix_fmt",
			 (char *)"yuv420p",
			 (char *)"-movflags",
			 (char *)"+faststart",
			 (char *)"-f",
			 (char *)"mp4",
			 xprintf("file:%s", v->path),
			 NULL };
	posix_spawn_file_actions_t actions;
	int err;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	err = posix_spawn(&v->pid, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	free(argv[sizeof(argv) / sizeof(*argv) - 2]);
	return err;
}

int video_begin(struct video *v, const char *path, unsigned width, unsigned height)
{
	char *program = paths_program("ffmpeg");
	int fd[2], err;

	*v = (struct video){ .path = path, .width = width, .height = height };
	if (!program) {
		say("a video needs ffmpeg: apt-get install ffmpeg");
		return -1;
	}
	err = pipe2(fd, O_CLOEXEC) != 0 ? errno : spawn(v, program, fd[0]);
	free(program);
	if (err) {
		say("ffmpeg: %s", strerror(err));
		return -1;
	}
	close(fd[0]);
	v->pipe = fdopen(fd[1], "w");
	if (!v->pipe) {
		say("ffmpeg: %s", strerror(errno));
		exit(EXIT_TOOL);
	}
	put_header(v);
	return 0;
}

int video_end(struct video *v)
{
	int status = 0;

	if (fclose(v->pipe) != 0 && !v->error)
		v->error = errno;
	while (waitpid(v->pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!v->error && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return 0;
	say("%s: ffmpeg failed%s", v->path, v->error && v->error != EPIPE ? " to take the pictures" : "");
	unlink(v->path);
	return -1;
}
