/*
 * Attends one VMM from the first byte on its line to the end: the event loop of `run` and `view`. Everything that is shown, kept or
 * asked meets here.
 */
#ifndef HOST_ATTEND_H
#define HOST_ATTEND_H

#include <stdbool.h>
#include <stdint.h>

#include "host/control.h"
#include "host/line.h"
#include "host/machine.h"
#include "host/options.h"
#include "host/player.h"
#include "host/record.h"
#include "host/session.h"
#include "host/sink.h"
#include "host/show.h"
#include "host/text.h"

enum phase {
	PHASE_CONNECT, /* the emulator has not yet opened the line */
	PHASE_HELLO,   /* the VMM has not yet answered */
	PHASE_RUN,
	PHASE_STATS, /* it is over: the last counters and log are on their way */
	PHASE_QUIT,  /* the VMM was told to leave */
	PHASE_OVER
};

struct attend {
	const struct options *o;
	struct machine *machine; /* NULL: `view`, `replay` */
	struct player *player;	 /* NULL: `run`, `view` */
	int signal_fd;
	struct session session;
	struct line line;
	struct show show;
	struct control *control;
	struct recorder recorder;
	struct control_env env;
	struct sink serial, log;
	struct tail serial_text, log_text, banner;
	enum phase phase;
	uint64_t start_us, phase_until_us; /* UINT64_MAX: the phase may last */
	int status;			   /* the tool's exit status, once it is known */
	bool have_end;			   /* status is the guest's or a failure's: later events do not change it */
	bool panicked;			   /* the VMM gave up, says its log */
	uint64_t restart_us;		   /* say HELLO anew then; UINT64_MAX: never */
	bool warned_taken;
	bool show_report; /* the guest went wrong: say at the end what the VMM's log tells of it */
	bool warned_silent;
	uint64_t pinged_us;
	uint64_t serial_bytes, log_bytes, shots;
	struct text vmm_stats; /* the VMM's last word */
	unsigned crashes;      /* so many that did not end the run */
	struct text parked;    /* its report on a guest that went wrong */
};

/* What is attended: one of machine, line_fd and player. */
struct attend_source {
	struct machine *machine; /* started, its emulator connects to machine->listen_fd; or NULL */
	int line_fd;		 /* an open line, or -1 */
	struct player *player;	 /* an open recording, or NULL */
	uint32_t rate;		 /* the line's limit in bytes a second that we have to keep, 0 for none */
	uint32_t window_rate;	 /* how fast the line is, 0: fast */
	uint32_t baud, bauds;	 /* a tty's rate, and of link_bauds those that it can be raised to; 0: not for us to change */
};

/** Runs a session to its end. Returns the exit status of the tool. Everything but the machine and the player is closed. */
int attend(const struct options *o, const struct attend_source *source, int signal_fd);

/* ---- attend_session.c: what the session tells, and the ways to the end. For the files of attend. */

extern const struct session_ops attend_session_ops; /* with a struct attend */

/** From now on it is this phase, for limit_us at most (UINT64_MAX: for as long as it takes). */
void attend_set_phase(struct attend *a, enum phase phase, uint64_t limit_us);

/**
 * The guest ended, or time is up: the status is settled. The VMM's counters come as an answer on the control stream, so all that it
 * had to say before, above all its report, is here when they are.
 */
void attend_finish(struct attend *a, int status);

/** Tells the VMM to leave, or takes leave of it. */
void attend_leave(struct attend *a);

/** Something is broken: nothing more is to be had from the VMM. Says what is known. */
void attend_fail(struct attend *a);

/* ---- attend_report.c */

/** Says what went wrong, with all that is known: the banner, the emulator's and Bochs' logs. */
void attend_report(const struct attend *a);

/** Says what the VMM's log tells of a guest that went wrong: its first lines marked as errors. Not where -v showed them. */
void attend_guest_report(const struct attend *a);

/** Our own counters as a JSON object. */
void attend_host_stats(const struct attend *a, struct text *json);

/** Writes the --stats file. */
void attend_write_stats(const struct attend *a);

/** The exit status for how a guest ended. */
int attend_exit_status(unsigned how, uint32_t value, bool qemu_exit);

#endif
