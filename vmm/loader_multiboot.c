/* Multiboot 1 (Multiboot Specification 0.6.96): the header, the a.out kludge, and the order of a load. */
#include "vmm/loader.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mm/layout.h"
#include "vmm/loader_priv.h"

typedef unsigned long long ull;

#define SEARCH_BYTES 8192u /* the header lies wholly within these (3.1) */
#define HEADER_MAGIC 0x1badb002u
#define BOOT_MAGIC 0x2badb002u /* in EAX */
#define FLAG_VIDEO (1u << 2)
#define FLAG_ADDRESSES (1u << 16)
#define FLAGS_KNOWN 0x7u /* of bits 0..15, which must be understood: page-aligned modules, memory, video mode */
#define FLAGS_REQUIRED 0xffffu

/* Offsets within the header (3.1.1). */
enum {
	H_FLAGS = 4,
	H_CHECKSUM = 8,
	H_HEADER_ADDR = 12,
	H_LOAD_ADDR = 16,
	H_LOAD_END = 20,
	H_BSS_END = 24,
	H_ENTRY = 28,
	H_MODE_TYPE = 32
};
#define HEADER_MIN 12u
#define HEADER_ADDRESSES 32u /* with the fields that bit 16 promises */

struct header {
	uint32_t offset, flags;
};

int loader_fail(struct load *l, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	(void)vsnprintf(l->why, l->why_len, fmt, args);
	va_end(args);
	return err;
}

/* ---- what is it? */

