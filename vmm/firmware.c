#include "vmm/firmware.h"

#include <stdio.h>

#include "devices/acpi_tables.h"
#include "devices/smbios.h"
#include "vmm/log.h"
#include "vmm/vm.h"

/* In the segment that guests scan, on 16-byte boundaries (ACPI 6.4, 5.2.5.1; DSP0134 2.8, 5.2.1). */
#define RSDP_AT GUEST_FIRMWARE
#define SMBIOS_ENTRY_AT (GUEST_FIRMWARE + 0x40)
#define SMBIOS_AT (GUEST_FIRMWARE + 0x100)
_Static_assert(GUEST_ACPI + ACPI_TABLES_BYTES <= GUEST_FIRMWARE, "the tables lie below their pointers");
_Static_assert(SMBIOS_AT + SMBIOS_BYTES <= GUEST_HIGH_START, "in the firmware's segment");

/* BIOS data area. */
#define BDA_EBDA 0x40eull   /* segment */
#define BDA_MEMORY 0x413ull /* KiB below it */
#define E820_RAM 1u

#define ELCR2 0x4d1u /* which of IRQ 8 to 15 are level-triggered; the SCI is */

struct e820_entry {
	uint64_t base, len;
	uint32_t type;
} __attribute__((packed));

static struct acpi_tables acpi, linked;
static struct smbios smbios;
static uint8_t commands[(2 + ACPI_FIXES) * ACPI_LOADER_COMMAND];
static struct e820_entry ram[2];
static const char bootorder[1];

static void add(struct vm *vm, const char *name, const void *data, size_t len)
{
	if (fw_cfg_add(pc_fw_cfg(vm->pc), name, data, (uint32_t)len))
		log_error("fw_cfg: no room for %s", name);
}

void firmware_make(struct vm *vm)
{
	static const struct acpi_facts facts = { .cpus = 1, .ecam = GUEST_ECAM, .apic = true, .hpet = true };
	uint64_t low = vm->ram_bytes < GUEST_MMIO_START ? vm->ram_bytes : GUEST_MMIO_START, high = vm->ram_bytes - low;

	acpi_tables_make(&acpi, &facts);
	smbios_make(&smbios, facts.cpus, low, high);
	ram[0] = (struct e820_entry){ 0, low, E820_RAM };
	ram[1] = (struct e820_entry){ GUEST_HIGH_RAM, high, E820_RAM };
	add(vm, "bootorder", bootorder, sizeof(bootorder));
	add(vm, "etc/acpi/rsdp", acpi.rsdp, sizeof(acpi.rsdp));
	add(vm, "etc/acpi/tables", acpi.bytes, acpi.len);
	add(vm, "etc/e820", ram, (high ? 2 : 1) * sizeof(ram[0]));
	add(vm, "etc/smbios/smbios-anchor", smbios.entry, sizeof(smbios.entry));
	add(vm, "etc/smbios/smbios-tables", smbios.bytes, smbios.len);
	add(vm, "etc/table-loader", commands, acpi_tables_commands(&acpi, commands, sizeof(commands)));
}

static void put(struct vm *vm, uint64_t at, const void *data, size_t len)
{
	if (guest_mem_write(&vm->mem, at, data, len))
		log_error("firmware: no memory at 0x%llx", (unsigned long long)at);
}

uint64_t firmware_write(struct vm *vm)
{
	static struct smbios placed;
	uint16_t ebda = GUEST_EBDA >> 4, low_kib = GUEST_EBDA >> 10;
	uint8_t ebda_kib = (GUEST_LOW_END - GUEST_EBDA) >> 10;

	linked = acpi;
	acpi_tables_link(&linked, GUEST_ACPI);
	placed = smbios;
	smbios_link(&placed, SMBIOS_AT);
	put(vm, GUEST_ACPI, linked.bytes, linked.len);
	put(vm, RSDP_AT, linked.rsdp, sizeof(linked.rsdp));
	put(vm, SMBIOS_ENTRY_AT, placed.entry, sizeof(placed.entry));
	put(vm, SMBIOS_AT, placed.bytes, placed.len);
	put(vm, BDA_EBDA, &ebda, sizeof(ebda));
	put(vm, BDA_MEMORY, &low_kib, sizeof(low_kib));
	put(vm, GUEST_EBDA, &ebda_kib, sizeof(ebda_kib));
	bus_write(&vm->bus, BUS_PIO, ELCR2, 1, 1u << (ACPI_SCI - 8));
	return RSDP_AT;
}

uint64_t firmware_nvs_bytes(void)
{
	return ACPI_NVS_BYTES;
}

uint64_t firmware_table_bytes(void)
{
	return acpi.len - ACPI_NVS_BYTES;
}
