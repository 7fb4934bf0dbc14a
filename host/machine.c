#define _GNU_SOURCE
#include "host/machine.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libgen.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/kvm.h"
#include "host/paths.h"
#include "host/say.h"
#include "host/text.h"

#define VMM_MIB 160 /* beside the guest's memory: the VMM itself, and 64 MiB for pictures */
#define PICTURES (64ull << 20)
#define OUTPUT_LINES 12

static const struct machine_kind *const kinds[] = { &machine_qemu, &machine_kvm, &machine_bochs, &machine_bochs_svm };

static const struct machine_kind *pick(const char *name)
{
	char why[256];

	if (strcmp(name, "auto") == 0)
		return kvm_nests(why, sizeof(why)) ? &machine_kvm : &machine_qemu;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
		if (strcmp(kinds[i]->name, name) == 0)
			return kinds[i];
	return &machine_qemu;
}

/* A head's VRAM, which holds two pictures, what was last sent, and the state of its codec. */
static uint64_t head_bytes(unsigned width, unsigned height)
{
	uint64_t picture = 4ull * width * height, vram = 4u << 20;

	while (vram < 2 * picture)
		vram *= 2;
	return vram + picture + (4u << 20);
}

/* What boot loaders put into memory beside the guest's own, and the heads' pictures. */
static unsigned memory_needed(const struct options *o)
{
	uint64_t files = 0, pictures = 0;
	struct stat st;

	for (unsigned i = 0; i < o->module_count; i++)
		if (stat(o->module[i].file, &st) == 0)
			files += (uint64_t)st.st_size;
	if (stat(o->guest_file, &st) == 0)
		files += 2 * (uint64_t)st.st_size; /* a firmware image lies in the guest's memory beyond its RAM, too */
	for (unsigned i = 0; i < o->heads.count; i++)
		pictures += head_bytes(o->heads.head[i].width, o->heads.head[i].height);
	pictures = pictures > PICTURES ? pictures - PICTURES : 0;
	return o->memory_mib + VMM_MIB + (unsigned)((files + pictures + (1 << 20) - 1) >> 20);
}

static char *vmm_command_line(const struct options *o)
{
	struct text t = { 0 };
	char heads[SPEC_HEADS_TEXT];

	spec_heads_text(&o->heads, heads);
	text_printf(&t, "wait=host paging=%s dirty=%s heads=%s memory=%u cpus=%u", o->paging, o->dirty, heads, o->memory_mib,
		    o->cpus);
	if (o->baud)
		text_printf(&t, " baud=%u", o->baud);
	if (o->baud > PC_BAUD) /* an emulated UART has the clock that it is said to have */
		text_printf(&t, " uart-clock=%u", o->baud * 16);
	if (o->encode_share)
		text_printf(&t, " share=%u", o->encode_share);
	if (o->verbose)
		text_printf(&t, " log=debug");
	for (unsigned i = 0; i < o->vmm_word_count; i++)
		text_printf(&t, " %s", o->vmm_word[i]);
	return t.s;
}

/* The file's own name with what loaders split at, or quote, made plain; a number behind it where another file has it already. */
static char *plain_name(const struct machine *m, const char *path)
{
	char *copy = xstrdup(path), *name = xstrdup(basename(copy));

	free(copy);
	for (char *p = name; *p; p++)
		if (strchr(" \t\n,'\"\\;&|<>$`=", *p))
			*p = '_';
	for (unsigned i = 0; i < m->file_count; i++) {
		if (strcmp(m->file[i].name, name) == 0) {
			char *longer = xprintf("%s.%u", name, m->file_count);

			free(name);
			return longer;
		}
	}
	return name;
}

static int stage(struct machine *m, const char *file, const char *args)
{
	struct boot_file *f = &m->file[m->file_count];
	char *to, *from = realpath(file, NULL);
	int err;

	f->name = plain_name(m, file);
	f->string = xprintf("%s%s%s", f->name, *args ? " " : "", args);
	m->file_count++;
	to = xprintf("%s/boot/%s", child_dir(), f->name);
	err = from && symlink(from, to) == 0 ? 0 : EXIT_TOOL;
	if (err)
		say("%s: %s", file, strerror(errno));
	free(from);
	free(to);
	return err;
}

