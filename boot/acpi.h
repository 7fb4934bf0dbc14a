/* What the VMM takes from ACPI's tables (ACPI 6.4 ch. 5.2): CPUs, interrupt controllers, clocks. */
#ifndef BOOT_ACPI_H
#define BOOT_ACPI_H

#include "boot/bootinfo.h"
#include "boot/view.h"

/**
 * Finds the RSDP (the loader's copy, else by the scan of 5.2.5.1) and fills bi's fields from ACPI with what sound tables say. What
 * is missing or broken is logged; the fields then say "none told", and isa_gsi is the identity. Call it while low memory is mapped.
 */
void acpi_read(struct boot_info *bi, const struct boot_view *v);

#endif
