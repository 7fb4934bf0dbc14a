/*
 * What the guest's firmware leaves: ACPI tables and SMBIOS structures. A kernel that the VMM boots directly finds them in memory
 * below 1 MiB, where it looks for them; a firmware that runs as the guest gets the same from fw_cfg and places them itself.
 */
#ifndef VMM_FIRMWARE_H
#define VMM_FIRMWARE_H

#include <stdint.h>

struct vm;

/** Makes the tables for this machine and puts them into fw_cfg. Once, when the PC is there. */
void firmware_make(struct vm *vm);

/**
 * Writes them, and the BIOS data area's few words, into the memory of a guest that is booted directly, and makes the SCI
 * level-triggered. Returns the RSDP's address.
 */
uint64_t firmware_write(struct vm *vm);

/** Bytes from GUEST_ACPI on that stay in use (ACPI NVS), and bytes behind these that a guest may have back when it read them. */
uint64_t firmware_nvs_bytes(void);
uint64_t firmware_table_bytes(void);

#endif
