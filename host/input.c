#include "host/input.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

static bool active, tty_changed;
static struct termios tty_was;

static void restore_tty(void)
{
	if (tty_changed)
		tcsetattr(STDIN_FILENO, TCSANOW, &tty_was);
	tty_changed = false;
}

static bool take_tty(void)
{
	struct termios t;

	/* A background job that changes the terminal, or reads from it, would be stopped. */
	if (tcgetpgrp(STDIN_FILENO) != getpgrp() || tcgetattr(STDIN_FILENO, &tty_was) != 0)
		return false;
	t = tty_was;
	t.c_lflag &= ~(tcflag_t)(ICANON | ECHO);
	t.c_iflag &= ~(tcflag_t)ICRNL;
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	tty_changed = true;
	atexit(restore_tty);
	return tcsetattr(STDIN_FILENO, TCSANOW, &t) == 0;
}

void input_start(void)
{
	struct stat st;

	if (fstat(STDIN_FILENO, &st) != 0)
		return;
	if (isatty(STDIN_FILENO))
		active = take_tty();
	else
		active = S_ISFIFO(st.st_mode) || S_ISSOCK(st.st_mode) || S_ISREG(st.st_mode);
}

void input_stop(void)
{
	active = false;
	restore_tty();
}

void input_prepare(const struct session *s, struct pollset *p)
{
	if (active && session_serial_room(s))
		pollset_add(p, STDIN_FILENO, POLLIN);
}

void input_pump(struct session *s, const struct pollset *p)
{
	char buf[1024];
	size_t room = session_serial_room(s);
	ssize_t n;

	if (!active || !room || !(pollset_got(p, STDIN_FILENO) & (POLLIN | POLLHUP | POLLERR | POLLNVAL)))
		return;
	n = read(STDIN_FILENO, buf, room < sizeof(buf) ? room : sizeof(buf));
	if (n > 0)
		session_serial_in(s, buf, (size_t)n);
	else if (n == 0 || (errno != EINTR && errno != EAGAIN))
		active = false;
}
