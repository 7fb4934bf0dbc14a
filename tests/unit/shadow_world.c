#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

#include <cmocka.h>

#include "mm/audit.h"
#include "mm/frames.h"
#include "tests/unit/shadow_world.h"

struct world w;

/* ---- frames: below 4 GiB, for CR3 of a PAE guest has 32 bits */

uint64_t frames_alloc(size_t count, size_t align)
{
	size_t bytes = (count + align) * PAGE_SIZE;
	uint8_t *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);

	assert_true(p != MAP_FAILED && align == 1);
	munmap(p + count * PAGE_SIZE, PAGE_SIZE);
	w.frames_held += count;
	return (uint64_t)(uintptr_t)p;
}

void frames_free(uint64_t hpa, size_t count)
{
	w.frames_held -= count;
	munmap((void *)(uintptr_t)hpa, count * PAGE_SIZE);
}

/* ---- the CPU */

#define TLB 4096u

static struct {
	uint32_t now;
	struct {
		uint64_t page;
		uint32_t at;
		uint64_t leaf; /* with the rights of the whole way */
	} tlb[TLB];
	struct {
		uint64_t page; /* of 2 MiB */
		uint32_t at;
		uint64_t upper; /* rights of the way: W, U, NX */
		uint64_t *table;
	} way[256];
} cpu;

static void enter(void)
{
	if (w.stale) {
		cpu.now++;
		w.flushes++;
		w.stale = false;
	}
}

/* The leaf for va, with the way's rights; sets A on the way, not in the leaf. NULL: not present. */
static uint64_t *walk(uint64_t va, uint64_t *rights)
{
	unsigned level = w.mode.format == &pt_long4 ? 4 : 3, slot = (va >> 21) % 256;
	uint64_t *table = (uint64_t *)(uintptr_t)(w.cr3 & ~31ull);

	if (cpu.way[slot].at == cpu.now && cpu.way[slot].page == va >> 21 && rng_below(&w.rng, 4)) {
		*rights = cpu.way[slot].upper;
		return &cpu.way[slot].table[va >> 12 & 511];
	}
	*rights = SPTE_W | SPTE_U;
	for (; level > 1; level--) {
		bool pdpte = level == 3 && w.mode.format != &pt_long4;
		uint64_t *e = &table[pdpte ? (va >> 30 & 3) : (va >> (12 + 9 * (level - 1)) & 511)];

		if (!(*e & SPTE_P))
			return NULL;
		assert_int_equal(*e & ((pdpte ? 0x1e6 : 0x80) | 0xf000000000000000 >> 1), 0); /* reserved, or not ours */
		if (!pdpte) {
			*rights &= *e | ~(SPTE_W | SPTE_U);
			*rights |= *e & SPTE_NX;
			*e |= SPTE_A;
		}
		table = (uint64_t *)(uintptr_t)(*e & PT_ADDR_MASK);
	}
	if (rng_below(&w.rng, 4)) {
		cpu.way[slot].at = cpu.now;
		cpu.way[slot].page = va >> 21;
		cpu.way[slot].upper = *rights;
		cpu.way[slot].table = table;
	}
	return &table[va >> 12 & 511];
}

/* SDM vol. 3, 4.6.1, with CR0.WP set as the shadow needs it. */
static bool permitted(uint64_t leaf, struct walk_access a)
{
	bool paged = w.mode.format, user = a.user && !a.implicit;

	if (a.write && !(leaf & SPTE_W))
		return false;
	if (a.fetch && (leaf & SPTE_NX))
		return false;
	if (user)
		return leaf & SPTE_U;
	if (!(leaf & SPTE_U) || !paged)
		return true;
	return a.fetch ? !w.mode.smep : !w.mode.smap || (w.mode.ac && !a.implicit);
}

/* 0: the leaf is in *leaf; else the error code of a fault, with bit 31. */
static uint32_t translate(uint64_t va, struct walk_access a, uint64_t *leaf)
{
	uint32_t code = 1u << 31 | (a.write ? PF_W : 0) | (a.user && !a.implicit ? PF_U : 0) | (a.fetch ? PF_FETCH : 0),
		 slot = (va >> 12) % TLB;
	uint64_t *e, rights;

	if (cpu.tlb[slot].at == cpu.now && cpu.tlb[slot].page == va >> 12) {
		*leaf = cpu.tlb[slot].leaf;
		if (permitted(*leaf, a) && (!a.write || (*leaf & SPTE_D)))
			return 0;
		cpu.tlb[slot].at = 0; /* a fault, or the need to set D, drops it */
		if (!permitted(*leaf, a) && rng_below(&w.rng, 2))
			return code | PF_P;
	}
	e = walk(va, &rights);
	if (!e || !(*e & SPTE_P))
		return code;
	*leaf = (*e & (rights | ~(SPTE_W | SPTE_U))) | (rights & SPTE_NX);
	if (!permitted(*leaf, a))
		return code | PF_P;
	*e |= SPTE_A | (a.write ? SPTE_D : 0);
	*leaf |= SPTE_A | (a.write ? SPTE_D : 0);
	if (rng_below(&w.rng, 8)) {
		cpu.tlb[slot].at = cpu.now;
		cpu.tlb[slot].page = va >> 12;
		cpu.tlb[slot].leaf = *leaf;
	}
	return 0;
}

