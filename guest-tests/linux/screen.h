/* A DRM card with one connector, as a program under Linux has it: a mode, and buffers that lie in VRAM. */
#ifndef LINUX_SCREEN_H
#define LINUX_SCREEN_H

#include <drm.h>
#include <stddef.h>
#include <stdint.h>

#define SCREEN_BUFFERS 2

struct screen {
	int fd;
	unsigned card, slot; /* its number in /dev/dri, and its PCI slot */
	uint32_t crtc, connector;
	struct drm_mode_modeinfo mode;
	uint32_t fb[SCREEN_BUFFERS], stride;
	uint8_t *px[SCREEN_BUFFERS];
	size_t bytes; /* of a buffer */
};

/* What the last function that returned an error was about. */
extern const char *screen_problem;

/** Opens /dev/dri/cardN in its preferred mode and makes its buffers. Returns 0 or a negative errno. */
int screen_open(struct screen *s, unsigned card);
void screen_close(struct screen *s);

/** The card is still in its slot. */
int screen_alive(const struct screen *s);

/** Shows a buffer. Returns 0 or a negative errno. */
int screen_show(struct screen *s, unsigned buffer);

/** Draws [x0, x1) x [y0, y1) of a picture that depends on n and on the buffer's number. */
void screen_draw(struct screen *s, unsigned buffer, unsigned n, unsigned x0, unsigned y0, unsigned x1, unsigned y1);

/** CRC-32 of a buffer's pixels as bytes B, G, R, 0, read from VRAM. */
uint32_t screen_crc(const struct screen *s, unsigned buffer);

#endif