static int stage_all(struct machine *m)
{
	struct text args = { 0 };
	char *dir = child_path("boot");
	int err = mkdir(dir, 0700) == 0 ? 0 : EXIT_TOOL;

	if (err)
		say("%s: %s", dir, strerror(errno));
	free(dir);
	for (int i = 0; i < m->o->guest_argc; i++)
		text_printf(&args, "%s%s", i ? " " : "", m->o->guest_argv[i]);
	if (!err)
		err = stage(m, m->o->guest_file, text_str(&args));
	for (unsigned i = 0; i < m->o->module_count && !err; i++)
		err = stage(m, m->o->module[i].file, m->o->module[i].args);
	text_free(&args);
	return err;
}

void args_add(struct args *a, const char *fmt, ...)
{
	va_list ap;
	char *s;

	va_start(ap, fmt);
	if (vasprintf(&s, fmt, ap) < 0 || a->count + 1 >= (int)(sizeof(a->word) / sizeof(*a->word))) {
		say("too many arguments for the emulator");
		exit(EXIT_TOOL);
	}
	va_end(ap);
	a->word[a->count++] = s;
}

void args_free(struct args *a)
{
	for (int i = 0; i < a->count; i++)
		free(a->word[i]);
	*a = (struct args){ 0 };
}

int machine_spawn(struct machine *m, const struct args *a)
{
	char *cwd = child_path("boot");
	int err;

	for (int i = 0; i < a->count; i++)
		say_more("%s %s", i ? "   " : "starting", a->word[i]);
	err = child_start(&m->child, a->word, cwd, m->output);
	free(cwd);
	if (!err)
		return 0;
	say("%s: %s", m->program, strerror(-err));
	return EXIT_TOOL;
}

int machine_find(struct machine *m, const struct options *o)
{
	*m = (struct machine){ .o = o, .kind = pick(o->machine), .listen_fd = -1 };
	m->mib = memory_needed(o);
	return m->kind->find(m);
}

int machine_start(struct machine *m)
{
	if (!child_dir() || stage_all(m) != 0)
		return EXIT_TOOL;
	m->vmm_args = vmm_command_line(m->o);
	m->output = child_path("emulator.out");
	return m->kind->start(m);
}

void machine_explain(const struct machine *m)
{
	struct text out = { 0 };
	const char *from;

	if (m->child.ended)
		say("%s ended: %s", m->kind->name, child_how(&m->child));
	if (m->output && text_read_file(&out, m->output, 16 << 20) == 0 && out.len) {
		from = out.s + out.len;
		for (int lines = 0; from > out.s && lines <= OUTPUT_LINES; from--)
			lines += from[-1] == '\n';
		say_text("  | ", from, (size_t)(out.s + out.len - from));
	}
	text_free(&out);
	if (m->kind->explain)
		m->kind->explain(m);
}

void machine_stop(struct machine *m)
{
	child_kill(&m->child);
	if (m->listen_fd >= 0)
		close(m->listen_fd);
	m->listen_fd = -1;
	for (unsigned i = 0; i < m->file_count; i++) {
		free(m->file[i].name);
		free(m->file[i].string);
	}
	m->file_count = 0;
	free(m->program);
	free(m->vmm_args);
	free(m->output);
	m->program = m->vmm_args = m->output = NULL;
}

int machine_listen(const char *path, uint16_t *port)
{
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	struct sockaddr *sa = path ? (struct sockaddr *)&un : (struct sockaddr *)&in;
	socklen_t len = path ? sizeof(un) : sizeof(in);
	int fd = socket(sa->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (path && strlen(path) >= sizeof(un.sun_path)) {
		say("%s: too long for a socket's path (set TMPDIR to a shorter one)", path);
		close(fd);
		return -1;
	}
	if (path)
		strcpy(un.sun_path, path);
	if (fd < 0 || bind(fd, sa, len) != 0 || listen(fd, 1) != 0 || getsockname(fd, sa, &len) != 0) {
		say("socket for the serial line: %s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return -1;
	}
	if (!path)
		*port = ntohs(in.sin_port);
	return fd;
}
