/*
 * Under Linux: sets a mode on every DRM card, draws into buffers that lie in VRAM, flips between them, reads each picture back from
 * VRAM, and prints its `screen` line as the guest tests do. A child keeps the cards open, and so what they show, until the run
 * ends.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "screen.h"

#define HEADS 16

static void must(int e)
{
	if (!e)
		return;
	printf("FAIL linux-draw: %s: %s\n", screen_problem, strerror(-e));
	exit(1);
}

int main(void)
{
	static struct screen s[HEADS];
	unsigned count = 0;
	pid_t child;
	char name[32];

	for (; count < HEADS; count++) {
		snprintf(name, sizeof(name), "/dev/dri/card%u", count);
		if (access(name, F_OK))
			break;
		must(screen_open(&s[count], count));
	}
	for (unsigned i = 0; i < count; i++) {
		unsigned w = s[i].mode.hdisplay, h = s[i].mode.vdisplay;

		for (unsigned buffer = 0; buffer < SCREEN_BUFFERS; buffer++) {
			screen_draw(&s[i], buffer, i, 0, 0, w, h);
			must(screen_show(&s[i], buffer));
		}
	}
	for (unsigned i = 0; i < count; i++) /* of other colours, on what is shown by then */
		screen_draw(&s[i], 1, i + 1, s[i].mode.hdisplay / 3, s[i].mode.vdisplay / 3, s[i].mode.hdisplay / 2,
			    s[i].mode.vdisplay / 2 + 7);
	for (unsigned i = 0; i < count; i++)
		printf("screen head=%u size=%ux%u crc=%08X\n", i, s[i].mode.hdisplay, s[i].mode.vdisplay, screen_crc(&s[i], 1));
	printf("PASS linux-draw: %u heads\n", count);
	fflush(stdout);
	child = fork();
	while (!child)
		pause();
	return child < 0;
}
