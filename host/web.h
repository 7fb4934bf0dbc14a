/*
 * The view `web`: one page with all heads as monitors, each a noVNC client on a WebSocket to the head's RFB server. One small HTTP
 * server for the page's files; libvncserver does the WebSockets.
 */
#ifndef HOST_WEB_H
#define HOST_WEB_H

#include <stdbool.h>

#include "host/show.h"

/** The page's files are there (noVNC is). */
bool web_possible(void);

extern const struct show_ops web_ops;

#endif
