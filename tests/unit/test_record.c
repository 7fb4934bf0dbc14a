/*
 * Recordings: what was written is read; cut off anywhere or with any bit flipped, all before is still good and nothing wrong is
 * taken for right; frames that no VMM sends do no harm.
 */
/* links: host/record.c host/recording.c host/player.c host/session.c host/say.c host/layout.c */
/* links: stream/[a-z]*.c */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/layout.h"
#include "host/player.h"
#include "host/record.h"
#include "host/say.h"
#include "stream/crc32c.h"
#include "tests/unit/random.h"

static char path[] = "/tmp/tessera-record-XXXXXX";

#define FRAMES 5
#define NONCE 0x12345678u

/* Frame i: its type and 40 * i bytes that depend on i. */
static size_t frame(unsigned i, uint8_t *out)
{
	size_t len = 1 + 40 * (size_t)i;

	out[0] = LINK_STREAM;
	for (size_t k = 1; k < len; k++)
		out[k] = (uint8_t)(k * 7 + i);
	return len;
}

static void write_frames(void)
{
	struct recorder r;
	uint8_t buf[RECORD_BODY_MAX];

	assert_int_equal(record_begin(&r, path), 0);
	for (unsigned i = 0; i < FRAMES; i++)
		record_frame(&r, NONCE, buf, frame(i, buf));
	assert_int_equal(record_end(&r), 0);
}

static uint8_t *slurp(size_t *len)
{
	FILE *f = fopen(path, "rb");
	uint8_t *p = malloc(1 << 20);

	*len = fread(p, 1, 1 << 20, f);
	fclose(f);
	return p;
}

static void spill(const uint8_t *p, size_t len)
{
	FILE *f = fopen(path, "wb");

	assert_int_equal(fwrite(p, 1, len, f), len);
	fclose(f);
}

/* Changes one byte of the file. */
static void poke(size_t at, int byte)
{
	int fd = open(path, O_WRONLY);

	assert_int_equal(pwrite(fd, &(uint8_t){ (uint8_t)byte }, 1, (off_t)at), 1);
	close(fd);
}

/* Reads to the end: records are the session, then frames in order. Returns how many came; *result: of the last recording_next. */
static unsigned read_good(struct recording *r, int *result)
{
	static struct record rec;
	uint8_t want[RECORD_BODY_MAX];
	unsigned n = 0;

	while ((*result = recording_next(r, &rec)) > 0) {
		if (n == 0) {
			assert_int_equal(rec.body[0], RECORD_SESSION);
			assert_memory_equal(rec.body + 1, "\x78\x56\x34\x12", 4);
		} else {
			assert_int_equal(rec.len, frame(n - 1, want));
			assert_memory_equal(rec.body, want, rec.len);
		}
		n++;
	}
	return n;
}

static void what_was_written_is_read(void **state)
{
	struct recording r;
	int result;

	(void)state;
	write_frames();
	assert_int_equal(recording_open(&r, path), 0);
	assert_int_equal(read_good(&r, &result), 1 + FRAMES);
	assert_int_equal(result, 0);
	assert_null(r.why);
	recording_close(&r);
}

static void times_are_kept(void **state)
{
	struct recording r;
	struct recorder w;
	static struct record rec;
	uint8_t buf[64];
	uint64_t begin = now_us(), begun, before, after;

	(void)state;
	assert_int_equal(record_begin(&w, path), 0);
	begun = now_us();
	usleep(200000);
	before = now_us();
	record_frame(&w, NONCE, buf, frame(1, buf));
	after = now_us();
	assert_int_equal(record_end(&w), 0);
	assert_int_equal(recording_open(&r, path), 0);
	assert_int_equal(recording_next(&r, &rec), 1);
	assert_int_equal(recording_next(&r, &rec), 1);
	assert_true(rec.time_us >= before - begun && rec.time_us <= after - begin);
	assert_true(r.date_us > 1600000000ull * 1000000);
	recording_close(&r);
}

