#include "devices/uart16550.h"

#include <string.h>

/* Registers by port, DLAB clear (datasheet, table II). */
enum { RBR_THR, IER, IIR_FCR, LCR, MCR, LSR, MSR, SCR };

#define IER_RDA 0x01u
#define IER_THRE 0x02u
#define IER_RLS 0x04u
#define IER_MS 0x08u
#define IIR_NONE 0x01u
#define IIR_MS 0x00u
#define IIR_THRE 0x02u
#define IIR_RDA 0x04u
#define IIR_RLS 0x06u
#define IIR_TIMEOUT 0x0cu
#define IIR_FIFOS 0xc0u
#define FCR_ENABLE 0x01u
#define FCR_CLEAR_RX 0x02u
#define FCR_CLEAR_TX 0x04u
#define LCR_BITS 0x03u
#define LCR_STOP2 0x04u
#define LCR_PARITY 0x08u
#define LCR_8N1 0x03u
#define LCR_DLAB 0x80u
#define MCR_DTR 0x01u
#define MCR_RTS 0x02u
#define MCR_OUT1 0x04u
#define MCR_OUT2 0x08u
#define MCR_LOOP 0x10u
#define LSR_DR 0x01u
#define LSR_OE 0x02u
#define LSR_THRE 0x20u
#define LSR_TEMT 0x40u
#define MSR_CTS 0x10u
#define MSR_DSR 0x20u
#define MSR_RI 0x40u
#define MSR_DCD 0x80u
#define MSR_DELTAS 0x0fu

/* Nanoseconds of one bit, times divisor: 1 / 115,200 s. */
#define BIT_NS_NUM 1000000000ull
#define BIT_NS_DEN 115200u

static bool fifos(const struct uart16550 *u)
{
	return u->fcr & FCR_ENABLE;
}

static unsigned depth(const struct uart16550 *u)
{
	return fifos(u) ? UART_FIFO : 1;
}

static void put(struct uart_fifo *f, uint8_t v)
{
	f->byte[(f->head + f->count++) % UART_FIFO] = v;
}

static uint8_t take(struct uart_fifo *f)
{
	uint8_t v = f->byte[f->head];

	f->head = (f->head + 1) % UART_FIFO;
	f->count--;
	return v;
}

static void clear(struct uart_fifo *f)
{
	f->head = f->count = 0;
}

/* ---- interrupts */

static unsigned trigger(const struct uart16550 *u)
{
	static const uint8_t levels[4] = { 1, 4, 8, 14 };

	return fifos(u) ? levels[u->fcr >> 6] : 1;
}

/* The source with the highest priority (datasheet, table V). */
static uint8_t source(const struct uart16550 *u)
{
	if ((u->ier & IER_RLS) && u->overrun)
		return IIR_RLS;
	if ((u->ier & IER_RDA) && u->rx.count >= trigger(u))
		return IIR_RDA;
	if ((u->ier & IER_RDA) && u->timed_out)
		return IIR_TIMEOUT;
	if ((u->ier & IER_THRE) && u->thre_pending)
		return IIR_THRE;
	if ((u->ier & IER_MS) && (u->msr & MSR_DELTAS))
		return IIR_MS;
	return IIR_NONE;
}

static void update(struct uart16550 *u)
{
	irq_set(&u->irq, (u->mcr & MCR_OUT2) && source(u) != IIR_NONE);
}

/* Begins anew with every byte that comes or goes: four characters' time (datasheet, "FIFO Interrupt Mode Operation"). */
static void restart_timeout(struct uart16550 *u)
{
	uint64_t at = CLOCK_NEVER;

	u->timed_out = false;
	if (fifos(u) && u->rx.count) {
		uint64_t bits = 1 + 5 + (u->lcr & LCR_BITS) + !!(u->lcr & LCR_PARITY) + 1 + !!(u->lcr & LCR_STOP2);
		uint64_t divisor = u->divisor ? u->divisor : 0x10000;

		at = clock_now(u->clock) + 4 * bits * divisor * BIT_NS_NUM / BIT_NS_DEN;
	}
	clock_set(u->clock, &u->timer, at);
}

static void on_timeout(void *arg)
{
	struct uart16550 *u = arg;

	u->timed_out = fifos(u) && u->rx.count;
	update(u);
}

/* ---- data */

static void receive(struct uart16550 *u, uint8_t v)
{
	if (u->rx.count >= depth(u)) {
		/* With FIFOs the new byte is lost; without, it takes the old one's place (datasheet, LSR bit 1). */
		u->overrun = true;
		if (!fifos(u)) {
			clear(&u->rx);
			put(&u->rx, v);
		}
		return;
	}
	put(&u->rx, v);
	restart_timeout(u);
}

static void drain(struct uart16550 *u)
{
	if (!u->tx.count)
		return;
	while (u->tx.count && u->out(u->arg, u->tx.byte[u->tx.head]))
		take(&u->tx);
	if (!u->tx.count)
		u->thre_pending = true;
}

static void transmit(struct uart16550 *u, uint8_t v)
{
	v &= 0xff >> (3 - (u->lcr & LCR_BITS));
	u->thre_pending = false;
	if (u->mcr & MCR_LOOP) {
		receive(u, v);
		u->thre_pending = !u->tx.count;
		return;
	}
	if (u->tx.count >= depth(u)) {
		if (fifos(u))
			return; /* full: lost */
		clear(&u->tx);	/* the holding register is overwritten */
	}
	put(&u->tx, v);
	drain(u);
}

