/* Requests as browsers send them, and as those do who mean harm. */
/* links: host/http.c */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/http.h"
#include "tests/unit/random.h"

#define END "\r\n\r\n"

static int parse(const char *s, struct http_request *r)
{
	/* Exactly as long as it is, so that reading behind it is noticed. */
	size_t len = strlen(s);
	char *copy = malloc(len ? len : 1);
	int n;

	memcpy(copy, s, len);
	n = http_parse(copy, len, r);
	free(copy);
	return n;
}

static void what_a_browser_sends(void **state)
{
	static const char get[] = "GET /novnc/core/rfb.js?v=1 HTTP/1.1\r\nHost: 127.0.0.1:6080\r\nUser-Agent: Mozilla/5.0 (X11)\r\n"
				  "Accept: */*\r\nAccept-Language: \r\n\r\n";
	static const char upgrade[] =
		"GET /head/3 HTTP/1.1\r\nhost:localhost:6080\r\nConnection: keep-alive, Upgrade\r\nUPGRADE:\tWebSocket \r\n"
		"Origin: http://localhost:6080\r\nSec-WebSocket-Key: x3JJHMbDL1EzLkh9GBhXDw==\r\n\r\n";
	struct http_request r;

	(void)state;
	assert_int_equal(parse(get, &r), sizeof(get) - 1);
	assert_string_equal(r.path, "/novnc/core/rfb.js");
	assert_string_equal(r.host, "127.0.0.1:6080");
	assert_string_equal(r.origin, "");
	assert_false(r.websocket);
	assert_int_equal(parse(upgrade, &r), sizeof(upgrade) - 1);
	assert_string_equal(r.path, "/head/3");
	assert_string_equal(r.host, "localhost:6080");
	assert_string_equal(r.origin, "http://localhost:6080");
	assert_true(r.websocket);
}

