/*
 * A display head as a PCI function that drivers know: QEMU's "bochs-display". BAR 0 is VRAM, BAR 2 holds registers: EDID at 0, the
 * images of VGA ports 0x3c0 to 0x3df at 0x400, the DISPI registers of the Bochs VBE extensions at 0x500, and byte order at 0x604.
 *
 * A write to any register takes effect at once on the struct head; `changed` tells the owner that its scanout is another one now.
 * Modes that do not lie in VRAM, or that are too large, show nothing. Big-endian pixels are not offered: the register reads back as
 * little.
 */
#ifndef DEVICES_BOCHS_DISPLAY_H
#define DEVICES_BOCHS_DISPLAY_H

#include <stdbool.h>
#include <stdint.h>

#include "devices/edid.h"
#include "devices/head.h"
#include "devices/pci.h"
#include "devices/vga.h"

enum dispi {
	DISPI_ID,
	DISPI_XRES,
	DISPI_YRES,
	DISPI_BPP,
	DISPI_ENABLE,
	DISPI_BANK,
	DISPI_VIRT_WIDTH,
	DISPI_VIRT_HEIGHT,
	DISPI_X_OFFSET,
	DISPI_Y_OFFSET,
	DISPI_VIDEO_MEMORY_64K,
	DISPI_COUNT
};

struct bochs_display;

#define BOCHS_DISPLAY_PORT 0x1ceu
#define BOCHS_DISPLAY_PORTS 4u

/* The registers as the Bochs VBE extensions had them first, of the head that is the VGA: index, and data behind it; dev is the
 * display. */
extern const struct bus_ops bochs_display_port_ops;

struct bochs_display_ops {
	/* The head's mode, place in VRAM, palette or on-ness is another one. */
	void (*changed)(void *arg, struct bochs_display *d);
	/* VRAM appears at base, or goes (PCI_NOWHERE). 0 or a negative errno where that place is taken. */
	int (*place)(void *arg, struct bochs_display *d, uint64_t base);
};

struct bochs_display {
	struct head *head;
	const struct bochs_display_ops *ops;
	void *arg;
	struct pci_function pci;
	uint8_t edid[EDID_BYTES];
	uint16_t dispi[DISPI_COUNT];
	uint16_t port_index, port_id; /* at BOCHS_DISPLAY_PORT: the register that is selected, and the version that was asked for */
	struct vga vga;		      /* of its graphics modes only blanking and the DAC */
	const uint8_t *rom;
	uint32_t rom_bytes;
};

#define BOCHS_DISPLAY_ROM_MAX (1u << 20)

/** Makes the function of a head whose VRAM (a power of two) is there. The head's preferred size goes into the EDID. */
void bochs_display_init(struct bochs_display *d, struct head *head, unsigned width, unsigned height, struct clock *clock,
			const struct bochs_display_ops *ops, void *arg);

/** Gives it an expansion ROM, at most BOCHS_DISPLAY_ROM_MAX bytes, which stay the caller's: firmware finds its video BIOS there. */
void bochs_display_set_rom(struct bochs_display *d, const uint8_t *rom, uint32_t len);

/** Another preferred size, for whoever reads the EDID next. */
void bochs_display_resize(struct bochs_display *d, unsigned width, unsigned height);

/** Whether a mode was set here; else the VGA's text mode, if it has one, is what a monitor would show. */
static inline bool bochs_display_graphics(const struct bochs_display *d)
{
	return d->dispi[DISPI_ENABLE] & 1;
}

/**
 * The state that firmware leaves: width x height at 32 bpp, shown. 0 x 0: that of a card that no firmware has seen, off. The PCI
 * side is pci_reset's.
 */
void bochs_display_reset(struct bochs_display *d, unsigned width, unsigned height);

/** No mode is set here any more, as after a write of 0 to ENABLE. */
void bochs_display_disable(struct bochs_display *d);

#endif
