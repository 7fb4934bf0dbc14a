/* HTTP/1.1 requests (RFC 9112) as far as a page of files and WebSockets needs them. Pure functions; every byte is untrusted. */
#ifndef HOST_HTTP_H
#define HOST_HTTP_H

#include <stdbool.h>
#include <stddef.h>

#define HTTP_REQUEST_MAX 8192 /* bytes of a request with its headers */
#define HTTP_TEXT 256

struct http_request {
	char path[HTTP_TEXT];			 /* begins with '/', without query; only characters of http_parse */
	char host[HTTP_TEXT], origin[HTTP_TEXT]; /* "" where there is none */
	bool websocket;				 /* it asks to become one */
};

/**
 * Looks for a whole request at the beginning of len bytes. Returns its length; 0 while it is not whole; or an HTTP status,
 * negative: -400 malformed, -404 a path with other characters than letters, digits and "/._-", or with a ".." in it, -405 not GET,
 * -413 or -431 too large.
 */
int http_parse(const char *bytes, size_t len, struct http_request *r);

/**
 * True when the request may be answered: its Host is an address, "localhost" or this machine's name, so that no page of elsewhere
 * reaches us by a name of its own (DNS rebinding); and a WebSocket is asked for by a page that came from here.
 */
bool http_allowed(const struct http_request *r, const char *machine);

/** The text for a status that http_parse and the server use. */
const char *http_reason(int status);

/** The media type for a file's name; NULL for one that is not served. */
const char *http_type(const char *path);

#endif
