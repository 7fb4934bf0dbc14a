/*
 * Linux's x86 boot protocol (Documentation/x86/boot.rst and zero-page.rst): bzImages of protocol 2.05 on. Those that have a 64-bit
 * entry are entered there, the others in 32-bit mode. The first module is the initramfs; the kernel's string, behind the file's name, is the command line.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mm/layout.h"
#include "vmm/loader_priv.h"

typedef unsigned long long ull;

/* The setup header, by offset in the file; in the zero page they are the same. */
enum {
	SETUP_SECTS = 0x1f1,
	BOOT_FLAG = 0x1fe,
	JUMP_LENGTH = 0x201,
	MAGIC = 0x202,
	VERSION = 0x206,
	TYPE_OF_LOADER = 0x210,
	LOADFLAGS = 0x211,
	CODE32_START = 0x214,
	RAMDISK_IMAGE = 0x218,
	RAMDISK_SIZE = 0x21c,
	CMD_LINE_PTR = 0x228,
	INITRD_ADDR_MAX = 0x22c,
	KERNEL_ALIGNMENT = 0x230,
	RELOCATABLE = 0x234,
	XLOADFLAGS = 0x236,
	CMDLINE_SIZE = 0x238,
	PREF_ADDRESS = 0x258,
	INIT_SIZE = 0x260,
	HEADER_END = 0x264
};
#define VERSION_MIN 0x205u /* relocatable kernels, initrd_addr_max */
#define VERSION_CMDLINE 0x206u
#define VERSION_INIT_SIZE 0x20au
#define VERSION_XLOADFLAGS 0x20cu
#define LOADED_HIGH 1u
#define XLF_KERNEL_64 1u
#define ENTRY_64 0x200u /* behind the load address */
#define LOADER_UNKNOWN 0xffu /* none of those with a number */
#define SECTOR 512u
#define CMDLINE_OLD 255u

/* The zero page, struct boot_params. */
enum { SCREEN_INFO = 0x000, ACPI_RSDP = 0x070, ALT_MEM_K = 0x1e0, E820_ENTRIES = 0x1e8, E820_TABLE = 0x2d0 };
#define E820_ENTRY 20u
#define E820_MAX 128u
/* struct screen_info */
enum {
	VIDEO_MODE = 0x06,
	VIDEO_COLUMNS = 0x07,
	VIDEO_EGA_BX = 0x0a,
	VIDEO_LINES = 0x0e,
	VIDEO_IS = 0x0f,
	VIDEO_POINTS = 0x10,
	LFB_WIDTH = 0x12,
	LFB_HEIGHT = 0x14,
	LFB_DEPTH = 0x16,
	LFB_BASE = 0x18,
	LFB_SIZE = 0x1c,
	LFB_LINELENGTH = 0x24,
	RED_SIZE = 0x26
};
#define VIDEO_VGA 1u
#define VIDEO_EFI 0x70u /* a linear framebuffer that simply is there */

#define LOW_FROM 0x10000ull /* where the loader's own things go */
#define LOW_TO 0x90000ull
#define GDT_AT 0xf00u	       /* in the zero page, behind its last field */
#define KERNEL_OLD 0x100000ull /* where a kernel goes that does not say */

bool linux_is(const struct loader_blob *b)
{
	return b->len >= HEADER_END && le16(b->data + BOOT_FLAG) == 0xaa55 && !memcmp(b->data + MAGIC, "HdrS", 4);
}

struct linux_image {
	const uint8_t *header; /* the file */
	unsigned version;
	uint64_t setup_bytes, payload_bytes;
	uint64_t load, init_size;
	bool entry64;
};

