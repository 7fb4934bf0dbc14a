/* The `tessera` command. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/commands.h"
#include "host/options.h"
#include "host/say.h"

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	void (*help)(void);
	const char *about;
} commands[] = {
	{ "run", command_run, options_help_run, "run a guest under Tessera in an emulator and show its heads" },
	{ "view", command_view, options_help_view, "attach to a machine that runs Tessera: a serial port or a socket" },
	{ "replay", command_replay, options_help_replay, "play what 'run' or 'view' recorded" },
	{ "export", command_export, help_export, "make a PNG or an MP4 of a recording" },
	{ "ctl", command_ctl, help_ctl, "ask a run, or tell it: heads, screenshot, type, key, reset, stats ..." },
	{ "wait", command_wait, help_wait, "wait until a run shows or prints something" },
	{ "bench", command_bench, help_bench, "what exits and the tracker cost; what the codec makes of recordings" },
	{ "list", command_list, help_list, "name the guests of guest-tests/" },
	{ "doctor", command_doctor, help_doctor, "what this host has and lacks, and what to do" },
};

static const struct command *find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

static void usage(FILE *f)
{
	fprintf(f, "Usage: tessera COMMAND [OPTION...]\nShows all screens of a guest at the far end of a serial line.\n\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		fprintf(f, "  %-8s %s\n", commands[i].name, commands[i].about);
	fprintf(f, "  %-8s %s\n\n", "help", "this, or how a command is used: tessera help run");
	fprintf(f, "Begin with: tessera run @hello\n");
}

static int help(int argc, char **argv)
{
	const struct command *c = argc > 1 ? find(argv[1]) : NULL;

	if (argc > 1 && !c) {
		say("no command '%s' ('tessera help' names them)", argv[1]);
		return EXIT_USAGE;
	}
	if (c)
		c->help();
	else
		usage(stdout);
	return 0;
}

int main(int argc, char **argv)
{
	const struct command *c;

	if (argc < 2) {
		usage(stderr);
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "--version") == 0) {
		printf("tessera %s\n", TESSERA_VERSION);
		return 0;
	}
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return help(argc - 1, argv + 1);
	c = find(argv[1]);
	if (!c) {
		say("no command '%s' ('tessera help' names them)", argv[1]);
		return EXIT_USAGE;
	}
	if (argc > 2 && strcmp(argv[2], "--help") == 0) {
		c->help();
		return 0;
	}
	return c->run(argc - 1, argv + 1);
}