static uint64_t gpa_of(uint64_t hpa)
{
	uint64_t ram = (uint64_t)(uintptr_t)w.ram, vram = (uint64_t)(uintptr_t)w.vram;

	if (hpa - ram < RAM_FRAMES * PAGE_SIZE)
		return hpa - ram;
	assert_true(hpa - vram < VRAM_FRAMES * PAGE_SIZE); /* the guest never gets anything else */
	return hpa - vram + VRAM_GFN * PAGE_SIZE;
}

enum cpu_outcome cpu_access(uint64_t va, struct walk_access a, unsigned size, uint64_t *value, uint32_t *error, uint64_t *gpa)
{
	uint64_t leaf;
	struct walk_result r;
	uint32_t code;

	for (unsigned tries = 0;; tries++) {
		assert_true(tries < 8);
		enter();
		code = translate(va, a, &leaf);
		if (!code)
			break;
		w.faults++;
		/* Whether it was implicit the error code does not tell, except at CPL 3. */
		switch (shadow_fault(w.sh, &w.mode, va, code & 0x7fffffff,
				     (struct walk_access){ a.write, a.user, a.fetch, a.implicit && a.user }, &r)) {
		case SHADOW_FIXED: break;
		case SHADOW_STRANGE: w.stale = true; break;
		case SHADOW_FAULT:
			shadow_invlpg(w.sh, va);
			*error = r.error;
			return CPU_FAULT;
		case SHADOW_DEVICE: *gpa = r.gpa; return CPU_DEVICE;
		case SHADOW_EMULATE:
			assert_true(a.write);
			w.emulated++;
			*gpa = r.gpa;
			assert_int_equal(guest_mem_write(&w.mem, r.gpa, value, size), 0);
			return CPU_DONE;
		}
	}
	leaf = (leaf & PT_ADDR_MASK) | (va & PAGE_MASK);
	*gpa = gpa_of(leaf);
	if (a.write)
		memcpy((void *)(uintptr_t)leaf, value, size);
	else
		memcpy(value, (void *)(uintptr_t)leaf, size);
	return CPU_DONE;
}

void cpu_load_root(void)
{
	uint64_t root = shadow_root(w.sh, &w.mode);

	if (root != w.cr3 || rng_below(&w.rng, 2))
		cpu.now++; /* a CR3 load flushes; the pager asks for one only where it must */
	w.cr3 = root;
	assert_true(w.mode.format == &pt_long4 || !(root >> 32));
}

void cpu_invlpg(uint64_t va)
{
	shadow_invlpg(w.sh, va);
}

/* ---- the guest's own view */

enum cpu_outcome world_expect(uint64_t va, struct walk_access a, uint32_t *error, uint64_t *gpa)
{
	struct walk_mem mem = guest_mem_tables(&w.mem);
	struct walk_result r;
	int e = guest_walk(&w.mode, &mem, va, a, false, &r);

	*error = e < 0 ? r.error | PF_P | PF_RSVD : r.error;
	if (e)
		return CPU_FAULT;
	*gpa = r.gpa;
	return guest_mem_slot(&w.mem, r.gpa) ? CPU_DONE : CPU_DEVICE;
}

uint8_t *world_frame(uint64_t gfn)
{
	if (gfn < RAM_FRAMES)
		return w.ram + gfn * PAGE_SIZE;
	return gfn - VRAM_GFN < VRAM_FRAMES ? w.vram + (gfn - VRAM_GFN) * PAGE_SIZE : NULL;
}

/* ---- begin, end */

void world_begin(uint64_t seed, unsigned tables)
{
	memset(&w, 0, sizeof(w));
	memset(&cpu, 0, sizeof(cpu));
	w.rng = rng_seed(seed);
	cpu.now = 1;
	w.ram = (uint8_t *)(uintptr_t)frames_alloc(RAM_FRAMES, 1);
	w.vram = (uint8_t *)(uintptr_t)frames_alloc(VRAM_FRAMES, 1);
	assert_int_equal(guest_mem_add(&w.mem, 0, RAM_FRAMES * PAGE_SIZE, (uint64_t)(uintptr_t)w.ram), 0);
	w.sh = shadow_create(&w.mem, tables, &w.stale);
	assert_non_null(w.sh);
	assert_int_equal(guest_mem_add(&w.mem, VRAM_GFN * PAGE_SIZE, VRAM_FRAMES * PAGE_SIZE, (uint64_t)(uintptr_t)w.vram), 0);
	assert_int_equal(shadow_slot_added(w.sh, guest_mem_slot_for_change(&w.mem, VRAM_GFN * PAGE_SIZE)), 0);
	dirty_init(&w.dirty, &shadow_dirty_source, w.sh);
	shadow_set_dirty(w.sh, &w.dirty);
	w.mem.dirty = &w.dirty;
	w.mem.shadow = w.sh;
	w.mode = (struct walk_mode){ .phys_bits = 40, .page1g = true, .wp = true };
	cpu_load_root();
}

