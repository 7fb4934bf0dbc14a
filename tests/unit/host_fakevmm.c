#define _GNU_SOURCE
#include "tests/unit/host_fakevmm.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include <signal.h>

#include "stream/link.h"
#include "stream/proto.h"

#define HEADS 2

static struct {
	int fd;
	enum fake_end end;
	struct link link;
	struct link holder; /* another host at the same line */
	uint64_t holds_until;
	struct display_tx tx;
	struct proto_reader reader, input;
	uint32_t px[HEADS][FAKE_WIDTH * FAKE_HEIGHT];
	uint8_t ring[3][65536];
	unsigned step;
	bool announced, over;
	int quit;
} v;

static uint64_t clock_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000u + (uint64_t)ts.tv_nsec / 1000;
}

/* Step 0 is a pattern with flat, striped, noisy and chequered parts; each further step changes less of it. */
static void paint(uint32_t *px, unsigned head, unsigned step)
{
	uint32_t noise = 12345 + head;

	for (unsigned y = 0; y < FAKE_HEIGHT; y++) {
		for (unsigned x = 0; x < FAKE_WIDTH; x++) {
			noise = noise * 1664525 + 1013904223;
			px[y * FAKE_WIDTH + x] = y < 30	  ? 0x102030 * (head + 1)
						 : y < 60 ? (x & 8 ? 0xffffff : 0x0000ff)
						 : y < 80 ? noise >> 8
							  : (x / 16 + y / 16) % 3 * 0x405060;
		}
	}
	for (unsigned s = 1; s <= step; s++)
		for (unsigned i = 0; i < 1000 / (s * s); i++)
			px[(i * 37 + s * 991) % (FAKE_WIDTH * FAKE_HEIGHT)] = 0xff0000 + s * 0x11;
}

uint32_t fake_crc(unsigned head, unsigned step)
{
	static uint32_t px[FAKE_WIDTH * FAKE_HEIGHT];

	paint(px, head, step);
	return (uint32_t)crc32(0, (const void *)px, sizeof(px));
}

static void message(uint8_t type, const void *body, size_t len)
{
	uint8_t buf[2 + PROTO_MAX];

	link_write(&v.link, LINK_CONTROL, buf, proto_make(buf, sizeof(buf), type, body, len));
}

static void put32(uint8_t *p, uint32_t x)
{
	for (int i = 0; i < 4; i++)
		p[i] = (uint8_t)(x >> 8 * i);
}

static void on_message(void *arg, uint8_t type, const uint8_t *body, size_t len)
{
	static const char stats[] = "{\"exits\":{\"cpuid\":3,\"total\":5},\"tiles\":7}";
	static const char ranges[] = "[{\"owner\":\"stream\",\"id\":0,\"pages\":3},{\"owner\":\"guest\",\"id\":7,\"pages\":1}]";
	uint8_t reply[128];
	size_t n = 8;

	(void)arg;
	if (type != MSG_REQUEST || len < 5)
		return;
	memcpy(reply, body, 4);
	put32(reply + 4, 0);
	if (len == 9 && memcmp(body + 4, "stats", 5) == 0) {
		memcpy(reply + 8, stats, sizeof(stats) - 1);
		n += sizeof(stats) - 1;
	} else if (len == 10 && memcmp(body + 4, "ranges", 6) == 0) {
		memcpy(reply + 8, ranges, sizeof(ranges) - 1);
		n += sizeof(ranges) - 1;
	} else if (len == 8 && memcmp(body + 4, "quit", 4) == 0) {
		v.quit = 1;
	} else {
		put32(reply + 4, (uint32_t)-ENOSYS);
	}
	message(MSG_REPLY, reply, n);
}

/* Input events are shown as text on the guest's serial port. */
static void on_input(void *arg, uint8_t type, const uint8_t *b, size_t len)
{
	char line[80] = "";

	(void)arg;
	if (type == MSG_KEY && len == 3)
		snprintf(line, sizeof(line), "key %u %04x\n", b[0], b[1] | (unsigned)b[2] << 8);
	if (type == MSG_POINTER && len == 7)
		snprintf(line, sizeof(line), "pointer %u %u,%u %u %d\n", b[0], b[1] | (unsigned)b[2] << 8,
			 b[3] | (unsigned)b[4] << 8, b[5], (int8_t)b[6]);
	link_write(&v.link, LINK_SERIAL, line, strlen(line));
}

