#include "host/kernelcheck.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* Multiboot Specification 0.6.96, section 3.1. */
#define MB_MAGIC 0x1badb002u
#define MB_SEARCH 8192u
#define MB_FLAG_AOUT (1u << 16)
#define MB_FLAGS_MUST 0xffffu /* a loader that does not know one of these must refuse */
#define MB_FLAGS_KNOWN 0x7u   /* page alignment, memory information, video mode */
#define PHNUM_MAX 256u

static char why_buf[256];

static int no(int err, const char **why, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
static int no(int err, const char **why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why_buf, sizeof(why_buf), fmt, ap);
	va_end(ap);
	*why = why_buf;
	return err;
}

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

enum search { FOUND, NOTHING, BAD_SUM };

static enum search find_header(const uint8_t *file, size_t size, size_t *at)
{
	size_t end = size < MB_SEARCH ? size : MB_SEARCH;
	enum search result = NOTHING;

	for (size_t i = 0; i + 12 <= end; i += 4) {
		if (le32(file + i) != MB_MAGIC)
			continue;
		if ((uint32_t)(MB_MAGIC + le32(file + i + 4) + le32(file + i + 8)) == 0) {
			*at = i;
			return FOUND;
		}
		if (result == NOTHING)
			*at = i;
		result = BAD_SUM;
	}
	return result;
}

static int fits(uint64_t top, uint64_t memory_mib, const char **why)
{
	if (top <= memory_mib << 20)
		return 0;
	return no(-ENOMEM, why, "needs memory up to %" PRIu64 " KiB, but the guest has %" PRIu64 " MiB: try --memory %" PRIu64,
		  (top + 1023) >> 10, memory_mib, ((top + (1 << 20) - 1) >> 20) + 16);
}

static int check_aout(const uint8_t *file, size_t size, size_t at, struct kernel_info *info, const char **why)
{
	uint64_t header, load, load_end, bss_end, skip;

	if (at + 32 > size)
		return no(-ENOEXEC, why, "ends inside of its multiboot header");
	header = le32(file + at + 12);
	load = le32(file + at + 16);
	load_end = le32(file + at + 20);
	bss_end = le32(file + at + 24);
	info->entry = le32(file + at + 28);
	info->kind = KERNEL_AOUT_KLUDGE;
	if (load > header || header - load > at)
		return no(-ENOEXEC, why,
			  "its multiboot header has addresses that cannot be: header at 0x%" PRIx64 ", load at 0x%" PRIx64, header,
			  load);
	skip = at - (header - load);
	if (!load_end)
		load_end = load + (size - skip);
	if (load_end <= load)
		return no(-ENOEXEC, why,
			  "its multiboot header has addresses that cannot be: load at 0x%" PRIx64 ", end at 0x%" PRIx64, load,
			  load_end);
	if (load_end - load > size - skip)
		return no(-ENOEXEC, why,
			  "truncated: its multiboot header asks for %" PRIu64 " bytes from offset %" PRIu64 ", the file has %zu",
			  load_end - load, skip, size);
	info->top = bss_end > load_end ? bss_end : load_end;
	if (info->entry < load || info->entry >= load_end)
		return no(-ENOEXEC, why, "its entry point 0x%" PRIx64 " is outside of what it loads", info->entry);
	return 0;
}

/* One class-independent view of what matters in an ELF file. */
struct elf_view {
	const uint8_t *file;
	size_t size;
	bool is64;
	uint64_t entry, phoff;
	unsigned type, machine, phnum, phentsize;
};

struct segment {
	uint64_t offset, filesz, memsz, paddr, vaddr;
	uint32_t type;
};

