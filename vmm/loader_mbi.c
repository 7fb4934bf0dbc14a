/* The multiboot information (Multiboot Specification 0.6.96, 3.3). */
#include "vmm/loader_priv.h"

#include <errno.h>
#include <string.h>

#include "mm/layout.h"

struct mbi {
	uint32_t flags;
	uint32_t mem_lower, mem_upper; /* KiB from 0 and from 1 MiB */
	uint32_t boot_device;
	uint32_t cmdline;
	uint32_t mods_count, mods_addr;
	uint32_t shdr_num, shdr_size, shdr_addr, shdr_names;
	uint32_t mmap_length, mmap_addr;
	uint32_t drives_length, drives_addr;
	uint32_t config_table;
	uint32_t boot_loader_name;
	uint32_t apm_table;
	uint32_t vbe_control_info, vbe_mode_info;
	uint16_t vbe_mode, vbe_interface_seg, vbe_interface_off, vbe_interface_len;
	uint64_t fb_addr;
	uint32_t fb_pitch, fb_width, fb_height;
	uint8_t fb_bpp, fb_type;
	uint8_t fb_red_pos, fb_red_size, fb_green_pos, fb_green_size, fb_blue_pos, fb_blue_size;
} __attribute__((packed));
_Static_assert(offsetof(struct mbi, mmap_length) == 44, "0.6.96, 3.3");
_Static_assert(offsetof(struct mbi, boot_loader_name) == 64, "0.6.96, 3.3");
_Static_assert(offsetof(struct mbi, fb_addr) == 88, "0.6.96, 3.3");
_Static_assert(offsetof(struct mbi, fb_red_pos) == 110, "0.6.96, 3.3");
_Static_assert(sizeof(struct mbi) == 116, "0.6.96, 3.3");

#define MBI_MEMORY (1u << 0)
#define MBI_CMDLINE (1u << 2)
#define MBI_MODS (1u << 3)
#define MBI_SECTIONS (1u << 5)
#define MBI_MMAP (1u << 6)
#define MBI_LOADER_NAME (1u << 9)
#define MBI_FRAMEBUFFER (1u << 12)
#define FB_RGB 1
#define FB_TEXT 2

struct mbi_module {
	uint32_t start, end, string, reserved;
};
_Static_assert(sizeof(struct mbi_module) == 16, "0.6.96, 3.3");

struct mbi_mmap {
	uint32_t size; /* of what follows */
	uint64_t base, len;
	uint32_t type;
} __attribute__((packed));
_Static_assert(sizeof(struct mbi_mmap) == 24, "0.6.96, 3.3");

static const char loader_name[] = "Tessera";

/* Low memory that boot loaders use for this, up to what a PC keeps for the BIOS's extended data. */
#define MBI_LOW_START 0x10000ull
#define MBI_LOW_END 0x9f000ull

static size_t string_bytes(const char *s)
{
	return s ? strnlen(s, LOADER_STRING) + 1 : 1;
}

/* Where the next piece goes, and whether a write failed. */
struct cursor {
	struct load *l;
	uint64_t at;
	int err;
};

static uint32_t put(struct cursor *c, const void *data, size_t len)
{
	uint32_t at = (uint32_t)c->at;

	if (guest_mem_write(c->l->mem, c->at, data, len))
		c->err = -ENOSPC;
	c->at += len;
	return at;
}

static uint32_t put_string(struct cursor *c, const char *s)
{
	return put(c, s ? s : "", string_bytes(s));
}

/* KiB of usable RAM from start on without a hole. */
static uint32_t run_kib(const struct load *l, uint64_t start, uint64_t limit)
{
	uint64_t at = start;

	for (unsigned rounds = 0; rounds < l->in->map_count; rounds++)
		for (unsigned i = 0; i < l->in->map_count; i++) {
			const struct loader_map *e = &l->in->map[i];

			if (e->type == 1 && e->base <= at && at - e->base < e->len)
				at = e->base + e->len > at ? e->base + e->len : UINT64_MAX;
		}
	return (uint32_t)(((at < limit ? at : limit) - start) >> 10);
}

static void put_map(struct cursor *c, struct mbi *b)
{
	b->mmap_addr = (uint32_t)c->at;
	for (unsigned i = 0; i < c->l->in->map_count; i++) {
		const struct loader_map *e = &c->l->in->map[i];
		struct mbi_mmap m = { .size = sizeof(m) - sizeof(m.size), .base = e->base, .len = e->len, .type = e->type };

		put(c, &m, sizeof(m));
	}
	b->mmap_length = (uint32_t)c->at - b->mmap_addr;
}

