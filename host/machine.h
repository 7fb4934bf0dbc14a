/* Where the VMM boots: an emulator, started with the VMM, the guest and its modules, whose COM1 is connected to us. */
#ifndef HOST_MACHINE_H
#define HOST_MACHINE_H

#include <stdbool.h>
#include <stdint.h>

#include "host/child.h"
#include "host/options.h"

#define PC_BAUD 115200u /* what a PC's UART does at most */

/* A file that the boot loader loads for the VMM: the guest, then its modules. Linked as boot/NAME in the run's directory. */
struct boot_file {
	char *name;   /* harmless to all loaders, and the only one of its name */
	char *string; /* NAME and arguments: what the guest sees */
};

/* One run of a machine. */
struct machine {
	const struct machine_kind *kind;
	const struct options *o;
	const char *accel; /* qemu: "tcg" or "kvm" */
	char *program;	   /* the emulator's path */
	char *vmm_args;	   /* the VMM's command line without the image's name */
	unsigned mib;	   /* the machine's memory */
	int listen_fd;	   /* the emulator connects here */
	uint16_t port;	   /* bochs: its number */
	unsigned file_count;
	struct boot_file file[1 + OPTIONS_MODULES];
	struct child child;
	char *output; /* file with what the emulator printed */
};

struct machine_kind {
	const char *name;
	bool by_iso;	    /* boots from the GRUB ISO only */
	uint32_t line_rate; /* bytes a second of its line by itself, 0: no limit */
	unsigned hello_sec; /* how long the VMM may take to say WELCOME, on a CPU of its own */
	/* Says why this machine cannot be had and returns EXIT_TOOL, or 0 having set program and accel. */
	int (*find)(struct machine *m);
	/* Starts it. Returns 0 or EXIT_TOOL having said why. */
	int (*start)(struct machine *m);
	/* After it failed: says what its logs tell. May be NULL. */
	void (*explain)(const struct machine *m);
};

extern const struct machine_kind machine_qemu, machine_kvm, machine_bochs, machine_bochs_svm;

/** Finds the machine that o->machine names, or for "auto" the best one there is. Returns 0 or EXIT_TOOL having said why. */
int machine_find(struct machine *m, const struct options *o);

/** Starts it; m->listen_fd is where it connects. Returns 0 or EXIT_TOOL having said why. */
int machine_start(struct machine *m);

/** Says how the emulator ended and the last lines that it printed. */
void machine_explain(const struct machine *m);

/** Ends it and closes what it holds. */
void machine_stop(struct machine *m);

/* For the kinds. */

/* An argument list that grows. */
struct args {
	char *word[96];
	int count;
};

void args_add(struct args *a, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void args_free(struct args *a);

/** Starts the emulator with these arguments, in the run's boot/ directory. Returns 0 or EXIT_TOOL having said why. */
int machine_spawn(struct machine *m, const struct args *a);

/** Makes the GRUB ISO of this run. Returns its path (a new string), or NULL having said why. */
char *machine_iso(const struct machine *m);

/** GRUB's tool and its files for BIOS machines: paths (new strings), or NULL where they are not installed. */
char *iso_mkrescue(void);
char *iso_platform(void);

/** A unix socket (path) or a TCP socket on loopback (path NULL, *port is set) to listen on. Returns it, or -1 having said why. */
int machine_listen(const char *path, uint16_t *port);

#endif
