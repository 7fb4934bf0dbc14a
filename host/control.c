#define _GNU_SOURCE
#include "host/control.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/control_client.h"
#include "host/paths.h"
#include "host/say.h"

struct control {
	int fd;
	char *path;
	struct control_env *env;
	struct control_client client[CONTROL_CLIENTS];
};

static char *path_to_unlink;

static void unlink_at_exit(void)
{
	if (path_to_unlink)
		unlink(path_to_unlink);
	free(path_to_unlink);
	path_to_unlink = NULL;
}

/* Nobody listens there any more. */
static bool is_stale(const struct sockaddr_un *sa)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool stale = fd >= 0 && connect(fd, (const struct sockaddr *)sa, sizeof(*sa)) != 0 && errno == ECONNREFUSED;

	if (fd >= 0)
		close(fd);
	return stale;
}

/*
 * The socket gets its name when it listens: who waits for the file to appear is never refused. A name that somebody listens at is
 * not taken away.
 */
static int listen_at(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX }, temporary = sa;
	int fd, err = 0, n = snprintf(temporary.sun_path, sizeof(temporary.sun_path), "%s.%d", path, (int)getpid());
	mode_t mask;

	if (n < 0 || (size_t)n >= sizeof(temporary.sun_path))
		return -ENAMETOOLONG;
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (is_stale(&sa))
		unlink(path);
	unlink(temporary.sun_path);
	mask = umask(077);
	if (bind(fd, (struct sockaddr *)&temporary, sizeof(temporary)) != 0 || listen(fd, 8) != 0 ||
	    link(temporary.sun_path, path) != 0)
		err = errno == EEXIST ? -EADDRINUSE : -errno;
	umask(mask);
	unlink(temporary.sun_path);
	if (err)
		close(fd);
	return err ? err : fd;
}

/* Sockets of runs that were killed. */
static void sweep(const char *dir)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int pid;

	while (d && (e = readdir(d))) {
		char *path = xprintf("%s/%s", dir, e->d_name);

		if (sscanf(e->d_name, "run-%d.sock", &pid) == 1 && pid > 0 && kill(pid, 0) != 0 && errno == ESRCH)
			unlink(path);
		free(path);
	}
	if (d)
		closedir(d);
}

struct control *control_open(const char *path, struct control_env *env)
{
	struct control *c = xalloc(sizeof(*c));
	char *dir = path ? NULL : paths_runtime();

	if (!path && !dir) {
		free(c);
		return NULL;
	}
	if (dir)
		sweep(dir);
	c->env = env;
	c->path = path ? xstrdup(path) : xprintf("%s/run-%d.sock", dir, (int)getpid());
	free(dir);
	c->fd = listen_at(c->path);
	if (c->fd < 0) {
		say("control socket %s: %s", c->path, strerror(-c->fd));
		free(c->path);
		free(c);
		return NULL;
	}
	path_to_unlink = xstrdup(c->path);
	atexit(unlink_at_exit);
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		c->client[i].fd = -1;
	return c;
}

void control_close(struct control *c)
{
	if (!c)
		return;
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		control_client_close(&c->client[i]);
	close(c->fd);
	unlink_at_exit();
	free(c->path);
	free(c);
}

const char *control_path(const struct control *c)
{
	return c->path;
}

void control_prepare(struct control *c, struct pollset *p)
{
	pollset_add(p, c->fd, POLLIN);
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		control_client_prepare(&c->client[i], p);
}

static void accept_client(struct control *c)
{
	int fd = accept4(c->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	for (unsigned i = 0; i < CONTROL_CLIENTS && fd >= 0; i++) {
		if (control_client_free(&c->client[i])) {
			control_client_begin(&c->client[i], fd, c->env);
			return;
		}
	}
	if (fd >= 0)
		close(fd);
}

void control_pump(struct control *c, const struct pollset *p)
{
	if (pollset_got(p, c->fd) & POLLIN)
		accept_client(c);
	for (unsigned i = 0; i < CONTROL_CLIENTS; i++)
		control_client_pump(&c->client[i], p);
}
