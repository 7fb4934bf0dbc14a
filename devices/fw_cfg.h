/*
 * QEMU's firmware configuration device (its specification: docs/specs/fw_cfg), the traditional ports without DMA: a selector at
 * 0x510, 16 bits, and data at 0x511, byte by byte. The items that test kernels and firmware ask for; the others read as nothing,
 * which is zeros.
 */
#ifndef DEVICES_FW_CFG_H
#define DEVICES_FW_CFG_H

#include <stdint.h>

#include "devices/bus.h"

struct fw_cfg {
	uint64_t ram_bytes;
	uint16_t cpus;
	uint16_t selected;
	uint32_t offset;
};

extern const struct bus_ops fw_cfg_ops; /* 2 ports at 0x510 */

void fw_cfg_init(struct fw_cfg *f, uint64_t ram_bytes, unsigned cpus);
/** Power-on: item 0 is selected. */
void fw_cfg_reset(struct fw_cfg *f);

#endif