static int elf_header(struct elf_view *v, const char **why)
{
	v->is64 = v->file[EI_CLASS] == ELFCLASS64;
	if (v->file[EI_CLASS] != ELFCLASS32 && v->file[EI_CLASS] != ELFCLASS64)
		return no(-ENOEXEC, why, "an ELF file of unknown class %u", v->file[EI_CLASS]);
	if (v->file[EI_DATA] != ELFDATA2LSB)
		return no(-ENOEXEC, why, "a big-endian ELF file: not for this CPU");
	if (v->size < (v->is64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr)))
		return no(-ENOEXEC, why, "truncated: it ends inside of its ELF header");
	if (v->is64) {
		Elf64_Ehdr h;

		memcpy(&h, v->file, sizeof(h));
		v->entry = h.e_entry, v->phoff = h.e_phoff, v->type = h.e_type, v->machine = h.e_machine;
		v->phnum = h.e_phnum, v->phentsize = h.e_phentsize;
	} else {
		Elf32_Ehdr h;

		memcpy(&h, v->file, sizeof(h));
		v->entry = h.e_entry, v->phoff = h.e_phoff, v->type = h.e_type, v->machine = h.e_machine;
		v->phnum = h.e_phnum, v->phentsize = h.e_phentsize;
	}
	if (v->machine != EM_386 && v->machine != EM_X86_64)
		return no(-ENOEXEC, why, "an ELF file for another CPU (machine %u)", v->machine);
	if (v->type != ET_EXEC)
		return no(-ENOEXEC, why, "an ELF file of type %u: only executables at fixed addresses (type 2) can boot", v->type);
	if (!v->phnum || v->phnum > PHNUM_MAX || v->phentsize != (v->is64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)))
		return no(-ENOEXEC, why, "an absurd ELF header: %u program headers of %u bytes", v->phnum, v->phentsize);
	if (v->phoff > v->size || (uint64_t)v->phnum * v->phentsize > v->size - v->phoff)
		return no(-ENOEXEC, why, "truncated: its program headers lie past its end (%zu bytes)", v->size);
	return 0;
}

static struct segment elf_segment(const struct elf_view *v, unsigned i)
{
	const uint8_t *p = v->file + v->phoff + (size_t)i * v->phentsize;

	if (v->is64) {
		Elf64_Phdr h;

		memcpy(&h, p, sizeof(h));
		return (struct segment){ h.p_offset, h.p_filesz, h.p_memsz, h.p_paddr, h.p_vaddr, h.p_type };
	} else {
		Elf32_Phdr h;

		memcpy(&h, p, sizeof(h));
		return (struct segment){ h.p_offset, h.p_filesz, h.p_memsz, h.p_paddr, h.p_vaddr, h.p_type };
	}
}

static int check_elf(const uint8_t *file, size_t size, struct kernel_info *info, const char **why)
{
	struct elf_view v = { .file = file, .size = size };
	bool loads = false, entry_inside = false;
	int err = elf_header(&v, why);

	if (err)
		return err;
	info->kind = v.is64 ? KERNEL_ELF64 : KERNEL_ELF32;
	info->entry = v.entry;
	for (unsigned i = 0; i < v.phnum; i++) {
		struct segment s = elf_segment(&v, i);

		if (s.type != PT_LOAD || !s.memsz)
			continue;
		loads = true;
		if (s.filesz > s.memsz || s.paddr > UINT64_MAX - s.memsz)
			return no(-ENOEXEC, why,
				  "an absurd ELF segment %u: %" PRIu64 " bytes of file in %" PRIu64 " of memory at 0x%" PRIx64, i,
				  s.filesz, s.memsz, s.paddr);
		if (s.offset > size || s.filesz > size - s.offset)
			return no(-ENOEXEC, why,
				  "truncated: segment %u needs %" PRIu64 " bytes from offset %" PRIu64 ", the file has %zu", i,
				  s.filesz, s.offset, size);
		if (s.paddr + s.memsz > info->top)
			info->top = s.paddr + s.memsz;
		if (v.entry - s.vaddr < s.memsz || v.entry - s.paddr < s.memsz)
			entry_inside = true;
	}
	if (!loads)
		return no(-ENOEXEC, why, "an ELF file with nothing to load");
	if (!entry_inside)
		return no(-ENOEXEC, why, "its entry point 0x%" PRIx64 " is outside of what it loads", v.entry);
	return 0;
}

/* Linux's boot protocol: the setup header (Documentation/x86/boot.rst). */
static bool is_linux(const uint8_t *file, size_t size)
{
	return size >= 0x264 && memcmp(file + 0x202, "HdrS", 4) == 0 && file[0x1fe] == 0x55 && file[0x1ff] == 0xaa;
}

