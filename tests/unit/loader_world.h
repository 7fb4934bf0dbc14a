/* A guest's memory, kernels made to order, and the check of all that a loaded guest is given: for the loader's tests. */
#ifndef TESTS_UNIT_LOADER_WORLD_H
#define TESTS_UNIT_LOADER_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vmm/loader.h"

#define RAM (8u << 20)
#define PAGE 4096u
#define MAP_ENTRIES 4

extern uint8_t *ram; /* RAM bytes, guest-physical 0 on */
extern struct guest_mem mem;
extern struct loader_map map[MAP_ENTRIES];
extern char why[160];

/** Group fixtures: the memory. */
int setup(void **state);
int teardown(void **state);

/** Little-endian numbers in a file, and from guest memory (which must lie in it). */
void w16(uint8_t *p, unsigned v);
void w32(uint8_t *p, uint32_t v);
void w64(uint8_t *p, uint64_t v);
uint32_t r32(uint32_t gpa);

struct seg {
	uint32_t offset, filesz;
	uint64_t vaddr, paddr, memsz;
};

struct image {
	uint8_t *data; /* from malloc; the test frees it */
	size_t len;
	unsigned bits; /* 32 or 64 */
};

/** An ELF file of len bytes with these segments; its bytes count up so that each can be told from its neighbours. */
struct image elf(unsigned bits, size_t len, const struct seg *seg, unsigned count, uint64_t entry);
/** The usual kernel: code with the header at 1 MiB, data with some bss behind it. */
extern const struct seg usual[2];
struct image usual_elf(unsigned bits);
/** A program header of such a file. */
uint8_t *phdr(const struct image *im, unsigned i);
/** Multiboot headers: without and with the addresses of the a.out kludge. */
void put_header(uint8_t *p, uint32_t flags);
void kludge(uint8_t *p, uint32_t header, uint32_t start, uint32_t end, uint32_t bss, uint32_t entry);

struct loader_blob blob(const void *data, size_t len, const char *args);
/** Loads a kernel with no modules. */
int load(const struct image *im, struct loader_out *out);

struct range {
	uint64_t start, end;
	const char *what;
};

/** Follows the boot information as a guest would and checks every part of it. kernel: its span, as far as the test knows it. */
void check_info(const struct loader_in *in, const struct loader_out *out, struct range kernel);

#endif
