/* What the boot loader told (Multiboot 0.6.96, 3.3), copied before anything can overwrite it. */
#ifndef GUEST_BOOT_H
#define GUEST_BOOT_H

#include <stdbool.h>
#include <stdint.h>

#define BOOT_MAGIC 0x2badb002u
#define MBI_MEMORY (1u << 0)
#define MBI_CMDLINE (1u << 2)
#define MBI_MODULES (1u << 3)
#define MBI_MMAP (1u << 6)
#define MBI_FRAMEBUFFER (1u << 12)

#define BOOT_RANGES 32
#define BOOT_MODULES 8

struct boot_range {
	uint64_t base, len;
	uint32_t type; /* 1: usable RAM */
};

struct boot_module {
	uint64_t start, end;
	char args[128];
};

struct boot {
	uint32_t magic, flags;
	uint32_t mem_lower, mem_upper; /* KiB */
	char cmdline[256];
	unsigned module_count, range_count;
	struct boot_module module[BOOT_MODULES];
	struct boot_range range[BOOT_RANGES];
	uint64_t fb_addr;
	uint32_t fb_pitch, fb_width, fb_height;
	uint8_t fb_bpp, fb_type, fb_fields[6]; /* position and size of red, green, blue */
};

extern struct boot boot;
extern char image_start[], image_end[];

/** Fills in boot. Call first: print, traps and paging need nothing of it, all else does. */
void boot_init(void);

/** Sets up what every kernel wants: COM1, boot, traps, 8259s. */
void guest_init(void);

/** True when one word of the command line (behind the file's name or not) is word. */
bool boot_option(const char *word);

/** The number of the word NAME=NUMBER (decimal) of the command line; otherwise where there is none. */
uint64_t boot_number(const char *name, uint64_t otherwise);

/** Memory from the RAM that the map tells of, page-aligned, zeroed, below 4 GiB; never given back. NULL when there is none left. */
void *ram_alloc(uint64_t bytes);

/** A page-aligned page below 640 KiB, clear of page 0 and of what the loader left there; for real mode. */
#define LOW_PAGE 0x8000u

#endif