static void on_stream(void *arg, enum link_stream s, const uint8_t *data, size_t len)
{
	(void)arg;
	if (s == LINK_CONTROL)
		proto_feed(&v.reader, data, len, on_message, NULL);
	if (s == LINK_SERIAL)
		link_write(&v.link, LINK_SERIAL, data, len);
	if (s == LINK_INPUT)
		proto_feed(&v.input, data, len, on_input, NULL);
}

static size_t on_build(void *arg, uint8_t *buf, struct dtx_cookie *cookie)
{
	(void)arg;
	while (dtx_work(&v.tx, link_body(&v.link), 64) == DTX_WORKING)
		;
	return dtx_take(&v.tx, buf, cookie);
}

static void on_answer(void *arg, const struct dtx_cookie *cookie, bool ok)
{
	(void)arg;
	dtx_answer(&v.tx, cookie, ok);
}

static void on_connected(void *arg)
{
	(void)arg;
	dtx_reset(&v.tx, 0);
}

static void on_disconnected(void *arg, unsigned reason)
{
	(void)arg;
	(void)reason;
	v.quit = !v.holds_until;
	v.holds_until = 0;
}

static const struct link_ops ops = {
	.connected = on_connected, .disconnected = on_disconnected, .stream = on_stream, .build = on_build, .answer = on_answer
};

static void say(enum link_stream s, const char *text)
{
	link_write(&v.link, s, text, strlen(text));
}

/* Says what the far end shows, and asks for a screenshot of it. */
static void announce(void)
{
	char line[128];
	uint8_t body[4];

	for (unsigned h = 0; h < HEADS; h++) {
		snprintf(line, sizeof(line), "screen head=%u size=%dx%d crc=%08x\n", h, FAKE_WIDTH, FAKE_HEIGHT,
			 fake_crc(h, v.step));
		say(LINK_SERIAL, line);
	}
	put32(body, v.step);
	message(MSG_SHOT, body, 4);
}

static void paint_next(void)
{
	v.step++;
	for (unsigned h = 0; h < HEADS; h++) {
		paint(v.px[h], h, v.step);
		dtx_damage(&v.tx, h, 0, sizeof(v.px[h]));
	}
}

static void end_guest(uint8_t how, uint32_t value)
{
	uint8_t body[5] = { how };

	put32(body + 1, value);
	message(MSG_EXIT, body, 5);
}

static void end(void)
{
	switch (v.end) {
	case FAKE_LEFT:
	case FAKE_DEBUG_EXIT: end_guest(END_DEBUG_EXIT, 21); break;
	case FAKE_CRASH:
		message(MSG_PARKED, "triple fault at 0x1234", 22);
		end_guest(END_CRASH, 0);
		break;
	case FAKE_PANIC:
		say(LINK_LOG, "\nTessera test: panic: frames.c:1: assertion failed: no\nrip 1234\n");
		v.quit = 1;
		break;
	case FAKE_HANG_UP: v.quit = 1; break;
	case FAKE_MALFORMED: link_write(&v.link, LINK_CONTROL, "\0\0\0", 3); break;
	default: break;
	}
}

/* As the VMM does: the picture stays until the message about it has arrived, for a lost one would be overtaken by the next picture.
 */
static void advance(void)
{
	if (!v.link.up || v.holds_until || v.over || !dtx_idle(&v.tx, true) || !link_drained(&v.link))
		return;
	v.announced = !v.announced;
	if (v.announced) {
		announce();
	} else if (v.step + 1 < FAKE_STEPS) {
		paint_next();
	} else {
		v.over = true;
		end();
	}
}

