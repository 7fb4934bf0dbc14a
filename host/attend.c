#define _GNU_SOURCE
#include "host/attend.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/input.h"
#include "host/png.h"
#include "host/say.h"

#define SERIAL_KEPT (1u << 20)
#define LOG_KEPT (64u << 10)
#define BANNER_KEPT (16u << 10)
#define FLUSH_US 2000000u /* for the reader of our stdout */
#define PANIC_QUIET_US 500000u
#define SILENCE_US 10000000u /* then the VMM is asked whether it lives, as often */
#define DEAD_US 45000000u    /* and is given up */
#define STARVED_LOOK_US 1000000u /* so long at least until a machine that lacked CPU time is looked at again */

/* ---- what time and the system tell */

static void accept_line(struct attend *a, uint32_t rate)
{
	int fd = accept4(a->machine->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	line_init(&a->line, fd, rate, &a->o->faults);
	close(a->machine->listen_fd);
	a->machine->listen_fd = -1;
	attend_set_phase(a, PHASE_HELLO, (uint64_t)a->machine->kind->hello_sec * 1000000);
}

static void on_line_end(struct attend *a)
{
	if (a->phase >= PHASE_STATS) {
		attend_set_phase(a, PHASE_OVER, 0);
		return;
	}
	if (a->machine) {
		child_wait(&a->machine->child, 1000000);
		if (a->panicked)
			say("the VMM gave up");
		else
			say("%s went away %s", a->machine->kind->name,
			    a->session.was_up ? "in the middle of the run" : "before the VMM said hello");
	} else {
		say("%s: %s", a->o->guest, a->line.error ? strerror(a->line.error) : "the far end closed the line (unplugged?)");
	}
	attend_fail(a);
}

static void on_child_end(struct attend *a)
{
	if (a->phase == PHASE_CONNECT) {
		say("%s ended before the machine had started", a->machine->kind->name);
		attend_fail(a);
	}
	/* Else its socket tells, after the last bytes on it. */
}

/* The recording is over. Where somebody looks the last picture stays; else that is the end. */
static void on_player_end(struct attend *a)
{
	if (a->have_end)
		return;
	a->have_end = true;
	a->status = a->player->recording.why ? EXIT_TOOL : 0;
	recording_explain(&a->player->recording);
	if (!a->show.ops)
		attend_set_phase(a, PHASE_OVER, 0);
	else if (!a->player->recording.why)
		say("%s is over: its last picture stays until Ctrl-C", a->o->guest);
}

/* The time is meant for a CPU of its own: what a busy host kept from the emulator comes on top. */
static void on_no_answer(struct attend *a)
{
	unsigned limit_sec = a->machine->kind->hello_sec;
	uint64_t lacks_us = child_lacks_us(&a->machine->child, (uint64_t)limit_sec * 1000000);

	if (lacks_us) {
		say_more("%s had %.1f s of CPU time so far", a->machine->kind->name, limit_sec - (double)lacks_us / 1e6);
		attend_set_phase(a, a->phase, lacks_us < STARVED_LOOK_US ? STARVED_LOOK_US : lacks_us);
		return;
	}
	say("the VMM did not answer in %u s", limit_sec);
	attend_fail(a);
}

static void on_phase_end(struct attend *a)
{
	switch (a->phase) {
	case PHASE_CONNECT:
	case PHASE_HELLO: on_no_answer(a); break;
	case PHASE_STATS: attend_leave(a); break;
	case PHASE_QUIT: attend_set_phase(a, PHASE_OVER, 0); break;
	default: break;
	}
}

static void on_silence(struct attend *a)
{
	if (a->machine) {
		say("the VMM does not answer any more");
		attend_fail(a);
		return;
	}
	/* A real line may have been unplugged, its machine switched off and on: begin again with whoever answers. */
	if (!a->warned_silent)
		say("%s: nobody answers; waiting", a->o->guest);
	a->warned_silent = true;
	a->restart_us = now_us();
}

static void look_for_silence(struct attend *a)
{
	uint64_t now = now_us(), quiet = now - a->line.rx_us;

	if (a->phase != PHASE_RUN || a->line.fd < 0 || quiet < SILENCE_US)
		return;
	if (quiet >= DEAD_US) {
		on_silence(a);
	} else if (now - a->pinged_us >= SILENCE_US) {
		a->pinged_us = now;
		link_ping(&a->session.link);
	}
}

/* Its report is whole when nothing more comes. */
static void look_for_panic(struct attend *a)
{
	if (!a->panicked || a->phase > PHASE_RUN || now_us() - a->line.rx_us < PANIC_QUIET_US)
		return;
	say("the VMM gave up");
	attend_fail(a);
}

static void on_signal(struct attend *a, int sig)
{
	say_more("ended by SIG%s", sigabbrev_np(sig));
	if (!a->have_end)
		a->status = 128 + sig;
	a->have_end = true;
	if (!a->machine && !a->player)
		link_bye(&a->session.link, 0);
	attend_set_phase(a, PHASE_OVER, 0);
}

static void quit_asked(void *arg)
{
	struct attend *a = arg;

	if (a->player && !a->have_end)
		a->status = 0;
	if (a->player)
		attend_set_phase(a, PHASE_OVER, 0);
	else
		attend_finish(a, 0);
}

static void host_stats(void *arg, struct text *json)
{
	attend_host_stats(arg, json);
}

/* ---- the loop */

static void prepare(struct attend *a, struct pollset *p)
{
	bool hold = sink_full(&a->serial) || sink_full(&a->log);

	pollset_clear(p);
	pollset_add(p, a->signal_fd, POLLIN);
	if (a->phase == PHASE_CONNECT)
		pollset_add(p, a->machine->listen_fd, POLLIN);
	line_prepare(&a->line, &a->session.link, p, hold);
	if (a->player)
		pollset_wake(p, hold ? UINT64_MAX : player_deadline(a->player));
	sink_prepare(&a->serial, p);
	sink_prepare(&a->log, p);
	input_prepare(&a->session, p);
	show_prepare(&a->show, p);
	if (a->control)
		control_prepare(a->control, p);
	pollset_wake(p, session_expire(&a->session, false));
	pollset_wake(p, a->phase_until_us);
	if (a->phase < PHASE_STATS)
		pollset_wake(p, a->restart_us);
	if (a->o->timeout_us && (!a->have_end || a->player))
		pollset_wake(p, a->start_us + a->o->timeout_us);
	if (a->phase == PHASE_RUN)
		pollset_wake(p, now_us() + (a->panicked ? PANIC_QUIET_US : SILENCE_US));
}

static void look_at_clock(struct attend *a)
{
	uint64_t now = now_us();

	look_for_silence(a);
	look_for_panic(a);
	if (a->player && a->have_end && a->o->timeout_us && now >= a->start_us + a->o->timeout_us)
		attend_set_phase(a, PHASE_OVER, 0);
	if (a->o->timeout_us && !a->have_end && now >= a->start_us + a->o->timeout_us) {
		say("time-out after %g s", (double)a->o->timeout_us / 1e6);
		if (!a->session.was_up)
			attend_report(a);
		attend_finish(a, EXIT_TIMEOUT);
	}
	if (a->phase < PHASE_OVER && now >= a->phase_until_us)
		on_phase_end(a);
}

static void turn(struct attend *a, struct pollset *p, uint32_t rate)
{
	int sig = pollset_got(p, a->signal_fd) ? child_signal_taken(a->signal_fd) : 0;

	if (sig && sig != SIGCHLD) {
		on_signal(a, sig);
		return;
	}
	if (a->phase == PHASE_CONNECT && pollset_got(p, a->machine->listen_fd))
		accept_line(a, rate);
	line_pump(&a->line, &a->session.link, p);
	if (a->player && !sink_full(&a->serial) && !sink_full(&a->log))
		player_pump(a->player, &a->session, now_us());
	if (a->player && a->player->over)
		on_player_end(a);
	record_flush(&a->recorder);
	if (a->restart_us <= now_us() && a->phase < PHASE_STATS) {
		a->restart_us = UINT64_MAX;
		session_restart(&a->session);
		attend_set_phase(a, PHASE_HELLO, UINT64_MAX);
	}
	if (a->line.at_end && a->phase < PHASE_OVER)
		on_line_end(a);
	if (sig == SIGCHLD && a->machine && a->phase < PHASE_OVER && child_poll(&a->machine->child))
		on_child_end(a);
	sink_pump(&a->serial, p);
	sink_pump(&a->log, p);
	input_pump(&a->session, p);
	show_pump(&a->show, p);
	if (a->control)
		control_pump(a->control, p);
	look_at_clock(a);
}

static int open_outputs(struct attend *a)
{
	const struct options *o = a->o;

	a->serial.fd = a->log.fd = -1;
	if (o->screenshot_dir && png_make_dir(o->screenshot_dir) < 0)
		return EXIT_TOOL;
	if (strcmp(o->serial, "stdio") == 0)
		a->serial.fd = STDOUT_FILENO;
	else if (strcmp(o->serial, "null") != 0 && sink_open(&a->serial, o->serial) < 0)
		return EXIT_TOOL;
	if (o->log_file && sink_open(&a->log, o->log_file) < 0)
		return EXIT_TOOL;
	if (!o->log_file && o->verbose)
		a->log.fd = STDERR_FILENO;
	if (o->record_file && record_begin(&a->recorder, o->record_file) < 0)
		return EXIT_TOOL;
	a->env = (struct control_env){ .session = &a->session,
				       .serial = &a->serial_text,
				       .log = &a->log_text,
				       .changed_us = now_us(),
				       .quit = quit_asked,
				       .host_stats = host_stats,
				       .arg = a };
	a->control = control_open(o->control, &a->env);
	if (!a->control)
		return EXIT_TOOL;
	say_more("control socket: %s", control_path(a->control));
	if (show_start(&a->show, &(struct show_env){ .o = o,
						     .heads = a->machine ? o->heads.count : 0,
						     .session = &a->session,
						     .quit = quit_asked,
						     .arg = a }) < 0)
		return EXIT_TOOL;
	return 0;
}

static void close_all(struct attend *a)
{
	input_stop();
	if (a->show_report)
		attend_guest_report(a);
	if (!a->machine && a->line.fd >= 0)
		line_flush(&a->line, &a->session.link, 200000);
	session_expire(&a->session, true); /* before those who asked are gone */
	control_close(a->control);
	if (a->o->screenshot_dir && a->session.was_up && png_shots(&a->session.rx, a->o->screenshot_dir, -1) < 0 && !a->status)
		a->status = EXIT_TOOL;
	sink_close(&a->serial, FLUSH_US);
	sink_close(&a->log, FLUSH_US);
	if (record_end(&a->recorder) < 0 && !a->status)
		a->status = EXIT_TOOL;
	if (a->o->stats_file)
		attend_write_stats(a);
	show_stop(&a->show);
	line_close(&a->line);
	session_free(&a->session);
	tail_free(&a->serial_text);
	tail_free(&a->log_text);
	tail_free(&a->banner);
	text_free(&a->vmm_stats);
	text_free(&a->parked);
}

int attend(const struct options *o, const struct attend_source *source, int signal_fd)
{
	struct machine *machine = source->machine;
	struct attend *a = xalloc(sizeof(*a));
	struct pollset p;
	int status;

	a->o = o;
	a->machine = machine;
	a->player = source->player;
	a->signal_fd = signal_fd;
	a->start_us = now_us();
	a->restart_us = UINT64_MAX;
	a->serial_text.keep = SERIAL_KEPT;
	a->log_text.keep = LOG_KEPT;
	a->banner.keep = BANNER_KEPT;
	a->status = EXIT_TOOL;
	line_init(&a->line, source->line_fd, source->rate, &o->faults);
	session_init(&a->session, &attend_session_ops, a, session_window(source->window_rate));
	link_baud_init(&a->session.link, source->baud, source->bauds);
	if (a->player)
		session_play(&a->session, 0);
	attend_set_phase(a, machine ? PHASE_CONNECT : PHASE_HELLO,
			 machine ? (uint64_t)machine->kind->hello_sec * 1000000 : UINT64_MAX);
	if (open_outputs(a) == 0) {
		if (strcmp(o->serial, "stdio") == 0 && !a->player)
			input_start();
		while (a->phase != PHASE_OVER) {
			prepare(a, &p);
			if (pollset_wait(&p) < 0) {
				say("poll: %s", strerror(errno));
				break;
			}
			turn(a, &p, source->rate);
		}
	}
	close_all(a);
	status = a->status;
	free(a);
	return status;
}
