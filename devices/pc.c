#include "devices/pc.h"

#include <errno.h>
#include <string.h>

#include "devices/debug_port.h"
#include "devices/hpet.h"
#include "devices/i8042.h"
#include "devices/ioapic.h"
#include "devices/pc_misc.h"
#include "devices/pci.h"
#include "devices/pic8259.h"
#include "devices/pit8254.h"
#include "devices/rtc_mc146818.h"
#include "devices/testdev.h"
#include "devices/uart16550.h"
#include "mm/layout.h"

enum { IRQ_TIMER = 0, IRQ_KEYBOARD = 1, IRQ_CASCADE = 2, IRQ_COM1 = 4, IRQ_RTC = 8, IRQ_MOUSE = 12 };

/* Programmable attribute map registers (Intel 82441FX datasheet, 3.2.18). */
#define BRIDGE_PAM 0x59
#define BRIDGE_PAM_END 0x60

struct pc {
	const struct pc_ops *ops;
	void *arg;
	struct pic8259 pic;
	struct vlapic vlapic;
	struct ioapic ioapic;
	struct hpet hpet;
	struct pit8254 pit;
	struct rtc rtc;
	struct uart16550 com1;
	struct pc_misc misc;
	struct i8042 kbc;
	struct fw_cfg fw_cfg;
	struct testdev testdev;
	struct debug_port debug;
	uint32_t irq_lines; /* inputs that devices raise; the test device may raise them too */
	bool hpet_legacy;   /* the HPET drives IRQ 0 and 8, the 8254 and the clock do not */
	bool timer_out, rtc_out;
	struct pci pci;
	struct pci_function bridge;
	struct acpi_pm pm;
	struct acpi_pcihp pcihp;
};

/* One guest for now; making the PC again makes it anew. */
static struct pc the_pc;

/* ---- wires between the devices and to the owner */

/* The 8259s' INTR goes to LINT0 and to the I/O APIC. */
static void on_intr(void *arg, bool level)
{
	struct pc *pc = arg;

	vlapic_lint(&pc->vlapic, 0, level);
	ioapic_set(&pc->ioapic, IOAPIC_PIN_8259, level);
	pc->ops->intr(pc->arg);
}

static void timer_acked(struct pc *pc)
{
	if (pc->hpet_legacy)
		hpet_acked(&pc->hpet);
	else
		pit8254_acked(&pc->pit);
}

static void on_acked(void *arg, unsigned irq)
{
	if (irq == IRQ_TIMER)
		timer_acked(arg);
}

static bool timer_wanted(void *arg)
{
	const struct pc *pc = arg;

	return !pic8259_masked(&pc->pic, IRQ_TIMER) || !ioapic_masked(&pc->ioapic, IOAPIC_PIN_TIMER);
}

static bool serial_out(void *arg, uint8_t byte)
{
	struct pc *pc = arg;

	return pc->ops->serial_out(pc->arg, byte);
}

static void serial_drained(void *arg)
{
	struct pc *pc = arg;

	if (pc->ops->serial_drained)
		pc->ops->serial_drained(pc->arg);
}

static void debug_exit(void *arg, uint32_t value)
{
	struct pc *pc = arg;

	pc->ops->debug_exit(pc->arg, value);
}

static void power_off(void *arg)
{
	struct pc *pc = arg;

	pc->ops->power_off(pc->arg);
}

static void reset(void *arg)
{
	struct pc *pc = arg;

	pc->ops->reset(pc->arg);
}

static void ejected(void *arg, unsigned slot)
{
	struct pc *pc = arg;

	pc->ops->ejected(pc->arg, slot);
}

static void firmware_says(void *arg, const char *text)
{
	struct pc *pc = arg;

	pc->ops->firmware_says(pc->arg, text);
}

/* ---- interrupts */

/* What drives an input of the interrupt controllers: a device, or the test device. */
static void input(struct pc *pc, unsigned gsi)
{
	bool level = pc->irq_lines >> gsi & 1 || (gsi < TESTDEV_IRQS && pc->testdev.raised >> gsi & 1);

	if (gsi < 16)
		pic8259_set(&pc->pic, gsi, level);
	if (gsi != IRQ_CASCADE)
		ioapic_set(&pc->ioapic, gsi == IRQ_TIMER ? IOAPIC_PIN_TIMER : gsi, level);
}

