#include "devices/acpi_pm.h"

#define NS_PER_S 1000000000ull

/* PM1 status and enable (ACPI 6.4, 4.8.3.1). */
#define PM1_TIMER 0x0001u
#define PM1_GLOBAL 0x0020u
#define PM1_POWER_BUTTON 0x0100u
#define PM1_RTC 0x0400u
#define PM1_ENABLE_BITS (PM1_TIMER | PM1_GLOBAL | PM1_POWER_BUTTON | PM1_RTC) /* the RTC's event never comes: FADT, FIX_RTC */
/* PM1 control (4.8.3.2). */
#define PM1_SCI_EN 0x0001u
#define PM1_BM_RLD 0x0002u
#define PM1_SLP_TYP_SHIFT 10u
#define PM1_SLP_TYP (7u << PM1_SLP_TYP_SHIFT)
#define PM1_SLP_EN 0x2000u

#define TIMER_MASK 0xffffffu
#define TIMER_CARRY 23u /* the bit whose change sets TMR_STS (4.8.3.3) */

/* ---- the timer: exact in both directions, without a product that could overflow */

uint64_t acpi_pm_ticks(const struct acpi_pm *pm)
{
	uint64_t ns = clock_now(pm->clock);

	return ns / NS_PER_S * ACPI_PM_HZ + ns % NS_PER_S * ACPI_PM_HZ / NS_PER_S;
}

/* The first nanosecond at which acpi_pm_ticks() gives tick. */
static uint64_t tick_time(uint64_t tick)
{
	return tick / ACPI_PM_HZ * NS_PER_S + (tick % ACPI_PM_HZ * NS_PER_S + ACPI_PM_HZ - 1) / ACPI_PM_HZ;
}

static uint64_t carries(const struct acpi_pm *pm)
{
	return acpi_pm_ticks(pm) >> TIMER_CARRY;
}

static uint16_t status(const struct acpi_pm *pm)
{
	return pm->status | (carries(pm) != pm->carries ? PM1_TIMER : 0);
}

/* ---- the SCI */

static void update(struct acpi_pm *pm)
{
	bool timer = pm->enable & PM1_TIMER;

	irq_set(&pm->sci, (status(pm) & pm->enable) || (pm->gpe_status & pm->gpe_enable));
	clock_set(pm->clock, &pm->timer,
		  timer && carries(pm) == pm->carries ? tick_time((pm->carries + 1) << TIMER_CARRY) : CLOCK_NEVER);
}

static void on_carry(void *arg)
{
	update(arg);
}

/* ---- registers, doubleword by doubleword */

static uint32_t pm_register(const struct acpi_pm *pm, unsigned at)
{
	switch (at) {
	case 0: return status(pm) | (uint32_t)pm->enable << 16;
	case 4: return pm->control | PM1_SCI_EN;
	case 8: return (uint32_t)acpi_pm_ticks(pm) & TIMER_MASK;
	default: return 0;
	}
}

static uint64_t pm_read(void *dev, uint64_t addr, unsigned size)
{
	unsigned at = (unsigned)addr & ~3u, shift = 8 * ((unsigned)addr & 3);
	uint64_t value = pm_register(dev, at);

	if (shift + 8 * size > 32)
		value |= (uint64_t)pm_register(dev, at + 4) << 32;
	return value >> shift;
}

static void clear_status(struct acpi_pm *pm, uint16_t bits)
{
	pm->status &= (uint16_t)~bits;
	if (bits & PM1_TIMER)
		pm->carries = carries(pm);
}

static uint16_t with_byte(uint16_t old, unsigned byte, uint8_t value)
{
	return (uint16_t)((old & ~(0xffu << 8 * byte)) | (unsigned)value << 8 * byte);
}

static void write_control(struct acpi_pm *pm, uint16_t value)
{
	pm->control = value & (PM1_BM_RLD | PM1_SLP_TYP);
	if ((value & PM1_SLP_EN) && (value & PM1_SLP_TYP) >> PM1_SLP_TYP_SHIFT == ACPI_S5_TYPE)
		pm->power_off(pm->arg);
}

static void pm_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct acpi_pm *pm = dev;

	for (unsigned i = 0; i < size; i++, value >>= 8) {
		unsigned at = (unsigned)addr + i, byte = at & 1;

		switch (at & ~1u) {
		case 0: clear_status(pm, (uint16_t)((value & 0xff) << 8 * byte)); break;
		case 2: pm->enable = with_byte(pm->enable, byte, (uint8_t)value) & PM1_ENABLE_BITS; break;
		case 4: write_control(pm, with_byte(pm->control, byte, (uint8_t)value)); break;
		default: break;
		}
	}
	update(pm);
}

const struct bus_ops acpi_pm_ops = { .name = "ACPI PM", .read = pm_read, .write = pm_write, .access_max = 4 };

static uint64_t gpe_read(void *dev, uint64_t addr, unsigned size)
{
	const struct acpi_pm *pm = dev;

	(void)size;
	return (pm->gpe_status | (uint64_t)pm->gpe_enable << 16) >> 8 * addr;
}

static void gpe_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct acpi_pm *pm = dev;

	(void)size;
	if (addr < 2)
		pm->gpe_status &= (uint16_t) ~((value & 0xff) << 8 * addr);
	else
		pm->gpe_enable = with_byte(pm->gpe_enable, (unsigned)addr - 2, (uint8_t)value);
	pm->gpe_listened |= pm->gpe_enable;
	update(pm);
}

const struct bus_ops acpi_gpe_ops = { .name = "ACPI events", .read = gpe_read, .write = gpe_write, .access_max = 1 };

/* ---- events */

void acpi_pm_power_button(struct acpi_pm *pm)
{
	pm->status |= PM1_POWER_BUTTON;
	update(pm);
}

void acpi_pm_gpe(struct acpi_pm *pm, unsigned n)
{
	pm->gpe_status |= (uint16_t)(1u << n);
	update(pm);
}

bool acpi_pm_gpe_listened(const struct acpi_pm *pm, unsigned n)
{
	return pm->gpe_listened >> n & 1;
}

bool acpi_pm_button_listened(const struct acpi_pm *pm)
{
	return pm->enable & PM1_POWER_BUTTON;
}

void acpi_pm_reset(struct acpi_pm *pm)
{
	pm->status = pm->enable = pm->control = 0;
	pm->gpe_status = pm->gpe_enable = pm->gpe_listened = 0;
	pm->carries = carries(pm);
	update(pm);
}

void acpi_pm_init(struct acpi_pm *pm, struct clock *clock, struct irq_line sci, void (*power_off)(void *arg), void *arg)
{
	*pm = (struct acpi_pm){ .clock = clock, .sci = sci, .power_off = power_off, .arg = arg };
	pm->timer.fire = on_carry;
	pm->timer.arg = pm;
	clock_add(clock, &pm->timer);
}
