/*
 * The host's side of a session, end to end: attend() on one end of a socket, on the other a VMM that is the real link and display
 * sender (host_fakevmm.c). Pictures, text, exit statuses, faults on the line, the control socket.
 */
/* links: tests/unit/host_fakevmm.c host/attend.c host/attend_report.c host/attend_session.c host/child.c host/control.c host/device.c host/http.c */
/* links: host/control_client.c host/control_input.c host/control_wait.c host/ctl.c host/faults.c host/input.c host/iso.c */
/* links: host/json.c host/keys.c host/kvm.c host/line.c host/listen.c host/loading.c host/machine.c host/machine_bochs.c */
/* links: host/machine_qemu.c host/options.c host/options_show.c host/paths.c host/player.c host/png.c host/pollset.c host/record.c */
/* links: host/recording.c host/rfb.c host/say.c host/session.c host/show.c host/sink.c host/spec.c host/table.c host/text.c host/vnc.c host/web.c */
/* links: host/layout.c host/pane.c host/window.c host/window_keys.c devices/vga_font.c */
/* links: stream/[a-z]*.c */
/* libs: -lpng -lvncserver -lvncclient -lz -lSDL2 */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <png.h>
#include <rfb/rfbclient.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include "host/attend.h"
#include "host/commands.h"
#include "host/json.h"
#include "host/say.h"
#include "tests/unit/host_fakevmm.h"

static char dir[] = "/tmp/tessera-test-XXXXXX";
static int signal_fd;

static char *in_dir(const char *name)
{
	static char path[4][256];
	static unsigned next;
	char *p = path[next++ % 4];

	snprintf(p, 256, "%s/%s", dir, name);
	return p;
}

