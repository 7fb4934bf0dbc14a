/*
 * The replay reader: a file as it is, and, since hardly any input has right CRCs by itself, one whose records get them. Either is
 * played into a session to its end.
 */
/* links: host/player.c host/record.c host/recording.c host/session.c host/say.c stream/[a-z]*.c */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "host/player.h"
#include "stream/crc32c.h"
#include "tests/fuzz/memory.h"
#include "tests/fuzz/pieces.h"

static int file = -1;

static void put(const void *data, size_t len)
{
	if (write(file, data, len) != (ssize_t)len)
		abort();
}

static void put_crc(uint32_t crc)
{
	uint8_t b[4];

	for (size_t i = 0; i < 4; i++)
		b[i] = (uint8_t)(crc >> 8 * i);
	put(b, 4);
}

static void make_file(const uint8_t *data, size_t size)
{
	struct pieces p = { data, size };
	uint8_t header[16] = RECORD_MAGIC;
	uint32_t crc = crc32c(0, header, 16);
	const uint8_t *body;
	size_t len;

	put(header, 16);
	put_crc(crc);
	while ((body = pieces_next(&p, &len))) {
		crc = crc32c(crc, body, len);
		put(body, len);
		put_crc(crc);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct session s;
	static struct player p;
	static const struct session_ops ops = { 0 };
	char path[64];

	if (!size)
		return 0;
	if (file < 0)
		file = memfd_create("recording", 0);
	if (file < 0 || ftruncate(file, 0) != 0 || lseek(file, 0, SEEK_SET) != 0)
		abort();
	if (data[0] & 1)
		make_file(data + 1, size - 1);
	else
		put(data + 1, size - 1);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", file);
	if (player_open(&p, path, 0) < 0)
		return 0;
	session_init(&s, &ops, NULL, 8192);
	s.rx.alloc = fuzz_alloc;
	fuzz_memory = FUZZ_MEMORY;
	while (!p.over)
		player_step(&p, &s);
	session_free(&s);
	player_close(&p);
	return 0;
}
