#define _GNU_SOURCE
#include "host/web.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/http.h"
#include "host/json.h"
#include "host/listen.h"
#include "host/options.h"
#include "host/paths.h"
#include "host/rfb.h"
#include "host/say.h"
#include "host/text.h"

#define FIRST_PORT 6080 /* noVNC's own */
#define LAST_PORT 6179
#define CLIENTS 32
#define CLIENT_US 10000000u /* for its request and our answer */
#define LOOK_US 20000u	    /* between looks at a request that is not whole */
#define FILE_MAX (1u << 20)

/* One connection that is not (yet) a WebSocket. */
struct client {
	int fd; /* -1: none */
	uint64_t until_us, look_us;
	struct text out; /* the answer, sent up to `sent`; empty while the request is read */
	size_t sent;
};

struct web {
	struct show_env env;
	struct rfb *rfb;
	int listen_fd, dir_fd;
	char machine[256];
	struct client client[CLIENTS];
};

/* ---- answers */

static void answer(struct client *c, int status, const char *type, const char *body, size_t len)
{
	text_printf(&c->out,
		    "HTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\nConnection: close\r\nCache-Control: no-cache\r\n"
		    "X-Content-Type-Options: nosniff\r\nCross-Origin-Resource-Policy: same-origin\r\n"
		    "Content-Security-Policy: default-src 'self'; img-src 'self' data: blob:; connect-src 'self' ws: wss:; "
		    "frame-ancestors 'none'\r\n%s\r\n",
		    status, http_reason(status), type, len, status == 405 ? "Allow: GET\r\n" : "");
	text_add(&c->out, body, len);
}

static void refuse(struct client *c, int status)
{
	char body[64];
	int n = snprintf(body, sizeof(body), "%d %s\n", status, http_reason(status));

	answer(c, status, "text/plain", body, (size_t)n);
}

static void send_status(struct web *w, struct client *c)
{
	const struct loading *l = w->env.loading;
	uint64_t now = now_us();
	struct text t = { 0 };
	bool first = true;

	text_printf(&t, "{\"guest\":");
	json_string(&t, w->env.o->guest, strlen(w->env.o->guest));
	text_printf(&t, ",\"rate\":%u,\"heads\":[", l->rate);
	for (unsigned h = 0; h < DISPLAY_HEADS; h++) {
		const struct canvas *v = &w->env.session->rx.head[h];

		if (!v->width)
			continue;
		text_printf(&t, "%s{\"head\":%u,\"width\":%u,\"height\":%u,\"left\":%u,\"percent\":%u}", first ? "" : ",", h,
			    v->width, v->height, loading_left(l, h, now), loading_percent(l, h, now));
		first = false;
	}
	text_printf(&t, "]}\n");
	answer(c, 200, "application/json", text_str(&t), t.len);
	text_free(&t);
}

