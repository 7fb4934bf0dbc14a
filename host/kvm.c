#include "host/kvm.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/kvm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "host/say.h"
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

/* Whether guests of this KVM find VMX or SVM in their CPUID: KVM's own word for that it nests. -errno when it does not answer. */
static int offered(int kvm)
{
	enum { LEAVES = 256 };
	struct kvm_cpuid2 *c = xalloc(sizeof(*c) + LEAVES * sizeof(c->entries[0]));
	int found = 0;

	c->nent = LEAVES;
	if (ioctl(kvm, KVM_GET_SUPPORTED_CPUID, c) < 0) {
		found = -errno;
		c->nent = 0;
	}
	for (unsigned i = 0; i < c->nent; i++) {
		found |= c->entries[i].function == 1 && (c->entries[i].ecx >> 5 & 1);
		found |= c->entries[i].function == 0x80000001 && (c->entries[i].ecx >> 2 & 1);
	}
	free(c);
	return found;
}

/* Whether an open KVM makes machines that nest; if not, why. */
static bool makes_nesting(int kvm, bool vmx, bool svm, char *why, size_t size)
{
	const char *module = vmx ? "kvm_intel" : "kvm_amd";
	int machine, nests, err;

	if (ioctl(kvm, KVM_GET_API_VERSION, 0) != KVM_API_VERSION) {
		snprintf(why, size, "/dev/kvm does not speak version %d of KVM's interface", KVM_API_VERSION);
		return false;
	}
	nests = offered(kvm);
	if (nests < 0) {
		snprintf(why, size, "/dev/kvm does not tell what its guests' CPUs have: %s", strerror(-nests));
		return false;
	}
	if (!nests && !vmx && !svm) {
		snprintf(why, size,
			 "/dev/kvm is there, but this CPU shows neither vmx nor svm, so its guests cannot have them either");
		return false;
	}
	if (!nests) {
		snprintf(why, size, "%s does not nest%s: 'modprobe -r %s; modprobe %s nested=1'", module,
			 nested_on(module) ? ", although its parameter says so" : "", module, module);
		return false;
	}
	machine = ioctl(kvm, KVM_CREATE_VM, 0);
	if (machine >= 0) {
		close(machine);
		return true;
	}
	err = errno;
	snprintf(why, size, "KVM makes no machine: %s%s", strerror(err),
		 err == EBUSY ? " (another hypervisor holds this CPU's virtualization: stop it)" : "");
	return false;
}

bool kvm_nests(char *why, size_t size)
{
	bool vmx = cpu_flag("vmx"), svm = cpu_flag("svm"), nests;
	int kvm;

	if (access("/dev/kvm", F_OK) != 0) {
		snprintf(why, size, "there is no /dev/kvm (load the module %s, or turn virtualization on in the firmware)",
			 vmx   ? "kvm-intel"
			 : svm ? "kvm-amd"
			       : "kvm-intel or kvm-amd");
		return false;
	}
	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0) {
		snprintf(why, size, "/dev/kvm: %s%s", strerror(errno),
			 errno == EACCES ? " (add this user to the group 'kvm')" : "");
		return false;
	}
	nests = makes_nesting(kvm, vmx, svm, why, size);
	close(kvm);
	return nests;
}
