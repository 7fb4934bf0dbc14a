/* The firmware as a guest without any knowledge of this machine finds it. */
#ifndef GUEST_ACPI_H
#define GUEST_ACPI_H

#include <stdint.h>

/** A table of this signature, whole and summed, by both roots; NULL: none. */
const uint8_t *acpi_find(const char *signature);

/* tables.c */
void test_rsdp(void);
void test_tables(void);
void test_map(void);
void test_smbios(void);
/* fwcfg.c */
void test_fw_cfg(void);
void test_dma(void);
void test_dma_vram(void);
/* hardware.c */
void test_timer(void);
void test_sci(void);
void test_events(void);
void test_hotplug_hostile(void);
void test_eject(void);
/** Enters S5 by the FADT and the DSDT's \_S5. Returns when that did nothing. */
void power_off(void);

static inline uint64_t get(const uint8_t *p, unsigned n)
{
	uint64_t v = 0;

	for (unsigned i = 0; i < n; i++)
		v |= (uint64_t)p[i] << 8 * i;
	return v;
}

#endif
