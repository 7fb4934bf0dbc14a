#include "devices/pci.h"

#include <errno.h>
#include <string.h>

#define ADDRESS_ENABLE 0x80000000u
#define ADDRESS_WRITABLE 0x80fffffcu
#define BAR_IO 1u
#define BAR_PREFETCH 8u
#define ROM_ENABLE 1u

static uint32_t get32(const struct pci_function *f, unsigned offset)
{
	uint32_t value;

	memcpy(&value, f->config + offset, 4);
	return value;
}

static void put32(struct pci_function *f, unsigned offset, uint32_t value)
{
	memcpy(f->config + offset, &value, 4);
}

/* ---- BARs */

/* Where the registers say that a BAR is. */
static uint64_t wanted(const struct pci_function *f, unsigned i)
{
	const struct pci_bar *b = &f->bar[i];
	uint32_t value = get32(f, PCI_BAR0 + 4 * i), base = value & ~(b->size - 1);

	if (i == PCI_ROM && !(value & ROM_ENABLE))
		return PCI_NOWHERE;
	if (!(f->config[PCI_COMMAND] & (b->io ? PCI_COMMAND_IO : PCI_COMMAND_MEMORY)) || base + (b->size - 1) < base)
		return PCI_NOWHERE;
	return base;
}

static int put_at(struct pci *p, struct pci_function *f, struct pci_bar *b, uint64_t base)
{
	enum bus_space space = b->io ? BUS_PIO : BUS_MMIO;
	int e = 0;

	if (!b->ops)
		e = b->place(f->dev, base);
	else if (base == PCI_NOWHERE)
		e = bus_remove(p->bus, space, b->at);
	else
		e = bus_add(p->bus, space, base, b->size, b->ops, f->dev);
	if (!e)
		b->at = base;
	return e;
}

/* Brings every BAR to where its registers say: first away with those that are wrong, as their places may be what others wait for.
 */
static void settle(struct pci *p)
{
	for (unsigned pass = 0; pass < 2; pass++)
		for (unsigned s = 0; s < PCI_SLOTS; s++)
			for (unsigned i = 0; p->slot[s] && i < PCI_BARS; i++) {
				struct pci_function *f = p->slot[s];
				struct pci_bar *b = &f->bar[i];
				uint64_t to = b->size ? wanted(f, i) : PCI_NOWHERE;

				if (!b->size || b->at == to)
					continue;
				if (pass == 0 && b->at != PCI_NOWHERE)
					(void)put_at(p, f, b, PCI_NOWHERE);
				else if (pass == 1 && b->at == PCI_NOWHERE)
					(void)put_at(p, f, b, to); /* taken: it stays nowhere */
			}
}

/* ---- configuration space */

/* Bits that the guest may write, of a doubleword. */
static uint32_t writable(const struct pci_function *f, unsigned offset)
{
	unsigned i = (offset - PCI_BAR0) / 4;
	uint32_t mask = 0;

	if (offset == PCI_COMMAND)
		return PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | 0x0540; /* parity, SERR, interrupt disable */
	if (offset >= PCI_BAR0 && i < PCI_BARS && f->bar[i].size)
		return ~(f->bar[i].size - 1) | (i == PCI_ROM ? ROM_ENABLE : 0);
	if (offset == PCI_INTERRUPT_LINE)
		return 0xff;
	for (i = 0; i < 4; i++)
		if (offset + i >= f->scratch_from && offset + i < f->scratch_end)
			mask |= 0xffu << 8 * i;
	return mask;
}

uint32_t pci_config_read(struct pci *p, unsigned slot, unsigned offset, unsigned size)
{
	const struct pci_function *f = slot < PCI_SLOTS ? p->slot[slot] : NULL;
	uint32_t value = UINT32_MAX;

	if (f)
		memcpy(&value, f->config + (offset & 0xff), size);
	return size == 4 ? value : value & ((1u << 8 * size) - 1);
}

void pci_config_write(struct pci *p, unsigned slot, unsigned offset, unsigned size, uint32_t value)
{
	struct pci_function *f = slot < PCI_SLOTS ? p->slot[slot] : NULL;
	unsigned at = offset & 0xfc, shift = 8 * (offset & 3);
	uint32_t lanes = (size == 4 ? UINT32_MAX : (1u << 8 * size) - 1) << shift, old, mask;

	if (!f)
		return;
	mask = writable(f, at) & lanes;
	old = get32(f, at);
	put32(f, at, (old & ~mask) | (value << shift & mask));
	if (at == PCI_COMMAND || (at >= PCI_BAR0 && at < PCI_BAR0 + 4 * PCI_BARS))
		settle(p);
}

