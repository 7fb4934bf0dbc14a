#define _GNU_SOURCE
#include "host/child.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "host/say.h"

#define CHILDREN 4

static char *private_dir;
static struct child *running[CHILDREN];
static int own_signal_fd = -1;
static sigset_t old_mask;

int child_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	sigprocmask(SIG_BLOCK, &set, &old_mask);
	signal(SIGPIPE, SIG_IGN);
	own_signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (own_signal_fd < 0)
		say("signalfd: %s", strerror(errno));
	return own_signal_fd;
}

int child_signal_taken(int signal_fd)
{
	struct signalfd_siginfo info;
	int taken = 0;

	while (read(signal_fd, &info, sizeof(info)) == sizeof(info))
		if (!taken || taken == SIGCHLD)
			taken = (int)info.ssi_signo;
	return taken;
}

const char *child_dir(void)
{
	const char *tmp = getenv("TMPDIR");

	if (private_dir)
		return private_dir;
	private_dir = xprintf("%s/tessera-XXXXXX", tmp && *tmp == '/' ? tmp : "/tmp");
	if (!mkdtemp(private_dir)) {
		say("cannot make %s: %s", private_dir, strerror(errno));
		free(private_dir);
		private_dir = NULL;
		return NULL;
	}
	atexit(child_cleanup);
	return private_dir;
}

char *child_path(const char *name)
{
	return xprintf("%s/%s", private_dir ? private_dir : ".", name);
}

/* In the new process, which has one thread as its parent has. */
static _Noreturn void become(char *const argv[], const char *cwd, int out, pid_t parent)
{
	int null = open("/dev/null", O_RDONLY);

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent) /* it went before prctl */
		_exit(127);
	signal(SIGPIPE, SIG_DFL);
	sigprocmask(SIG_SETMASK, &old_mask, NULL);
	/* What a child makes for itself, as grub-mkrescue does, goes with the directory. */
	if (private_dir)
		setenv("TMPDIR", private_dir, 1);
	if (null < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0 || (cwd && chdir(cwd) != 0))
		_exit(127);
	execv(argv[0], argv);
	_exit(127);
}

int child_start(struct child *c, char *const argv[], const char *cwd, const char *output)
{
	int out = open(output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600), slot = 0;
	pid_t pid, self = getpid();

	while (slot < CHILDREN && running[slot])
		slot++;
	if (out < 0)
		return -errno;
	if (slot == CHILDREN) {
		close(out);
		return -EAGAIN;
	}
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		become(argv, cwd, out, self);
	close(out);
	if (pid < 0)
		return -errno;
	setpgid(pid, pid);
	*c = (struct child){ .pid = pid };
	running[slot] = c;
	return 0;
}

static void gone(struct child *c)
{
	c->ended = true;
	for (int i = 0; i < CHILDREN; i++)
		if (running[i] == c)
			running[i] = NULL;
}

bool child_poll(struct child *c)
{
	if (c->pid && !c->ended && waitpid(c->pid, &c->status, WNOHANG) == c->pid) {
		kill(-c->pid, SIGKILL); /* what it left behind in its group */
		gone(c);
	}
	return !c->pid || c->ended;
}

bool child_interrupted(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 &&
	       (sigismember(&pending, SIGINT) || sigismember(&pending, SIGTERM) || sigismember(&pending, SIGHUP));
}

bool child_wait(struct child *c, uint64_t limit_us)
{
	uint64_t until = now_us() + limit_us;

	while (!child_poll(c) && now_us() < until && !child_interrupted()) {
		poll(NULL, 0, 10);
	}
	return child_poll(c);
}

/* By the state that /proc shows, behind the name in parentheses (proc(5)). */
static bool thread_runs(const char *tasks, const char *thread)
{
	char *path = xprintf("%s/%s/stat", tasks, thread), line[256];
	FILE *f = fopen(path, "re");
	const char *name_end = f && fgets(line, sizeof(line), f) ? strrchr(line, ')') : NULL;

	free(path);
	if (f)
		fclose(f);
	return name_end && name_end[1] == ' ' && name_end[2] == 'R';
}

static bool runs(pid_t pid)
{
	char *tasks = xprintf("/proc/%d/task", (int)pid);
	DIR *d = opendir(tasks);
	bool any = false;
	struct dirent *e;

	while (d && !any && (e = readdir(d)))
		any = e->d_name[0] != '.' && thread_runs(tasks, e->d_name);
	if (d)
		closedir(d);
	free(tasks);
	return any;
}

uint64_t child_lacks_us(const struct child *c, uint64_t cpu_us)
{
	struct timespec had;
	clockid_t clock;
	uint64_t us;

	if (!c->pid || c->ended || clock_getcpuclockid(c->pid, &clock) != 0 || clock_gettime(clock, &had) != 0)
		return 0;
	us = (uint64_t)had.tv_sec * 1000000 + (uint64_t)had.tv_nsec / 1000;
	return us < cpu_us && runs(c->pid) ? cpu_us - us : 0;
}

void child_kill(struct child *c)
{
	if (!c->pid || c->ended)
		return;
	kill(-c->pid, SIGKILL);
	kill(c->pid, SIGKILL);
	while (waitpid(c->pid, &c->status, 0) < 0 && errno == EINTR)
		;
	gone(c);
}

const char *child_how(const struct child *c)
{
	static char how[64];

	if (!c->ended)
		return "still runs";
	if (WIFSIGNALED(c->status))
		snprintf(how, sizeof(how), "killed by SIG%s", sigabbrev_np(WTERMSIG(c->status)));
	else
		snprintf(how, sizeof(how), "exit status %d", WEXITSTATUS(c->status));
	return how;
}

/* Links are not followed, and depth bounds the recursion. */
static void remove_tree(const char *path, int depth)
{
	DIR *d = opendir(path);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		char *sub;
		struct stat st;

		if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
			continue;
		sub = xprintf("%s/%s", path, e->d_name);
		if (depth && lstat(sub, &st) == 0 && S_ISDIR(st.st_mode))
			remove_tree(sub, depth - 1);
		else
			unlink(sub);
		free(sub);
	}
	if (d)
		closedir(d);
	rmdir(path);
}

void child_cleanup(void)
{
	for (int i = 0; i < CHILDREN; i++)
		if (running[i])
			child_kill(running[i]);
	if (private_dir) {
		remove_tree(private_dir, 16);
		free(private_dir);
		private_dir = NULL;
	}
}
