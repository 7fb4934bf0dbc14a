#include "host/rfb.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <rfb/keysym.h>
#include <rfb/rfb.h>

#include "host/keys.h"
#include "host/say.h"

#define SHIFT_LEFT 0x2a
#define SHIFT_RIGHT 0x36
#define OFF_WIDTH 640 /* what a head that is off looks like: black */
#define OFF_HEIGHT 480
#define FRAME_US 15000	    /* changes are collected for this long */
#define CLIENT_WAIT_MS 2000 /* a viewer that takes nothing for so long is dropped, since all wait for it */
#define VIEWERS 64	    /* of all heads */

struct head_server {
	struct rfb *rfb;
	unsigned head;
	rfbScreenInfoPtr screen;
	bool changed;
	uint8_t buttons;
};

struct rfb {
	struct session *session;
	char *passwords[2]; /* a list, as libvncserver has it */
	uint64_t sent_us;
	unsigned shift; /* Shift keys that are down: their codes, which differ in bits */
	bool caps;
	struct head_server *server[DISPLAY_HEADS];
	uint32_t off[OFF_WIDTH * OFF_HEIGHT];
};

/* What the guest's keyboard would give for a letter or another character now: shifted? */
static bool is_shifted(const struct rfb *r, rfbKeySym key)
{
	bool letter = (key | 0x20) >= 'a' && (key | 0x20) <= 'z';

	return (r->shift != 0) != (letter && r->caps);
}

/*
 * A viewer tells characters, not keys. One that came without its Shift (from a phone's keyboard, or pasted) gets it here. Caps Lock
 * is the guest's own.
 */
static void on_key(rfbBool down, rfbKeySym key, rfbClientPtr client)
{
	struct head_server *s = client->screen->screenData;
	struct rfb *r = s->rfb;
	uint16_t code = keys_scancode(key);
	bool lacks = down && keys_shifted(key) && !is_shifted(r, key);

	if (!code)
		return;
	if (code == SHIFT_LEFT || code == SHIFT_RIGHT)
		r->shift = down ? r->shift | code : r->shift & ~(unsigned)code;
	if (key == XK_Caps_Lock && down)
		r->caps = !r->caps;
	if (lacks)
		session_key(r->session, true, SHIFT_LEFT);
	session_key(r->session, down, code);
	if (lacks)
		session_key(r->session, false, SHIFT_LEFT);
}

/* RFB 7.5.5: buttons 4 and 5 are the wheel's steps up and down. */
static void on_pointer(int buttons, int x, int y, rfbClientPtr client)
{
	struct head_server *s = client->screen->screenData;
	const struct canvas *c = &s->rfb->session->rx.head[s->head];
	uint8_t pressed = (uint8_t)(buttons & ~s->buttons);
	int wheel = (pressed & 0x10 ? 1 : 0) - (pressed & 0x08 ? 1 : 0);

	s->buttons = (uint8_t)buttons;
	if (x >= 0 && y >= 0 && x < c->width && y < c->height)
		session_pointer(s->rfb->session, s->head, (unsigned)x, (unsigned)y, (uint8_t)(buttons & 7), wheel);
}

/* Whatever quality a viewer allows: pixels are shown as they are, so no JPEG. */
static void before_update(rfbClientPtr client)
{
	client->tightQualityLevel = -1;
	client->turboQualityLevel = -1;
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
	const struct canvas *c = &s->rfb->session->rx.head[s->head];
	bool on = c->px && c->width && c->height;

	rfbNewFramebuffer(s->screen, on ? (char *)c->px : (char *)s->rfb->off, on ? c->width : OFF_WIDTH,
			  on ? c->height : OFF_HEIGHT, 8, 3, 4);
	set_format(s->screen);
}

