/* ELF32 and ELF64 by one reader: the fields' places come from a table for each class (System V ABI, "Object Files"). */
#include "vmm/loader_priv.h"

#include <errno.h>
#include <string.h>

#include "mm/layout.h"

typedef unsigned long long ull;

/* Where a field lies and how wide it is. */
struct field {
	uint8_t at, bytes;
};

struct elf_class {
	const char *protocol;
	uint8_t header_bytes, segment_bytes, section_bytes;
	struct field entry, segments, sections, segment_size, segment_count, section_size, section_count, section_names;
	struct field p_offset, p_vaddr, p_paddr, p_filesz, p_memsz;
	struct field s_flags, s_addr, s_offset, s_size;
};

/* clang-format off */
static const struct elf_class elf32 = {
	.protocol = "multiboot 1, ELF32",
	.header_bytes = 52, .segment_bytes = 32, .section_bytes = 40,
	.entry = { 24, 4 }, .segments = { 28, 4 }, .sections = { 32, 4 },
	.segment_size = { 42, 2 }, .segment_count = { 44, 2 },
	.section_size = { 46, 2 }, .section_count = { 48, 2 }, .section_names = { 50, 2 },
	.p_offset = { 4, 4 }, .p_vaddr = { 8, 4 }, .p_paddr = { 12, 4 }, .p_filesz = { 16, 4 }, .p_memsz = { 20, 4 },
	.s_flags = { 8, 4 }, .s_addr = { 12, 4 }, .s_offset = { 16, 4 }, .s_size = { 20, 4 },
};

static const struct elf_class elf64 = {
	.protocol = "multiboot 1, ELF64",
	.header_bytes = 64, .segment_bytes = 56, .section_bytes = 64,
	.entry = { 24, 8 }, .segments = { 32, 8 }, .sections = { 40, 8 },
	.segment_size = { 54, 2 }, .segment_count = { 56, 2 },
	.section_size = { 58, 2 }, .section_count = { 60, 2 }, .section_names = { 62, 2 },
	.p_offset = { 8, 8 }, .p_vaddr = { 16, 8 }, .p_paddr = { 24, 8 }, .p_filesz = { 32, 8 }, .p_memsz = { 40, 8 },
	.s_flags = { 8, 8 }, .s_addr = { 16, 8 }, .s_offset = { 24, 8 }, .s_size = { 32, 8 },
};
/* clang-format on */

#define IDENT_BYTES 16
#define EI_CLASS 4
#define EI_DATA 5
#define CLASS32 1
#define CLASS64 2
#define DATA_LITTLE 1
#define E_TYPE 16
#define E_MACHINE 18
#define TYPE_EXEC 2
#define TYPE_DYN 3
#define MACHINE_386 3
#define MACHINE_X86_64 62
#define P_TYPE 0
#define PT_LOAD 1
#define S_TYPE 4
#define SHT_SYMTAB 2
#define SHT_STRTAB 3
#define SHF_ALLOC 2

/* Symbols are a help for debugging: tables larger than this stay out. */
#define SECTIONS_MAX_BYTES (64ull << 20)

static uint64_t get(const uint8_t *p, struct field f)
{
	p += f.at;
	return f.bytes == 2 ? le16(p) : f.bytes == 4 ? le32(p) : le64(p);
}

bool elf_is(const struct loader_blob *b)
{
	return b->len >= IDENT_BYTES && memcmp(b->data, "\177ELF", 4) == 0;
}

static const struct elf_class *class_of(const uint8_t *data)
{
	return data[EI_CLASS] == CLASS32 ? &elf32 : data[EI_CLASS] == CLASS64 ? &elf64 : NULL;
}

static int check_header(struct load *l, const struct elf_class **c)
{
	const struct loader_blob *b = &l->in->kernel;

	*c = class_of(b->data);
	if (!*c || b->data[EI_DATA] != DATA_LITTLE)
		return loader_fail(l, -ENOEXEC, "the ELF file is not for x86: class %u, byte order %u", b->data[EI_CLASS],
				   b->data[EI_DATA]);
	if (b->len < (*c)->header_bytes)
		return loader_fail(l, -EINVAL, "the file is truncated: its ELF header needs %u bytes but the file has 0x%llx",
				   (*c)->header_bytes, (ull)b->len);
	unsigned machine = le16(b->data + E_MACHINE), type = le16(b->data + E_TYPE);

	if (machine != MACHINE_386 && machine != MACHINE_X86_64)
		return loader_fail(l, -ENOEXEC, "the ELF file is not for x86: machine %u", machine);
	if (type != TYPE_EXEC && type != TYPE_DYN)
		return loader_fail(l, -EINVAL, "the ELF file is not an executable (type %u)%s", type,
				   type == 1 ? ": it is not linked" : "");
	return 0;
}

