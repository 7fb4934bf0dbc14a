#define _GNU_SOURCE
#include "host/vnc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rfb/rfb.h>

#include "host/keys.h"
#include "host/say.h"

#define FIRST_PORT 5900
#define LAST_PORT 5999
#define OFF_WIDTH 640 /* what a head that is off looks like: black */
#define OFF_HEIGHT 480
#define FRAME_US 15000	    /* changes are collected for this long */
#define CLIENT_WAIT_MS 2000 /* a viewer that takes nothing for so long is dropped, since all wait for it */

struct head_server {
	struct vnc *vnc;
	unsigned head;
	int listen_fd;
	rfbScreenInfoPtr screen;
	bool changed;
	uint8_t buttons;
};

struct vnc {
	char addr[16];
	uint16_t port;
	uint64_t sent_us;
	struct session *session;
	struct head_server *server[DISPLAY_HEADS];
	uint32_t off[OFF_WIDTH * OFF_HEIGHT];
};

static int listen_at(const char *addr, uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (inet_pton(AF_INET, addr, &sa.sin_addr) == 1 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 && listen(fd, 8) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* The port that head gets: its own where one is asked for, else the first free one. Returns the socket. */
static int listen_for(struct vnc *v, unsigned head, uint16_t *port)
{
	int fd = -EADDRINUSE;

	if (v->port) {
		*port = (uint16_t)(v->port + head);
		return *port < v->port ? -ERANGE : listen_at(v->addr, *port);
	}
	for (unsigned p = FIRST_PORT + head; p <= LAST_PORT && fd < 0; p++) {
		*port = (uint16_t)p;
		fd = listen_at(v->addr, *port);
	}
	return fd;
}

static void on_key(rfbBool down, rfbKeySym key, rfbClientPtr client)
{
	struct head_server *s = client->screen->screenData;
	uint16_t code = keys_scancode(key);

	if (code)
		session_key(s->vnc->session, down, code);
}

/* RFB 7.5.5: buttons 4 and 5 are the wheel's steps up and down. */
static void on_pointer(int buttons, int x, int y, rfbClientPtr client)
{
	struct head_server *s = client->screen->screenData;
	const struct canvas *c = &s->vnc->session->rx.head[s->head];
	uint8_t pressed = (uint8_t)(buttons & ~s->buttons);
	int wheel = (pressed & 0x08 ? 1 : 0) - (pressed & 0x10 ? 1 : 0);

	s->buttons = (uint8_t)buttons;
	if (x >= 0 && y >= 0 && x < c->width && y < c->height)
		session_pointer(s->vnc->session, s->head, (unsigned)x, (unsigned)y, (uint8_t)(buttons & 7), wheel);
}

/* The canvas's words 0x00RRGGBB as an RFB pixel format; rfbInitServerFormat would have red lowest. */
static void set_format(rfbScreenInfoPtr screen)
{
	rfbClientIteratorPtr it = rfbGetClientIterator(screen);

	screen->serverFormat.redShift = 16;
	screen->serverFormat.greenShift = 8;
	screen->serverFormat.blueShift = 0;
	for (rfbClientPtr c = rfbClientIteratorNext(it); c; c = rfbClientIteratorNext(it))
		screen->setTranslateFunction(c);
	rfbReleaseClientIterator(it);
}

static void show_canvas(struct head_server *s)
{
	const struct canvas *c = &s->vnc->session->rx.head[s->head];
	bool on = c->px && c->width && c->height;

	rfbNewFramebuffer(s->screen, on ? (char *)c->px : (char *)s->vnc->off, on ? c->width : OFF_WIDTH,
			  on ? c->height : OFF_HEIGHT, 8, 3, 4);
	set_format(s->screen);
}

static struct head_server *serve(struct vnc *v, unsigned head)
{
	struct head_server *s = xalloc(sizeof(*s));
	char *name = xprintf("Tessera head %u", head);
	uint16_t port = 0;
	int no_args = 0;

	*s = (struct head_server){ .vnc = v, .head = head, .listen_fd = listen_for(v, head, &port) };
	if (s->listen_fd < 0) {
		say("VNC for head %u at %s:%u: %s", head, v->addr, port, strerror(-s->listen_fd));
		free(name);
		free(s);
		return NULL;
	}
	s->screen = rfbGetScreen(&no_args, NULL, OFF_WIDTH, OFF_HEIGHT, 8, 3, 4);
	if (!s->screen) {
		say("VNC for head %u: out of memory", head);
		exit(EXIT_TOOL);
	}
	s->screen->frameBuffer = (char *)v->off;
	s->screen->desktopName = name;
	s->screen->screenData = s;
	s->screen->port = 0; /* we listen ourselves, and hand accepted sockets over */
	s->screen->ipv6port = 0;
	s->screen->httpPort = 0;
	s->screen->autoPort = FALSE;
	s->screen->cursor = NULL;
	s->screen->alwaysShared = TRUE;
	s->screen->deferUpdateTime = 0; /* vnc_pump collects changes */
	s->screen->maxClientWait = CLIENT_WAIT_MS;
	s->screen->kbdAddEvent = on_key;
	s->screen->ptrAddEvent = on_pointer;
	set_format(s->screen);
	rfbInitServer(s->screen);
	show_canvas(s);
	say("head %u: vncviewer %s:%u", head, v->addr, port);
	return s;
}

struct vnc *vnc_start(const char *addr, uint16_t port, unsigned heads, struct session *session)
{
	struct vnc *v = xalloc(sizeof(*v));

	rfbLogEnable(FALSE);
	v->port = port;
	v->session = session;
	strncpy(v->addr, addr, sizeof(v->addr) - 1);
	for (unsigned h = 0; h < heads && h < DISPLAY_HEADS; h++) {
		v->server[h] = serve(v, h);
		if (!v->server[h]) {
			vnc_stop(v);
			return NULL;
		}
	}
	return v;
}

void vnc_stop(struct vnc *v)
{
	for (unsigned h = 0; v && h < DISPLAY_HEADS; h++) {
		struct head_server *s = v->server[h];

		if (!s)
			continue;
		close(s->listen_fd);
		rfbShutdownServer(s->screen, TRUE);
		free((char *)s->screen->desktopName);
		s->screen->frameBuffer = NULL;
		rfbScreenCleanup(s->screen);
		free(s);
	}
	free(v);
}

void vnc_changed(struct vnc *v, unsigned head, bool resized, unsigned x0, unsigned y0, unsigned x1, unsigned y1)
{
	struct head_server *s = v->server[head];

	if (!s) {
		if (resized && v->session->rx.head[head].width)
			v->server[head] = serve(v, head);
		return;
	}
	if (resized)
		show_canvas(s);
	else
		rfbMarkRectAsModified(s->screen, (int)x0, (int)y0, (int)x1, (int)y1);
	s->changed = true;
}

void vnc_prepare(struct vnc *v, struct pollset *p)
{
	for (unsigned h = 0; h < DISPLAY_HEADS; h++) {
		struct head_server *s = v->server[h];

		if (!s)
			continue;
		pollset_add(p, s->listen_fd, POLLIN);
		for (rfbClientPtr c = s->screen->clientHead; c; c = c->next)
			pollset_add(p, c->sock, POLLIN);
		if (s->changed && s->screen->clientHead)
			pollset_wake(p, v->sent_us + FRAME_US);
	}
}

static void accept_viewer(struct head_server *s)
{
	int one = 1, fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	/* libvncserver waits with select. */
	if (fd >= FD_SETSIZE) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	rfbNewClient(s->screen, fd);
}

void vnc_pump(struct vnc *v, const struct pollset *p)
{
	uint64_t now = now_us();
	bool due = now >= v->sent_us + FRAME_US;

	for (unsigned h = 0; h < DISPLAY_HEADS; h++) {
		struct head_server *s = v->server[h];
		bool ready = false;

		if (!s)
			continue;
		if (pollset_got(p, s->listen_fd) & POLLIN)
			accept_viewer(s);
		for (rfbClientPtr c = s->screen->clientHead; c; c = c->next)
			ready |= pollset_got(p, c->sock) != 0;
		if (ready || (s->changed && due)) {
			rfbProcessEvents(s->screen, 0);
			s->changed = false;
		}
	}
	if (due)
		v->sent_us = now;
}

unsigned vnc_clients(const struct vnc *v)
{
	unsigned n = 0;

	for (unsigned h = 0; h < DISPLAY_HEADS; h++)
		for (rfbClientPtr c = v->server[h] ? v->server[h]->screen->clientHead : NULL; c; c = c->next)
			n++;
	return n;
}
