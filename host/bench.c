/* tessera bench: what the VMM's work costs, and what the codec makes of recordings. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/bench_trace.h"
#include "host/commands.h"
#include "host/paths.h"
#include "host/say.h"

void help_bench(void)
{
	printf("Usage: tessera bench\n"
	       "       tessera bench trace [--mode=dense|fast] [--frames=N] [--peers] FILE|@SCENE...\n"
	       "Alone, from the build tree, it does what `make bench` does: exits and the dirty tracker in instructions, beside "
	       "KVM; a table, and\n"
	       "bench.json in the build folder. Ends with 1 when a limit is broken.\n\n"
	       "trace sends each recording of framebuffers (RET1, also compressed by zstd) through the codec in its dense and its "
	       "fast mode,\n"
	       "decodes it again and compares. It prints a line for each:\n"
	       "  SCENE frames=N changed=N first=BYTES dense=BYTES fast=BYTES pixels=N\n"
	       "changed counts the frames that differ from the one before, first the bytes of the first picture in the dense "
	       "mode,\n"
	       "pixels those that changed. @SCENE: one that is painted here (@console, @editor, @window, @video, @plot). --peers adds what\n"
	       "libvncserver needs: zrle=BYTES tight=BYTES.\n"
	       "Exit status: 0; 125 when a recording cannot be read, or does not come back as it was; 2 wrong usage.\n");
}

/* The script lies beside the build folder, and finds the rest from there. */
static int bench_machines(void)
{
	char *script = paths_in_share("../bench/run");

	if (access(script, R_OK)) {
		say("bench: measures in the source tree only: there, run make bench (%s: %s)", script, strerror(errno));
		free(script);
		return EXIT_TOOL;
	}
	setenv("BUILD", paths_share(), 1);
	execlp("bash", "bash", script, (char *)NULL);
	say("bench: bash: %s", strerror(errno));
	free(script);
	return EXIT_TOOL;
}

int command_bench(int argc, char **argv)
{
	if (argc < 2)
		return bench_machines();
	if (argc < 3 || strcmp(argv[1], "trace")) {
		say("bench: nothing, or 'trace FILE...' (tessera help bench)");
		return EXIT_USAGE;
	}
	return bench_trace(argc - 1, argv + 1);
}
