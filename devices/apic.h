/* What an I/O APIC, or a CPU's interrupt command, sends to local APICs (SDM vol. 3, 11.6.1, 11.11). */
#ifndef DEVICES_APIC_H
#define DEVICES_APIC_H

#include <stdbool.h>
#include <stdint.h>

enum apic_mode { APIC_FIXED, APIC_LOWEST, APIC_SMI, APIC_NMI = 4, APIC_INIT, APIC_SIPI, APIC_EXTINT };

#define APIC_EVERYONE UINT32_MAX

struct apic_message {
	uint32_t dest; /* an APIC id, or APIC_EVERYONE; logical: a set of them */
	uint8_t vector;
	uint8_t mode; /* enum apic_mode */
	bool logical;
	bool level; /* level-triggered: its EOI is told to the I/O APICs */
};

#endif
