/* stdin as the guest's serial input. A terminal is set so that keys go through one by one; Ctrl-C still ends the run. */
#ifndef HOST_INPUT_H
#define HOST_INPUT_H

#include "host/pollset.h"
#include "host/session.h"

/** Begins to read stdin, unless it is no terminal in the foreground, pipe, socket or file. The terminal is restored at exit. */
void input_start(void);
void input_stop(void);
void input_prepare(const struct session *s, struct pollset *p);
void input_pump(struct session *s, const struct pollset *p);

#endif
