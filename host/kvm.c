#include "host/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/text.h"

/* A whole word in the "flags" line of /proc/cpuinfo. */
static bool cpu_flag(const char *flag)
{
	struct text t = { 0 };
	size_t n = strlen(flag);
	bool found = false;
	const char *line, *end;

	if (text_read_file(&t, "/proc/cpuinfo", 16 << 20) == 0 && (line = strstr(text_str(&t), "\nflags")) != NULL) {
		end = strchr(line + 1, '\n');
		for (const char *p = line; !found && (p = strstr(p, flag)) != NULL && (!end || p < end); p += n)
			found = p[-1] == ' ' && (p[n] == ' ' || p[n] == '\n' || !p[n]);
	}
	text_free(&t);
	return found;
}

static bool nested_on(const char *module)
{
	struct text t = { 0 };
	char path[64];
	bool on;

	snprintf(path, sizeof(path), "/sys/module/%s/parameters/nested", module);
	on = text_read_file(&t, path, 64) == 0 && (text_str(&t)[0] == 'Y' || text_str(&t)[0] == '1');
	text_free(&t);
	return on;
}

bool kvm_nests(char *why, size_t size)
{
	bool vmx = cpu_flag("vmx"), svm = cpu_flag("svm");
	const char *module = vmx ? "kvm_intel" : "kvm_amd";
	int fd;

	if (access("/dev/kvm", F_OK) != 0) {
		snprintf(why, size, "there is no /dev/kvm (load the module %s, or turn virtualization on in the firmware)",
			 vmx   ? "kvm-intel"
			 : svm ? "kvm-amd"
			       : "kvm-intel or kvm-amd");
		return false;
	}
	fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		snprintf(why, size, "/dev/kvm: %s%s", strerror(errno),
			 errno == EACCES ? " (add this user to the group 'kvm')" : "");
		return false;
	}
	close(fd);
	if (!vmx && !svm) {
		snprintf(why, size,
			 "/dev/kvm is there, but this CPU shows neither vmx nor svm, so its guests cannot have them either");
		return false;
	}
	if (!nested_on(module)) {
		snprintf(why, size, "%s does not nest: 'modprobe -r %s; modprobe %s nested=1'", module, module, module);
		return false;
	}
	return true;
}
