#include "vmm/hw/lapic.h"

#include <errno.h>
#include <stddef.h>

#include "mm/map.h"
#include "vmm/cpu.h"
#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"

#define SPURIOUS_ENABLE (1u << 8)
#define CPUID1_EDX_APIC (1u << 9)

static volatile uint32_t *registers; /* NULL in x2APIC mode */

uint32_t lapic_read(enum lapic_register r)
{
	return registers ? registers[r / 4] : (uint32_t)rdmsr(MSR_X2APIC_BASE + (uint32_t)r / 16);
}

void lapic_write(enum lapic_register r, uint32_t v)
{
	if (registers)
		registers[r / 4] = v;
	else
		wrmsr(MSR_X2APIC_BASE + (uint32_t)r / 16, v);
}

bool lapic_in_service(unsigned vector)
{
	return lapic_read(LAPIC_ISR + vector / 32 * 16) >> (vector % 32) & 1;
}

void lapic_eoi(void)
{
	lapic_write(LAPIC_EOI, 0);
}

/* Ends what the firmware left in service, else its priority blocks ours. */
static void finish_in_service(void)
{
	for (unsigned vector = 256; vector-- > 16;) {
		if (lapic_in_service(vector))
			lapic_eoi();
	}
}

int lapic_init(void)
{
	uint32_t r[4];
	uint64_t base;
	cpuid(1, 0, r);
	if (!(r[3] & CPUID1_EDX_APIC) || rdmsr_safe(MSR_APIC_BASE, &base))
		return -ENODEV;
	if (!(base & APIC_BASE_ENABLE)) {
		base |= APIC_BASE_ENABLE;
		if (wrmsr_safe(MSR_APIC_BASE, base))
			return -ENODEV;
	}
	registers = NULL;
	if (!(base & APIC_BASE_X2APIC)) {
		int err = map_mmio(base & APIC_BASE_ADDR, 4096);
		if (err)
			return err;
		registers = (volatile uint32_t *)(uintptr_t)(base & APIC_BASE_ADDR);
	}
	/* In xAPIC mode the id is in the top byte. */
	this_cpu()->apic_id = registers ? lapic_read(LAPIC_ID) >> 24 : lapic_read(LAPIC_ID);
	lapic_write(LAPIC_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	lapic_write(LAPIC_LVT_LINT0, LVT_MASKED | LVT_EXTINT);
	lapic_write(LAPIC_LVT_LINT1, LVT_NMI);
	lapic_write(LAPIC_LVT_ERROR, VECTOR_LAPIC_ERROR);
	lapic_write(LAPIC_ESR, 0);
	lapic_write(LAPIC_TPR, 0);
	finish_in_service();
	return 0;
}
