#include "devices/ioapic.h"

#include <string.h>

/* Memory-mapped registers (datasheet, 3.1), and those behind IOREGSEL (3.2). */
#define IOREGSEL 0x00u
#define IOWIN 0x10u
#define EOI 0x40u
enum { INDEX_ID, INDEX_VERSION, INDEX_ARBITRATION, INDEX_ENTRY = 0x10 };

#define VERSION (0x20u | (IOAPIC_PINS - 1) << 16)

/* Redirection table (3.2.4). */
#define ENTRY_VECTOR(e) ((uint8_t)(e))
#define ENTRY_MODE(e) ((uint8_t)((e) >> 8 & 7))
#define ENTRY_LOGICAL (1ull << 11)
#define ENTRY_REMOTE_IRR (1ull << 14)
#define ENTRY_LEVEL (1ull << 15)
#define ENTRY_MASKED (1ull << 16)
#define ENTRY_DEST(e) ((uint8_t)((e) >> 56))
#define ENTRY_WRITABLE 0xff0000000001afffull /* all but delivery status and remote IRR, and what is reserved */

static bool is_level(uint64_t entry)
{
	return entry & ENTRY_LEVEL;
}

static bool extint(uint64_t entry)
{
	return ENTRY_MODE(entry) == APIC_EXTINT;
}

/*
 * Sends what an input asks for. A level waits for the EOI of the last one; an edge has been noted in undelivered. In ExtINT mode
 * the 8259 has the vector, and ioapic_passes_8259 says that it is asked: the message says only that something changed.
 */
static void service(struct ioapic *io, unsigned pin)
{
	uint64_t e = io->entry[pin];
	uint32_t bit = 1u << pin;
	struct apic_message m = {
		.dest = ENTRY_DEST(e) == 0xff ? APIC_EVERYONE : ENTRY_DEST(e),
		.vector = ENTRY_VECTOR(e),
		.mode = ENTRY_MODE(e),
		.logical = e & ENTRY_LOGICAL,
		.level = is_level(e),
	};

	if (extint(e) && !(e & ENTRY_MASKED))
		(void)io->send(io->arg, &m);
	if (e & ENTRY_MASKED || extint(e) || !(io->undelivered & bit) || (is_level(e) && e & ENTRY_REMOTE_IRR))
		return;
	/* NMI, SMI and INIT are edges whatever the entry says (3.2.4). */
	if (m.mode != APIC_FIXED && m.mode != APIC_LOWEST)
		m.level = false;
	/* Noted first: the CPU may take the interrupt, and even end it, while the message is under way. */
	if (m.level)
		io->entry[pin] |= ENTRY_REMOTE_IRR;
	else
		io->undelivered &= ~bit;
	if (io->send(io->arg, &m))
		return;
	io->entry[pin] &= ~ENTRY_REMOTE_IRR;
	io->undelivered |= bit;
}

void ioapic_set(void *ioapic, unsigned pin, bool level)
{
	struct ioapic *io = ioapic;
	uint32_t bit;
	bool rise;

	if (pin >= IOAPIC_PINS)
		return;
	bit = 1u << pin;
	rise = level && !(io->lines & bit);
	io->lines = level ? io->lines | bit : io->lines & ~bit;
	if (is_level(io->entry[pin])) {
		io->undelivered = level ? io->undelivered | bit : io->undelivered & ~bit;
	} else if (rise && !(io->entry[pin] & ENTRY_MASKED)) { /* edges at a masked input are forgotten (3.2.4) */
		io->undelivered |= bit;
	}
	service(io, pin);
}

void ioapic_eoi(struct ioapic *io, uint8_t vector)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++) {
		uint64_t e = io->entry[pin];

		if (ENTRY_VECTOR(e) != vector || !is_level(e))
			continue;
		io->entry[pin] &= ~ENTRY_REMOTE_IRR;
		service(io, pin);
	}
}

void ioapic_retry(struct ioapic *io)
{
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		service(io, pin);
}

