#define _GNU_SOURCE
#include "host/line.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "host/say.h"
#include "host/session.h"

#define READ_MAX 16384
#define GATHER_BYTES 64
#define GATHER_US 100	     /* a socket of this kind holds 277 single bytes */
#define BUDGET_SPAN_US 20000 /* a limited line saves up for this long at most */

void line_init(struct line *l, int fd, uint32_t rate, const struct fault_rates *faults)
{
	*l = (struct line){ .fd = fd, .rate = rate, .start_us = now_us() };
	l->budget_us = l->rx_us = l->start_us;
	faults_init(&l->rx_faults, faults, 0);
	faults_init(&l->tx_faults, faults, 1);
}

void line_close(struct line *l)
{
	if (l->fd >= 0)
		close(l->fd);
	l->fd = -1;
}

static void end(struct line *l, int error)
{
	l->at_end = true;
	l->error = error;
	line_close(l);
}

static void earn(struct line *l, uint64_t now)
{
	double most = (double)l->rate * BUDGET_SPAN_US / 1e6 + 1, earned = (double)(now - l->budget_us) * l->rate / 1e6;

	l->budget_us = now;
	l->rx_budget = l->rx_budget + earned < most ? l->rx_budget + earned : most;
	l->tx_budget = l->tx_budget + earned < most ? l->tx_budget + earned : most;
}

static bool may(const struct line *l, double budget)
{
	return !l->rate || budget >= 1;
}

/* Bytes that a limited line lets through now. */
static size_t limit(const struct line *l, double budget, size_t n)
{
	return l->rate && budget < (double)n ? (size_t)budget : n;
}

static void fill(struct line *l, struct link *link, uint64_t now)
{
	uint8_t buf[LINK_LINE_MAX];

	/* A cut line may swallow all of it: ask again, but not for ever. */
	for (int i = 0; i < 64 && l->out_pos == l->out_len; i++) {
		size_t n = link_tx(link, buf, sizeof(buf), now);

		if (!n)
			return;
		l->out_len = faults_apply(&l->tx_faults, buf, n, l->out, now - l->start_us);
		l->out_pos = 0;
	}
}

/* The link wants another rate, and all that it had to say at the old one was written. */
static void set_baud(struct line *l, struct link *link)
{
	uint32_t baud = link_baud_wanted(link);

	if (!baud || l->out_pos < l->out_len)
		return;
	if (line_set_baud(l->fd, baud) == 0) {
		say_more("the line runs at %u baud", baud);
		link->my_window = session_window(baud / 10);
		link_baud_set(link, true, now_us());
	} else {
		link_baud_set(link, false, now_us());
	}
}

void line_prepare(struct line *l, struct link *link, struct pollset *p, bool hold)
{
	uint64_t now = now_us(), until;
	bool want_rx, want_tx;

	if (l->fd < 0)
		return;
	earn(l, now);
	fill(l, link, now);
	set_baud(l, link);
	want_rx = !hold;
	if (faults_stalled(&l->rx_faults, now - l->start_us, &until)) {
		want_rx = false;
		pollset_wake(p, l->start_us + until);
	}
	if (!want_rx)
		link->heard_us = now; /* who does not listen cannot say that the far end is silent */
	want_tx = l->out_pos < l->out_len;
	pollset_add(p, l->fd,
		    (short)((want_rx && may(l, l->rx_budget) ? POLLIN : 0) | (want_tx && may(l, l->tx_budget) ? POLLOUT : 0)));
	if (l->rate && ((want_rx && !may(l, l->rx_budget)) || (want_tx && !may(l, l->tx_budget))))
		pollset_wake(p, now + 1000000 / l->rate + 1000);
	pollset_wake(p, link_deadline(link, now));
}

static void receive(struct line *l, struct link *link)
{
	static uint8_t in[READ_MAX], faulty[2 * READ_MAX];
	size_t k, cap = limit(l, l->rx_budget, sizeof(in));
	ssize_t n = read(l->fd, in, cap ? cap : 1);
	uint64_t now = now_us();

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		end(l, n < 0 ? errno : 0);
		return;
	}
	/*
	 * An emulated UART writes byte by byte. Waking up for each costs both sides more than the byte: while they come in
	 * dribbles, let some gather.
	 */
	if (n < GATHER_BYTES)
		usleep(GATHER_US);
	l->rx_us = now;
	l->rx_bytes += (uint64_t)n;
	l->rx_budget -= (double)n;
	k = faults_apply(&l->rx_faults, in, (size_t)n, faulty, now - l->start_us);
	link_rx(link, faulty, k, now);
}

static void transmit(struct line *l, struct link *link)
{
	for (;;) {
		size_t left = limit(l, l->tx_budget, l->out_len - l->out_pos);
		ssize_t n;

		if (!left)
			return;
		n = write(l->fd, l->out + l->out_pos, left);
		if (n < 0) {
			if (errno != EINTR && errno != EAGAIN)
				end(l, errno);
			return;
		}
		l->tx_bytes += (uint64_t)n;
		l->tx_budget -= (double)n;
		l->out_pos += (size_t)n;
		if (l->out_pos < l->out_len)
			return;
		fill(l, link, now_us());
	}
}

void line_pump(struct line *l, struct link *link, const struct pollset *p)
{
	short got = l->fd < 0 ? 0 : pollset_got(p, l->fd);

	/* What the far end said before it hung up is read first; read then reports the end. */
	if (got & POLLIN || (got & (POLLHUP | POLLERR | POLLNVAL) && !(got & POLLOUT)))
		receive(l, link);
	if (l->fd >= 0 && got & POLLOUT)
		transmit(l, link);
}

void line_flush(struct line *l, struct link *link, uint64_t limit_us)
{
	uint64_t until = now_us() + limit_us;
	struct pollset p;

	while (l->fd >= 0 && now_us() < until) {
		pollset_clear(&p);
		line_prepare(l, link, &p, true);
		if (l->out_pos == l->out_len)
			return;
		pollset_wake(&p, until);
		if (pollset_wait(&p) < 0)
			return;
		line_pump(l, link, &p);
	}
}