static void wipe(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s/*", dir);
	assert_int_equal(system(command), 0);
}

static struct options options(void)
{
	struct options o = {
		.view = VIEW_NONE, .guest = "fake", .listen_addr = "127.0.0.1", .faults.seed = 1, .timeout_us = 30000000
	};

	wipe();
	o.serial = strdup(in_dir("serial"));
	o.log_file = strdup(in_dir("log"));
	o.stats_file = strdup(in_dir("stats"));
	o.control = strdup(in_dir("control"));
	o.screenshot_dir = strdup(in_dir("shots"));
	return o;
}

static void drop(struct options *o)
{
	free((char *)o->serial);
	free((char *)o->log_file);
	free((char *)o->stats_file);
	free((char *)o->control);
	free((char *)o->screenshot_dir);
}

static int run(enum fake_end end, struct options *o, uint32_t rate)
{
	int fd, status;
	pid_t pid = fake_vmm(end, &fd);

	assert_true(pid > 0);
	status = attend(o, &(struct attend_source){ .line_fd = fd, .rate = rate, .window_rate = rate }, signal_fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return status;
}

/* CRC-32 of a PNG's pixels as B, G, R, 0. */
static uint32_t png_crc(const char *path)
{
	png_image image = { .version = PNG_IMAGE_VERSION };
	uint8_t *px;
	uint32_t crc;
	size_t size;

	if (!png_image_begin_read_from_file(&image, path))
		return 0;
	image.format = PNG_FORMAT_BGRA;
	size = PNG_IMAGE_SIZE(image);
	px = malloc(size);
	assert_true(png_image_finish_read(&image, NULL, px, 0, NULL));
	for (size_t i = 3; i < size; i += 4)
		px[i] = 0;
	crc = (uint32_t)crc32(0, px, (uInt)size);
	free(px);
	return crc;
}

static void assert_shots(void)
{
	char name[64];

	for (unsigned h = 0; h < 2; h++) {
		for (unsigned s = 0; s < FAKE_STEPS; s++) {
			snprintf(name, sizeof(name), "shots/head%u-%03u.png", h, s);
			assert_int_equal(png_crc(in_dir(name)), fake_crc(h, s));
		}
		snprintf(name, sizeof(name), "shots/head%u.png", h);
		assert_int_equal(png_crc(in_dir(name)), fake_crc(h, FAKE_STEPS - 1));
	}
}

static struct text slurp(const char *name)
{
	struct text t = { 0 };

	assert_int_equal(text_read_file(&t, in_dir(name), 1 << 20), 0);
	return t;
}

static void assert_serial(void)
{
	struct text want = { 0 }, got = slurp("serial");

	for (unsigned s = 0; s < FAKE_STEPS; s++)
		for (unsigned h = 0; h < 2; h++)
			text_printf(&want, "screen head=%u size=%ux%u crc=%08x\n", h, FAKE_WIDTH, FAKE_HEIGHT, fake_crc(h, s));
	assert_string_equal(text_str(&got), text_str(&want));
	text_free(&want);
	text_free(&got);
}

static void every_step_is_exact(void **state)
{
	struct options o = options();
	struct text t;

	(void)state;
	assert_int_equal(run(FAKE_DEBUG_EXIT, &o, 0), (21 << 1) | 1);
	assert_shots();
	assert_serial();
	t = slurp("log");
	assert_string_equal(text_str(&t), "log of the test\n");
	text_free(&t);
	t = slurp("stats");
	assert_true(json_valid(t.s, t.len));
	assert_non_null(strstr(t.s, "\"exit_status\":43"));
	assert_non_null(strstr(t.s, "\"vmm\":{\"exits\":{\"cpuid\":3,\"total\":5},\"tiles\":7}"));
	text_free(&t);
	drop(&o);
}

/* What the line garbles comes again, and nothing wrong is ever taken for right. */
static void a_bad_line_costs_nothing_but_time(void **state)
{
	static const struct fault_rates rates[] = {
		{ .flip = 3e-4, .seed = 1 },
		{ .drop = 3e-4, .seed = 2 },
		{ .dup = 3e-4, .seed = 3 },
		{ .flip = 2e-4, .drop = 2e-4, .dup = 2e-4, .seed = 4 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		struct options o = options();

		o.faults = rates[i];
		assert_int_equal(run(FAKE_DEBUG_EXIT, &o, 0), 43);
		assert_shots();
		assert_serial();
		drop(&o);
	}
}

static int replay(struct options *o, const char *file)
{
	struct player p;
	int status;

	assert_int_equal(player_open(&p, file, 0), 0);
	status = attend(o, &(struct attend_source){ .line_fd = -1, .player = &p }, signal_fd);
	player_close(&p);
	return status;
}

/* Whatever the line lost: the recording has what this end saw, and gives the same pictures and text again, and no exit status. */
static void a_recording_gives_the_same_again(void **state)
{
	struct options o = options();
	char file[] = "/tmp/tessera-test-rec-XXXXXX";

	(void)state;
	close(mkstemp(file));
	o.faults = (struct fault_rates){ .flip = 3e-4, .drop = 1e-4, .seed = 5 };
	o.record_file = file;
	assert_int_equal(run(FAKE_DEBUG_EXIT, &o, 0), 43);
	drop(&o);
	o = options();
	assert_int_equal(replay(&o, file), 0);
	assert_shots();
	assert_serial();
	drop(&o);
	/* Cut off, it plays what it has. */
	o = options();
	assert_int_equal(truncate(file, 4000), 0);
	assert_int_equal(replay(&o, file), EXIT_TOOL);
	drop(&o);
	unlink(file);
}

static void a_slow_line_is_slow(void **state)
{
	struct options o = options();
	struct text t;
	char *at;
	uint64_t begin = now_us(), took;

	(void)state;
	assert_int_equal(run(FAKE_DEBUG_EXIT, &o, 100000), 43);
	took = now_us() - begin;
	assert_shots();
	t = slurp("stats");
	at = strstr(t.s, "\"line_rx_bytes\":");
	assert_non_null(at);
	/* No more than its rate, but for what a limited line may save up. */
	assert_true((double)strtoull(at + 16, NULL, 10) <= 100000.0 * (double)took / 1e6 + 4000);
	text_free(&t);
	drop(&o);
}

static void ends(void **state)
{
	static const struct {
		enum fake_end end;
		int status;
	} cases[] = { { FAKE_CRASH, EXIT_CRASH },
		      { FAKE_PANIC, EXIT_TOOL },
		      { FAKE_HANG_UP, EXIT_TOOL },
		      { FAKE_MALFORMED, EXIT_TOOL },
		      { FAKE_DEAF, EXIT_TOOL } };

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct options o = options();

		assert_int_equal(run(cases[i].end, &o, 0), cases[i].status);
		assert_int_not_equal(access(o.control, F_OK), 0);
		drop(&o);
	}
}

/* Where another host has the line, this one says so and ends, or waits. */
static void the_line_is_taken(void **state)
{
	struct options o = options();
	struct text t;

	(void)state;
	assert_int_equal(run(FAKE_TAKEN, &o, 0), EXIT_TOOL);
	t = slurp("serial");
	assert_int_equal(t.len, 0);
	text_free(&t);
	o.wait = true;
	o.timeout_us = 2500000;
	assert_int_equal(run(FAKE_TAKEN, &o, 0), EXIT_TIMEOUT);
	drop(&o);
	o = options();
	o.wait = true;
	assert_int_equal(run(FAKE_LEFT, &o, 0), 43);
	assert_shots();
	assert_serial();
	drop(&o);
}

static void time_runs_out(void **state)
{
	struct options o = options();

	(void)state;
	o.timeout_us = 3000000; /* with sanitizers the encoder takes a second for four pictures on two heads */
	assert_int_equal(run(FAKE_STAY, &o, 0), EXIT_TIMEOUT);
	assert_int_equal(png_crc(in_dir("shots/head0.png")), fake_crc(0, FAKE_STEPS - 1));
	drop(&o);
}

static void a_signal_ends_it(void **state)
{
	struct options o = options();
	pid_t self = getpid(), killer = fork();

	(void)state;
	if (killer == 0) {
		usleep(300000);
		kill(self, SIGTERM);
		_exit(0);
	}
	assert_int_equal(run(FAKE_STAY, &o, 0), 128 + SIGTERM);
	waitpid(killer, NULL, 0);
	drop(&o);
}

/* ---- the control socket: `ctl` and `wait` in a process of their own, against attend in this one */

static int call(int (*command)(int, char **), const char *control, const char *const *words)
{
	char *argv[16] = { (char *)"x", (char *)"--control", (char *)control };
	int n = 3;

	while (*words)
		argv[n++] = (char *)*words++;
	return command(n, argv);
}

#define CTL(...) call(command_ctl, c, (const char *const[]){ __VA_ARGS__, NULL })
#define AWAIT(...) call(command_wait, c, (const char *const[]){ __VA_ARGS__, NULL })
#define MUST(e)                                                                                                                    \
	do {                                                                                                                       \
		if (!(e)) {                                                                                                        \
			fprintf(stderr, "line %d: %s\n", __LINE__, #e);                                                            \
			_exit(1);                                                                                                  \
		}                                                                                                                  \
	} while (0)

static void ask_things(const char *c)
{
	char crc[16];

	while (access(c, F_OK) != 0)
		usleep(10000);
	snprintf(crc, sizeof(crc), "%08x", fake_crc(1, FAKE_STEPS - 1));
	/* Answers go to a file that the test reads. */
	MUST(freopen(in_dir("answers"), "w", stdout));
	MUST(AWAIT("--head", "1", "--crc", crc, "--timeout", "10") == 0);
	MUST(freopen(in_dir("answers"), "w", stdout));
	MUST(AWAIT("--still", "50", "--timeout", "10") == 0);
	MUST(freopen(in_dir("answers"), "w", stdout));
	MUST(AWAIT("--text-log", "^screen head=1 .*crc=[0-9a-f]{8}$", "--timeout", "10") == 0);
	MUST(freopen(in_dir("answers"), "w", stdout));
	MUST(AWAIT("--text-log", "never printed", "--timeout", "0.2") == 124);
	MUST(freopen(in_dir("answers"), "w", stdout));
	MUST(AWAIT("--head", "1", "--crc", "0", "--timeout", "0.2") == 124);
	MUST(freopen(in_dir("answers"), "w", stdout));
	MUST(AWAIT("--text-log", "(") == 1);
	MUST(freopen(in_dir("answers"), "w", stdout));
	MUST(CTL("heads") == 0);
	MUST(CTL("--json", "heads") == 0);
	MUST(CTL("stats") == 0);
	MUST(CTL("--json", "stats") == 0);
	MUST(CTL("ranges") == 0);
	MUST(CTL("--json", "ranges") == 0);
	MUST(CTL("log") == 0);
	MUST(CTL("screenshot", in_dir("asked")) == 0);
	MUST(CTL("screenshot") == 1);
	MUST(CTL("plug", "2", "800x600") == 1);
	MUST(CTL("--json", "plug", "2", "800x600") == 1);
	MUST(CTL("quit") == 0);
	fclose(stdout);
	_exit(0);
}

static void answers_are_right(void **state)
{
	struct options o = options();
	pid_t asker = fork();
	struct text t, want = { 0 };
	int status;

	(void)state;
	if (asker == 0)
		ask_things(o.control);
	assert_int_equal(run(FAKE_STAY, &o, 0), 0);
	assert_int_equal(waitpid(asker, &status, 0), asker);
	assert_int_equal(status, 0);
	t = slurp("answers");
	for (unsigned h = 0; h < 2; h++)
		text_printf(&want, "head=%u size=200x100 crc=%08X\n", h, fake_crc(h, FAKE_STEPS - 1));
	text_printf(&want, "[{\"head\":0,\"width\":200,\"height\":100,\"crc\":\"%08X\"},", fake_crc(0, FAKE_STEPS - 1));
	assert_memory_equal(t.s, want.s, want.len);
	assert_non_null(strstr(t.s, "vmm.exits.cpuid=3 vmm.exits.total=5 vmm.tiles=7\n"));
	assert_non_null(strstr(t.s, "\"vmm\":{\"exits\":{\"cpuid\":3,\"total\":5},\"tiles\":7}}\n"));
	assert_non_null(strstr(t.s, "\nowner=stream id=0 pages=3\nowner=guest id=7 pages=1\n"));
	assert_non_null(
		strstr(t.s, "\n[{\"owner\":\"stream\",\"id\":0,\"pages\":3},{\"owner\":\"guest\",\"id\":7,\"pages\":1}]\n"));
	assert_non_null(strstr(t.s, "\nlog of the test\n"));
	assert_int_equal(png_crc(in_dir("asked/head1.png")), fake_crc(1, FAKE_STEPS - 1));
	text_free(&t);
	text_free(&want);
	drop(&o);
}

/* ---- VNC: libvncclient in a process of its own */

static int client_crc_is(rfbClient *client, uint32_t want)
{
	size_t n = (size_t)client->width * (size_t)client->height * 4;
	uint8_t *px = malloc(n);
	uint32_t crc;

	memcpy(px, client->frameBuffer, n);
	for (size_t i = 3; i < n; i += 4)
		px[i] = 0;
	crc = (uint32_t)crc32(0, px, (uInt)n);
	free(px);
	return crc == want;
}

static void watch_head_1(uint16_t port, const char *control)
{
	rfbClient *client;
	char crc[16];

	/* A head has its server once it has a picture. */
	while (access(control, F_OK) != 0)
		usleep(10000);
	snprintf(crc, sizeof(crc), "%08x", fake_crc(1, FAKE_STEPS - 1));
	MUST(call(command_wait, control, (const char *const[]){ "--head", "1", "--crc", crc, "--timeout", "25", NULL }) == 0);
	rfbEnableClientLogging = FALSE;
	client = rfbGetClient(8, 3, 4);
	client->format.redShift = 16;
	client->format.greenShift = 8;
	client->format.blueShift = 0;
	client->canHandleNewFBSize = TRUE;
	client->appData.enableJPEG = FALSE; /* pixels are compared */
	client->appData.encodingsString = "zrle hextile copyrect raw";
	client->serverHost = strdup("127.0.0.1");
	client->serverPort = port + 1;
	MUST(rfbInitClient(client, NULL, NULL));
	for (int i = 0; i < 500 && !(client->width == FAKE_WIDTH && client_crc_is(client, fake_crc(1, FAKE_STEPS - 1))); i++)
		if (WaitForMessage(client, 20000) > 0)
			MUST(HandleRFBServerMessage(client));
	MUST(client->width == FAKE_WIDTH && client_crc_is(client, fake_crc(1, FAKE_STEPS - 1)));
	SendKeyEvent(client, 'a', TRUE);
	SendKeyEvent(client, 'a', FALSE);
	SendKeyEvent(client, 0xff52, TRUE); /* XK_Up */
	SendKeyEvent(client, '!', TRUE); /* without its Shift */
	SendKeyEvent(client, 0xffe1, TRUE);
	SendKeyEvent(client, '!', TRUE);
	SendPointerEvent(client, 120, 34, 1);
	SendPointerEvent(client, 120, 34, 0x10);
	MUST(call(command_wait, control,
		  (const char *const[]){ "--text-log", "^pointer 1 120,34 0 1$", "--timeout", "5", NULL }) == 0);
	MUST(freopen("/dev/null", "w", stdout));
	MUST(call(command_ctl, control, (const char *const[]){ "quit", NULL }) == 0);
	_exit(0);
}

static void a_viewer_sees_and_types(void **state)
{
	struct options o = options();
	uint16_t port = (uint16_t)(20000 + getpid() % 20000);
	pid_t watcher = fork();
	struct text t;
	int status;

	(void)state;
	if (watcher == 0)
		watch_head_1(port, o.control);
	o.view = VIEW_VNC;
	o.listen_set = true;
	o.listen_port = port;
	assert_int_equal(run(FAKE_STAY, &o, 0), 0);
	assert_int_equal(waitpid(watcher, &status, 0), watcher);
	assert_int_equal(status, 0);
	t = slurp("serial");
	assert_non_null(strstr(t.s, "key 1 001e\nkey 0 001e\nkey 1 e048\nkey 1 002a\nkey 1 0002\nkey 0 002a\n"
				    "key 1 002a\nkey 1 0002\npointer 1 120,34 1 0\npointer 1 120,34 0 1\n"));
	text_free(&t);
	drop(&o);
}

static int set_up(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	signal_fd = child_signals();
	return signal_fd < 0 ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	wipe();
	return rmdir(dir);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_step_is_exact), cmocka_unit_test(a_bad_line_costs_nothing_but_time),
		cmocka_unit_test(a_recording_gives_the_same_again),
		cmocka_unit_test(a_slow_line_is_slow), cmocka_unit_test(ends),
		cmocka_unit_test(the_line_is_taken),   cmocka_unit_test(time_runs_out),       cmocka_unit_test(a_signal_ends_it),
		cmocka_unit_test(answers_are_right),   cmocka_unit_test(a_viewer_sees_and_types),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
