#include "vmm/heads.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mm/frames.h"
#include "vmm/log.h"
#include "vmm/vm.h"

#define FIRST_SLOT 2u
#define VRAM_MIN (4u << 20)

static uint64_t bitmap[VM_HEAD_PAGES / 64];

/* ---- VRAM in guest memory */

static void drop_range(struct vm *vm, struct head_view *w)
{
	if (w->range >= 0)
		(void)dirty_range_remove(&vm->dirty, w->range);
	w->range = -1;
}

static int vram_put(struct vm *vm, struct head *h, uint64_t base)
{
	int e = base + h->vram_bytes > GUEST_PCI_END ? -EINVAL
						     : vm_memory_add(vm, base, h->vram_bytes, (uint64_t)(uintptr_t)h->vram);

	if (!e)
		h->gpa = base;
	if (e == -ENOMEM)
		log_warn("head %u: no memory to map its VRAM at 0x%llx", h->index, (unsigned long long)base);
	return e;
}

static int on_place(void *arg, struct bochs_display *d, uint64_t base)
{
	struct vm *vm = arg;
	struct head *h = d->head;

	vm->view[h->index].stale = true;
	if (h->gpa != HEAD_NOWHERE) {
		drop_range(vm, &vm->view[h->index]);
		vm_memory_remove(vm, h->gpa);
		h->gpa = HEAD_NOWHERE;
	}
	return base == PCI_NOWHERE ? 0 : vram_put(vm, h, base);
}

static void on_changed(void *arg, struct bochs_display *d)
{
	struct vm *vm = arg;

	vm->view[d->head->index].stale = true;
}

static const struct bochs_display_ops display_ops = { .changed = on_changed, .place = on_place };

/* ---- making them */

unsigned head_slot(unsigned n)
{
	return FIRST_SLOT + n;
}

unsigned head_of_slot(unsigned slot)
{
	return slot >= FIRST_SLOT && slot < FIRST_SLOT + DISPLAY_HEADS ? slot - FIRST_SLOT : DISPLAY_HEADS;
}

/* Twice the largest mode, so that a driver can flip between two pictures. */
uint64_t head_vram_bytes(unsigned width, unsigned height)
{
	uint64_t bytes = VRAM_MIN;

	while (bytes < 2ull * 4 * width * height)
		bytes *= 2;
	return bytes;
}

/* Heads are numbered up to head_count; not all of those need be there. */
static void count_heads(struct vm *vm)
{
	unsigned n = DISPLAY_HEADS;

	while (n && !vm->view[n - 1].present)
		n--;
	vm->head_count = n;
}

/* The VGA that head 0 is. Its picture is made once, whatever card shows it. */
static int add_vga(struct vm *vm)
{
	uint64_t picture = (uint64_t)(uintptr_t)vm->text.picture;

	if (!picture)
		picture = frames_alloc((VGA_TEXT_BYTES + PAGE_MASK) >> PAGE_SHIFT, 1);
	vm->text.picture = (uint8_t *)(uintptr_t)picture;
	if (!picture)
		return -ENOMEM;
	if (bus_add(&vm->bus, BUS_PIO, VGA_PORT, VGA_PORTS, &vga_ops, &vm->view[0].display.vga))
		return -ENOSPC;
	if (!bus_add(&vm->bus, BUS_PIO, BOCHS_DISPLAY_PORT, BOCHS_DISPLAY_PORTS, &bochs_display_port_ops, &vm->view[0].display))
		return 0;
	(void)bus_remove(&vm->bus, BUS_PIO, VGA_PORT);
	return -ENOSPC;
}

static void remove_vga(struct vm *vm)
{
	(void)bus_remove(&vm->bus, BUS_PIO, VGA_PORT);
	(void)bus_remove(&vm->bus, BUS_PIO, BOCHS_DISPLAY_PORT);
}

int heads_plug(struct vm *vm, unsigned n, unsigned width, unsigned height)
{
	struct head_view *w = &vm->view[n];
	struct head *h = &vm->head[n];
	uint64_t bytes = head_vram_bytes(width, height), hpa;
	int e;

	if (w->present)
		return -EEXIST;
	hpa = frames_alloc(bytes >> PAGE_SHIFT, LARGE_PAGE_SIZE >> PAGE_SHIFT);
	if (!hpa)
		return -ENOMEM;
	*h = (struct head){ .index = n, .gpa = HEAD_NOWHERE, .vram_bytes = bytes, .vram = (uint8_t *)(uintptr_t)hpa };
	*w = (struct head_view){ .width = (uint16_t)width, .height = (uint16_t)height, .range = -1 };
	bochs_display_init(&w->display, h, width, height, &vm->clock, &display_ops, vm);
	bochs_display_reset(&w->display, 0, 0);
	if (!n && vm->video_rom.len)
		bochs_display_set_rom(&w->display, vm->video_rom.data, (uint32_t)vm->video_rom.len);
	e = pci_add(pc_pci(vm->pc), head_slot(n), &w->display.pci);
	if (!e && !n) {
		e = add_vga(vm);
		if (e)
			pci_remove(pc_pci(vm->pc), head_slot(n));
	}
	if (e) {
		frames_free(hpa, bytes >> PAGE_SHIFT);
		*h = (struct head){ .gpa = HEAD_NOWHERE };
		*w = (struct head_view){ .range = -1 };
		return e;
	}
	w->present = true;
	count_heads(vm);
	return 0;
}

