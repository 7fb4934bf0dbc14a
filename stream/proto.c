/* proto.h */
#include <errno.h>
#include <string.h>

#include "stream/proto.h"

#define BROKEN ((size_t)-1) /* in a reader's len */

static size_t get16(const uint8_t *p)
{
	return p[0] | (size_t)p[1] << 8;
}

int proto_feed(struct proto_reader *r, const uint8_t *data, size_t len,
	       void (*msg)(void *arg, uint8_t type, const uint8_t *body, size_t len), void *arg)
{
	if (r->len == BROKEN)
		return -EBADMSG;
	while (len) {
		/* First the length alone, then as much as it says. */
		size_t want = r->len < 2 ? 2 : 2 + get16(r->buf);
		size_t n = want - r->len < len ? want - r->len : len;

		memcpy(r->buf + r->len, data, n);
		r->len += n;
		data += n;
		len -= n;
		if (r->len < want)
			break;
		size_t size = get16(r->buf);

		if (size == 0 || size > PROTO_MAX) {
			r->len = BROKEN;
			return -EBADMSG;
		}
		if (r->len == 2 + size) {
			r->len = 0;
			msg(arg, r->buf[2], r->buf + 3, size - 1);
		}
	}
	return 0;
}

size_t proto_make(uint8_t *out, size_t cap, uint8_t type, const void *body, size_t len)
{
	if (len > PROTO_MAX - 1 || cap < 3 + len)
		return 0;
	out[0] = (uint8_t)(len + 1);
	out[1] = (uint8_t)((len + 1) >> 8);
	out[2] = type;
	if (len)
		memcpy(out + 3, body, len);
	return 3 + len;
}