void world_end(void)
{
	for (int i = 0; i < DIRTY_RANGES; i++)
		(void)dirty_range_remove(&w.dirty, i);
	shadow_destroy(w.sh);
	frames_free((uint64_t)(uintptr_t)w.ram, RAM_FRAMES);
	frames_free((uint64_t)(uintptr_t)w.vram, VRAM_FRAMES);
	assert_int_equal(w.frames_held, 0);
}

/* ---- what must hold */

static size_t chain_length(spte_id head)
{
	size_t n = 0;

	for (spte_id id = head, prev = 0; id; prev = id, id = w.sh->links[id].next, n++) {
		assert_int_equal(w.sh->links[id].prev, prev);
		assert_true(table_of(w.sh, ID_TABLE(id))[ID_INDEX(id)] & SPTE_P);
	}
	return n;
}

static void check_table(uint32_t n, size_t *leaves, size_t *pointers)
{
	const struct shadow_page *sp = &w.sh->page[n];
	uint32_t present = 0;

	for (unsigned i = 0; i < 512; i++) {
		uint64_t spte = table_of(w.sh, n)[i];
		struct guest_frame *f;

		if (!spte)
			continue;
		present++;
		if (sp->role.level > 1) {
			++*pointers;
			assert_true(w.sh->page[child_of(w.sh, spte)].used);
			continue;
		}
		++*leaves;
		f = shadow_frame(w.sh, shadow_gfn(w.sh, spte));
		assert_int_equal(!!(spte & SPTE_TRACKED), f->tracked);
		assert_false(f->tables && (spte & SPTE_W)); /* a guest's table in sync is not writable */
		if (!f->tracked)
			assert_true(spte & SPTE_D);
		else
			assert_true(sp->watched && (sp->open || !(spte & SPTE_D)));
	}
	assert_int_equal(present, sp->present);
	if (sp->watched && !sp->open)
		for (spte_id id = sp->parents; id; id = w.sh->links[id].next)
			assert_false(*entry_of(w.sh, id) & SPTE_W);
}

void world_check(void)
{
	size_t leaves = 0, pointers = 0, chained = 0, parents = 0;
	unsigned open = 0, listed = 0;
	struct audit a = { 0 };

	check_table(0, &leaves, &pointers);
	for (uint32_t n = w.sh->open; n; n = w.sh->page[n].open_next)
		listed++;
	for (uint32_t n = 1; n <= w.sh->tables; n++) {
		open += w.sh->page[n].open;
		if (!w.sh->page[n].used)
			continue;
		check_table(n, &leaves, &pointers);
		parents += chain_length(w.sh->page[n].parents);
	}
	for (unsigned i = 0; i < w.mem.count; i++)
		for (size_t k = 0; k < w.mem.slot[i].len >> PAGE_SHIFT; k++) {
			uint64_t gfn = (w.mem.slot[i].gpa >> PAGE_SHIFT) + k;
			unsigned tables = 0;

			chained += chain_length(w.mem.slot[i].frame[k].rmap);
			for (uint32_t n = shadow_find(w.sh, gfn, 0); n; n = shadow_find(w.sh, gfn, n))
				tables += !w.sh->page[n].unsync;
			assert_int_equal(tables, w.mem.slot[i].frame[k].tables);
		}
	audit_shadow(w.sh, &a);
	assert_int_equal(a.wrong, 0);
	assert_int_equal(a.leaves, leaves);
	assert_int_equal(chained, leaves);
	assert_int_equal(parents, pointers);
	assert_int_equal(listed, open);
}

/* ---- counting */

static volatile uint64_t steps;

static void on_step(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	(void)context;
	steps++;
}

/* By RFLAGS.TF: a trap, and so a signal, after each instruction. */
uint64_t count_instructions(void (*f)(void *arg), void *arg)
{
	struct sigaction sa = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO }, old;

	steps = 0;
	sigaction(SIGTRAP, &sa, &old);
	__asm__ volatile("sub $128, %%rsp; pushfq; orq $0x100, (%%rsp); popfq; add $128, %%rsp" : : : "memory", "cc");
	f(arg);
	__asm__ volatile("sub $128, %%rsp; pushfq; andq $~0x100, (%%rsp); popfq; add $128, %%rsp" : : : "memory", "cc");
	sigaction(SIGTRAP, &old, NULL);
	return steps;
}
