/* The pool's memory as it should be, and what of it may still be cached. */
#include "guest-tests/pagewalk/model.h"

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/hyper.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/string.h"
#include "guest-tests/lib/window.h"
#include "guest-tests/pagewalk/history.h"

#define WORDS (FRAMES * FRAME_WORDS)
#define E1_NX (1u << 20)
#define E1_PAGE1G (1u << 26)
#define F7_SMEP (1u << 7)
#define F7_SMAP (1u << 20)

struct cpu_limits limits;
struct registers regs;
static uint64_t *memory, *loose_bits; /* WORDS each and one, for a few bytes at the end; outside of what worlds map */
static bool touched[FRAMES];

void model_init(void)
{
	struct regs4 f7 = { 0 };
	uint32_t e1 = cpuid(0x80000001, 0).edx;

	if (cpuid(0, 0).eax >= 7)
		f7 = cpuid(7, 0);
	limits = (struct cpu_limits){
		.amd = cpu_is_amd(),
		.tcg = cpu_is_tcg(),
		.nx = e1 & E1_NX,
		.page1g = e1 & E1_PAGE1G,
		.smep = f7.ebx & F7_SMEP,
		.smap = f7.ebx & F7_SMAP,
		.phys_bits = cpuid(0x80000008, 0).eax & 255,
	};
	memory = ram_alloc(WORDS * 8 + 8);
	loose_bits = ram_alloc(WORDS * 8 + 8);
	for (unsigned i = 0; i < FRAMES; i++)
		touched[i] = true;
}

uint64_t frame_pa(unsigned frame)
{
	return POOL + (frame < HIGH_FRAME ? frame * 4096ull : 0x200000 + (frame - HIGH_FRAME) * 4096ull);
}

/* Where in memory[] a physical address is, in bytes; WORDS * 8: nowhere. */
static uint64_t offset_of(uint64_t pa)
{
	if (pa >= POOL && pa < POOL + HIGH_FRAME * 4096ull)
		return pa - POOL;
	if (pa >= POOL + 0x200000 && pa < POOL + 0x200000 + (FRAMES - HIGH_FRAME) * 4096ull)
		return pa - POOL - 0x200000 + HIGH_FRAME * 4096ull;
	return WORDS * 8;
}

bool model_has(uint64_t pa, unsigned size)
{
	uint64_t first = offset_of(pa), last = offset_of(pa + size - 1);

	return first < WORDS * 8 && last == first + size - 1;
}

uint32_t frame_code(unsigned frame)
{
	return 0x5a000000 | frame << 8 | 0xc0;
}

uint64_t frame_pattern(unsigned frame, unsigned word)
{
	if (word == FRAME_CODE / 8)
		return 0xb8ull | (uint64_t)frame_code(frame) << 8 | 0xc3ull << 40;
	return (uint64_t)(0xf000000 | frame << 16 | word << 1) << 32 | (0xe000000 | frame << 16 | word << 1);
}

void model_reset(void)
{
	for (unsigned f = 0; f < FRAMES; f++) {
		uint64_t *p = (uint64_t *)frame_pa(f);
		if (!touched[f])
			continue;
		for (unsigned w = 0; w < FRAME_WORDS; w++)
			p[w] = memory[f * FRAME_WORDS + w] = frame_pattern(f, w);
		memset(loose_bits + f * FRAME_WORDS, 0, 4096);
		touched[f] = false;
	}
	history_reset();
}

enum paging model_paging(void)
{
	if (!(regs.cr0 & CR0_PG))
		return PAGING_OFF;
	if (!(regs.cr4 & CR4_PAE))
		return PAGING_LEGACY;
	return regs.efer & EFER_LME ? PAGING_LONG : PAGING_PAE;
}

unsigned model_entry_size(void)
{
	return model_paging() == PAGING_LEGACY ? 4 : 8;
}

static uint64_t bytes(unsigned size)
{
	return size == 8 ? ~0ull : (1ull << size * 8) - 1;
}

static uint64_t *word_at(uint64_t *words, uint64_t offset)
{
	return (uint64_t *)((uint8_t *)words + offset);
}

uint64_t model_read(uint64_t pa, unsigned size, uint64_t *loose)
{
	const uint64_t at = offset_of(pa), mask = bytes(size);

	if (loose)
		*loose = *word_at(loose_bits, at) & mask;
	return *word_at(memory, at) & mask;
}

static void put(uint64_t *word, uint64_t value, uint64_t mask)
{
	*word = (*word & ~mask) | (value & mask);
}

