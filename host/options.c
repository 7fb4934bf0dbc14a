#include "host/options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "host/options_groups.h"
#include "host/paths.h"
#include "host/say.h"
#include "host/table.h"

enum {
	OPT_MACHINE = 256,
	OPT_BOOT,
	OPT_PAGING,
	OPT_DIRTY,
	OPT_HEADS,
	OPT_MEMORY,
	OPT_CPUS,
	OPT_ENCODE_SHARE,
	OPT_MODULE,
	OPT_INITRD,
	OPT_DETERMINISTIC,
	OPT_EMULATOR_ARG,
	OPT_VMM,
	OPT_SPEED,
	OPT_WAIT,
	OPT_MAX_BAUD,
};

static const struct argp_option machine_options[] = {
	{ "machine", OPT_MACHINE, "NAME", 0, "auto, qemu, bochs, bochs-svm or kvm (auto: kvm if it nests, else qemu)", 1 },
	{ "boot", OPT_BOOT, "HOW", 0, "direct (QEMU loads the VMM itself) or grub (a GRUB ISO; Bochs: always)", 1 },
	{ "paging", OPT_PAGING, "MODE", 0, "hap (EPT or NPT) or shadow", 1 },
	{ "dirty", OPT_DIRTY, "SOURCE", 0, "auto, fault, dbit or pml", 1 },
	{ "heads", OPT_HEADS, "HEADS", 0, "N, WxH,WxH,... or none (1)", 1 },
	{ "memory", OPT_MEMORY, "MIB", 0, "the guest's memory (128)", 1 },
	{ "cpus", OPT_CPUS, "N", 0, "the guest's CPUs (1)", 1 },
	{ "encode-share", OPT_ENCODE_SHARE, "PERCENT", 0, "of a busy guest's time that encoding its pictures may take (25)", 1 },
	{ "module", OPT_MODULE, "FILE[=ARGS]", 0, "a boot module; may be repeated", 1 },
	{ "initrd", OPT_INITRD, "FILE", 0, "the same, without arguments", 1 },
	{ "deterministic", OPT_DETERMINISTIC, NULL, 0, "time counts instructions", 1 },
	{ "emulator-arg", OPT_EMULATOR_ARG, "ARG", 0, "one more argument for QEMU, or line for bochsrc; may be repeated", 1 },
	{ "vmm", OPT_VMM, "WORD", 0, "one more word for the VMM's command line, as canary=yes; may be repeated", 1 },
	{ 0 }
};

static int one_of(const char *option, const char *arg, const char *const *names, const char **out)
{
	char all[128] = "";

	for (const char *const *n = names; *n; n++) {
		if (strcmp(arg, *n) == 0) {
			*out = *n;
			return 0;
		}
		strcat(strcat(all, all[0] ? ", " : ""), *n);
	}
	return options_bad(option, arg, all);
}

static int add_module(struct options *o, char *arg, bool with_args)
{
	char *eq = with_args ? strchr(arg, '=') : NULL;

	if (o->module_count == OPTIONS_MODULES) {
		say("too many modules: at most %d", OPTIONS_MODULES);
		return EINVAL;
	}
	o->module[o->module_count].file = eq ? strndup(arg, (size_t)(eq - arg)) : arg;
	o->module[o->module_count++].args = eq ? eq + 1 : "";
	return 0;
}

static int add_emulator_arg(struct options *o, const char *arg)
{
	if (o->emulator_arg_count == sizeof(o->emulator_arg) / sizeof(*o->emulator_arg))
		return options_bad("emulator-arg", arg, "fewer of them");
	o->emulator_arg[o->emulator_arg_count++] = arg;
	return 0;
}

/* Boot loaders split and quote: no character that any of them knows. */
static int add_vmm_word(struct options *o, const char *arg)
{
	if (o->vmm_word_count == sizeof(o->vmm_word) / sizeof(*o->vmm_word) || !*arg ||
	    arg[strspn(arg, "abcdefghijklmnopqrstuvwxyz0123456789=")])
		return options_bad("vmm", arg, "a word of small letters, digits and =, at most 8 of them");
	o->vmm_word[o->vmm_word_count++] = arg;
	return 0;
}