bool ioapic_masked(const struct ioapic *io, unsigned pin)
{
	return pin >= IOAPIC_PINS || io->entry[pin] & ENTRY_MASKED;
}

int ioapic_vector(const struct ioapic *io, unsigned pin)
{
	if (ioapic_masked(io, pin) || ENTRY_MODE(io->entry[pin]) > APIC_LOWEST)
		return -1;
	return ENTRY_VECTOR(io->entry[pin]);
}

bool ioapic_passes_8259(const struct ioapic *io)
{
	return !ioapic_masked(io, IOAPIC_PIN_8259) && extint(io->entry[IOAPIC_PIN_8259]);
}

/* ---- registers */

/* An entry is written in halves. An input that turns to edges has no remote IRR, and what is waiting is what its new kind knows. */
static void write_entry(struct ioapic *io, unsigned pin, bool high, uint32_t value)
{
	uint64_t old = io->entry[pin], e;
	uint32_t bit = 1u << pin;

	e = high ? (old & UINT32_MAX) | (uint64_t)value << 32 : (old & ~(uint64_t)UINT32_MAX) | value;
	e = (e & ENTRY_WRITABLE) | (is_level(e) ? old & ENTRY_REMOTE_IRR : 0);
	io->entry[pin] = e;
	if (is_level(e))
		io->undelivered = (io->undelivered & ~bit) | (io->lines & bit);
	else if (is_level(old) || e & ENTRY_MASKED)
		io->undelivered &= ~bit;
	service(io, pin);
}

static uint32_t read_index(const struct ioapic *io)
{
	unsigned i = io->select;

	if (i == INDEX_ID || i == INDEX_ARBITRATION)
		return (uint32_t)io->id << 24;
	if (i == INDEX_VERSION)
		return VERSION;
	if (i < INDEX_ENTRY || i >= INDEX_ENTRY + 2 * IOAPIC_PINS)
		return 0;
	i -= INDEX_ENTRY;
	return (uint32_t)(io->entry[i / 2] >> 32 * (i & 1));
}

static void write_index(struct ioapic *io, uint32_t value)
{
	unsigned i = io->select;

	if (i == INDEX_ID)
		io->id = value >> 24 & 15;
	else if (i >= INDEX_ENTRY && i < INDEX_ENTRY + 2 * IOAPIC_PINS)
		write_entry(io, (i - INDEX_ENTRY) / 2, (i - INDEX_ENTRY) & 1, value);
}

static uint64_t mmio_read(void *dev, uint64_t addr, unsigned size)
{
	const struct ioapic *io = dev;
	uint32_t value = 0;

	(void)size; /* the bus takes what it needs of it */
	if ((addr & ~3ull) == IOREGSEL)
		value = io->select;
	else if ((addr & ~3ull) == IOWIN)
		value = read_index(io);
	return value >> 8 * (addr & 3);
}

/* The select register may be written as a byte; the others are 32 bits wide (3.0). */
static void mmio_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct ioapic *io = dev;

	if (addr == IOREGSEL)
		io->select = (uint8_t)value;
	else if (addr == IOWIN && size == 4)
		write_index(io, (uint32_t)value);
	else if (addr == EOI && size == 4)
		ioapic_eoi(io, (uint8_t)value);
}

const struct bus_ops ioapic_ops = { .name = "I/O APIC", .read = mmio_read, .write = mmio_write, .access_max = 4 };

void ioapic_reset(struct ioapic *io)
{
	io->select = io->id = 0;
	io->undelivered = 0;
	for (unsigned pin = 0; pin < IOAPIC_PINS; pin++)
		io->entry[pin] = ENTRY_MASKED;
}

void ioapic_init(struct ioapic *io, bool (*send)(void *arg, const struct apic_message *m), void *arg)
{
	memset(io, 0, sizeof(*io));
	io->send = send;
	io->arg = arg;
	ioapic_reset(io);
}
