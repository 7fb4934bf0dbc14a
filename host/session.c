#include "host/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "host/say.h"

#define WINDOW_MAX 49152u
#define WINDOW_MIN (4u * LINK_LINE_MAX)

static void broken(struct session *s, const char *why)
{
	if (s->broken)
		return;
	s->broken = true;
	if (s->ops->broken)
		s->ops->broken(s->arg, why);
}

static uint32_t get32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint32_t v)
{
	for (int i = 0; i < 4; i++, v >>= 8)
		p[i] = (uint8_t)v;
}

static void answer(struct session_request *r, int result, const char *text, size_t len)
{
	struct session_request was = *r;

	r->id = 0; /* first: the callback may ask again */
	if (was.reply)
		was.reply(was.arg, result, text, len);
}

static void on_reply(struct session *s, const uint8_t *body, size_t len)
{
	uint32_t id = get32(body);

	for (unsigned i = 0; id && i < SESSION_REQUESTS; i++) {
		if (s->request[i].id == id) {
			answer(&s->request[i], (int)(int32_t)get32(body + 4), (const char *)body + 8, len - 8);
			return;
		}
	}
}

static void on_message(void *arg, uint8_t type, const uint8_t *body, size_t len)
{
	struct session *s = arg;
	static const struct {
		uint8_t type;
		size_t min, max;
	} lengths[] = { { MSG_EXIT, 5, 5 }, { MSG_REPLY, 8, PROTO_MAX }, { MSG_SHOT, 4, 4 }, { MSG_PARKED, 0, PROTO_MAX } };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		if (lengths[i].type == type && (len < lengths[i].min || len > lengths[i].max)) {
			broken(s, "a message of a wrong length");
			return;
		}
	}
	if (s->broken)
		return;
	switch (type) {
	case MSG_EXIT:
		if (s->ops->ended)
			s->ops->ended(s->arg, body[0], get32(body + 1));
		break;
	case MSG_REPLY: on_reply(s, body, len); break;
	case MSG_SHOT:
		if (s->ops->shot)
			s->ops->shot(s->arg, get32(body));
		break;
	case MSG_PARKED:
		if (s->ops->parked)
			s->ops->parked(s->arg, (const char *)body, len);
		break;
	default: break; /* from a newer VMM */
	}
}

static void on_stream(void *arg, enum link_stream stream, const uint8_t *data, size_t len)
{
	struct session *s = arg;

	switch (stream) {
	case LINK_CONTROL:
		if (!s->broken && proto_feed(&s->reader, data, len, on_message, s) < 0)
			broken(s, "a malformed control message");
		break;
	case LINK_LOG:
		if (s->ops->log)
			s->ops->log(s->arg, data, len);
		break;
	case LINK_SERIAL:
		if (s->ops->serial)
			s->ops->serial(s->arg, data, len);
		break;
	default: break;
	}
}

static void on_connected(void *arg)
{
	struct session *s = arg;

	s->was_up = true;
	s->reader.len = 0;
	if (s->ops->connected)
		s->ops->connected(s->arg);
}

static void on_disconnected(void *arg, unsigned reason)
{
	struct session *s = arg;

	if (s->ops->disconnected)
		s->ops->disconnected(s->arg, reason);
}

static int on_display(void *arg, const uint8_t *body, size_t len)
{
	struct session *s = arg;

	return drx_datagram(&s->rx, body, len);
}

static void on_plain(void *arg, const uint8_t *data, size_t len)
{
	struct session *s = arg;

	if (s->ops->plain)
		s->ops->plain(s->arg, data, len);
}

static void on_frame(void *arg, const uint8_t *frame, size_t len)
{
	struct session *s = arg;

	if (s->ops->frame)
		s->ops->frame(s->arg, frame, len);
}

static void on_changed(void *arg, unsigned head, bool resized, unsigned x0, unsigned y0, unsigned x1, unsigned y1)
{
	struct session *s = arg;

	if (s->ops->changed)
		s->ops->changed(s->arg, head, resized, x0, y0, x1, y1);
}

static const struct link_ops link_ops = {
	.connected = on_connected,
	.disconnected = on_disconnected,
	.stream = on_stream,
	.display = on_display,
	.frame = on_frame,
	.plain = on_plain,
};

uint32_t session_window(uint32_t rate)
{
	uint32_t window = rate / 4;

	if (!rate || window > WINDOW_MAX)
		return WINDOW_MAX;
	return window < WINDOW_MIN ? WINDOW_MIN : window;
}