static void device_irq(void *chip, unsigned gsi, bool level)
{
	struct pc *pc = chip;

	pc->irq_lines = level ? pc->irq_lines | 1u << gsi : pc->irq_lines & ~(1u << gsi);
	input(pc, gsi);
}

static void testdev_irq(void *arg, unsigned irq, bool level)
{
	(void)level;
	input(arg, irq);
}

/* IRQ 0 and 8 are the 8254's and the clock's unless the HPET has them. */
static void timer_irq(void *chip, unsigned irq, bool level)
{
	struct pc *pc = chip;

	*(irq == IRQ_TIMER ? &pc->timer_out : &pc->rtc_out) = level;
	if (!pc->hpet_legacy)
		device_irq(pc, irq, level);
}

static void hpet_irq(void *arg, unsigned gsi, bool level)
{
	device_irq(arg, gsi, level);
}

static void hpet_legacy(void *arg, bool on)
{
	struct pc *pc = arg;

	pc->hpet_legacy = on;
	device_irq(pc, IRQ_TIMER, !on && pc->timer_out);
	device_irq(pc, IRQ_RTC, !on && pc->rtc_out);
}

static bool apic_send(void *arg, const struct apic_message *m)
{
	struct pc *pc = arg;

	if (m->mode == APIC_EXTINT)
		pc->ops->intr(pc->arg);
	return vlapic_message(&pc->vlapic, m);
}

static void apic_intr(void *arg)
{
	const struct pc *pc = arg;

	pc->ops->intr(pc->arg);
}

static void apic_nmi(void *arg)
{
	const struct pc *pc = arg;

	pc->ops->nmi(pc->arg);
}

static void apic_eoi(void *arg, uint8_t vector)
{
	struct pc *pc = arg;

	ioapic_eoi(&pc->ioapic, vector);
}

static void apic_reachable(void *arg)
{
	struct pc *pc = arg;

	ioapic_retry(&pc->ioapic);
}

static uint64_t apic_tsc(void *arg)
{
	const struct pc *pc = arg;

	return pc->ops->tsc(pc->arg);
}

static uint64_t apic_tsc_time(void *arg, uint64_t tsc)
{
	const struct pc *pc = arg;

	return pc->ops->tsc_time(pc->arg, tsc);
}

/* An INIT to the only CPU of a PC starts its firmware again: that is a reset. */
static const struct vlapic_ops apic_ops = {
	.intr = apic_intr,
	.nmi = apic_nmi,
	.init = reset,
	.eoi = apic_eoi,
	.reachable = apic_reachable,
	.tsc = apic_tsc,
	.tsc_time = apic_tsc_time,
};

/* ---- the map of ports and memory */

