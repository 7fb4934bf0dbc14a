/* tessera export: a picture or a video of a recording. */
#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "host/commands.h"
#include "host/layout.h"
#include "host/options.h"
#include "host/options_groups.h"
#include "host/player.h"
#include "host/png.h"
#include "host/say.h"
#include "host/spec.h"
#include "host/video.h"

#define GAP 8			       /* pixels between heads */
#define PIXELS_MAX (64u * 1024 * 1024) /* of a picture with all heads */

struct export
{
	const char *file, *out;
	bool one; /* of the heads: */
	unsigned head, fps;
	double at, speed; /* seconds, negative: at the end */
	/* while it plays */
	struct session *session;
	struct layout layout;
	uint32_t *px;
	uint32_t changed; /* heads, as bits */
};

enum { OPT_HEAD = 256, OPT_AT, OPT_FPS, OPT_SPEED };

static const struct argp_option export_options[] = {
	{ "head", OPT_HEAD, "N", 0, "only this head (all, as monitors beside each other)", 0 },
	{ "at", OPT_AT, "SEC", 0, "PNG: so long after the beginning (the end)", 0 },
	{ "fps", OPT_FPS, "N", 0, "MP4: so many pictures a second at most (25)", 0 },
	{ "speed", OPT_SPEED, "X", 0, "MP4: so many times as fast (1)", 0 },
	{ 0 },
};

static int parse_real(const char *option, const char *arg, double min, double *out)
{
	char *end;

	*out = strtod(arg, &end);
	return end == arg || *end || !(*out >= min) || *out > 1e9 ? options_bad(option, arg, "a number above 0") : 0;
}

