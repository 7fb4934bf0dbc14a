/* The VMM's command line: words of the form name=value. */
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "boot/bootinfo.h"

#define WORD_MAX 300

static char problem[WORD_MAX + 160];

/* Decimal, or hexadecimal after 0x; the whole text, within [min, max]. */
static bool parse_number(const char *text, uint64_t min, uint64_t max, uint64_t *value)
{
	unsigned base = 10;
	uint64_t v = 0;
	if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
		base = 16;
		text += 2;
	}
	if (!*text)
		return false;
	for (; *text; text++) {
		const char *digits = "0123456789abcdef";
		const char *digit = strchr(digits, *text >= 'A' && *text <= 'F' ? *text - 'A' + 'a' : *text);
		if (!digit || digit - digits >= (long)base)
			return false;
		v = v * base + (uint64_t)(digit - digits);
		if (v > max)
			return false;
	}
	*value = v;
	return v >= min;
}

/* Whether list, words with blanks between, has the word. */
static bool one_of(const char *list, const char *word)
{
	size_t n = strlen(word);
	while (*list) {
		if (!strncmp(list, word, n) && (!list[n] || list[n] == ' '))
			return n;
		list = strchr(list, ' ');
		if (!list)
			return false;
		list++;
	}
	return false;
}

/* `none`, a count, or WxH,WxH,...: the characters only, devices/ knows which modes there are. */
static bool heads_like(const char *text)
{
	if (!strcmp(text, "none"))
		return true;
	for (const char *p = text; *p; p++) {
		if (!(*p >= '0' && *p <= '9') && *p != 'x' && *p != ',')
			return false;
	}
	return text[0] >= '0' && text[0] <= '9';
}

enum kind { WORD, HEADS, NUMBER };

static const struct option {
	const char *name;
	enum kind kind;
	size_t offset, size; /* of the field */
	const char *values;  /* for the message, and for WORD the list */
	uint64_t min, max;
} options[] = {
#define FIELD(f) offsetof(struct boot_options, f), sizeof(((struct boot_options *)0)->f)
	{ "paging", WORD, FIELD(paging), "hap shadow", 0, 0 },
	{ "dirty", WORD, FIELD(dirty), "auto fault dbit pml", 0, 0 },
	{ "log", WORD, FIELD(log), "error warn info debug", 0, 0 },
	{ "wait", WORD, FIELD(wait), "no host", 0, 0 },
	{ "canary", WORD, FIELD(canary), "no yes", 0, 0 },
	{ "selftest", WORD, FIELD(selftest), "no stall", 0, 0 },
	{ "watchdog", NUMBER, FIELD(watchdog), "0 (none) to 1000 seconds", 0, 1000 },
	{ "failalloc", NUMBER, FIELD(failalloc), "1 to 1000000", 1, 1000000 },
	{ "heads", HEADS, FIELD(heads), "none, a count, or WxH,WxH,...", 0, 0 },
	{ "memory", NUMBER, FIELD(memory_mib), "1 to 1048576 MiB", 1, 1048576 },
	{ "cpus", NUMBER, FIELD(cpus), "1 to 64", 1, 64 },
	{ "port", NUMBER, FIELD(port), "an I/O port, 0x100 to 0xfff8", 0x100, 0xfff8 },
	{ "baud", NUMBER, FIELD(baud), "50 to 4000000", 50, 4000000 },
	{ "uart-clock", NUMBER, FIELD(uart_clock), "1000000 to 64000000 Hz", 1000000, 64000000 },
	{ "share", NUMBER, FIELD(share), "1 to 100 percent", 1, 100 },
#undef FIELD
};

static bool set_option(struct boot_options *o, const struct option *d, const char *value)
{
	void *field = (char *)o + d->offset;
	uint64_t v;
	switch (d->kind) {
	case WORD:
	case HEADS:
		if (strlen(value) >= d->size || !(d->kind == WORD ? one_of(d->values, value) : heads_like(value)))
			return false;
		memcpy(field, value, strlen(value) + 1);
		return true;
	case NUMBER:
		if (!parse_number(value, d->min, d->max, &v))
			return false;
		memcpy(field, &v, d->size); /* little-endian: the low bytes */
		return true;
	}
	return false;
}

static int parse_word(struct boot_options *o, const char *word, unsigned *seen, const char **why)
{
	*why = problem;
	const char *equals = strchr(word, '=');
	size_t n = equals ? (size_t)(equals - word) : 0;
	for (size_t i = 0; equals && i < sizeof(options) / sizeof(options[0]); i++) {
		const struct option *d = &options[i];
		if (strlen(d->name) != n || strncmp(d->name, word, n))
			continue;
		if (*seen & 1u << i) {
			snprintf(problem, sizeof(problem), "the option %s= is given twice", d->name);
			return -EINVAL;
		}
		*seen |= 1u << i;
		if (set_option(o, d, equals + 1))
			return 0;
		snprintf(problem, sizeof(problem), "bad value in the option %s: it takes %s", word, d->values);
		return -EINVAL;
	}
	snprintf(problem, sizeof(problem),
		 "unknown option %s: known are paging= dirty= heads= memory= cpus= port= baud= uart-clock= share= log= wait= watchdog= "
		 "canary= failalloc= selftest=",
		 word);
	return -EINVAL;
}

/* QEMU begins the line with the file's name, GRUB does not: a word with a slash in its name, or with no value. */
static bool path_like(const char *word)
{
	const char *equals = strchr(word, '='), *slash = strchr(word, '/');
	return !equals || (slash && slash < equals);
}

int bootinfo_options(const char *cmdline, struct boot_options *o, const char **why)
{
	*o = (struct boot_options){
		.paging = "hap",
		.dirty = "auto",
		.heads = "1",
		.log = "info",
		.wait = "no",
		.canary = "no",
		.selftest = "no",
		.watchdog = WATCHDOG_SECONDS,
		.cpus = 1,
		.port = 0x3f8,
		.baud = 115200,
		.uart_clock = UART_CLOCK,
		.share = 25,
	};
	unsigned seen = 0;
	for (bool first = true;; first = false) {
		char word[WORD_MAX];
		size_t n = 0;
		while (*cmdline == ' ' || *cmdline == '\t')
			cmdline++;
		if (!*cmdline)
			return 0;
		for (; *cmdline && *cmdline != ' ' && *cmdline != '\t'; cmdline++) {
			if (n < sizeof(word) - 1)
				word[n++] = *cmdline;
		}
		word[n] = 0;
		if (first && path_like(word))
			continue;
		int err = parse_word(o, word, &seen, why);
		if (err)
			return err;
	}
}
