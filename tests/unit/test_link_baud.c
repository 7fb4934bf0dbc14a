/*
 * The line's rate is raised before a session. Two ends with UARTs that have a rate: what is sent at one and received at another is
 * garbage. Whatever is lost on the way, and however a rate fails, a session stands in the end, at a rate that works.
 */
/* links: stream/link.c stream/link_baud.c stream/link_rate.c stream/link_ring.c stream/link_rx.c stream/link_tx.c stream/cobs.c stream/crc32c.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "stream/cobs.h"
#include "stream/link.h"
#include "tests/unit/random.h"

#define HOME 115200u
#define STEP_US 1000u
#define FIFO 65536u
#define BYE_SILENT LINK_BYE_SILENT

/* A byte on the wire, and the rate at which it was sent. */
struct on_wire {
	uint8_t byte;
	uint32_t baud;
};

struct wire {
	struct on_wire at[FIFO];
	uint32_t head, tail;
	double due; /* bytes that it may carry by now */
};

struct end {
	struct link link;
	uint32_t baud; /* of its UART */
	unsigned refuses; /* so often it cannot set a rate */
	uint8_t ring[4096];
	unsigned connected, disconnected, reason;
	uint64_t got;
};

static struct {
	struct rng r;
	uint64_t now;
	struct end vmm, host;
	struct wire down, up;
	uint32_t bad_from;	   /* from this rate on each byte is garbled with these odds */
	uint32_t odds;		   /* one in so many; 0: never */
	unsigned lose, frames;	   /* the frame with this number, of those that either end sends, is lost */
	bool host_there, vmm_there;
	bool cut;
} t;

static void connected(void *arg)
{
	struct end *e = arg;

	e->connected++;
}

static void disconnected(void *arg, unsigned reason)
{
	struct end *e = arg;

	e->disconnected++;
	e->reason = reason;
}

static void stream(void *arg, enum link_stream s, const uint8_t *data, size_t len)
{
	struct end *e = arg;

	assert_int_equal(s, LINK_LOG);
	for (size_t i = 0; i < len; i++)
		assert_int_equal(data[i], (uint8_t)(e->got + i));
	e->got += len;
}

static const struct link_ops ops = { .connected = connected, .disconnected = disconnected, .stream = stream };

static uint32_t mask(uint32_t most)
{
	uint32_t m = 0;

	for (unsigned i = 0; i < LINK_BAUDS; i++)
		if (link_bauds[i] <= most)
			m |= 1u << i;
	return m;
}

static void new_host(uint32_t nonce, uint32_t most)
{
	t.host.baud = HOME;
	t.host.connected = t.host.disconnected = 0;
	t.host.got = 0;
	link_init(&t.host.link, LINK_HOST, &ops, &t.host, NULL, nonce, 16384);
	link_baud_init(&t.host.link, HOME, mask(most));
	t.host_there = true;
}

static void begin(uint64_t seed, uint32_t vmm_most, uint32_t host_most)
{
	struct link_ring rings[LINK_STREAMS] = { [LINK_LOG] = { .buf = t.vmm.ring, .size = sizeof(t.vmm.ring), .keep = true } };

	memset(&t, 0, sizeof(t));
	t.r = rng_seed(seed);
	t.now = 1000000;
	t.vmm.baud = HOME;
	t.vmm_there = true;
	link_init(&t.vmm.link, LINK_VMM, &ops, &t.vmm, rings, 0, 4096);
	link_baud_init(&t.vmm.link, HOME, mask(vmm_most));
	new_host(1, host_most);
}

static void send(struct end *e, struct wire *w, bool there)
{
	uint32_t baud = link_baud_wanted(&e->link);
	uint8_t buf[LINK_LINE_MAX];
	size_t n;

	/* It is set when the last byte is out. */
	if (baud && w->head == w->tail) {
		if (e->refuses && baud != HOME) {
			e->refuses--;
			link_baud_set(&e->link, false, t.now);
		} else {
			e->baud = baud;
			link_baud_set(&e->link, true, t.now);
		}
	}
	if (!there || w->head - w->tail > 2000)
		return;
	/* Whole frames, so that a certain one can be lost. */
	n = link_tx(&e->link, buf, sizeof(buf), t.now);
	assert_true(!n || e->link.out_pos == e->link.out_len || n == sizeof(buf));
	if (!n || t.cut)
		return;
	size_t first = 0;

	for (size_t i = 1; i < n; i++) {
		if (buf[i])
			continue;
		t.frames++;
		for (size_t k = first; k <= i && t.frames != t.lose; k++)
			w->at[w->head++ % FIFO] = (struct on_wire){ buf[k], e->baud };
		first = ++i;
	}
}

