/* The heads as VNC desktops: one server, on a port of its own, for each head. Served from the one event loop. */
#ifndef HOST_VNC_H
#define HOST_VNC_H

#include <stdbool.h>
#include <stdint.h>

#include "host/pollset.h"
#include "host/session.h"

struct vnc;

/**
 * Begins to serve. Heads 0 to heads-1 listen at once; others as soon as they show something.
 * @addr, @port  where: head N at port + N; port 0: the first free ones from 5900 on. An address of this machine.
 * @session      whose canvases are shown and to whom input goes; must live longer
 * Returns NULL having said why.
 */
struct vnc *vnc_start(const char *addr, uint16_t port, unsigned heads, struct session *session);
void vnc_stop(struct vnc *v);

/** A rectangle of a head changed, or (resized) its whole mode; before the old canvas is used again. */
void vnc_changed(struct vnc *v, unsigned head, bool resized, unsigned x0, unsigned y0, unsigned x1, unsigned y1);

void vnc_prepare(struct vnc *v, struct pollset *p);
void vnc_pump(struct vnc *v, const struct pollset *p);

/** How many viewers are there. */
unsigned vnc_clients(const struct vnc *v);

#endif
