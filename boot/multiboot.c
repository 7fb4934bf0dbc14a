/* Readers of both multiboot information formats. Every field is copied before it is checked; every length is checked before use. */
#include "boot/multiboot.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

/* ---- version 1, section 3.3 */

struct mb1_info {
	uint32_t flags;
	uint32_t mem_lower, mem_upper; /* KiB from 0 and from 1 MiB */
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count, mods_addr;
	uint32_t syms[4];
	uint32_t mmap_length, mmap_addr;
	uint32_t drives_length, drives_addr;
	uint32_t config_table;
	uint32_t boot_loader_name;
};
_Static_assert(sizeof(struct mb1_info) == 68, "multiboot 1 3.3");

struct mb1_module {
	uint32_t start, end, string, reserved;
};
_Static_assert(sizeof(struct mb1_module) == 16, "multiboot 1 3.3");

struct mb1_mmap {
	uint32_t size; /* of what follows */
	uint64_t base, len;
	uint32_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct mb1_mmap) == 24, "multiboot 1 3.3");

#define MB1_MEM (1u << 0)
#define MB1_CMDLINE (1u << 2)
#define MB1_MODS (1u << 3)
#define MB1_MMAP (1u << 6)
#define MB1_LOADER_NAME (1u << 9)

#define MMAP_LENGTH_MAX 0x10000u

static bool copy_in(const struct boot_view *v, void *dst, uint64_t addr, size_t len)
{
	const void *p = v->map(v, addr, len);
	if (p)
		memcpy(dst, p, len);
	return p;
}

static int mb1_memory(struct boot_info *bi, const struct boot_view *v, const struct mb1_info *info, const char **why)
{
	int err = 0;
	if (!(info->flags & MB1_MMAP)) {
		if (!(info->flags & MB1_MEM)) {
			*why = "the loader passed no memory map";
			return -EINVAL;
		}
		err = bootinfo_add_memory(bi, 0, info->mem_lower * 1024ull, 1, why);
		return err ? err : bootinfo_add_memory(bi, 0x100000, info->mem_upper * 1024ull, 1, why);
	}
	if (info->mmap_length > MMAP_LENGTH_MAX) {
		*why = "the loader's memory map is absurdly long";
		return -EINVAL;
	}
	uint64_t at = info->mmap_addr, end = at + info->mmap_length;
	while (!err && end - at >= sizeof(struct mb1_mmap)) {
		struct mb1_mmap e;
		if (!copy_in(v, &e, at, sizeof(e)) || e.size < sizeof(e) - 4 || e.size > end - at - 4) {
			*why = "the loader's memory map is broken";
			return -EINVAL;
		}
		err = bootinfo_add_memory(bi, e.base, e.len, e.type, why);
		at += e.size + 4ull;
	}
	return err;
}

static int mb1_modules(struct boot_info *bi, const struct boot_view *v, const struct mb1_info *info, const char **why)
{
	if (info->mods_count > BOOT_MODULES_MAX) {
		*why = "the loader passed more than 16 modules";
		return -EINVAL;
	}
	for (uint32_t i = 0; i < info->mods_count; i++) {
		struct mb1_module m;
		if (!copy_in(v, &m, info->mods_addr + i * sizeof(m), sizeof(m))) {
			*why = "the loader's list of modules lies outside of memory";
			return -EINVAL;
		}
		int err = bootinfo_add_module(bi, m.start, m.end, why);
		if (err)
			return err;
		if (m.string && bootinfo_copy_string(v, bi->module[i].args, BOOT_CMDLINE_MAX, m.string, BOOT_CMDLINE_MAX)) {
			*why = "a module's command line is longer than 1023 bytes";
			return -EINVAL;
		}
	}
	return 0;
}

int multiboot1_read(struct boot_info *bi, const struct boot_view *v, uint64_t addr, const char **why)
{
	struct mb1_info info;
	if (!copy_in(v, &info, addr, sizeof(info))) {
		*why = "the multiboot information lies outside of memory";
		return -EINVAL;
	}
	int err = mb1_memory(bi, v, &info, why);
	if (err)
		return err;
	if (info.flags & MB1_CMDLINE && bootinfo_copy_string(v, bi->cmdline, BOOT_CMDLINE_MAX, info.cmdline, BOOT_CMDLINE_MAX)) {
		*why = "the command line is longer than 1023 bytes";
		return -EINVAL;
	}
	if (info.flags & MB1_LOADER_NAME)
		bootinfo_copy_string(v, bi->loader_name, sizeof(bi->loader_name), info.boot_loader_name, sizeof(bi->loader_name));
	return info.flags & MB1_MODS ? mb1_modules(bi, v, &info, why) : 0;
}

