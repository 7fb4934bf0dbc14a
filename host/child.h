/*
 * Child processes and the private directory of a run. Whatever way this program ends, they go: children die with it (and are
 * killed, their whole process group, by an exit handler), the directory is removed.
 */
#ifndef HOST_CHILD_H
#define HOST_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct child {
	pid_t pid; /* 0: none; also its process group */
	bool ended;
	int status; /* as waitpid gives it, when ended */
};

/**
 * Blocks SIGINT, SIGTERM, SIGHUP and SIGCHLD and makes a descriptor that tells of them; ignores SIGPIPE. Once, early.
 * Returns the descriptor (signalfd), or -1 having said why.
 */
int child_signals(void);

/** Reads pending signals. Returns SIGINT, SIGTERM or SIGHUP if one came, else SIGCHLD if a child ended, else 0. */
int child_signal_taken(int signal_fd);

/** The run's private directory (mode 0700), made on the first call. NULL having said why. */
const char *child_dir(void);

/** A path in child_dir(), a new string. */
char *child_path(const char *name);

/**
 * Starts a program: argv[0] is its path, stdin /dev/null, stdout and stderr to the file `output`, working directory cwd.
 * Returns 0 or a negative errno.
 */
int child_start(struct child *c, char *const argv[], const char *cwd, const char *output);

/** Looks whether it ended. */
bool child_poll(struct child *c);

/** True when a signal that asks this program to end waits to be taken. */
bool child_interrupted(void);

/** Waits for its end, for at most limit_us, or until a signal asks this program to end. Returns true when it ended. */
bool child_wait(struct child *c, uint64_t limit_us);

/**
 * How much CPU time, in microseconds, it lacks to have had cpu_us of it, all its threads together: on a busy host it may have had
 * far less than time has passed. 0: it had that much, or none of its threads wants the CPU now, or the system does not say.
 */
uint64_t child_lacks_us(const struct child *c, uint64_t cpu_us);

/** Ends it and all that it started, now. */
void child_kill(struct child *c);

/** Says how it ended: "exit status 1" or "killed by SIGSEGV". In a static buffer. */
const char *child_how(const struct child *c);

/** Removes the directory and kills what still runs; also an exit handler. */
void child_cleanup(void);

#endif
