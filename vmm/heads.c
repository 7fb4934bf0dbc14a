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

/* Twice the largest mode, so that a driver can flip between two pictures. */
static uint64_t vram_size(unsigned width, unsigned height)
{
	uint64_t bytes = VRAM_MIN;

	while (bytes < 2ull * 4 * width * height)
		bytes *= 2;
	return bytes;
}

static int make_head(struct vm *vm, unsigned i, unsigned width, unsigned height)
{
	struct head_view *w = &vm->view[i];
	struct head *h = &vm->head[i];
	uint64_t bytes = vram_size(width, height), hpa = frames_alloc(bytes >> PAGE_SHIFT, 512);

	if (!hpa)
		return -ENOMEM;
	*h = (struct head){ .index = i, .gpa = HEAD_NOWHERE, .vram_bytes = bytes, .vram = (uint8_t *)(uintptr_t)hpa };
	*w = (struct head_view){ .width = (uint16_t)width, .height = (uint16_t)height, .range = -1 };
	bochs_display_init(&w->display, h, width, height, &display_ops, vm);
	return pci_add(pc_pci(vm->pc), FIRST_SLOT + i, &w->display.pci);
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
	for (int i = 0; i < n; i++) {
		e = make_head(vm, (unsigned)i, sizes[i][0], sizes[i][1]);
		if (e) {
			snprintf(why, why_len, "no memory for head %d of %ux%u (%zu MiB are free)", i, sizes[i][0], sizes[i][1],
				 frames_available() >> 8);
			return e;
		}
		vm->head_count++;
	}
	return 0;
}

void heads_reset(struct vm *vm)
{
	struct pci *pci = pc_pci(vm->pc);

	for (unsigned i = 0; i < vm->head_count; i++) {
		struct head_view *w = &vm->view[i];

		memset(vm->head[i].vram, 0, vm->head[i].vram_bytes);
		bochs_display_reset(&w->display, w->width, w->height);
		pci_assign(pci, FIRST_SLOT + i, 0, (uint32_t)(GUEST_HEAD_BASE + i * GUEST_HEAD_STRIDE));
		pci_assign(pci, FIRST_SLOT + i, 2, (uint32_t)(GUEST_HEAD_REGS + i * PAGE_SIZE));
		pci_config_write(pci, FIRST_SLOT + i, PCI_COMMAND, 2, PCI_COMMAND_MEMORY);
	}
}

/* ---- following them */

/* The tracker's range becomes the visible bytes, where the guest can write to them at all. */
static int follow_range(struct vm *vm, unsigned i)
{
	struct head_view *w = &vm->view[i];
	const struct head *h = &vm->head[i];
	uint64_t bytes = head_visible(h);

	if (h->gpa == HEAD_NOWHERE || !bytes) {
		drop_range(vm, w);
		return 0;
	}
	if (w->range >= 0)
		return dirty_range_move(&vm->dirty, w->range, h->gpa + h->start, bytes);
	w->range = dirty_range_add(&vm->dirty, h->gpa + h->start, bytes);
	return w->range < 0 ? w->range : 0;
}

/* Room for the stream's copy of a picture; what is there is kept where it is enough. */
static int make_room(uint64_t *at, size_t *frames, size_t bytes)
{
	size_t need = (bytes + PAGE_MASK) >> PAGE_SHIFT;
	uint64_t fresh;

	if (need <= *frames)
		return 0;
	fresh = frames_alloc(need, 1);
	if (!fresh)
		return -ENOMEM;
	if (*frames)
		frames_free(*at, *frames);
	*at = fresh;
	*frames = need;
	return 0;
}

static int new_mode(struct head_view *w, unsigned i, struct display_tx *tx, const struct scanout *so)
{
	static const struct scanout off;
	size_t tiles = (size_t)((so->width + TILE - 1u) / TILE) * ((so->height + TILE - 1u) / TILE);
	int e;

	/* Off first: the room may move. */
	(void)dtx_mode(tx, i, &off, NULL, 0, NULL, 0);
	if (!so->width)
		return 0;
	e = make_room(&w->sent, &w->sent_frames, (size_t)so->width * so->height * 4);
	if (!e)
		e = make_room(&w->flags, &w->flags_frames, tiles);
	return e ? e
		 : dtx_mode(tx, i, so, (uint32_t *)(uintptr_t)w->sent, w->sent_frames * PAGE_SIZE, (uint8_t *)(uintptr_t)w->flags,
			    w->flags_frames * PAGE_SIZE);
}

static void follow(struct vm *vm, unsigned i, struct display_tx *tx)
{
	struct head_view *w = &vm->view[i];
	struct scanout so;
	int e = follow_range(vm, i);

	w->stale = false;
	head_scanout(&vm->head[i], &so);
	if (e) /* what cannot be tracked is not shown: it would be stale */
		so = (struct scanout){ 0 };
	if (so.width && so.width == w->shown.width && so.height == w->shown.height && so.bpp == w->shown.bpp)
		e = e ? e : dtx_pan(tx, i, so.base, so.stride);
	else if (so.width || w->shown.width)
		e = new_mode(w, i, tx, &so) ? -ENOMEM : e;
	w->shown = so;
	if (e) {
		log_warn("head %u: no memory to show %ux%u", i, vm->head[i].width, vm->head[i].height);
		w->shown = (struct scanout){ 0 };
	}
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
		if (n > 0)
			head_damage(h, tx, h->start >> PAGE_SHIFT, bitmap, VM_HEAD_PAGES);
	}
}
