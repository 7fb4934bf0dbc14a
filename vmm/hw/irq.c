/*
 * Interrupts of the VMM's own hardware: the UART's, through the I/O APIC or the 8259s, and the local APIC's timer. Handlers raise a
 * flag and acknowledge; the work is done where the flag is read.
 */
#include <errno.h>

#include "mm/map.h"
#include "vmm/cpu.h"
#include "vmm/hw/hw.h"
#include "vmm/hw/lapic.h"
#include "vmm/hw/timer.h"
#include "vmm/hw/uart.h"
#include "vmm/hw/x86.h"
#include "vmm/log.h"

/* ---- the 8259 pair (Intel 8259A data sheet) */

#define PIC_MASTER 0x20
#define PIC_SLAVE 0xa0
#define PIC_EOI 0x20
#define PIC_READ_ISR 0x0b

static void pic_init(void)
{
	static const uint8_t words[2][3] = { { VECTOR_PIC, 1 << 2, 1 }, { VECTOR_PIC + 8, 2, 1 } }; /* ICW2 - ICW4 */
	static const uint16_t ports[2] = { PIC_MASTER, PIC_SLAVE };
	for (unsigned i = 0; i < 2; i++) {
		outb(ports[i], 0x11); /* ICW1: edge, cascade, ICW4 follows */
		for (unsigned w = 0; w < 3; w++)
			outb(ports[i] + 1, words[i][w]);
		outb(ports[i] + 1, 0xff);
	}
}

static void pic_unmask(unsigned irq)
{
	uint16_t port = irq < 8 ? PIC_MASTER + 1 : PIC_SLAVE + 1;
	outb(port, inb(port) & (uint8_t) ~(1u << (irq % 8)));
	if (irq >= 8)
		outb(PIC_MASTER + 1, inb(PIC_MASTER + 1) & (uint8_t) ~(1u << 2));
}

static bool pic_in_service(unsigned irq)
{
	uint16_t port = irq < 8 ? PIC_MASTER : PIC_SLAVE;
	outb(port, PIC_READ_ISR);
	return inb(port) >> (irq % 8) & 1;
}

static void pic_eoi(unsigned irq)
{
	if (irq >= 8)
		outb(PIC_SLAVE, PIC_EOI);
	outb(PIC_MASTER, PIC_EOI);
}

/* ---- the I/O APIC (Intel 82093AA data sheet) */

#define IOAPIC_VERSION 1
#define IOAPIC_REDIRECTION 0x10 /* two registers for each input */
#define REDIRECTION_LOW_ACTIVE (1u << 13)
#define REDIRECTION_LEVEL (1u << 15)
#define REDIRECTION_MASKED (1u << 16)

static volatile uint32_t *ioapic; /* [0] selects the register, [4] is its window */

static uint32_t ioapic_read(uint32_t reg)
{
	ioapic[0] = reg;
	return ioapic[4];
}

static void ioapic_write(uint32_t reg, uint32_t v)
{
	ioapic[0] = reg;
	ioapic[4] = v;
}

/* Masks all inputs and routes one ISA interrupt to this CPU, with the polarity and trigger of the MADT (5.2.12.5: ISA's are the
 * default). */
static int ioapic_route(const struct boot_info *bi, unsigned irq, unsigned vector)
{
	if (!bi->ioapic_base || map_mmio(bi->ioapic_base, 0x20))
		return -ENODEV;
	ioapic = (volatile uint32_t *)(uintptr_t)bi->ioapic_base;
	uint32_t inputs = (ioapic_read(IOAPIC_VERSION) >> 16 & 0xff) + 1;
	uint32_t input = bi->isa_gsi[irq] - bi->ioapic_gsi_base;
	if (bi->isa_gsi[irq] < bi->ioapic_gsi_base || input >= inputs || this_cpu()->apic_id > 0xff)
		return -ENODEV;
	for (uint32_t i = 0; i < inputs; i++)
		ioapic_write(IOAPIC_REDIRECTION + 2 * i, REDIRECTION_MASKED);
	uint32_t low = vector;
	if ((bi->isa_flags[irq] & 3) == 3)
		low |= REDIRECTION_LOW_ACTIVE;
	if ((bi->isa_flags[irq] >> 2 & 3) == 3)
		low |= REDIRECTION_LEVEL;
	ioapic_write(IOAPIC_REDIRECTION + 2 * input + 1, this_cpu()->apic_id << 24);
	ioapic_write(IOAPIC_REDIRECTION + 2 * input, low);
	return 0;
}

#define REDIRECTION_NMI (4u << 8) /* edge-triggered (82093AA, 3.2.4) */
#define PIT_CHANNEL0 0x40
#define PIT_CONTROL 0x43
#define PIT_CHANNEL0_MODE2 0x34 /* low and high byte, rate generator (Intel 8254 data sheet) */

