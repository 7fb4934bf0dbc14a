/*
 * A CPU that writes guest memory through second-level tables, as the manuals allow at their worst: what it once found in the tables
 * it uses until a flush is asked for, or drops it at random. It sets A and D bits, logs pages whose D it sets, and faults.
 */
#ifndef TESTS_UNIT_DIRTY_CPU_H
#define TESTS_UNIT_DIRTY_CPU_H

#include <string.h>

#include "mm/dirty.h"
#include "mm/layout.h"
#include "mm/slat.h"
#include "tests/unit/random.h"

#define CPU_GFNS (262144u + 1024u)

static struct {
	struct slat *s;
	struct dirty *d;
	struct rng rng;
	uint32_t now; /* what was found before the last flush is void */
	struct {
		uint32_t at; /* when it was found */
		bool write, dirty;
	} tlb[CPU_GFNS];
	struct {
		uint32_t at;
		uint64_t *table; /* of 4 KiB leaves; found without looking at, or setting A in, the entries above */
	} way[CPU_GFNS / 512];
	struct dirty_log log;
	uint64_t log_page[DIRTY_LOG_PAGES][DIRTY_LOG_ENTRIES];
	uint64_t *log_at;
	uint16_t log_index;
	uint64_t faults, stale_faults, log_exits, flushes;
} cpu;

static uint16_t cpu_log_index(void *arg)
{
	(void)arg;
	return cpu.log_index;
}

static void cpu_log_load(void *arg, const uint64_t *page)
{
	(void)arg;
	cpu.log_at = (uint64_t *)(uintptr_t)page;
	cpu.log_index = DIRTY_LOG_ENTRIES - 1;
}

/* Begins anew. The log is there only if the source is dirty_pml. */
static void cpu_begin(struct slat *s, struct dirty *d, uint64_t seed)
{
	memset(&cpu, 0, sizeof(cpu));
	cpu.s = s;
	cpu.d = d;
	cpu.rng = rng_seed(seed);
	cpu.now = 1;
	if (d->source != &dirty_pml)
		return;
	cpu.log = (struct dirty_log){ .index = cpu_log_index, .load = cpu_log_load };
	for (unsigned i = 0; i < DIRTY_LOG_PAGES; i++)
		cpu.log.page[i] = cpu.log_page[i];
	d->log = &cpu.log;
	cpu_log_load(NULL, cpu.log.page[0]);
}

/* An entry to the guest. */
static void cpu_enter(void)
{
	if (cpu.s->stale) {
		cpu.now++;
		cpu.flushes++;
		cpu.s->stale = false;
	}
}

/* The leaf of a page that is mapped. */
static uint64_t *cpu_walk(uint32_t gfn)
{
	const struct pt_format *f = cpu.s->format;
	uint64_t table = cpu.s->root;

	if (cpu.way[gfn / 512].at == cpu.now && rng_below(&cpu.rng, 4))
		return &cpu.way[gfn / 512].table[gfn % 512];
	for (unsigned level = f->levels;; level--) {
		uint64_t *e = &((uint64_t *)(uintptr_t)(table & PT_ADDR_MASK))[pt_index(f, level, gfn * PAGE_SIZE)];

		assert_true(*e & f->present);
		if (pt_is_leaf(f, level, *e))
			return e;
		*e |= f->accessed;
		table = *e;
		if (level == 2 && rng_below(&cpu.rng, 4)) {
			cpu.way[gfn / 512].at = cpu.now;
			cpu.way[gfn / 512].table = (uint64_t *)(uintptr_t)(table & PT_ADDR_MASK);
		}
	}
}

static void cpu_keep(uint32_t gfn, uint64_t leaf)
{
	const struct pt_format *f = cpu.s->format;

	cpu.tlb[gfn].at = rng_below(&cpu.rng, 8) ? cpu.now : 0;
	cpu.tlb[gfn].write = leaf & f->write;
	cpu.tlb[gfn].dirty = leaf & f->dirty;
}

static void cpu_fault(uint32_t gfn)
{
	cpu.tlb[gfn].at = 0; /* a fault drops what it used */
	if (dirty_write_fault(cpu.d, gfn * PAGE_SIZE + rng_below(&cpu.rng, PAGE_SIZE))) {
		cpu.faults++;
	} else {
		cpu.stale_faults++;
		cpu.s->stale = true;
	}
	cpu_enter();
}

/* Tries to write. Returns whether it came to that; else there was an exit. */
static bool cpu_try(uint32_t gfn)
{
	const struct pt_format *f = cpu.s->format;
	bool known = cpu.tlb[gfn].at == cpu.now;
	uint64_t *leaf;

	if (known && cpu.tlb[gfn].write && cpu.tlb[gfn].dirty)
		return true;
	leaf = known && !cpu.tlb[gfn].write && rng_below(&cpu.rng, 2) ? NULL : cpu_walk(gfn);
	if (!leaf || !(*leaf & f->write)) {
		cpu_fault(gfn);
		return false;
	}
	if (!(*leaf & f->dirty) && cpu.log_at) {
		if (cpu.log_index >= DIRTY_LOG_ENTRIES) {
			cpu.log_exits++;
			dirty_log_full(cpu.d);
			cpu_enter();
			return false;
		}
		cpu.log_at[cpu.log_index--] = gfn * PAGE_SIZE;
	}
	*leaf |= f->accessed | f->dirty;
	cpu_keep(gfn, *leaf);
	return true;
}

/* The guest writes to a page. Content is the caller's. */
static void cpu_write(uint32_t gfn)
{
	unsigned tries = 0;

	cpu_enter();
	while (!cpu_try(gfn))
		assert_true(++tries < 4);
}

/* The guest reads a page, or the CPU does so for a guess of its own. */
static void cpu_read(uint32_t gfn)
{
	uint64_t *leaf;

	cpu_enter();
	if (cpu.tlb[gfn].at == cpu.now)
		return;
	leaf = cpu_walk(gfn);
	*leaf |= cpu.s->format->accessed;
	cpu_keep(gfn, *leaf);
}

#endif