static error_t machine_parse(int key, char *arg, struct argp_state *state)
{
	static const char *const machines[] = { "auto", "qemu", "bochs", "bochs-svm", "kvm", NULL };
	static const char *const boots[] = { "direct", "grub", NULL };
	static const char *const pagings[] = { "hap", "shadow", NULL };
	static const char *const dirties[] = { "auto", "fault", "dbit", "pml", NULL };
	struct options *o = state->input;
	const char *name, *why;
	int err;

	switch (key) {
	case OPT_MACHINE: return one_of("machine", arg, machines, &o->machine);
	case OPT_BOOT:
		err = one_of("boot", arg, boots, &name);
		if (!err)
			o->boot = strcmp(name, "grub") == 0 ? BOOT_GRUB : BOOT_DIRECT;
		return err;
	case OPT_PAGING: return one_of("paging", arg, pagings, &o->paging);
	case OPT_DIRTY: return one_of("dirty", arg, dirties, &o->dirty);
	case OPT_HEADS:
		if (spec_heads(arg, &o->heads, &why) == 0)
			return 0;
		say("%s", why);
		return EINVAL;
	case OPT_MEMORY: return options_number("memory", arg, 4, 3072, &o->memory_mib);
	case OPT_CPUS: return options_number("cpus", arg, 1, 64, &o->cpus);
	case OPT_ENCODE_SHARE: return options_number("encode-share", arg, 1, 100, &o->encode_share);
	case OPT_MODULE: return add_module(o, arg, true);
	case OPT_INITRD: return add_module(o, arg, false);
	case OPT_DETERMINISTIC: o->deterministic = true; return 0;
	case OPT_VMM: return add_vmm_word(o, arg);
	case OPT_EMULATOR_ARG: return add_emulator_arg(o, arg);
	default: return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp machine_argp = { .options = machine_options, .parser = machine_parse };
static const struct argp_child run_children[] = { { &machine_argp, 0, "The machine and the guest:", 1 },
						  { &options_line_argp, 0, "The line:", 2 },
						  { &options_show_argp, 0, "What is shown, kept and asked:", 3 },
						  { 0 } };
static const struct argp_child view_children[] = { { &options_line_argp, 0, "The line:", 1 },
						   { &options_show_argp, 0, "What is shown, kept and asked:", 2 },
						   { 0 } };
static const struct argp_child replay_children[] = { { &options_show_argp, 0, NULL, 2 }, { 0 } };

/* The one argument, GUEST, DEVICE or FILE; all children get the same input. */
static error_t top_parse(int key, char *arg, struct argp_state *state, unsigned children)
{
	struct options *o = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		for (unsigned i = 0; i < children; i++)
			state->child_inputs[i] = o;
		return 0;
	case ARGP_KEY_ARG:
		if (o->guest) {
			say("unexpected argument '%s'%s", arg, children == 3 ? " (a guest's own arguments go behind --)" : "");
			return EINVAL;
		}
		o->guest = arg;
		return 0;
	default: return ARGP_ERR_UNKNOWN;
	}
}

static error_t run_parse(int key, char *arg, struct argp_state *state)
{
	return top_parse(key, arg, state, 3);
}

static const struct argp_option view_options[] = {
	{ "max-baud", OPT_MAX_BAUD, "N", 0, "raise a serial port to this speed at most, where the VMM can (4000000)", 1 },
	{ "wait", OPT_WAIT, NULL, 0, "where another host has the line, wait until it leaves", 1 },
	{ 0 },
};

static error_t view_parse(int key, char *arg, struct argp_state *state)
{
	struct options *o = state->input;

	switch (key) {
	case OPT_MAX_BAUD: return options_number("max-baud", arg, 300, 4000000, &o->max_baud);
	case OPT_WAIT: o->wait = true; return 0;
	default: return top_parse(key, arg, state, 2);
	}
}

static const struct argp_option replay_options[] = {
	{ "speed", OPT_SPEED, "X", 0, "how fast: 2 is twice as fast, max does not wait (1)", 1 },
	{ 0 },
};

static int parse_speed(struct options *o, const char *arg)
{
	char *end;

	o->speed = strtod(arg, &end);
	if (strcmp(arg, "max") == 0)
		o->speed = 0;
	else if (end == arg || *end || !(o->speed >= 1e-3) || o->speed > 1e6)
		return options_bad("speed", arg, "a number above 0, or max");
	return 0;
}

static error_t replay_parse(int key, char *arg, struct argp_state *state)
{
	return key == OPT_SPEED ? parse_speed(state->input, arg) : top_parse(key, arg, state, 1);
}

static const struct argp run_argp = {
	.parser = run_parse,
	.children = run_children,
	.args_doc = "GUEST [-- ARGS]",
	.doc = "Runs a guest under Tessera in an emulator and shows its heads.\vGUEST is a multiboot 1 kernel, a "
	       "Linux bzImage, a firmware image (whole units of 64 KiB, with a jump at its reset vector, 16 bytes from its end), "
	       "or "
	       "@NAME for one of 'tessera list'. For firmware --module FILE=NAME is a fw_cfg file (vgaroms/X, genroms/X), or "
	       "kernel, "
	       "initrd, or videorom; its video and boot ROMs come along. The exit status is the guest's: V written to port 0xf4 "
	       "gives 0 for 0, else "
	       "((V << 1) | 1) & 0xff; 0 for its power-off; 124 time-out; 126 it crashed; 125 the VMM or the tool failed; 2 wrong "
	       "usage.",
};

static const struct argp view_argp = {
	.options = view_options,
	.parser = view_parse,
	.children = view_children,
	.args_doc = "DEVICE",
	.doc = "Attaches to a machine that already runs Tessera.\vDEVICE is a serial port (/dev/ttyUSB0), unix:PATH, "
	       "tcp:HOST:PORT, or fd:N, a socket that is open already. A line has one host at a time; another is told so and ends "
	       "with "
	       "status 125.",
};

static const struct argp replay_argp = {
	.options = replay_options,
	.parser = replay_parse,
	.children = replay_children,
	.args_doc = "FILE",
	.doc = "Plays what 'tessera run --record FILE' or 'tessera view --record FILE' recorded.\vA recording that is damaged or "
	       "cut off plays "
	       "to its last good frame; the status is 125 then. Shown in a window or to a browser or viewer, the last picture "
	       "stays "
	       "until Ctrl-C or 'tessera ctl quit'.",
};

/*
 * argp's and getopt's own messages are one line each once argp's "Try ..." has nowhere to go: no error stream, and no exit. A
 * failed parser has said why itself.
 */
static error_t quiet_parse(int key, char *arg, struct argp_state *state)
{
	(void)arg;
	if (key != ARGP_KEY_INIT)
		return ARGP_ERR_UNKNOWN;
	state->err_stream = NULL;
	state->child_inputs[0] = state->input;
	return 0;
}

int options_parse(const struct argp *argp, const char *name, int argc, char **argv, void *input)
{
	const struct argp_child children[] = { { argp, 0, NULL, 0 }, { 0 } };
	const struct argp quiet = { .parser = quiet_parse, .children = children, .args_doc = argp->args_doc, .doc = argp->doc };
	char *full = xprintf("tessera %s", name), *was = argv[0];
	error_t err;

	argv[0] = full;
	err = argp_parse(&quiet, argc, argv, 0, NULL, input);
	argv[0] = was;
	free(full);
	return err ? EXIT_USAGE : 0;
}

static void set_defaults(struct options *o)
{
	*o = (struct options){
		.machine = "auto", .paging = "hap", .dirty = "auto", .memory_mib = 128, .cpus = 1, .serial = "stdio", .speed = 1, .max_baud = 4000000
	};
	strcpy(o->listen_addr, "127.0.0.1");
	o->heads.count = 1;
	o->heads.head[0].width = 1024;
	o->heads.head[0].height = 768;
}

/* Where "--" stands in argv, or argc. */
static int find_dashes(int argc, char **argv)
{
	int i = 1;

	while (i < argc && strcmp(argv[i], "--") != 0)
		i++;
	return i;
}

static int parse_run_words(int argc, char **argv, struct options *o)
{
	int dashes = find_dashes(argc, argv);
	int err = options_parse(&run_argp, "run", dashes, argv, o);

	if (dashes < argc) {
		o->guest_argc = argc - dashes - 1;
		o->guest_argv = argv + dashes + 1;
	}
	return err;
}

/* Parses again with the table's options before the user's; the user's arguments for the guest replace the table's. */
static int parse_with_table(int argc, char **argv, const struct guest_entry *e, struct options *o)
{
	int extra_count = 0, n = 0, dashes = find_dashes(argc, argv);
	char **extra = table_words(strcmp(e->options, "-") == 0 ? "" : e->options, &extra_count), **all;
	int extra_dashes = 0;

	if (!extra) {
		say("guest table: %s: a quote is not closed in its options", e->name);
		return EXIT_TOOL;
	}
	while (extra_dashes < extra_count && strcmp(extra[extra_dashes], "--") != 0)
		extra_dashes++;
	all = xalloc((size_t)(argc + extra_count + 1) * sizeof(*all));
	all[n++] = argv[0];
	for (int i = 0; i < extra_dashes; i++)
		all[n++] = extra[i];
	for (int i = 1; i < argc; i++)
		all[n++] = argv[i];
	for (int i = extra_dashes; dashes == argc && i < extra_count; i++)
		all[n++] = extra[i];
	set_defaults(o);
	o->guest_file = xprintf("%s/guest/%s", paths_share(), e->file);
	return parse_run_words(n, all, o);
}

static int resolve_name(int argc, char **argv, struct options *o)
{
	struct guest_table table;
	const struct guest_entry *e;
	const char *name = o->guest + 1;

	if (table_load(&table) < 0)
		return EXIT_TOOL;
	e = table_find(&table, name);
	if (!e) {
		say("@%s: no such guest ('tessera list' names them)", name);
		table_free(&table);
		return EXIT_USAGE;
	}
	return parse_with_table(argc, argv, e, o); /* the options may point into the table from now on */
}

int options_run(int argc, char **argv, struct options *o)
{
	int err;

	set_defaults(o);
	err = parse_run_words(argc, argv, o);
	if (err)
		return err;
	if (!o->guest) {
		say("no guest given: 'tessera run GUEST' or 'tessera run @NAME' ('tessera list' names them)");
		return EXIT_USAGE;
	}
	if (o->guest[0] == '@')
		return resolve_name(argc, argv, o);
	o->guest_file = o->guest;
	return 0;
}

int options_view(int argc, char **argv, struct options *o)
{
	int err;

	set_defaults(o);
	err = options_parse(&view_argp, "view", argc, argv, o);
	if (!err && !o->guest) {
		say("no device given: 'tessera view /dev/ttyUSB0', unix:PATH or tcp:HOST:PORT");
		err = EXIT_USAGE;
	}
	return err;
}

int options_replay(int argc, char **argv, struct options *o)
{
	int err;

	set_defaults(o);
	err = options_parse(&replay_argp, "replay", argc, argv, o);
	if (!err && !o->guest) {
		say("no recording given: 'tessera replay FILE'");
		err = EXIT_USAGE;
	}
	return err;
}

void options_help_run(void)
{
	argp_help(&run_argp, stdout, ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC, (char *)"tessera run");
}

void options_help_view(void)
{
	argp_help(&view_argp, stdout, ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC, (char *)"tessera view");
}

void options_help_replay(void)
{
	argp_help(&replay_argp, stdout, ARGP_HELP_SHORT_USAGE | ARGP_HELP_LONG | ARGP_HELP_DOC, (char *)"tessera replay");
}
