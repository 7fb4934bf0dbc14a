/* tessera doctor: what this host has and lacks, and what to do. */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/commands.h"
#include "host/kvm.h"
#include "host/machine.h"
#include "host/paths.h"
#include "host/say.h"
#include "host/web.h"
#include "host/text.h"

#define HELP_LIMIT_US 10000000u

static unsigned missing;

/* state: what was found, or what is wrong, or NULL; a thing that is needed and not there counts as missing. */
static void row(const char *what, bool there, bool needed, const char *state, const char *advice)
{
	printf("%-18s %-4s %s%s%s\n", what,
	       there	? "ok"
	       : needed ? "NO"
			: "no",
	       state ? state : "", !there && state && *state ? ": " : "", there ? "" : advice);
	if (!there && needed)
		missing++;
}

static bool program(const char *name, bool needed, const char *package)
{
	char *path = paths_program(name), *advice = xprintf("%sapt-get install %s", needed ? "make deps, or " : "", package);
	bool there = path != NULL;

	row(name, there, needed, path, advice);
	free(advice);
	free(path);
	return there;
}

static bool file(const char *what, const char *path, bool needed, const char *advice)
{
	bool there = access(path, R_OK) == 0;

	row(what, there, needed, path, advice);
	return there;
}

/* Asks Bochs for its CPU models. */
static void bochs_models(void)
{
	static const char *const wanted[] = { "corei7_skylake_x", "ryzen" };
	static const char *const machines[] = { "machine bochs", "machine bochs-svm" };
	char *path = paths_program("bochs-bin"), *output;
	struct text said = { 0 };
	struct child child = { 0 };

	if (!path)
		path = paths_program("bochs");
	if (!path || !child_dir()) {
		free(path);
		return;
	}
	output = child_path("bochs.out");
	if (child_start(&child, (char *[]){ path, (char *)"--help", (char *)"cpu", NULL }, child_dir(), output) == 0) {
		child_wait(&child, HELP_LIMIT_US);
		child_kill(&child);
		text_read_file(&said, output, 1 << 20);
	}
	for (size_t i = 0; i < sizeof(wanted) / sizeof(*wanted); i++)
		row(machines[i], strstr(text_str(&said), wanted[i]) != NULL, true, wanted[i],
		    "this Bochs was built without that CPU model");
	text_free(&said);
	free(output);
	free(path);
}

static void grub(void)
{
	char *mkrescue = iso_mkrescue(), *platform = iso_platform();

	row("grub-mkrescue", mkrescue != NULL, true, mkrescue, "make deps, or apt-get install grub-common");
	row("GRUB for BIOS", platform != NULL, true, platform, "make deps, or apt-get install grub-pc-bin");
	free(mkrescue);
	free(platform);
	program("xorriso", true, "xorriso");
	program("mformat", true, "mtools");
}

static void own_files(void)
{
	char *vmm = paths_in_share("tessera.elf"), *table = paths_in_share("guest/table.txt");

	file("the VMM", vmm, true, "make vmm");
	file("guest tests", table, true, "make guest-tests");
	free(vmm);
	free(table);
}

int command_doctor(int argc, char **argv)
{
	char why[256] = "";
	bool nests, display;

	if (argc > 1) {
		say("doctor: unexpected argument '%s'", argv[1]);
		return EXIT_USAGE;
	}
	if (child_signals() < 0)
		return EXIT_TOOL;
	own_files();
	program("qemu-system-x86_64", true, "qemu-system-x86");
	program("bochs", true, "bochs bochsbios");
	bochs_models();
	file("Bochs' BIOS", "/usr/share/bochs/BIOS-bochs-latest", true, "make deps, or apt-get install bochsbios");
	file("Bochs' VGA BIOS", "/usr/share/bochs/VGABIOS-lgpl-latest", true, "make deps, or apt-get install bochsbios");
	grub();
	nests = kvm_nests(why, sizeof(why));
	row("machine kvm", nests, false, nests ? "nested virtualization works" : why, "the other machines do without");
	display = getenv("WAYLAND_DISPLAY") || getenv("DISPLAY");
	row("display", display, false, display ? "for the window" : "none here",
	    "look at the web page from a machine that has one: --listen, or ssh -L");
	row("noVNC", web_possible(), false, web_possible() ? "for the web page" : "not there", "make fetches it from Debian");
	program("vncviewer", false, "tigervnc-viewer");
	program("ffmpeg", false, "ffmpeg");
	child_cleanup();
	if (missing)
		printf("%u thing%s missing.\n", missing, missing == 1 ? " is" : "s are");
	else
		printf("All that is needed is there.\n");
	return missing ? 1 : 0;
}

void help_doctor(void)
{
	puts("Usage: tessera doctor\nShows what this host has and lacks to run Tessera, and what to do about it. Status 1 if "
	     "something needed "
	     "is missing.");
}
