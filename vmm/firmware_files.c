#include "vmm/firmware_files.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/vm.h"

/* Offsets in a Linux kernel's setup header (boot.rst), and what a boot loader fills in. */
enum {
	SETUP_SECTS = 0x1f1,
	VERSION = 0x206,
	TYPE_OF_LOADER = 0x210,
	LOADFLAGS = 0x211,
	RAMDISK_IMAGE = 0x218,
	RAMDISK_SIZE = 0x21c,
	HEAP_END_PTR = 0x224,
	CMD_LINE_PTR = 0x228,
	INITRD_ADDR_MAX = 0x22c
};
#define VERSION_MIN 0x203u
#define LOADED_HIGH 0x01u
#define CAN_USE_HEAP 0x80u
#define LOADER_QEMU 0xb0u /* whose boot ROM it is */
#define SECTOR 512u
#define SETUP_MAX (65u * SECTOR)

/* The words behind the file's name. */
static const char *name_of(const struct loader_blob *b)
{
	const char *s = b->args ? b->args : "";

	while (*s && *s != ' ')
		s++;
	while (*s == ' ')
		s++;
	return s;
}

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static uint8_t setup[SETUP_MAX];

/* The kernel's two parts. The 16-bit one is changed, so it is a copy. */
static int split_kernel(const struct loader_blob *b, struct fw_cfg_linux *os, char *why, size_t why_len)
{
	uint32_t len = linux_is(b) ? ((b->data[SETUP_SECTS] ? b->data[SETUP_SECTS] : 4) + 1u) * SECTOR : 0;

	if (!len || len > SETUP_MAX || len >= b->len || b->len > UINT32_MAX) {
		snprintf(why, why_len, "the module named kernel is no Linux bzImage, or is truncated");
		return -ENOEXEC;
	}
	memcpy(setup, b->data, len);
	if ((setup[VERSION] | setup[VERSION + 1] << 8) < (int)VERSION_MIN || !(setup[LOADFLAGS] & LOADED_HIGH)) {
		snprintf(why, why_len, "the module named kernel is of a boot protocol before 2.03, or a zImage");
		return -ENOEXEC;
	}
	setup[TYPE_OF_LOADER] = LOADER_QEMU;
	setup[LOADFLAGS] |= CAN_USE_HEAP;
	put32(setup + HEAP_END_PTR, (FW_CFG_CMDLINE_ADDR - FW_CFG_SETUP_ADDR - 0x200) & 0xffff);
	put32(setup + CMD_LINE_PTR, FW_CFG_CMDLINE_ADDR);
	os->setup = (struct fw_cfg_part){ setup, len };
	os->kernel = (struct fw_cfg_part){ b->data + len, (uint32_t)(b->len - len) };
	return 0;
}

static int add_module(struct vm *vm, const struct loader_blob *b, struct fw_cfg_linux *os, char *why, size_t why_len)
{
	const char *name = name_of(b);
	int e;

	if (!strcmp(name, "kernel"))
		return split_kernel(b, os, why, why_len);
	if (!strcmp(name, "initrd") && b->len <= UINT32_MAX) {
		os->initrd = (struct fw_cfg_part){ b->data, (uint32_t)b->len };
		return 0;
	}
	if (!strcmp(name, "videorom") && b->len <= BOCHS_DISPLAY_ROM_MAX) {
		vm->video_rom = *b;
		return 0;
	}
	e = !*name || b->len > UINT32_MAX ? -EINVAL : fw_cfg_add(pc_fw_cfg(vm->pc), name, b->data, (uint32_t)b->len);
	if (e)
		snprintf(why, why_len,
			 "module %.40s: firmware takes kernel, initrd, videorom, or the name of a file of at most %u characters "
			 "(--module "
			 "FILE=NAME), "
			 "and not more than %u files",
			 b->args ? b->args : "", FW_CFG_NAME - 1, FW_CFG_FILES);
	return e;
}

/* As high as kernel and memory have it, for the boot ROM to begin with. */
static int place_initrd(const struct vm *vm, struct fw_cfg_linux *os, char *why, size_t why_len)
{
	uint64_t end = vm->ram_bytes < GUEST_MMIO_START ? vm->ram_bytes : GUEST_MMIO_START;
	uint32_t max;

	memcpy(&max, setup + INITRD_ADDR_MAX, sizeof(max));
	if (end > max)
		end = (uint64_t)max + 1;
	if (os->initrd.len >= end || end - os->initrd.len < GUEST_HIGH_START) {
		snprintf(why, why_len, "the initramfs does not fit into the guest's memory");
		return -ENOSPC;
	}
	os->initrd_addr = (uint32_t)((end - os->initrd.len) & ~PAGE_MASK);
	put32(setup + RAMDISK_IMAGE, os->initrd_addr);
	put32(setup + RAMDISK_SIZE, os->initrd.len);
	return 0;
}

int firmware_files(struct vm *vm, char *why, size_t why_len)
{
	const char *cmdline = name_of(&vm->kernel);
	struct fw_cfg_linux os = { .cmdline = { cmdline, (uint32_t)strlen(cmdline) + 1 } };
	int e = 0;

	for (unsigned i = 0; i < vm->module_count && !e; i++)
		e = add_module(vm, &vm->module[i], &os, why, why_len);
	if (!e && os.kernel.len && os.initrd.len)
		e = place_initrd(vm, &os, why, why_len);
	fw_cfg_set_linux(pc_fw_cfg(vm->pc), &os);
	return e;
}
