#include "host/show.h"

#include <stdlib.h>
#include <unistd.h>

#include "host/say.h"
#include "host/vnc.h"
#include "host/web.h"

#define RATE_LOOK_US 500000u

/* A window where there is a display to open it on; else a web page; else VNC, which needs nothing. */
static enum view_kind choose(enum view_kind asked)
{
	if (asked != VIEW_AUTO)
		return asked;
	return web_possible() ? VIEW_WEB : VIEW_VNC;
}

int show_start(struct show *s, const struct show_env *env)
{
	static const struct show_ops *const views[] = { [VIEW_VNC] = &vnc_ops, [VIEW_WEB] = &web_ops, [VIEW_NONE] = NULL };

	s->env = *env;
	s->env.loading = &s->loading;
	s->ops = views[choose(env->o->view)];
	if (!s->ops)
		return 0;
	s->view = s->ops->start(&s->env);
	if (s->view)
		return 0;
	s->ops = NULL;
	return -1;
}

void show_stop(struct show *s)
{
	if (s->ops)
		s->ops->stop(s->view);
	s->ops = NULL;
	loading_free(&s->loading);
}

void show_changed(struct show *s, unsigned head, bool resized, unsigned x0, unsigned y0, unsigned x1, unsigned y1)
{
	if (!s->ops)
		return;
	loading_changed(&s->loading, head, resized, &s->env.session->rx.head[head], x0, y0, x1, y1, now_us());
	s->ops->changed(s->view, head, resized, x0, y0, x1, y1);
}

void show_prepare(struct show *s, struct pollset *p)
{
	if (!s->ops)
		return;
	pollset_wake(p, now_us() + RATE_LOOK_US);
	s->ops->prepare(s->view, p);
}

void show_pump(struct show *s, const struct pollset *p)
{
	if (!s->ops)
		return;
	loading_bytes(&s->loading, s->env.session->link.rx_bytes, now_us());
	s->ops->pump(s->view, p);
}
