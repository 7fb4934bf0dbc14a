/* Multiboot information, versions 1 and 2 (GNU multiboot specifications 0.6.96 3.3 and 2.0 3.6). */
#ifndef BOOT_MULTIBOOT_H
#define BOOT_MULTIBOOT_H

#include <stdint.h>

#include "boot/bootinfo.h"
#include "boot/view.h"

#define MULTIBOOT1_MAGIC 0x2badb002u
#define MULTIBOOT2_MAGIC 0x36d76289u

/** Each fills bi, which is zero, and takes nothing on trust but the view. Returns 0, or -EINVAL with a sentence in *why. */
int multiboot1_read(struct boot_info *bi, const struct boot_view *v, uint64_t addr, const char **why);
int multiboot2_read(struct boot_info *bi, const struct boot_view *v, uint64_t addr, const char **why);

/* What both versions share (boot/bootinfo.c); the same returns. */

/** Adds one range of the memory map. Empty and wrapping ones are dropped with a message. */
int bootinfo_add_memory(struct boot_info *bi, uint64_t base, uint64_t len, uint32_t type, const char **why);

/** Adds a module's bounds; its string is still to be copied to bi->module[bi->module_count - 1].args. */
int bootinfo_add_module(struct boot_info *bi, uint64_t start, uint64_t end, const char **why);

/** Copies a string that ends within size bytes and within max bytes from addr; -EINVAL when it does not. */
int bootinfo_copy_string(const struct boot_view *v, char *dst, size_t size, uint64_t addr, uint64_t max);

/** As bootinfo_read, through a view. */
int bootinfo_read_view(struct boot_info *bi, const struct boot_view *v, uint32_t magic, uint64_t addr, const char **why);

#endif
