/*
 * Under Linux: sets a mode on every DRM card, draws into buffers that lie in VRAM, flips between them, reads each picture back from
 * VRAM, and prints its `screen` line as the guest tests do. Ends the run through isa-debug-exit, so that the last pictures are what
 * is compared.
 */
#include <drm.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <termios.h>
#include <unistd.h>

#define HEADS 16
#define BUFFERS 2
#define DEBUG_EXIT 0xf4

struct screen {
	int fd;
	uint32_t crtc, connector;
	struct drm_mode_modeinfo mode;
	uint32_t fb[BUFFERS], stride;
	uint8_t *px[BUFFERS];
};

static uint32_t crc_table[256];

static void crc_init(void)
{
	for (uint32_t i = 0; i < 256; i++) {
		uint32_t c = i;

		for (int k = 0; k < 8; k++)
			c = c & 1 ? 0xedb88320 ^ c >> 1 : c >> 1;
		crc_table[i] = c;
	}
}

static void ask(struct screen *s, unsigned long request, void *arg, const char *what)
{
	if (ioctl(s->fd, request, arg) == 0)
		return;
	printf("FAIL linux-draw: %s: %m\n", what);
	exit(1);
}

/* The card's only connector, in its preferred mode. */
static void find_mode(struct screen *s)
{
	struct drm_mode_modeinfo modes[64] = { 0 };
	struct drm_mode_card_res res = { .crtc_id_ptr = (uintptr_t)&s->crtc,
					 .connector_id_ptr = (uintptr_t)&s->connector,
					 .count_crtcs = 1,
					 .count_connectors = 1 };
	struct drm_mode_get_connector c = { 0 };

	ask(s, DRM_IOCTL_MODE_GETRESOURCES, &res, "resources");
	c.connector_id = s->connector;
	ask(s, DRM_IOCTL_MODE_GETCONNECTOR, &c, "connector"); /* probes */
	c = (struct drm_mode_get_connector){ .connector_id = s->connector, .modes_ptr = (uintptr_t)modes, .count_modes = 64 };
	ask(s, DRM_IOCTL_MODE_GETCONNECTOR, &c, "modes");
	s->mode = modes[0];
	for (unsigned i = 0; i < c.count_modes && i < 64; i++)
		if (modes[i].type & DRM_MODE_TYPE_PREFERRED)
			s->mode = modes[i];
}

static void make_buffer(struct screen *s, unsigned i)
{
	struct drm_mode_create_dumb dumb = { .width = s->mode.hdisplay, .height = s->mode.vdisplay, .bpp = 32 };
	struct drm_mode_fb_cmd fb = { .width = dumb.width, .height = dumb.height, .bpp = 32, .depth = 24 };
	struct drm_mode_map_dumb map = { 0 };

	ask(s, DRM_IOCTL_MODE_CREATE_DUMB, &dumb, "buffer");
	fb.pitch = s->stride = dumb.pitch;
	fb.handle = map.handle = dumb.handle;
	ask(s, DRM_IOCTL_MODE_ADDFB, &fb, "framebuffer");
	ask(s, DRM_IOCTL_MODE_MAP_DUMB, &map, "mapping");
	s->fb[i] = fb.fb_id;
	s->px[i] = mmap(NULL, dumb.size, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, (off_t)map.offset);
	if (s->px[i] == MAP_FAILED) {
		printf("FAIL linux-draw: mmap: %m\n");
		exit(1);
	}
}

static int open_screen(struct screen *s, unsigned n)
{
	char name[32];

	snprintf(name, sizeof(name), "/dev/dri/card%u", n);
	s->fd = open(name, O_RDWR);
	if (s->fd < 0)
		return -1;
	find_mode(s);
	for (unsigned i = 0; i < BUFFERS; i++)
		make_buffer(s, i);
	return 0;
}

static void show(struct screen *s, unsigned buffer)
{
	struct drm_mode_crtc crtc = { .crtc_id = s->crtc,
				      .fb_id = s->fb[buffer],
				      .set_connectors_ptr = (uintptr_t)&s->connector,
				      .count_connectors = 1,
				      .mode_valid = 1,
				      .mode = s->mode };

	ask(s, DRM_IOCTL_MODE_SETCRTC, &crtc, "mode set");
}

static void draw(struct screen *s, unsigned buffer, unsigned n, unsigned x0, unsigned y0, unsigned x1, unsigned y1)
{
	unsigned w = s->mode.hdisplay, h = s->mode.vdisplay;

	for (unsigned y = y0; y < y1; y++)
		for (unsigned x = x0; x < x1; x++) {
			unsigned r = x * 255 / w, g = y * 255 / h, b = (x / 32 + y / 32 + n + buffer) % 2 ? 40 * n + 60 : 20;

			((uint32_t *)(s->px[buffer] + (size_t)y * s->stride))[x] = r << 16 | g << 8 | b;
		}
}

/* From VRAM, not from what was drawn. */
static uint32_t crc(const struct screen *s, unsigned buffer)
{
	uint32_t c = ~0u;

	for (unsigned y = 0; y < s->mode.vdisplay; y++)
		for (unsigned i = 0; i < s->mode.hdisplay * 4u; i++)
			c = crc_table[(c ^ (i % 4 == 3 ? 0 : s->px[buffer][(size_t)y * s->stride + i])) & 255] ^ c >> 8;
	return ~c;
}

int main(void)
{
	static struct screen s[HEADS];
	unsigned count = 0;
	uint8_t zero = 0;
	int port = open("/dev/port", O_RDWR);

	crc_init();
	while (count < HEADS && open_screen(&s[count], count) == 0)
		count++;
	for (unsigned i = 0; i < count; i++) {
		unsigned w = s[i].mode.hdisplay, h = s[i].mode.vdisplay;

		draw(&s[i], 0, i, 0, 0, w, h);
		show(&s[i], 0);
		draw(&s[i], 1, i, 0, 0, w, h);
		show(&s[i], 1);
	}
	for (unsigned i = 0; i < count; i++) /* of other colours, on what is shown by then */
		draw(&s[i], 1, i + 1, s[i].mode.hdisplay / 3, s[i].mode.vdisplay / 3, s[i].mode.hdisplay / 2,
		     s[i].mode.vdisplay / 2 + 7);
	for (unsigned i = 0; i < count; i++)
		printf("screen head=%u size=%ux%u crc=%08X\n", i, s[i].mode.hdisplay, s[i].mode.vdisplay, crc(&s[i], 1));
	printf("PASS linux-draw: %u heads\n", count);
	fflush(stdout);
	tcdrain(STDOUT_FILENO);
	return port < 0 || pwrite(port, &zero, 1, DEBUG_EXIT) != 1;
}
