#include "guest-tests/lib/boot.h"

#include "guest-tests/lib/pic.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/string.h"
#include "guest-tests/lib/trap.h"

/* The information block and what hangs from it (Multiboot 0.6.96, 3.3). */
struct mbi {
	uint32_t flags, mem_lower, mem_upper, boot_device, cmdline, mods_count, mods_addr, syms[4], mmap_length, mmap_addr;
	uint32_t drives_length, drives_addr, config_table, boot_loader_name, apm_table, vbe_control, vbe_mode;
	uint16_t vbe[4];
	uint64_t fb_addr;
	uint32_t fb_pitch, fb_width, fb_height;
	uint8_t fb_bpp, fb_type, fb_fields[6], grub[2];
};
_Static_assert(__builtin_offsetof(struct mbi, mmap_length) == 44, "Multiboot 3.3");
_Static_assert(__builtin_offsetof(struct mbi, fb_addr) == 88, "Multiboot 3.3");
_Static_assert(__builtin_offsetof(struct mbi, fb_fields) == 110, "Multiboot 3.3");

struct mbi_module {
	uint32_t start, end, string, reserved;
};

struct __attribute__((packed)) mbi_range {
	uint32_t size; /* of what follows */
	uint64_t base, len;
	uint32_t type;
};

extern uint32_t boot_magic, boot_info;
struct boot boot;

static void copy_string(char *to, unsigned size, uint32_t from)
{
	const char *s = (const char *)(uint64_t)from;
	unsigned n = 0;

	while (s && n + 1 < size && s[n]) {
		to[n] = s[n];
		n++;
	}
	to[n] = '\0';
}

static void copy_modules(const struct mbi *m)
{
	const struct mbi_module *from = (const void *)(uint64_t)m->mods_addr;

	for (unsigned i = 0; i < m->mods_count && i < BOOT_MODULES; i++) {
		struct boot_module *to = &boot.module[boot.module_count++];
		to->start = from[i].start;
		to->end = from[i].end;
		copy_string(to->args, sizeof(to->args), from[i].string);
	}
}

static void copy_map(const struct mbi *m)
{
	uint64_t at = m->mmap_addr, end = at + m->mmap_length;

	while (at + sizeof(struct mbi_range) <= end && boot.range_count < BOOT_RANGES) {
		const struct mbi_range *r = (const void *)at;
		boot.range[boot.range_count++] = (struct boot_range){ r->base, r->len, r->type };
		at += r->size + sizeof(r->size);
	}
}

void boot_init(void)
{
	const struct mbi *m = (const void *)(uint64_t)boot_info;

	boot.magic = boot_magic;
	if (boot.magic != BOOT_MAGIC)
		return;
	boot.flags = m->flags;
	if (m->flags & MBI_MEMORY) {
		boot.mem_lower = m->mem_lower;
		boot.mem_upper = m->mem_upper;
	}
	if (m->flags & MBI_CMDLINE)
		copy_string(boot.cmdline, sizeof(boot.cmdline), m->cmdline);
	if (m->flags & MBI_MODULES)
		copy_modules(m);
	if (m->flags & MBI_MMAP)
		copy_map(m);
	if (m->flags & MBI_FRAMEBUFFER) {
		boot.fb_addr = m->fb_addr;
		boot.fb_pitch = m->fb_pitch;
		boot.fb_width = m->fb_width;
		boot.fb_height = m->fb_height;
		boot.fb_bpp = m->fb_bpp;
		boot.fb_type = m->fb_type;
		/* GRUB's header aligns these to 112; the specification says 110, where it then leaves zeroes. */
		memcpy(boot.fb_fields, m->fb_fields + (m->fb_fields[1] ? 0 : 2), sizeof(boot.fb_fields));
	}
}

void guest_init(void)
{
	boot_init();
	print_init();
	trap_init();
	pic_init();
}

bool boot_option(const char *word)
{
	const char *s = boot.cmdline;
	unsigned len = 0;

	while (word[len])
		len++;
	while (*s) {
		unsigned n = 0;
		while (*s == ' ')
			s++;
		while (s[n] && s[n] != ' ')
			n++;
		if (n == len && !memcmp(s, word, n))
			return true;
		s += n;
	}
	return false;
}

uint64_t boot_number(const char *name, uint64_t otherwise)
{
	unsigned len = 0;

	while (name[len])
		len++;
	for (const char *s = boot.cmdline; *s; s++) {
		uint64_t n = 0;

		if ((s != boot.cmdline && s[-1] != ' ') || memcmp(s, name, len) || s[len] != '=' || s[len + 1] < '0' ||
		    s[len + 1] > '9')
			continue;
		for (s += len + 1; *s >= '0' && *s <= '9'; s++)
			n = n * 10 + (uint64_t)(*s - '0');
		return n;
	}
	return otherwise;
}

static bool overlaps(uint64_t base, uint64_t end, uint64_t start, uint64_t stop, uint64_t *past)
{
	if (base >= stop || end <= start)
		return false;
	*past = stop;
	return true;
}

/* True when [base, end) holds something that must stay; *past is where that ends. */
static bool taken(uint64_t base, uint64_t end, uint64_t *past)
{
	if (overlaps(base, end, (uint64_t)image_start, (uint64_t)image_end, past))
		return true;
	for (unsigned i = 0; i < boot.module_count; i++)
		if (overlaps(base, end, boot.module[i].start, boot.module[i].end, past))
			return true;
	return false;
}

void *ram_alloc(uint64_t bytes)
{
	static uint64_t cursor = 0x100000;
	const uint64_t size = (bytes + 4095) & ~4095ull;

	for (unsigned i = 0; i < boot.range_count; i++) {
		const struct boot_range *r = &boot.range[i];
		uint64_t stop = r->base + r->len, at = cursor > r->base ? cursor : r->base;

		if (r->type != 1 || stop < r->base)
			continue;
		if (stop > 0x100000000ull)
			stop = 0x100000000ull;
		at = (at + 4095) & ~4095ull;
		while (at < stop && stop - at >= size && taken(at, at + size, &at))
			at = (at + 4095) & ~4095ull;
		if (at < stop && stop - at >= size) {
			cursor = at + size;
			return memset((void *)at, 0, size);
		}
	}
	return NULL;
}
