/* The local APIC of the CPU that runs this, in xAPIC or x2APIC mode as the firmware left it (SDM vol. 3 ch. 11). */
#ifndef VMM_HW_LAPIC_H
#define VMM_HW_LAPIC_H

#include <stdbool.h>
#include <stdint.h>

enum lapic_register {
	LAPIC_ID = 0x20,
	LAPIC_VERSION = 0x30,
	LAPIC_TPR = 0x80,
	LAPIC_EOI = 0xb0,
	LAPIC_SPURIOUS = 0xf0,
	LAPIC_ISR = 0x100, /* eight of them, 0x10 apart */
	LAPIC_ESR = 0x280,
	LAPIC_LVT_TIMER = 0x320,
	LAPIC_LVT_LINT0 = 0x350,
	LAPIC_LVT_LINT1 = 0x360,
	LAPIC_LVT_ERROR = 0x370,
	LAPIC_TIMER_INITIAL = 0x380,
	LAPIC_TIMER_CURRENT = 0x390,
	LAPIC_TIMER_DIVIDE = 0x3e0,
};

#define LVT_MASKED (1u << 16)
#define LVT_NMI (4u << 8)
#define LVT_EXTINT (7u << 8)
#define LVT_TSC_DEADLINE (2u << 17)

/* Vectors that the VMM's own hardware raises; the 8259s have 0x20 - 0x2f. */
enum {
	VECTOR_PIC = 0x20,
	VECTOR_UART = 0x40,
	VECTOR_TIMER = 0x41,
	VECTOR_LAPIC_ERROR = 0xfe,
	VECTOR_SPURIOUS = 0xff,
};

/** Maps and enables it; local inputs masked but NMI on LINT1. Sets this_cpu()->apic_id. Returns 0, -ENODEV, or what map_mmio gave.
 */
int lapic_init(void);

uint32_t lapic_read(enum lapic_register r);
void lapic_write(enum lapic_register r, uint32_t v);

/** Whether the vector is in service, so that it wants an EOI. */
bool lapic_in_service(unsigned vector);
void lapic_eoi(void);

#endif
