/*
 * link.h: raising the line's rate before a session begins. A host says OFFER with the rates that it can do, and HELLO behind it. A
 * VMM with none of them takes the HELLO. Another answers CHOICE, as the last frame at the old rate, changes to the new one and
 * waits for PROBEs, which it sends back; the host changes when it has the CHOICE. PROBES good ECHOs, of which few had to be asked
 * for twice, prove the rate; then the HELLO follows, and the WELCOME settles it.
 *
 * Whatever is lost on the way, both ends meet at the old rate again: the VMM goes back HELLO_US after its change where no HELLO
 * came, the host gives up before that, tries a lower one the next time, and rests until the VMM is back for sure. Later either end
 * goes back where it hears nothing for SILENCE_US, though it asked, and where the session ends: so a host that comes later finds
 * the VMM at the old rate.
 */
#include <string.h>

#include "stream/link_internal.h"

#define PROBES 8u
#define PROBE_BYTES 128u /* no byte has an error by luck: both ways all this is 2 KiB */
#define PROBE_AGAIN_US 100000u
#define AGAIN_MOST 2u	    /* echoes that may fail to come */
#define PROVE_US 1000000u   /* for the echoes */
#define GIVE_UP_US 1500000u /* for the WELCOME */
#define HELLO_US 2000000u
#define REST_US 2500000u
#define TRIES 4u
#define ASK_US 1000000u /* at a raised rate who heard nothing for so long asks */
#define SILENCE_US 5000000u

const uint32_t link_bauds[LINK_BAUDS] = { 230400,  460800,  500000,  576000,  921600,  1000000, 1152000,
					  1500000, 2000000, 2500000, 3000000, 3500000, 4000000 };

enum step { OFFER, CHOICE, PROBE, ECHO };

#define OFFER_BYTES (1 + 4 + 4) /* CHOICE, too: step, nonce, rates or rate */

static uint32_t bit_of(uint32_t baud)
{
	for (unsigned i = 0; i < LINK_BAUDS; i++)
		if (link_bauds[i] == baud)
			return 1u << i;
	return 0;
}

void link_baud_init(struct link *l, uint32_t baud, uint32_t can)
{
	l->baud = (struct link_baud){ .home = baud, .now = baud, .wanted = baud };
	for (unsigned i = 0; i < LINK_BAUDS; i++)
		if (link_bauds[i] > baud)
			l->baud.can |= can & 1u << i;
}

void link_baud_again(struct link *l)
{
	l->baud.wanted = l->baud.home;
	l->baud.phase = BAUD_HOME;
	l->baud.owe_echo = false;
}

uint32_t link_baud_wanted(const struct link *l)
{
	return l->out_pos == l->out_len && l->baud.wanted != l->baud.now ? l->baud.wanted : 0;
}

/* The rate is no good, or did not come about: no other above half of it is tried, and after TRIES of them none at all. */
static void give_up(struct link *l)
{
	struct link_baud *b = &l->baud;

	b->failed++;
	for (unsigned i = 0; l->role == LINK_HOST && i < LINK_BAUDS; i++)
		if (link_bauds[i] > b->target / 2 || b->failed == TRIES)
			b->can &= ~(1u << i);
	link_baud_again(l);
}

void link_baud_set(struct link *l, bool ok, uint64_t now_us)
{
	struct link_baud *b = &l->baud;

	if (ok)
		b->now = b->wanted;
	else if (b->phase == BAUD_PROVE)
		give_up(l);
	b->since_us = b->probe_us = now_us;
	b->echoes = b->probes = 0;
}

void link_baud_begin(struct link *l)
{
	if (l->baud.phase == BAUD_PROVE)
		l->baud.phase = BAUD_RAISED;
	l->baud.asked_us = 0;
}

bool link_baud_takes_hello(const struct link *l)
{
	const struct link_baud *b = &l->baud;

	/* One that waited in a buffer is none at the new rate. */
	return b->phase != BAUD_ANSWER && b->wanted == b->now && (b->phase != BAUD_PROVE || b->probed);
}

bool link_baud_says_hello(const struct link *l)
{
	return l->baud.phase != BAUD_PROVE || l->baud.echoes == PROBES;
}

/* How long the new rate may take to prove itself. */
static uint64_t prove_us(const struct link *l)
{
	return l->role == LINK_VMM ? HELLO_US : l->baud.echoes < PROBES ? PROVE_US : GIVE_UP_US;
}

/* A session at a raised rate: whether the far end is there. */
static void look_for_silence(struct link *l, uint64_t now_us)
{
	struct link_baud *b = &l->baud;

	if (now_us - l->heard_us >= SILENCE_US) {
		give_up(l);
		link_end_by(l, LINK_BYE_SILENT);
	} else if (now_us - l->heard_us >= ASK_US && now_us - b->asked_us >= ASK_US) {
		b->asked_us = now_us;
		l->owe_ping = true;
	}
}

void link_baud_clock(struct link *l, uint64_t now_us)
{
	struct link_baud *b = &l->baud;

	if (b->wanted != b->now)
		return;
	if (b->phase == BAUD_RAISED && l->up) {
		look_for_silence(l, now_us);
	} else if (b->phase == BAUD_RAISED && l->role == LINK_VMM && !l->owe_bye) {
		link_baud_again(l);
	} else if (b->phase == BAUD_PROVE &&
		   (now_us - b->since_us >= prove_us(l) || (l->role == LINK_HOST && b->probes > b->echoes + 1 + AGAIN_MOST))) {
		if (l->role == LINK_HOST)
			l->hello_us = b->since_us + REST_US;
		give_up(l);
	}
}

