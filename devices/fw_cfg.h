/*
 * QEMU's firmware configuration device (its specification: docs/specs/fw_cfg): a selector at 0x510, 16 bits; data at 0x511, byte by
 * byte; and the DMA interface at 0x514. The items that test kernels and firmware ask for, and files, which the owner adds; others
 * read as nothing, which is zeros. Nothing can be written.
 */
#ifndef DEVICES_FW_CFG_H
#define DEVICES_FW_CFG_H

#include <stddef.h>
#include <stdint.h>

#include "devices/bus.h"

/* Where the boot ROM puts a kernel's 16-bit part and command line. */
#define FW_CFG_SETUP_ADDR 0x10000u
#define FW_CFG_CMDLINE_ADDR 0x20000u

#define FW_CFG_FILES 24u
#define FW_CFG_NAME 56u		      /* with its ending 0 */
#define FW_CFG_TRANSFER_MAX 0x100000u /* bytes that one DMA moves, unless they are all an item's */

/* Guest-physical memory: 0, or a negative errno when any of the bytes is not RAM. */
struct fw_cfg_memory {
	int (*read)(void *arg, uint64_t gpa, void *to, size_t len);
	int (*write)(void *arg, uint64_t gpa, const void *from, size_t len);
	void *arg;
};

struct fw_cfg_file {
	const char *name;
	const void *data;
	uint32_t len;
};

/* A Linux kernel that a boot ROM asks for (QEMU's linuxboot): parts of 0 bytes are not there. Not owned. */
struct fw_cfg_part {
	const void *data;
	uint32_t len;
};

struct fw_cfg_linux {
	struct fw_cfg_part setup, kernel, initrd, cmdline;
	uint32_t initrd_addr; /* where the initramfs may go; the boot ROM knows better how much memory the firmware left */
};

struct fw_cfg {
	uint64_t ram_bytes;
	uint16_t cpus;
	uint16_t selected;
	uint32_t offset;
	uint32_t dma_high; /* of the address, until its low half comes */
	struct fw_cfg_memory memory;
	struct fw_cfg_linux os;
	unsigned files;
	struct fw_cfg_file file[FW_CFG_FILES];
	uint8_t directory[4 + FW_CFG_FILES * (8 + FW_CFG_NAME)];
};

extern const struct bus_ops fw_cfg_ops;	    /* 2 ports at 0x510 */
extern const struct bus_ops fw_cfg_dma_ops; /* 8 ports at 0x514 */

void fw_cfg_init(struct fw_cfg *f, uint64_t ram_bytes, unsigned cpus, const struct fw_cfg_memory *memory);
/** Power-on: item 0 is selected. */
void fw_cfg_reset(struct fw_cfg *f);

/** The kernel that the numbered items tell of. setup: the 16-bit part with its header, as a boot loader fills it in. */
void fw_cfg_set_linux(struct fw_cfg *f, const struct fw_cfg_linux *os);

/** Adds a file; name and data stay the caller's and must stay. Returns 0, -ENOSPC, or -EINVAL for a name that is too long. */
int fw_cfg_add(struct fw_cfg *f, const char *name, const void *data, uint32_t len);

#endif
