/* What others need for the same pictures: libvncserver's encoders, lossless, as a client with a black picture would be served. */
#ifndef HOST_BENCH_PEER_H
#define HOST_BENCH_PEER_H

#include <stdint.h>

enum peer_encoding { PEER_ZRLE, PEER_TIGHT }; /* ZRLE as it is; Tight with compression level 1 and no JPEG */

struct peer;

/** A server and its client. damage: pixels on the side of the tiles in which changes are told to it. */
struct peer *peer_open(enum peer_encoding encoding, uint32_t width, uint32_t height, uint32_t damage);

/** Sends a frame; what did not change since the one before is left out. */
void peer_frame(struct peer *p, const uint32_t *px);

/** Bytes sent so far: updates with all headers, without the handshake. */
uint64_t peer_bytes(struct peer *p);
void peer_close(struct peer *p);

#endif
