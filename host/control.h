/*
 * The control socket, where `tessera ctl` and `tessera wait` find a run. One request a connection: a line "[json ]COMMAND ...\n";
 * the answer is a line "ok", "error" or "timeout", then text until the end. What the tool cannot answer itself goes to the VMM.
 */
#ifndef HOST_CONTROL_H
#define HOST_CONTROL_H

#include <stdbool.h>
#include <stdint.h>

#include "host/pollset.h"
#include "host/session.h"
#include "host/text.h"

#define CONTROL_LINE_MAX 4096

struct control;

/* What the server needs of the run. */
struct control_env {
	struct session *session;
	const struct tail *serial, *log;
	uint32_t changes[DISPLAY_HEADS]; /* counted up by the owner when a head changes */
	uint64_t changed_us;		 /* when one last did */
	void (*quit)(void *arg);
	void (*host_stats)(void *arg, struct text *json); /* adds a JSON object */
	void *arg;
};

/**
 * Opens the socket: path, or NULL for the user's default directory. Returns NULL having said why. The socket goes at control_close,
 * and at exit.
 */
struct control *control_open(const char *path, struct control_env *env);
void control_close(struct control *c);
const char *control_path(const struct control *c);

void control_prepare(struct control *c, struct pollset *p);
void control_pump(struct control *c, const struct pollset *p);

#endif