static rfbScreenInfoPtr make_screen(struct head_server *s)
{
	int no_args = 0;
	rfbScreenInfoPtr screen = rfbGetScreen(&no_args, NULL, OFF_WIDTH, OFF_HEIGHT, 8, 3, 4);

	if (!screen) {
		say("VNC for head %u: out of memory", s->head);
		exit(EXIT_TOOL);
	}
	screen->frameBuffer = (char *)s->rfb->off;
	screen->desktopName = xprintf("Tessera head %u", s->head);
	screen->screenData = s;
	screen->port = 0; /* the views listen, and hand accepted sockets over */
	screen->ipv6port = 0;
	screen->httpPort = 0;
	screen->autoPort = FALSE;
	screen->cursor = NULL;
	screen->alwaysShared = TRUE;
	screen->deferUpdateTime = 0; /* rfb_pump collects changes */
	screen->maxClientWait = CLIENT_WAIT_MS;
	screen->kbdAddEvent = on_key;
	screen->ptrAddEvent = on_pointer;
	screen->displayHook = before_update;
	if (s->rfb->passwords[0]) {
		screen->authPasswdData = s->rfb->passwords;
		screen->passwordCheck = rfbCheckPasswordByList;
	}
	return screen;
}

struct rfb *rfb_new(struct session *session, const char *password)
{
	struct rfb *r = xalloc(sizeof(*r));

	rfbLogEnable(FALSE);
	r->session = session;
	r->passwords[0] = (char *)password;
	return r;
}

void rfb_free(struct rfb *r)
{
	for (unsigned h = 0; r && h < DISPLAY_HEADS; h++) {
		struct head_server *s = r->server[h];

		if (!s)
			continue;
		rfbShutdownServer(s->screen, TRUE);
		free((char *)s->screen->desktopName);
		s->screen->frameBuffer = NULL;
		rfbScreenCleanup(s->screen);
		free(s);
	}
	free(r);
}

void rfb_serve(struct rfb *r, unsigned head)
{
	struct head_server *s;

	if (r->server[head])
		return;
	s = r->server[head] = xalloc(sizeof(*s));
	*s = (struct head_server){ .rfb = r, .head = head };
	s->screen = make_screen(s);
	set_format(s->screen);
	rfbInitServer(s->screen);
	show_canvas(s);
}

void rfb_changed(struct rfb *r, unsigned head, bool resized, unsigned x0, unsigned y0, unsigned x1, unsigned y1)
{
	struct head_server *s = r->server[head];

	if (!s)
		return;
	if (resized)
		show_canvas(s);
	else
		rfbMarkRectAsModified(s->screen, (int)x0, (int)y0, (int)x1, (int)y1);
	s->changed = true;
}

static unsigned viewers(const struct rfb *r)
{
	unsigned n = 0;

	for (unsigned h = 0; h < DISPLAY_HEADS; h++)
		for (rfbClientPtr c = r->server[h] ? r->server[h]->screen->clientHead : NULL; c; c = c->next)
			n++;
	return n;
}

void rfb_accept(struct rfb *r, unsigned head, int fd, bool web)
{
	int one = 1;
	rfbClientPtr client;

	/* libvncserver waits with select. */
	if (!r->server[head] || fd >= FD_SETSIZE || viewers(r) >= VIEWERS) {
		close(fd);
		return;
	}
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	client = rfbNewClient(r->server[head]->screen, fd);
	if (client && !web && client->wsctx)
		rfbCloseClient(client);
}

void rfb_prepare(struct rfb *r, struct pollset *p)
{
	for (unsigned h = 0; h < DISPLAY_HEADS; h++) {
		struct head_server *s = r->server[h];

		if (!s)
			continue;
		for (rfbClientPtr c = s->screen->clientHead; c; c = c->next)
			pollset_add(p, c->sock, POLLIN);
		if (s->changed && s->screen->clientHead)
			pollset_wake(p, r->sent_us + FRAME_US);
	}
}

void rfb_pump(struct rfb *r, const struct pollset *p)
{
	uint64_t now = now_us();
	bool due = now >= r->sent_us + FRAME_US;

	for (unsigned h = 0; h < DISPLAY_HEADS; h++) {
		struct head_server *s = r->server[h];
		bool ready = false;

		if (!s)
			continue;
		for (rfbClientPtr c = s->screen->clientHead; c; c = c->next)
			ready |= c->sock < 0 || pollset_got(p, c->sock) != 0;
		if (ready || (s->changed && due)) {
			rfbProcessEvents(s->screen, 0);
			s->changed = false;
		}
	}
	if (due)
		r->sent_us = now;
}