/* ---- version 2, section 3.6 */

enum mb2_type {
	MB2_END = 0,
	MB2_CMDLINE = 1,
	MB2_LOADER_NAME = 2,
	MB2_MODULE = 3,
	MB2_MMAP = 6,
	MB2_ACPI_OLD = 14,
	MB2_ACPI_NEW = 15,
};

struct mb2_tag {
	uint32_t type, size;
};

struct mb2_mmap {
	uint64_t base, len;
	uint32_t type, reserved;
};
_Static_assert(sizeof(struct mb2_mmap) == 24, "multiboot 2 3.6.8");

#define MB2_SIZE_MAX 0x100000u

static int mb2_memory(struct boot_info *bi, const struct boot_view *v, uint64_t body, uint32_t len, const char **why)
{
	uint32_t head[2]; /* entry size and version */
	if (len < sizeof(head) || !copy_in(v, head, body, sizeof(head)) || head[0] < sizeof(struct mb2_mmap) || head[0] % 8) {
		*why = "the loader's memory map is broken";
		return -EINVAL;
	}
	for (uint32_t at = sizeof(head); len - at >= head[0]; at += head[0]) {
		struct mb2_mmap e;
		if (!copy_in(v, &e, body + at, sizeof(e))) {
			*why = "the loader's memory map lies outside of memory";
			return -EINVAL;
		}
		int err = bootinfo_add_memory(bi, e.base, e.len, e.type, why);
		if (err)
			return err;
	}
	return 0;
}

static int mb2_module(struct boot_info *bi, const struct boot_view *v, uint64_t body, uint32_t len, const char **why)
{
	uint32_t bounds[2];
	if (len < sizeof(bounds) || !copy_in(v, bounds, body, sizeof(bounds))) {
		*why = "the loader's module tag is broken";
		return -EINVAL;
	}
	int err = bootinfo_add_module(bi, bounds[0], bounds[1], why);
	if (err)
		return err;
	if (len > sizeof(bounds) && bootinfo_copy_string(v, bi->module[bi->module_count - 1].args, BOOT_CMDLINE_MAX,
							 body + sizeof(bounds), len - sizeof(bounds))) {
		*why = "a module's command line does not end, or is longer than 1023 bytes";
		return -EINVAL;
	}
	return 0;
}

/* body and len: what follows the tag's type and size. */
static int mb2_tag(struct boot_info *bi, const struct boot_view *v, uint32_t type, uint64_t body, uint32_t len, const char **why)
{
	switch (type) {
	case MB2_CMDLINE:
		if (bootinfo_copy_string(v, bi->cmdline, BOOT_CMDLINE_MAX, body, len)) {
			*why = "the command line does not end, or is longer than 1023 bytes";
			return -EINVAL;
		}
		return 0;
	case MB2_LOADER_NAME: bootinfo_copy_string(v, bi->loader_name, sizeof(bi->loader_name), body, len); return 0;
	case MB2_MODULE: return mb2_module(bi, v, body, len, why);
	case MB2_MMAP: return mb2_memory(bi, v, body, len, why);
	case MB2_ACPI_OLD:
		if (!bi->rsdp && len >= 20)
			bi->rsdp = body;
		return 0;
	case MB2_ACPI_NEW:
		if (len >= 36)
			bi->rsdp = body;
		return 0;
	default: return 0;
	}
}

int multiboot2_read(struct boot_info *bi, const struct boot_view *v, uint64_t addr, const char **why)
{
	uint32_t total;
	if (addr % 8 || !copy_in(v, &total, addr, sizeof(total)) || total < 16 || total > MB2_SIZE_MAX || !v->map(v, addr, total)) {
		*why = "the multiboot information lies outside of memory or has an absurd size";
		return -EINVAL;
	}
	uint32_t at = 8;
	while (total - at >= sizeof(struct mb2_tag)) {
		struct mb2_tag tag;
		if (!copy_in(v, &tag, addr + at, sizeof(tag)) || tag.size < sizeof(tag) || tag.size > total - at) {
			*why = "the multiboot information has a tag of a wrong size";
			return -EINVAL;
		}
		if (tag.type == MB2_END) {
			if (bi->memory_count)
				return 0;
			*why = "the loader passed no memory map";
			return -EINVAL;
		}
		int err = mb2_tag(bi, v, tag.type, addr + at + sizeof(tag), tag.size - (uint32_t)sizeof(tag), why);
		if (err)
			return err;
		uint32_t step = (tag.size + 7) & ~7u;
		if (step > total - at)
			break;
		at += step;
	}
	*why = "the multiboot information does not end";
	return -EINVAL;
}
