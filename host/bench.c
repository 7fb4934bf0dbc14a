/* tessera bench: measurements that need no machine. */
#include <stdio.h>
#include <string.h>

#include "host/bench_trace.h"
#include "host/commands.h"
#include "host/say.h"

void help_bench(void)
{
	printf("Usage: tessera bench trace FILE...\n"
	       "Sends each recording of framebuffers (RET1, also compressed by zstd) through the codec in its dense and its fast mode,\n"
	       "decodes it again and compares. Prints a line for each:\n"
	       "  SCENE frames=N changed=N first=BYTES dense=BYTES fast=BYTES\n"
	       "changed counts the frames that differ from the one before, first the bytes of the first picture in the dense mode.\n"
	       "Exit status: 0; 125 when a recording cannot be read, or does not come back as it was; 2 wrong usage.\n");
}

int command_bench(int argc, char **argv)
{
	if (argc < 3 || strcmp(argv[1], "trace")) {
		say("bench: 'trace FILE...' is missing (tessera help bench)");
		return EXIT_USAGE;
	}
	return bench_trace(argc - 1, argv + 1);
}
