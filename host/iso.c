/* The GRUB ISO of one run: the VMM, its command line, the guest and its modules. Made like boot/mkiso.sh makes the default one. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/machine.h"
#include "host/paths.h"
#include "host/say.h"
#include "host/text.h"

#define MKRESCUE_LIMIT_US 120000000u
#define MODULES "multiboot multiboot2 normal configfile test iso9660 biosdisk"

/* GRUB's script: a word in single quotes is taken as it is; a quote in it must stand outside of them. */
static void add_quoted(struct text *t, const char *s, size_t len)
{
	text_add(t, "'", 1);
	for (size_t i = 0; i < len; i++) {
		if (s[i] == '\'')
			text_add(t, "'\\''", 4);
		else
			text_add(t, s + i, 1);
	}
	text_add(t, "'", 1);
}

/* Each word by itself: GRUB joins them with a blank again, and would put quotes around one that has blanks inside. */
static void add_words(struct text *t, const char *s)
{
	while (*s) {
		size_t n = strcspn(s, " \n");

		if (n) {
			text_add(t, " ", 1);
			add_quoted(t, s, n);
		}
		s += n + (s[n] != 0);
	}
}

static char *config(const struct machine *m)
{
	struct text t = { 0 };

	text_printf(&t, "set timeout=0\nset default=0\nmenuentry Tessera {\n\tmultiboot2 /boot/tessera.elf");
	add_words(&t, m->vmm_args);
	for (unsigned i = 0; i < m->file_count; i++) {
		text_printf(&t, "\n\tmodule2 '/guest/%s'", m->file[i].name);
		add_words(&t, m->file[i].string);
	}
	text_printf(&t, "\n\tboot\n}\n");
	return t.s;
}

static int write_file(const char *path, const char *s)
{
	FILE *f = fopen(path, "we");
	int bad = !f || fputs(s, f) < 0;

	if ((!f || fclose(f) == 0) && !bad)
		return 0;
	say("%s: %s", path, strerror(errno));
	return EXIT_TOOL;
}

static int copy_file(const char *from, const char *to)
{
	int in = open(from, O_RDONLY | O_CLOEXEC), out = -1, err = 0;
	ssize_t n;

	if (in >= 0)
		out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (out < 0)
		err = errno;
	while (!err && (n = sendfile(out, in, NULL, 1 << 30)) != 0)
		if (n < 0 && errno != EINTR)
			err = errno;
	if (in >= 0)
		close(in);
	if (out >= 0 && close(out) != 0 && !err)
		err = errno;
	if (!err)
		return 0;
	say("cannot copy %s to %s: %s", from, to, strerror(err));
	return EXIT_TOOL;
}

static int copy_boot_files(const struct machine *m)
{
	char *from = paths_in_share("tessera.elf"), *to = child_path("iso/boot/tessera.elf");
	int err = copy_file(from, to);

	free(from);
	free(to);
	for (unsigned i = 0; i < m->file_count && !err; i++) {
		from = xprintf("%s/boot/%s", child_dir(), m->file[i].name);
		to = xprintf("%s/iso/guest/%s", child_dir(), m->file[i].name);
		err = copy_file(from, to);
		free(from);
		free(to);
	}
	return err;
}

static int stage_tree(const struct machine *m)
{
	static const char *const dirs[] = { "iso", "iso/boot", "iso/boot/grub", "iso/guest" };
	char *path, *text;
	int err;

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++) {
		path = child_path(dirs[i]);
		err = mkdir(path, 0700) == 0 ? 0 : EXIT_TOOL;
		if (err)
			say("%s: %s", path, strerror(errno));
		free(path);
		if (err)
			return err;
	}
	path = child_path("iso/boot/grub/grub.cfg");
	text = config(m);
	err = write_file(path, text);
	free(text);
	free(path);
	return err ? err : copy_boot_files(m);
}

/*
 * For i386-pc (BIOS) only, with the few GRUB modules that a boot needs: small, and made in about a second. They are files on the
 * CD, not parts of its boot image, which GRUB would have to decompress first: that took a third of a boot in Bochs.
 */
static int run_mkrescue(char *program, char *platform, char *iso)
{
	char *tree = child_path("iso"), *output = child_path("mkrescue.out");
	char *argv[] = { program,
			 "-d",
			 platform,
			 "--install-modules=" MODULES,
			 "--locales=",
			 "--themes=",
			 "--fonts=",
			 "--compress=no",
			 "-o",
			 iso,
			 tree,
			 NULL };
	struct child child = { 0 };
	struct text said = { 0 };
	int err = child_start(&child, argv, child_dir(), output);

	if (err) {
		say("%s: %s", program, strerror(-err));
	} else {
		bool ended = child_wait(&child, MKRESCUE_LIMIT_US);

		child_kill(&child);
		if (!ended || child.status || access(iso, R_OK) != 0) {
			err = EXIT_TOOL;
			if (child_interrupted())
				say_more("grub-mkrescue was stopped");
			else
				say("grub-mkrescue %s", ended ? "failed:" : "takes too long:");
			if (!child_interrupted() && text_read_file(&said, output, 1 << 20) == 0)
				say_text("  | ", text_str(&said), said.len);
		}
	}
	text_free(&said);
	free(tree);
	free(output);
	return err ? EXIT_TOOL : 0;
}

char *iso_platform(void)
{
	static const char *const dirs[] = { "/usr/lib/grub/i386-pc", "/usr/share/grub2/i386-pc", "/usr/lib/grub2/i386-pc" };

	for (size_t i = 0; i < sizeof(dirs) / sizeof(*dirs); i++)
		if (access(dirs[i], R_OK) == 0)
			return xstrdup(dirs[i]);
	return NULL;
}

char *iso_mkrescue(void)
{
	char *program = paths_program("grub-mkrescue");

	return program ? program : paths_program("grub2-mkrescue");
}

char *machine_iso(const struct machine *m)
{
	char *program = iso_mkrescue(), *platform = iso_platform(), *xorriso = paths_program("xorriso"), *iso = NULL;

	if (!program || !platform || !xorriso) {
		say("%s is not installed: 'make deps', or install the packages grub-common, grub-pc-bin, xorriso and mtools",
		    !program	? "grub-mkrescue"
		    : !platform ? "GRUB for i386-pc"
				: "xorriso");
	} else {
		iso = child_path("run.iso");
		if (stage_tree(m) != 0 || run_mkrescue(program, platform, iso) != 0) {
			free(iso);
			iso = NULL;
		}
	}
	free(program);
	free(platform);
	free(xorriso);
	return iso;
}