static uint32_t nmi_input;
static bool nmi_routed;

int irq_nmi_start(const struct boot_info *bi)
{
	uint32_t inputs;

	if (!ioapic || bi->isa_gsi[0] < bi->ioapic_gsi_base)
		return -ENODEV;
	inputs = (ioapic_read(IOAPIC_VERSION) >> 16 & 0xff) + 1;
	nmi_input = bi->isa_gsi[0] - bi->ioapic_gsi_base;
	if (nmi_input >= inputs)
		return -ENODEV;
	outb(PIT_CONTROL, PIT_CHANNEL0_MODE2);
	outb(PIT_CHANNEL0, 0);
	outb(PIT_CHANNEL0, 0);
	ioapic_write(IOAPIC_REDIRECTION + 2 * nmi_input + 1, this_cpu()->apic_id << 24);
	ioapic_write(IOAPIC_REDIRECTION + 2 * nmi_input, REDIRECTION_NMI);
	nmi_routed = true;
	return 0;
}

void irq_nmi_stop(void)
{
	if (nmi_routed)
		ioapic_write(IOAPIC_REDIRECTION + 2 * nmi_input, REDIRECTION_MASKED);
	nmi_routed = false;
}

/* ---- dispatch */

static void pic_interrupt(unsigned irq)
{
	/* IRQ 7 and 15 also stand for a request that went away: not in service, and not to be ended, but the cascade is. */
	if (irq % 8 == 7 && !pic_in_service(irq)) {
		if (irq == 15)
			outb(PIC_MASTER, PIC_EOI);
		return;
	}
	uart_interrupt();
	this_cpu()->irq_uart = true;
	pic_eoi(irq);
}

void irq_dispatch(unsigned vector)
{
	switch (vector) {
	case VECTOR_UART:
		uart_interrupt();
		this_cpu()->irq_uart = true;
		lapic_eoi();
		break;
	case VECTOR_TIMER:
		timer_interrupt();
		lapic_eoi();
		break;
	case VECTOR_SPURIOUS: break; /* wants no EOI (SDM vol. 3 11.9) */
	case VECTOR_LAPIC_ERROR:
		lapic_write(LAPIC_ESR, 0);
		lapic_eoi();
		break;
	default:
		if (vector >= VECTOR_PIC && vector < VECTOR_PIC + 16)
			pic_interrupt(vector - VECTOR_PIC);
		else if (lapic_in_service(vector))
			lapic_eoi();
		break;
	}
}

void irq_wait(void)
{
	__asm__ volatile("sti; hlt; cli" : : : "memory");
}

/* ---- set-up */

/* The ISA interrupt of a UART at one of the four usual ports, or -1. */
static int uart_irq(uint16_t port)
{
	return port == 0x3f8 || port == 0x3e8 ? 4 : port == 0x2f8 || port == 0x2e8 ? 3 : -1;
}

/* Asks for "FIFO empty", which is true at once, and sees whether the interrupt comes. */
static bool uart_interrupts(void)
{
	bool came = false;
	uart_drain();
	this_cpu()->irq_uart = false;
	uart_tx_interrupt(true);
	for (unsigned i = 0; i < 100000 && !came; i++) {
		irq_poll();
		came = this_cpu()->irq_uart;
	}
	uart_tx_interrupt(false);
	this_cpu()->irq_uart = false;
	return came;
}

int irq_init(const struct boot_info *bi, uint16_t uart_port)
{
	int err, irq = uart_irq(uart_port);
	pic_init();
	err = lapic_init();
	if (err)
		return -ENODEV;
	if (irq >= 0 && !ioapic_route(bi, (unsigned)irq, VECTOR_UART) && uart_interrupts()) {
		log_debug("interrupts: UART on IRQ %d, I/O APIC input %u", irq, bi->isa_gsi[irq] - bi->ioapic_gsi_base);
		return 0;
	}
	if (irq >= 0) {
		/* Virtual wire mode: the 8259 pair behind LINT0 (SDM vol. 3 11.5.1). */
		lapic_write(LAPIC_LVT_LINT0, LVT_EXTINT);
		pic_unmask((unsigned)irq);
		if (uart_interrupts()) {
			log_info("interrupts: no I/O APIC: UART on IRQ %d of the 8259", irq);
			return 0;
		}
		lapic_write(LAPIC_LVT_LINT0, LVT_MASKED | LVT_EXTINT);
		pic_init();
	}
	log_warn("interrupts: none comes from the UART at port 0x%x: it is polled every millisecond", uart_port);
	timer_poll_uart();
	return 0;
}
