/* Boot information: what both multiboot versions share, and the checks on the whole. */
#include "boot/bootinfo.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "boot/multiboot.h"
#include "vmm/log.h"

#define PHYSICAL_END (1ull << 52) /* no CPU has more (SDM vol. 3 4.1.4) */

int bootinfo_copy_string(const struct boot_view *v, char *dst, size_t size, uint64_t addr, uint64_t max)
{
	for (size_t i = 0; i < size && i < max; i++) {
		const char *c = v->map(v, addr + i, 1);
		if (!c)
			break;
		dst[i] = *c;
		if (!*c)
			return 0;
	}
	dst[0] = 0;
	return -EINVAL;
}

int bootinfo_add_memory(struct boot_info *bi, uint64_t base, uint64_t len, uint32_t type, const char **why)
{
	if (!len)
		return 0;
	if (base >= PHYSICAL_END || len > PHYSICAL_END - base) {
		log_warn("memory map: dropped the range %llx + %llx (type %u): no CPU has such an address",
			 (unsigned long long)base, (unsigned long long)len, type);
		return 0;
	}
	struct boot_memory *last = bi->memory_count ? &bi->memory[bi->memory_count - 1] : NULL;
	if (last && last->type == type && last->base + last->len == base) {
		last->len += len;
		return 0;
	}
	if (bi->memory_count == BOOT_MEMORY_MAX) {
		*why = "the loader's memory map has more than 128 ranges";
		return -EINVAL;
	}
	bi->memory[bi->memory_count++] = (struct boot_memory){ .base = base, .len = len, .type = type };
	return 0;
}

int bootinfo_add_module(struct boot_info *bi, uint64_t start, uint64_t end, const char **why)
{
	if (bi->module_count == BOOT_MODULES_MAX) {
		*why = "the loader passed more than 16 modules";
		return -EINVAL;
	}
	if (end < start) {
		*why = "a module ends before it starts";
		return -EINVAL;
	}
	bi->module[bi->module_count++] = (struct boot_module){ .start = start, .end = end };
	return 0;
}

/* Whether usable ranges cover [start, end): each round moves start to the end of a range that holds it. */
static bool in_ram(const struct boot_info *bi, uint64_t start, uint64_t end)
{
	for (unsigned round = 0; round <= bi->memory_count && start < end; round++) {
		for (unsigned i = 0; i < bi->memory_count; i++) {
			const struct boot_memory *m = &bi->memory[i];
			if (m->type == 1 && start >= m->base && start - m->base < m->len)
				start = m->base + m->len;
		}
	}
	return start >= end;
}

static bool overlap(uint64_t a_start, uint64_t a_end, uint64_t b_start, uint64_t b_end)
{
	return a_start < b_end && b_start < a_end;
}

static int check_modules(const struct boot_info *bi, const struct boot_view *v, const char **why)
{
	for (unsigned i = 0; i < bi->module_count; i++) {
		const struct boot_module *m = &bi->module[i];
		if (overlap(m->start, m->end, v->image_start, v->image_end)) {
			*why = "the loader put a module on top of the VMM";
			return -EINVAL;
		}
		if (!in_ram(bi, m->start, m->end)) {
			*why = "a module lies outside of RAM";
			return -EINVAL;
		}
		for (unsigned j = 0; j < i; j++) {
			if (overlap(m->start, m->end, bi->module[j].start, bi->module[j].end)) {
				*why = "two modules overlap";
				return -EINVAL;
			}
		}
	}
	return 0;
}

int bootinfo_read_view(struct boot_info *bi, const struct boot_view *v, uint32_t magic, uint64_t addr, const char **why)
{
	int err;
	memset(bi, 0, sizeof(*bi));
	if (magic == MULTIBOOT1_MAGIC) {
		bi->loader = "multiboot 1";
		err = multiboot1_read(bi, v, addr, why);
	} else if (magic == MULTIBOOT2_MAGIC) {
		bi->loader = "multiboot 2";
		err = multiboot2_read(bi, v, addr, why);
	} else {
		*why = "not started by a multiboot loader";
		err = -EINVAL;
	}
	if (err)
		return err;
	if (!in_ram(bi, v->image_start, v->image_end)) {
		*why = "the memory map has no RAM where the VMM itself lies";
		return -EINVAL;
	}
	return check_modules(bi, v, why);
}
