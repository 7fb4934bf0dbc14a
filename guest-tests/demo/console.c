/* A text console that scrolls, as kernels have one. */
#include "guest-tests/demo/scenes.h"
#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/pic.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/string.h"

#define CELL_W 8
#define CELL_H 16
#define PAPER RGB(12, 14, 18)
#define LINE_FRAMES 5 /* a line every so many frames */

static struct console {
	int32_t top, row, rows;
	unsigned line;
} consoles[HEADS_MAX];

/* What it says, all of it true; each line takes two numbers. */
static const char *const said[] = {
	"display: this is head %u of %u",     "timer: 8254 channel 0 at %u Hz, tick %u", "memory: %u KiB below 1 MiB, %u KiB above",
	"demo: frame %u, %u frames a second", "console: line %u, %u rows on the screen", "boot: %u ranges of memory, %u modules",
};

static const uint32_t inks[] = { RGB(120, 220, 130), RGB(110, 180, 240), RGB(240, 200, 110),
				 RGB(210, 210, 214), RGB(220, 140, 220), RGB(130, 220, 220) };

static void say(struct canvas *c, unsigned frame)
{
	struct console *s = c->scene;
	const int32_t bottom = s->top + s->rows * CELL_H;
	const unsigned kind = s->line % (sizeof(said) / sizeof(said[0]));
	const unsigned values[][2] = {
		{ c->head->index, head_count },	    { FPS * TICKS_PER_FRAME, (unsigned)timer_ticks() },
		{ boot.mem_lower, boot.mem_upper }, { frame, FPS },
		{ s->line, (unsigned)s->rows },	    { boot.range_count, boot.module_count },
	};
	char text[96], stamp[24];

	if (s->rows < 1)
		return;
	if (s->row == s->rows) {
		uint32_t *to = c->px + (int64_t)s->top * c->width;
		memmove(to, to + CELL_H * c->width, (uint64_t)(s->rows - 1) * CELL_H * (uint64_t)c->width * 4);
		canvas_fill(c, 0, bottom - CELL_H, c->width, CELL_H, PAPER);
		canvas_touch(c, 0, s->top, c->width, bottom - s->top);
		s->row--;
	}
	print_to(stamp, sizeof(stamp), "[%5u.%02u]", seconds_of_day(frame) % 86400, frame % FPS * 100 / FPS);
	print_to(text, sizeof(text), said[kind], values[kind][0], values[kind][1]);
	canvas_text(c, CELL_W, s->top + s->row * CELL_H, stamp, RGB(110, 116, 128));
	canvas_text(c, CELL_W * 12, s->top + s->row * CELL_H, text, inks[kind]);
	s->row++;
	s->line++;
}

static bool console_start(struct canvas *c)
{
	struct console *s = &consoles[c->head->index % HEADS_MAX];

	canvas_fill(c, 0, 0, c->width, c->height, PAPER);
	*s = (struct console){ .top = title_strip(c, "console") + 4 };
	s->rows = (c->height - s->top) / CELL_H;
	c->scene = s;
	for (int32_t i = 0; i < s->rows * 2 / 3; i++)
		say(c, 0);
	return true;
}

static void console_step(struct canvas *c, unsigned frame)
{
	if (frame % LINE_FRAMES == 0)
		say(c, frame);
}

const struct scene console_scene = { "console", console_start, console_step };
