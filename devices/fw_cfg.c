#include "devices/fw_cfg.h"

#include <string.h>

enum { SIGNATURE = 0x00, ID = 0x01, RAM_SIZE = 0x03, NB_CPUS = 0x05, MAX_CPUS = 0x0f, FILE_DIR = 0x19 };
#define ID_TRADITIONAL 1u /* no DMA */

/* An item's content, little-endian; its length. The directory of files is a big-endian count of none. */
static unsigned item(const struct fw_cfg *f, uint8_t data[8])
{
	uint64_t value;
	unsigned n;

	switch (f->selected) {
	case SIGNATURE: memcpy(data, "QEMU", 4); return 4;
	case ID: value = ID_TRADITIONAL, n = 4; break;
	case RAM_SIZE: value = f->ram_bytes, n = 8; break;
	case NB_CPUS:
	case MAX_CPUS: value = f->cpus, n = 2; break;
	case FILE_DIR: value = 0, n = 4; break;
	default: return 0;
	}
	memcpy(data, &value, n);
	return n;
}

static uint64_t fw_cfg_read(void *dev, uint64_t addr, unsigned size)
{
	struct fw_cfg *f = dev;
	uint8_t data[8];
	unsigned n;

	if (addr != 1 || size != 1)
		return 0;
	n = item(f, data);
	return f->offset < n ? data[f->offset++] : 0;
}

static void fw_cfg_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct fw_cfg *f = dev;

	if (addr != 0 || size != 2)
		return; /* data cannot be written */
	f->selected = (uint16_t)value;
	f->offset = 0;
}

const struct bus_ops fw_cfg_ops = { .name = "fw_cfg", .read = fw_cfg_read, .write = fw_cfg_write, .access_max = 2 };

void fw_cfg_reset(struct fw_cfg *f)
{
	f->selected = 0;
	f->offset = 0;
}

void fw_cfg_init(struct fw_cfg *f, uint64_t ram_bytes, unsigned cpus)
{
	*f = (struct fw_cfg){ .ram_bytes = ram_bytes, .cpus = (uint16_t)cpus };
}