static void begin(struct session *s, uint32_t nonce)
{
	struct link_ring rings[LINK_STREAMS] = {
		[LINK_CONTROL] = { .buf = s->ring[0], .size = SESSION_RING },
		[LINK_SERIAL] = { .buf = s->ring[1], .size = SESSION_RING },
		[LINK_INPUT] = { .buf = s->ring[2], .size = SESSION_RING },
	};

	struct link_baud baud = s->link.baud;

	session_expire(s, true);
	link_init(&s->link, LINK_HOST, &link_ops, s, rings, nonce, s->window);
	s->link.baud = baud;
	link_baud_again(&s->link);
}

void session_restart(struct session *s)
{
	uint32_t nonce = 0;

	if (getrandom(&nonce, sizeof(nonce), 0) != sizeof(nonce))
		nonce = (uint32_t)now_us();
	begin(s, nonce);
}

void session_play(struct session *s, uint32_t nonce)
{
	s->played = true;
	begin(s, nonce);
}

void session_init(struct session *s, const struct session_ops *ops, void *arg, uint32_t window)
{
	memset(s, 0, sizeof(*s));
	s->ops = ops;
	s->arg = arg;
	s->next_id = 1;
	s->window = window;
	s->rx.alloc = malloc;
	s->rx.free = free;
	s->rx.changed = on_changed;
	s->rx.arg = s;
	session_restart(s);
}

void session_free(struct session *s)
{
	session_expire(s, true);
	drx_reset(&s->rx);
}

/* Puts a whole message on a stream or nothing. */
static int send_message(struct session *s, enum link_stream stream, uint8_t type, const void *body, size_t len)
{
	uint8_t buf[2 + PROTO_MAX];
	size_t n = proto_make(buf, sizeof(buf), type, body, len);

	if (!n)
		return -EMSGSIZE;
	if (link_room(&s->link, stream) < n)
		return -EBUSY;
	link_write(&s->link, stream, buf, n);
	return 0;
}

int session_request(struct session *s, const char *text, uint64_t timeout_us, session_reply_fn reply, void *arg)
{
	uint8_t body[1024];
	size_t len = strlen(text);
	struct session_request *r = NULL;
	int err;

	if (s->played)
		return -EROFS;
	if (!s->link.up || s->broken)
		return -ENOTCONN;
	if (len > sizeof(body) - 4)
		return -EMSGSIZE;
	for (unsigned i = 0; i < SESSION_REQUESTS && !r; i++)
		if (!s->request[i].id)
			r = &s->request[i];
	if (!r)
		return -EBUSY;
	put32(body, s->next_id);
	memcpy(body + 4, text, len);
	err = send_message(s, LINK_CONTROL, MSG_REQUEST, body, 4 + len);
	if (err)
		return err;
	*r = (struct session_request){ .id = s->next_id, .until_us = now_us() + timeout_us, .reply = reply, .arg = arg };
	if (!++s->next_id)
		s->next_id = 1;
	return 0;
}

uint64_t session_expire(struct session *s, bool all)
{
	uint64_t now = now_us(), next = UINT64_MAX;

	for (unsigned i = 0; i < SESSION_REQUESTS; i++) {
		struct session_request *r = &s->request[i];

		if (r->id && (all || r->until_us <= now))
			answer(r, all ? -ECONNRESET : -ETIMEDOUT, "", 0);
		else if (r->id && r->until_us < next)
			next = r->until_us;
	}
	return next;
}

size_t session_serial_room(const struct session *s)
{
	return s->link.up && !s->played ? link_room(&s->link, LINK_SERIAL) : 0;
}

size_t session_serial_in(struct session *s, const void *data, size_t len)
{
	size_t room = session_serial_room(s);

	len = len < room ? len : room;
	if (len)
		link_write(&s->link, LINK_SERIAL, data, len);
	return len;
}

static int send_input(struct session *s, uint8_t type, const void *body, size_t len)
{
	if (s->played)
		return -EROFS;
	return s->link.up ? send_message(s, LINK_INPUT, type, body, len) : -ENOTCONN;
}

int session_key(struct session *s, bool down, uint16_t scancode)
{
	uint8_t body[3] = { down, (uint8_t)scancode, (uint8_t)(scancode >> 8) };

	return send_input(s, MSG_KEY, body, sizeof(body));
}

int session_pointer(struct session *s, unsigned head, unsigned x, unsigned y, uint8_t buttons, int wheel)
{
	uint8_t body[7] = { (uint8_t)head,
			    (uint8_t)x,
			    (uint8_t)(x >> 8),
			    (uint8_t)y,
			    (uint8_t)(y >> 8),
			    buttons,
			    (uint8_t)(int8_t)(wheel > 127    ? 127
					      : wheel < -127 ? -127
							     : wheel) };

	return send_input(s, MSG_POINTER, body, sizeof(body));
}
