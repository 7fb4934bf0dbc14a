/*
 * Shows what is typed and clicked, on every head and as text on COM1: for trying a view. Escape ends it, with each screen's CRC.
 */
#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/heads.h"
#include "guest-tests/lib/painter.h"
#include "guest-tests/lib/pic.h"
#include "guest-tests/lib/print.h"

#define KBD_DATA 0x60
#define KBD_STATUS 0x64
#define KBD_FULL 0x01  /* the output buffer holds a byte, */
#define KBD_MOUSE 0x20 /* of the mouse */
#define ESCAPE 0x01
#define SHIFT_LEFT 0x2a
#define SHIFT_RIGHT 0x36
#define ENTER 0x1c
#define PAPER 0x203040
#define INK 0xf0f0e0

static const char plain[] = "\0\0"
			    "1234567890-=\0\0qwertyuiop[]\0\0asdfghjkl;'`\0\\zxcvbnm,./";
static const char shifted[] = "\0\0"
			      "!@#$%^&*()_+\0\0QWERTYUIOP{}\0\0ASDFGHJKL:\"~\0|ZXCVBNM<>?";

static uint32_t at_x, at_y;
static bool shift;

int main(void);

static void show(char c)
{
	char s[2] = { c, 0 };

	for (unsigned i = 0; i < head_count; i++)
		paint_text(&heads[i], at_x, at_y, s, INK, PAPER);
	at_x += 8;
	if (at_x + 8 > heads[0].width)
		at_x = 0, at_y += 16;
}

/* False for Escape. */
static bool key(uint8_t code)
{
	uint8_t make = code & 0x7f;

	if (make == SHIFT_LEFT || make == SHIFT_RIGHT)
		shift = !(code & 0x80);
	if (code & 0x80)
		return true;
	print("key %02x\n", code);
	if (code == ENTER)
		at_x = 0, at_y += 16;
	else if (code == 0x39)
		show(' ');
	else if (code < sizeof(plain) && plain[code])
		show(shift ? shifted[code] : plain[code]);
	return code != ESCAPE;
}

/* A packet's first byte has the buttons; it is told when they change. */
static void mouse(uint8_t byte)
{
	static uint8_t n, buttons;

	if (n == 0 && !(byte & 0x08))
		return; /* out of step */
	if (n == 0 && (byte & 7) != buttons) {
		buttons = byte & 7;
		print("buttons %u\n", buttons);
	}
	n = (uint8_t)((n + 1) % 3);
}

static void wait_for_room(void)
{
	while (inb(KBD_STATUS) & 0x02)
		;
}

static void mouse_on(void)
{
	static const struct {
		uint16_t port;
		uint8_t byte;
	} writes[] = { { KBD_STATUS, 0xa8 }, { KBD_STATUS, 0xd4 }, { KBD_DATA, 0xf4 } };

	for (unsigned i = 0; i < 3; i++) {
		wait_for_room();
		outb(writes[i].port, writes[i].byte);
	}
	while (!(inb(KBD_STATUS) & KBD_FULL))
		;
	inb(KBD_DATA); /* its acknowledgement */
}

int main(void)
{
	const char *why;
	bool on = true;

	guest_init();
	why = heads_find();
	if (!check(!why && head_count && heads_shadow(), "heads", why ? why : "there is no head, or not enough memory"))
		return 1;
	for (unsigned i = 0; i < head_count; i++) {
		char s[40];

		print_to(s, sizeof(s), "Head %u: type, Escape ends", i);
		paint_fill(&heads[i], 0, 0, heads[i].width, heads[i].height, PAPER + 0x102000 * i);
		paint_text(&heads[i], 0, 0, s, INK, PAPER);
	}
	at_y = 32;
	mouse_on();
	timer_start(100);
	print("ready\n");
	while (on) {
		wait_for_interrupt();
		for (uint8_t status; on && (status = inb(KBD_STATUS)) & KBD_FULL;) {
			if (status & KBD_MOUSE)
				mouse(inb(KBD_DATA));
			else
				on = key(inb(KBD_DATA));
		}
	}
	timer_stop();
	heads_report("echo");
	return tests_failed() ? 1 : 0;
}
