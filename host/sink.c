#include "host/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <unistd.h>

#include "host/say.h"

#define FULL (256 * 1024)

int sink_open(struct sink *s, const char *path)
{
	*s = (struct sink){ .fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), .owned = true };
	if (s->fd >= 0)
		return 0;
	say("%s: %s", path, strerror(errno));
	return -1;
}

void sink_add(struct sink *s, const void *data, size_t len)
{
	if (s->fd >= 0)
		text_add(&s->wait, data, len);
}

bool sink_full(const struct sink *s)
{
	return s->wait.len - s->done > FULL;
}

void sink_prepare(const struct sink *s, struct pollset *p)
{
	if (s->wait.len > s->done)
		pollset_add(p, s->fd, POLLOUT);
}

static void forget(struct sink *s)
{
	s->wait.len = s->done = 0;
}

void sink_pump(struct sink *s, const struct pollset *p)
{
	short got = s->fd < 0 ? 0 : pollset_got(p, s->fd);
	size_t n = s->wait.len - s->done;
	ssize_t put;

	if (!n || !(got & (POLLOUT | POLLERR | POLLHUP | POLLNVAL)))
		return;
	/* stdout may be shared and is left blocking: a pipe that is ready takes PIPE_BUF bytes without blocking. */
	put = write(s->fd, s->wait.s + s->done, n < PIPE_BUF ? n : PIPE_BUF);
	if (put < 0 && errno != EINTR && errno != EAGAIN) {
		forget(s);
		if (s->owned)
			close(s->fd);
		s->fd = -1; /* the reader went away: the run goes on without it */
		return;
	}
	if (put > 0)
		s->done += (size_t)put;
	if (s->done == s->wait.len)
		forget(s);
}

void sink_close(struct sink *s, uint64_t limit_us)
{
	uint64_t until = now_us() + limit_us;
	struct pollset p;

	while (s->fd >= 0 && s->wait.len > s->done && now_us() < until) {
		pollset_clear(&p);
		sink_prepare(s, &p);
		pollset_wake(&p, until);
		if (pollset_wait(&p) < 0)
			break;
		sink_pump(s, &p);
	}
	if (s->owned && s->fd >= 0)
		close(s->fd);
	text_free(&s->wait);
	*s = (struct sink){ .fd = -1 };
}