static void in_pieces(void **state)
{
	static const char get[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nrest";
	struct http_request r;

	(void)state;
	for (size_t n = 0; n < sizeof(get) - 1; n++) {
		char *copy = malloc(n ? n : 1);

		memcpy(copy, get, n);
		assert_int_equal(http_parse(copy, n, &r), n < sizeof(get) - 5 ? 0 : (int)sizeof(get) - 5);
		free(copy);
	}
}

static void what_is_refused(void **state)
{
	static const struct {
		const char *request;
		int status;
	} cases[] = {
		{ "\r\n\r\n", -400 },
		{ "GET" END, -400 },
		{ "GET /" END, -400 },
		{ "GET / HTTP/2.0" END, -400 },
		{ "GET / HTTP/1.1 x" END, -400 },
		{ "GET  / HTTP/1.1" END, -400 },
		{ "GET x HTTP/1.1" END, -400 },
		{ "GET http://127.0.0.1/ HTTP/1.1" END, -400 },
		{ "G\tT / HTTP/1.1" END, -400 },
		{ "POST / HTTP/1.1" END, -405 },
		{ "get / HTTP/1.1" END, -405 },
		{ "CONNECT a:1 HTTP/1.1" END, -405 },
		{ "GET /../etc/passwd HTTP/1.1" END, -404 },
		{ "GET /novnc/.. HTTP/1.1" END, -404 },
		{ "GET /%2e%2e/etc/passwd HTTP/1.1" END, -404 },
		{ "GET //etc/passwd HTTP/1.1" END, -404 },
		{ "GET /a\\b HTTP/1.1" END, -404 },
		{ "GET /a\xc3\xa4 HTTP/1.1" END, -404 },
		{ "GET / HTTP/1.1\r\nHost" END, -400 },
		{ "GET / HTTP/1.1\r\n: a" END, -400 },
		{ "GET / HTTP/1.1\r\nHost : a" END, -400 },
		{ "GET / HTTP/1.1\r\n folded: a" END, -400 },
		{ "GET / HTTP/1.1\r\nHost: a\x01" END, -400 },
		{ "GET / HTTP/1.1\r\nHost: a\r\nHost: b" END, -400 },
		{ "GET / HTTP/1.1\r\nOrigin: http://a\r\nOrigin: http://b" END, -400 },
		{ "GET / HTTP/1.1\r\nContent-Length: 5" END, -413 },
		{ "GET / HTTP/1.1\r\nTransfer-Encoding: chunked" END, -413 },
	};
	struct http_request r;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		if (parse(cases[i].request, &r) != cases[i].status)
			fail_msg("%s: %d", cases[i].request, parse(cases[i].request, &r));
	assert_int_equal(http_parse("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n", 30, &r), -400);
}

static void what_is_too_long(void **state)
{
	char *s = malloc(HTTP_REQUEST_MAX + 1);
	struct http_request r;

	(void)state;
	memset(s, 'a', HTTP_REQUEST_MAX);
	s[HTTP_REQUEST_MAX] = 0;
	memcpy(s, "GET /", 5);
	assert_int_equal(http_parse(s, HTTP_REQUEST_MAX, &r), -431);
	memcpy(s + 1000, " HTTP/1.1\r\n\r\n", 13);
	assert_int_equal(http_parse(s, HTTP_REQUEST_MAX, &r), -404);
	memcpy(s, "GET / HTTP/1.1\r\nHost: ", 22);
	assert_int_equal(http_parse(s, HTTP_REQUEST_MAX, &r), -400);
	free(s);
}

/* A page of elsewhere can make a browser connect to loopback; what it cannot do is name us as its origin, or as its host. */
static void who_is_answered(void **state)
{
	static const struct {
		const char *host, *origin;
		bool websocket, ok;
	} cases[] = {
		{ "127.0.0.1:6080", "", false, true },
		{ "localhost", "", false, true },
		{ "LOCALHOST:1", "", false, true },
		{ "[::1]:6080", "", false, true },
		{ "box:6080", "", false, true },
		{ "evil.example:6080", "", false, false },
		{ "127.0.0.1.evil.example", "", false, false },
		{ "localhost.evil.example", "", false, false },
		{ "boxx", "", false, false },
		{ "", "", false, false },
		{ "[evil]", "", false, false },
		{ "127.0.0.1:6080", "http://127.0.0.1:6080", true, true },
		{ "127.0.0.1:6080", "https://127.0.0.1:6080", true, true },
		{ "127.0.0.1:6080", "http://127.0.0.1:6081", true, false },
		{ "127.0.0.1:6080", "http://127.0.0.1", true, false },
		{ "127.0.0.1:6080", "http://evil.example", true, false },
		{ "127.0.0.1:6080", "http://127.0.0.1:6080.evil.example", true, false },
		{ "127.0.0.1:6080", "null", true, false },
		{ "127.0.0.1:6080", "", true, false },
		{ "evil.example", "http://evil.example", true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct http_request r = { .websocket = cases[i].websocket };

		strcpy(r.host, cases[i].host);
		strcpy(r.origin, cases[i].origin);
		if (http_allowed(&r, "box") != cases[i].ok)
			fail_msg("Host %s, Origin %s", r.host, r.origin);
	}
}

static void what_is_served(void **state)
{
	(void)state;
	assert_non_null(strstr(http_type("/index.html"), "text/html"));
	assert_non_null(strstr(http_type("/novnc/core/rfb.js"), "text/javascript"));
	assert_null(http_type("/novnc"));
	assert_null(http_type("/a.js/b"));
	assert_null(http_type("/stamp"));
	assert_null(http_type("/a.jsx"));
}

/* Whatever comes: nothing is read or written past its end (ASan), and what is taken as a path is one. */
static void any_bytes(void **state)
{
	static const char seed[] =
		"GET /head/1?x HTTP/1.1\r\nHost: 127.0.0.1:6080\r\nOrigin: http://127.0.0.1:6080\r\nUpgrade: websocket\r\n\r\n";
	struct rng rng = { 7 };

	(void)state;
	for (unsigned round = 0; round < 200000; round++) {
		size_t len = sizeof(seed) - 1;
		char *s = malloc(len);
		struct http_request r;
		int n;

		memcpy(s, seed, len);
		for (unsigned i = rng_below(&rng, 4); i--;)
			s[rng_below(&rng, (uint32_t)len)] = "\r\n :./\0\x80Z"[rng_below(&rng, 10)];
		n = http_parse(s, len - rng_below(&rng, 3), &r);
		assert_true(n <= (int)len);
		if (n > 0) {
			assert_int_equal(r.path[0], '/');
			assert_null(strstr(r.path, ".."));
			assert_true(strlen(r.path) < HTTP_TEXT && strlen(r.host) < HTTP_TEXT && strlen(r.origin) < HTTP_TEXT);
		}
		free(s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_browser_sends),
		cmocka_unit_test(in_pieces),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(what_is_too_long),
		cmocka_unit_test(who_is_answered),
		cmocka_unit_test(what_is_served),
		cmocka_unit_test(any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
