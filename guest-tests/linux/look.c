/*
 * Under Linux: look N. When head N's framebuffer has come to rest, tells COM1 the words of its console, tty N+1, that begin with
 * "Typed-", and its `screen` line. It does so again if the picture changes within the next seconds: who draws may have had no time
 * yet.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <linux/fb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "screen.h"

#define REST_US 300000
#define LOOKS 30 /* after the first one */

/* What stands on the console, one byte a cell, as vcs(4) has it. */
static void words(FILE *out, unsigned head)
{
	static char text[0x10000];
	char name[32], *at = text;
	ssize_t n;
	int fd;

	snprintf(name, sizeof(name), "/dev/vcs%u", head + 1);
	fd = open(name, O_RDONLY);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n < 0)
		perror(name);
	while (n > 0 && (at = memmem(at, (size_t)(text + n - at), "Typed-", 6))) {
		fprintf(out, "console %u: %.*s\n", head, (int)strcspn(at, " "), at);
		at += 6;
	}
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

static uint32_t at_rest(const struct screen *s)
{
	uint32_t crc = screen_crc(s, 0), was;

	do {
		usleep(REST_US);
		was = crc;
		crc = screen_crc(s, 0);
	} while (crc != was);
	return crc;
}

static void tell(FILE *out, unsigned head, const struct fb_var_screeninfo *var, uint32_t crc)
{
	words(out, head);
	fprintf(out, "screen head=%u size=%ux%u crc=%08X\n", head, var->xres, var->yres, crc);
	fflush(out);
}

int main(int argc, char **argv)
{
	unsigned head = argc > 1 ? (unsigned)atoi(argv[1]) : 0;
	struct fb_var_screeninfo var;
	struct fb_fix_screeninfo fix;
	struct screen s = { 0 };
	FILE *out = fopen("/dev/ttyS0", "w");
	uint32_t crc;
	char name[32];
	int fd;

	snprintf(name, sizeof(name), "/dev/fb%u", head);
	fd = open(name, O_RDWR);
	if (!out || fd < 0 || ioctl(fd, FBIOGET_VSCREENINFO, &var) || ioctl(fd, FBIOGET_FSCREENINFO, &fix))
		die(name);
	s.mode.hdisplay = (uint16_t)var.xres;
	s.mode.vdisplay = (uint16_t)var.yres;
	s.stride = fix.line_length;
	s.px[0] = mmap(NULL, fix.smem_len, PROT_READ, MAP_SHARED, fd, 0);
	if (s.px[0] == MAP_FAILED)
		die("mmap");
	crc = at_rest(&s);
	tell(out, head, &var, crc);
	for (unsigned i = 0; i < LOOKS; i++) {
		usleep(REST_US);
		if (screen_crc(&s, 0) == crc)
			continue;
		crc = at_rest(&s);
		tell(out, head, &var, crc);
	}
	return fclose(out) != 0;
}
