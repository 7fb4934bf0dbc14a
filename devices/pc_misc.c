#include "devices/pc_misc.h"

/* ---- port 0x61: NMI status and control (Intel 82371SB datasheet, NMISC) */

#define P61_GATE2 0x01u
#define P61_WRITABLE 0x0fu
#define P61_REFRESH 0x10u
#define P61_OUT2 0x20u
#define REFRESH_TICKS 18 /* of the 8254 from one refresh request to the next */

static uint64_t port61_read(void *dev, uint64_t addr, unsigned size)
{
	struct pc_misc *m = dev;

	(void)addr, (void)size;
	return m->port61 | (pit8254_ticks(m->pit) / REFRESH_TICKS & 1 ? P61_REFRESH : 0) | (pit8254_out(m->pit, 2) ? P61_OUT2 : 0);
}

static void port61_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct pc_misc *m = dev;

	(void)addr, (void)size;
	m->port61 = value & P61_WRITABLE;
	pit8254_gate(m->pit, 2, value & P61_GATE2);
}

const struct bus_ops pc_port61_ops = { .name = "port 61", .read = port61_read, .write = port61_write, .access_max = 1 };

/* ---- port 0x80: POST code */

static uint64_t port80_read(void *dev, uint64_t addr, unsigned size)
{
	const struct pc_misc *m = dev;

	(void)addr, (void)size;
	return m->port80;
}

static void port80_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct pc_misc *m = dev;

	(void)addr, (void)size;
	m->port80 = (uint8_t)value;
}

const struct bus_ops pc_port80_ops = { .name = "POST code", .read = port80_read, .write = port80_write, .access_max = 1 };

/* ---- port 0x92: fast reset on a rise of bit 0, A20 in bit 1 */

#define P92_RESET 0x01u
#define P92_A20 0x02u

static uint64_t port92_read(void *dev, uint64_t addr, unsigned size)
{
	const struct pc_misc *m = dev;

	(void)addr, (void)size;
	return m->port92;
}

static void port92_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct pc_misc *m = dev;
	bool rises = ~m->port92 & value & P92_RESET;

	(void)addr, (void)size;
	m->port92 = (uint8_t)value;
	if (rises)
		m->reset(m->arg);
}

const struct bus_ops pc_port92_ops = { .name = "port 92", .read = port92_read, .write = port92_write, .access_max = 1 };

/*
 * 0xcf8 to 0xcfb: a 32-bit access at 0xcf8 is PCI's configuration address and must not be taken for a write to its second byte: the
 * reset control register is a byte access at 0xcf9 (Intel 82371SB datasheet, RC).
 */
#define CF9_HARD 0x02u
#define CF9_RESET 0x04u
#define CF9_FULL 0x08u

static uint64_t cf8_read(void *dev, uint64_t addr, unsigned size)
{
	const struct pc_misc *m = dev;

	if (size == 4)
		return pci_address(m->pci);
	return size == 1 && addr == 1 ? m->cf9 : UINT64_MAX;
}

static void cf8_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct pc_misc *m = dev;

	if (size == 4)
		pci_set_address(m->pci, (uint32_t)value);
	if (size != 1 || addr != 1)
		return;
	bool rises = ~m->cf9 & value & CF9_RESET;

	m->cf9 = value & (CF9_HARD | CF9_RESET | CF9_FULL);
	if (rises)
		m->reset(m->arg);
}

const struct bus_ops pc_cf8_ops = { .name = "cf8-cfb", .read = cf8_read, .write = cf8_write, .access_max = 4 };

/* ---- the emulators' ways out */

static uint64_t zero_read(void *dev, uint64_t addr, unsigned size)
{
	(void)dev, (void)addr, (void)size;
	return 0;
}

static void debug_exit_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct pc_misc *m = dev;

	(void)addr, (void)size;
	m->debug_exit(m->arg, (uint32_t)value);
}

const struct bus_ops pc_debug_exit_ops = {
	.name = "isa-debug-exit", .read = zero_read, .write = debug_exit_write, .access_max = 4
};

static void shutdown_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	static const char word[] = "Shutdown";
	struct pc_misc *m = dev;

	(void)addr, (void)size;
	if (value != (uint8_t)word[m->shutdown_seen])
		m->shutdown_seen = 0; /* the letter may be the first of a new try */
	if (value == (uint8_t)word[m->shutdown_seen])
		m->shutdown_seen++;
	if (m->shutdown_seen == sizeof(word) - 1) {
		m->shutdown_seen = 0;
		m->power_off(m->arg);
	}
}

const struct bus_ops pc_shutdown_ops = { .name = "shutdown", .read = zero_read, .write = shutdown_write, .access_max = 1 };

void pc_misc_reset(struct pc_misc *m)
{
	m->port61 = m->port80 = m->cf9 = 0;
	m->port92 = P92_A20;
	m->shutdown_seen = 0;
}
