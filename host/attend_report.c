/* What a run leaves behind in words and figures. */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/attend.h"
#include "host/json.h"
#include "host/say.h"

#define BANNER_SHOWN 4096
#define REPORT_LINES 24

int attend_exit_status(unsigned how, uint32_t value, bool qemu_exit)
{
	switch (how) {
	case END_DEBUG_EXIT: return value == 0 && !qemu_exit ? 0 : (int)(((value << 1) | 1) & 0xff);
	case END_POWEROFF: return 0;
	case END_CRASH: return EXIT_CRASH;
	case END_BAD_GUEST: return value == ENOEXEC ? EXIT_USAGE : EXIT_TOOL;
	default: return EXIT_TOOL;
	}
}

static void say_tail(const char *title, const char *s, size_t len)
{
	if (!len)
		return;
	if (len > BANNER_SHOWN) {
		s += len - BANNER_SHOWN;
		len = BANNER_SHOWN;
	}
	say("%s", title);
	say_text("  | ", s, len);
}

void attend_report(const struct attend *a)
{
	if (!a->session.was_up)
		say_tail("what the VMM said on the line:", text_str(&a->banner.t), a->banner.t.len);
	else if (!a->o->verbose)
		say_tail("the end of the VMM's log:", text_str(&a->log_text.t), a->log_text.t.len);
	if (a->machine)
		machine_explain(a->machine);
}

void attend_guest_report(const struct attend *a)
{
	static const char mark[] = "error: ";
	const char *s = text_str(&a->log_text.t), *end = s + a->log_text.t.len;
	unsigned shown = 0, more = 0;

	if (a->o->verbose && !a->o->log_file)
		return;
	for (const char *next; s < end; s = next) {
		const char *newline = memchr(s, '\n', (size_t)(end - s)), *stop = newline ? newline : end, *at;

		next = newline ? newline + 1 : end;
		at = memmem(s, (size_t)(stop - s), mark, sizeof(mark) - 1);
		if (!at)
			continue;
		at += sizeof(mark) - 1;
		if ((size_t)(stop - at) == a->parked.len && memcmp(at, text_str(&a->parked), a->parked.len) == 0)
			continue; /* said already */
		if (shown++ < REPORT_LINES)
			say_text("  | ", at, (size_t)(stop - at));
		else
			more++;
	}
	if (more)
		say("%u more lines in the VMM's log: -v or --log FILE shows them", more);
}

void attend_host_stats(const struct attend *a, struct text *json)
{
	static const char *const channels[] = { "control", "log", "serial", "input", "display", "link" };
	const struct link *k = &a->session.link;
	const struct line *l = &a->line;

	text_printf(json, "{\"line_rx_bytes\":%" PRIu64 ",\"line_tx_bytes\":%" PRIu64, l->rx_bytes, l->tx_bytes);
	text_printf(json,
		    ",\"rx_frames\":%" PRIu64 ",\"tx_frames\":%" PRIu64 ",\"bad_frames\":%" PRIu64 ",\"lost_frames\":%" PRIu64,
		    k->rx_frames, k->tx_frames, k->rx_bad, k->lost_frames);
	text_printf(json, ",\"sessions\":%" PRIu64 ",\"datagrams\":%" PRIu64 ",\"beginnings\":%" PRIu64 ",\"refused\":%" PRIu64,
		    k->sessions, a->session.rx.datagrams, a->session.rx.begins, a->session.rx.refused);
	text_printf(json, ",\"crashes\":%u", a->crashes);
	text_printf(json, ",\"serial_bytes\":%" PRIu64 ",\"log_bytes\":%" PRIu64 ",\"screenshots\":%" PRIu64, a->serial_bytes,
		    a->log_bytes, a->shots);
	text_printf(json, ",\"injected\":{\"flipped\":%" PRIu64 ",\"dropped\":%" PRIu64 ",\"doubled\":%" PRIu64 ",\"noisy\":%" PRIu64 "}",
		    l->rx_faults.flipped + l->tx_faults.flipped, l->rx_faults.dropped + l->tx_faults.dropped,
		    l->rx_faults.doubled + l->tx_faults.doubled, l->rx_faults.noisy + l->tx_faults.noisy);
	text_printf(json, ",\"tx_bytes\":{");
	for (size_t i = 0; i < sizeof(channels) / sizeof(*channels); i++)
		text_printf(json, "%s\"%s\":%" PRIu64, i ? "," : "", channels[i], k->tx_bytes_by_type[i]);
	text_printf(json, "}}");
}

void attend_write_stats(const struct attend *a)
{
	const struct options *o = a->o;
	struct text t = { 0 };
	FILE *f;

	text_printf(&t, "{\"guest\":");
	json_string(&t, o->guest, strlen(o->guest));
	if (a->machine)
		text_printf(&t, ",\"machine\":\"%s\",\"paging\":\"%s\",\"dirty\":\"%s\"", a->machine->kind->name, o->paging,
			    o->dirty);
	text_printf(&t, ",\"exit_status\":%d,\"seconds\":%.3f,\"host\":", a->status, (double)(now_us() - a->start_us) / 1e6);
	attend_host_stats(a, &t);
	text_printf(&t, ",\"vmm\":");
	if (json_valid(text_str(&a->vmm_stats), a->vmm_stats.len))
		text_add(&t, a->vmm_stats.s, a->vmm_stats.len);
	else
		text_printf(&t, "null");
	text_printf(&t, "}\n");
	f = fopen(o->stats_file, "we");
	if (!f || fwrite(t.s, 1, t.len, f) != t.len || fflush(f) != 0)
		say("%s: %s", o->stats_file, strerror(errno));
	if (f)
		fclose(f);
	text_free(&t);
}