/* The other host hears the same and speaks on the same line, until it leaves. */
static void pump_holder(const uint8_t *heard, size_t len)
{
	uint8_t buf[LINK_LINE_MAX];
	size_t n;

	if (!v.holds_until)
		return;
	link_rx(&v.holder, heard, len, clock_us());
	if (clock_us() >= v.holds_until && !v.holder.closed)
		link_bye(&v.holder, 0);
	while ((n = link_tx(&v.holder, buf, sizeof(buf), clock_us())))
		link_rx(&v.link, buf, n, clock_us());
}

static void hold_line(void)
{
	static const struct link_ops none = { 0 };
	uint8_t buf[LINK_LINE_MAX];
	size_t n;

	v.holds_until = clock_us() + (v.end == FAKE_LEFT ? 1000000 : 100000000);
	link_init(&v.holder, LINK_HOST, &none, NULL, NULL, 4711, 8192);
	pump_holder(buf, 0);
	while ((n = link_tx(&v.link, buf, sizeof(buf), clock_us())))
		pump_holder(buf, n);
}

static void pump(void)
{
	uint8_t buf[4096];
	uint64_t now = clock_us(), deadline = link_deadline(&v.link, now);
	struct pollfd p = { .fd = v.fd, .events = POLLIN };
	ssize_t n;

	poll(&p, 1, deadline <= now ? 0 : deadline - now > 5000 ? 5 : (int)((deadline - now) / 1000));
	n = read(v.fd, buf, sizeof(buf));
	if (n == 0)
		_exit(0);
	if (n > 0)
		link_rx(&v.link, buf, (size_t)n, clock_us());
	pump_holder(buf, 0);
	while ((n = (ssize_t)link_tx(&v.link, buf, sizeof(buf), clock_us())) > 0) {
		pump_holder(buf, (size_t)n);
		for (ssize_t done = 0, k; done<n; done += k> 0 ? k : 0) {
			k = write(v.fd, buf + done, (size_t)(n - done));
			if (k < 0 && errno != EAGAIN)
				_exit(0);
		}
	}
}

static void play(void)
{
	static const char banner[] = "Tessera test\r\n4 CPUs, waiting for a host\r\n";
	struct link_ring rings[LINK_STREAMS] = { [LINK_CONTROL] = { .buf = v.ring[0], .size = sizeof(v.ring[0]) },
						 [LINK_LOG] = { .buf = v.ring[1], .size = sizeof(v.ring[1]), .keep = true },
						 [LINK_SERIAL] = { .buf = v.ring[2], .size = sizeof(v.ring[2]), .keep = true } };

	if (write(v.fd, banner, sizeof(banner) - 1) < 0)
		_exit(1);
	if (v.end == FAKE_DEAF) {
		usleep(100000);
		_exit(0);
	}
	link_init(&v.link, LINK_VMM, &ops, NULL, rings, 0, 8192);
	v.tx.fast = true; /* noise takes long in the dense mode, with sanitizers */
	for (unsigned h = 0; h < HEADS; h++) {
		struct scanout so = { .base = (const volatile uint8_t *)v.px[h],
				      .stride = FAKE_WIDTH * 4,
				      .width = FAKE_WIDTH,
				      .height = FAKE_HEIGHT,
				      .bpp = 32 };

		paint(v.px[h], h, 0);
		size_t bytes = dtx_room(FAKE_WIDTH, FAKE_HEIGHT);

		if (dtx_mode(&v.tx, h, &so, malloc(bytes), bytes))
			_exit(1);
	}
	say(LINK_LOG, "log of the test\n");
	if (v.end == FAKE_TAKEN || v.end == FAKE_LEFT)
		hold_line();
	for (uint64_t until = clock_us() + 60000000; clock_us() < until;) {
		pump();
		if (v.quit && (link_drained(&v.link) || !v.link.up))
			_exit(0);
		advance();
	}
}

pid_t fake_vmm(enum fake_end what, int *fd)
{
	int pair[2];
	pid_t pid;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0)
		return -1;
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		close(pair[0]);
		v.fd = pair[1];
		v.end = what;
		play();
		_exit(0);
	}
	close(pair[1]);
	*fd = pair[0];
	return pid;
}
