#include "vmm/hotplug.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mm/frames.h"
#include "vmm/control.h"
#include "vmm/line.h"
#include "vmm/log.h"
#include "vmm/vm.h"

#define GRACE_S 10u
#define NS_PER_S 1000000000ull
#define MIB 20u

/* What waits for the guest to let go of a head. */
static struct wish {
	struct vm *vm;
	unsigned head;
	bool waiting;
	uint16_t size[2]; /* of the card that takes the place; 0 x 0: none */
	uint32_t id;	  /* of the request */
	struct dev_timer grace;
} wishes[DISPLAY_HEADS];

static void refuse(uint32_t id, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static void refuse(uint32_t id, int err, const char *fmt, ...)
{
	char text[192];
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	control_reply(id, err, text);
}

static void done(uint32_t id, unsigned n, const char *how)
{
	char text[64];

	(void)snprintf(text, sizeof(text), "{\"head\":%u,\"guest\":\"%s\"}", n, how);
	control_reply(id, 0, text);
}

/* A guest that runs, and whose ACPI listens. */
static bool listens(struct vm *vm)
{
	return !vm->ended && !vm->vcpu->parked && acpi_pm_gpe_listened(pc_pm(vm->pc), ACPI_PCIHP_GPE);
}

/* ---- arguments */

/* "N" at *s, and what stands between it and the next word. Refuses what is none. */
static bool take_head(const char **s, uint32_t id, unsigned *n)
{
	unsigned digits = 0;

	for (*n = 0; **s >= '0' && **s <= '9' && digits < 4; (*s)++, digits++)
		*n = *n * 10 + (unsigned)(**s - '0');
	if (!digits || (**s && **s != ' ') || *n >= DISPLAY_HEADS) {
		refuse(id, -EINVAL, "expected the number of a head, 0 to %u", (unsigned)DISPLAY_HEADS - 1);
		return false;
	}
	while (**s == ' ')
		(*s)++;
	return true;
}

static bool take_size(const char *s, uint32_t id, uint16_t size[2])
{
	if (!head_parse_size(&s, size) && !*s)
		return true;
	refuse(id, -EINVAL, "expected a size like 1024x768: each side 1 to %u, at most %llu MiB of pixels",
	       (unsigned)DISPLAY_MAX_SIDE, GUEST_HEAD_MODE_MAX >> MIB);
	return false;
}

/* Head n is there (or not, as wanted), and nothing is under way with it. */
static bool check_there(struct vm *vm, uint32_t id, unsigned n, bool wanted)
{
	if (wishes[n].waiting)
		refuse(id, -EBUSY, "the guest is asked for head %u already", n);
	else if (vm->view[n].present != wanted)
		refuse(id, wanted ? -ENOENT : -EEXIST, wanted ? "there is no head %u" : "head %u is there already", n);
	else
		return true;
	return false;
}

static int no_memory(uint32_t id, unsigned n, const uint16_t size[2])
{
	refuse(id, -ENOMEM, "no memory for head %u of %ux%u: it needs %llu MiB in one piece (%zu MiB are free)", n, size[0],
	       size[1], (unsigned long long)head_vram_bytes(size[0], size[1]) >> MIB, frames_available() >> (MIB - PAGE_SHIFT));
	return -ENOMEM;
}

/* ---- what happens to cards */

static int put_in(struct vm *vm, uint32_t id, unsigned n, const uint16_t size[2])
{
	if (heads_plug(vm, n, size[0], size[1]))
		return no_memory(id, n, size);
	acpi_pcihp_plug(pc_pcihp(vm->pc), head_slot(n), true);
	log_info("head %u of %ux%u is plugged in", n, size[0], size[1]);
	return 0;
}

/* The card is out, or goes now; in its place goes what the wish wants. Answers. */
static void fulfil(struct wish *w, const char *how)
{
	struct vm *vm = w->vm;

	w->waiting = false;
	clock_set(&vm->clock, &w->grace, CLOCK_NEVER);
	line_unplug_head(w->head);
	log_info("head %u is unplugged", w->head);
	if (!w->size[0] || !put_in(vm, w->id, w->head, w->size))
		done(w->id, w->head, how);
}

static void ask(struct vm *vm, struct wish *w, uint32_t id)
{
	w->waiting = true;
	w->id = id;
	acpi_pcihp_ask(pc_pcihp(vm->pc), head_slot(w->head));
	clock_set(&vm->clock, &w->grace, clock_now(&vm->clock) + GRACE_S * NS_PER_S);
}

static void on_grace_over(void *arg)
{
	struct wish *w = arg;

	w->waiting = false;
	acpi_pcihp_unask(pc_pcihp(w->vm->pc), head_slot(w->head));
	refuse(w->id, -EBUSY, "the guest did not let go of head %u within %u s (unplug %u force: without asking it)", w->head,
	       GRACE_S, w->head);
}

void hotplug_ejected(struct vm *vm, unsigned slot)
{
	unsigned n = head_of_slot(slot);

	if (n == DISPLAY_HEADS || !vm->view[n].present)
		return;
	vm->attention = true; /* there is something to send */
	if (wishes[n].waiting) {
		fulfil(&wishes[n], "let go");
		return;
	}
	line_unplug_head(n); /* the guest's own wish, or one that came too late */
	log_info("head %u is unplugged by the guest", n);
}

void hotplug_reset(struct vm *vm)
{
	for (unsigned n = 0; n < DISPLAY_HEADS; n++)
		if (wishes[n].waiting)
			fulfil(&wishes[n], "reset");
	acpi_pcihp_reset(pc_pcihp(vm->pc)); /* new cards are found by a guest that begins */
	acpi_pm_reset(pc_pm(vm->pc));
}

void hotplug_init(struct vm *vm)
{
	for (unsigned n = 0; n < DISPLAY_HEADS; n++) {
		struct wish *w = &wishes[n];

		*w = (struct wish){ .vm = vm, .head = n, .grace = { .fire = on_grace_over, .arg = w } };
		clock_add(&vm->clock, &w->grace);
	}
}

/* ---- commands */

void hotplug_plug(struct vm *vm, uint32_t id, const char *args)
{
	uint16_t size[2];
	unsigned n;

	if (!take_head(&args, id, &n) || !take_size(args, id, size) || !check_there(vm, id, n, false))
		return;
	if (!put_in(vm, id, n, size))
		done(id, n, listens(vm) ? "told" : "does not listen");
}

void hotplug_unplug(struct vm *vm, uint32_t id, const char *args)
{
	struct wish *w;
	unsigned n;
	bool force;

	if (!take_head(&args, id, &n))
		return;
	force = !strcmp(args, "force");
	if (*args && !force) {
		refuse(id, -EINVAL, "expected nothing or \"force\" behind the head's number");
		return;
	}
	if (!check_there(vm, id, n, true))
		return;
	w = &wishes[n];
	w->size[0] = w->size[1] = 0;
	w->id = id;
	if (force || !listens(vm))
		fulfil(w, force ? "not asked" : "does not listen");
	else if (vm->paused)
		refuse(id, -EBUSY, "the guest is paused: it can't let go of head %u", n);
	else
		ask(vm, w, id);
}

/* The same card says another size: for a guest that would not notice another card. */
static void resize_in_place(struct vm *vm, uint32_t id, unsigned n, const uint16_t size[2])
{
	struct head_view *v = &vm->view[n];

	if (head_vram_bytes(size[0], size[1]) > vm->head[n].vram_bytes) {
		refuse(id, -EOPNOTSUPP,
		       "the guest does not listen, and head %u has %llu MiB of video memory, too little for %ux%u: unplug it and "
		       "plug it in",
		       n, (unsigned long long)vm->head[n].vram_bytes >> MIB, size[0], size[1]);
		return;
	}
	v->width = size[0];
	v->height = size[1];
	bochs_display_resize(&v->display, size[0], size[1]);
	done(id, n, "does not listen");
}

void hotplug_resize(struct vm *vm, uint32_t id, const char *args)
{
	uint16_t size[2];
	unsigned n;

	if (!take_head(&args, id, &n) || !take_size(args, id, size) || !check_there(vm, id, n, true))
		return;
	if (!listens(vm)) {
		resize_in_place(vm, id, n, size);
		return;
	}
	if (vm->paused) {
		refuse(id, -EBUSY, "the guest is paused: it can't let go of head %u", n);
		return;
	}
	/* The old card's memory is free by then. */
	if (frames_available() + (vm->head[n].vram_bytes >> PAGE_SHIFT) < head_vram_bytes(size[0], size[1]) >> PAGE_SHIFT) {
		(void)no_memory(id, n, size);
		return;
	}
	memcpy(wishes[n].size, size, sizeof(wishes[n].size));
	ask(vm, &wishes[n], id);
}
