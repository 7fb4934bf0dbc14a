/* tessera list: the guests that @NAME stands for. */
#include <stdio.h>
#include <string.h>

#include "host/commands.h"
#include "host/say.h"
#include "host/table.h"

int command_list(int argc, char **argv)
{
	struct guest_table t;
	int width = 0;

	if (argc > 1) {
		say("list: unexpected argument '%s'", argv[1]);
		return EXIT_USAGE;
	}
	if (table_load(&t) < 0) {
		table_free(&t);
		return EXIT_TOOL;
	}
	for (size_t i = 0; i < t.count; i++)
		if ((int)strlen(t.entry[i].name) > width)
			width = (int)strlen(t.entry[i].name);
	for (size_t i = 0; i < t.count; i++)
		printf("@%-*s  %-4s  %s\n", width, t.entry[i].name, t.entry[i].kind, t.entry[i].about);
	table_free(&t);
	return 0;
}

void help_list(void)
{
	puts("Usage: tessera list\nNames the guests of guest-tests/ that 'tessera run @NAME' runs, and says what each does.");
}
