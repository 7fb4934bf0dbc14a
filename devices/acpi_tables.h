/*
 * The ACPI tables (ACPI 6.4, ch. 5): RSDP, RSDT, XSDT, FADT, FACS, DSDT, and where the machine has those devices MADT and HPET.
 *
 * They are made without an address. Who boots a kernel directly links them to theirs; firmware reads them from fw_cfg with a list
 * of what to place, patch and sum up, which follows from the same records.
 */
#ifndef DEVICES_ACPI_TABLES_H
#define DEVICES_ACPI_TABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ACPI_TABLES_BYTES 0x8000u
#define ACPI_NVS_BYTES 0x1000u /* the tables' first page: the FACS, which stays in use; the rest is read and done with */
#define ACPI_RSDP_BYTES 36u
#define ACPI_FIXES 24u
#define ACPI_LOADER_COMMAND 128u
#define ACPI_CPUS_MAX 255u

struct acpi_facts {
	unsigned cpus; /* 1 to ACPI_CPUS_MAX; APIC ids 0, 1, ... */
	uint64_t ecam; /* bus 0's memory-mapped configuration space */
	bool apic;     /* local APICs and the I/O APIC are there */
	bool hpet;
};

/* A field of `size` bytes at `at` that gets the tables' address added, or a checksum at `at` over len bytes from `start`. */
struct acpi_fix {
	bool in_rsdp; /* else in the tables */
	uint8_t size; /* 0: a checksum */
	uint32_t at, start, len;
};

struct acpi_tables {
	uint8_t rsdp[ACPI_RSDP_BYTES];
	uint8_t bytes[ACPI_TABLES_BYTES];
	uint32_t len; /* whole pages */
	unsigned fixes;
	struct acpi_fix fix[ACPI_FIXES]; /* in the order in which they are to be done */
};

/** Makes the tables; pointers in them are offsets, checksums 0. */
void acpi_tables_make(struct acpi_tables *t, const struct acpi_facts *facts);

/** Makes them those at address base (a multiple of 64), once. */
void acpi_tables_link(struct acpi_tables *t, uint32_t base);

/**
 * QEMU's "table loader" commands for the same (its hw/acpi/bios-linker-loader.c's comments are the specification), of tables that
 * are not linked: the files are etc/acpi/rsdp and etc/acpi/tables. Returns their length, or 0 when cap is too small.
 */
size_t acpi_tables_commands(const struct acpi_tables *t, uint8_t *out, size_t cap);

#endif
