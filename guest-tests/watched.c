/*
 * What it costs a guest to be looked at: it paints and computes, first with time to spare, then without, and tells how far it got,
 * in its own time. tests/watched.sh holds what it says while somebody looks against what it says while nobody does.
 */
#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/heads.h"
#include "guest-tests/lib/hyper.h"
#include "guest-tests/lib/painter.h"
#include "guest-tests/lib/pic.h"
#include "guest-tests/lib/print.h"

#define HZ 100
#define TICKS 200
#define EXITS 50     /* that it makes in a tick */
#define ROUNDS 20000 /* that it counts in a tick: less than half of its time */
#define BUSY_TSC 100000000ull
#define STEP 1000 /* rounds from one look at the clock to the next */

int main(void);

/* Four instructions a round, whatever a compiler thinks. */
static void count(uint64_t rounds)
{
	__asm__ volatile("1: lea 1(%%rax), %%rax\n\t"
			 "nop\n\t"
			 "dec %0\n\t"
			 "jnz 1b"
			 : "+r"(rounds)
			 :
			 : "rax", "cc");
}

/* A word that moves over the screen, as text does that is typed. */
static void paint(unsigned n)
{
	char word[12];

	print_to(word, sizeof(word), "%u", n);
	paint_text(&heads[0], n % 36 * 8, n / 36 % 14 * 16, word, 0xffffff, 0x102030 + n % 7);
}

/* Exits of its own doing. */
static uint64_t exits(void)
{
	static struct hc_dirty_cost cost;

	return hypercall(HC_DIRTY_COST, (uint64_t)&cost, 0) ? 0 : cost.exits - cost.host_exits;
}

static void tell(const char *what, uint64_t tsc, uint64_t rounds, uint64_t made)
{
	print("%s rounds=%lu exits=%lu in %lu\n", what, rounds, made, tsc);
}

static void wait_for_tick(uint64_t tick)
{
	for (;;) {
		__asm__ volatile("cli");
		if (timer_ticks() >= tick)
			break;
		__asm__ volatile("sti; hlt");
	}
	__asm__ volatile("sti");
}

/* Work for each tick; for one that came late, too. */
static void with_time_to_spare(void)
{
	uint64_t begin, first, tick;

	timer_start(HZ);
	wait_for_tick(2);
	tick = timer_ticks();
	begin = rdtsc();
	first = exits();
	for (unsigned n = 0; n < TICKS; n++) {
		paint(n);
		for (unsigned i = 0; i < EXITS; i++)
			cpuid(0, 0);
		count(ROUNDS);
		wait_for_tick(tick + n + 1);
	}
	tell("spare", rdtsc() - begin, (uint64_t)TICKS * ROUNDS, exits() - first);
	timer_stop();
}

static void without(void)
{
	uint64_t begin = rdtsc(), first = exits(), rounds = 0;

	for (unsigned n = 0; rdtsc() - begin < BUSY_TSC; n++) {
		if (n % 100 == 0)
			paint(n / 100);
		count(STEP);
		rounds += STEP;
	}
	tell("busy", rdtsc() - begin, rounds, exits() - first);
}

int main(void)
{
	const char *why;

	guest_init();
	why = heads_find();
	if (!check(!why && head_count && heads_shadow(), "heads", why ? why : "there is no head, or not enough memory"))
		return 1;
	paint_fill(&heads[0], 0, 0, heads[0].width, heads[0].height, 0x102030);
	__asm__ volatile("sti");
	with_time_to_spare();
	without();
	heads_report("watched");
	return tests_failed() ? 1 : 0;
}