/* An ACK is left out; what is too long or no frame at all is, too. */
static void only_frames_are_recorded(void **state)
{
	struct recording r;
	struct recorder w;
	static struct record rec;
	static uint8_t buf[RECORD_BODY_MAX + 1] = { LINK_DISPLAY };

	(void)state;
	assert_int_equal(record_begin(&w, path), 0);
	record_frame(&w, NONCE, (const uint8_t[]){ LINK_ACK, 1, 2 }, 3);
	record_frame(&w, NONCE, (const uint8_t[]){ RECORD_END }, 1);
	record_frame(&w, NONCE, buf, 0);
	record_frame(&w, NONCE, buf, sizeof(buf));
	record_frame(&w, NONCE, buf, RECORD_BODY_MAX);
	assert_int_equal(record_end(&w), 0);
	assert_int_equal(recording_open(&r, path), 0);
	assert_int_equal(recording_next(&r, &rec), 1);
	assert_int_equal(rec.body[0], RECORD_SESSION);
	assert_int_equal(recording_next(&r, &rec), 1);
	assert_int_equal(rec.len, RECORD_BODY_MAX);
	assert_int_equal(recording_next(&r, &rec), 0);
	recording_close(&r);
}

/* Where each record ends in the file, the header's end first. */
static unsigned ends_of(size_t *at)
{
	struct recording r;
	static struct record rec;
	unsigned n = 0;

	assert_int_equal(recording_open(&r, path), 0);
	at[n++] = (size_t)r.offset;
	while (recording_next(&r, &rec) >= 0) {
		at[n++] = (size_t)r.offset;
		if (rec.body[0] == RECORD_END)
			break;
	}
	recording_close(&r);
	return n;
}

static void cut_off_anywhere(void **state)
{
	size_t len, at[16];
	struct recording r;
	unsigned n;
	uint8_t *file;
	int result;

	(void)state;
	write_frames();
	n = ends_of(at);
	assert_int_equal(n, 1 + 1 + FRAMES + 1);
	file = slurp(&len);
	assert_int_equal(at[n - 1], len);
	for (size_t cut = len; cut-- > 0;) {
		unsigned whole = 0;

		assert_int_equal(truncate(path, (off_t)cut), 0);
		if (cut < RECORD_HEADER) {
			assert_int_equal(recording_open(&r, path), -1);
			continue;
		}
		while (whole + 1 < n && at[whole + 1] <= cut)
			whole++;
		assert_int_equal(recording_open(&r, path), 0);
		assert_int_equal(read_good(&r, &result), whole);
		assert_int_equal(result, -1);
		assert_non_null(r.why);
		assert_int_equal(r.offset, at[whole]);
		recording_close(&r);
	}
	free(file);
}

static void any_bit_flipped(void **state)
{
	size_t len, at[16];
	struct recording r;
	unsigned n;
	uint8_t *file;
	int result;

	(void)state;
	write_frames();
	n = ends_of(at);
	file = slurp(&len);
	for (size_t bit = 0; bit < 8 * len; bit++) {
		unsigned whole = 0;

		poke(bit / 8, file[bit / 8] ^ (1 << bit % 8));
		if (bit / 8 < RECORD_HEADER) {
			assert_int_equal(recording_open(&r, path), -1);
			poke(bit / 8, file[bit / 8]);
			continue;
		}
		while (whole + 1 < n && at[whole + 1] <= bit / 8)
			whole++;
		assert_int_equal(recording_open(&r, path), 0);
		assert_int_equal(read_good(&r, &result), whole);
		assert_int_equal(result, -1);
		assert_int_equal(r.offset, at[whole]);
		recording_close(&r);
		poke(bit / 8, file[bit / 8]);
	}
	free(file);
}

/* A record that is taken out, doubled or moved is noticed: each CRC goes on from the one before. */
static void none_is_missing(void **state)
{
	size_t len, at[16], gone;
	struct recording r;
	uint8_t *file;
	int result;

	(void)state;
	write_frames();
	ends_of(at);
	file = slurp(&len);
	gone = at[4] - at[3];
	memmove(file + at[3], file + at[4], len - at[4]);
	spill(file, len - gone);
	assert_int_equal(recording_open(&r, path), 0);
	assert_int_equal(read_good(&r, &result), 3);
	assert_int_equal(result, -1);
	recording_close(&r);
	free(file);
}

static void another_version_is_refused(void **state)
{
	struct recording r;
	static struct record rec;
	size_t len, at[16];
	uint8_t *file;
	uint32_t crc;

	(void)state;
	write_frames();
	ends_of(at);
	file = slurp(&len);
	crc = crc32c(0, file, 16);
	file[at[1] - 4 - 2] ^= 0x40; /* the version, behind the nonce */
	crc = crc32c(crc, file + at[0], at[1] - 4 - at[0]);
	for (int i = 0; i < 4; i++)
		file[at[1] - 4 + (size_t)i] = (uint8_t)(crc >> 8 * i);
	spill(file, len);
	assert_int_equal(recording_open(&r, path), 0);
	assert_int_equal(recording_next(&r, &rec), -1);
	assert_non_null(strstr(r.why, "version"));
	recording_close(&r);
	free(file);
}