void heads_unplug(struct vm *vm, unsigned n, struct display_tx *tx)
{
	static const struct scanout off;
	struct head_view *w = &vm->view[n];
	struct head *h = &vm->head[n];

	if (!w->present)
		return;
	(void)dtx_mode(tx, n, &off, NULL, 0);
	if (!n)
		remove_vga(vm);
	pci_remove(pc_pci(vm->pc), head_slot(n)); /* and through on_place, its memory */
	drop_range(vm, w);			  /* of a text mode: that is elsewhere */
	acpi_pcihp_gone(pc_pcihp(vm->pc), head_slot(n));
	frames_free((uint64_t)(uintptr_t)h->vram, h->vram_bytes >> PAGE_SHIFT);
	if (w->room_frames)
		frames_free(w->room, w->room_frames);
	*h = (struct head){ .gpa = HEAD_NOWHERE };
	*w = (struct head_view){ .range = -1 };
	count_heads(vm);
}

const struct head *heads_first(const struct vm *vm)
{
	for (unsigned i = 0; i < vm->head_count; i++)
		if (vm->view[i].present)
			return &vm->head[i];
	return NULL;
}

int heads_make(struct vm *vm, const char *spec, char *why, size_t why_len)
{
	uint16_t sizes[DISPLAY_HEADS][2];
	int n = heads_parse(*spec ? spec : "1", sizes, DISPLAY_HEADS), e;

	if (n < 0) {
		snprintf(why, why_len, "heads=%s: not a number from 1 to %u, nor sizes like 1024x768,640x480, nor none", spec,
			 (unsigned)DISPLAY_HEADS);
		return n;
	}
	vm->stream_consumer = dirty_consumer_add(&vm->dirty);
	for (unsigned i = 0; i < DISPLAY_HEADS; i++)
		vm->view[i].range = -1;
	for (int i = 0; i < n; i++) {
		e = heads_plug(vm, (unsigned)i, sizes[i][0], sizes[i][1]);
		if (e) {
			snprintf(why, why_len, "no memory for head %d of %ux%u (%zu MiB are free)", i, sizes[i][0], sizes[i][1],
				 frames_available() >> 8);
			return e;
		}
		acpi_pcihp_plug(pc_pcihp(vm->pc), head_slot((unsigned)i), false);
	}
	return 0;
}

/* Head 0 as a video BIOS leaves it: mode 3, cleared. */
static void clear_text(struct vm *vm)
{
	static const uint8_t blank[2] = { ' ', 0x07 };

	bochs_display_disable(&vm->view[0].display);
	for (unsigned i = 0; i < VGA_TEXT_MEMORY; i += sizeof(blank))
		(void)guest_mem_write(&vm->mem, 0xb8000 + i, blank, sizeof(blank));
}

void heads_reset(struct vm *vm)
{
	for (unsigned i = 0; i < vm->head_count; i++) {
		struct head_view *w = &vm->view[i];

		if (!w->present)
			continue;
		if (vm->used)
			memset(vm->head[i].vram, 0, vm->head[i].vram_bytes);
		bochs_display_reset(&w->display, w->width, w->height);
		bochs_display_disable(&w->display);
	}
}