static int check_linux(const uint8_t *file, size_t size, struct kernel_info *info, const char **why)
{
	unsigned version = file[0x206] | (unsigned)file[0x207] << 8, sectors = file[0x1f1] ? file[0x1f1] : 4;
	uint64_t setup = (sectors + 1) * 512ull, load = 0x100000, needs;

	info->kind = KERNEL_LINUX;
	if (version < 0x205)
		return no(-ENOEXEC, why, "a Linux kernel of boot protocol %u.%02u: 2.05 is the oldest that can boot here", version >> 8,
			  version & 0xff);
	if (!(file[0x211] & 1))
		return no(-ENOEXEC, why, "a Linux kernel that must be loaded below 1 MiB (zImage): it cannot boot here");
	if (setup >= size)
		return no(-ENOEXEC, why, "truncated: a Linux kernel with nothing behind its %u setup sectors", sectors);
	needs = size - setup;
	if (version >= 0x20a && le32(file + 0x260) > needs)
		needs = le32(file + 0x260);
	info->entry = load;
	info->top = load + needs; /* it may lie higher, if there is room */
	return 0;
}

/* A firmware image, for the reset vector (vmm/loader_rom.c): whole units of 64 KiB with a jump 16 bytes from the end. */
static bool is_firmware(const uint8_t *file, size_t size)
{
	const uint8_t *p = file + size - 16;
	unsigned i = 0;

	if (!size || size % 0x10000 || size > 0x1000000)
		return false;
	while (i < 8 && (p[i] == 0x90 || p[i] == 0xfa || p[i] == 0xfc)) /* NOP, CLI, CLD */
		i++;
	return p[i] == 0xe9 || p[i] == 0xea || p[i] == 0xeb;
}

/* What a file that is no kernel most likely is. */
static int not_a_kernel(const uint8_t *file, size_t size, const char **why)
{
	static const uint8_t gzip[] = { 0x1f, 0x8b };

	if (size >= 2 && memcmp(file, gzip, 2) == 0)
		return no(-ENOEXEC, why, "compressed (gzip): unpack it first");
	if (size >= SELFMAG && memcmp(file, ELFMAG, SELFMAG) == 0)
		return no(-ENOEXEC, why,
			  "an ELF file without a multiboot 1 header in its first 8 KiB: not a kernel that can boot here");
	if (size % 0x10000 == 0)
		return no(-ENOEXEC, why,
			  "not a kernel, and no firmware: no multiboot 1 header in its first 8 KiB, no ELF, no Linux bzImage, no jump at the "
			  "reset vector");
	return no(-ENOEXEC, why, "not a kernel: no multiboot 1 header in its first 8 KiB, no ELF, no Linux bzImage");
}

int kernel_check(const uint8_t *file, size_t size, uint64_t memory_mib, struct kernel_info *info, const char **why)
{
	bool elf = size >= EI_NIDENT && memcmp(file, ELFMAG, SELFMAG) == 0;
	size_t at = 0;
	enum search found = find_header(file, size, &at);
	uint32_t flags;
	int err;

	*info = (struct kernel_info){ 0 };
	if (!size)
		return no(-ENOEXEC, why, "empty");
	if (found == BAD_SUM)
		return no(-ENOEXEC, why, "the checksum of its multiboot header at offset %zu is wrong", at);
	if (is_linux(file, size)) {
		err = check_linux(file, size, info, why);
		return err ? err : fits(info->top, memory_mib, why);
	}
	if (found == NOTHING && !elf && is_firmware(file, size)) {
		info->kind = KERNEL_FIRMWARE;
		info->entry = 0xfffffff0;
		info->top = 0x100000;
		return fits(info->top, memory_mib, why);
	}
	if (found == NOTHING)
		return not_a_kernel(file, size, why);
	flags = le32(file + at + 4);
	if (flags & MB_FLAGS_MUST & ~MB_FLAGS_KNOWN)
		return no(-ENOEXEC, why, "its multiboot header requires features that do not exist (flags 0x%08x)", flags);
	if (flags & MB_FLAG_AOUT)
		err = check_aout(file, size, at, info, why);
	else if (elf)
		err = check_elf(file, size, info, why);
	else
		err = no(-ENOEXEC, why, "has a multiboot header, but neither load addresses in it nor an ELF header");
	return err ? err : fits(info->top, memory_mib, why);
}
