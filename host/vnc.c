#define _GNU_SOURCE
#include "host/vnc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/listen.h"
#include "host/options.h"
#include "host/rfb.h"
#include "host/say.h"

#define FIRST_PORT 5900
#define LAST_PORT 5999

struct vnc {
	const struct options *o;
	struct session *session;
	struct rfb *rfb;
	int listen_fd[DISPLAY_HEADS]; /* -1: not served */
};

/* Head N at the port asked for + N, or at the first free one. Returns 0, or -1 having said why. */
static int serve(struct vnc *v, unsigned head)
{
	const char *addr = v->o->listen_addr;
	unsigned port = v->o->listen_port + head;
	uint16_t at = (uint16_t)port;
	int fd;

	if (!v->o->listen_set)
		fd = listen_at_free(addr, FIRST_PORT + head, LAST_PORT, &at);
	else
		fd = port > UINT16_MAX ? -ERANGE : listen_at(addr, at);
	if (fd < 0) {
		say("VNC for head %u at %s:%u: %s", head, addr, port, strerror(-fd));
		return -1;
	}
	v->listen_fd[head] = fd;
	rfb_serve(v->rfb, head);
	say("head %u: vncviewer %s:%u", head, listen_name(addr), at);
	return 0;
}

static void stop(void *view)
{
	struct vnc *v = view;

	for (unsigned h = 0; h < DISPLAY_HEADS; h++)
		if (v->listen_fd[h] >= 0)
			close(v->listen_fd[h]);
	rfb_free(v->rfb);
	free(v);
}

static void *start(const struct show_env *env)
{
	struct vnc *v = xalloc(sizeof(*v));

	v->o = env->o;
	v->session = env->session;
	v->rfb = rfb_new(env->session, env->o->password);
	for (unsigned h = 0; h < DISPLAY_HEADS; h++)
		v->listen_fd[h] = -1;
	for (unsigned h = 0; h < env->heads && h < DISPLAY_HEADS; h++) {
		if (serve(v, h) < 0) {
			stop(v);
			return NULL;
		}
	}
	listen_warn(env->o->listen_addr, env->o->password);
	return v;
}

static void changed(void *view, unsigned head, bool resized, unsigned x0, unsigned y0, unsigned x1, unsigned y1)
{
	struct vnc *v = view;

	if (v->listen_fd[head] < 0 && resized && v->session->rx.head[head].width)
		serve(v, head);
	rfb_changed(v->rfb, head, resized, x0, y0, x1, y1);
}

static void prepare(void *view, struct pollset *p)
{
	struct vnc *v = view;

	for (unsigned h = 0; h < DISPLAY_HEADS; h++)
		pollset_add(p, v->listen_fd[h], POLLIN);
	rfb_prepare(v->rfb, p);
}

static void pump(void *view, const struct pollset *p)
{
	struct vnc *v = view;

	for (unsigned h = 0; h < DISPLAY_HEADS; h++) {
		int fd = v->listen_fd[h] >= 0 && pollset_got(p, v->listen_fd[h]) & POLLIN
				 ? accept4(v->listen_fd[h], NULL, NULL, SOCK_CLOEXEC)
				 : -1;

		if (fd >= 0)
			rfb_accept(v->rfb, h, fd, false);
	}
	rfb_pump(v->rfb, p);
}

const struct show_ops vnc_ops = { .start = start, .stop = stop, .changed = changed, .prepare = prepare, .pump = pump };
