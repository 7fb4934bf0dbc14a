/* tessera view: attends a machine that runs already, at the end of a serial line or a socket. */
#include <unistd.h>

#include "host/attend.h"
#include "host/child.h"
#include "host/commands.h"
#include "host/options.h"
#include "host/say.h"

#define TTY_BAUD 115200u

int command_view(int argc, char **argv)
{
	struct options o;
	struct attend_source source = { 0 };
	int err = options_view(argc, argv, &o), signal_fd, status;

	if (err)
		return err;
	say_verbose(o.verbose);
	signal_fd = child_signals();
	if (signal_fd < 0)
		return EXIT_TOOL;
	source.line_fd = line_open(o.guest, o.baud);
	if (source.line_fd < 0)
		return EXIT_TOOL;
	source.rate = line_is_socket(o.guest) ? o.baud / 10 : 0;
	if (!line_is_socket(o.guest)) {
		source.baud = o.baud ? o.baud : TTY_BAUD;
		source.bauds = line_bauds(source.line_fd, source.baud, o.max_baud);
	}
	source.window_rate = line_is_socket(o.guest) ? source.rate : (o.baud ? o.baud : TTY_BAUD) / 10;
	status = attend(&o, &source, signal_fd);
	child_cleanup();
	close(signal_fd);
	return status;
}
