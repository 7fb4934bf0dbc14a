/* The host's pure parts: option languages, injected faults, JSON, the guest table, key codes, kept text. */
/* links: host/spec.c host/faults.c host/json.c host/text.c host/say.c host/table.c host/paths.c host/keys.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/faults.h"
#include "host/json.h"
#include "host/keys.h"
#include "host/spec.h"
#include "host/table.h"
#include "host/text.h"

static void heads(void **state)
{
	static const struct {
		const char *spec, *text; /* NULL: refused */
	} cases[] = {
		{ "1", "1024x768" },
		{ "2", "1024x768,1024x768" },
		{ "none", "none" },
		{ "0", "none" },
		{ "640x480", "640x480" },
		{ "1x1,8192x2048", "1x1,8192x2048" },
		{ "17", NULL },
		{ "", NULL },
		{ "x", NULL },
		{ "0x480", NULL },
		{ "640x", NULL },
		{ "640x480,", NULL },
		{ "640x480 ", NULL },
		{ "-1", NULL },
		{ "8193x1", NULL },
		{ "8192x8192", NULL },
		{ "99999999999999999999x1", NULL },
		{ ",", NULL },
		{ "1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1,1x1", NULL },
	};
	char text[SPEC_HEADS_TEXT];
	struct head_spec h;
	const char *why;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int err = spec_heads(cases[i].spec, &h, &why);

		assert_int_equal(err == 0, cases[i].text != NULL);
		if (err)
			continue;
		spec_heads_text(&h, text);
		assert_string_equal(text, cases[i].text);
	}
	/* The longest list there is fits its buffer. */
	h.count = DISPLAY_HEADS;
	for (unsigned i = 0; i < h.count; i++)
		h.head[i].width = h.head[i].height = UINT16_MAX;
	spec_heads_text(&h, text);
	assert_int_equal(strlen(text), DISPLAY_HEADS * 12 - 1);
}