static int read_header(struct load *l, struct linux_image *k)
{
	const struct loader_blob *b = &l->in->kernel;
	unsigned sectors = b->data[SETUP_SECTS] ? b->data[SETUP_SECTS] : 4;

	k->header = b->data;
	k->version = le16(b->data + VERSION);
	if (k->version < VERSION_MIN)
		return loader_fail(l, -ENOEXEC, "a Linux kernel of boot protocol %u.%02u: 2.05 is the oldest that is known here",
				   k->version >> 8, k->version & 0xff);
	if (!(b->data[LOADFLAGS] & LOADED_HIGH))
		return loader_fail(l, -ENOEXEC, "a Linux kernel that must be loaded below 1 MiB (zImage): not supported");
	k->setup_bytes = (sectors + 1) * SECTOR;
	if (k->setup_bytes >= b->len)
		return loader_fail(l, -EINVAL, "truncated: the Linux kernel's %u setup sectors are all that there is", sectors);
	k->payload_bytes = b->len - k->setup_bytes;
	k->entry64 = k->version >= VERSION_XLOADFLAGS && (le16(b->data + XLOADFLAGS) & XLF_KERNEL_64) && k->payload_bytes > ENTRY_64;
	k->init_size = k->version >= VERSION_INIT_SIZE ? le32(b->data + INIT_SIZE) : 0;
	if (k->init_size < k->payload_bytes)
		k->init_size = k->payload_bytes;
	return 0;
}

/* At the address that it likes best; a relocatable kernel else at the lowest that fits its alignment. */
static int place_kernel(struct load *l, struct linux_image *k)
{
	uint64_t align = le32(k->header + KERNEL_ALIGNMENT), at;
	struct span s;

	k->load = k->version >= VERSION_INIT_SIZE ? le64(k->header + PREF_ADDRESS) : KERNEL_OLD;
	s = (struct span){ k->load, k->load + k->init_size };
	if (k->load < GUEST_HIGH_RAM && s.end > s.start && s.end <= GUEST_HIGH_RAM && place_is_ram(l, s)) {
		place_take(l, s);
		return 0;
	}
	if (align < PAGE_SIZE || (align & (align - 1)))
		align = LARGE_PAGE_SIZE;
	if (!k->header[RELOCATABLE] || place_low(l, k->init_size, align, GUEST_HIGH_START, GUEST_HIGH_RAM, &at))
		return loader_fail(l, -ENOSPC,
				   "the Linux kernel needs 0x%llx bytes of memory at 0x%llx, where the guest has not as much",
				   (ull)k->init_size, (ull)k->load);
	k->load = at;
	return 0;
}

static int put(struct load *l, uint64_t at, const void *data, size_t len)
{
	return guest_mem_write(l->mem, at, data, len) ? loader_fail(l, -ENOSPC, "no memory at 0x%llx", (ull)at) : 0;
}

static void set16(uint8_t *p, uint64_t v)
{
	p[0] = (uint8_t)v;
	p[1] = (uint8_t)(v >> 8);
}

static void set32(uint8_t *p, uint64_t v)
{
	set16(p, v);
	set16(p + 2, v >> 16);
}

/* The initramfs as high as it may lie (initrd_addr_max), page-aligned. */
static int put_initrd(struct load *l, const struct linux_image *k, uint8_t *zero)
{
	uint64_t limit = (uint64_t)le32(k->header + INITRD_ADDR_MAX) + 1, at;
	const struct loader_blob *b = l->in->modules;

	if (!l->in->module_count)
		return 0;
	if (l->in->module_count > 1)
		return loader_fail(l, -EINVAL, "Linux takes one module, its initramfs; there are %u", l->in->module_count);
	if (b->len > GUEST_HIGH_RAM || place_high(l, b->len ? b->len : 1, PAGE_SIZE, GUEST_HIGH_START, limit, &at))
		return loader_fail(l, -ENOSPC, "the initramfs' 0x%llx bytes find no free place in the guest's memory", (ull)b->len);
	set32(zero + RAMDISK_IMAGE, at);
	set32(zero + RAMDISK_SIZE, b->len);
	return put(l, at, b->data, b->len);
}

