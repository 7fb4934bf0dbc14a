#include "host/pollset.h"

#include <errno.h>

#include "host/say.h"

int pollset_wait(struct pollset *p)
{
	uint64_t now = now_us(), ms;
	int timeout = -1, n;

	if (p->deadline_us != UINT64_MAX) {
		ms = p->deadline_us > now ? (p->deadline_us - now + 999) / 1000 : 0;
		timeout = ms > 60000 ? 60000 : (int)ms;
	}
	n = poll(p->fd, p->count, timeout);
	if (n < 0) {
		for (nfds_t i = 0; i < p->count; i++)
			p->fd[i].revents = 0;
		return errno == EINTR ? 0 : -errno;
	}
	return n;
}
