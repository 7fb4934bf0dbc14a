/* The guest's PC: all devices, wired. What vmm/ needs of them in one place. */
#ifndef DEVICES_PC_H
#define DEVICES_PC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/acpi_pcihp.h"
#include "devices/acpi_pm.h"
#include "devices/bus.h"
#include "devices/clock.h"
#include "devices/fw_cfg.h"
#include "devices/irq.h"
#include "devices/pci.h"
#include "devices/vlapic.h"

struct pc;

/* What the PC asks of its owner. Called from inside device accesses. */
struct pc_ops {
	/* The guest's COM1 sent a byte; false: no room now, the transmitter stays busy and pc_serial_ready will be called later. */
	bool (*serial_out)(void *arg, uint8_t byte);
	/* The guest's COM1 has nothing left of what pc_serial_in gave it, and takes more; may be NULL. */
	void (*serial_drained)(void *arg);
	/* The guest ended the run by isa-debug-exit with value, or asked for power-off ("Shutdown" to 0x8900, or ACPI's S5). */
	void (*debug_exit)(void *arg, uint32_t value);
	void (*power_off)(void *arg);
	/* Reset by port 0x64, 0x92 or 0xcf9. */
	void (*reset)(void *arg);
	/* A line of text from the guest's firmware (debug port). */
	void (*firmware_says)(void *arg, const char *text);
	/* pc_intr or pc_cr8 may say something else now. */
	void (*intr)(void *arg);
	/* A non-maskable interrupt for the CPU. */
	void (*nmi)(void *arg);
	/* The guest's TSC, and when it will read a value: as vlapic_ops's. */
	uint64_t (*tsc)(void *arg);
	uint64_t (*tsc_time)(void *arg, uint64_t tsc);
	/* The guest gave up the card of a PCI slot that acpi_pcihp_plug named. */
	void (*ejected)(void *arg, unsigned slot);
	/* Guest-physical memory for devices that reach it by themselves: 0, or a negative errno when any of the bytes is not RAM. */
	int (*memory_read)(void *arg, uint64_t gpa, void *to, size_t len);
	int (*memory_write)(void *arg, uint64_t gpa, const void *from, size_t len);
};

/**
 * Makes the PC's devices on the given bus and clock: local APIC, I/O APIC, HPET, 8259 pair, 8254, MC146818, 16550 at COM1, PCI, fw_cfg,
 * pc-testdev, 8042 with keyboard and mouse, ACPI's PM and hot-plug blocks, ports 0x61, 0x92, 0xcf9, 0x80, isa-debug-exit at 0xf4, 0x8900.
 * ram_bytes: guest RAM for the CMOS size bytes.
 * One static instance for each guest, and one guest for now: a second call makes the same one anew, the bus and clock of the first
 * must be gone then. Returns the PC or NULL when the bus is full.
 */
struct pc *pc_create(struct bus *bus, struct clock *clock, const struct pc_ops *ops, void *arg, uint64_t ram_bytes);

/** The PC's PCI bus. Slot 0 is the host bridge; the others are for the owner to fill, before the first pc_reset. */
struct pci *pc_pci(struct pc *pc);

/** ACPI's event registers, PCI hot-plug, and the firmware's files: for the owner to fill and to raise. */
struct acpi_pm *pc_pm(struct pc *pc);
struct acpi_pcihp *pc_pcihp(struct pc *pc);
struct fw_cfg *pc_fw_cfg(struct pc *pc);

/** Power-on state again; PCI functions' BARs are at 0 and off. */
void pc_reset(struct pc *pc);

/**
 * True when there is an interrupt for the CPU: of the local APIC's above the processor priority, or of the 8259s', where the local APIC
 * lets these through.
 */
bool pc_intr(const struct pc *pc);
/** The CPU takes the interrupt: its vector, the local APIC's first (a spurious one when there is none any more). */
uint8_t pc_ack(struct pc *pc);
/** CR8, which is a part of the local APIC's task priority register. */
uint8_t pc_cr8(const struct pc *pc);
void pc_set_cr8(struct pc *pc, uint8_t cr8);
/** For the MSRs of the local APIC. */
struct vlapic *pc_vlapic(struct pc *pc);
/**
 * The wire to the interrupt controllers' input gsi: 0 to 15 is the ISA interrupt of that number, for the 8259s and the I/O APIC (IRQ 0 is
 * its input 2), 16 to 23 the I/O APIC's alone. Each has one driver.
 */
struct irq_line pc_line(struct pc *pc, unsigned gsi);

/** Bytes for the guest's COM1 receiver; returns how many its FIFO took. */
size_t pc_serial_in(struct pc *pc, const uint8_t *data, size_t len);
/** There is room for serial output again. */
void pc_serial_ready(struct pc *pc);

/** Keyboard and mouse: as i8042_key and i8042_pointer. */
void pc_key(struct pc *pc, bool down, uint16_t code);
void pc_pointer(struct pc *pc, uint16_t x, uint16_t y, uint8_t buttons, int8_t wheel);

#endif
