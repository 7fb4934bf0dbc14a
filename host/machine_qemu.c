/* The machines `qemu` (TCG: SVM and NPT on any box) and `kvm` (nested VMX or SVM). */
#include <stdlib.h>
#include <string.h>

#include "host/kvm.h"
#include "host/machine.h"
#include "host/paths.h"
#include "host/say.h"
#include "host/text.h"

#define ARGS_MAX 128

static int find_qemu(struct machine *m, const char *accel)
{
	m->accel = accel;
	m->program = paths_program("qemu-system-x86_64");
	if (m->program)
		return 0;
	say("qemu-system-x86_64 is not installed: 'make deps', or install the package qemu-system-x86");
	return EXIT_TOOL;
}

static int find_tcg(struct machine *m)
{
	return find_qemu(m, "tcg");
}

static int find_kvm(struct machine *m)
{
	char why[256];

	if (kvm_nests(why, sizeof(why)))
		return find_qemu(m, "kvm");
	say("no nested KVM: %s. '--machine qemu' works everywhere", why);
	return EXIT_TOOL;
}

/*
 * "FILE ARGS,FILE ARGS": QEMU opens what stands before the first blank and gives the whole string to the kernel. A comma separates,
 * a doubled one stands for itself.
 */
static char *initrd(const struct machine *m)
{
	struct text t = { 0 };

	for (unsigned i = 0; i < m->file_count; i++) {
		if (i)
			text_add(&t, ",", 1);
		for (const char *s = m->file[i].string; *s; s++)
			text_add(&t, *s == ',' ? ",," : s, *s == ',' ? 2 : 1);
	}
	return t.s;
}

static int add_image(struct machine *m, struct args *a)
{
	char *path = m->o->boot == BOOT_GRUB ? machine_iso(m) : paths_in_share("tessera.elf");
	char *modules = initrd(m);

	if (path && m->o->boot == BOOT_GRUB) {
		args_add(a, "-cdrom");
		args_add(a, "%s", path);
	} else if (path) {
		args_add(a, "-kernel");
		args_add(a, "%s", path);
		args_add(a, "-append");
		args_add(a, "%s", m->vmm_args);
		args_add(a, "-initrd");
		args_add(a, "%s", modules);
	}
	free(modules);
	free(path);
	return path ? 0 : EXIT_TOOL;
}

static int start(struct machine *m)
{
	static const char *const fixed[] = { "-nodefaults",
					     "-no-user-config",
					     "-no-reboot",
					     "-display",
					     "none",
					     "-chardev",
					     "socket,id=line,path=../line",
					     "-serial",
					     "chardev:line",
					     "-device",
					     "isa-debug-exit,iobase=0xf4,iosize=4" };
	struct args a = { 0 };
	char *path = child_path("line");
	int err;

	m->listen_fd = machine_listen(path, NULL);
	free(path);
	if (m->listen_fd < 0)
		return EXIT_TOOL;
	args_add(&a, "%s", m->program);
	args_add(&a, "-accel");
	args_add(&a, "%s", m->accel);
	args_add(&a, "-cpu");
	args_add(&a, "%s", strcmp(m->accel, "kvm") == 0 ? "host" : "max");
	args_add(&a, "-m");
	args_add(&a, "%u", m->mib);
	for (size_t i = 0; i < sizeof(fixed) / sizeof(*fixed); i++)
		args_add(&a, "%s", fixed[i]);
	if (m->o->deterministic) {
		args_add(&a, "-icount");
		args_add(&a, "shift=0,sleep=off");
	}
	err = add_image(m, &a);
	for (unsigned i = 0; i < m->o->emulator_arg_count; i++)
		args_add(&a, "%s", m->o->emulator_arg[i]);
	if (!err)
		err = machine_spawn(m, &a);
	args_free(&a);
	return err;
}

const struct machine_kind machine_qemu = { .name = "qemu", .hello_sec = 20, .find = find_tcg, .start = start };
const struct machine_kind machine_kvm = { .name = "kvm", .hello_sec = 60, .find = find_kvm, .start = start };
