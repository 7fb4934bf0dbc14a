/* Loads a guest kernel the way a boot loader would. Knows guest memory and nothing of vCPUs. */
#ifndef VMM_LOADER_H
#define VMM_LOADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/guest_mem.h"

struct loader_blob {
	const uint8_t *data; /* not owned */
	size_t len;
	const char *args; /* the string that goes with it: first word the file's name */
};

/* A region for the guest's memory map, as in E820. */
enum { MAP_RAM = 1, MAP_RESERVED = 2, MAP_ACPI = 3, MAP_ACPI_NVS = 4 };
struct loader_map {
	uint64_t base, len;
	uint32_t type;
};

struct loader_in {
	struct loader_blob kernel;
	const struct loader_blob *modules;
	unsigned module_count;
	const struct loader_map *map;
	unsigned map_count;
	/* the first head, for multiboot's framebuffer fields; width 0: none */
	uint64_t fb_addr;
	uint32_t fb_pitch, fb_width, fb_height;
	uint8_t fb_bpp;
	bool text; /* it is in VGA text mode 3 instead: the fields above are not looked at */
	uint64_t rsdp; /* where the ACPI tables begin, for those who needn't look for it; 0: there are none */
};

/*
 * How the boot CPU starts: interrupts off, flat segments 0x10 and 0x18, and 32-bit code without paging (Multiboot 0.6.96, 3.2; Linux's
 * boot.rst); or 64-bit code with cr3.
 */
struct loader_out {
	const char *protocol;     /* "multiboot 1, ELF32" ... */
	uint32_t entry, eax, ebx, esi;
	bool reset_vector;        /* as after power-on instead: none of what follows */
	uint32_t cr3;             /* page tables that map 4 GiB onto themselves; 0: 32-bit code */
	uint32_t gdt;             /* a GDT that the segments are in; limit 0: none */
	uint16_t gdt_limit;
};

/** True for a firmware image: whole units of 64 KiB, at most 16 MiB, and a jump at its reset vector, 16 bytes from the end. */
bool rom_is(const struct loader_blob *b);

/** Copies a firmware image to where it is at power-on. Memory at the top of 4 GiB is the caller's business. Returns 0 or -ENOSPC. */
int loader_rom(struct guest_mem *m, const struct loader_in *in, struct loader_out *out, char *why, size_t why_len);

/** True for a Linux bzImage. */
bool linux_is(const struct loader_blob *b);

/**
 * Which screen the kernel expects from whoever boots it: true for a framebuffer. Multiboot kernels ask for one in their header (3.1.2),
 * else they get VGA text, as from other boot loaders. Linux gets a framebuffer, but text for vga=normal, ext or a text mode's number
 * (boot.rst, "special command line options").
 */
bool multiboot_wants_graphics(const struct loader_blob *b);
bool linux_wants_graphics(const struct loader_blob *b);

/**
 * Loads a bzImage, its initramfs (the only module) and its boot parameters. The file is not trusted.
 * Returns 0; -ENOEXEC: a kind of kernel that is not known; -EINVAL: a broken one, or more than one module; -ENOSPC. why: a sentence.
 */
int loader_linux(struct guest_mem *m, const struct loader_in *in, struct loader_out *out, char *why, size_t why_len);

/**
 * Loads the kernel, its modules and the boot information into guest memory. The file is not trusted: every offset and size is
 * checked. The information block, strings and modules stay out of the first page and out of the kernel's span; modules go as high
 * as possible below 4 GiB, page-aligned.
 * Returns 0; -ENOEXEC: not a kernel we know; -EINVAL: a broken one; -ENOSPC: does not fit into the guest's memory. why: receives a
 * sentence.
 */
int loader_multiboot(struct guest_mem *m, const struct loader_in *in, struct loader_out *out, char *why, size_t why_len);

#endif
