#include "vmm/control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mm/frames.h"
#include "mm/shadow.h"
#include "stream/proto.h"
#include "vmm/hotplug.h"
#include "vmm/hw/hw.h"
#include "vmm/line.h"
#include "vmm/log.h"
#include "vmm/report.h"
#include "vmm/vm.h"
#include "vmm/wall.h"

static void put32(uint8_t *p, uint32_t x)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(x >> 8 * i);
}

void control_reply(uint32_t id, int result, const char *text)
{
	static uint8_t body[PROTO_MAX - 1];
	size_t n = strnlen(text, sizeof(body) - 8);

	put32(body, id);
	put32(body + 4, (uint32_t)result);
	memcpy(body + 8, text, n);
	line_message(MSG_REPLY, body, 8 + n);
}

/* Adds to a JSON text of bounded size; what does not fit is left out and the text says so by its length. */
struct text {
	char buf[PROTO_MAX - 16];
	size_t len;
};

static void add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->len, sizeof(t->buf) - t->len, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->len = t->len + (size_t)n < sizeof(t->buf) ? t->len + (size_t)n : sizeof(t->buf) - 1;
}

static void stats(struct vm *vm, uint32_t id)
{
	static struct text t;
	const struct vcpu *v = vm->vcpu;
	uint64_t accesses, flushes;

	t.len = 0;
	add(&t, "{\"vendor\":\"%s\",\"guest_ns\":%llu,\"exits\":{", v->ops->name, (unsigned long long)(time_ns() - vm->start_ns));
	for (unsigned i = 0; i < EXIT_KINDS; i++)
		if (v->exits[i])
			add(&t, "\"%s\":%llu,", exit_name((enum exit_kind)i), (unsigned long long)v->exits[i]);
	v->ops->counters(vm->vcpu, &accesses, &flushes);
	add(&t, "\"total\":%llu},\"vmcs_accesses\":%llu,\"tlb_flushes\":%llu,", (unsigned long long)vcpu_exits(v),
	    (unsigned long long)accesses, (unsigned long long)flushes);
	add(&t, "\"dirty_source\":\"%s\",\"dirty_scans\":%llu,\"dirty_switches\":%llu,", vm->dirty.source->name,
	    (unsigned long long)vm->dirty.scans, (unsigned long long)vm->dirty.switches);
	add(&t, "\"dirty_faults\":%llu,\"dirty_queries\":%llu,\"dirty_pages\":%llu,\"vmm_writes\":%llu,\"bus_unclaimed\":%llu,",
	    (unsigned long long)vm->dirty.faults, (unsigned long long)vm->dirty.queries, (unsigned long long)vm->dirty.reported,
	    (unsigned long long)vm->dirty.marks, (unsigned long long)vm->bus.unclaimed);
	if (vm->mem.shadow) {
		const struct shadow_counts *c = shadow_counters(vm->mem.shadow);

		add(&t,
		    "\"shadow\":{\"faults\":%llu,\"made\":%llu,\"recycled\":%llu,\"unsyncs\":%llu,\"syncs\":%llu,\"roots\":%llu},",
		    (unsigned long long)c->faults, (unsigned long long)c->made, (unsigned long long)c->recycled,
		    (unsigned long long)c->unsyncs, (unsigned long long)c->syncs, (unsigned long long)c->roots);
	}
	add(&t, "\"slat_tables\":%zu,\"frames_free\":%zu,\"frames_total\":%zu,", vm->slat.tables, frames_available(),
	    frames_total());
	add(&t, "\"wall\":");
	t.len += wall_stats(t.buf + t.len, sizeof(t.buf) - t.len);
	add(&t, ",");
	t.len += line_stats(t.buf + t.len, sizeof(t.buf) - t.len);
	if (t.len > sizeof(t.buf) - 2)
		t.len = sizeof(t.buf) - 2;
	add(&t, "}");
	control_reply(id, 0, t.buf);
}

static void audit(struct vm *vm, uint32_t id)
{
	char text[512];

	wall_check(vm, true);
	text[wall_stats(text, sizeof(text))] = 0;
	control_reply(id, 0, text);
}

static void pause(struct vm *vm, uint32_t id)
{
	vm->paused = true;
	control_reply(id, 0, "{}");
}

static void resume(struct vm *vm, uint32_t id)
{
	vm->paused = false;
	control_reply(id, 0, "{}");
}

static void reset(struct vm *vm, uint32_t id)
{
	vm->reset_wanted = true;
	control_reply(id, 0, "{}");
}

static void nmi(struct vm *vm, uint32_t id)
{
	if (vm->vcpu->parked) {
		control_reply(id, -EINVAL, "the guest is parked: reset it first");
		return;
	}
	vm->vcpu->nmi_pending = true;
	control_reply(id, 0, "{}");
}

static void power_button(struct vm *vm, uint32_t id)
{
	if (!acpi_pm_button_listened(pc_pm(vm->pc))) {
		control_reply(id, -EOPNOTSUPP, "the guest does not listen to its power button");
		return;
	}
	acpi_pm_power_button(pc_pm(vm->pc));
	control_reply(id, 0, "{}");
}

static void quit(struct vm *vm, uint32_t id)
{
	vm->quit = true;
	control_reply(id, 0, "{}");
}

