#include "devices/pc.h"

#include <string.h>

#include "devices/i8042.h"
#include "devices/irq.h"
#include "devices/pc_misc.h"
#include "devices/pci.h"
#include "devices/pic8259.h"
#include "devices/pit8254.h"
#include "devices/rtc_mc146818.h"
#include "devices/testdev.h"
#include "devices/uart16550.h"

enum { IRQ_TIMER = 0, IRQ_KEYBOARD = 1, IRQ_COM1 = 4, IRQ_RTC = 8, IRQ_MOUSE = 12 };

struct pc {
	const struct pc_ops *ops;
	void *arg;
	struct pic8259 pic;
	struct pit8254 pit;
	struct rtc rtc;
	struct uart16550 com1;
	struct pc_misc misc;
	struct i8042 kbc;
	struct fw_cfg fw_cfg;
	struct testdev testdev;
	uint16_t irq_lines; /* inputs that devices raise; the test device may raise them too */
	struct pci pci;
	struct pci_function bridge;
	struct acpi_pm pm;
	struct acpi_pcihp pcihp;
};

/* One guest for now; making the PC again makes it anew. */
static struct pc the_pc;

/* ---- wires between the devices and to the owner */

static void on_intr(void *arg, bool level)
{
	struct pc *pc = arg;

	(void)level;
	pc->ops->intr(pc->arg);
}

static void on_acked(void *arg, unsigned irq)
{
	struct pc *pc = arg;

	if (irq == IRQ_TIMER)
		pit8254_acked(&pc->pit);
}

static bool timer_wanted(void *arg)
{
	const struct pc *pc = arg;

	return !pic8259_masked(&pc->pic, IRQ_TIMER);
}

