/* The machines `bochs` (VMX, EPT, VPID, PML) and `bochs-svm` (SVM, NPT with all its helps): no hardware, no KVM needed. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/machine.h"
#include "host/paths.h"
#include "host/say.h"
#include "host/text.h"

#define IPS 50000000u	 /* instructions in a simulated second: a smaller number makes the line faster against the CPU */
#define LINE_RATE 11520u /* its UART is real: 115,200 baud at most */
#define BIOS "/usr/share/bochs/BIOS-bochs-latest"
#define VGABIOS "/usr/share/bochs/VGABIOS-lgpl-latest"

static int find(struct machine *m)
{
	m->program = paths_program("bochs-bin");
	if (!m->program)
		m->program = paths_program("bochs");
	if (m->program)
		return 0;
	say("bochs is not installed: 'make deps', or install the packages bochs and bochsbios");
	return EXIT_TOOL;
}

static const char *cpu_model(const struct machine *m)
{
	return m->kind == &machine_bochs_svm ? "ryzen" : "corei7_skylake_x";
}

/*
 * Debian's Bochs has no display that shows nothing: rfb takes the first free port from 5900 on and waits for nobody. Without the
 * sound and speaker lines it dies in ALSA. sync=none makes time count instructions, so every run is deterministic but for the line.
 */
static int write_config(const struct machine *m, const char *path, const char *iso)
{
	FILE *f = fopen(path, "we");

	if (!f) {
		say("%s: %s", path, strerror(errno));
		return EXIT_TOOL;
	}
	fprintf(f,
		"plugin_ctrl: unmapped=1, serial=1, speaker=0, gameport=0, parallel=0\n"
		"display_library: rfb, options=\"timeout=0\"\n"
		"megs: %u\n"
		"cpu: model=%s, ips=%u, reset_on_triple_fault=0\n"
		"clock: sync=none, time0=1700000000\n"
		"romimage: file=" BIOS ", options=fastboot\n" /* no wait for F12 */
		"vgaromimage: file=" VGABIOS "\n"
		"ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14\n"
		"ata0-slave: type=cdrom, path=\"%s\", status=inserted\n"
		"boot: cdrom\n"
		"com1: enabled=1, mode=socket-client, dev=127.0.0.1:%u\n"
		"log: ../bochs.log\n"
		"panic: action=fatal\n"
		"sound: waveoutdrv=dummy, waveindrv=dummy, midioutdrv=dummy\n"
		"speaker: enabled=0\n",
		m->mib, cpu_model(m), IPS, iso, m->port);
	for (unsigned i = 0; i < m->o->emulator_arg_count; i++)
		fprintf(f, "%s\n", m->o->emulator_arg[i]);
	if (fclose(f) == 0)
		return 0;
	say("%s: %s", path, strerror(errno));
	return EXIT_TOOL;
}

/* Debian's build stops in its debugger at first; "c" lets it go on. */
static int write_debugger_script(const char *path)
{
	FILE *f = fopen(path, "we");
	int bad = !f || fputs("c\n", f) < 0;

	if ((!f || fclose(f) == 0) && !bad)
		return 0;
	say("%s: %s", path, strerror(errno));
	return EXIT_TOOL;
}

static int start(struct machine *m)
{
	char *iso = machine_iso(m), *config = child_path("bochsrc"), *script = child_path("bochs.rc");
	struct args a = { 0 };
	int err = iso ? 0 : EXIT_TOOL;

	if (!err) {
		m->listen_fd = machine_listen(NULL, &m->port);
		err = m->listen_fd < 0 ? EXIT_TOOL : 0;
	}
	if (!err)
		err = write_config(m, config, iso);
	if (!err)
		err = write_debugger_script(script);
	if (!err) {
		args_add(&a, "%s", m->program);
		args_add(&a, "-q");
		args_add(&a, "-f");
		args_add(&a, "%s", config);
		args_add(&a, "-rc");
		args_add(&a, "%s", script);
		err = machine_spawn(m, &a);
	}
	args_free(&a);
	free(iso);
	free(config);
	free(script);
	return err;
}

/* Bochs' log says why it gave up, and which check a VM entry failed. */
static void explain(const struct machine *m)
{
	static const char *const telling[] = { "PANIC", "VMENTER FAIL", "VMFAIL", "VMRUN", "3rd (" };
	struct text t = { 0 };
	char *path = child_path("bochs.log"), *save = NULL;
	unsigned shown = 0;

	(void)m;
	if (text_read_file(&t, path, 256 << 20) == 0 && t.len) {
		for (char *l = strtok_r(t.s, "\n", &save); l && shown < 20; l = strtok_r(NULL, "\n", &save)) {
			bool tells = false;

			for (size_t i = 0; i < sizeof(telling) / sizeof(*telling) && !tells; i++)
				tells = strstr(l, telling[i]) != NULL;
			if (tells) {
				say_text("  bochs: ", l, strlen(l));
				shown++;
			}
		}
	}
	text_free(&t);
	free(path);
}

const struct machine_kind machine_bochs = {
	.name = "bochs",
	.by_iso = true,
	.line_rate = LINE_RATE,
	.hello_sec = 90,
	.find = find,
	.start = start,
	.explain = explain,
};
const struct machine_kind machine_bochs_svm = {
	.name = "bochs-svm",
	.by_iso = true,
	.line_rate = LINE_RATE,
	.hello_sec = 90,
	.find = find,
	.start = start,
	.explain = explain,
};
