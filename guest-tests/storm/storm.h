/*
 * A guest that attacks what it runs on, in every mode. All that it does follows from a seed and a case's number. It comes back from
 * what it did to itself: by its interrupt table, by a watchdog, by a reset; its progress is in the RTC's RAM, which a reset keeps.
 */
#ifndef GUEST_STORM_H
#define GUEST_STORM_H

#include <stdbool.h>
#include <stdint.h>

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/prng.h"
#include "guest-tests/lib/trap.h"

#define PAGE 4096u

/* ---- dice.c: what is thrown */

extern struct prng dice;
uint32_t below(uint32_t n);
uint64_t wide(void);
/** True once in n. */
static inline bool once_in(uint32_t n)
{
	return !below(n);
}
/** An address that something answers at, or that lies next to it, or nowhere. */
uint64_t an_address(void);
/** A number of the kind that breaks things, or any. */
uint64_t a_value(void);
/** A port; never one that ends the run or forgets its progress. */
uint16_t a_port(void);

/* ---- progress.c */

struct progress {
	uint32_t next;	  /* case */
	uint16_t resets;  /* boots after the first */
	uint16_t damaged; /* resets that the guest asked for because its image was no longer what was loaded */
};
/** What an earlier boot of this machine stored under this key; zeroes where there is none. */
struct progress progress_load(uint32_t key);
void progress_store(uint32_t key, struct progress p);

/* ---- mend.c */

/** An NMI ends the innermost trap_run after so many microseconds. */
void watch_start(uint32_t us);
void watch_stop(void);
/** CPU and interrupt controllers as a case finds them. */
void mend(void);
/** Remembers what the image's code and constants are; image_whole says whether they still are. */
void image_remember(void);
bool image_whole(void);
_Noreturn void reset_machine(void);
#define LOCAL_APIC 0xfee00000ull
#define IO_APIC 0xfec00000ull
static inline volatile uint32_t *mmio32(uint64_t address)
{
	return (volatile uint32_t *)address;
}
void ioapic_write(unsigned index, uint32_t value);

/* ---- bytes.c */

/** Fills in n bytes of code: random, or of instructions that a hypervisor has a hand in. */
void bytes_make(uint8_t *at, unsigned n, bool wide_mode);

/* ---- modes.c: random code in each mode */

void modes_init(void);
void attack_long(void);
void attack_user(void);
void attack_compatible(void);
void attack_crossing(void);
void attack_legacy(void);
void attack_real(void);

/* ---- devices.c */

void attack_ports(void);
void attack_string_ports(void);
void attack_mmio(void);
void attack_pci(void);
void attack_rtc(void);
void attack_interrupts(void);
void attack_nmi(void);

/* ---- system.c */

void attack_msrs(void);
void attack_control(void);
void attack_xcr(void);
void attack_tables(void);
void attack_paging(void);
void attack_hypercalls(void);
void attack_triple(void);
void attack_halt(void);

#endif