static void put_modules(struct cursor *c, struct mbi *b, const struct span *module)
{
	const struct loader_in *in = c->l->in;
	uint64_t strings = c->at + in->module_count * sizeof(struct mbi_module);

	b->mods_addr = (uint32_t)c->at;
	b->mods_count = in->module_count;
	for (unsigned i = 0; i < in->module_count; i++) {
		struct mbi_module m = { (uint32_t)module[i].start, (uint32_t)module[i].end, (uint32_t)strings, 0 };

		put(c, &m, sizeof(m));
		strings += string_bytes(in->modules[i].args);
	}
	for (unsigned i = 0; i < in->module_count; i++)
		put_string(c, in->modules[i].args);
}

static void set_framebuffer(const struct loader_in *in, struct mbi *b)
{
	if (in->text) {
		b->flags |= MBI_FRAMEBUFFER;
		b->fb_addr = 0xb8000;
		b->fb_pitch = 160;
		b->fb_width = 80;
		b->fb_height = 25;
		b->fb_bpp = 16;
		b->fb_type = FB_TEXT;
		return;
	}
	if (in->fb_width == 0)
		return;
	b->flags |= MBI_FRAMEBUFFER;
	b->fb_addr = in->fb_addr;
	b->fb_pitch = in->fb_pitch;
	b->fb_width = in->fb_width;
	b->fb_height = in->fb_height;
	b->fb_bpp = in->fb_bpp;
	b->fb_type = FB_RGB;
	b->fb_red_pos = 16;
	b->fb_green_pos = 8;
	b->fb_blue_pos = 0;
	b->fb_red_size = b->fb_green_size = b->fb_blue_size = 8;
}

static int check_strings(struct load *l)
{
	const struct loader_in *in = l->in;

	if (string_bytes(in->kernel.args) > LOADER_STRING)
		return loader_fail(l, -EINVAL, "the guest's command line is longer than %u bytes", LOADER_STRING - 1);
	for (unsigned i = 0; i < in->module_count; i++)
		if (string_bytes(in->modules[i].args) > LOADER_STRING)
			return loader_fail(l, -EINVAL, "the arguments of module %u are longer than %u bytes", i + 1,
					   LOADER_STRING - 1);
	return 0;
}

static uint64_t total_bytes(const struct loader_in *in)
{
	uint64_t n = sizeof(struct mbi) + in->map_count * sizeof(struct mbi_mmap) + in->module_count * sizeof(struct mbi_module);

	n += string_bytes(in->kernel.args) + sizeof(loader_name);
	for (unsigned i = 0; i < in->module_count; i++)
		n += string_bytes(in->modules[i].args);
	return n;
}

int mbi_write(struct load *l, const struct span *module, const struct elf_sections *sections, uint32_t *addr)
{
	uint64_t bytes = total_bytes(l->in), at;
	int err = check_strings(l);

	if (err)
		return err;
	if (place_low(l, bytes, 16, MBI_LOW_START, MBI_LOW_END, &at) && place_low(l, bytes, 16, PAGE_SIZE, MBI_LOW_START, &at) &&
	    place_high(l, bytes, PAGE_SIZE, GUEST_HIGH_START, GUEST_HIGH_RAM, &at))
		return loader_fail(l, -ENOSPC, "the guest's memory has no room for %u bytes of boot information", (unsigned)bytes);
	struct cursor c = { .l = l, .at = at + sizeof(struct mbi) };
	struct mbi b = {
		.flags = MBI_MEMORY | MBI_CMDLINE | MBI_MODS | MBI_MMAP | MBI_LOADER_NAME,
		.mem_lower = run_kib(l, 0, GUEST_LOW_END),
		.mem_upper = run_kib(l, GUEST_HIGH_START, GUEST_HIGH_RAM),
	};

	put_map(&c, &b);
	put_modules(&c, &b, module);
	b.cmdline = put_string(&c, l->in->kernel.args);
	b.boot_loader_name = put(&c, loader_name, sizeof(loader_name));
	set_framebuffer(l->in, &b);
	if (sections->count) {
		b.flags |= MBI_SECTIONS;
		b.shdr_num = sections->count;
		b.shdr_size = sections->entry_bytes;
		b.shdr_addr = sections->addr;
		b.shdr_names = sections->names;
	}
	c.at = at;
	put(&c, &b, sizeof(b));
	*addr = (uint32_t)at;
	return c.err ? loader_fail(l, c.err, "the guest's memory map names RAM that is not there") : 0;
}
