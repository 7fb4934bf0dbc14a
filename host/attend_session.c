/* attend.h: what the session tells, and the ways to the end */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>

#include "host/attend.h"
#include "host/png.h"
#include "host/say.h"

#define STATS_US 20000000u /* for the VMM's last counters: on a bad line, some of the link's longest time-outs */
#define KNOCK_US 2000000u  /* so often one who waits asks whether the line is free */
#define QUIT_US 3000000u   /* for the emulator to go by itself */

void attend_set_phase(struct attend *a, enum phase phase, uint64_t limit_us)
{
	a->phase = phase;
	a->phase_until_us = limit_us == UINT64_MAX ? UINT64_MAX : now_us() + limit_us;
}

void attend_leave(struct attend *a)
{
	if (a->phase >= PHASE_QUIT)
		return;
	record_flush(&a->recorder);
	if (a->machine && session_request(&a->session, "quit", QUIT_US, NULL, NULL) == 0) {
		attend_set_phase(a, PHASE_QUIT, QUIT_US);
		return;
	}
	if (!a->machine && !a->player)
		link_bye(&a->session.link, 0);
	attend_set_phase(a, PHASE_OVER, 0);
}

static void on_last_stats(void *arg, int result, const char *text, size_t len)
{
	struct attend *a = arg;

	if (result == 0) {
		text_free(&a->vmm_stats);
		text_add(&a->vmm_stats, text, len);
	}
	if (a->phase == PHASE_STATS)
		attend_leave(a);
}

void attend_finish(struct attend *a, int status)
{
	if (a->have_end)
		return;
	a->have_end = true;
	a->status = status;
	attend_set_phase(a, PHASE_STATS, STATS_US);
	if (session_request(&a->session, "stats", STATS_US, on_last_stats, a) < 0)
		attend_leave(a);
}

void attend_fail(struct attend *a)
{
	a->status = EXIT_TOOL;
	a->have_end = true;
	attend_report(a);
	attend_set_phase(a, PHASE_OVER, 0);
}

static void on_connected(void *arg)
{
	struct attend *a = arg;

	if (!a->player)
		say_more("connected to the VMM");
	a->env.changed_us = now_us();
	a->warned_silent = a->warned_taken = false;
	if (a->phase == PHASE_HELLO)
		attend_set_phase(a, PHASE_RUN, UINT64_MAX);
}

static void lost_session(struct attend *a, unsigned reason)
{
	if (reason == LINK_BYE_VERSION) {
		say("the VMM speaks another version of the protocol than this tool (%u)", LINK_VERSION);
		attend_fail(a);
	} else if (reason == LINK_BYE_TAKEN && !a->o->wait) {
		say("%s: another host has the line (--wait waits until it leaves)", a->o->guest);
		a->status = EXIT_TOOL;
		a->have_end = true;
		attend_set_phase(a, PHASE_OVER, 0);
	} else if (reason == LINK_BYE_TAKEN) {
		if (!a->warned_taken)
			say("%s: another host has the line; waiting until it leaves", a->o->guest);
		a->warned_taken = true;
		a->restart_us = now_us() + KNOCK_US;
	} else if (a->machine) {
		say("the VMM %s in the middle of the run", reason == LINK_BYE_NO_SESSION ? "started anew" : "ended the session");
		attend_fail(a);
	} else {
		say("the VMM %s; waiting for it", reason == LINK_BYE_NO_SESSION ? "started anew" : "ended the session");
		a->restart_us = now_us(); /* not from in here: the link is at work */
	}
}

static void on_disconnected(void *arg, unsigned reason)
{
	struct attend *a = arg;

	if (a->player)
		return; /* what came next is in the recording too */
	if (a->phase < PHASE_STATS)
		lost_session(a, reason);
	else
		attend_leave(a);
}

/* The VMM's own end is announced in its log, where only the VMM writes. */
static bool says_panic(const struct tail *log, size_t new)
{
	static const char word[] = ": panic: ";
	size_t len = new + sizeof(word) < log->t.len ? new + sizeof(word) : log->t.len;

	return memmem(log->t.s + log->t.len - len, len, word, sizeof(word) - 1) != NULL;
}

