#include "host/bench_peer.h"

#include <pthread.h>
#include <rfb/rfb.h>
#include <rfb/rfbregion.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/say.h"

struct peer {
	rfbScreenInfoPtr screen;
	rfbClientPtr client;
	uint32_t width, height, damage;
	uint32_t *px; /* what the server shows */
	int fd;	      /* the client's end */
	pthread_t reader;
	_Atomic uint64_t read;
	uint64_t handshake;
};

/* The client: reads, as the server blocks until somebody does. */
static void *drain(void *arg)
{
	struct peer *p = arg;
	char buf[65536];
	ssize_t n;

	while ((n = recv(p->fd, buf, sizeof(buf), MSG_PEEK)) > 0) {
		p->read += (uint64_t)n; /* counted before it is gone from the queue: see settled */
		if (recv(p->fd, buf, (size_t)n, 0) != n)
			break;
	}
	return NULL;
}

/* What was sent when all of it is read. */
static uint64_t settled(struct peer *p)
{
	int waiting;

	do {
		usleep(200);
	} while (!ioctl(p->fd, FIONREAD, &waiting) && waiting);
	return p->read;
}

/* Says a message as the client, and has the server act on it. */
static void tell(struct peer *p, const void *message, size_t len)
{
	if (write(p->fd, message, len) != (ssize_t)len) {
		say("bench: the peer's client cannot write");
		exit(EXIT_TOOL);
	}
	rfbProcessClientMessage(p->client);
}

static void quiet(const char *format, ...)
{
	(void)format;
}

struct peer *peer_open(enum peer_encoding encoding, uint32_t width, uint32_t height, uint32_t damage)
{
	/* SetEncodings (RFC 6143, 7.5.2): ZRLE is 16, Tight 7, -255 its compression level 1, -224 LastRect. */
	static const uint8_t zrle[] = { 2, 0, 0, 1, 0, 0, 0, 16 };
	static const uint8_t tight[] = { 2, 0, 0, 3, 0, 0, 0, 7, 0xff, 0xff, 0xff, 1, 0xff, 0xff, 0xff, 0x20 };
	static const uint8_t none = 1, shared = 1;
	struct peer *p = xalloc(sizeof(*p));
	int pair[2];

	*p = (struct peer){ .width = width, .height = height, .damage = damage };
	p->px = xalloc((size_t)width * height * 4);
	rfbLog = quiet;
	rfbErr = quiet;
	p->screen = rfbGetScreen(NULL, NULL, (int)width, (int)height, 8, 3, 4);
	if (!p->screen || socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) {
		say("bench: no libvncserver to compare with");
		exit(EXIT_TOOL);
	}
	/* Our words have red on top; bytes 0..2 are B, G, R. */
	p->screen->serverFormat.redShift = 16;
	p->screen->serverFormat.greenShift = 8;
	p->screen->serverFormat.blueShift = 0;
	p->screen->frameBuffer = (char *)p->px;
	p->screen->cursor = NULL;
	p->screen->deferUpdateTime = 0; /* every frame is sent */
	p->screen->port = -1;
	p->screen->ipv6port = -1;
	p->fd = pair[1];
	p->client = rfbNewClient(p->screen, pair[0]);
	if (!p->client || pthread_create(&p->reader, NULL, drain, p)) {
		say("bench: the peer does not start");
		exit(EXIT_TOOL);
	}
	tell(p, "RFB 003.008\n", 12);
	tell(p, &none, 1);
	tell(p, &shared, 1);
	tell(p, encoding == PEER_ZRLE ? zrle : tight, encoding == PEER_ZRLE ? sizeof(zrle) : sizeof(tight));
	/* Its picture is black already. */
	sraRgnDestroy(p->client->modifiedRegion);
	p->client->modifiedRegion = sraRgnCreate();
	p->handshake = settled(p);
	return p;
}

/* Takes over a tile; true if it changed. */
static bool take(struct peer *p, const uint32_t *px, uint32_t x, uint32_t y, uint32_t w, uint32_t h)
{
	bool changed = false;

	for (uint32_t r = 0; r < h; r++) {
		size_t at = (size_t)(y + r) * p->width + x;

		changed |= memcmp(p->px + at, px + at, (size_t)w * 4) != 0;
		memcpy(p->px + at, px + at, (size_t)w * 4);
	}
	return changed;
}

void peer_frame(struct peer *p, const uint32_t *px)
{
	uint8_t request[10] = {
		3, 1, 0, 0, 0, 0, (uint8_t)(p->width >> 8), (uint8_t)p->width, (uint8_t)(p->height >> 8), (uint8_t)p->height
	};
	bool changed = false;

	for (uint32_t y = 0; y < p->height; y += p->damage)
		for (uint32_t x = 0; x < p->width; x += p->damage) {
			uint32_t w = p->width - x < p->damage ? p->width - x : p->damage;
			uint32_t h = p->height - y < p->damage ? p->height - y : p->damage;

			if (!take(p, px, x, y, w, h))
				continue;
			rfbMarkRectAsModified(p->screen, (int)x, (int)y, (int)(x + w), (int)(y + h));
			changed = true;
		}
	if (!changed)
		return;
	tell(p, request, sizeof(request));
	rfbUpdateClient(p->client);
}

uint64_t peer_bytes(struct peer *p)
{
	return settled(p) - p->handshake;
}

void peer_close(struct peer *p)
{
	rfbCloseClient(p->client);
	rfbClientConnectionGone(p->client);
	pthread_join(p->reader, NULL);
	close(p->fd);
	rfbScreenCleanup(p->screen);
	free(p->px);
	free(p);
}