static void deliver(struct end *e, struct wire *w, uint32_t sender, bool there)
{
	w->due += (double)sender / 10 * STEP_US / 1e6;
	for (; w->tail != w->head && w->due >= 1; w->due--, w->tail++) {
		struct on_wire b = w->at[w->tail % FIFO];

		if (b.baud != e->baud || (t.odds && b.baud >= t.bad_from && rng_once_in(&t.r, t.odds)))
			b.byte = (uint8_t)rng_next(&t.r);
		if (there)
			link_rx(&e->link, &b.byte, 1, t.now);
	}
	if (w->tail == w->head)
		w->due = 0;
}

static void step(void)
{
	t.now += STEP_US;
	send(&t.vmm, &t.down, t.vmm_there);
	send(&t.host, &t.up, t.host_there);
	deliver(&t.host, &t.down, t.vmm.baud, t.host_there);
	deliver(&t.vmm, &t.up, t.host.baud, t.vmm_there);
}

static bool both_up(void)
{
	return t.vmm.link.up && t.host.link.up && t.vmm.link.nonce == t.host.link.nonce;
}

/* As attend() does: a host whose session is over begins another, on the line as it is. */
static void host_restarts(uint32_t nonce)
{
	struct link_baud kept = t.host.link.baud;

	link_init(&t.host.link, LINK_HOST, &ops, &t.host, NULL, nonce, 16384);
	t.host.link.baud = kept;
	t.host.got = 0;
	link_baud_again(&t.host.link);
}

/* Until a session stands; fails after most_us. Returns the time it took. */
static uint64_t until_up(uint64_t most_us)
{
	uint64_t begin_us = t.now;

	while (!both_up()) {
		step();
		if (t.host.link.closed)
			host_restarts(t.host.link.nonce + 1);
		if (t.now - begin_us > most_us)
			fail_msg("no session after %llu ms: VMM %u baud, host %u baud", (unsigned long long)most_us / 1000,
				 t.vmm.baud, t.host.baud);
	}
	return t.now - begin_us;
}

/* Bytes go over the line as it is now. */
static void use(void)
{
	uint64_t want = t.vmm.link.ring[LINK_LOG].head;
	uint8_t text[1000];

	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (uint8_t)(want + i);
	link_write(&t.vmm.link, LINK_LOG, text, sizeof(text));
	for (int i = 0; i < 3000 && !link_drained(&t.vmm.link); i++)
		step();
	assert_true(link_drained(&t.vmm.link));
}

static void both_at(uint32_t baud)
{
	assert_int_equal(t.vmm.baud, baud);
	assert_int_equal(t.host.baud, baud);
}

static void the_best_that_both_can(void **state)
{
	static const struct {
		uint32_t vmm, host, best;
	} cases[] = { { 4000000, 4000000, 4000000 }, { 3000000, 4000000, 3000000 }, { 4000000, 921600, 921600 },
		      { 0, 4000000, HOME },	     { 4000000, 0, HOME },	    { 0, 0, HOME } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		begin(1, cases[i].vmm, cases[i].host);
		uint64_t took = until_up(2000000);

		both_at(cases[i].best);
		use();
		both_at(cases[i].best);
		assert_int_equal(t.vmm.connected, 1);
		print_message("VMM up to %u, host up to %u: %u baud after %llu ms\n", cases[i].vmm, cases[i].host, t.vmm.baud,
			      (unsigned long long)took / 1000);
	}
}

/* Each frame of the negotiation is lost once. Either the session comes at the raised rate or, where the OFFER was lost, as ever. */
static void any_frame_is_lost(void **state)
{
	unsigned raised = 0, frames, worst = 0;

	(void)state;
	begin(1, 3000000, 3000000);
	until_up(2000000);
	frames = t.frames;
	assert_in_range(frames, 20, 40); /* OFFER, HELLO, CHOICE, 8 PROBEs, 8 ECHOs, HELLO, WELCOME */
	for (unsigned lost = 1; lost <= frames; lost++) {
		begin(lost, 3000000, 3000000);
		t.lose = lost;
		unsigned took = (unsigned)until_up(6000000);

		worst = took > worst ? took : worst;
		raised += t.vmm.baud == 3000000;
		both_at(t.vmm.baud == HOME ? HOME : 3000000);
		use();
	}
	print_message("%u frames, each lost once: %u raised nevertheless, at most %u ms\n", frames, raised, worst / 1000);
	assert_true(raised >= frames - 2);
}

/* Rates at which bytes are garbled are found out, and the next lower one is tried. */
static void a_rate_that_fails(void **state)
{
	static const struct {
		uint32_t bad_from, odds, best;
	} cases[] = { { 4000000, 1, 2000000 }, { 4000000, 50, 2000000 }, { 2500000, 20, 2000000 }, { 1500000, 1, 1000000 }, { 230400, 1, HOME } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		begin(i, 4000000, 4000000);
		t.bad_from = cases[i].bad_from;
		t.odds = cases[i].odds;
		uint64_t took = until_up(11000000);

		assert_true(t.vmm.baud <= cases[i].best);
		both_at(t.vmm.baud);
		use();
		print_message("bad from %u on: %u baud after %llu ms\n", t.bad_from, t.vmm.baud, (unsigned long long)took / 1000);
		if (cases[i].odds == 1)
			both_at(cases[i].best);
	}
}

