#include "host/png.h"

#include <errno.h>
#include <inttypes.h>
#include <png.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/say.h"

static void encode(png_structp png, png_infop info, const struct canvas *c, uint8_t *row)
{
	/* Screens are flat: filters do not help much and the fastest level is nearly as small. */
	png_set_compression_level(png, 2);
	png_set_filter(png, 0, PNG_FILTER_NONE);
	png_set_IHDR(png, info, c->width, c->height, 8, PNG_COLOR_TYPE_RGB, PNG_INTERLACE_NONE, PNG_COMPRESSION_TYPE_DEFAULT,
		     PNG_FILTER_TYPE_DEFAULT);
	png_write_info(png, info);
	for (unsigned y = 0; y < c->height; y++) {
		const uint32_t *px = c->px + (size_t)y * c->width;

		for (unsigned x = 0; x < c->width; x++) {
			row[3 * x] = (uint8_t)(px[x] >> 16);
			row[3 * x + 1] = (uint8_t)(px[x] >> 8);
			row[3 * x + 2] = (uint8_t)px[x];
		}
		png_write_row(png, row);
	}
	png_write_end(png, info);
}

/* libpng leaves by longjmp on an error, so what must survive that is made here, outside of encode. */
static int write_to(FILE *f, const struct canvas *c)
{
	uint8_t *row = xalloc((size_t)c->width * 3);
	png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
	png_infop info = png ? png_create_info_struct(png) : NULL;
	volatile int err = -EIO;

	if (info && setjmp(png_jmpbuf(png)) == 0) {
		png_init_io(png, f);
		encode(png, info, c, row);
		err = 0;
	}
	png_destroy_write_struct(png ? &png : NULL, info ? &info : NULL);
	free(row);
	return err;
}

int png_write(const struct canvas *c, const char *path)
{
	char *part = xprintf("%s.part", path);
	FILE *f = fopen(part, "wbe");
	int err = f ? 0 : -errno;

	if (f) {
		err = write_to(f, c);
		if (fclose(f) != 0 && !err)
			err = -errno;
	}
	if (!err && rename(part, path) != 0)
		err = -errno;
	if (err)
		unlink(part);
	free(part);
	return err;
}

static int shoot(const struct canvas *c, const char *dir, unsigned head, int64_t number)
{
	char *path = number < 0 ? xprintf("%s/head%u.png", dir, head) : xprintf("%s/head%u-%03" PRId64 ".png", dir, head, number);
	int err = png_write(c, path);

	if (err)
		say("%s: %s", path, strerror(-err));
	free(path);
	return err;
}

int png_make_dir(const char *dir)
{
	char *path = xstrdup(dir);
	struct stat st;
	int err = 0;

	for (char *p = path + 1; *path && !err; p++) {
		char c = *p;

		if (c && c != '/')
			continue;
		*p = 0;
		if (mkdir(path, 0777) != 0 && errno != EEXIST)
			err = -errno;
		*p = c;
		if (!c)
			break;
	}
	if (!err && (stat(dir, &st) != 0 || !S_ISDIR(st.st_mode)))
		err = -ENOTDIR;
	if (err)
		say("%s: %s", dir, strerror(-err));
	free(path);
	return err;
}

int png_shots(const struct display_rx *rx, const char *dir, int64_t number)
{
	int count = 0, err = png_make_dir(dir);

	for (unsigned h = 0; h < DISPLAY_HEADS && !err; h++) {
		const struct canvas *c = &rx->head[h];

		if (!c->width || !c->height || !c->px)
			continue;
		err = shoot(c, dir, h, -1);
		if (!err && number >= 0)
			err = shoot(c, dir, h, number);
		count++;
	}
	return err ? err : count;
}
