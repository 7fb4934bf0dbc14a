/* Requests to the web page. What is taken is a path that leads nowhere else. */
/* links: host/http.c */
#include <stdlib.h>
#include <string.h>

#include "host/http.h"
#include "tests/fuzz/pieces.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct http_request r;
	int n = size ? http_parse((const char *)data, size < HTTP_REQUEST_MAX ? size : HTTP_REQUEST_MAX, &r) : 0;

	if (n > 0 && (r.path[0] != '/' || strstr(r.path, "..") || strstr(r.path, "//") || (size_t)n > size))
		abort();
	if (n > 0) {
		http_allowed(&r, "box");
		http_type(r.path);
	}
	return 0;
}