void heads_boot(struct vm *vm, bool text)
{
	struct pci *pci = pc_pci(vm->pc);

	for (unsigned i = 0; i < vm->head_count; i++) {
		struct head_view *w = &vm->view[i];

		if (!w->present)
			continue;
		bochs_display_reset(&w->display, w->width, w->height);
		pci_assign(pci, head_slot(i), 0, (uint32_t)(GUEST_HEAD_BASE + i * GUEST_HEAD_STRIDE));
		pci_assign(pci, head_slot(i), 2, (uint32_t)(GUEST_HEAD_REGS + i * PAGE_SIZE));
		pci_config_write(pci, head_slot(i), PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	}
	if (text && vm->head_count)
		clear_text(vm);
}

/* ---- following them */

static bool text_mode(const struct head_view *w, unsigned i, struct vga_text_mode *m)
{
	return !i && !bochs_display_graphics(&w->display) && vga_text_mode(&w->display.vga, m);
}

/* The tracker's range becomes what the picture is made of, where the guest can write to it at all. */
static int follow_range(struct vm *vm, struct head_view *w, uint64_t base, uint64_t bytes)
{
	const struct dirty_range *r = &vm->dirty.range[w->range < 0 ? 0 : w->range];

	if (base == HEAD_NOWHERE || !bytes) {
		drop_range(vm, w);
		return 0;
	}
	if (w->range >= 0)
		return r->base == base && r->len == bytes ? 0 : dirty_range_move(&vm->dirty, w->range, base, bytes);
	w->range = dirty_range_add(&vm->dirty, base, bytes);
	return w->range < 0 ? w->range : 0;
}

/* Room for the stream's copy of a picture and its codec; what is there is kept where it is enough. */
static int make_room(struct head_view *w, size_t bytes)
{
	size_t need = (bytes + PAGE_MASK) >> PAGE_SHIFT;
	uint64_t fresh;

	if (need <= w->room_frames)
		return 0;
	fresh = frames_alloc(need, 1);
	if (!fresh)
		return -ENOMEM;
	if (w->room_frames)
		frames_free(w->room, w->room_frames);
	w->room = fresh;
	w->room_frames = need;
	return 0;
}

static int new_mode(struct head_view *w, unsigned i, struct display_tx *tx, const struct scanout *so)
{
	static const struct scanout off;
	int e;

	/* Off first: the room may move. */
	(void)dtx_mode(tx, i, &off, NULL, 0);
	if (!so->width)
		return 0;
	e = make_room(w, dtx_room(so->width, so->height));
	return e ? e : dtx_mode(tx, i, so, (void *)(uintptr_t)w->room, w->room_frames * PAGE_SIZE);
}

/* Where head i's picture is made of and what it is; a head that is off has none. */
static void look(struct vm *vm, unsigned i, struct scanout *so, uint64_t *base, uint64_t *bytes)
{
	const struct head *h = &vm->head[i];
	struct vga_text_mode m;

	vm->view[i].text = vm->view[i].redraw = text_mode(&vm->view[i], i, &m);
	if (vm->view[i].text) {
		vga_text_scanout(&vm->text, &m, h->palette, so);
		*base = m.base;
		*bytes = VGA_TEXT_MEMORY;
		return;
	}
	head_scanout(h, so);
	*base = h->gpa == HEAD_NOWHERE ? HEAD_NOWHERE : h->gpa + h->start;
	*bytes = head_visible(h);
}

static void follow(struct vm *vm, unsigned i, struct display_tx *tx)
{
	struct head_view *w = &vm->view[i];
	uint64_t base, bytes;
	struct scanout so;
	int e;

	w->stale = false;
	look(vm, i, &so, &base, &bytes);
	e = follow_range(vm, w, base, bytes);
	if (e) /* what cannot be tracked is not shown: it would be stale */
		so = (struct scanout){ 0 };
	if (so.width && so.width == w->shown.width && so.height == w->shown.height)
		e = e || (w->text && so.base == w->shown.base) ? e : dtx_pan(tx, i, &so);
	else if (so.width || w->shown.width)
		e = new_mode(w, i, tx, &so) ? -ENOMEM : e;
	w->shown = so;
	if (e) {
		log_warn("head %u: no memory to show %ux%u", i, so.width, so.height);
		w->shown = (struct scanout){ 0 };
	}
}

/* Another colour of the palette shows in cells that need not be drawn again: the stream looks at all. */
static void refresh_text(struct vm *vm, struct display_tx *tx)
{
	const struct mem_slot *s;
	struct head_view *w = &vm->view[0];
	struct vga_text_mode m;

	if (!text_mode(w, 0, &m))
		return;
	s = guest_mem_slot(&vm->mem, m.base);
	if (w->redraw && memcmp(vm->text_palette, vm->head[0].palette, sizeof(vm->text_palette))) {
		memcpy(vm->text_palette, vm->head[0].palette, sizeof(vm->text_palette));
		(void)dtx_pan(tx, 0, &w->shown);
	}
	w->redraw = false;
	vga_text_draw(&vm->text, &m, (const uint8_t *)(uintptr_t)s->hpa + (m.base - s->gpa), tx, 0);
}

void heads_refresh(struct vm *vm, struct display_tx *tx)
{
	for (unsigned i = 0; i < vm->head_count; i++) {
		const struct head *h = &vm->head[i];
		long n;

		if (vm->view[i].stale)
			follow(vm, i, tx);
		if (vm->view[i].range < 0)
			continue;
		n = dirty_query(&vm->dirty, vm->stream_consumer, vm->view[i].range, bitmap, VM_HEAD_PAGES / 64);
		if (vm->view[i].text && (n > 0 || vm->view[i].redraw))
			refresh_text(vm, tx);
		else if (n > 0 && !vm->view[i].text)
			head_damage(h, tx, h->start >> PAGE_SHIFT, bitmap, VM_HEAD_PAGES);
	}
}
