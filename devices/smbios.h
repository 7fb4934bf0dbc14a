/* What the machine says of itself: SMBIOS 2.8 structures (DSP0134) with a 32-bit entry point. */
#ifndef DEVICES_SMBIOS_H
#define DEVICES_SMBIOS_H

#include <stdint.h>

#define SMBIOS_ENTRY_BYTES 31u
#define SMBIOS_BYTES 1024u

struct smbios {
	uint8_t entry[SMBIOS_ENTRY_BYTES];
	uint8_t bytes[SMBIOS_BYTES];
	uint16_t len, count, largest;
};

/**
 * Makes the structures for a machine with so much RAM: below the PCI window, and from 4 GiB on. The entry point is the one of
 * structures at address 0, which is what firmware wants to find in fw_cfg.
 */
void smbios_make(struct smbios *s, unsigned cpus, uint64_t ram_low, uint64_t ram_high);

/** Makes the entry point that of structures at this address. */
void smbios_link(struct smbios *s, uint32_t address);

#endif
