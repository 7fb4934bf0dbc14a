#include "devices/fw_cfg.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "mm/layout.h"

enum {
	SIGNATURE = 0x00,
	ID = 0x01,
	UUID = 0x02,
	RAM_SIZE = 0x03,
	NOGRAPHIC = 0x04,
	NB_CPUS = 0x05,
	MACHINE_ID = 0x06,
	KERNEL_ADDR = 0x07,
	KERNEL_SIZE = 0x08,
	INITRD_ADDR = 0x0a,
	INITRD_SIZE = 0x0b,
	BOOT_MENU = 0x0e,
	MAX_CPUS = 0x0f,
	KERNEL_ENTRY = 0x10,
	KERNEL_DATA = 0x11,
	INITRD_DATA = 0x12,
	CMDLINE_ADDR = 0x13,
	CMDLINE_SIZE = 0x14,
	CMDLINE_DATA = 0x15,
	SETUP_ADDR = 0x16,
	SETUP_SIZE = 0x17,
	SETUP_DATA = 0x18,
	FILE_DIR = 0x19,
	FILE_FIRST = 0x20
};
#define ID_TRADITIONAL 1u
#define ID_DMA 2u

#define DMA_ERROR 1u
#define DMA_READ 2u
#define DMA_SKIP 4u
#define DMA_SELECT 8u
#define DMA_WRITE 16u

struct span {
	const uint8_t *data;
	uint32_t len;
};

static bool linux_part(const struct fw_cfg *f, struct fw_cfg_part *part)
{
	switch (f->selected) {
	case KERNEL_DATA: *part = f->os.kernel; return true;
	case INITRD_DATA: *part = f->os.initrd; return true;
	case CMDLINE_DATA: *part = f->os.cmdline; return true;
	case SETUP_DATA: *part = f->os.setup; return true;
	default: return false;
	}
}

/* An item's content; small numbers, little-endian, go into number. */
static struct span item(const struct fw_cfg *f, uint8_t number[16])
{
	struct fw_cfg_part part;
	uint64_t value;
	uint32_t n;

	if (f->selected >= FILE_FIRST && f->selected < FILE_FIRST + f->files) {
		const struct fw_cfg_file *file = &f->file[f->selected - FILE_FIRST];

		return (struct span){ file->data, file->len };
	}
	if (linux_part(f, &part))
		return (struct span){ part.data, part.len };
	switch (f->selected) {
	case SIGNATURE: return (struct span){ (const uint8_t *)"QEMU", 4 };
	case ID: value = ID_TRADITIONAL | ID_DMA, n = 4; break;
	case UUID: value = 0, n = 16; break;
	case RAM_SIZE: value = f->ram_bytes, n = 8; break;
	case NB_CPUS:
	case MAX_CPUS: value = f->cpus, n = 2; break;
	case KERNEL_ADDR:
	case KERNEL_ENTRY: value = GUEST_HIGH_START, n = 4; break;
	case KERNEL_SIZE: value = f->os.kernel.len, n = 4; break;
	case INITRD_ADDR: value = f->os.initrd_addr, n = 4; break;
	case INITRD_SIZE: value = f->os.initrd.len, n = 4; break;
	case CMDLINE_ADDR: value = FW_CFG_CMDLINE_ADDR, n = 4; break;
	case CMDLINE_SIZE: value = f->os.cmdline.len, n = 4; break;
	case SETUP_ADDR: value = FW_CFG_SETUP_ADDR, n = 4; break;
	case SETUP_SIZE: value = f->os.setup.len, n = 4; break;
	case NOGRAPHIC:
	case MACHINE_ID:
	case BOOT_MENU: value = 0, n = 2; break;
	case FILE_DIR: return (struct span){ f->directory, sizeof(f->directory) };
	default: return (struct span){ NULL, 0 };
	}
	memset(number, 0, 16);
	memcpy(number, &value, sizeof(value));
	return (struct span){ number, n };
}

static void select_item(struct fw_cfg *f, uint16_t item_number)
{
	f->selected = item_number;
	f->offset = 0;
}

/* ---- ports */

static uint64_t fw_cfg_read(void *dev, uint64_t addr, unsigned size)
{
	struct fw_cfg *f = dev;
	uint8_t number[16];
	struct span s;

	if (addr != 1 || size != 1)
		return 0;
	s = item(f, number);
	return f->offset < s.len ? s.data[f->offset++] : 0;
}

