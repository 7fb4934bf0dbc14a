#include "host/show.h"

#include <stddef.h>

#include "host/say.h"
#include "host/vnc.h"
#include "host/web.h"
#include "host/window.h"

#define RATE_LOOK_US 500000u

static int start(struct show *s, const struct show_ops *ops)
{
	s->ops = ops;
	s->view = ops->start(&s->env);
	if (s->view)
		return 0;
	s->ops = NULL;
	return -1;
}

/* A window where there is a display to open it on; else a web page; else VNC, which needs nothing. */
static int start_any(struct show *s)
{
	if (window_possible() && start(s, &window_ops) == 0)
		return 0;
	return start(s, web_possible() ? &web_ops : &vnc_ops);
}

int show_start(struct show *s, const struct show_env *env)
{
	s->env = *env;
	s->env.loading = &s->loading;
	switch (env->o->view) {
	case VIEW_AUTO: return start_any(s);
	case VIEW_WINDOW: return start(s, &window_ops);
	case VIEW_WEB: return start(s, &web_ops);
	case VIEW_VNC: return start(s, &vnc_ops);
	default: return 0;
	}
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