static void fault_words(void **state)
{
	static const char *const bad[] = { "",	       "flip",	 "flip=", "flip=2",    "flip=-1", "flip=1e-4x",
					   "wobble=1", "cut=1s", "cut=0", "cut=500ms", "seed=x",  "flip=nan" };
	struct fault_rates f;
	const char *why;

	(void)state;
	assert_int_equal(spec_faults("burst=1e-5,stall=5s", &f, &why), 0);
	assert_true(f.burst == 1e-5 && f.stall_us == 5000000 && f.cut_us == 0);
	assert_int_equal(spec_faults("flip=1e-4,drop=0.5,dup=0,cut=30s,seed=7", &f, &why), 0);
	assert_true(f.flip == 1e-4 && f.drop == 0.5 && f.dup == 0 && f.cut_us == 30000000 && f.seed == 7);
	assert_int_equal(spec_faults("cut=1500ms", &f, &why), 0);
	assert_int_equal(f.cut_us, 1500000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_true(spec_faults(bad[i], &f, &why) < 0);
}

static void listen_addresses(void **state)
{
	static const struct {
		const char *spec, *addr;
		unsigned port;
	} good[] = { { "5901", "127.0.0.1", 5901 },
		     { ":5901", "127.0.0.1", 5901 },
		     { "localhost:1", "127.0.0.1", 1 },
		     { "0.0.0.0:65535", "0.0.0.0", 65535 } };
	static const char *const bad[] = { "",	       ":",	     "0",
					   "65536",    "1.2.3:5",    "host:5",
					   "1.2.3.4:", "1.2.3.4:5x", "1234567890123456:5" };
	char addr[16];
	uint16_t port;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++) {
		assert_int_equal(spec_listen(good[i].spec, addr, &port), 0);
		assert_string_equal(addr, good[i].addr);
		assert_int_equal(port, good[i].port);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_true(spec_listen(bad[i], addr, &port) < 0);
}

static void numbers(void **state)
{
	uint64_t v;

	(void)state;
	assert_int_equal(spec_number("0x10", 0, 16, &v), 0);
	assert_int_equal(v, 16);
	assert_true(spec_number("17", 0, 16, &v) < 0);
	assert_true(spec_number("-1", 0, UINT64_MAX, &v) < 0);
	assert_true(spec_number("99999999999999999999", 0, UINT64_MAX, &v) < 0);
	assert_true(spec_number("1 ", 0, 16, &v) < 0);
	assert_true(spec_number("", 0, 16, &v) < 0);
}

static void faults_come_as_often_as_asked(void **state)
{
	static uint8_t in[100000], out[200000], again[200000];
	struct fault_rates rates = { .flip = 0.01, .seed = 3 };
	struct faults f, g;
	size_t differ = 0, n;

	(void)state;
	faults_init(&f, &rates, 0);
	assert_int_equal(faults_apply(&f, in, sizeof(in), out, 0), sizeof(in));
	for (size_t i = 0; i < sizeof(in); i++) {
		differ += out[i] != 0;
		assert_true((out[i] & (out[i] - 1)) == 0); /* one bit */
	}
	assert_in_range(differ, 800, 1200);
	assert_int_equal(differ, f.flipped);

	/* In pieces as at once; the other direction differs. */
	faults_init(&g, &rates, 0);
	faults_apply(&g, in, 777, again, 0);
	faults_apply(&g, in + 777, sizeof(in) - 777, again + 777, 0);
	assert_memory_equal(out, again, sizeof(in));
	faults_init(&g, &rates, 1);
	faults_apply(&g, in, sizeof(in), again, 0);
	assert_memory_not_equal(out, again, sizeof(in));

	rates = (struct fault_rates){ .drop = 0.1, .dup = 0.05, .seed = 4 };
	faults_init(&f, &rates, 0);
	n = faults_apply(&f, in, sizeof(in), out, 0);
	assert_int_equal(n, sizeof(in) - f.dropped + f.doubled);
	assert_in_range(f.dropped, 9500, 10500);
	assert_in_range(f.doubled, 4000, 5000);

	/* Noise in runs of up to 100 bytes, and nothing is touched between them. */
	rates = (struct fault_rates){ .burst = 1e-4, .seed = 5 };
	faults_init(&f, &rates, 0);
	assert_int_equal(faults_apply(&f, in, sizeof(in), out, 0), sizeof(in));
	differ = n = 0;
	for (size_t i = 0, last = sizeof(in); i < sizeof(in); i++) {
		if (!out[i])
			continue;
		differ++;
		n += last == sizeof(in) || i - last > FAULTS_BURST;
		last = i;
	}
	assert_in_range(n, 2, 20);
	assert_in_range(f.noisy, differ, n * 2 * FAULTS_BURST);

	rates = (struct fault_rates){ .dup = 1 };
	faults_init(&f, &rates, 0);
	assert_int_equal(faults_apply(&f, in, sizeof(in), out, 0), 2 * sizeof(in));
}

static void a_cut_line_is_dead_for_a_second(void **state)
{
	struct fault_rates rates = { .cut_us = 3000000 };
	struct faults f;
	uint8_t in[4] = { 1, 2, 3, 4 }, out[8];

	(void)state;
	faults_init(&f, &rates, 0);
	assert_int_equal(faults_apply(&f, in, 4, out, 1999999), 4);
	assert_memory_equal(in, out, 4);
	assert_int_equal(faults_apply(&f, in, 4, out, 2000000), 0);
	assert_int_equal(faults_apply(&f, in, 4, out, 2999999), 0);
	assert_int_equal(faults_apply(&f, in, 4, out, 3000000), 4);
}

static void a_reader_looks_away_for_a_second(void **state)
{
	struct fault_rates rates = { .stall_us = 3000000 };
	struct faults f;
	uint64_t until;

	(void)state;
	faults_init(&f, &rates, 0);
	assert_false(faults_stalled(&f, 1999999, &until));
	assert_true(faults_stalled(&f, 2000000, &until));
	assert_int_equal(until, 3000000);
	assert_true(faults_stalled(&f, 5999999, &until));
	assert_int_equal(until, 6000000);
	rates.stall_us = 0;
	faults_init(&f, &rates, 0);
	assert_false(faults_stalled(&f, 123, &until));
}

static void json_is_checked(void **state)
{
	static const char *const good[] = { "{}", "[]", " {\"a\" : [1, -2.5e+3, true, false, null, \"x\\\"\\u00e9\"]} ", "0",
					    "\"\"" };
	static const char *const bad[] = { "",	    "{",     "}",      "[1,]",	    "{\"a\":}", "{a:1}",     "01",
					   "1.",    "1e",    "-",      "\"",	    "\"\\x\"",	"\"\\u12\"", "tru",
					   "{} {}", "[1 2]", "\"\n\"", "{\"a\" 1}", "nullx" };
	char deep[200];

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		assert_true(json_valid(good[i], strlen(good[i])));
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_false(json_valid(bad[i], strlen(bad[i])));
	memset(deep, '[', 100);
	memset(deep + 100, ']', 100);
	assert_false(json_valid(deep, 200));
	assert_true(json_valid(deep + 80, 40));
	/* Nothing behind the end is looked at: each beginning of a text in a buffer of just its size. */
	for (size_t n = 0; n <= strlen(good[2]); n++) {
		char *part = malloc(n + !n);

		memcpy(part, good[2], n);
		json_valid(part, n);
		free(part);
	}
}

static void json_is_shown(void **state)
{
	static const char json[] = "{\"exits\":{\"cpuid\":3,\"io\":4},\"heads\":[{\"w\":1},\"x\"],\"on\":true,\"none\":{}}";
	struct text t = { 0 };

	(void)state;
	json_words(&t, "vmm", json, strlen(json));
	assert_string_equal(text_str(&t), "vmm.exits.cpuid=3 vmm.exits.io=4 vmm.heads.0.w=1 vmm.heads.1=x vmm.on=true");
	text_free(&t);
	json_words(&t, "", "{\"a\":1}", 7);
	json_words(&t, "", "not json", 8);
	assert_string_equal(text_str(&t), "a=1 not json");
	text_free(&t);
	json_string(&t, "a\"\\\n\x01\xff", 6);
	assert_string_equal(text_str(&t), "\"a\\\"\\\\\\n\\u0001\\u00ff\"");
	assert_true(json_valid(t.s, t.len));
	text_free(&t);
}

static void tables(void **state)
{
	static const char text[] = "# comment\n\n"
				   "  hello | hello.elf | test | - | - | 0 | - | says hello\n"
				   "crash-wild|crash.elf|test|heads=1|--heads 320x240 -- 'a b' c|126|kvm:too slow|jumps\n";
	struct guest_table t;
	const struct guest_entry *e;
	unsigned line;

	(void)state;
	assert_int_equal(table_parse(&t, text, &line), 0);
	assert_int_equal(t.count, 2);
	e = table_find(&t, "hello");
	assert_string_equal(e->file, "hello.elf");
	assert_string_equal(e->about, "says hello");
	assert_string_equal(table_find(&t, "crash-wild")->options, "--heads 320x240 -- 'a b' c");
	assert_null(table_find(&t, "hell"));
	table_free(&t);
	assert_true(table_parse(&t, "a|b|c\n", &line) < 0);
	assert_int_equal(line, 1);
	table_free(&t);
	assert_true(table_parse(&t, "\n|f|t|-|-|0|-|x\n", &line) < 0);
	assert_int_equal(line, 2);
	table_free(&t);
	assert_true(table_parse(&t, "a|b|c|d|e|f|g|h|i", &line) < 0);
	table_free(&t);
}

static void words(void **state)
{
	int n;
	char **w = table_words(" --heads 320x240  'a b'\"c d\" '' x", &n);

	(void)state;
	assert_int_equal(n, 5);
	assert_string_equal(w[1], "320x240");
	assert_string_equal(w[2], "a bc d");
	assert_string_equal(w[3], "");
	assert_string_equal(w[4], "x");
	assert_null(w[5]);
	table_words_free(w);
	w = table_words("", &n);
	assert_int_equal(n, 0);
	table_words_free(w);
	assert_null(table_words("a 'b", &n));
}

static void keys(void **state)
{
	(void)state;
	assert_int_equal(keys_scancode('a'), 0x1e);
	assert_int_equal(keys_scancode('A'), 0x1e);
	assert_int_equal(keys_scancode('1'), 0x02);
	assert_int_equal(keys_scancode('+'), 0x0d);
	assert_int_equal(keys_scancode('?'), 0x35);
	assert_int_equal(keys_scancode('\\'), 0x2b);
	assert_int_equal(keys_scancode('`'), 0x29);
	assert_int_equal(keys_scancode(' '), 0x39);
	assert_int_equal(keys_scancode(0xff0d), 0x1c);	 /* Return */
	assert_int_equal(keys_scancode(0xff52), 0xe048); /* Up */
	assert_int_equal(keys_scancode(0xffc9), 0x58);	 /* F12 */
	assert_int_equal(keys_scancode(0), 0);
	assert_int_equal(keys_scancode(0x1000000), 0);
	for (uint32_t c = 0x20; c < 0x7f; c++)
		assert_int_not_equal(keys_scancode(c), 0);
}

static void tails_keep_the_end(void **state)
{
	struct tail t = { .keep = 10 };
	char want[400] = "";

	(void)state;
	for (int i = 0; i < 100; i++) {
		char piece[8];
		int n = snprintf(piece, sizeof(piece), "%d,", i);

		strcat(want, piece);
		tail_add(&t, piece, (size_t)n);
		assert_true(t.t.len <= 20);
		assert_true(t.t.len >= 10 || t.t.len == strlen(want));
		assert_memory_equal(t.t.s, want + strlen(want) - t.t.len, t.t.len);
	}
	assert_int_equal(t.total, strlen(want));
	tail_add(&t, want, strlen(want));
	assert_int_equal(t.total, 2 * strlen(want));
	assert_memory_equal(t.t.s + t.t.len - 10, want + strlen(want) - 10, 10);
	tail_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads),
		cmocka_unit_test(fault_words),
		cmocka_unit_test(listen_addresses),
		cmocka_unit_test(numbers),
		cmocka_unit_test(faults_come_as_often_as_asked),
		cmocka_unit_test(a_cut_line_is_dead_for_a_second), cmocka_unit_test(a_reader_looks_away_for_a_second),
		cmocka_unit_test(json_is_checked),
		cmocka_unit_test(json_is_shown),
		cmocka_unit_test(tables),
		cmocka_unit_test(words),
		cmocka_unit_test(keys),
		cmocka_unit_test(tails_keep_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