static void registers(struct vm *vm, uint32_t id)
{
	static struct text t;
	struct vcpu *v = vm->vcpu;

	vcpu_need(v, VG_ALL);
	t.len = 0;
	add(&t,
	    "{\"rip\":\"0x%llx\",\"rflags\":\"0x%llx\",\"cr0\":\"0x%llx\",\"cr3\":\"0x%llx\",\"cr4\":\"0x%llx\",\"efer\":\"0x%"
	    "llx\",\"gpr\":[",
	    (unsigned long long)v->rip, (unsigned long long)v->rflags, (unsigned long long)v->cr0, (unsigned long long)v->cr3,
	    (unsigned long long)v->cr4, (unsigned long long)v->efer);
	for (unsigned i = 0; i < 16; i++)
		add(&t, "%s\"0x%llx\"", i ? "," : "", (unsigned long long)v->gpr[i]);
	add(&t, "],\"halted\":%s,\"parked\":%s,\"nmi_pending\":%s,\"nmi_blocked\":%s}", v->halted ? "true" : "false",
	    v->parked ? "true" : "false", v->nmi_pending ? "true" : "false", v->nmi_blocked ? "true" : "false");
	control_reply(id, 0, t.buf);
}

#define RANGE_TEXT 160 /* the longest row, and room for what ends the array */

/* A row for one of the tracker's live ranges. id: the head's number, or the guest's own. */
static void add_range(struct text *t, struct vm *vm, int number, bool stream, unsigned id, unsigned *left_out)
{
	const struct dirty_range *r = &vm->dirty.range[number];

	if (t->len + RANGE_TEXT > sizeof(t->buf)) {
		++*left_out;
		return;
	}
	add(t, "%s{\"owner\":\"%s\",\"id\":%u,\"base\":\"0x%llx\",\"bytes\":%llu,\"pages\":%llu,\"source\":\"%s\"",
	    t->len > 1 ? "," : "", stream ? "stream" : "guest", id, (unsigned long long)r->base, (unsigned long long)r->len,
	    (unsigned long long)r->pages, vm->dirty.source->name);
	if (stream)
		add(t, ",\"dirty\":%ld", dirty_pending(&vm->dirty, vm->stream_consumer, number));
	add(t, "}");
}

static void ranges(struct vm *vm, uint32_t id)
{
	static struct text t;
	unsigned left_out = 0;

	t.len = 0;
	add(&t, "[");
	for (unsigned i = 0; i < vm->head_count; i++)
		if (vm->view[i].range >= 0)
			add_range(&t, vm, vm->view[i].range, true, i, &left_out);
	for (unsigned i = 0; i < HC_DIRTY_RANGES; i++)
		if (vm->guest_dirty.range[i].live)
			add_range(&t, vm, vm->guest_dirty.range[i].number, false, i, &left_out);
	if (left_out)
		add(&t, ",{\"left_out\":%u}", left_out);
	add(&t, "]");
	control_reply(id, 0, t.buf);
}

static const struct {
	const char *name;
	void (*run)(struct vm *vm, uint32_t id);
	void (*run_with)(struct vm *vm, uint32_t id, const char *args); /* instead, for those that take arguments */
} commands[] = {
	{ .name = "stats", .run = stats },
	{ .name = "audit", .run = audit },
	{ .name = "pause", .run = pause },
	{ .name = "resume", .run = resume },
	{ .name = "reset", .run = reset },
	{ .name = "nmi", .run = nmi },
	{ .name = "power-button", .run = power_button },
	{ .name = "quit", .run = quit },
	{ .name = "registers", .run = registers },
	{ .name = "ranges", .run = ranges },
	{ .name = "plug", .run_with = hotplug_plug },
	{ .name = "unplug", .run_with = hotplug_unplug },
	{ .name = "resize", .run_with = hotplug_resize },
};

static void request(struct vm *vm, const uint8_t *body, size_t len)
{
	char name[64] = { 0 }, *args;
	uint32_t id;

	if (len < 5)
		return;
	memcpy(&id, body, 4);
	memcpy(name, body + 4, len - 4 < sizeof(name) - 1 ? len - 4 : sizeof(name) - 1);
	args = strchr(name, ' ');
	if (args)
		*args++ = 0;
	else
		args = name + strlen(name);
	if (!vm || (!vm->vcpu->ops && strcmp(name, "quit"))) {
		control_reply(id, -ENOENT, "there is no guest");
		return;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(name, commands[i].name)) {
			if (commands[i].run_with)
				commands[i].run_with(vm, id, args);
			else if (*args)
				control_reply(id, -EINVAL, "this command takes no arguments");
			else
				commands[i].run(vm, id);
			vm->attention = true;
			return;
		}
	control_reply(id, -ENOSYS, "this VMM does not know that command");
}

void control_message(void *arg, uint8_t type, const uint8_t *body, size_t len)
{
	if (type == MSG_REQUEST)
		request(arg, body, len);
}

void control_announce_end(struct vm *vm)
{
	uint8_t body[5] = { (uint8_t)vm->how };

	put32(body + 1, vm->value);
	line_message(MSG_EXIT, body, sizeof(body));
}