static int attach(struct pc *pc, struct bus *bus)
{
	const struct bus_region regions[] = {
		{ BUS_MMIO, IOAPIC_BASE, IOAPIC_BYTES, &ioapic_ops, &pc->ioapic },
		{ BUS_MMIO, HPET_BASE, HPET_BYTES, &hpet_ops, &pc->hpet },
		{ BUS_MMIO, GUEST_ECAM, PCI_ECAM_BYTES, &pci_ecam_ops, &pc->pci },
		{ BUS_MMIO, TESTDEV_MMIO, TESTDEV_MMIO_BYTES, &testdev_mmio_ops, &pc->testdev },
		{ BUS_PIO, 0x20, 2, &pic8259_chip_ops, &pc->pic.chip[0] },
		{ BUS_PIO, 0x40, 4, &pit8254_ops, &pc->pit },
		{ BUS_PIO, 0x60, 1, &i8042_data_ops, &pc->kbc },
		{ BUS_PIO, 0x61, 1, &pc_port61_ops, &pc->misc },
		{ BUS_PIO, 0x64, 1, &i8042_command_ops, &pc->kbc },
		{ BUS_PIO, 0x70, 2, &rtc_ops, &pc->rtc },
		{ BUS_PIO, 0x80, 1, &pc_port80_ops, &pc->misc },
		{ BUS_PIO, 0x92, 1, &pc_port92_ops, &pc->misc },
		{ BUS_PIO, 0xa0, 2, &pic8259_chip_ops, &pc->pic.chip[1] },
		{ BUS_PIO, 0xe0, 4, &testdev_latch_ops, &pc->testdev },
		{ BUS_PIO, 0xe4, 4, &testdev_flush_ops, &pc->testdev },
		{ BUS_PIO, 0xf4, 4, &pc_debug_exit_ops, &pc->misc },
		{ BUS_PIO, 0x3f8, 8, &uart16550_ops, &pc->com1 },
		{ BUS_PIO, DEBUG_PORT, 1, &debug_port_ops, &pc->debug },
		{ BUS_PIO, 0x4d0, 2, &pic8259_elcr_ops, &pc->pic },
		{ BUS_PIO, 0x510, 2, &fw_cfg_ops, &pc->fw_cfg },
		{ BUS_PIO, 0x514, 8, &fw_cfg_dma_ops, &pc->fw_cfg },
		{ BUS_PIO, ACPI_PM_PORT, ACPI_PM_PORTS, &acpi_pm_ops, &pc->pm },
		{ BUS_PIO, 0xcf8, 4, &pc_cf8_ops, &pc->misc },
		{ BUS_PIO, 0xcfc, 4, &pci_data_ops, &pc->pci },
		{ BUS_PIO, 0x2000, TESTDEV_IRQS, &testdev_irq_ops, &pc->testdev },
		{ BUS_PIO, 0x8900, 1, &pc_shutdown_ops, &pc->misc },
		{ BUS_PIO, ACPI_PCIHP_PORT, ACPI_PCIHP_PORTS, &acpi_pcihp_ops, &pc->pcihp },
		{ BUS_PIO, ACPI_GPE_PORT, ACPI_GPE_PORTS, &acpi_gpe_ops, &pc->pm },
	};
	unsigned i, n = sizeof(regions) / sizeof(regions[0]);
	int err = 0;

	if (bus->count + n >= BUS_REGIONS) /* the local APIC comes and goes by itself */
		return -ENOSPC;
	for (i = 0; i < n; i++) {
		const struct bus_region *r = &regions[i];

		err = bus_add(bus, r->space, r->base, r->len, r->ops, r->dev);
		if (err)
			break;
	}
	while (err && i-- > 0)
		(void)bus_remove(bus, regions[i].space, regions[i].base);
	return err;
}

struct irq_line pc_line(struct pc *pc, unsigned gsi)
{
	return (struct irq_line){ .set = gsi == IRQ_TIMER || gsi == IRQ_RTC ? timer_irq : device_irq, .chip = pc, .line = gsi };
}

struct pc *pc_create(struct bus *bus, struct clock *clock, const struct pc_ops *ops, void *arg, uint64_t ram_bytes)
{
	struct pc *pc = &the_pc;

	if (attach(pc, bus))
		return NULL;
	memset(pc, 0, sizeof(*pc));
	pc->ops = ops;
	pc->arg = arg;
	vlapic_init(&pc->vlapic, bus, clock, &apic_ops, pc);
	ioapic_init(&pc->ioapic, apic_send, pc);
	pic8259_init(&pc->pic, on_intr, on_acked, pc);
	hpet_init(&pc->hpet, clock, hpet_irq, hpet_legacy, hpet_irq, timer_wanted, pc);
	pit8254_init(&pc->pit, clock, pc_line(pc, IRQ_TIMER), timer_wanted, pc);
	rtc_init(&pc->rtc, clock, pc_line(pc, IRQ_RTC), ram_bytes);
	uart16550_init(&pc->com1, clock, pc_line(pc, IRQ_COM1), serial_out, pc);
	pc->com1.drained = serial_drained;
	i8042_init(&pc->kbc, pc_line(pc, IRQ_KEYBOARD), pc_line(pc, IRQ_MOUSE), reset, pc);
	debug_port_init(&pc->debug, firmware_says, pc);
	testdev_init(&pc->testdev, testdev_irq, pc);
	fw_cfg_init(&pc->fw_cfg, ram_bytes, 1,
		    &(struct fw_cfg_memory){ .read = ops->memory_read, .write = ops->memory_write, .arg = arg });
	acpi_pm_init(&pc->pm, clock, pc_line(pc, ACPI_SCI), power_off, pc);
	acpi_pcihp_init(&pc->pcihp, &pc->pm, ejected, pc);
	pci_init(&pc->pci, bus);
	pci_function_init(&pc->bridge, 0x8086, 0x1237, 0x060000, 2); /* Intel 82441FX, whose place in a PC this is */
	/* QEMU's subsystem, by which firmware knows the machine; PAM, of which nothing depends here: all below 1 MiB is memory. */
	memcpy(pc->bridge.config + PCI_SUBSYSTEM, (const uint8_t[]){ 0xf4, 0x1a, 0x00, 0x11 }, 4);
	pc->bridge.scratch_from = BRIDGE_PAM;
	pc->bridge.scratch_end = BRIDGE_PAM_END;
	(void)pci_add(&pc->pci, 0, &pc->bridge);
	pc->misc = (struct pc_misc){
		.pit = &pc->pit, .pci = &pc->pci, .debug_exit = debug_exit, .power_off = power_off, .reset = reset, .arg = pc
	};
	pc_reset(pc);
	return pc;
}