static void send_file(struct web *w, struct client *c, const char *path)
{
	const char *type = http_type(path);
	int fd = type ? openat(w->dir_fd, path + 1, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
	struct stat st;
	char *body;

	if (fd < 0 || fstat(fd, &st) != 0 || !S_ISREG(st.st_mode) || st.st_size > FILE_MAX) {
		refuse(c, 404);
	} else {
		body = xalloc((size_t)st.st_size);
		if (read(fd, body, (size_t)st.st_size) == st.st_size)
			answer(c, 200, type, body, (size_t)st.st_size);
		else
			refuse(c, 500);
		free(body);
	}
	if (fd >= 0)
		close(fd);
}

/* "/head/N" of a head that is served, or -1. */
static int head_of(const char *path)
{
	unsigned head;
	char rest;

	if (sscanf(path, "/head/%2u%c", &head, &rest) != 1 || head >= DISPLAY_HEADS)
		return -1;
	return (int)head;
}

static void drop(struct client *c)
{
	if (c->fd >= 0)
		close(c->fd);
	text_free(&c->out);
	*c = (struct client){ .fd = -1 };
}

/* The request is whole. A WebSocket's stays unread: libvncserver answers it. */
static void respond(struct web *w, struct client *c, const struct http_request *r)
{
	int head = head_of(r->path);

	if (!http_allowed(r, w->machine)) {
		refuse(c, 403);
	} else if (r->websocket && head >= 0) {
		int fd = c->fd;

		c->fd = -1;
		drop(c);
		rfb_accept(w->rfb, (unsigned)head, fd, true);
	} else if (strcmp(r->path, "/status.json") == 0) {
		send_status(w, c);
	} else {
		send_file(w, c, strcmp(r->path, "/") == 0 ? "/index.html" : r->path);
	}
}

/* ---- connections */

static void read_request(struct web *w, struct client *c, uint64_t now)
{
	static char buf[HTTP_REQUEST_MAX];
	struct http_request r;
	ssize_t n = recv(c->fd, buf, sizeof(buf), MSG_PEEK);
	int len;

	if (n <= 0) {
		if (n == 0 || (errno != EAGAIN && errno != EINTR))
			drop(c);
		return;
	}
	len = http_parse(buf, (size_t)n, &r);
	if (len == 0) {
		c->look_us = now + LOOK_US;
		return;
	}
	if (len < 0)
		refuse(c, -len);
	else
		respond(w, c, &r);
	/* What is answered is taken off the socket, or closing it would throw away the answer. */
	if (c->fd >= 0 && recv(c->fd, buf, len > 0 ? (size_t)len : (size_t)n, 0) < 0)
		drop(c);
}

static void write_answer(struct client *c)
{
	ssize_t n = send(c->fd, c->out.s + c->sent, c->out.len - c->sent, MSG_NOSIGNAL);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		c->sent += (size_t)n;
	if (n <= 0 || c->sent == c->out.len)
		drop(c);
}

static void accept_client(struct web *w)
{
	int fd = accept4(w->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	for (unsigned i = 0; i < CLIENTS; i++) {
		if (w->client[i].fd < 0) {
			w->client[i] = (struct client){ .fd = fd, .until_us = now_us() + CLIENT_US };
			return;
		}
	}
	close(fd);
}

static bool is_room(const struct web *w)
{
	for (unsigned i = 0; i < CLIENTS; i++)
		if (w->client[i].fd < 0)
			return true;
	return false;
}

static void prepare(void *view, struct pollset *p)
{
	struct web *w = view;
	uint64_t now = now_us();

	/* Who finds no room waits in the kernel's queue. */
	if (is_room(w))
		pollset_add(p, w->listen_fd, POLLIN);
	for (unsigned i = 0; i < CLIENTS; i++) {
		struct client *c = &w->client[i];

		if (c->fd < 0)
			continue;
		pollset_wake(p, c->until_us);
		if (c->out.len)
			pollset_add(p, c->fd, POLLOUT);
		else if (now >= c->look_us)
			pollset_add(p, c->fd, POLLIN);
		else
			pollset_wake(p, c->look_us);
	}
	rfb_prepare(w->rfb, p);
}

static void pump(void *view, const struct pollset *p)
{
	struct web *w = view;
	uint64_t now = now_us();

	for (unsigned i = 0; i < CLIENTS; i++) {
		struct client *c = &w->client[i];

		if (c->fd < 0)
			continue;
		if (now >= c->until_us)
			drop(c);
		else if (pollset_got(p, c->fd) && c->out.len)
			write_answer(c);
		else if (pollset_got(p, c->fd))
			read_request(w, c, now);
	}
	if (pollset_got(p, w->listen_fd) & POLLIN)
		accept_client(w);
	rfb_pump(w->rfb, p);
}

/* ---- beginning and end */

static char *page_dir(void)
{
	return paths_in_share("web");
}

bool web_possible(void)
{
	char *dir = page_dir(), *rfb = xprintf("%s/novnc/core/rfb.js", dir);
	bool there = access(rfb, R_OK) == 0;

	free(rfb);
	free(dir);
	return there;
}

static void stop(void *view)
{
	struct web *w = view;

	for (unsigned i = 0; i < CLIENTS; i++)
		drop(&w->client[i]);
	rfb_free(w->rfb);
	close(w->listen_fd);
	close(w->dir_fd);
	free(w);
}

static int open_dir(void)
{
	char *dir = page_dir();
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (!web_possible() || fd < 0) {
		say("%s: noVNC is not there, which the web page needs; 'make' fetches it from Debian", dir);
		if (fd >= 0)
			close(fd);
		fd = -1;
	}
	free(dir);
	return fd;
}

static void *start(const struct show_env *env)
{
	const struct options *o = env->o;
	uint16_t port = o->listen_port;
	int dir_fd = open_dir(), fd;
	struct web *w;

	if (dir_fd < 0)
		return NULL;
	fd = o->listen_set ? listen_at(o->listen_addr, port) : listen_at_free(o->listen_addr, FIRST_PORT, LAST_PORT, &port);
	if (fd < 0) {
		say("web page at %s:%u: %s", o->listen_addr, port, strerror(-fd));
		close(dir_fd);
		return NULL;
	}
	w = xalloc(sizeof(*w));
	w->env = *env;
	w->listen_fd = fd;
	w->dir_fd = dir_fd;
	w->rfb = rfb_new(env->session, o->password);
	gethostname(w->machine, sizeof(w->machine) - 1);
	for (unsigned i = 0; i < CLIENTS; i++)
		w->client[i].fd = -1;
	say("the heads: http://%s:%u/", listen_name(o->listen_addr), port);
	listen_warn(o->listen_addr, o->password);
	return w;
}

static void changed(void *view, unsigned head, bool resized, unsigned x0, unsigned y0, unsigned x1, unsigned y1)
{
	struct web *w = view;

	if (w->env.session->rx.head[head].width)
		rfb_serve(w->rfb, head);
	rfb_changed(w->rfb, head, resized, x0, y0, x1, y1);
}

const struct show_ops web_ops = { .start = start, .stop = stop, .changed = changed, .prepare = prepare, .pump = pump };
