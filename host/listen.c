#define _GNU_SOURCE
#include "host/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/say.h"

int listen_at(const char *addr, uint16_t port)
{
	struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(port) };
	int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), err;

	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (inet_pton(AF_INET, addr, &sa.sin_addr) == 1 && bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 && listen(fd, 64) == 0)
		return fd;
	err = -errno;
	close(fd);
	return err;
}

int listen_at_free(const char *addr, unsigned first, unsigned last, uint16_t *port)
{
	int fd = -EADDRINUSE;

	for (unsigned p = first; p <= last && fd < 0; p++) {
		*port = (uint16_t)p;
		fd = listen_at(addr, *port);
	}
	return fd;
}

const char *listen_name(const char *addr)
{
	static char name[256];

	if (strcmp(addr, "0.0.0.0") == 0 && gethostname(name, sizeof(name) - 1) == 0)
		return name;
	return addr;
}

void listen_warn(const char *addr, const char *password)
{
	if (!password && strncmp(addr, "127.", 4) != 0)
		say("anyone who reaches %s can look and type: --password-file FILE asks for a password", addr);
}
