/* How the heads are shown: one of the views, behind one table of what a view does. */
#ifndef HOST_SHOW_H
#define HOST_SHOW_H

#include <stdbool.h>
#include <stdint.h>

#include "host/loading.h"
#include "host/options.h"
#include "host/pollset.h"
#include "host/session.h"

/* What a view gets. All of it lives longer than the view. */
struct show_env {
	const struct options *o;
	unsigned heads; /* that are known to come: 0 to heads-1; others when they show something */
	struct session *session;
	const struct loading *loading;
	void (*quit)(void *arg); /* the user closed the view */
	void *arg;
};

struct show_ops {
	void *(*start)(const struct show_env *env); /* NULL having said why */
	void (*stop)(void *view);
	/* A rectangle of a head changed, or (resized) its whole mode; the canvas that was is still there until the next call. */
	void (*changed)(void *view, unsigned head, bool resized, unsigned x0, unsigned y0, unsigned x1, unsigned y1);
	void (*prepare)(void *view, struct pollset *p);
	void (*pump)(void *view, const struct pollset *p);
};

struct show {
	const struct show_ops *ops; /* NULL: nothing is shown */
	void *view;
	struct show_env env;
	struct loading loading;
};

/** Starts the view that the options choose. env->loading is set here. Returns 0, or -1 having said why. */
int show_start(struct show *s, const struct show_env *env);
void show_stop(struct show *s);
void show_changed(struct show *s, unsigned head, bool resized, unsigned x0, unsigned y0, unsigned x1, unsigned y1);
void show_prepare(struct show *s, struct pollset *p);
void show_pump(struct show *s, const struct pollset *p);

#endif
