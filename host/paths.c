#include "host/paths.h"

#include <errno.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/say.h"

const char *paths_share(void)
{
	static char share[PATH_MAX];
	char exe[PATH_MAX], *dir, *there;
	ssize_t n;

	if (share[0])
		return share;
	n = readlink("/proc/self/exe", exe, sizeof(exe) - 1);
	if (n < 0)
		n = snprintf(exe, sizeof(exe), "./tessera");
	exe[n] = 0;
	dir = dirname(exe);
	there = xprintf("%s/tessera.elf", dir);
	if (access(there, R_OK) != 0) {
		free(there);
		there = xprintf("%s/../share/tessera/tessera.elf", dir);
	}
	if (access(there, R_OK) != 0 || !realpath(dirname(there), share))
		snprintf(share, sizeof(share), "%s", dir);
	free(there);
	return share;
}

char *paths_in_share(const char *name)
{
	return xprintf("%s/%s", paths_share(), name);
}

char *paths_program(const char *name)
{
	const char *path = getenv("PATH");
	char *copy, *save = NULL, *found = NULL;

	if (strchr(name, '/'))
		return access(name, X_OK) == 0 ? xstrdup(name) : NULL;
	/* sbin too: a plain user's PATH leaves out where some distributions put grub-mkrescue. */
	copy = xprintf("%s:/usr/local/sbin:/usr/sbin:/sbin", path ? path : "/usr/local/bin:/usr/bin:/bin");
	for (char *d = strtok_r(copy, ":", &save); d && !found; d = strtok_r(NULL, ":", &save)) {
		struct stat st;

		found = xprintf("%s/%s", d, name);
		if (access(found, X_OK) != 0 || stat(found, &st) != 0 || !S_ISREG(st.st_mode)) {
			free(found);
			found = NULL;
		}
	}
	free(copy);
	return found;
}

char *paths_runtime(void)
{
	const char *xdg = getenv("XDG_RUNTIME_DIR");
	struct stat st;
	char *dir = xdg && *xdg == '/' ? xprintf("%s/tessera", xdg) : xprintf("/tmp/tessera-%u", (unsigned)getuid());

	if (mkdir(dir, 0700) != 0 && errno != EEXIST) {
		say("cannot make %s: %s", dir, strerror(errno));
		free(dir);
		return NULL;
	}
	if (lstat(dir, &st) != 0 || !S_ISDIR(st.st_mode) || st.st_uid != getuid() || (st.st_mode & 077)) {
		say("%s is not a directory of this user alone (mode 0700): use --control SOCKET", dir);
		free(dir);
		return NULL;
	}
	return dir;
}
