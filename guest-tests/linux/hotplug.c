/*
 * Under Linux: draws on every head that there is, all the time, while cards come and go under it. A byte on COM1 stops it: 0x40 and
 * a bit for each of the heads 0 to 3 that should be there. When just those are, it prints each one's `screen` line from VRAM and
 * "checked N", and waits; any other byte lets it go on. 'q' ends it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "screen.h"

#define SCREENS 8
#define FIRST_SLOT 2 /* head 0's */
#define PATIENCE_S 60

static struct screen screen[SCREENS]; /* fd -1: none */
static unsigned buffer[SCREENS];      /* the one that is shown */
static unsigned drawn;

/* A card that goes midway gives what error it likes, EINVAL for a connector that is no longer registered; and then it is gone. */
static void gone(unsigned i, int e)
{
	if (e != -ENODEV && screen_alive(&screen[i]))
		printf("FAIL linux-hotplug: head %u: %s: %s\n", screen[i].slot - FIRST_SLOT, screen_problem, strerror(-e));
	if (screen[i].fd >= 0)
		screen_close(&screen[i]);
}

static int is_open(unsigned card)
{
	for (unsigned i = 0; i < SCREENS; i++)
		if (screen[i].fd >= 0 && screen[i].card == card)
			return 1;
	return 0;
}

static void begin(unsigned card)
{
	unsigned i = 0;
	int e;

	while (i < SCREENS && screen[i].fd >= 0)
		i++;
	if (i == SCREENS)
		return;
	e = screen_open(&screen[i], card);
	if (e) { /* gone again, or not yet there: another look will tell */
		if (e != -ENODEV && e != -ENOENT && e != -ENXIO)
			printf("FAIL linux-hotplug: card %u: %s: %s\n", card, screen_problem, strerror(-e));
		return;
	}
	buffer[i] = 0;
	screen_draw(&screen[i], 0, card, 0, 0, screen[i].mode.hdisplay, screen[i].mode.vdisplay);
	e = screen_show(&screen[i], 0);
	if (e)
		gone(i, e);
}

/* Lets go of cards that are gone, begins with those that are new. */
static void look(void)
{
	DIR *d = opendir("/dev/dri");
	struct dirent *e;
	unsigned card;

	for (unsigned i = 0; i < SCREENS; i++)
		if (screen[i].fd >= 0 && !screen_alive(&screen[i]))
			gone(i, -ENODEV);
	while (d && (e = readdir(d)))
		if (sscanf(e->d_name, "card%u", &card) == 1 && !is_open(card))
			begin(card);
	if (d)
		closedir(d);
}

/* Something small everywhere; now and then another buffer is shown. */
static void draw(void)
{
	for (unsigned i = 0; i < SCREENS; i++) {
		struct screen *s = &screen[i];
		unsigned w = s->mode.hdisplay, h = s->mode.vdisplay, x, y;

		if (s->fd < 0)
			continue;
		drawn++;
		if (drawn % 37 == 0) {
			int e;

			buffer[i] ^= 1;
			screen_draw(s, buffer[i], drawn, 0, 0, w, h / 4);
			e = screen_show(s, buffer[i]);
			if (e) {
				gone(i, e);
				continue;
			}
		}
		x = drawn * 61 % (w - 40);
		y = drawn * 17 % (h - 24);
		screen_draw(s, buffer[i], drawn, x, y, x + 40, y + 24);
	}
}

static unsigned present(void)
{
	unsigned heads = 0;

	for (unsigned i = 0; i < SCREENS; i++)
		if (screen[i].fd >= 0 && screen[i].slot >= FIRST_SLOT)
			heads |= 1u << (screen[i].slot - FIRST_SLOT);
	return heads;
}

static void check(unsigned wanted)
{
	static unsigned number;
	time_t until = time(NULL) + PATIENCE_S;

	look();
	while (present() != wanted && time(NULL) < until) {
		usleep(20000);
		look();
	}
	if (present() != wanted)
		printf("FAIL linux-hotplug: heads 0x%x, not 0x%x\n", present(), wanted);
	draw();
	for (unsigned i = 0; i < SCREENS; i++)
		if (screen[i].fd >= 0)
			printf("screen head=%u size=%ux%u crc=%08X\n", screen[i].slot - FIRST_SLOT, screen[i].mode.hdisplay,
			       screen[i].mode.vdisplay, screen_crc(&screen[i], buffer[i]));
	printf("checked %u\n", ++number);
	fflush(stdout);
}

int main(void)
{
	struct pollfd in = { .fd = STDIN_FILENO, .events = POLLIN };
	struct termios t;
	int drawing = 1;
	char c;

	if (tcgetattr(STDIN_FILENO, &t) == 0) {
		cfmakeraw(&t);
		t.c_oflag |= OPOST | ONLCR;
		tcsetattr(STDIN_FILENO, TCSANOW, &t);
	}
	for (unsigned i = 0; i < SCREENS; i++)
		screen[i].fd = -1;
	printf("ready\n");
	fflush(stdout);
	for (unsigned n = 0;; n++) {
		if (drawing && n % 16 == 0)
			look();
		if (drawing)
			draw();
		if (poll(&in, 1, drawing ? 0 : -1) != 1 || read(STDIN_FILENO, &c, 1) != 1)
			continue;
		if (c == 'q')
			break;
		drawing = (c & 0xf0) != 0x40;
		if (!drawing)
			check(c & 0x0f);
	}
	printf("PASS linux-hotplug: drew %u times\n", drawn);
	return 0;
}
