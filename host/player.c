#include "host/player.h"

#include <string.h>

#include "host/say.h"
#include "stream/cobs.h"
#include "stream/crc32c.h"

#define TURN_US 5000 /* then viewers and the control socket have their turn */

static void advance(struct player *p)
{
	p->over = recording_next(&p->recording, &p->next) <= 0;
}

int player_open(struct player *p, const char *path, double speed)
{
	*p = (struct player){ .speed = speed, .start_us = now_us() };
	if (recording_open(&p->recording, path) < 0)
		return -1;
	advance(p);
	return 0;
}

void player_close(struct player *p)
{
	recording_close(&p->recording);
}

uint64_t player_deadline(const struct player *p)
{
	if (p->over)
		return UINT64_MAX;
	return p->speed > 0 ? p->start_us + (uint64_t)((double)p->next.time_us / p->speed) : 0;
}

/* The frame as it was on the line, so that the same receiver takes it. */
static void feed(struct session *s, const uint8_t *body, size_t len, uint64_t now)
{
	uint8_t frame[LINK_FRAME_MAX], out[LINK_LINE_MAX] = { 0 };
	uint32_t crc = crc32c(0, body, len);
	size_t n;

	memcpy(frame, body, len);
	for (size_t i = 0; i < 4; i++)
		frame[len + i] = (uint8_t)(crc >> 8 * i);
	n = cobs_encode(frame, len + 4, out + 1);
	out[1 + n] = 0;
	link_rx(&s->link, out, n + 2, now);
}

void player_step(struct player *p, struct session *s)
{
	const uint8_t *b = p->next.body;

	if (b[0] == RECORD_SESSION)
		session_play(s, (uint32_t)b[1] | (uint32_t)b[2] << 8 | (uint32_t)b[3] << 16 | (uint32_t)b[4] << 24);
	else if (b[0] < RECORD_SESSION)
		feed(s, b, p->next.len, p->next.time_us);
	advance(p);
}

void player_pump(struct player *p, struct session *s, uint64_t now)
{
	while (player_deadline(p) <= now && now_us() < now + TURN_US)
		player_step(p, s);
}