static bool serial_out(void *arg, uint8_t byte)
{
	struct pc *pc = arg;

	return pc->ops->serial_out(pc->arg, byte);
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

/* ---- the map of the ports */

static int attach(struct pc *pc, struct bus *bus)
{
	const struct {
		uint16_t base, len;
		const struct bus_ops *ops;
		void *dev;
	} ports[] = {
		{ 0x20, 2, &pic8259_chip_ops, &pc->pic.chip[0] },
		{ 0x40, 4, &pit8254_ops, &pc->pit },
		{ 0x60, 1, &i8042_data_ops, &pc->kbc },
		{ 0x61, 1, &pc_port61_ops, &pc->misc },
		{ 0x64, 1, &i8042_command_ops, &pc->kbc },
		{ 0x70, 2, &rtc_ops, &pc->rtc },
		{ 0x80, 1, &pc_port80_ops, &pc->misc },
		{ 0x92, 1, &pc_port92_ops, &pc->misc },
		{ 0xa0, 2, &pic8259_chip_ops, &pc->pic.chip[1] },
		{ 0xe0, 4, &testdev_latch_ops, &pc->testdev },
		{ 0xe4, 4, &testdev_flush_ops, &pc->testdev },
		{ 0xf4, 4, &pc_debug_exit_ops, &pc->misc },
		{ 0x3f8, 8, &uart16550_ops, &pc->com1 },
		{ 0x4d0, 2, &pic8259_elcr_ops, &pc->pic },
		{ 0x510, 2, &fw_cfg_ops, &pc->fw_cfg },
		{ 0x514, 8, &fw_cfg_dma_ops, &pc->fw_cfg },
		{ ACPI_PM_PORT, ACPI_PM_PORTS, &acpi_pm_ops, &pc->pm },
		{ 0xcf8, 4, &pc_cf8_ops, &pc->misc },
		{ 0xcfc, 4, &pci_data_ops, &pc->pci },
		{ 0x2000, TESTDEV_IRQS, &testdev_irq_ops, &pc->testdev },
		{ 0x8900, 1, &pc_shutdown_ops, &pc->misc },
		{ ACPI_PCIHP_PORT, ACPI_PCIHP_PORTS, &acpi_pcihp_ops, &pc->pcihp },
		{ ACPI_GPE_PORT, ACPI_GPE_PORTS, &acpi_gpe_ops, &pc->pm },
	};
	unsigned i, n = sizeof(ports) / sizeof(ports[0]);
	int err = 0;

	for (i = 0; i < n; i++) {
		err = bus_add(bus, BUS_PIO, ports[i].base, ports[i].len, ports[i].ops, ports[i].dev);
		if (err)
			break;
	}
	while (err && i-- > 0)
		(void)bus_remove(bus, BUS_PIO, ports[i].base);
	return err;
}

/* The inputs of the interrupt controllers: what a device says, or the test device says. */
static void device_irq(void *chip, unsigned irq, bool level)
{
	struct pc *pc = chip;

	pc->irq_lines = (uint16_t)(level ? pc->irq_lines | 1u << irq : pc->irq_lines & ~(1u << irq));
	pic8259_set(&pc->pic, irq, level || (pc->testdev.raised >> irq & 1));
}

static void testdev_irq(void *arg, unsigned irq, bool level)
{
	struct pc *pc = arg;

	pic8259_set(&pc->pic, irq, level || (pc->irq_lines >> irq & 1));
}

static struct irq_line line(struct pc *pc, unsigned irq)
{
	return (struct irq_line){ .set = device_irq, .chip = pc, .line = irq };
}

struct pc *pc_create(struct bus *bus, struct clock *clock, const struct pc_ops *ops, void *arg, uint64_t ram_bytes)
{
	struct pc *pc = &the_pc;

	if (bus_add(bus, BUS_MMIO, TESTDEV_MMIO, TESTDEV_MMIO_BYTES, &testdev_mmio_ops, &pc->testdev))
		return NULL;
	if (attach(pc, bus)) {
		(void)bus_remove(bus, BUS_MMIO, TESTDEV_MMIO);
		return NULL;
	}
	memset(pc, 0, sizeof(*pc));
	pc->ops = ops;
	pc->arg = arg;
	pic8259_init(&pc->pic, on_intr, on_acked, pc);
	pit8254_init(&pc->pit, clock, line(pc, IRQ_TIMER), timer_wanted, pc);
	rtc_init(&pc->rtc, clock, line(pc, IRQ_RTC), ram_bytes);
	uart16550_init(&pc->com1, clock, line(pc, IRQ_COM1), serial_out, pc);
	i8042_init(&pc->kbc, line(pc, IRQ_KEYBOARD), line(pc, IRQ_MOUSE), reset, pc);
	testdev_init(&pc->testdev, testdev_irq, pc);
	fw_cfg_init(&pc->fw_cfg, ram_bytes, 1,
		    &(struct fw_cfg_memory){ .read = ops->memory_read, .write = ops->memory_write, .arg = arg });
	acpi_pm_init(&pc->pm, clock, line(pc, ACPI_SCI), power_off, pc);
	acpi_pcihp_init(&pc->pcihp, &pc->pm, ejected, pc);
	pci_init(&pc->pci, bus);
	pci_function_init(&pc->bridge, 0x8086, 0x1237, 0x060000, 2); /* Intel 82441FX, whose place in a PC this is */
	(void)pci_add(&pc->pci, 0, &pc->bridge);
	pc->misc = (struct pc_misc){ .pit = &pc->pit, .pci = &pc->pci, .debug_exit = debug_exit, .power_off = power_off, .reset = reset, .arg = pc };
	pc_reset(pc);
	return pc;
}

/* The controller comes last, so that edges that the devices make on their way down are forgotten. */
void pc_reset(struct pc *pc)
{
	pit8254_reset(&pc->pit);
	rtc_reset(&pc->rtc);
	uart16550_reset(&pc->com1);
	pc_misc_reset(&pc->misc);
	i8042_reset(&pc->kbc);
	fw_cfg_reset(&pc->fw_cfg);
	acpi_pm_reset(&pc->pm);
	acpi_pcihp_reset(&pc->pcihp);
	testdev_reset(&pc->testdev);
	pci_reset(&pc->pci);
	pic8259_reset(&pc->pic);
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

bool pc_intr(const struct pc *pc)
{
	return pc->pic.level;
}

uint8_t pc_ack(struct pc *pc)
{
	return pic8259_ack(&pc->pic);
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