/* For a file without a multiboot header: what the user probably gave us. */
static int explain(struct load *l, bool bad_checksum)
{
	const struct loader_blob *b = &l->in->kernel;
	static const struct {
		uint32_t offset;
		uint8_t len;
		const char *bytes, *what;
	} known[] = {
		{ 0, 4, "\177ELF", "this ELF file has no multiboot header in its first 8 KiB" },
		{ 0, 2, "MZ", "this is an EFI or DOS program, not a multiboot kernel" },
		{ 0, 2, "\037\213", "this file is compressed with gzip: uncompress it first" },
		{ 0, 6, "\3757zXZ", "this file is compressed with xz: uncompress it first" },
		{ 0x8001, 5, "CD001", "this is a CD image, not a kernel" },
	};

	if (b->len == 0)
		return loader_fail(l, -ENOEXEC, "the guest's file is empty");
	if (bad_checksum)
		return loader_fail(l, -EINVAL, "the multiboot header's checksum is wrong");
	for (unsigned i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (b->len >= known[i].offset + known[i].len &&
		    memcmp(b->data + known[i].offset, known[i].bytes, known[i].len) == 0)
			return loader_fail(l, -ENOEXEC, "%s", known[i].what);
	return loader_fail(l, -ENOEXEC, "the file is not a kernel that we know: no multiboot header in its first 8 KiB");
}

static int find_header(struct load *l, struct header *h)
{
	const struct loader_blob *b = &l->in->kernel;
	size_t limit = b->len < SEARCH_BYTES ? b->len : SEARCH_BYTES;
	bool bad = false;

	for (uint32_t at = 0; at + HEADER_MIN <= limit; at += 4) {
		const uint8_t *p = b->data + at;

		if (le32(p) != HEADER_MAGIC)
			continue;
		uint32_t flags = le32(p + H_FLAGS);

		if (HEADER_MAGIC + flags + le32(p + H_CHECKSUM) != 0) {
			bad = true;
			continue;
		}
		*h = (struct header){ .offset = at, .flags = flags };
		if ((flags & FLAG_ADDRESSES) && at + HEADER_ADDRESSES > limit)
			return loader_fail(l, -EINVAL,
					   "the multiboot header at 0x%x promises addresses but the file ends before them", at);
		return 0;
	}
	return explain(l, bad);
}

static int check_flags(struct load *l, const struct header *h)
{
	uint32_t unknown = h->flags & FLAGS_REQUIRED & ~FLAGS_KNOWN;

	if (!unknown)
		return 0;
	return loader_fail(l, -EINVAL, "the kernel requires a multiboot feature that does not exist here (header flag bit %u)",
			   (unsigned)__builtin_ctz(unknown));
}

/* ---- a.out kludge (3.1.3): one piece, its addresses in the header */

static int read_addresses(struct load *l, const struct header *h)
{
	const uint8_t *p = l->in->kernel.data + h->offset;
	uint32_t header = le32(p + H_HEADER_ADDR), load = le32(p + H_LOAD_ADDR), load_end = le32(p + H_LOAD_END);
	uint32_t bss_end = le32(p + H_BSS_END);
	uint64_t len = l->in->kernel.len;

	if (load > header || header - load > h->offset)
		return loader_fail(l, -EINVAL,
				   "the multiboot header is broken: load_addr 0x%x does not fit header_addr 0x%x at offset 0x%x",
				   load, header, h->offset);
	uint64_t offset = h->offset - (header - load), file_bytes = len - offset;

	if (load_end) { /* 0: to the end of the file */
		if (load_end < load)
			return loader_fail(l, -EINVAL, "the multiboot header is broken: load_end_addr 0x%x is below load_addr 0x%x",
					   load_end, load);
		file_bytes = load_end - load;
	}
	uint64_t mem_bytes = file_bytes;

	if (bss_end) { /* 0: no bss */
		if (bss_end < load || bss_end - load < file_bytes)
			return loader_fail(l, -EINVAL,
					   "the multiboot header is broken: bss_end_addr 0x%x is below the end of the data, 0x%llx",
					   bss_end, (ull)(load + file_bytes));
		mem_bytes = bss_end - load;
	}
	struct segment s = { .offset = offset, .file_bytes = file_bytes, .paddr = load, .vaddr = load, .mem_bytes = mem_bytes };
	int err = kernel_add(l, &s, 0);

	if (err)
		return err;
	l->kernel.protocol = "multiboot 1, a.out kludge";
	return kernel_set_entry(l, le32(p + H_ENTRY));
}

/* ---- modules */

static int place_modules(struct load *l, struct span *module)
{
	const struct loader_in *in = l->in;
	uint64_t at;

	for (unsigned i = 0; i < in->module_count; i++) {
		const struct loader_blob *b = &in->modules[i];

		if (b->len > GUEST_HIGH_RAM || place_high(l, b->len ? b->len : 1, PAGE_SIZE, GUEST_HIGH_START, GUEST_HIGH_RAM, &at))
			return loader_fail(l, -ENOSPC,
					   "module %u does not fit: its 0x%llx bytes find no free place in the guest's memory",
					   i + 1, (ull)b->len);
		module[i] = (struct span){ at, at + b->len };
	}
	return 0;
}

static int copy_modules(struct load *l, const struct span *module)
{
	for (unsigned i = 0; i < l->in->module_count; i++)
		if (guest_mem_write(l->mem, module[i].start, l->in->modules[i].data, l->in->modules[i].len))
			return loader_fail(l, -ENOSPC, "module %u does not fit: no memory at 0x%llx", i + 1, (ull)module[i].start);
	return 0;
}

/* ---- all of it */

bool multiboot_wants_graphics(const struct loader_blob *b)
{
	struct loader_in in = { .kernel = *b };
	char why[1];
	struct load l = { .in = &in, .why = why, .why_len = sizeof(why) };
	struct header h;

	return !find_header(&l, &h) && (h.flags & FLAG_VIDEO) && h.offset + H_MODE_TYPE + 4 <= b->len &&
	       le32(b->data + h.offset + H_MODE_TYPE) == 0;
}

static int read_kernel(struct load *l)
{
	struct header h = { 0 };
	int err = find_header(l, &h);

	if (!err)
		err = check_flags(l, &h);
	if (err)
		return err;
	if (h.flags & FLAG_ADDRESSES)
		return read_addresses(l, &h);
	if (elf_is(&l->in->kernel))
		return elf_read(l);
	return loader_fail(l, -EINVAL, "the kernel is no ELF file and its multiboot header gives no addresses (flag bit 16)");
}

static int load_all(struct load *l, struct loader_out *out)
{
	struct span module[LOADER_MODULES];
	struct elf_sections sections;
	int err = read_kernel(l);

	if (err)
		return err;
	if (l->in->module_count > LOADER_MODULES)
		return loader_fail(l, -EINVAL, "%u modules are more than the %u that can be passed on", l->in->module_count,
				   LOADER_MODULES);
	place_take(l, l->kernel.span);
	err = place_modules(l, module);
	if (!err)
		err = kernel_copy(l);
	if (!err)
		err = copy_modules(l, module);
	if (err)
		return err;
	elf_load_sections(l, &sections);
	err = mbi_write(l, module, &sections, &out->ebx);
	if (err)
		return err;
	out->protocol = l->kernel.protocol;
	out->entry = l->kernel.entry;
	out->eax = BOOT_MAGIC;
	return 0;
}

int loader_multiboot(struct guest_mem *m, const struct loader_in *in, struct loader_out *out, char *why, size_t why_len)
{
	struct load l;

	memset(&l, 0, sizeof(l));
	l.mem = m;
	l.in = in;
	l.why = why;
	l.why_len = why_len;
	if (why_len)
		why[0] = '\0';
	*out = (struct loader_out){ 0 };
	return load_all(&l, out);
}
