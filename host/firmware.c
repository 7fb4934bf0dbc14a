#include "host/firmware.h"

#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/say.h"

#define VIDEO_BIOS "vgabios-stdvga.bin"
#define BOOT_ROM "linuxboot_dma.bin"

static bool given(const struct options *o, const char *name, size_t len)
{
	for (unsigned i = 0; i < o->module_count; i++)
		if (strncmp(o->module[i].args, name, len) == 0)
			return true;
	return false;
}

/* Adds DIR/FILE under its name for the firmware. False: there is none. */
static bool add(struct options *o, const char *dir, const char *file, const char *name)
{
	char *path = xprintf("%s/%s", dir, file);

	if (access(path, R_OK) != 0 || o->module_count == OPTIONS_MODULES) {
		free(path);
		return false;
	}
	o->module[o->module_count++] = (struct module_option){ path, name };
	return true;
}

int firmware_add_roms(struct options *o)
{
	char *copy = xstrdup(o->guest_file), *dir = dirname(copy), *qemu = xprintf("%s/../qemu", dir);
	int err = 0;

	if (o->heads.count && !given(o, "vgaroms/", 8) && !given(o, "videorom", 9) && !add(o, dir, VIDEO_BIOS, "videorom"))
		say_more("%s: no video BIOS (%s) lies beside it", o->guest_file, VIDEO_BIOS);
	if (given(o, "kernel", 7) && !given(o, "genroms/", 8) && !add(o, dir, BOOT_ROM, "genroms/" BOOT_ROM) &&
	    !add(o, qemu, BOOT_ROM, "genroms/" BOOT_ROM)) {
		say("the kernel is booted by %s, which is not beside %s: give it with --module FILE=genroms/NAME", BOOT_ROM,
		    o->guest_file);
		err = EXIT_USAGE;
	}
	free(qemu);
	free(copy);
	return err;
}
