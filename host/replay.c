/* tessera replay: attends a recording. */
#include <unistd.h>

#include "host/attend.h"
#include "host/child.h"
#include "host/commands.h"
#include "host/options.h"
#include "host/player.h"
#include "host/say.h"

int command_replay(int argc, char **argv)
{
	struct options o;
	struct player player;
	struct attend_source source = { .line_fd = -1, .player = &player };
	int err = options_replay(argc, argv, &o), signal_fd, status;

	if (err)
		return err;
	say_verbose(o.verbose);
	signal_fd = child_signals();
	if (signal_fd < 0)
		return EXIT_TOOL;
	if (player_open(&player, o.guest, o.speed) < 0)
		return EXIT_USAGE;
	status = attend(&o, &source, signal_fd);
	player_close(&player);
	child_cleanup();
	close(signal_fd);
	return status;
}
