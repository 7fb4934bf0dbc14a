/*
 * A watchdog for an exit that does not end: the handler runs with interrupts off, so it is an NMI that looks, from the machine's
 * 8254 through the I/O APIC, 18 times a second. What it sees is whether the vCPU exited or vm_run went round since it looked last.
 * When neither happened for so many seconds, what ran is given up where it is: the guest is parked with a report of where that was,
 * and the link goes on. What hangs then once more, with the guest still parked, is the VMM's end: a panic.
 */
#ifndef VMM_WATCHDOG_H
#define VMM_WATCHDOG_H

#include <stdbool.h>
#include <stdint.h>

#include "boot/bootinfo.h"

struct trap_frame;
struct vm;

/** Starts the NMIs and sees whether they come; where they do not, the log says that there is no watchdog. seconds: 0 is none. */
void watchdog_init(const struct boot_info *bi, uint32_t seconds);

/** Calls vm_run(vm), and again after each time that the watchdog cut it short. Returns when vm_run did. */
void watchdog_run(struct vm *vm);

/** Work that may rightly take long, as filling the guest's memory: not watched from true to false. */
void watchdog_pause(bool on);

/** boot/trap.c: an NMI came. */
void watchdog_nmi(struct trap_frame *f);

/* watchdog_entry.asm */

/** Calls fn(arg); true when watchdog_land cut it short. Does not nest. */
bool watchdog_call(void (*fn)(void *arg), void *arg);
/** Where an interrupt returns to to end the call. */
void watchdog_land(void);

#endif
