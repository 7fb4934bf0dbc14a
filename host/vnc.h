/*
 * The view `vnc`: each head at a TCP port of its own. So any viewer shows every head, as a window that can be put on a monitor, and
 * heads may differ in size, come and go; one desktop of several screens (ExtendedDesktopSize) is laid out by few viewers, and shown
 * as one large window by the others.
 */
#ifndef HOST_VNC_H
#define HOST_VNC_H

#include "host/show.h"

extern const struct show_ops vnc_ops;

#endif