/* A UART or a driver that says no when it comes to it. */
static void an_end_that_refuses(void **state)
{
	(void)state;
	for (unsigned which = 0; which < 2; which++) {
		begin(1, 4000000, 4000000);
		(which ? &t.host : &t.vmm)->refuses = 1;
		until_up(10000000);
		assert_true(!which || t.vmm.baud > HOME); /* without the VMM's UART the HELLO behind the OFFER counts */
		both_at(t.vmm.baud);
		use();
	}
}

/* The host is gone at any time of the negotiation, or later: a new one at the old rate finds the VMM. */
static void the_host_vanishes(void **state)
{
	uint64_t worst = 0;

	(void)state;
	for (unsigned after = 1; after < 400; after += 7) {
		begin(after, 4000000, 4000000);
		for (unsigned i = 0; i < after; i++)
			step();
		new_host(2, after % 2 ? 4000000 : 0);
		uint64_t took = until_up(9000000);

		worst = took > worst ? took : worst;
		both_at(after % 2 && t.vmm.baud != HOME ? 4000000 : HOME);
		use();
	}
	print_message("a host vanished: the next one has a session after %llu ms at most\n", (unsigned long long)worst / 1000);
	/* By itself, too: nobody comes, and the VMM is where it was. */
	begin(1, 4000000, 4000000);
	until_up(2000000);
	t.host_there = false;
	for (unsigned i = 0; i < 5100; i++)
		step();
	assert_false(t.vmm.link.up);
	assert_int_equal(t.vmm.baud, HOME);
	assert_true(t.vmm.disconnected == 1 && t.vmm.reason == BYE_SILENT);
	assert_true(link_deadline(&t.vmm.link, t.now) == UINT64_MAX);
	/* One that leaves in order leaves the line at the old rate at once. */
	begin(1, 4000000, 4000000);
	until_up(2000000);
	link_bye(&t.host.link, 0);
	for (unsigned i = 0; i < 20; i++)
		step();
	assert_int_equal(t.vmm.baud, HOME);
}

/* The VMM is started anew, or the cable is out for a while: the host notices, and both meet at the old rate. */
static void the_vmm_vanishes(void **state)
{
	(void)state;
	begin(1, 4000000, 4000000);
	until_up(2000000);
	use();
	t.cut = true;
	for (unsigned i = 0; i < 6000; i++)
		step();
	assert_true(t.host.disconnected == 1 && t.host.reason == BYE_SILENT);
	t.cut = false;
	until_up(9000000);
	use();
	/* Quiet is not silence: an idle session stays as it is. */
	uint32_t baud = t.vmm.baud;
	uint64_t sent = t.vmm.link.tx_bytes;

	assert_true(baud > HOME);
	for (unsigned i = 0; i < 30000; i++)
		step();
	assert_true(both_up());
	both_at(baud);
	assert_in_range(t.vmm.link.tx_bytes - sent, 1, 30 * 100);
}

/* A line with faults at any rate, any time: in the end there is a session, and both have one rate. */
static void torture(void **state)
{
	unsigned raised = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= 300; seed++) {
		begin(seed, rng_once_in(&t.r, 2) ? 4000000 : 921600, 4000000);
		t.r = rng_seed(seed);
		t.odds = rng_once_in(&t.r, 2) ? 20 + rng_below(&t.r, 3000) : 0;
		t.bad_from = rng_once_in(&t.r, 2) ? 0 : link_bauds[rng_below(&t.r, LINK_BAUDS)];
		for (unsigned i = rng_below(&t.r, 4000), n = 0; i--; n++) {
			step();
			t.cut = rng_once_in(&t.r, 300) ? !t.cut : t.cut;
			if (rng_once_in(&t.r, 1500))
				new_host(100 + n, 4000000);
			if (t.host.link.closed)
				host_restarts(10000 + n);
		}
		t.cut = false;
		t.odds = 0;
		until_up(15000000);
		both_at(t.vmm.baud);
		use();
		both_at(t.vmm.baud);
		raised += t.vmm.baud > HOME;
	}
	print_message("300 bad lines: %u ended at a raised rate\n", raised);
	assert_true(raised > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_best_that_both_can), cmocka_unit_test(any_frame_is_lost), cmocka_unit_test(a_rate_that_fails),
		cmocka_unit_test(an_end_that_refuses),	  cmocka_unit_test(the_host_vanishes), cmocka_unit_test(the_vmm_vanishes),
		cmocka_unit_test(torture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