/* The modem's lines: CTS, DSR and DCD are on; in loop-back they follow MCR (datasheet, MCR bit 4). */
static void modem_lines(struct uart16550 *u)
{
	uint8_t lines = MSR_CTS | MSR_DSR | MSR_DCD;

	if (u->mcr & MCR_LOOP)
		lines = (u->mcr & MCR_RTS ? MSR_CTS : 0) | (u->mcr & MCR_DTR ? MSR_DSR : 0) | (u->mcr & MCR_OUT1 ? MSR_RI : 0) |
			(u->mcr & MCR_OUT2 ? MSR_DCD : 0);
	uint8_t changed = (u->msr ^ lines) & 0xf0;

	changed &= ~(lines & MSR_RI); /* of RI only the trailing edge counts */
	u->msr = lines | (u->msr & MSR_DELTAS) | changed >> 4;
}

/* The far end may have kept bytes back. The interrupt has gone down by then, so more bytes are a fresh edge. */
static void ask_for_more(struct uart16550 *u)
{
	if (u->drained && !u->rx.count && !(u->mcr & MCR_LOOP))
		u->drained(u->arg);
}

/* ---- registers */

static void write_fcr(struct uart16550 *u, uint8_t v)
{
	/* Turning the FIFOs on or off empties them; the other bits count only with bit 0 set (datasheet, FCR). */
	bool toggled = (u->fcr ^ v) & FCR_ENABLE;

	if (toggled || (v & FCR_ENABLE && v & FCR_CLEAR_RX)) {
		clear(&u->rx);
		restart_timeout(u);
	}
	if (toggled || (v & FCR_ENABLE && v & FCR_CLEAR_TX)) {
		if (u->tx.count)
			u->thre_pending = true;
		clear(&u->tx);
	}
	u->fcr = v & FCR_ENABLE ? v & (0xc0 | FCR_ENABLE) : 0;
}

static void uart_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct uart16550 *u = dev;
	uint8_t v = (uint8_t)value;
	bool dlab = u->lcr & LCR_DLAB;

	(void)size;
	switch (addr) {
	case RBR_THR:
		if (dlab)
			u->divisor = (u->divisor & 0xff00) | v;
		else
			transmit(u, v);
		break;
	case IER:
		if (dlab) {
			u->divisor = (uint16_t)(v << 8 | (u->divisor & 0xff));
			break;
		}
		/* Enabling the interrupt with the register empty tells so at once. */
		if (~u->ier & v & IER_THRE && !u->tx.count)
			u->thre_pending = true;
		u->ier = v & 0x0f;
		break;
	case IIR_FCR: write_fcr(u, v); break;
	case LCR: u->lcr = v; break;
	case MCR:
		u->mcr = v & 0x1f;
		modem_lines(u);
		break;
	case SCR: u->scr = v; break;
	default: break; /* LSR is for factory tests, MSR is read-only */
	}
	update(u);
	if (addr == IIR_FCR || addr == MCR)
		ask_for_more(u);
}

static uint8_t read_rbr(struct uart16550 *u)
{
	if (!u->rx.count)
		return 0;
	uint8_t v = take(&u->rx);

	restart_timeout(u);
	return v;
}

static uint8_t read_lsr(struct uart16550 *u)
{
	uint8_t v = (u->rx.count ? LSR_DR : 0) | (u->overrun ? LSR_OE : 0) | (u->tx.count ? 0 : LSR_THRE | LSR_TEMT);

	u->overrun = false;
	return v;
}

static uint64_t uart_read(void *dev, uint64_t addr, unsigned size)
{
	struct uart16550 *u = dev;
	bool dlab = u->lcr & LCR_DLAB;
	uint8_t v = 0;

	(void)size;
	switch (addr) {
	case RBR_THR: v = dlab ? u->divisor & 0xff : read_rbr(u); break;
	case IER: v = dlab ? u->divisor >> 8 : u->ier; break;
	case IIR_FCR:
		v = source(u);
		if (v == IIR_THRE)
			u->thre_pending = false; /* told */
		v |= fifos(u) ? IIR_FIFOS : 0;
		break;
	case LCR: v = u->lcr; break;
	case MCR: v = u->mcr; break;
	case LSR: v = read_lsr(u); break;
	case MSR:
		v = u->msr;
		u->msr &= ~MSR_DELTAS;
		break;
	default: v = u->scr; break;
	}
	update(u);
	if (addr == RBR_THR && !dlab)
		ask_for_more(u);
	return v;
}

const struct bus_ops uart16550_ops = { .name = "16550", .read = uart_read, .write = uart_write, .access_max = 1 };

size_t uart16550_in(struct uart16550 *u, const uint8_t *data, size_t len)
{
	size_t n = 0;

	if (u->mcr & MCR_LOOP)
		return 0;
	for (; n < len && u->rx.count < depth(u); n++)
		receive(u, data[n]);
	if (n)
		update(u);
	return n;
}

void uart16550_ready(struct uart16550 *u)
{
	drain(u);
	update(u);
}

void uart16550_reset(struct uart16550 *u)
{
	clear(&u->rx);
	clear(&u->tx);
	u->ier = u->fcr = u->mcr = u->scr = 0;
	u->lcr = LCR_8N1;
	u->divisor = 1;
	u->overrun = u->thre_pending = false;
	modem_lines(u);
	u->msr &= ~MSR_DELTAS;
	restart_timeout(u);
	update(u);
	ask_for_more(u);
}

void uart16550_init(struct uart16550 *u, struct clock *clock, struct irq_line irq, bool (*out)(void *arg, uint8_t byte), void *arg)
{
	memset(u, 0, sizeof(*u));
	u->clock = clock;
	u->irq = irq;
	u->out = out;
	u->arg = arg;
	u->timer = (struct dev_timer){ .fire = on_timeout, .arg = u };
	clock_add(clock, &u->timer);
	uart16550_reset(u);
}
