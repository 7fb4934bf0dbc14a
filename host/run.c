/* tessera run: checks what it was given, starts a machine, attends it. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/attend.h"
#include "host/commands.h"
#include "host/firmware.h"
#include "host/kernelcheck.h"
#include "host/machine.h"
#include "host/options.h"
#include "host/say.h"

/* A regular file that can be read and is not empty: its descriptor and size. -1 having said why not. */
static int open_input(const char *path, const char *what, size_t *size)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	const char *why = NULL;

	if (fd < 0 || fstat(fd, &st) != 0)
		why = strerror(errno);
	else if (S_ISDIR(st.st_mode))
		why = "is a directory";
	else if (!S_ISREG(st.st_mode))
		why = "is not a regular file";
	else if (!st.st_size)
		why = "is empty";
	if (why) {
		say("%s%s: %s", what, path, why);
		if (fd >= 0)
			close(fd);
		return -1;
	}
	*size = (size_t)st.st_size;
	return fd;
}

static int check_guest(struct options *o, uint64_t *top)
{
	struct kernel_info info;
	size_t size;
	int fd = open_input(o->guest_file, "", &size), err;
	const char *why;
	void *map;

	if (fd < 0)
		return EXIT_USAGE;
	map = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
	close(fd);
	if (map == MAP_FAILED) {
		say("%s: %s", o->guest_file, strerror(errno));
		return EXIT_USAGE;
	}
	err = kernel_check(map, size, o->memory_mib, &info, &why);
	munmap(map, size);
	if (err) {
		say("%s: %s", o->guest_file, why);
		return EXIT_USAGE;
	}
	*top = info.top;
	return info.kind == KERNEL_FIRMWARE ? firmware_add_roms(o) : 0;
}

static int check_inputs(struct options *o)
{
	uint64_t total;
	size_t size;
	int err = check_guest(o, &total), fd;

	for (unsigned i = 0; i < o->module_count && !err; i++) {
		fd = open_input(o->module[i].file, "module ", &size);
		if (fd < 0)
			return EXIT_USAGE;
		close(fd);
		total += size;
		if (total > (uint64_t)o->memory_mib << 20) {
			say("module %s: does not fit into the guest's %u MiB: try a larger --memory", o->module[i].file,
			    o->memory_mib);
			return EXIT_USAGE;
		}
	}
	return err;
}

int command_run(int argc, char **argv)
{
	struct options o;
	struct machine m;
	struct attend_source source = { .machine = &m, .line_fd = -1 };
	int err = options_run(argc, argv, &o), signal_fd, status;

	if (err)
		return err;
	say_verbose(o.verbose);
	err = check_inputs(&o);
	if (err)
		return err;
	signal_fd = child_signals();
	if (signal_fd < 0)
		return EXIT_TOOL;
	err = machine_find(&m, &o);
	if (!err && m.kind->line_rate && o.baud > PC_BAUD) {
		say("--baud %u: the UART of %s does %u at most", o.baud, m.kind->name, PC_BAUD);
		err = EXIT_USAGE;
	}
	if (!err)
		err = machine_start(&m);
	if (err) {
		machine_stop(&m);
		child_cleanup();
		status = child_signal_taken(signal_fd);
		return status && status != SIGCHLD ? 128 + status : err;
	}
	/* Bochs' UART has the speed that the VMM sets; QEMU's sends as fast as it can, so its limit is kept here. */
	source.rate = m.kind->line_rate ? 0 : o.baud / 10;
	/* An emulator's CPU is what limits there, so the VMM begins with the codec's fast mode; then what it measures decides. */
	source.window_rate = o.baud / 10;
	status = attend(&o, &source, signal_fd);
	machine_stop(&m);
	child_cleanup();
	close(signal_fd);
	return status;
}
