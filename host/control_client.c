#define _GNU_SOURCE
#include "host/control_client.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/control_input.h"
#include "host/json.h"
#include "host/png.h"
#include "host/say.h"

#define VMM_ANSWERS_US 10000000u
#define GUEST_ANSWERS_US 180000000u /* the VMM waits for the guest, in a time that may be slower than ours */

void control_answer(struct control_client *c, const char *status, const char *text, size_t len)
{
	if (c->answered)
		return;
	c->answered = true;
	text_printf(&c->out, "%s\n", status);
	text_add(&c->out, text, len);
	if (len && text[len - 1] != '\n')
		text_add(&c->out, "\n", 1);
}

/* A sentence, as it is or as JSON under the status's name. */
void control_answerf(struct control_client *c, const char *status, const char *fmt, ...)
{
	struct text t = { 0 }, j = { 0 };
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0)
		s = xstrdup("out of memory");
	va_end(ap);
	text_add(&t, s, strlen(s));
	free(s);
	if (c->json) {
		text_printf(&j, "{\"%s\":", status);
		json_string(&j, text_str(&t), t.len);
		text_add(&j, "}", 1);
		control_answer(c, status, text_str(&j), j.len);
	} else {
		control_answer(c, status, text_str(&t), t.len);
	}
	text_free(&t);
	text_free(&j);
}

/* ---- commands that the tool answers itself */

static void do_heads(struct control_client *c, const char *args)
{
	const struct display_rx *rx = &c->env->session->rx;
	struct text t = { 0 };
	unsigned n = 0;

	(void)args;
	for (unsigned h = 0; h < DISPLAY_HEADS; h++) {
		const struct canvas *v = &rx->head[h];

		if (!v->width)
			continue;
		if (c->json)
			text_printf(&t, "%s{\"head\":%u,\"width\":%u,\"height\":%u,\"crc\":\"%08X\"}", n ? "," : "[", h, v->width,
				    v->height, drx_crc(rx, h));
		else
			text_printf(&t, "head=%u size=%ux%u crc=%08X\n", h, v->width, v->height, drx_crc(rx, h));
		n++;
	}
	if (c->json)
		text_printf(&t, "%s]", n ? "" : "[");
	else if (!n)
		text_printf(&t, "no head is on");
	control_answer(c, "ok", text_str(&t), t.len);
	text_free(&t);
}

static void do_screenshot(struct control_client *c, const char *args)
{
	int n;

	if (!*args) {
		control_answerf(c, "error", "screenshot needs a directory");
		return;
	}
	n = png_shots(&c->env->session->rx, args, -1);
	if (n < 0)
		control_answerf(c, "error", "%s: %s", args, strerror(-n));
	else
		control_answerf(c, "ok", "%d picture%s in %s", n, n == 1 ? "" : "s", args);
}

static void do_log(struct control_client *c, const char *args)
{
	const struct text *log = &c->env->log->t;
	struct text j = { 0 };

	(void)args;
	if (!c->json) {
		control_answer(c, "ok", text_str(log), log->len);
		return;
	}
	text_printf(&j, "{\"log\":");
	json_string(&j, text_str(log), log->len);
	text_add(&j, "}", 1);
	control_answer(c, "ok", text_str(&j), j.len);
	text_free(&j);
}

static void do_quit(struct control_client *c, const char *args)
{
	(void)args;
	control_answerf(c, "ok", "ending");
	c->env->quit(c->env->arg);
}

/* ---- the others: the VMM answers */

static void answer_stats(struct control_client *c, int result, const char *text, size_t len)
{
	struct text host = { 0 }, t = { 0 };
	bool good = result == 0 && json_valid(text, len);

	c->env->host_stats(c->env->arg, &host);
	if (c->json) {
		text_printf(&t, "{\"host\":%s,\"vmm\":", text_str(&host));
		text_add(&t, good ? text : "null", good ? len : 4);
		text_add(&t, "}", 1);
	} else {
		json_words(&t, "host", text_str(&host), host.len);
		if (good)
			json_words(&t, "vmm", text, len);
	}
	control_answer(c, "ok", text_str(&t), t.len);
	text_free(&host);
	text_free(&t);
}

const char *control_reason(int result)
{
	switch (-result) {
	case EROFS: return "this is a recording";
	case ENOSYS: return "not supported";
	case ETIMEDOUT: return "the VMM did not answer";
	case ECONNRESET: return "the run ended";
	case ENOTCONN: return "no VMM is connected";
	case EBUSY: return "the line is full: try again";
	default: return strerror(result < 0 && result > -4096 ? -result : EPROTO);
	}
}

