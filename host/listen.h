/* TCP sockets that listen for viewers. */
#ifndef HOST_LISTEN_H
#define HOST_LISTEN_H

#include <stdint.h>

/** Listens at an IPv4 address of this machine. Returns a descriptor (non-blocking), or a negative errno. */
int listen_at(const char *addr, uint16_t port);

/** The same at the first free port of [first, last], which *port gets. */
int listen_at_free(const char *addr, unsigned first, unsigned last, uint16_t *port);

/** What a user types for addr: this machine's name where it is 0.0.0.0. In a static buffer. */
const char *listen_name(const char *addr);

/** Says once that anyone may look and type, where addr is no loopback address and there is no password. */
void listen_warn(const char *addr, const char *password);

#endif
