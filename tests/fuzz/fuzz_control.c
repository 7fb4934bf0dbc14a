/* What the VMM says on its control stream: messages in any pieces, and the JSON in its answers as words and lines. */
/* links: host/session.c host/say.c host/json.c host/text.c stream/[a-z]*.c */
#include <stdlib.h>
#include <string.h>

#include "host/json.h"
#include "host/session.h"
#include "tests/fuzz/pieces.h"

static void on_parked(void *arg, const char *text, size_t len)
{
	struct text words = { 0 }, quoted = { 0 };

	(void)arg;
	json_words(&words, "vmm", text, len);
	json_lines(&words, text, len);
	json_string(&quoted, text, len);
	if (!json_valid(text_str(&quoted), quoted.len))
		abort();
	text_free(&words);
	text_free(&quoted);
}

static const struct session_ops ops = { .parked = on_parked };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct session s;
	struct pieces p = { data, size };
	const uint8_t *body;
	size_t len;

	session_init(&s, &ops, NULL, 8192);
	while ((body = pieces_next(&p, &len)))
		s.link.ops->stream(s.link.arg, LINK_CONTROL, body, len);
	on_parked(NULL, (const char *)data, size);
	session_free(&s);
	return 0;
}