static error_t export_parse(int key, char *arg, struct argp_state *state)
{
	struct export *e = state->input;

	switch (key) {
	case OPT_HEAD: e->one = true; return options_number("head", arg, 0, DISPLAY_HEADS - 1, &e->head);
	case OPT_AT: return parse_real("at", arg, 0, &e->at);
	case OPT_FPS: return options_number("fps", arg, 1, 120, &e->fps);
	case OPT_SPEED: return parse_real("speed", arg, 1e-3, &e->speed);
	case ARGP_KEY_ARG:
		if (e->out) {
			say("unexpected argument '%s'", arg);
			return EINVAL;
		}
		*(e->file ? &e->out : &e->file) = arg;
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp export_argp = {
	.options = export_options,
	.parser = export_parse,
	.args_doc = "FILE OUT.png|OUT.mp4",
	.doc = "Makes a picture or a video of a recording.\vMP4 is made by ffmpeg, which must be installed. Of a recording that is "
	       "damaged or cut off, all before that is used; the status is 125 then.",
};

static bool wanted(const struct export *e, unsigned head)
{
	return !e->one || e->head == head;
}

static void on_changed(void *arg, unsigned head, bool resized, unsigned x0, unsigned y0, unsigned x1, unsigned y1)
{
	struct export *e = arg;
	const struct canvas *c = &e->session->rx.head[head];
	struct layout_place *p = &e->layout.head[head];

	(void)resized, (void)x0, (void)y0, (void)x1, (void)y1;
	if (!wanted(e, head))
		return;
	e->changed |= 1u << head;
	if (!e->px) { /* it is being measured: a video's size is the largest of each head */
		p->width = c->width > p->width ? c->width : p->width;
		p->height = c->height > p->height ? c->height : p->height;
	}
}

static const struct session_ops ops = { .changed = on_changed };

static int open_player(struct export *e, struct player *p)
{
	if (player_open(p, e->file, 0) < 0)
		return -1;
	e->session = xalloc(sizeof(*e->session));
	session_init(e->session, &ops, e, session_window(0));
	session_play(e->session, 0);
	return 0;
}

/* Returns 0, or EXIT_TOOL having said where the recording is broken. */
static int close_player(struct export *e, struct player *p, bool explain)
{
	int status = p->recording.why ? EXIT_TOOL : 0;

	if (explain)
		recording_explain(&p->recording);
	player_close(p);
	session_free(e->session);
	free(e->session);
	e->session = NULL;
	return status;
}

/* Places the heads and makes room for the picture. */
static int make_room(struct export *e)
{
	layout_make(&e->layout, GAP);
	e->layout.width += e->layout.width & 1;
	e->layout.height += e->layout.height & 1;
	if (!e->layout.width) {
		say("%s: %s", e->file, e->one ? "this head shows nothing" : "no head shows anything");
		return EXIT_TOOL;
	}
	if ((uint64_t)e->layout.width * e->layout.height > PIXELS_MAX || e->layout.width > UINT16_MAX ||
	    e->layout.height > UINT16_MAX) {
		say("%s: all heads on one picture are %ux%u pixels, too many: choose one with --head", e->file, e->layout.width,
		    e->layout.height);
		return EXIT_TOOL;
	}
	e->px = xalloc((size_t)e->layout.width * e->layout.height * 4);
	memset(e->px, 0, (size_t)e->layout.width * e->layout.height * 4);
	return 0;
}

static void paint_changed(struct export *e)
{
	for (unsigned h = 0; h < DISPLAY_HEADS; h++) {
		const struct layout_place *p = &e->layout.head[h];

		if (!(e->changed >> h & 1) || !p->width)
			continue;
		for (unsigned y = 0; y < p->height; y++)
			memset(e->px + (size_t)(p->y + y) * e->layout.width + p->x, 0, (size_t)p->width * 4);
		layout_paint(&e->layout, h, &e->session->rx.head[h], e->px);
	}
	e->changed = 0;
}

/* One head is its canvas; all are beside each other. */
static int write_png(struct export *e)
{
	struct canvas all = { 0 };
	const struct canvas *c = &e->session->rx.head[e->head];
	int err;

	memset(&e->layout, 0, sizeof(e->layout));
	for (unsigned h = 0; h < DISPLAY_HEADS; h++) {
		if (!wanted(e, h) || !e->session->rx.head[h].width)
			continue;
		e->layout.head[h].width = e->session->rx.head[h].width;
		e->layout.head[h].height = e->session->rx.head[h].height;
	}
	err = make_room(e);
	if (err)
		return err;
	if (!e->one) {
		e->changed = UINT32_MAX;
		paint_changed(e);
		all = (struct canvas){ (uint16_t)e->layout.width, (uint16_t)e->layout.height, e->px };
		c = &all;
	}
	err = png_write(c, e->out);
	if (err)
		say("%s: %s", e->out, strerror(-err));
	return err ? EXIT_TOOL : 0;
}

static int export_png(struct export *e)
{
	struct player p;
	int err, status;

	if (open_player(e, &p) < 0)
		return EXIT_USAGE;
	while (!p.over && (e->at < 0 || (double)p.next.time_us <= e->at * 1e6))
		player_step(&p, e->session);
	err = write_png(e);
	status = close_player(e, &p, true);
	return err ? err : status;
}

static uint64_t video_ms(const struct export *e, uint64_t us)
{
	return (uint64_t)((double)us / 1000 / e->speed);
}

/* At most fps pictures a second, and only when something changed; the last one is shown to the end. */
static int write_video(struct export *e, struct video *v)
{
	uint64_t due = 1000 / e->fps, last = 0;
	struct player p;

	if (open_player(e, &p) < 0)
		return EXIT_TOOL;
	video_frame(v, e->px, 0); /* black */
	while (!p.over) {
		uint64_t ms = video_ms(e, p.next.time_us);

		if (e->changed && ms > last && ms >= due) {
			paint_changed(e);
			due = last > due ? last : due;
			video_frame(v, e->px, due);
			due += 1000 / e->fps;
		}
		last = ms;
		player_step(&p, e->session);
	}
	paint_changed(e);
	last = last > due ? last : due;
	video_frame(v, e->px, last);
	video_frame(v, e->px, last + 1000 / e->fps);
	return close_player(e, &p, false);
}

static int export_mp4(struct export *e)
{
	struct player p;
	struct video v;
	int status, err;

	if (open_player(e, &p) < 0)
		return EXIT_USAGE;
	while (!p.over)
		player_step(&p, e->session);
	status = close_player(e, &p, true);
	err = make_room(e);
	if (!err && video_begin(&v, e->out, e->layout.width, e->layout.height) < 0)
		err = EXIT_TOOL;
	if (err)
		return err;
	err = write_video(e, &v);
	if (video_end(&v) < 0)
		return EXIT_TOOL;
	return err ? err : status;
}

static bool ends_in(const char *s, const char *end)
{
	size_t n = strlen(s), k = strlen(end);

	return n > k && strcmp(s + n - k, end) == 0;
}

int command_export(int argc, char **argv)
{
	struct export e = { .at = -1, .fps = 25, .speed = 1 };
	int err = options_parse(&export_argp, "export", argc, argv, &e);

	if (err)
		return err;
	signal(SIGPIPE, SIG_IGN);
	if (!e.out)
		say("expected a recording and OUT.png or OUT.mp4");
	else if (ends_in(e.out, ".png"))
		err = export_png(&e);
	else if (ends_in(e.out, ".mp4"))
		err = export_mp4(&e);
	else
		say("%s: expected a name that ends in .png or .mp4", e.out);
	free(e.px);
	return !e.out || (!ends_in(e.out, ".png") && !ends_in(e.out, ".mp4")) ? EXIT_USAGE : err;
}

void help_export(void)
{
	argp_help(&export_argp, stdout, ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC, (char *)"tessera export");
}