static uint64_t raised_deadline(const struct link *l)
{
	uint64_t ask = (l->heard_us > l->baud.asked_us ? l->heard_us : l->baud.asked_us) + ASK_US, end = l->heard_us + SILENCE_US;

	if (!l->up)
		return l->role == LINK_VMM && !l->owe_bye ? 0 : UINT64_MAX;
	return ask < end ? ask : end;
}

uint64_t link_baud_deadline(const struct link *l)
{
	const struct link_baud *b = &l->baud;

	switch (b->phase) {
	case BAUD_ANSWER: return 0;
	case BAUD_PROVE:
		if (l->role == LINK_HOST && b->echoes < PROBES)
			return b->probe_us;
		return b->owe_echo ? 0 : b->since_us + prove_us(l);
	case BAUD_RAISED: return raised_deadline(l);
	default: return UINT64_MAX;
	}
}

/* ---- frames */

/* All kinds of bytes and edges, another sequence for each number. */
static void pattern(uint8_t *out, uint8_t number)
{
	uint32_t x = number * 0x9e3779b9u + 1;

	for (unsigned i = 0; i < PROBE_BYTES; i++) {
		x = x * 1664525 + 1013904223;
		out[i] = i % 4 ? (uint8_t)(x >> 24) : i % 8 ? 0x55 : 0xff;
	}
}

static size_t put_head(struct link *l, enum step step)
{
	l->raw[0] = LINK_BAUD;
	l->raw[1] = (uint8_t)step;
	return 2;
}

/* OFFER and CHOICE. */
static size_t put_offer(struct link *l, enum step step, uint32_t nonce, uint32_t what)
{
	size_t n = put_head(l, step);

	n += link_put(l->raw + n, nonce, 4);
	return n + link_put(l->raw + n, what, 4);
}

static size_t put_probe(struct link *l, enum step step, uint8_t number)
{
	size_t n = put_head(l, step);

	l->raw[n++] = number;
	pattern(l->raw + n, number);
	return n + PROBE_BYTES;
}

static size_t make_vmm(struct link *l)
{
	struct link_baud *b = &l->baud;

	if (b->phase == BAUD_ANSWER) {
		b->phase = BAUD_PROVE;
		b->wanted = b->target;
		b->owe_echo = b->probed = false;
		return put_offer(l, CHOICE, b->nonce, b->target);
	}
	if (b->phase != BAUD_PROVE || !b->owe_echo)
		return 0;
	b->owe_echo = false;
	return put_probe(l, ECHO, b->echoes);
}

static size_t make_host(struct link *l, uint64_t now_us)
{
	struct link_baud *b = &l->baud;

	if (b->phase == BAUD_HOME && b->can && !l->up && !l->closed && now_us >= l->hello_us && !b->offered) {
		b->offered = true; /* the HELLO follows at once */
		return put_offer(l, OFFER, l->nonce, b->can);
	}
	if (b->phase != BAUD_PROVE || b->echoes == PROBES || now_us < b->probe_us)
		return 0;
	b->probe_us = now_us + PROBE_AGAIN_US;
	b->probes++;
	return put_probe(l, PROBE, b->echoes);
}

size_t link_baud_make(struct link *l, uint64_t now_us)
{
	return l->role == LINK_VMM ? make_vmm(l) : make_host(l, now_us);
}

static void rx_offer(struct link *l, uint32_t nonce, uint32_t rates, uint64_t now_us)
{
	struct link_baud *b = &l->baud;

	rates &= b->can;
	if (!rates || b->wanted != b->now || (b->phase != BAUD_HOME && b->phase != BAUD_ANSWER) || (l->up && nonce == l->nonce) ||
	    !link_knock(l, nonce, now_us))
		return;
	if (l->up)
		link_end_by(l, LINK_BYE_SILENT);
	for (unsigned i = 0; i < LINK_BAUDS; i++)
		if (rates >> i & 1)
			b->target = link_bauds[i];
	b->nonce = nonce;
	b->phase = BAUD_ANSWER;
}

static void rx_choice(struct link *l, uint32_t nonce, uint32_t rate)
{
	struct link_baud *b = &l->baud;

	if (b->phase != BAUD_HOME || b->wanted != b->now || l->up || l->closed || nonce != l->nonce || !(bit_of(rate) & b->can))
		return;
	b->target = b->wanted = rate;
	b->phase = BAUD_PROVE;
}

static void rx_probe(struct link *l, enum step step, uint8_t number, const uint8_t *what, uint64_t now_us)
{
	struct link_baud *b = &l->baud;
	uint8_t want[PROBE_BYTES];

	pattern(want, number);
	if (b->phase != BAUD_PROVE || b->wanted != b->now || memcmp(what, want, PROBE_BYTES))
		return;
	if (step == PROBE) {
		b->echoes = number;
		b->owe_echo = b->probed = true;
	} else if (number == b->echoes && b->echoes < PROBES) {
		b->echoes++;
		b->probe_us = l->hello_us = now_us;
	}
}

void link_baud_rx(struct link *l, const uint8_t *body, size_t len, uint64_t now_us)
{
	bool vmm = l->role == LINK_VMM;

	if (len == OFFER_BYTES && body[0] == (vmm ? OFFER : CHOICE)) {
		uint32_t nonce = link_get32(body + 1), what = link_get32(body + 5);

		if (vmm)
			rx_offer(l, nonce, what, now_us);
		else
			rx_choice(l, nonce, what);
	} else if (len == 2 + PROBE_BYTES && body[0] == (vmm ? PROBE : ECHO)) {
		rx_probe(l, body[0], body[1], body + 2, now_us);
	}
}
