/* The VMM proper, from the moment that the machine below it works. */
#ifndef VMM_MAIN_H
#define VMM_MAIN_H

#include "boot/bootinfo.h"

/**
 * Called once by boot/start.c on the boot CPU, with interrupts off, after boot information, command line, ACPI, frames, the VMM's
 * own map, time and interrupts are in order and the log goes to the UART. Must not return: end with machine_off().
 */
_Noreturn void tessera_main(struct boot_info *bi, struct boot_options *opt);

#endif
