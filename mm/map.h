/* The VMM's own page tables: identity, W^X (mm/layout.h). */
#ifndef MM_MAP_H
#define MM_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "boot/bootinfo.h"

/** Builds the tables described in mm/layout.h from the memory map and loads CR3; sets NX, WP, SMEP, SMAP, UMIP where the CPU has
 * them. Needs frames_init and this_cpu()->features. Returns 0 or -ENOMEM. In boot/paging.c. */
int map_init(const struct boot_info *bi);

/** Whether the live tables are still what map_init made (mm/audit.h). Returns the number of wrong entries. In boot/paging.c. */
uint64_t map_audit(void);

#define MAP_GUARDS_MAX 8

/* What map_build must know of the image (linker.ld) and the CPU. All addresses are page-aligned. */
struct map_plan {
	uint64_t image_start, text_end, rodata_end, image_end;
	uint64_t guard[MAP_GUARDS_MAX]; /* pages of the image that stay unmapped */
	unsigned guard_count;
	bool nx, huge; /* the CPU has no-execute; 1 GiB leaves */
};

/** Builds the tables without loading them. Returns 0 and the top table's address in *root, or -ENOMEM. */
int map_build(const struct boot_info *bi, const struct map_plan *plan, uint64_t *root);

/** Maps [hpa, hpa+len) of a device at its own address, uncached (PAT index 3 / PCD+PWT). What is so mapped already stays. Returns
 * 0, -EINVAL when part of it wraps or is mapped as something else, or -ENOMEM. */
int map_mmio(uint64_t hpa, uint64_t len);

#endif
