#define _GNU_SOURCE
#include "host/http.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

/* A header line's name and value, spaces around it left out. */
struct field {
	const char *name, *value;
	size_t name_len, value_len;
};

static bool is_token(const char *s, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("!#$%&'*+-.^_`|~", s[i]))
			return false;
	return len > 0;
}

static bool read_field(const char *line, size_t len, struct field *f)
{
	const char *colon = memchr(line, ':', len), *end = line + len;

	if (!colon || !is_token(line, (size_t)(colon - line)))
		return false;
	f->name = line;
	f->name_len = (size_t)(colon - line);
	for (colon++; colon < end && (*colon == ' ' || *colon == '\t'); colon++)
		;
	while (end > colon && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	f->value = colon;
	f->value_len = (size_t)(end - colon);
	for (size_t i = 0; i < f->value_len; i++)
		if ((unsigned char)f->value[i] < ' ' && f->value[i] != '\t')
			return false;
	return true;
}

static bool is_named(const struct field *f, const char *name)
{
	return strlen(name) == f->name_len && strncasecmp(f->name, name, f->name_len) == 0;
}

/* Takes a value once; a second one of the same name makes the request a bad one. */
static bool take(char out[HTTP_TEXT], const struct field *f)
{
	if (*out || f->value_len >= HTTP_TEXT)
		return false;
	memcpy(out, f->value, f->value_len);
	out[f->value_len] = 0;
	return true;
}

static int take_field(const struct field *f, struct http_request *r)
{
	if (is_named(f, "Host"))
		return take(r->host, f) ? 0 : -400;
	if (is_named(f, "Origin"))
		return take(r->origin, f) ? 0 : -400;
	if (is_named(f, "Upgrade"))
		r->websocket = f->value_len == 9 && strncasecmp(f->value, "websocket", 9) == 0;
	if (is_named(f, "Content-Length") || is_named(f, "Transfer-Encoding"))
		return -413;
	return 0;
}

static int take_path(const char *s, size_t len, char out[HTTP_TEXT])
{
	const char *query = memchr(s, '?', len);

	if (query)
		len = (size_t)(query - s);
	if (!len || *s != '/')
		return -400;
	if (len >= HTTP_TEXT)
		return -404;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("/._-", s[i]))
			return -404;
	memcpy(out, s, len);
	out[len] = 0;
	return strstr(out, "..") || strstr(out, "//") ? -404 : 0;
}

/* GET PATH HTTP/1.x */
static int take_request_line(const char *line, size_t len, struct http_request *r)
{
	const char *blank = memchr(line, ' ', len), *second;
	size_t left;

	if (!blank || !is_token(line, (size_t)(blank - line)))
		return -400;
	if (blank - line != 3 || memcmp(line, "GET", 3) != 0)
		return -405;
	left = len - (size_t)(blank + 1 - line);
	second = memchr(blank + 1, ' ', left);
	if (!second || (size_t)(line + len - second) != 9 || memcmp(second + 1, "HTTP/1.", 7) != 0)
		return -400;
	return take_path(blank + 1, (size_t)(second - blank - 1), r->path);
}

int http_parse(const char *bytes, size_t len, struct http_request *r)
{
	const char *at = bytes, *end = memmem(bytes, len, "\r\n\r\n", 4);
	int err = 0;

	memset(r, 0, sizeof(*r));
	if (memchr(bytes, 0, end ? (size_t)(end - bytes) : len))
		return -400;
	if (!end)
		return len >= HTTP_REQUEST_MAX ? -431 : 0;
	for (bool first = true; at < end + 2 && !err; first = false) {
		const char *stop = memmem(at, (size_t)(end + 2 - at), "\r\n", 2);
		struct field f;

		if (first)
			err = take_request_line(at, (size_t)(stop - at), r);
		else
			err = read_field(at, (size_t)(stop - at), &f) ? take_field(&f, r) : -400;
		at = stop + 2;
	}
	return err ? err : (int)(end + 4 - bytes);
}

/* The name of "name:port", "1.2.3.4" or "[::1]:port"; its length. */
static size_t name_of(const char *host)
{
	const char *bracket = *host == '[' ? strchr(host, ']') : NULL;

	return bracket ? (size_t)(bracket + 1 - host) : strcspn(host, ":");
}

static bool is_address(const char *name, size_t len)
{
	bool v6 = len > 2 && name[0] == '[' && name[len - 1] == ']';

	for (size_t i = v6; i < len - v6; i++)
		if (!(v6 ? isxdigit((unsigned char)name[i]) || name[i] == ':' || name[i] == '.'
			 : isdigit((unsigned char)name[i]) || name[i] == '.'))
			return false;
	return len > 0;
}

static bool is_name(const char *name, size_t len, const char *want)
{
	return *want && strlen(want) == len && strncasecmp(name, want, len) == 0;
}

bool http_allowed(const struct http_request *r, const char *machine)
{
	size_t len = name_of(r->host), scheme = strncmp(r->origin, "https://", 8) == 0 ? 8 : 7;

	if (!is_address(r->host, len) && !is_name(r->host, len, "localhost") && !is_name(r->host, len, machine))
		return false;
	if (!r->websocket)
		return true;
	return (scheme == 8 || strncmp(r->origin, "http://", 7) == 0) && strcasecmp(r->origin + scheme, r->host) == 0;
}

const char *http_reason(int status)
{
	switch (status) {
	case 200: return "OK";
	case 400: return "Bad Request";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 408: return "Request Timeout";
	case 413: return "Content Too Large";
	case 431: return "Request Header Fields Too Large";
	default: return "Internal Server Error";
	}
}

const char *http_type(const char *path)
{
	static const struct {
		const char *end, *type;
	} types[] = { { ".html", "text/html; charset=utf-8" },
		      { ".js", "text/javascript; charset=utf-8" },
		      { ".css", "text/css; charset=utf-8" } };
	const char *dot = strrchr(path, '.');

	for (size_t i = 0; dot && i < sizeof(types) / sizeof(*types); i++)
		if (strcmp(dot, types[i].end) == 0)
			return types[i].type;
	return NULL;
}
