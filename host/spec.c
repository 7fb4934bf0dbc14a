#include "host/spec.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_WIDTH 1024
#define DEFAULT_HEIGHT 768

static char why_buf[160];

static int fail(const char **why, const char *fmt, const char *what)
{
	snprintf(why_buf, sizeof(why_buf), fmt, what);
	*why = why_buf;
	return -EINVAL;
}

int spec_number(const char *s, uint64_t min, uint64_t max, uint64_t *out)
{
	char *end;
	unsigned long long v;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	errno = 0;
	v = strtoull(s, &end, s[0] == '0' && (s[1] | 0x20) == 'x' ? 16 : 10);
	if (errno || *end || v < min || v > max)
		return -EINVAL;
	*out = v;
	return 0;
}

/* One WxH of the list; *s moves behind it. */
static int head_size(const char **s, uint16_t *w, uint16_t *h)
{
	char *end;
	unsigned long a, b;

	if (**s < '0' || **s > '9')
		return -EINVAL;
	a = strtoul(*s, &end, 10);
	if (*end != 'x' || end[1] < '0' || end[1] > '9')
		return -EINVAL;
	b = strtoul(end + 1, &end, 10);
	if (*end && *end != ',')
		return -EINVAL;
	*s = end;
	if (a < 1 || b < 1 || a > DISPLAY_MAX_SIDE || b > DISPLAY_MAX_SIDE || a * b > DISPLAY_MAX_PIXELS)
		return -ERANGE;
	*w = (uint16_t)a;
	*h = (uint16_t)b;
	return 0;
}

int spec_heads(const char *s, struct head_spec *out, const char **why)
{
	const char *p = s;
	uint64_t n;

	*out = (struct head_spec){ 0 };
	if (strcmp(s, "none") == 0 || strcmp(s, "0") == 0)
		return 0;
	if (s[0] && !strpbrk(s, "x,")) {
		if (spec_number(s, 1, DISPLAY_HEADS, &n) < 0)
			return fail(why, "--heads %s: a number of heads is 1 to 16", s);
		for (out->count = 0; out->count < n; out->count++) {
			out->head[out->count].width = DEFAULT_WIDTH;
			out->head[out->count].height = DEFAULT_HEIGHT;
		}
		return 0;
	}
	for (;;) {
		uint16_t w, h;
		int err = head_size(&p, &w, &h);

		if (err == -ERANGE)
			return fail(why, "--heads %s: a head is 1x1 to 8192x8192, and 16777216 pixels at most", s);
		if (err)
			return fail(why, "--heads %s: expected N, WxH,WxH,... or none", s);
		if (out->count == DISPLAY_HEADS)
			return fail(why, "--heads %s: 16 heads at most", s);
		out->head[out->count].width = w;
		out->head[out->count++].height = h;
		if (!*p)
			return 0;
		p++;
	}
}

void spec_heads_text(const struct head_spec *h, char *out)
{
	size_t at = 0;

	if (!h->count)
		snprintf(out, SPEC_HEADS_TEXT, "none");
	for (unsigned i = 0; i < h->count; i++)
		at += (size_t)snprintf(out + at, SPEC_HEADS_TEXT - at, "%s%ux%u", i ? "," : "", h->head[i].width,
				       h->head[i].height);
}

/* "30s", "1500ms" or "30" (seconds). */
static int duration_us(const char *s, uint64_t *us)
{
	char *end;
	double v = strtod(s, &end);

	if (end == s || !(v > 0) || v > 1e6)
		return -EINVAL;
	if (strcmp(end, "ms") == 0)
		v /= 1000;
	else if (*end && strcmp(end, "s") != 0)
		return -EINVAL;
	*us = (uint64_t)(v * 1e6);
	return 0;
}

static int probability(const char *s, double *p)
{
	char *end;

	*p = strtod(s, &end);
	return end == s || *end || !(*p >= 0 && *p <= 1) ? -EINVAL : 0;
}

static int fault_word(const char *word, struct fault_rates *out)
{
	struct {
		const char *name;
		double *p;
	} rates[] = { { "flip=", &out->flip }, { "drop=", &out->drop }, { "dup=", &out->dup }, { "burst=", &out->burst } };

	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++)
		if (strncmp(word, rates[i].name, strlen(rates[i].name)) == 0)
			return probability(word + strlen(rates[i].name), rates[i].p);
	if (strncmp(word, "seed=", 5) == 0)
		return spec_number(word + 5, 0, UINT64_MAX, &out->seed);
	bool cut = strncmp(word, "cut=", 4) == 0;
	uint64_t *us = cut ? &out->cut_us : &out->stall_us;

	if ((!cut && strncmp(word, "stall=", 6) != 0) || duration_us(word + (cut ? 4 : 6), us) < 0)
		return -EINVAL;
	return *us > 1000000 ? 0 : -ERANGE; /* the second must leave something */
}

int spec_faults(const char *s, struct fault_rates *out, const char **why)
{
	char *copy = strdup(s), *save = NULL;
	int err = copy && *s ? 0 : -EINVAL;

	*out = (struct fault_rates){ .seed = 1 };
	for (char *w = copy ? strtok_r(copy, ",", &save) : NULL; w && !err; w = strtok_r(NULL, ",", &save))
		err = fault_word(w, out);
	free(copy);
	if (err == -ERANGE)
		return fail(why, "--line-errors %s: cut= and stall= must be longer than the second for which they last", s);
	if (err)
		return fail(why, "--line-errors %s: expected flip=P,drop=P,dup=P,burst=P,cut=TIME,stall=TIME,seed=N", s);
	return 0;
}

int spec_listen(const char *s, char addr[16], uint16_t *port)
{
	const char *colon = strrchr(s, ':');
	const char *digits = colon ? colon + 1 : s;
	size_t len = colon ? (size_t)(colon - s) : 0;
	struct in_addr in;
	uint64_t n;

	if (len > 15 || spec_number(digits, 1, 65535, &n) < 0)
		return -EINVAL;
	memcpy(addr, s, len);
	addr[len] = 0;
	if (!len || strcmp(addr, "localhost") == 0)
		strcpy(addr, "127.0.0.1");
	if (inet_pton(AF_INET, addr, &in) != 1)
		return -EINVAL;
	*port = (uint16_t)n;
	return 0;
}
