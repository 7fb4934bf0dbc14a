/* record.h: the reader. It trusts nothing: lengths are bounded before they are used, and nothing is taken whose CRC is not right.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "host/record.h"
#include "host/say.h"
#include "stream/crc32c.h"

static uint64_t get(const uint8_t *p, size_t bytes)
{
	uint64_t v = 0;

	for (size_t i = bytes; i--;)
		v = v << 8 | p[i];
	return v;
}

static int refuse(struct recording *r, const char *why)
{
	say("%s: %s", r->path, why);
	recording_close(r);
	return -1;
}

int recording_open(struct recording *r, const char *path)
{
	uint8_t header[RECORD_HEADER];
	struct stat st;

	*r = (struct recording){ .file = fopen(path, "rbe"), .path = path };
	if (!r->file)
		return refuse(r, strerror(errno));
	if (fstat(fileno(r->file), &st) == 0 && S_ISDIR(st.st_mode))
		return refuse(r, "is a directory");
	if (fread(header, 1, sizeof(header), r->file) != sizeof(header) || memcmp(header, RECORD_MAGIC, 8) != 0)
		return refuse(r, "is no recording of 'tessera run --record'");
	r->crc = crc32c(0, header, 16);
	if (get(header + 16, 4) != r->crc)
		return refuse(r, "is a recording whose header is damaged");
	r->date_us = get(header + 8, 8);
	r->offset = sizeof(header);
	return 0;
}

/* One record's bytes while they are read. */
struct taken {
	uint8_t bytes[10 + 10 + RECORD_BODY_MAX + 4];
	size_t len;
};

static bool take(struct recording *r, struct taken *t, size_t n)
{
	size_t got = fread(t->bytes + t->len, 1, n, r->file);

	t->len += got;
	return got == n;
}

static const char cut_off[] = "is cut off";

static const char *take_varint(struct recording *r, struct taken *t, uint64_t *v)
{
	*v = 0;
	for (unsigned shift = 0; shift < 63; shift += 7) {
		if (!take(r, t, 1))
			return cut_off;
		*v |= (uint64_t)(t->bytes[t->len - 1] & 0x7f) << shift;
		if (!(t->bytes[t->len - 1] & 0x80))
			return NULL;
	}
	return "is damaged (no such number)";
}

/* NULL, or what is wrong. */
static const char *read_record(struct recording *r, struct record *out)
{
	struct taken t = { .len = 0 };
	uint64_t gap, len;
	uint32_t crc;
	const char *why = take_varint(r, &t, &gap);

	if (!why)
		why = take_varint(r, &t, &len);
	if (why)
		return why;
	if (gap > RECORD_GAP_MAX_US || !len || len > RECORD_BODY_MAX)
		return "is damaged (no such record)";
	if (!take(r, &t, (size_t)len))
		return cut_off;
	crc = crc32c(r->crc, t.bytes, t.len);
	if (!take(r, &t, 4))
		return cut_off;
	if (get(t.bytes + t.len - 4, 4) != crc)
		return "is damaged (a CRC is wrong)";
	memcpy(out->body, t.bytes + t.len - 4 - len, (size_t)len);
	out->len = (size_t)len;
	out->time_us = r->time_us + gap;
	r->crc = crc;
	r->time_us = out->time_us;
	r->offset += t.len;
	return NULL;
}

int recording_next(struct recording *r, struct record *out)
{
	if (r->why)
		return -1;
	r->why = read_record(r, out);
	if (!r->why && out->body[0] == RECORD_SESSION && (out->len != 7 || get(out->body + 5, 2) != LINK_VERSION))
		r->why = "is of another version of the protocol than this tool";
	if (r->why)
		return -1;
	return out->body[0] != RECORD_END;
}

void recording_explain(const struct recording *r)
{
	if (r->why)
		say("%s: %s at byte %llu, %.3f s from its beginning; all before that is good", r->path, r->why,
		    (unsigned long long)r->offset, (double)r->time_us / 1e6);
}

void recording_close(struct recording *r)
{
	if (r->file)
		fclose(r->file);
	r->file = NULL;
}