/* The controllers come last, so that edges that the devices make on their way down are forgotten. */
void pc_reset(struct pc *pc)
{
	hpet_reset(&pc->hpet);
	pit8254_reset(&pc->pit);
	rtc_reset(&pc->rtc);
	uart16550_reset(&pc->com1);
	pc_misc_reset(&pc->misc);
	i8042_reset(&pc->kbc);
	fw_cfg_reset(&pc->fw_cfg);
	acpi_pm_reset(&pc->pm);
	acpi_pcihp_reset(&pc->pcihp);
	debug_port_reset(&pc->debug);
	testdev_reset(&pc->testdev);
	pci_reset(&pc->pci);
	pic8259_reset(&pc->pic);
	ioapic_reset(&pc->ioapic);
	vlapic_reset(&pc->vlapic);
	vlapic_virtual_wire(&pc->vlapic);
}

struct pci *pc_pci(struct pc *pc)
{
	return &pc->pci;
}

struct acpi_pm *pc_pm(struct pc *pc)
{
	return &pc->pm;
}

struct acpi_pcihp *pc_pcihp(struct pc *pc)
{
	return &pc->pcihp;
}

struct fw_cfg *pc_fw_cfg(struct pc *pc)
{
	return &pc->fw_cfg;
}

static bool extint(const struct pc *pc)
{
	return pc->pic.level && (vlapic_takes_extint(&pc->vlapic) || ioapic_passes_8259(&pc->ioapic));
}

bool pc_intr(const struct pc *pc)
{
	return vlapic_pending(&pc->vlapic) >= 0 || extint(pc);
}

uint8_t pc_ack(struct pc *pc)
{
	uint8_t vector;

	if (vlapic_pending(&pc->vlapic) < 0)
		return pic8259_ack(&pc->pic);
	vector = vlapic_ack(&pc->vlapic);
	if (vector == ioapic_vector(&pc->ioapic, IOAPIC_PIN_TIMER))
		timer_acked(pc);
	return vector;
}

uint8_t pc_cr8(const struct pc *pc)
{
	return vlapic_tpr(&pc->vlapic) >> 4;
}

void pc_set_cr8(struct pc *pc, uint8_t cr8)
{
	vlapic_set_tpr(&pc->vlapic, (uint8_t)(cr8 << 4));
}

struct vlapic *pc_vlapic(struct pc *pc)
{
	return &pc->vlapic;
}

size_t pc_serial_in(struct pc *pc, const uint8_t *data, size_t len)
{
	return uart16550_in(&pc->com1, data, len);
}

void pc_serial_ready(struct pc *pc)
{
	uart16550_ready(&pc->com1);
}

void pc_key(struct pc *pc, bool down, uint16_t code)
{
	i8042_key(&pc->kbc, down, code);
}

void pc_pointer(struct pc *pc, uint16_t x, uint16_t y, uint8_t buttons, int8_t wheel)
{
	i8042_pointer(&pc->kbc, x, y, buttons, wheel);
}
