/*
 * The guest's display heads: each one's PCI function, VRAM in guest memory, range in the tracker, and picture in the stream. The
 * guest may change modes, pan and move VRAM at any time; here the four follow one another. Head 0 is a VGA too: while no mode is
 * set in its own registers, the VGA's text is its picture, drawn from the tracked 32 KiB at b8000.
 *
 * A change of mode is noted at once and carried out at the next heads_refresh, so a guest cannot make more of it than one a frame.
 * VRAM itself comes and goes at once. A new place or mode is all dirty, so nothing that was written meanwhile is missed.
 */
#ifndef VMM_HEADS_H
#define VMM_HEADS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/bochs_display.h"
#include "stream/display.h"

struct vm;

/* A head as the stream and the tracker see it. */
struct head_view {
	bool present; /* there is a card in its slot; else all the rest is empty */
	struct bochs_display display;
	uint16_t width, height; /* that it was plugged with: the EDID's, and the boot mode's */
	int range;		/* in the tracker, of the visible bytes; negative: none */
	bool stale;		/* the head's mode or place is not what is shown */
	struct scanout shown;
	bool text;     /* a VGA text mode is shown: head 0 alone has one */
	bool redraw;   /* its registers changed */
	uint64_t room; /* the stream's memory for it */
	size_t room_frames;
};

/**
 * Makes the heads of a heads= option on the PC's PCI bus, VRAM and all. Returns 0, or a negative errno with a sentence in why.
 */
int heads_make(struct vm *vm, const char *spec, char *why, size_t why_len);

/** The slot of a head's card, and the head of a slot (DISPLAY_HEADS: none). */
unsigned head_slot(unsigned n);
unsigned head_of_slot(unsigned slot);

/** Bytes of VRAM that a head of this size gets. */
uint64_t head_vram_bytes(unsigned width, unsigned height);

/**
 * Puts a card for head n into its slot, off and without addresses, as no firmware has seen it. The size is one that head_size_ok takes.
 * Returns 0; -EEXIST: there is one; -ENOMEM: no memory for its VRAM; -ENOSPC: the bus is full.
 */
int heads_plug(struct vm *vm, unsigned n, unsigned width, unsigned height);

/** Takes head n's card out, at once; its memory, its place in guest memory, its picture at the far end are gone then. */
void heads_unplug(struct vm *vm, unsigned n, struct display_tx *tx);

/** The first head that is there, or NULL. */
const struct head *heads_first(const struct vm *vm);

/** Power-on: black VRAM, nowhere; no mode is set. After pc_reset. */
void heads_reset(struct vm *vm);

/** What firmware would have done: VRAM at its usual places, every head on in its preferred mode; with text, head 0 in the VGA's. */
void heads_boot(struct vm *vm, bool text);

/** Brings stream and tracker to what the heads are now, and turns what was written since the last call into damage. */
void heads_refresh(struct vm *vm, struct display_tx *tx);

#endif
