/* PCI configuration mechanism 1: bus 0, function 0 of each slot. */
#ifndef GUEST_PCI_H
#define GUEST_PCI_H

#include <stdint.h>

#include "guest-tests/lib/cpu.h"

#define PCI_COMMAND 0x04
#define PCI_BAR(n) (0x10 + 4 * (n))
#define PCI_COMMAND_MEMORY 2u

static inline void pci_select(unsigned slot, unsigned reg)
{
	outl(0xcf8, 0x80000000u | slot << 11 | (reg & 0xfc));
}

static inline uint32_t pci_read(unsigned slot, unsigned reg)
{
	pci_select(slot, reg);
	return inl(0xcfc);
}

static inline void pci_write(unsigned slot, unsigned reg, uint32_t value)
{
	pci_select(slot, reg);
	outl(0xcfc, value);
}

#endif
