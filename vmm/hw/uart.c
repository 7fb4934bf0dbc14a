/*
 * 16550 UART (National Semiconductor PC16550D, sections 8.1 - 8.7).
 *
 * Interrupts: the handler masks all of the UART's sources and raises this_cpu()->irq_uart, so that neither a level- nor an
 * edge-triggered line can storm or be lost; the next uart_read that finds nothing left, uart_write or uart_tx_interrupt
 * unmasks. A source that is still pending then makes a fresh edge.
 */
#include "vmm/hw/uart.h"

#include <errno.h>

#include "vmm/hw/hw.h"
#include "vmm/hw/x86.h"

enum uart_register {
	UART_DATA = 0, /* RBR and THR; divisor low with DLAB */
	UART_IER = 1,  /* divisor high with DLAB */
	UART_IIR = 2,  /* read */
	UART_FCR = 2,  /* write */
	UART_LCR = 3,
	UART_MCR = 4,
	UART_LSR = 5,
	UART_MSR = 6,
	UART_SCRATCH = 7,
};

#define IER_RX 0x01
#define IER_TX 0x02
#define IIR_FIFOS 0xc0
#define FCR_ENABLE 0x01
#define FCR_RESET 0x06
#define FCR_TRIGGER_8 0x80 /* leaves room for eight more while the interrupt is on its way */
#define LCR_8N1 0x03
#define LCR_DLAB 0x80
#define MCR_DTR 0x01
#define MCR_RTS 0x02
#define MCR_OUT2 0x08 /* gates the interrupt line on a PC */
#define MCR_LOOP 0x10
#define LSR_DR 0x01
#define LSR_ERRORS 0x1e /* overrun, parity, framing, break */
#define LSR_THRE 0x20
#define LSR_TEMT 0x40

#define SPIN_MAX 2000000 /* status reads: about 2 s on a real bus */

uint64_t uart_errors;

static uint16_t uart_port = 0x3f8;
static size_t uart_depth = 1;
static uint32_t uart_clock = UART_CLOCK, uart_baud = 115200;
static uint8_t ier_wanted;
static bool ier_masked;
static bool uart_absent; /* uart_init found none */

static uint8_t get(enum uart_register r)
{
	return inb((uint16_t)(uart_port + r));
}

static void set(enum uart_register r, uint8_t v)
{
	outb((uint16_t)(uart_port + r), v);
}

static bool wait_line(uint8_t bits)
{
	for (unsigned i = 0; i < SPIN_MAX; i++) {
		uint8_t lsr = get(UART_LSR);
		if (lsr == 0xff)
			return false; /* nothing there */
		if ((lsr & bits) == bits)
			return true;
	}
	return false;
}

static const uint8_t probe[] = { 0x5a, 0xa5 };

static bool has_scratch(void)
{
	bool ok = true;
	for (unsigned i = 0; i < sizeof(probe); i++) {
		set(UART_SCRATCH, probe[i]);
		ok = ok && get(UART_SCRATCH) == probe[i];
	}
	return ok;
}

/* An 8250 has no scratch register, but echoes in loop-back mode (section 8.6.5). */
static bool loops_back(void)
{
	bool ok = true;
	set(UART_MCR, MCR_LOOP | MCR_RTS | MCR_DTR);
	for (unsigned i = 0; ok && i < sizeof(probe); i++) {
		set(UART_DATA, probe[i]);
		ok = wait_line(LSR_DR) && get(UART_DATA) == probe[i];
	}
	return ok;
}

uint32_t uart_rate(void)
{
	return uart_baud / 10; /* start, eight bits, stop */
}

bool uart_can(uint32_t baud)
{
	return uart_divisor(uart_clock, baud) != 0;
}

static void set_divisor(uint32_t divisor)
{
	set(UART_LCR, LCR_DLAB | LCR_8N1);
	set(UART_DATA, (uint8_t)divisor);
	set(UART_IER, (uint8_t)(divisor >> 8));
	set(UART_LCR, LCR_8N1);
}

int uart_set_baud(uint32_t baud)
{
	uint32_t divisor = uart_divisor(uart_clock, baud);

	if (uart_absent || !divisor)
		return -EINVAL;
	uart_baud = baud;
	set_divisor(divisor);
	return 0;
}

bool uart_empty(void)
{
	return uart_absent || get(UART_LSR) & LSR_TEMT;
}

int uart_init(uint16_t port, uint32_t baud, uint32_t clock)
{
	uint32_t divisor = uart_divisor(clock, baud);

	if (!divisor)
		return -EINVAL;
	uart_port = port;
	uart_clock = clock;
	uart_baud = baud;
	uart_absent = false;

	set(UART_IER, 0);
	set_divisor(divisor);
	set(UART_FCR, FCR_ENABLE | FCR_RESET | FCR_TRIGGER_8);
	uart_depth = (get(UART_IIR) & IIR_FIFOS) == IIR_FIFOS ? 16 : 1;
	if (get(UART_LCR) != LCR_8N1 || !(has_scratch() || loops_back())) {
		uart_absent = true;
		return -ENODEV;
	}
	set(UART_MCR, MCR_DTR | MCR_RTS | MCR_OUT2);
	set(UART_FCR, FCR_ENABLE | FCR_RESET | FCR_TRIGGER_8);
	get(UART_LSR);
	get(UART_MSR);
	ier_wanted = IER_RX;
	ier_masked = true; /* irq_init opens it */
	return 0;
}

void uart_unmask(void)
{
	if (ier_masked) {
		ier_masked = false;
		set(UART_IER, ier_wanted);
	}
}

void uart_interrupt(void)
{
	set(UART_IER, 0);
	ier_masked = true;
	get(UART_IIR); /* acknowledges "transmitter empty" */
}

size_t uart_write(const uint8_t *p, size_t n)
{
	if (uart_absent || !n)
		return 0;
	uint8_t lsr = get(UART_LSR);
	uart_errors += lsr & LSR_ERRORS ? 1 : 0; /* reading the register cleared them */
	if (!(lsr & LSR_THRE))
		return 0;
	size_t count = n < uart_depth ? n : uart_depth;
	/* One exit, not one a byte, where a hypervisor below emulates the UART. */
	outsb((uint16_t)(uart_port + UART_DATA), p, count);
	uart_unmask();
	return count;
}

size_t uart_read(uint8_t *p, size_t cap)
{
	size_t n = 0;
	if (uart_absent)
		return 0;
	while (n < cap) {
		uint8_t lsr = get(UART_LSR);
		uart_errors += lsr & LSR_ERRORS ? 1 : 0;
		if (!(lsr & LSR_DR) || lsr == 0xff) {
			uart_unmask();
			break;
		}
		p[n++] = get(UART_DATA);
	}
	return n;
}

void uart_write_wait(const char *p, size_t n)
{
	for (size_t i = 0; i < n && !uart_absent; i++) {
		if (p[i] == '\n') {
			if (!wait_line(LSR_THRE))
				return;
			set(UART_DATA, '\r');
		}
		if (!wait_line(LSR_THRE))
			return;
		set(UART_DATA, (uint8_t)p[i]);
	}
}

void uart_drain(void)
{
	if (!uart_absent)
		wait_line(LSR_TEMT);
}

void uart_tx_interrupt(bool on)
{
	uint8_t wanted = on ? IER_RX | IER_TX : IER_RX;
	if (uart_absent || (wanted == ier_wanted && !ier_masked))
		return;
	ier_wanted = wanted;
	ier_masked = false;
	set(UART_IER, ier_wanted);
}