/* Recordings in order whose frames are not: a WELCOME, then frames of any type and content. The session takes or refuses them. */
static void frames_of_nobody(void **state)
{
	struct session *s = malloc(sizeof(*s));
	static const struct session_ops ops = { 0 };
	struct rng rng = { 1 };
	uint64_t frames = 0;

	(void)state;
	for (unsigned round = 0; round < 300; round++) {
		static const uint8_t types[] = { LINK_DISPLAY, LINK_STREAM, LINK_WELCOME, LINK_PING, LINK_BYE, 0, 'a', 0x7f };
		uint8_t buf[RECORD_BODY_MAX] = { LINK_WELCOME, 'T', 'S', 'R', 'A', LINK_VERSION, 0, 0x78, 0x56, 0x34, 0x12 };
		struct recorder w;
		struct player p;
		uint16_t seq = 0;

		assert_int_equal(record_begin(&w, path), 0);
		record_frame(&w, NONCE, buf, 1 + 4 + 2 + 4 + 4 + 4 + 4 * LINK_STREAMS);
		for (unsigned i = 0; i < 20; i++) {
			size_t len = 3 + rng_next(&rng) % (i % 2 ? 40 : RECORD_BODY_MAX - 3);

			for (size_t k = 0; k < len; k++)
				buf[k] = (uint8_t)(rng_next(&rng) >> (rng_next(&rng) % 8));
			buf[0] = types[rng_next(&rng) % (i % 3 ? 2 : sizeof(types))];
			buf[1] = (uint8_t)seq;
			buf[2] = (uint8_t)(seq >> 8);
			if (buf[0] == LINK_STREAM)
				buf[3] %= LINK_STREAMS;
			if (buf[0] == LINK_DISPLAY) {
				buf[3] %= DISPLAY_HEADS;
				buf[5] = buf[7] = 0;
			}
			seq++;
			record_frame(&w, NONCE, buf, len);
		}
		assert_int_equal(record_end(&w), 0);
		assert_int_equal(player_open(&p, path, 0), 0);
		session_init(s, &ops, NULL, 8192);
		for (unsigned i = 0; i < 2; i++)
			player_step(&p, s);
		assert_true(s->link.up);
		while (!p.over)
			player_step(&p, s);
		frames += s->link.rx_frames;
		assert_null(p.recording.why);
		player_close(&p);
		session_free(s);
	}
	assert_true(frames > 300 * 10);
	free(s);
}

/* No two heads share a pixel, all are within the picture, and n heads take no more than ceil(sqrt(n)) columns. */
static void layouts_do_not_overlap(void **state)
{
	struct rng rng = { 3 };

	(void)state;
	for (unsigned round = 0; round < 500; round++) {
		struct layout l = { 0 };

		for (unsigned h = 0; h < DISPLAY_HEADS; h++) {
			bool on = rng_next(&rng) % 3 == 0;

			l.head[h].width = on ? 1 + rng_next(&rng) % 300 : 0;
			l.head[h].height = on ? 1 + rng_next(&rng) % 300 : 0;
		}
		layout_make(&l, 8);
		for (unsigned a = 0; a < DISPLAY_HEADS; a++) {
			const struct layout_place *p = &l.head[a];

			if (!p->width)
				continue;
			assert_true(p->x + p->width <= l.width && p->y + p->height <= l.height);
			for (unsigned b = 0; b < a; b++) {
				const struct layout_place *q = &l.head[b];

				assert_true(!q->width || q->x + q->width <= p->x || p->x + p->width <= q->x ||
					    q->y + q->height <= p->y || p->y + p->height <= q->y);
			}
		}
	}
}

static int set_up(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	close(fd);
	return fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(times_are_kept),
		cmocka_unit_test(only_frames_are_recorded),
		cmocka_unit_test(cut_off_anywhere),
		cmocka_unit_test(any_bit_flipped),
		cmocka_unit_test(none_is_missing),
		cmocka_unit_test(another_version_is_refused),
		cmocka_unit_test(frames_of_nobody),
		cmocka_unit_test(layouts_do_not_overlap),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
