/*
 * The heads as RFB (RFC 6143) desktops, a server for each head, on libvncserver. How viewers come, over TCP or a WebSocket, is the
 * views' matter. Served from the one event loop.
 */
#ifndef HOST_RFB_H
#define HOST_RFB_H

#include <stdbool.h>

#include "host/pollset.h"
#include "host/session.h"

#define RFB_PASSWORD_MAX 8 /* RFC 6143, 7.2.2: what VNC authentication compares */

struct rfb;

/** session: whose canvases are shown and to whom input goes. password: what viewers need, NULL for none. Both must live longer. */
struct rfb *rfb_new(struct session *session, const char *password);
void rfb_free(struct rfb *r);

/** Begins to serve a head, if that was not done. */
void rfb_serve(struct rfb *r, unsigned head);

/**
 * Takes over a connected socket (closed on an error): a viewer of a head that is served. web: what comes first is a WebSocket's
 * handshake (RFC 6455), whose origin was checked; without it such a connection is closed, for it comes from a web page that nobody
 * asked.
 */
void rfb_accept(struct rfb *r, unsigned head, int fd, bool web);

/** A rectangle of a head changed, or (resized) its whole mode; before the old canvas is used again. */
void rfb_changed(struct rfb *r, unsigned head, bool resized, unsigned x0, unsigned y0, unsigned x1, unsigned y1);

void rfb_prepare(struct rfb *r, struct pollset *p);
void rfb_pump(struct rfb *r, const struct pollset *p);

#endif