static void on_log(void *arg, const uint8_t *text, size_t len)
{
	struct attend *a = arg;

	a->log_bytes += len;
	tail_add(&a->log_text, text, len);
	sink_add(&a->log, text, len);
	a->panicked |= says_panic(&a->log_text, len);
}

static void on_serial(void *arg, const uint8_t *text, size_t len)
{
	struct attend *a = arg;

	a->serial_bytes += len;
	tail_add(&a->serial_text, text, len);
	sink_add(&a->serial, text, len);
}

/* The VMM's banner and its log before a session. Within one a damaged frame may look like text, so nothing is concluded from it. */
static void on_plain(void *arg, const uint8_t *text, size_t len)
{
	struct attend *a = arg;

	tail_add(&a->banner, text, len);
	if (a->o->verbose)
		sink_add(&a->log, text, len);
}

/* The guest crashed, and the run goes on. Returns false when it should not. */
static bool outlive_crash(struct attend *a)
{
	if (a->player || a->o->on_crash == CRASH_END)
		return false;
	a->crashes++;
	if (a->o->on_crash == CRASH_RESET && session_request(&a->session, "reset", STATS_US, NULL, NULL) < 0)
		return false;
	if (a->o->on_crash == CRASH_STAY || a->o->verbose) {
		say("the guest crashed%s",
		    a->o->on_crash == CRASH_STAY ? ": it waits for 'tessera ctl', which can look at it, reset it or quit" : "");
		say_text("  | ", a->parked.s, a->parked.len);
	}
	text_free(&a->parked);
	return true;
}

static void on_ended(void *arg, unsigned how, uint32_t value)
{
	struct attend *a = arg;
	static const char *const words[] = {
		[END_DEBUG_EXIT] = "the guest ended by its debug exit",
		[END_POWEROFF] = "the guest powered off",
		[END_CRASH] = "the guest crashed",
		[END_VMM_ERROR] = "the VMM could not go on with this guest",
		[END_BAD_GUEST] = "the VMM could not load the guest",
	};
	const char *what = how < sizeof(words) / sizeof(*words) ? words[how] : "the guest ended in a way that is not known";

	if (a->have_end || (how == END_CRASH && outlive_crash(a)))
		return;
	if (how == END_DEBUG_EXIT || how == END_POWEROFF)
		say_more("%s (%u)", what, value);
	else
		say("%s%s", what, a->parked.len ? ":" : "");
	if (a->parked.len)
		say_text("  | ", a->parked.s, a->parked.len);
	if (a->player)
		return;
	a->show_report = how != END_DEBUG_EXIT && how != END_POWEROFF;
	attend_finish(a, attend_exit_status(how, value, a->o->qemu_exit));
}

static void on_shot(void *arg, uint32_t number)
{
	struct attend *a = arg;

	a->shots++;
	if (a->o->screenshot_dir)
		png_shots(&a->session.rx, a->o->screenshot_dir, number);
}

/* The report comes before the end that it explains, and is shown with it; a guest that is only parked has no end. */
static void on_parked(void *arg, const char *text, size_t len)
{
	struct attend *a = arg;

	if (a->have_end) {
		say_text("  | ", text, len);
		return;
	}
	text_free(&a->parked);
	text_add(&a->parked, text, len);
}

static void on_changed(void *arg, unsigned head, bool resized, unsigned x0, unsigned y0, unsigned x1, unsigned y1)
{
	struct attend *a = arg;

	a->env.changes[head]++;
	a->env.changed_us = now_us();
	show_changed(&a->show, head, resized, x0, y0, x1, y1);
}

static void on_frame(void *arg, const uint8_t *frame, size_t len)
{
	struct attend *a = arg;

	record_frame(&a->recorder, a->session.link.nonce, frame, len);
}

static void on_broken(void *arg, const char *why)
{
	struct attend *a = arg;

	say("the VMM sent %s", why);
	attend_fail(a);
}

const struct session_ops attend_session_ops = {
	.connected = on_connected,
	.disconnected = on_disconnected,
	.log = on_log,
	.serial = on_serial,
	.plain = on_plain,
	.ended = on_ended,
	.shot = on_shot,
	.parked = on_parked,
	.changed = on_changed,
	.frame = on_frame,
	.broken = on_broken,
};
