#include "host/control_input.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "host/control_client.h"
#include "host/keys.h"
#include "host/session.h"

#define SHIFT 0x2a
#define ENTER 0x1c
#define TAB 0x0f
#define CHORD_MAX 8

/* Names of keys that no character stands for. F1 to F12 are made. */
static const struct {
	const char *name;
	uint16_t code;
} names[] = {
	{ "enter", 0x1c },    { "return", 0x1c }, { "esc", 0x01 },	{ "escape", 0x01 },	{ "backspace", 0x0e },
	{ "tab", 0x0f },      { "space", 0x39 },  { "shift", 0x2a },	{ "rshift", 0x36 },	{ "ctrl", 0x1d },
	{ "rctrl", 0xe01d },  { "alt", 0x38 },	  { "altgr", 0xe038 },	{ "super", 0xe05b },	{ "capslock", 0x3a },
	{ "numlock", 0x45 },  { "up", 0xe048 },	  { "down", 0xe050 },	{ "left", 0xe04b },	{ "right", 0xe04d },
	{ "home", 0xe047 },   { "end", 0xe04f },  { "pageup", 0xe049 }, { "pagedown", 0xe051 }, { "insert", 0xe052 },
	{ "delete", 0xe053 },
};

static int press(struct session *s, uint16_t code, bool with_shift)
{
	int e = with_shift ? session_key(s, true, SHIFT) : 0;

	if (!e)
		e = session_key(s, true, code);
	if (!e)
		e = session_key(s, false, code);
	if (with_shift && !e)
		e = session_key(s, false, SHIFT);
	return e;
}

static void done(struct control_client *c, int err)
{
	if (err)
		control_answerf(c, "error", "not all of it was sent: %s", control_reason(err));
	else
		control_answerf(c, "ok", "done");
}

void control_type(struct control_client *c, const char *args)
{
	int e = 0;

	for (const char *p = args; *p && !e; p++) {
		uint16_t code = keys_scancode((unsigned char)*p);

		if (p[0] == '\\' && (p[1] == 'n' || p[1] == 't' || p[1] == '\\')) {
			p++;
			code = *p == 'n' ? ENTER : *p == 't' ? TAB : keys_scancode('\\');
		} else if (keys_shifted((unsigned char)*p) && code) {
			e = press(c->env->session, code, true);
			continue;
		}
		if (!code) {
			control_answerf(c, "error", "the keyboard has no key for byte 0x%02x", (unsigned char)*p);
			return;
		}
		e = press(c->env->session, code, false);
	}
	done(c, e);
}

static uint16_t named(const char *word, size_t n)
{
	unsigned f;

	if (n == 1)
		return keys_scancode((unsigned char)tolower((unsigned char)*word));
	if (sscanf(word, "%*[fF]%u", &f) == 1 && f >= 1 && f <= 12)
		return (uint16_t)(f <= 10 ? 0x3a + f : 0x4c + f);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (strlen(names[i].name) == n && strncasecmp(names[i].name, word, n) == 0)
			return names[i].code;
	return 0;
}

/* Whether the first word is this one; args goes behind it. */
static bool first_word(const char **args, const char *word)
{
	const char *p = *args + strspn(*args, " ");
	size_t n = strlen(word);

	if (strncasecmp(p, word, n) != 0 || (p[n] && p[n] != ' '))
		return false;
	*args = p + n;
	return true;
}

void control_key(struct control_client *c, const char *args)
{
	bool hold = first_word(&args, "hold"), release = !hold && first_word(&args, "release");
	uint16_t chord[CHORD_MAX];
	unsigned n = 0;
	int e = 0;

	for (const char *p = args + strspn(args, " +"); *p; p += strspn(p, " +")) {
		size_t len = strcspn(p, " +");
		uint16_t code = named(p, len);

		if (!code || n == CHORD_MAX) {
			control_answerf(c, "error", code ? "too many keys at once" : "no key %.*s", (int)len, p);
			return;
		}
		chord[n++] = code;
		p += len;
	}
	if (!n) {
		control_answerf(c, "error", "key needs a name: a character, or enter, f1, ctrl, up ...");
		return;
	}
	for (unsigned i = 0; i < n && !e && !release; i++)
		e = session_key(c->env->session, true, chord[i]);
	for (unsigned i = n; i-- && !e && !hold;)
		e = session_key(c->env->session, false, chord[i]);
	done(c, e);
}

void control_click(struct control_client *c, const char *args)
{
	struct session *s = c->env->session;
	unsigned head, x, y;
	int e;

	if (sscanf(args, "%u %u %u", &head, &x, &y) != 3 || head >= DISPLAY_HEADS || x > UINT16_MAX || y > UINT16_MAX) {
		control_answerf(c, "error", "click needs HEAD X Y");
		return;
	}
	e = session_pointer(s, head, x, y, 0, 0);
	if (!e)
		e = session_pointer(s, head, x, y, 1, 0);
	if (!e)
		e = session_pointer(s, head, x, y, 0, 0);
	done(c, e);
}