static void on_vmm_reply(void *arg, int result, const char *text, size_t len)
{
	struct control_client *c = arg;

	c->at_vmm = false;
	if (c->fd < 0)
		return;
	if (c->wants_stats) {
		answer_stats(c, result, text, len);
	} else if (result < 0) {
		control_answerf(c, "error", "%.*s", len ? (int)len : INT_MAX, len ? text : control_reason(result));
	} else if (c->json && json_valid(text, len)) {
		control_answer(c, "ok", text, len);
	} else if (c->json) {
		control_answerf(c, "ok", "%.*s", (int)len, text);
	} else {
		struct text words = { 0 };

		json_lines(&words, text, len);
		control_answer(c, "ok", words.len ? words.s : "done", words.len ? words.len : 4);
		text_free(&words);
	}
}

/* Commands that the guest has a say in. */
static bool asks_guest(const char *line)
{
	return strncmp(line, "unplug ", 7) == 0 || strncmp(line, "resize ", 7) == 0;
}

static void ask_vmm(struct control_client *c, const char *line)
{
	int err = session_request(c->env->session, line, asks_guest(line) ? GUEST_ANSWERS_US : VMM_ANSWERS_US, on_vmm_reply, c);

	if (!err)
		c->at_vmm = true;
	else if (c->wants_stats)
		answer_stats(c, err, "", 0);
	else
		control_answerf(c, "error", "%s", control_reason(err));
}

static void do_stats(struct control_client *c, const char *args)
{
	(void)args;
	c->wants_stats = true;
	ask_vmm(c, "stats");
}

static const struct {
	const char *name;
	void (*run)(struct control_client *c, const char *args);
} commands[] = {
	{ "heads", do_heads },	  { "screenshot", do_screenshot }, { "log", do_log },
	{ "quit", do_quit },	  { "stats", do_stats },	   { "wait", control_wait_begin },
	{ "type", control_type }, { "key", control_key },	   { "click", control_click },
};

static void run_line(struct control_client *c)
{
	char *s = c->line, *args;
	size_t n;

	c->asked = true;
	if (strncmp(s, "json ", 5) == 0) {
		c->json = true;
		s += 5;
	}
	n = strcspn(s, " ");
	args = s + n + (s[n] == ' ');
	if (!n) {
		control_answerf(c, "error", "no command");
		return;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (strlen(commands[i].name) == n && strncmp(s, commands[i].name, n) == 0) {
			commands[i].run(c, args);
			return;
		}
	}
	ask_vmm(c, s);
}

/* ---- the connection */

bool control_client_free(const struct control_client *c)
{
	return c->fd < 0 && !c->at_vmm;
}

void control_client_begin(struct control_client *c, int fd, struct control_env *env)
{
	*c = (struct control_client){ .fd = fd, .env = env };
}

void control_client_close(struct control_client *c)
{
	if (c->fd < 0)
		return;
	control_wait_end(c);
	close(c->fd);
	c->fd = -1;
	text_free(&c->out);
}

void control_client_prepare(struct control_client *c, struct pollset *p)
{
	if (c->fd < 0)
		return;
	pollset_add(p, c->fd, (short)((c->asked ? 0 : POLLIN) | (c->answered ? POLLOUT : 0)));
	if (c->wait)
		pollset_wake(p, control_wait_deadline(c));
}

static void read_line(struct control_client *c)
{
	ssize_t n = read(c->fd, c->line + c->len, sizeof(c->line) - 1 - c->len);
	char *end;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		c->len += (size_t)n;
	c->line[c->len] = 0;
	end = memchr(c->line, '\n', c->len);
	if (end) {
		*end = 0;
		run_line(c);
	} else if (n <= 0) {
		control_client_close(c);
	} else if (c->len == sizeof(c->line) - 1) {
		c->asked = true;
		control_answerf(c, "error", "the request is too long");
	}
}

void control_client_pump(struct control_client *c, const struct pollset *p)
{
	short got = c->fd < 0 ? 0 : pollset_got(p, c->fd);

	if (c->fd < 0)
		return;
	if (!c->asked && got & (POLLIN | POLLHUP | POLLERR)) {
		read_line(c);
	} else if (got & (POLLHUP | POLLERR | POLLNVAL)) {
		control_client_close(c);
		return;
	}
	if (c->fd >= 0 && c->wait)
		control_wait_look(c);
	if (c->fd >= 0 && c->answered) {
		ssize_t n = write(c->fd, c->out.s + c->sent, c->out.len - c->sent);

		if (n > 0)
			c->sent += (size_t)n;
		if ((n < 0 && errno != EAGAIN && errno != EINTR) || c->sent == c->out.len)
			control_client_close(c);
	}
}