static void fw_cfg_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	if (addr == 0 && size == 2)
		select_item(dev, (uint16_t)value);
}

const struct bus_ops fw_cfg_ops = { .name = "fw_cfg", .read = fw_cfg_read, .write = fw_cfg_write, .access_max = 2 };

/* ---- DMA: big-endian throughout */

static uint32_t be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_be32(uint8_t *p, uint32_t v)
{
	for (unsigned i = 0; i < 4; i++)
		p[i] = (uint8_t)(v >> (24 - 8 * i));
}

/* What is left of the item, then zeros. */
static int move_out(struct fw_cfg *f, uint64_t to, uint32_t len)
{
	static const uint8_t zeros[512];
	uint8_t number[16];
	struct span s = item(f, number);
	uint32_t n = f->offset < s.len ? s.len - f->offset : 0;
	int e;

	if (len > FW_CFG_TRANSFER_MAX && len > n)
		return -E2BIG;
	n = n < len ? n : len;
	e = n ? f->memory.write(f->memory.arg, to, s.data + f->offset, n) : 0;
	f->offset += n;
	for (to += n, len -= n; len && !e; to += n, len -= n) {
		n = len < sizeof(zeros) ? len : sizeof(zeros);
		e = f->memory.write(f->memory.arg, to, zeros, n);
	}
	return e;
}

static int transfer(struct fw_cfg *f, uint32_t control, uint32_t len, uint64_t address)
{
	if (control & DMA_SELECT)
		select_item(f, (uint16_t)(control >> 16));
	if (control & DMA_READ)
		return move_out(f, address, len);
	if (control & DMA_WRITE)
		return -EPERM;
	if (control & DMA_SKIP)
		f->offset = len < UINT32_MAX - f->offset ? f->offset + len : UINT32_MAX;
	return 0;
}

/* The guest's request block: control, length, address; control becomes the answer. */
static void run(struct fw_cfg *f, uint64_t at)
{
	uint8_t block[16], answer[4];
	int e;

	if (f->memory.read(f->memory.arg, at, block, sizeof(block)))
		return;
	e = transfer(f, be32(block), be32(block + 4), (uint64_t)be32(block + 8) << 32 | be32(block + 12));
	put_be32(answer, e ? DMA_ERROR : 0);
	(void)f->memory.write(f->memory.arg, at, answer, sizeof(answer));
}

static uint64_t dma_read(void *dev, uint64_t addr, unsigned size)
{
	static const char id[8] = { 'Q', 'E', 'M', 'U', ' ', 'C', 'F', 'G' };
	uint64_t value = 0;

	(void)dev;
	memcpy(&value, id + addr, size);
	return value;
}

static void dma_write(void *dev, uint64_t addr, unsigned size, uint64_t value)
{
	struct fw_cfg *f = dev;
	uint32_t half = __builtin_bswap32((uint32_t)value);
	uint64_t high = f->dma_high;

	if (size != 4)
		return;
	if (addr == 0)
		f->dma_high = half;
	if (addr != 4)
		return;
	f->dma_high = 0;
	run(f, high << 32 | half);
}

const struct bus_ops fw_cfg_dma_ops = { .name = "fw_cfg DMA", .read = dma_read, .write = dma_write, .access_max = 4 };

/* ---- making it */

int fw_cfg_add(struct fw_cfg *f, const char *name, const void *data, uint32_t len)
{
	uint8_t *entry = f->directory + 4 + f->files * (8 + FW_CFG_NAME);
	uint32_t selector = FILE_FIRST + f->files;

	if (strlen(name) >= FW_CFG_NAME)
		return -EINVAL;
	if (f->files == FW_CFG_FILES)
		return -ENOSPC;
	put_be32(entry, len);
	put_be32(entry + 4, selector << 16);
	memcpy(entry + 8, name, strlen(name));
	f->file[f->files++] = (struct fw_cfg_file){ name, data, len };
	put_be32(f->directory, f->files);
	return 0;
}

void fw_cfg_set_linux(struct fw_cfg *f, const struct fw_cfg_linux *os)
{
	f->os = *os;
}

void fw_cfg_reset(struct fw_cfg *f)
{
	select_item(f, 0);
	f->dma_high = 0;
}

void fw_cfg_init(struct fw_cfg *f, uint64_t ram_bytes, unsigned cpus, const struct fw_cfg_memory *memory)
{
	*f = (struct fw_cfg){ .ram_bytes = ram_bytes, .cpus = (uint16_t)cpus, .memory = *memory };
}