/* Checks that count entries of size bytes at offset lie in the file. */
static int check_table(struct load *l, uint64_t offset, uint64_t count, uint64_t size)
{
	uint64_t len = l->in->kernel.len, bytes = count * size; /* 16 bits each: no overflow */

	if (offset > len || bytes > len - offset)
		return loader_fail(l, -EINVAL,
				   "the file is truncated: its table of %llu segments at 0x%llx does not fit into 0x%llx bytes",
				   (ull)count, (ull)offset, (ull)len);
	return 0;
}

int elf_read(struct load *l)
{
	const struct elf_class *c;
	int err = check_header(l, &c);

	if (err)
		return err;
	const uint8_t *data = l->in->kernel.data;
	uint64_t offset = get(data, c->segments), count = get(data, c->segment_count), size = get(data, c->segment_size);

	if (count == 0)
		return loader_fail(l, -EINVAL, "the ELF file has no segments");
	if (size < c->segment_bytes)
		return loader_fail(l, -EINVAL, "the file is broken: its ELF header tells segment entries of %llu bytes", (ull)size);
	err = check_table(l, offset, count, size);
	for (unsigned i = 0; !err && i < count; i++) {
		const uint8_t *p = data + offset + i * size;
		struct segment s = {
			.offset = get(p, c->p_offset),
			.file_bytes = get(p, c->p_filesz),
			.paddr = get(p, c->p_paddr),
			.vaddr = get(p, c->p_vaddr),
			.mem_bytes = get(p, c->p_memsz),
		};

		if (le32(p + P_TYPE) == PT_LOAD)
			err = kernel_add(l, &s, i);
	}
	if (err)
		return err;
	if (l->kernel.segments == 0)
		return loader_fail(l, -EINVAL, "the ELF file has nothing to load");
	l->kernel.protocol = c->protocol;
	l->kernel.elf = true;
	return kernel_set_entry(l, get(data, c->entry));
}

/* ---- section headers */

/* A table that is in no segment and is worth its memory: symbols and strings. */
static bool wanted(const struct load *l, const struct elf_class *c, const uint8_t *s)
{
	uint32_t type = le32(s + S_TYPE);
	uint64_t offset = get(s, c->s_offset), size = get(s, c->s_size), len = l->in->kernel.len;

	if ((type != SHT_SYMTAB && type != SHT_STRTAB) || (get(s, c->s_flags) & SHF_ALLOC) || get(s, c->s_addr))
		return false;
	return size && size <= SECTIONS_MAX_BYTES && offset <= len && size <= len - offset;
}

/* Copies the table to `to` with its headers' addresses, and each wanted section behind it. Returns the end. */
static uint64_t copy_sections(struct load *l, const struct elf_class *c, const uint8_t *table, uint64_t count, uint64_t size,
			      uint64_t to)
{
	uint64_t at = to + count * size;

	for (unsigned i = 0; i < count; i++) {
		const uint8_t *s = table + i * size;
		uint32_t addr = (uint32_t)at;
		uint64_t bytes = get(s, c->s_size), header = to + i * size;

		(void)guest_mem_write(l->mem, header, s, size);
		if (!wanted(l, c, s))
			continue;
		at = (at + 15) & ~15ull;
		addr = (uint32_t)at;
		(void)guest_mem_write(l->mem, header + c->s_addr.at, &addr, sizeof(addr));
		(void)guest_mem_write(l->mem, at, l->in->kernel.data + get(s, c->s_offset), bytes);
		at += bytes;
	}
	return at;
}

void elf_load_sections(struct load *l, struct elf_sections *out)
{
	const struct loader_blob *b = &l->in->kernel;

	*out = (struct elf_sections){ 0 };
	if (!l->kernel.elf)
		return;
	const struct elf_class *c = class_of(b->data);
	if (!c)
		return;
	uint64_t offset = get(b->data, c->sections), count = get(b->data, c->section_count), size = get(b->data, c->section_size);
	uint64_t total = count * size, at;

	if (count == 0 || size < c->section_bytes || offset > b->len || total > b->len - offset)
		return;
	for (unsigned i = 0; i < count; i++) {
		const uint8_t *s = b->data + offset + i * size;

		if (wanted(l, c, s))
			total += get(s, c->s_size) + 15;
		if (total > SECTIONS_MAX_BYTES)
			return;
	}
	if (place_high(l, total, PAGE_SIZE, GUEST_HIGH_START, GUEST_HIGH_RAM, &at))
		return;
	(void)copy_sections(l, c, b->data + offset, count, size, at);
	out->count = (uint32_t)count;
	out->entry_bytes = (uint32_t)size;
	out->addr = (uint32_t)at;
	out->names = (uint32_t)get(b->data, c->section_names);
}