uint32_t pci_address(const struct pci *p)
{
	return p->address;
}

void pci_set_address(struct pci *p, uint32_t value)
{
	p->address = value & ADDRESS_WRITABLE;
}

/* The function that the address register names: bus 0 and function 0 are all there is. */
static unsigned selected(const struct pci *p)
{
	return (p->address & ADDRESS_ENABLE) && !(p->address & 0x00ff0700) ? p->address >> 11 & 31 : PCI_SLOTS;
}

static uint64_t data_read(void *dev, uint64_t addr, unsigned size)
{
	struct pci *p = dev;

	return pci_config_read(p, selected(p), (p->address & 0xfc) + (unsigned)addr, size);
}

static void data_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct pci *p = dev;

	pci_config_write(p, selected(p), (p->address & 0xfc) + (unsigned)addr, size, (uint32_t)value);
}

const struct bus_ops pci_data_ops = { .name = "PCI configuration data", .read = data_read, .write = data_write, .access_max = 4 };

/* ---- the same by memory: device in bits 15 to 19, function in 12 to 14, of which 0 is all there is */

/* One doubleword at most; what crosses into the next is made byte by byte. */
static uint64_t ecam_read(void *dev, uint64_t addr, unsigned size)
{
	uint64_t value = 0;

	if (addr & (size - 1)) {
		for (unsigned i = 0; i < size; i++)
			value |= (ecam_read(dev, addr + i, 1) & 0xff) << 8 * i;
		return value;
	}
	return addr & 0x7f00 ? UINT64_MAX : pci_config_read(dev, (unsigned)addr >> 15, (unsigned)addr & 0xff, size);
}

static void ecam_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	if (addr & (size - 1))
		for (unsigned i = 0; i < size; i++)
			ecam_write(dev, addr + i, 1, value >> 8 * i & 0xff);
	else if (!(addr & 0x7f00))
		pci_config_write(dev, (unsigned)addr >> 15, (unsigned)addr & 0xff, size, (uint32_t)value);
}

const struct bus_ops pci_ecam_ops = { .name = "PCI configuration", .read = ecam_read, .write = ecam_write, .access_max = 4 };

/* ---- making it */

void pci_init(struct pci *p, struct bus *bus)
{
	*p = (struct pci){ .bus = bus };
}

void pci_function_init(struct pci_function *f, uint16_t vendor, uint16_t device, uint32_t class, uint8_t revision)
{
	*f = (struct pci_function){ 0 };
	put32(f, PCI_VENDOR, vendor | (uint32_t)device << 16);
	put32(f, PCI_REVISION, revision | class << 8);
}

static void reset_function(struct pci_function *f)
{
	f->config[PCI_COMMAND] = f->config[PCI_COMMAND + 1] = 0;
	f->config[PCI_INTERRUPT_LINE] = 0;
	memset(f->config + f->scratch_from, 0, f->scratch_end - f->scratch_from);
	for (unsigned i = 0; i < PCI_BARS; i++)
		if (f->bar[i].size)
			put32(f, PCI_BAR0 + 4 * i, (f->bar[i].io ? BAR_IO : 0) | (f->bar[i].prefetch ? BAR_PREFETCH : 0));
}

int pci_add(struct pci *p, unsigned slot, struct pci_function *f)
{
	if (slot >= PCI_SLOTS || p->slot[slot])
		return -EEXIST;
	for (unsigned i = 0; i < PCI_BARS; i++)
		f->bar[i].at = PCI_NOWHERE;
	reset_function(f);
	p->slot[slot] = f;
	return 0;
}

void pci_remove(struct pci *p, unsigned slot)
{
	struct pci_function *f = slot < PCI_SLOTS ? p->slot[slot] : NULL;

	if (!f)
		return;
	reset_function(f);
	settle(p);
	p->slot[slot] = NULL;
	settle(p);
}

void pci_assign(struct pci *p, unsigned slot, unsigned bar, uint32_t base)
{
	pci_config_write(p, slot, PCI_BAR0 + 4 * bar, 4, base);
}

void pci_reset(struct pci *p)
{
	p->address = 0;
	for (unsigned s = 0; s < PCI_SLOTS; s++)
		if (p->slot[s])
			reset_function(p->slot[s]);
	settle(p);
}
