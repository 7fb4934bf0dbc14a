/* The options of `run`, `view` and `replay`. */
#ifndef HOST_OPTIONS_H
#define HOST_OPTIONS_H

#include <argp.h>
#include <stdbool.h>
#include <stdint.h>

#include "host/faults.h"
#include "host/spec.h"

#define OPTIONS_MODULES 15 /* the guest is a module of the VMM too, and the VMM reads 16 */

enum view_kind { VIEW_AUTO, VIEW_WINDOW, VIEW_WEB, VIEW_VNC, VIEW_NONE };
enum boot_kind { BOOT_DIRECT, BOOT_GRUB };
enum crash_kind { CRASH_END, CRASH_STAY, CRASH_RESET };

struct module_option {
	const char *file, *args; /* args "" where there are none */
};

struct options {
	/* the machine and the guest (run) */
	const char *machine, *paging, *dirty;
	enum boot_kind boot;
	struct head_spec heads;
	unsigned memory_mib, cpus;
	unsigned encode_share; /* percent; 0: the VMM's own */
	unsigned module_count;
	struct module_option module[OPTIONS_MODULES];
	bool deterministic;
	unsigned emulator_arg_count;
	const char *emulator_arg[32];
	unsigned vmm_word_count;
	const char *vmm_word[8]; /* for the VMM's command line */
	const char *guest;	/* as typed; `view`: the device; `replay`: the file */
	const char *guest_file; /* the path it stands for */
	int guest_argc;		/* the words after -- */
	char **guest_argv;
	/* the line and what is shown of it (run and view) */
	enum view_kind view;
	bool listen_set;
	char listen_addr[16];
	uint16_t listen_port;
	bool window_per_head;
	const char *password; /* of viewers; NULL: none */
	const char *screenshot_dir, *serial, *log_file, *stats_file, *control, *record_file;
	bool verbose, qemu_exit;
	bool wait; /* view: until another host leaves the line */
	enum crash_kind on_crash;
	uint32_t baud;	   /* 0: the machine's own */
	uint32_t max_baud; /* view: a tty is raised to this at most */
	struct fault_rates faults;
	uint64_t timeout_us; /* 0: none */
	double speed;	     /* replay: 1 as it was, 0 as fast as can be */
};

/**
 * Parses the arguments of `tessera run` (argv[0] is "run"). Says what is wrong and returns EXIT_USAGE, or 0. What `--help` prints
 * ends the program. Strings point into argv or are never freed. For an @name the table's own options come before the user's.
 */
int options_run(int argc, char **argv, struct options *o);

/** The same for `tessera view`. */
int options_view(int argc, char **argv, struct options *o);

/** The same for `tessera replay`; guest is the recording. */
int options_replay(int argc, char **argv, struct options *o);

/** Prints the help of `run`, `view` or `replay` on stdout. */
void options_help_run(void);
void options_help_view(void);
void options_help_replay(void);

/**
 * Runs argp on argv under a subcommand's name: one line for an error, no exit. Returns 0 or EXIT_USAGE.
 */
int options_parse(const struct argp *argp, const char *name, int argc, char **argv, void *input);

#endif
