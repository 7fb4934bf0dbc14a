/* tessera ctl and tessera wait: the other end of the control socket. */
#include <argp.h>
#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/commands.h"
#include "host/options.h"
#include "host/paths.h"
#include "host/say.h"
#include "host/spec.h"
#include "host/text.h"

#define EXIT_REFUSED 1
#define LOOK_US 20000 /* between looks for a run that may begin */

static int connect_to(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), err;

	if (fd < 0)
		return -errno;
	if (strlen(path) >= sizeof(sa.sun_path)) {
		close(fd);
		return -ENAMETOOLONG;
	}
	strcpy(sa.sun_path, path);
	if (connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

/* The only run of this user, or -1; quiet: without saying that there is none. Sockets that nobody listens on are removed on the
 * way. */
static int connect_to_only(bool quiet)
{
	char *dir = paths_runtime();
	struct text names = { 0 };
	struct dirent *e;
	int found = -1;
	unsigned count = 0;
	DIR *d = dir ? opendir(dir) : NULL;

	while (d && (e = readdir(d))) {
		char *path;
		int fd;

		if (strncmp(e->d_name, "run-", 4) != 0)
			continue;
		path = xprintf("%s/%s", dir, e->d_name);
		fd = connect_to(path);
		if (fd == -ECONNREFUSED)
			unlink(path);
		if (fd >= 0) {
			text_printf(&names, " %s", path);
			if (count++)
				close(fd);
			else
				found = fd;
		}
		free(path);
	}
	if (d)
		closedir(d);
	if (!count && !quiet) {
		say("nothing is running (no socket in %s)", dir ? dir : "the runtime directory");
	} else if (count > 1) {
		say("%u runs: say which with --control:%s", count, text_str(&names));
		close(found);
		found = -1;
	}
	text_free(&names);
	free(dir);
	return found;
}

static int send_all(int fd, const char *s, size_t len)
{
	while (len) {
		ssize_t n = write(fd, s, len);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			s += n, len -= (size_t)n;
	}
	return 0;
}

/*
 * Connects to the run, which may be about to start: it is looked for until until_us. Returns a descriptor, or -1 having said why.
 */
static int connect_by(const char *socket_path, uint64_t until_us)
{
	for (;;) {
		bool last = now_us() >= until_us;
		int fd = socket_path ? connect_to(socket_path) : connect_to_only(!last);

		if (fd >= 0)
			return fd;
		if (last || (socket_path && fd != -ENOENT && fd != -ECONNREFUSED)) {
			if (socket_path)
				say("%s: %s", socket_path, strerror(-fd));
			return -1;
		}
		usleep(LOOK_US);
	}
}

/* Sends one request and prints the answer. Returns the exit status. */
static int ask(int fd, const char *request)
{
	struct text answer = { 0 };
	int status = EXIT_REFUSED;
	char buf[4096], *line;
	ssize_t n;

	line = xprintf("%s\n", request);
	if (send_all(fd, line, strlen(line)) == 0)
		while ((n = read(fd, buf, sizeof(buf))) > 0 || (n < 0 && errno == EINTR))
			if (n > 0)
				text_add(&answer, buf, (size_t)n);
	free(line);
	close(fd);
	if (strncmp(text_str(&answer), "ok\n", 3) == 0) {
		fwrite(answer.s + 3, 1, answer.len - 3, stdout);
		status = 0;
	} else if (strncmp(text_str(&answer), "timeout\n", 8) == 0) {
		say("time-out");
		status = EXIT_TIMEOUT;
	} else if (strncmp(text_str(&answer), "error\n", 6) == 0) {
		fprintf(stderr, "tessera: %s", answer.s + 6);
	} else {
		say("the run ended without an answer");
	}
	text_free(&answer);
	return status;
}

struct ctl_options {
	const char *control;
	bool json;
	struct text words;
	/* wait */
	const char *head, *crc, *still, *regex, *timeout;
};

static int add_word(struct ctl_options *o, const char *arg)
{
	if (strchr(arg, '\n')) {
		say("a request is one line");
		return EINVAL;
	}
	text_printf(&o->words, "%s%s", o->words.len ? " " : "", arg);
	return 0;
}

/* The run's working directory need not be ours. */
static int add_path(struct ctl_options *o, const char *arg)
{
	char cwd[PATH_MAX], *full;
	int err;

	if (*arg == '/' || !getcwd(cwd, sizeof(cwd)))
		return add_word(o, arg);
	full = xprintf("%s/%s", cwd, arg);
	err = add_word(o, full);
	free(full);
	return err;
}

enum { OPT_CONTROL = 256, OPT_JSON, OPT_HEAD, OPT_CRC, OPT_STILL, OPT_TEXT, OPT_TIMEOUT };

static error_t ctl_parse(int key, char *arg, struct argp_state *state)
{
	struct ctl_options *o = state->input;

	switch (key) {
	case OPT_CONTROL: o->control = arg; return 0;
	case OPT_JSON: o->json = true; return 0;
	case ARGP_KEY_ARG: return strcmp(text_str(&o->words), "screenshot") == 0 ? add_path(o, arg) : add_word(o, arg);
	default: return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option ctl_options[] = {
	{ "control", OPT_CONTROL, "SOCKET", 0, "which run (the only one)", 0 },
	{ "json", OPT_JSON, NULL, 0, "answer in JSON", 0 },
	{ 0 },
};

static const struct argp ctl_argp = {
	.options = ctl_options,
	.parser = ctl_parse,
	.args_doc = "COMMAND [ARG...]",
	.doc = "Asks a run, or tells it.\vCommands:\n"
	       "  heads                 what each shows, with its CRC-32\n"
	       "  plug N WxH            put in a card for head N\n"
	       "  unplug N [force]      take it out: a guest whose ACPI listens is asked first, and the answer comes when it let go;\n"
	       "                        refused when it has not within 10 s of its time, unless by force; others find it gone\n"
	       "  resize N WxH          another card in its place; where no ACPI listens, the EDID's size alone\n"
	       "  screenshot DIR        leave DIR/head0.png ...\n"
	       "  type TEXT             keys for each character; \\n is Enter, \\t Tab\n"
	       "  key NAME...           keys pressed together: ctrl alt delete\n"
	       "  click HEAD X Y        the left button\n"
	       "  pause, resume, reset, nmi\n"
	       "  power-button          of a guest whose ACPI listens to it\n"
	       "  registers             the guest's CPU\n"
	       "  audit                 looks whether the guest reached what is not its own (with --vmm canary=yes free memory too)\n"
	       "  ranges                tracked memory: the heads' and the guest's own\n"
	       "  stats, log            counters; the VMM's log\n"
	       "  quit                  end the run\n"
	       "Status 1: refused, with the reason.",
};

int command_ctl(int argc, char **argv)
{
	struct ctl_options o = { 0 };
	int err = options_parse(&ctl_argp, "ctl", argc, argv, &o);
	char *request;
	int fd;

	if (!err && !o.words.len) {
		say("no command given ('tessera help ctl' names them)");
		err = EXIT_USAGE;
	}
	if (err)
		return err;
	fd = connect_by(o.control, 0);
	if (fd < 0)
		return EXIT_TOOL;
	request = xprintf("%s%s", o.json ? "json " : "", text_str(&o.words));
	err = ask(fd, request);
	free(request);
	text_free(&o.words);
	return err;
}

static error_t wait_parse(int key, char *arg, struct argp_state *state)
{
	struct ctl_options *o = state->input;

	switch (key) {
	case OPT_CONTROL: o->control = arg; return 0;
	case OPT_HEAD: o->head = arg; return 0;
	case OPT_CRC: o->crc = arg; return 0;
	case OPT_STILL: o->still = arg; return 0;
	case OPT_TEXT: o->regex = arg; return 0;
	case OPT_TIMEOUT: o->timeout = arg; return 0;
	case ARGP_KEY_ARG: say("unexpected argument '%s'", arg); return EINVAL;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp_option wait_options[] = {
	{ "control", OPT_CONTROL, "SOCKET", 0, "which run (the only one)", 0 },
	{ "head", OPT_HEAD, "N", 0, "until this head shows the picture with --crc", 1 },
	{ "crc", OPT_CRC, "C", 0, "its CRC-32, eight hex digits", 1 },
	{ "still", OPT_STILL, "MS", 0, "until no head has changed for so long", 2 },
	{ "text-log", OPT_TEXT, "REGEX", 0, "until a line of the guest's serial output matches; lines before now count", 3 },
	{ "timeout", OPT_TIMEOUT, "SEC", 0, "give up, with status 124; until then the run may begin, too", 4 },
	{ 0 },
};

static const struct argp wait_argp = {
	.options = wait_options,
	.parser = wait_parse,
	.args_doc = "",
	.doc = "Waits until a run has come to a point.\vStatus 0: it has; 124: time-out; 1: refused, or the run ended; 2: wrong "
	       "usage.",
};

static bool hex32(const char *s)
{
	return *s && strlen(s) <= 8 && strspn(s, "0123456789abcdefABCDEF") == strlen(s);
}

/* What to wait for, without the time-out; or NULL having said what is wrong. */
static char *wait_request(const struct ctl_options *o)
{
	uint64_t n;

	if (!!(o->head || o->crc) + !!o->still + !!o->regex != 1)
		say("wait for one thing: --head N --crc C, --still MS or --text-log REGEX");
	else if (o->still && spec_number(o->still, 1, 1000000000, &n) < 0)
		say("--still %s: expected milliseconds", o->still);
	else if (o->still)
		return xprintf("still=%s", o->still);
	else if (o->regex && strchr(o->regex, '\n'))
		say("--text-log: the expression must be one line");
	else if (o->regex)
		return xprintf("text=%s", o->regex);
	else if (!o->head || !o->crc || spec_number(o->head, 0, DISPLAY_HEADS - 1, &n) < 0 || !hex32(o->crc))
		say("expected --head N (0 to %d) and --crc C (eight hex digits)", DISPLAY_HEADS - 1);
	else
		return xprintf("head=%s crc=%s", o->head, o->crc);
	return NULL;
}

static int parse_wait_timeout(const char *arg, uint64_t *us)
{
	char *end;
	double sec = strtod(arg, &end);

	if (end == arg || *end || !(sec > 0) || sec > 1e9) {
		say("--timeout %s: expected seconds", arg);
		return EXIT_USAGE;
	}
	*us = (uint64_t)(sec * 1e6);
	return 0;
}

/* Within the time-out the run may begin, too. */
int command_wait(int argc, char **argv)
{
	struct ctl_options o = { 0 };
	int err = options_parse(&wait_argp, "wait", argc, argv, &o), fd;
	uint64_t limit_us = 0, until_us = now_us(), now;
	char *what, *request;

	if (!err && o.timeout)
		err = parse_wait_timeout(o.timeout, &limit_us);
	what = err ? NULL : wait_request(&o);
	if (!what)
		return EXIT_USAGE;
	until_us += limit_us;
	fd = connect_by(o.control, until_us);
	now = now_us();
	if (limit_us)
		request = xprintf("wait timeout=%llu %s", (unsigned long long)(now < until_us ? (until_us - now + 999) / 1000 : 0),
				  what);
	else
		request = xprintf("wait %s", what);
	fclose(stdout); /* "it is so" is for those who talk to the socket themselves */
	err = fd >= 0 ? ask(fd, request) : limit_us ? EXIT_TIMEOUT : EXIT_TOOL;
	free(what);
	free(request);
	return err;
}

void help_ctl(void)
{
	argp_help(&ctl_argp, stdout, ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC, (char *)"tessera ctl");
}

void help_wait(void)
{
	argp_help(&wait_argp, stdout, ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC, (char *)"tessera wait");
}
