/* The file descriptors that one turn of the event loop waits for; filled anew each turn. */
#ifndef HOST_POLLSET_H
#define HOST_POLLSET_H

#include <poll.h>
#include <stdint.h>

#define POLLSET_MAX 192

struct pollset {
	struct pollfd fd[POLLSET_MAX];
	nfds_t count;
	uint64_t deadline_us; /* when to wake in any case; UINT64_MAX: never */
};

static inline void pollset_clear(struct pollset *p)
{
	p->count = 0;
	p->deadline_us = UINT64_MAX;
}

/** Adds a descriptor; one too many is left out (its owner is then served on the next wake-up). */
static inline void pollset_add(struct pollset *p, int fd, short events)
{
	if (fd < 0 || p->count == POLLSET_MAX)
		return;
	p->fd[p->count++] = (struct pollfd){ .fd = fd, .events = events };
}

static inline void pollset_wake(struct pollset *p, uint64_t at_us)
{
	if (at_us < p->deadline_us)
		p->deadline_us = at_us;
}

/** What poll said of fd: 0 for one that was not asked for. */
static inline short pollset_got(const struct pollset *p, int fd)
{
	short got = 0;

	for (nfds_t i = 0; i < p->count; i++)
		if (p->fd[i].fd == fd)
			got |= p->fd[i].revents;
	return got;
}

/** Waits. Returns poll's result; an interrupted wait counts as nothing ready. */
int pollset_wait(struct pollset *p);

#endif