static int put_cmdline(struct load *l, const struct linux_image *k, uint8_t *zero)
{
	const char *line = l->in->kernel.args ? l->in->kernel.args : "";
	size_t max = k->version >= VERSION_CMDLINE ? le32(k->header + CMDLINE_SIZE) : CMDLINE_OLD, len;
	uint64_t at;

	while (*line && *line != ' ')
		line++;
	while (*line == ' ')
		line++;
	len = strnlen(line, LOADER_STRING);
	if (len > max || len == LOADER_STRING)
		return loader_fail(l, -EINVAL, "the command line is longer than the %zu characters that this kernel takes", max);
	if (place_low(l, len + 1, 16, LOW_FROM, LOW_TO, &at))
		return loader_fail(l, -ENOSPC, "no memory for the command line");
	set32(zero + CMD_LINE_PTR, at);
	return put(l, at, line, len + 1);
}

/* ---- the screen */

#define VESA_FIRST 0x200 /* numbers of modes below are those of text */

/* Decimal or, behind 0x, hexadecimal; 0 for no number. */
static unsigned number(const char *s)
{
	unsigned base = s[0] == '0' && (s[1] | 0x20) == 'x' ? 16 : 10, v = 0;

	for (s += base == 16 ? 2 : 0; v < 0x10000; s++) {
		unsigned digit = *s >= '0' && *s <= '9' ? (unsigned)(*s - '0') : (unsigned)((*s | 0x20) - 'a' + 10);

		if (digit >= base)
			break;
		v = v * base + digit;
	}
	return v;
}

bool linux_wants_graphics(const struct loader_blob *b)
{
	const char *line = b->args ? b->args : "", *value = NULL;
	unsigned mode;

	for (; *line; line++)
		if (!strncmp(line, " vga=", 5))
			value = line + 5; /* the last one counts */
	if (!value)
		return true;
	mode = number(value);
	return mode >= VESA_FIRST && mode < 0xfffd; /* those are ask, ext and normal */
}

/* As the kernel's own 16-bit setup code finds it in mode 3. */
static void text_screen(uint8_t *zero)
{
	zero[VIDEO_MODE] = 3;
	zero[VIDEO_COLUMNS] = 80;
	set16(zero + VIDEO_EGA_BX, 3);
	zero[VIDEO_LINES] = 25;
	zero[VIDEO_IS] = VIDEO_VGA;
	set16(zero + VIDEO_POINTS, 16);
}

/* The first head, as firmware would have left it for efifb or vgacon. */
static void screen_info(const struct loader_in *in, uint8_t *zero)
{
	static const uint8_t bgrx[8] = { 8, 16, 8, 8, 8, 0, 8, 24 }; /* size and position of red, green, blue, reserved */

	if (in->text)
		text_screen(zero);
	if (in->text || !in->fb_width || in->fb_bpp != 32)
		return;
	zero[VIDEO_IS] = VIDEO_EFI;
	set16(zero + LFB_WIDTH, in->fb_width);
	set16(zero + LFB_HEIGHT, in->fb_height);
	set16(zero + LFB_DEPTH, in->fb_bpp);
	set32(zero + LFB_BASE, in->fb_addr);
	set32(zero + LFB_SIZE, (uint64_t)in->fb_pitch * in->fb_height);
	set16(zero + LFB_LINELENGTH, in->fb_pitch);
	memcpy(zero + RED_SIZE, bgrx, sizeof(bgrx));
}

static void memory_map(const struct loader_in *in, uint8_t *zero)
{
	unsigned n = in->map_count < E820_MAX ? in->map_count : E820_MAX;

	zero[E820_ENTRIES] = (uint8_t)n;
	for (unsigned i = 0; i < n; i++) {
		uint8_t *e = zero + E820_TABLE + i * E820_ENTRY;

		memcpy(e, &in->map[i].base, 8);
		memcpy(e + 8, &in->map[i].len, 8);
		memcpy(e + 16, &in->map[i].type, 4);
		if (in->map[i].type == 1 && in->map[i].base == GUEST_HIGH_START)
			set32(zero + ALT_MEM_K, in->map[i].len >> 10);
	}
}

/* Flat segments where older kernels reload them from: 0x10 code, 0x18 data. */
static const uint64_t gdt32[4] = { 0, 0, 0x00cf9a000000ffff, 0x00cf92000000ffff };
static const uint64_t gdt64[4] = { 0, 0, 0x00af9a000000ffff, 0x00cf92000000ffff };