static void store(uint64_t pa, unsigned size, uint64_t value, uint64_t loose)
{
	const uint64_t at = offset_of(pa), mask = bytes(size);

	put(word_at(memory, at), value, mask);
	put(word_at(loose_bits, at), loose, mask);
	touched[at / 4096] = touched[(at + size - 1) / 4096] = true;
}

void model_write(uint64_t pa, unsigned size, uint64_t value)
{
	const unsigned entry = model_entry_size();

	for (uint64_t at = pa & ~(uint64_t)(entry - 1); at < pa + size; at += entry) {
		uint64_t loose, old = model_read(at, entry, &loose);
		history_add(at, old | (loose & (PTE_A | PTE_D)));
	}
	store(pa, size, value, 0);
}

void model_preset(uint64_t pa, unsigned size, uint64_t value)
{
	store(pa, size, value, 0);
	memcpy((void *)pa, &value, size);
}

void model_loosen(uint64_t pa, uint64_t bits)
{
	uint64_t loose, value = model_read(pa, 4, &loose);

	store(pa, 4, value, loose | bits);
}

static void set_bits(uint64_t pa, uint64_t bits)
{
	uint64_t loose, value = model_read(pa, 4, &loose);

	store(pa, 4, value | bits, loose & ~bits);
}

/* QEMU's translator sets bit 5 of a PDPTE as if it were an accessed bit, sooner or later. */
static bool is_pdpte(uint64_t at)
{
	return model_paging() == PAGING_PAE && at >> 5 == (regs.cr3 & 0xffffffff) >> 5;
}

void model_used(const struct outcome *out, bool write, bool certain)
{
	for (unsigned i = 0; i < out->depth; i++) {
		uint64_t bits = PTE_A | (write && i + 1 == out->depth ? PTE_D : 0), loose, value;
		if (!out->at[i])
			continue;
		value = model_read(out->at[i], 4, &loose);
		if (certain && !is_pdpte(out->at[i]))
			set_bits(out->at[i], bits);
		else
			model_loosen(out->at[i], bits & ~value);
	}
}

/* Upper entries may have been used before the fault was found; so may the leaf whose rights forbade the access (SDM 4.8). */
void model_faulted(const struct access *a, const struct outcome *out)
{
	for (unsigned i = 0; i < out->depth; i++) {
		uint64_t value;
		if (!out->at[i])
			continue;
		value = model_read(out->at[i], 4, NULL);
		if ((value & PTE_P) && !(value & PTE_A) && (i + 1 < out->depth || !(out->error & ERR_RSVD)))
			model_loosen(out->at[i], PTE_A);
	}
	history_fault(a->va);
}

static bool frame_differs(unsigned frame)
{
	const volatile uint64_t *got = (const volatile uint64_t *)frame_pa(frame);
	const uint64_t *want = memory + frame * FRAME_WORDS, *loose = loose_bits + frame * FRAME_WORDS;
	uint64_t differ = 0;

	for (unsigned w = 0; w < FRAME_WORDS; w += 4)
		differ |= ((got[w] ^ want[w]) & ~loose[w]) | ((got[w + 1] ^ want[w + 1]) & ~loose[w + 1]) |
			  ((got[w + 2] ^ want[w + 2]) & ~loose[w + 2]) | ((got[w + 3] ^ want[w + 3]) & ~loose[w + 3]);
	return differ;
}

/* How many words of the frame differ; tells of the first if it is the first of all. */
static unsigned compare_words(unsigned frame, char *why, unsigned size, bool first)
{
	unsigned different = 0;

	for (unsigned w = 0; w < FRAME_WORDS; w++) {
		unsigned i = frame * FRAME_WORDS + w;
		uint64_t at = frame_pa(frame) + w * 8, got = *(volatile uint64_t *)at;
		if (!((got ^ memory[i]) & ~loose_bits[i]))
			continue;
		if (!different++ && first)
			print_to(why, size, "memory at 0x%lx (frame %u, word %u) is 0x%lx, not 0x%lx (either way: 0x%lx)", at,
				 frame, w, got, memory[i], loose_bits[i]);
	}
	return different;
}

/* Most frames are equal; that is found out first, in as few instructions as it takes. */
unsigned model_compare(char *why, unsigned size)
{
	unsigned different = 0;

	for (unsigned f = 0; f < FRAMES; f++) {
		if (!frame_differs(f))
			continue;
		different += compare_words(f, why, size, !different);
		touched[f] = true;
	}
	return different;
}
