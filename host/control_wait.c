/* `wait`: the answer comes when a head shows a given picture, when nothing changes any more, or when the guest printed something.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/control_client.h"
#include "host/say.h"

#define LOOK_EVERY_US 20000u /* computing a CRC is not for every datagram */

/* "name=VALUE " at *s: moves behind it. value may be NULL for the rest of the line. */
static bool word(const char **s, const char *name, char *value, size_t size)
{
	size_t n = strlen(name), len;

	if (strncmp(*s, name, n) != 0)
		return false;
	len = strcspn(*s + n, " ");
	if (len >= size)
		return false;
	memcpy(value, *s + n, len);
	value[len] = 0;
	*s += n + len;
	*s += strspn(*s, " ");
	return true;
}

static bool parse_text(struct control_client *c, const char *regex)
{
	char why[128];
	int err = regcomp(&c->wait_regex, regex, REG_EXTENDED | REG_NOSUB | REG_NEWLINE);

	if (err) {
		regerror(err, &c->wait_regex, why, sizeof(why));
		control_answerf(c, "error", "%s: %s", regex, why);
		return false;
	}
	c->wait = WAIT_TEXT;
	return true;
}

void control_wait_begin(struct control_client *c, const char *args)
{
	char v[32];

	if (word(&args, "timeout=", v, sizeof(v)))
		c->wait_until_us = now_us() + strtoull(v, NULL, 10) * 1000;
	else
		c->wait_until_us = UINT64_MAX;
	if (word(&args, "head=", v, sizeof(v))) {
		c->wait_head = (unsigned)strtoul(v, NULL, 10);
		if (c->wait_head < DISPLAY_HEADS && word(&args, "crc=", v, sizeof(v))) {
			c->wait_crc = (uint32_t)strtoul(v, NULL, 16);
			c->wait = WAIT_CRC;
		}
	} else if (word(&args, "still=", v, sizeof(v))) {
		c->wait_still_us = strtoull(v, NULL, 10) * 1000;
		c->wait = WAIT_STILL;
	} else if (strncmp(args, "text=", 5) == 0 && !parse_text(c, args + 5)) {
		return;
	}
	if (!c->wait)
		control_answerf(c, "error", "wait [timeout=MS] head=N crc=C, still=MS or text=REGEX");
}

static bool crc_is(struct control_client *c)
{
	if (c->wait_looked && c->wait_seen == c->env->changes[c->wait_head])
		return false;
	c->wait_looked = true;
	c->wait_seen = c->env->changes[c->wait_head];
	return c->env->session->rx.head[c->wait_head].width && drx_crc(&c->env->session->rx, c->wait_head) == c->wait_crc;
}

/* Lines that were looked at are not looked at again; the last one may still grow. */
static bool text_is(struct control_client *c)
{
	const struct tail *t = c->env->serial;
	uint64_t first = t->total - t->t.len; /* offset of the oldest byte kept */
	size_t from = c->wait_text_from > first ? (size_t)(c->wait_text_from - first) : 0;
	regmatch_t m = { .rm_so = (regoff_t)from, .rm_eo = (regoff_t)t->t.len };
	const char *newline;

	if (from == t->t.len || t->t.len > INT32_MAX)
		return false;
	if (regexec(&c->wait_regex, text_str(&t->t), 1, &m, REG_STARTEND) == 0)
		return true;
	newline = memrchr(t->t.s + from, '\n', t->t.len - from);
	if (newline)
		c->wait_text_from = first + (uint64_t)(newline + 1 - t->t.s);
	return false;
}

static bool is_so(struct control_client *c, uint64_t now)
{
	switch (c->wait) {
	case WAIT_CRC: return crc_is(c);
	case WAIT_TEXT: return text_is(c);
	case WAIT_STILL: return c->env->session->link.up && now >= c->env->changed_us + c->wait_still_us;
	default: return false;
	}
}

void control_wait_look(struct control_client *c)
{
	uint64_t now = now_us();

	if (now < c->wait_look_us && now < c->wait_until_us)
		return;
	c->wait_look_us = now + LOOK_EVERY_US;
	if (is_so(c, now))
		control_answerf(c, "ok", "it is so");
	else if (now >= c->wait_until_us)
		control_answerf(c, "timeout", "time-out");
	else
		return;
	control_wait_end(c);
}

uint64_t control_wait_deadline(const struct control_client *c)
{
	uint64_t at = c->wait_look_us > now_us() ? c->wait_look_us : now_us() + LOOK_EVERY_US;

	return at < c->wait_until_us ? at : c->wait_until_us;
}

void control_wait_end(struct control_client *c)
{
	if (c->wait == WAIT_TEXT)
		regfree(&c->wait_regex);
	c->wait = WAIT_NOTHING;
}
