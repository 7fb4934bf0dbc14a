/*
 * Page tables that live in tracked VRAM: accessed and dirty bits, set by the CPU's walk and by the VMM's. And events whose stack
 * lies in tracked memory, as they come from CPL 3 and from the timer.
 */
#include "guest-tests/dirty/dirty.h"

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/paging.h"
#include "guest-tests/lib/pic.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/trap.h"
#include "guest-tests/lib/window.h"

#define WALK_BASE (PAGING_FREE + 3 * PAGING_SLOT)
#define DIRECTORIES 4u /* entries of the directory, all to the one table */
#define TABLES 16u     /* entries of the table, all to the one page of data */
#define COM1_SCRATCH 0x3ff
#define UNBACKED 0xc8123000ull

static volatile uint64_t *directory, *table;
static uint8_t data[PAGE] __attribute__((aligned(4096)));

bool walk_means_prepare(void)
{
	volatile uint64_t *top = paging_entry(pml4, WALK_BASE, 3);

	if (!expect(top, "no RAM for a page table"))
		return false;
	directory = (volatile uint64_t *)(zones[0].gpa + ZONE_BYTES);
	table = directory + PAGE / 8;
	for (unsigned i = 0; i < PAGE / 8; i++) {
		directory[i] = i < DIRECTORIES ? (uint64_t)table | PTE_P | PTE_W : 0;
		table[i] = i < TABLES ? (uint64_t)data | PTE_P | PTE_W : 0;
	}
	*top = (uint64_t)directory | PTE_P | PTE_W;
	write_cr3(read_cr3());
	return true;
}

/* Forgets accessed and dirty bits, or leaves them; then a translation may be cached or not, and then memory is used through it. */
static void walk(const struct place *p, struct prng *r)
{
	unsigned d = prng_below(r, DIRECTORIES), t = prng_below(r, TABLES), how = prng_below(r, 6);
	uint8_t *at = (uint8_t *)(WALK_BASE + d * 0x200000ull + t * 0x1000ull + prng_below(r, PAGE - 8));
	uint64_t n = 4, si = UNBACKED;

	(void)p;
	if (prng_below(r, 4))
		table[t] = (uint64_t)data | PTE_P | PTE_W | (prng_below(r, 2) ? PTE_A : 0);
	if (!prng_below(r, 4))
		directory[d] = (uint64_t)table | PTE_P | PTE_W;
	if (prng_below(r, 4))
		invlpg(at);
	switch (how) {
	case 0: (void)*(volatile uint8_t *)at; break;
	case 1: *(volatile uint8_t *)at = 1; break;
	case 2: __asm__ volatile("lock incb (%0)" ::"r"(at) : "memory", "cc"); break;
	case 3: __asm__ volatile("rep insb" : "+D"(at), "+c"(n) : "d"(COM1_SCRATCH) : "memory"); break;
	case 4: __asm__ volatile("rep movsb" : "+D"(at), "+S"(si), "+c"(n)::"memory"); break;
	default: __asm__ volatile("rep outsb" : "+S"(at), "+c"(n) : "d"(COM1_SCRATCH) : "memory"); break;
	}
}

static uint64_t user_nothing(uint64_t arg)
{
	return arg + 1;
}

static void from_user(const struct place *p, struct prng *r)
{
	uint64_t old = tss.rsp[0], v = 0;

	tss.rsp[0] = (uint64_t)p->at + 2 * PAGE + prng_below(r, PAGE / 2);
	expect(!user_run(user_nothing, 5, &v) && v == 6, "INT 0x30 at CPL 3 went wrong");
	tss.rsp[0] = old;
}

static void interrupt(const struct place *p, struct prng *r)
{
	uint8_t *top = p->at + 2 * PAGE + prng_below(r, PAGE / 2);

	timer_start(1000);
	__asm__ volatile("mov %%rsp, %%r12; mov %0, %%rsp; sti; hlt; cli; mov %%r12, %%rsp" ::"r"(top) : "r12", "memory", "cc");
	timer_stop();
	expect(timer_ticks() >= 1, "no tick came");
}

const struct means walk_means[] = {
	{ "a page-table walk", walk, 12, false },
	{ "a frame from CPL 3", from_user, 2, true },
	{ "an interrupt's frame", interrupt, 1, true },
	{ 0 },
};
