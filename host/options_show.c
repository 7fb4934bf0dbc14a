/* options_groups.h: the line, and what is shown, kept and asked */
#include "host/options_groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "host/options.h"
#include "host/rfb.h"
#include "host/say.h"
#include "host/spec.h"
#include "host/text.h"

enum {
	OPT_BAUD = 512,
	OPT_LINE_ERRORS,
	OPT_RECORD,
	OPT_QEMU_EXIT,
	OPT_ON_CRASH,
	OPT_VIEW,
	OPT_LISTEN,
	OPT_PASSWORD_FILE,
	OPT_WINDOW_PER_HEAD,
	OPT_SCREENSHOT,
	OPT_SERIAL,
	OPT_LOG,
	OPT_STATS,
	OPT_TIMEOUT,
	OPT_CONTROL,
};

static const struct argp_option line_options[] = {
	{ "baud", OPT_BAUD, "N", 0, "the line's speed (the machine's own)", 0 },
	{ "line-errors", OPT_LINE_ERRORS, "SPEC", 0, "inject faults: flip=1e-4,drop=1e-4,dup=1e-4,burst=1e-5,cut=30s,stall=30s,seed=N", 0 },
	{ "record", OPT_RECORD, "FILE", 0, "keep what comes over the line, for 'tessera replay' and 'export'", 0 },
	{ "qemu-exit", OPT_QEMU_EXIT, NULL, 0, "status 1 for a debug exit with 0, as QEMU has it", 0 },
	{ "on-crash", OPT_ON_CRASH, "WHAT", 0, "end the run with status 126 (default), stay for 'tessera ctl', or reset the guest",
	  0 },
	{ 0 },
};

static const struct argp_option show_options[] = {
	{ "view", OPT_VIEW, "HOW", 0, "auto, window, web, vnc or none (auto: window, without a display web)", 0 },
	{ "window-per-head", OPT_WINDOW_PER_HEAD, NULL, 0, "a window for each head (one with all)", 0 },
	{ "listen", OPT_LISTEN, "ADDR:PORT", 0,
	  "where the web page is, or VNC: head N at PORT+N (loopback, the first free port from 6080 or 5900 on)", 0 },
	{ "password-file", OPT_PASSWORD_FILE, "FILE", 0, "viewers need the password in FILE's first line, 8 characters at most",
	  0 },
	{ "screenshot", OPT_SCREENSHOT, "DIR", 0, "leave DIR/head0.png ... at the end and when the guest asks", 0 },
	{ "serial", OPT_SERIAL, "WHERE", 0, "the guest's serial port: stdio, null or a file", 0 },
	{ "log", OPT_LOG, "FILE", 0, "the VMM's log (stderr with -v)", 0 },
	{ "verbose", 'v', NULL, 0, "say more, show the VMM's log", 0 },
	{ "stats", OPT_STATS, "FILE", 0, "leave counters there as JSON", 0 },
	{ "timeout", OPT_TIMEOUT, "SEC", 0, "give up after this time, with status 124", 0 },
	{ "control", OPT_CONTROL, "SOCKET", 0, "where 'tessera ctl' finds this run", 0 },
	{ 0 },
};

int options_bad(const char *option, const char *arg, const char *expected)
{
	say("--%s %s: expected %s", option, arg, expected);
	return EINVAL;
}

int options_number(const char *option, const char *arg, unsigned min, unsigned max, unsigned *out)
{
	uint64_t v;

	if (spec_number(arg, min, max, &v) < 0) {
		say("--%s %s: expected a number from %u to %u", option, arg, min, max);
		return EINVAL;
	}
	*out = (unsigned)v;
	return 0;
}

static int parse_on_crash(struct options *o, const char *arg)
{
	static const char *const words[] = { [CRASH_END] = "end", [CRASH_STAY] = "stay", [CRASH_RESET] = "reset" };

	for (unsigned i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(arg, words[i]) == 0) {
			o->on_crash = (enum crash_kind)i;
			return 0;
		}
	}
	return options_bad("on-crash", arg, "end, stay or reset");
}

static error_t line_parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;
	const char *why;

	switch (key) {
	case OPT_BAUD: return options_number("baud", arg, 300, 4000000, &o->baud);
	case OPT_LINE_ERRORS:
		if (spec_faults(arg, &o->faults, &why) == 0)
			return 0;
		say("%s", why);
		return EINVAL;
	case OPT_RECORD: o->record_file = arg; return 0;
	case OPT_QEMU_EXIT: o->qemu_exit = true; return 0;
	case OPT_ON_CRASH: return parse_on_crash(o, arg);
	default: return ARGP_ERR_UNKNOWN;
	}
}

static int parse_view(struct options *o, const char *arg)
{
	static const struct {
		const char *name;
		enum view_kind kind;
	} views[] = {
		{ "auto", VIEW_AUTO }, { "window", VIEW_WINDOW }, { "web", VIEW_WEB }, { "vnc", VIEW_VNC }, { "none", VIEW_NONE }
	};

	for (size_t i = 0; i < sizeof(views) / sizeof(*views); i++) {
		if (strcmp(arg, views[i].name) == 0) {
			o->view = views[i].kind;
			return 0;
		}
	}
	return options_bad("view", arg, "auto, window, web, vnc or none");
}

/* The first line of the file. */
static int read_password(struct options *o, const char *path)
{
	struct text t = { 0 };
	int err = text_read_file(&t, path, 4096);
	size_t len = strcspn(text_str(&t), "\r\n");

	if (err) {
		say("%s: %s", path, strerror(-err));
		return EINVAL;
	}
	if (!len || len > RFB_PASSWORD_MAX) {
		say("%s: expected 1 to %d characters: that is what VNC compares", path, RFB_PASSWORD_MAX);
		return EINVAL;
	}
	o->password = xprintf("%.*s", (int)len, t.s);
	text_free(&t);
	return 0;
}

static int parse_timeout(struct options *o, const char *arg)
{
	char *end;
	double sec = strtod(arg, &end);

	if (end == arg || *end || !(sec > 0) || sec > 1e9)
		return options_bad("timeout", arg, "seconds");
	o->timeout_us = (uint64_t)(sec * 1e6);
	return 0;
}

static error_t show_parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case OPT_VIEW: return parse_view(o, arg);
	case OPT_LISTEN:
		o->listen_set = true;
		if (spec_listen(arg, o->listen_addr, &o->listen_port) == 0)
			return 0;
		return options_bad("listen", arg, "ADDR:PORT, an IPv4 address");
	case OPT_WINDOW_PER_HEAD: o->window_per_head = true; return 0;
	case OPT_PASSWORD_FILE: return read_password(o, arg);
	case OPT_SCREENSHOT: o->screenshot_dir = arg; return 0;
	case OPT_SERIAL: o->serial = arg; return 0;
	case OPT_LOG: o->log_file = arg; return 0;
	case 'v': o->verbose = true; return 0;
	case OPT_STATS: o->stats_file = arg; return 0;
	case OPT_TIMEOUT: return parse_timeout(o, arg);
	case OPT_CONTROL: o->control = arg; return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

const struct argp options_line_argp = { .options = line_options, .parser = line_parse };
const struct argp options_show_argp = { .options = show_options, .parser = show_parse };
