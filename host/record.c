#include "host/record.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "host/say.h"
#include "stream/crc32c.h"

static size_t put_varint(uint8_t *p, uint64_t v)
{
	size_t n = 0;

	for (; v >= 0x80; v >>= 7)
		p[n++] = (uint8_t)(v | 0x80);
	p[n++] = (uint8_t)v;
	return n;
}

static size_t put(uint8_t *p, uint64_t v, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++, v >>= 8)
		p[i] = (uint8_t)v;
	return bytes;
}

static void give_up(struct recorder *r)
{
	if (!r->failed)
		say("%s: %s: the recording ends here", r->path, strerror(errno));
	r->failed = true;
	if (r->file)
		fclose(r->file);
	r->file = NULL;
}

static void write_all(struct recorder *r, const void *data, size_t len)
{
	if (!r->file)
		return;
	if (fwrite(data, 1, len, r->file) != len)
		give_up(r);
	r->bytes += len;
}

int record_begin(struct recorder *r, const char *path)
{
	uint8_t header[RECORD_HEADER] = RECORD_MAGIC;
	struct timespec ts;

	*r = (struct recorder){ .file = fopen(path, "wbe"), .path = path, .last_us = now_us() };
	if (!r->file) {
		say("%s: %s", path, strerror(errno));
		return -1;
	}
	clock_gettime(CLOCK_REALTIME, &ts);
	put(header + 8, (uint64_t)ts.tv_sec * 1000000 + (uint64_t)ts.tv_nsec / 1000, 8);
	r->crc = crc32c(0, header, 16);
	put(header + 16, r->crc, 4);
	write_all(r, header, sizeof(header));
	record_flush(r);
	return r->file ? 0 : -1;
}

static void add(struct recorder *r, const uint8_t *body, size_t len)
{
	uint8_t buf[10 + 10 + RECORD_BODY_MAX + 4];
	uint64_t now = now_us();
	size_t n = put_varint(buf, now - r->last_us);

	n += put_varint(buf + n, len);
	memcpy(buf + n, body, len);
	n += len;
	r->crc = crc32c(r->crc, buf, n);
	n += put(buf + n, r->crc, 4);
	r->last_us = now;
	write_all(r, buf, n);
}

void record_frame(struct recorder *r, uint32_t nonce, const uint8_t *frame, size_t len)
{
	/* An ACK is about what this host sent, which nobody will send when it is played. */
	if (!r->file || !len || len > RECORD_BODY_MAX || frame[0] == LINK_ACK || frame[0] >= RECORD_SESSION)
		return;
	if (!r->any || r->nonce != nonce) {
		uint8_t session[7] = { RECORD_SESSION };

		put(session + 1, nonce, 4);
		put(session + 5, LINK_VERSION, 2);
		add(r, session, sizeof(session));
		r->any = true;
		r->nonce = nonce;
	}
	add(r, frame, len);
	r->frames++;
}

void record_flush(struct recorder *r)
{
	if (r->file && fflush(r->file) != 0)
		give_up(r);
}

int record_end(struct recorder *r)
{
	static const uint8_t end[] = { RECORD_END };
	FILE *f;

	if (r->file)
		add(r, end, sizeof(end));
	f = r->file;
	r->file = NULL;
	if (f && fclose(f) != 0)
		give_up(r);
	return r->failed ? -1 : 0;
}
