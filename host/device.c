/* Opening what `tessera view` attaches to. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <unistd.h>

#include "host/line.h"
#include "host/say.h"

#define DEFAULT_BAUD 115200u

static const struct {
	uint32_t baud;
	speed_t code;
} speeds[] = {
	{ 300, B300 },	       { 600, B600 },	      { 1200, B1200 },	     { 2400, B2400 },	    { 4800, B4800 },
	{ 9600, B9600 },       { 19200, B19200 },     { 38400, B38400 },     { 57600, B57600 },	    { 115200, B115200 },
	{ 230400, B230400 },   { 460800, B460800 },   { 500000, B500000 },   { 576000, B576000 },   { 921600, B921600 },
	{ 1000000, B1000000 }, { 1152000, B1152000 }, { 1500000, B1500000 }, { 2000000, B2000000 }, { 2500000, B2500000 },
	{ 3000000, B3000000 }, { 3500000, B3500000 }, { 4000000, B4000000 },
};

static int find_speed(uint32_t baud, speed_t *code)
{
	for (size_t i = 0; i < sizeof(speeds) / sizeof(*speeds); i++) {
		if (speeds[i].baud == baud) {
			*code = speeds[i].code;
			return 0;
		}
	}
	return -EINVAL;
}

/* when: as tcsetattr has it. */
static int set_tty(int fd, speed_t code, int when)
{
	struct termios t, is;

	if (tcgetattr(fd, &t) != 0)
		return -errno;
	cfmakeraw(&t);
	t.c_cflag &= ~(tcflag_t)(CSTOPB | CRTSCTS);
	t.c_cflag |= CLOCAL | CREAD;
	t.c_cc[VMIN] = 1;
	t.c_cc[VTIME] = 0;
	if (cfsetispeed(&t, code) != 0 || cfsetospeed(&t, code) != 0 || tcsetattr(fd, when, &t) != 0)
		return -errno;
	/* tcsetattr succeeds when any part could be set, so look at the part that matters. */
	if (tcgetattr(fd, &is) != 0 || cfgetospeed(&is) != code)
		return -EINVAL;
	return 0;
}

int line_set_baud(int fd, uint32_t baud)
{
	speed_t code;

	return find_speed(baud, &code) < 0 ? -EINVAL : set_tty(fd, code, TCSADRAIN);
}

uint32_t line_bauds(int fd, uint32_t baud, uint32_t most)
{
	uint32_t can = 0;
	speed_t code;

	for (unsigned i = 0; i < LINK_BAUDS; i++)
		if (link_bauds[i] > baud && link_bauds[i] <= most && find_speed(link_bauds[i], &code) == 0 &&
		    set_tty(fd, code, TCSANOW) == 0)
			can |= 1u << i;
	return line_set_baud(fd, baud) < 0 ? 0 : can;
}

static int open_tty(const char *path, uint32_t baud)
{
	speed_t code;
	int fd, err;

	if (!baud)
		baud = DEFAULT_BAUD;
	if (find_speed(baud, &code) < 0) {
		say("--baud %u: not a speed that serial ports have", baud);
		return -1;
	}
	fd = open(path, O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
	if (fd < 0) {
		say("%s: %s%s", path, strerror(errno),
		    errno == EACCES ? " (is this user in the group of serial ports, 'dialout'?)" : "");
		return -1;
	}
	if (!isatty(fd)) {
		say("%s: not a serial port (sockets are unix:PATH, tcp:HOST:PORT and fd:N)", path);
	} else if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
		say("%s: another program uses it", path);
	} else {
		err = set_tty(fd, code, TCSANOW);
		if (!err) {
			tcflush(fd, TCIOFLUSH);
			return fd;
		}
		say("%s: cannot be set to %u baud 8N1: %s", path, baud, strerror(-err));
	}
	close(fd);
	return -1;
}

static int open_unix(const char *path)
{
	struct sockaddr_un sa = { .sun_family = AF_UNIX };
	int fd;

	if (!*path || strlen(path) >= sizeof(sa.sun_path)) {
		say("unix:%s: not a path that a socket can have", path);
		return -1;
	}
	strcpy(sa.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd >= 0 && connect(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0) {
		fcntl(fd, F_SETFL, O_NONBLOCK);
		return fd;
	}
	say("unix:%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -1;
}

static int connect_any(const struct addrinfo *list)
{
	int err = EADDRNOTAVAIL;

	for (const struct addrinfo *a = list; a; a = a->ai_next) {
		int one = 1, fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);

		if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) == 0) {
			setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
			fcntl(fd, F_SETFL, O_NONBLOCK);
			return fd;
		}
		err = errno;
		if (fd >= 0)
			close(fd);
	}
	return -err;
}

static int open_tcp(const char *where)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM }, *list;
	char host[256];
	const char *colon = strrchr(where, ':');
	size_t len = colon ? (size_t)(colon - where) : 0;
	int err, fd;

	if (!len || len >= sizeof(host) || !colon[1]) {
		say("tcp:%s: expected tcp:HOST:PORT", where);
		return -1;
	}
	if (where[0] == '[' && where[len - 1] == ']') {
		where++;
		len -= 2;
	}
	memcpy(host, where, len);
	host[len] = 0;
	err = getaddrinfo(host, colon + 1, &hints, &list);
	if (err) {
		say("tcp:%s:%s: %s", host, colon + 1, gai_strerror(err));
		return -1;
	}
	fd = connect_any(list);
	freeaddrinfo(list);
	if (fd < 0)
		say("tcp:%s:%s: %s", host, colon + 1, strerror(-fd));
	return fd < 0 ? -1 : fd;
}

static int open_inherited(const char *number)
{
	char *end;
	long fd = strtol(number, &end, 10);

	if (end == number || *end || fd < 0 || fd > INT_MAX || fcntl((int)fd, F_GETFD) < 0) {
		say("fd:%s: no descriptor that is open", number);
		return -1;
	}
	fcntl((int)fd, F_SETFD, FD_CLOEXEC);
	fcntl((int)fd, F_SETFL, fcntl((int)fd, F_GETFL) | O_NONBLOCK);
	return (int)fd;
}

bool line_is_socket(const char *device)
{
	return strncmp(device, "unix:", 5) == 0 || strncmp(device, "tcp:", 4) == 0 || strncmp(device, "fd:", 3) == 0;
}

int line_open(const char *device, uint32_t baud)
{
	if (strncmp(device, "unix:", 5) == 0)
		return open_unix(device + 5);
	if (strncmp(device, "tcp:", 4) == 0)
		return open_tcp(device + 4);
	if (strncmp(device, "fd:", 3) == 0)
		return open_inherited(device + 3);
	return open_tty(device, baud);
}