#define TABLE_ENTRIES 512u
#define DIRECTORIES 4u /* of 1 GiB each */
#define ENTRY_TABLE 0x003u /* present, writable */
#define ENTRY_LARGE 0x083u

/* Page tables that map the lower 4 GiB, where all that is loaded lies, onto themselves: a PML4, a PDPT, and a directory for each GiB. */
static int put_tables(struct load *l, struct loader_out *out)
{
	static uint64_t table[TABLE_ENTRIES];
	uint64_t at, page = 0;
	int e = place_low(l, (2 + DIRECTORIES) * PAGE_SIZE, PAGE_SIZE, LOW_FROM, LOW_TO, &at);

	if (e)
		return loader_fail(l, e, "no memory for the page tables of Linux's 64-bit entry");
	memset(table, 0, sizeof(table));
	table[0] = (at + PAGE_SIZE) | ENTRY_TABLE;
	e = put(l, at, table, sizeof(table));
	for (unsigned i = 0; i < DIRECTORIES; i++)
		table[i] = (at + (2 + i) * PAGE_SIZE) | ENTRY_TABLE;
	if (!e)
		e = put(l, at + PAGE_SIZE, table, sizeof(table));
	for (unsigned i = 0; !e && i < DIRECTORIES; i++) {
		for (unsigned k = 0; k < TABLE_ENTRIES; k++, page += LARGE_PAGE_SIZE)
			table[k] = page | ENTRY_LARGE;
		e = put(l, at + (2 + i) * PAGE_SIZE, table, sizeof(table));
	}
	out->cr3 = (uint32_t)at;
	return e;
}

static int load_linux(struct load *l, struct loader_out *out)
{
	static uint8_t zero[PAGE_SIZE];
	struct linux_image k = { 0 };
	uint64_t at;
	size_t header_end;
	int e = read_header(l, &k);

	if (!e)
		e = place_kernel(l, &k);
	if (e)
		return e;
	if (place_low(l, PAGE_SIZE, PAGE_SIZE, LOW_FROM, LOW_TO, &at))
		return loader_fail(l, -ENOSPC, "no memory for Linux's zero page");
	memset(zero, 0, sizeof(zero));
	header_end = MAGIC + k.header[JUMP_LENGTH]; /* the jump at 0x200 leads past the header (boot.rst) */
	memcpy(zero + SETUP_SECTS, k.header + SETUP_SECTS, (header_end > HEADER_END ? HEADER_END : header_end) - SETUP_SECTS);
	zero[TYPE_OF_LOADER] = LOADER_UNKNOWN;
	set32(zero + CODE32_START, k.load);
	screen_info(l->in, zero);
	memory_map(l->in, zero);
	memcpy(zero + ACPI_RSDP, &l->in->rsdp, sizeof(l->in->rsdp));
	memcpy(zero + GDT_AT, k.entry64 ? gdt64 : gdt32, sizeof(gdt32));
	e = put(l, k.load, l->in->kernel.data + k.setup_bytes, k.payload_bytes);
	if (!e)
		e = put_initrd(l, &k, zero);
	if (!e)
		e = put_cmdline(l, &k, zero);
	if (!e)
		e = put(l, at, zero, sizeof(zero));
	*out = (struct loader_out){ .protocol = k.entry64 ? "Linux, 64-bit" : "Linux, 32-bit",
				    .entry = (uint32_t)k.load + (k.entry64 ? ENTRY_64 : 0),
				    .esi = (uint32_t)at,
				    .gdt = (uint32_t)at + GDT_AT,
				    .gdt_limit = sizeof(gdt32) - 1 };
	return e || !k.entry64 ? e : put_tables(l, out);
}

int loader_linux(struct guest_mem *m, const struct loader_in *in, struct loader_out *out, char *why, size_t why_len)
{
	struct load l = { .mem = m, .in = in, .why = why, .why_len = why_len };

	if (why_len)
		why[0] = '\0';
	*out = (struct loader_out){ 0 };
	return load_linux(&l, out);
}
