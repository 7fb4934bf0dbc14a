/* Shared by the loader's files: the state of one load, placement of what the loader adds, and the formats' readers. */
#ifndef VMM_LOADER_PRIV_H
#define VMM_LOADER_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/loader.h"

#define LOADER_MODULES 32		  /* at most */
#define LOADER_SEGMENTS 32		  /* at most, of one kernel */
#define LOADER_STRING 4096		  /* longest string with its ending 0 */
#define LOADER_TAKEN (LOADER_MODULES + 3) /* and the kernel, its sections, the information block */

/* Bytes [start, end) of guest memory, or of the file. */
struct span {
	uint64_t start, end;
};

struct segment {
	uint64_t offset, file_bytes; /* in the file; checked to lie inside */
	uint64_t paddr, vaddr, mem_bytes;
};

/* A kernel as its format describes it, checked against the file and the guest's RAM. */
struct kernel {
	const char *protocol;
	bool elf; /* read through its ELF headers */
	unsigned segments;
	struct segment segment[LOADER_SEGMENTS];
	struct span span; /* from the lowest to the highest byte of all */
	uint32_t entry;	  /* physical */
};

struct load {
	struct guest_mem *mem;
	const struct loader_in *in;
	struct kernel kernel;
	unsigned taken_count;
	struct span taken[LOADER_TAKEN]; /* what has its place already */
	char *why;
	size_t why_len;
};

/** Writes the sentence that says what is wrong and returns err. */
int loader_fail(struct load *l, int err, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/** Little-endian numbers from untrusted, unaligned bytes. */
static inline uint16_t le16(const uint8_t *p)
{
	return (uint16_t)(p[0] | p[1] << 8);
}

static inline uint32_t le32(const uint8_t *p)
{
	return le16(p) | (uint32_t)le16(p + 2) << 16;
}

static inline uint64_t le64(const uint8_t *p)
{
	return le32(p) | (uint64_t)le32(p + 4) << 32;
}

/* ---- loader_place.c */

/** True when every byte of the span is usable RAM by the map and present in guest memory. */
bool place_is_ram(const struct load *l, struct span s);
/** Notes that a span is in use. There is always room: see LOADER_TAKEN. */
void place_take(struct load *l, struct span s);
/**
 * Finds and takes size bytes of free RAM within [from, to), aligned to align (a power of two): the lowest place, or the highest.
 * to is 4 GiB at most. Returns 0, or -ENOSPC.
 */
int place_low(struct load *l, uint64_t size, uint64_t align, uint64_t from, uint64_t to, uint64_t *at);
int place_high(struct load *l, uint64_t size, uint64_t align, uint64_t from, uint64_t to, uint64_t *at);

/* ---- loader_segments.c */

/**
 * Checks one more segment of the kernel (file range, RAM, overlap) and adds it. An empty one is skipped.
 * @index  its number in the file, for the sentence
 * Returns 0, -EINVAL or -ENOSPC.
 */
int kernel_add(struct load *l, const struct segment *s, unsigned index);
/** Copies the segments into guest memory and zeroes what follows each in memory. Returns 0 or -ENOSPC. */
int kernel_copy(struct load *l);
/** Turns an entry point, virtual or physical, into a physical one inside a segment. Returns 0 or -EINVAL. */
int kernel_set_entry(struct load *l, uint64_t entry);

/* ---- loader_elf.c */

/** True for bytes that begin as an ELF file. */
bool elf_is(const struct loader_blob *b);
/** Reads the program headers into l->kernel. Returns 0, -EINVAL, -ENOSPC; -ENOEXEC for an ELF file of another machine. */
int elf_read(struct load *l);

/* Where the loaded kernel finds its own section headers, as multiboot's information tells it. */
struct elf_sections {
	uint32_t count, entry_bytes, addr, names; /* count 0: there are none */
};

/**
 * Copies the section header table into guest memory, and with it those symbol and string tables that belong to no segment; their
 * headers get the new addresses. Debugging aid: anything odd about the table means that there is none, not an error.
 */
void elf_load_sections(struct load *l, struct elf_sections *out);

/* ---- loader_mbi.c */

/** Places and writes the multiboot information; module i lies at module[i]. Returns 0, -ENOSPC or -EINVAL; *addr: where it is. */
int mbi_write(struct load *l, const struct span *module, const struct elf_sections *sections, uint32_t *addr);

#endif
