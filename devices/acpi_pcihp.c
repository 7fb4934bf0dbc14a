#include "devices/acpi_pcihp.h"

enum { UP = 0, DOWN = 4, EJECT = 8, REMOVABLE = 12, BUS_SELECT = 16 };

static uint32_t pcihp_register(const struct acpi_pcihp *hp, unsigned at)
{
	if (at == BUS_SELECT)
		return hp->bus;
	if (hp->bus)
		return 0;
	switch (at) {
	case UP: return hp->up;
	case DOWN: return hp->down;
	case REMOVABLE: return hp->removable;
	default: return 0; /* EJECT: features, and there are none */
	}
}

static uint64_t pcihp_read(void *dev, uint64_t addr, unsigned size)
{
	struct acpi_pcihp *hp = dev;
	unsigned shift = 8 * ((unsigned)addr & 3);
	uint32_t value = pcihp_register(hp, (unsigned)addr & ~3u);

	if (addr < DOWN && !hp->bus)
		hp->up &= ~(uint32_t)((size == 4 ? UINT32_MAX : (1u << 8 * size) - 1) << shift);
	return value >> shift;
}

/* Each slot once at most: ejected() leaves it empty. */
static void eject(struct acpi_pcihp *hp, uint32_t slots)
{
	for (slots &= hp->removable; slots; slots &= slots - 1) {
		unsigned slot = (unsigned)__builtin_ctz(slots);

		acpi_pcihp_gone(hp, slot);
		hp->ejected(hp->arg, slot);
	}
}

static void pcihp_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct acpi_pcihp *hp = dev;
	unsigned shift = 8 * ((unsigned)addr & 3);
	uint32_t lanes = (uint32_t)((size == 4 ? UINT32_MAX : (1u << 8 * size) - 1) << shift);

	switch (addr & ~3u) {
	case EJECT:
		if (!hp->bus)
			eject(hp, (uint32_t)(value << shift) & lanes);
		break;
	case BUS_SELECT: hp->bus = (hp->bus & ~lanes) | ((uint32_t)(value << shift) & lanes); break;
	default: break;
	}
}

/* An access that is not aligned is made byte by byte. */
static uint64_t split_read(void *dev, uint64_t addr, unsigned size)
{
	uint64_t value = 0;

	if (!(addr & (size - 1)))
		return pcihp_read(dev, addr, size);
	for (unsigned i = 0; i < size; i++)
		value |= (pcihp_read(dev, addr + i, 1) & 0xff) << 8 * i;
	return value;
}

static void split_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	if (!(addr & (size - 1))) {
		pcihp_write(dev, addr, size, value);
		return;
	}
	for (unsigned i = 0; i < size; i++)
		pcihp_write(dev, addr + i, 1, value >> 8 * i & 0xff);
}

const struct bus_ops acpi_pcihp_ops = { .name = "PCI hot-plug", .read = split_read, .write = split_write, .access_max = 4 };

void acpi_pcihp_plug(struct acpi_pcihp *hp, unsigned slot, bool announce)
{
	hp->removable |= 1u << slot;
	if (!announce)
		return;
	hp->up |= 1u << slot;
	acpi_pm_gpe(hp->pm, ACPI_PCIHP_GPE);
}

void acpi_pcihp_ask(struct acpi_pcihp *hp, unsigned slot)
{
	hp->down |= 1u << slot;
	acpi_pm_gpe(hp->pm, ACPI_PCIHP_GPE);
}

void acpi_pcihp_unask(struct acpi_pcihp *hp, unsigned slot)
{
	hp->down &= ~(1u << slot);
}

void acpi_pcihp_gone(struct acpi_pcihp *hp, unsigned slot)
{
	hp->up &= ~(1u << slot);
	hp->down &= ~(1u << slot);
	hp->removable &= ~(1u << slot);
}

void acpi_pcihp_reset(struct acpi_pcihp *hp)
{
	hp->up = hp->down = hp->bus = 0;
}

void acpi_pcihp_init(struct acpi_pcihp *hp, struct acpi_pm *pm, void (*ejected)(void *arg, unsigned slot), void *arg)
{
	*hp = (struct acpi_pcihp){ .pm = pm, .ejected = ejected, .arg = arg };
}
