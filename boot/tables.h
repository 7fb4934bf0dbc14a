/* The VMM's own descriptor tables. */
#ifndef BOOT_TABLES_H
#define BOOT_TABLES_H

#include "vmm/cpu.h"

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_TSS 0x18

/** Loads GDT, TSS with its interrupt stacks, and IDT on the boot CPU, and makes c the one that this_cpu() finds. */
void tables_init(struct cpu *c);

#endif
