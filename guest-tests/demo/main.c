/*
 * The demo: a live scene on each head, up to sixteen. Runs until it is stopped; with the option `once` it plays 60 frames, tells
 * what the screens must show three times on the way, and ends. Its clocks start at ten past ten then, so the pictures are the same
 * on every machine and at any time.
 */
#include "guest-tests/demo/scenes.h"
#include "guest-tests/demo/trig.h"
#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/pic.h"
#include "guest-tests/lib/print.h"

#define ONCE_FRAMES 60
#define ONCE_REPORTS 20 /* frames from one report to the next */
#define ONCE_START (10u * 3600 + 10 * 60)
#define CMOS_INDEX 0x70
#define CMOS_DATA 0x71
#define RTC_UPDATING 0x80
#define RTC_BINARY 4

int main(void);

static const struct scene *const scenes[] = { &card_scene, &clock_scene, &balls_scene, &console_scene, &plasma_scene };
static struct canvas canvases[HEADS_MAX];
static unsigned start_seconds;

static unsigned rtc(uint8_t index)
{
	outb(CMOS_INDEX, index);
	return inb(CMOS_DATA);
}

static unsigned rtc_number(uint8_t index, bool binary)
{
	unsigned v = rtc(index);

	return binary ? v : (v >> 4 & 7) * 10 + (v & 15);
}

/* The time of day (MC146818 data sheet); in 12-hour mode afternoons look like mornings, which a clock's face does not tell. */
static unsigned rtc_seconds(void)
{
	const bool binary = rtc(0xb) & RTC_BINARY;

	for (unsigned i = 0; i < 100000 && (rtc(0xa) & RTC_UPDATING); i++)
		;
	return (rtc_number(4, binary) * 3600 + rtc_number(2, binary) * 60 + rtc_number(0, binary)) % 86400;
}

unsigned seconds_of_day(unsigned frame)
{
	return (start_seconds + frame / FPS) % 86400;
}

int32_t title_strip(struct canvas *c, const char *name)
{
	const int32_t height = c->height >= 160 ? 28 : 0;
	char text[64];

	if (!height)
		return 0;
	canvas_shade(c, 0, 0, c->width, height, RGB(52, 58, 72), RGB(34, 38, 48));
	canvas_fill(c, 0, height - 1, c->width, 1, RGB(90, 200, 250));
	print_to(text, sizeof(text), "Tessera  head %u  %ux%u  %s", c->head->index, c->head->width, c->head->height, name);
	canvas_text(c, 12, 6, text, RGB(236, 240, 246));
	return height;
}

static bool start_all(void)
{
	for (unsigned i = 0; i < head_count; i++) {
		struct canvas *c = &canvases[i];
		*c = (struct canvas){
			.head = &heads[i],
			.width = (int32_t)heads[i].width,
			.height = (int32_t)heads[i].height,
			.px = heads[i].shadow,
		};
		if (!scenes[i % (sizeof(scenes) / sizeof(scenes[0]))]->start(c))
			return false;
		canvas_touch(c, 0, 0, c->width, c->height);
		canvas_flush(c);
	}
	return true;
}

static void wait_frame(unsigned frame)
{
	while (timer_ticks() < (uint64_t)frame * TICKS_PER_FRAME)
		wait_for_interrupt();
}

int main(void)
{
	bool once;
	const char *why;

	guest_init();
	once = boot_option("once");
	why = heads_find();
	if (!check(!why, "heads", why))
		return 1;
	if (!head_count) {
		check_skip("demo", "there is no head");
		return 0;
	}
	trig_init();
	start_seconds = once ? ONCE_START : rtc_seconds();
	if (!check(heads_shadow() && start_all(), "memory", "not enough for a copy of every head; --memory gives more"))
		return 1;
	timer_start(FPS * TICKS_PER_FRAME);
	for (unsigned frame = 1; !once || frame <= ONCE_FRAMES; frame++) {
		wait_frame(frame);
		for (unsigned i = 0; i < head_count; i++) {
			scenes[i % (sizeof(scenes) / sizeof(scenes[0]))]->step(&canvases[i], frame);
			canvas_flush(&canvases[i]);
		}
		if (once && frame % ONCE_REPORTS == 0)
			heads_report("demo");
	}
	timer_stop();
	return tests_failed() ? 1 : 0;
}
