#include "screen.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

const char *screen_problem = "";

static int ask(const struct screen *s, unsigned long request, void *arg, const char *what)
{
	screen_problem = what;
	return ioctl(s->fd, request, arg) ? -errno : 0;
}

/* The card's only connector, in its preferred mode. */
static int find_mode(struct screen *s)
{
	struct drm_mode_modeinfo modes[64] = { 0 };
	struct drm_mode_card_res res = { .crtc_id_ptr = (uintptr_t)&s->crtc,
					 .connector_id_ptr = (uintptr_t)&s->connector,
					 .count_crtcs = 1,
					 .count_connectors = 1 };
	struct drm_mode_get_connector c = { 0 };
	int e = ask(s, DRM_IOCTL_MODE_GETRESOURCES, &res, "resources");

	c.connector_id = s->connector;
	if (!e)
		e = ask(s, DRM_IOCTL_MODE_GETCONNECTOR, &c, "connector"); /* probes */
	c = (struct drm_mode_get_connector){ .connector_id = s->connector, .modes_ptr = (uintptr_t)modes, .count_modes = 64 };
	if (!e)
		e = ask(s, DRM_IOCTL_MODE_GETCONNECTOR, &c, "modes");
	s->mode = modes[0];
	for (unsigned i = 0; i < c.count_modes && i < 64; i++)
		if (modes[i].type & DRM_MODE_TYPE_PREFERRED)
			s->mode = modes[i];
	return e;
}

static int make_buffer(struct screen *s, unsigned i)
{
	struct drm_mode_create_dumb dumb = { .width = s->mode.hdisplay, .height = s->mode.vdisplay, .bpp = 32 };
	struct drm_mode_fb_cmd fb = { .width = dumb.width, .height = dumb.height, .bpp = 32, .depth = 24 };
	struct drm_mode_map_dumb map = { 0 };
	int e = ask(s, DRM_IOCTL_MODE_CREATE_DUMB, &dumb, "buffer");

	fb.pitch = s->stride = dumb.pitch;
	fb.handle = map.handle = dumb.handle;
	if (!e)
		e = ask(s, DRM_IOCTL_MODE_ADDFB, &fb, "framebuffer");
	if (!e)
		e = ask(s, DRM_IOCTL_MODE_MAP_DUMB, &map, "mapping");
	if (e)
		return e;
	s->fb[i] = fb.fb_id;
	s->bytes = dumb.size;
	s->px[i] = mmap(NULL, dumb.size, PROT_READ | PROT_WRITE, MAP_SHARED, s->fd, (off_t)map.offset);
	if (s->px[i] != MAP_FAILED)
		return 0;
	s->px[i] = NULL;
	screen_problem = "mmap";
	return -errno;
}

/* From the link that sysfs has to the device: .../0000:00:04.0. */
static unsigned find_slot(unsigned card)
{
	char path[64], to[256] = "";
	unsigned slot = 0;
	const char *last;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/class/drm/card%u/device", card);
	n = readlink(path, to, sizeof(to) - 1);
	last = n > 0 ? strrchr(to, '/') : NULL;
	return last && sscanf(last, "/0000:00:%x.0", &slot) == 1 ? slot : 0;
}

int screen_open(struct screen *s, unsigned card)
{
	char name[32];
	int e;

	*s = (struct screen){ .card = card };
	snprintf(name, sizeof(name), "/dev/dri/card%u", card);
	screen_problem = "open";
	s->fd = open(name, O_RDWR | O_CLOEXEC);
	if (s->fd < 0)
		return -errno;
	s->slot = find_slot(card);
	e = find_mode(s);
	for (unsigned i = 0; i < SCREEN_BUFFERS && !e; i++)
		e = make_buffer(s, i);
	if (e)
		screen_close(s);
	return e;
}

void screen_close(struct screen *s)
{
	for (unsigned i = 0; i < SCREEN_BUFFERS; i++)
		if (s->px[i])
			munmap(s->px[i], s->bytes);
	close(s->fd);
	*s = (struct screen){ .fd = -1 };
}

int screen_alive(const struct screen *s)
{
	struct drm_mode_card_res res = { 0 };

	return ioctl(s->fd, DRM_IOCTL_MODE_GETRESOURCES, &res) == 0;
}

int screen_show(struct screen *s, unsigned buffer)
{
	struct drm_mode_crtc crtc = { .crtc_id = s->crtc,
				      .fb_id = s->fb[buffer],
				      .set_connectors_ptr = (uintptr_t)&s->connector,
				      .count_connectors = 1,
				      .mode_valid = 1,
				      .mode = s->mode };

	return ask(s, DRM_IOCTL_MODE_SETCRTC, &crtc, "mode set");
}

void screen_draw(struct screen *s, unsigned buffer, unsigned n, unsigned x0, unsigned y0, unsigned x1, unsigned y1)
{
	unsigned w = s->mode.hdisplay, h = s->mode.vdisplay;

	for (unsigned y = y0; y < y1; y++)
		for (unsigned x = x0; x < x1; x++) {
			unsigned r = x * 255 / w, g = y * 255 / h,
				 b = (x / 32 + y / 32 + n + buffer) % 2 ? (40 * n + 60) & 255 : 20;

			((uint32_t *)(s->px[buffer] + (size_t)y * s->stride))[x] = r << 16 | g << 8 | b;
		}
}

uint32_t screen_crc(const struct screen *s, unsigned buffer)
{
	static uint32_t table[256];
	uint32_t c = ~0u;

	for (uint32_t i = 0; i < 256 && !table[255]; i++) {
		table[i] = i;
		for (int k = 0; k < 8; k++)
			table[i] = table[i] & 1 ? 0xedb88320 ^ table[i] >> 1 : table[i] >> 1;
	}
	for (unsigned y = 0; y < s->mode.vdisplay; y++) {
		const uint32_t *row = (const uint32_t *)(s->px[buffer] + (size_t)y * s->stride);

		for (unsigned x = 0; x < s->mode.hdisplay; x++) {
			uint32_t v = row[x] & 0xffffff;

			for (unsigned i = 0; i < 4; i++, v >>= 8)
				c = table[(c ^ v) & 255] ^ c >> 8;
		}
	}
	return ~c;
}
