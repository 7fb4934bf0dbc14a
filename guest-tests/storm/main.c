/*
 * The storm's loop. Arguments: seed=N, cases=N, from=N (the first case), kind=N (of this kind alone). Each case is told before it
 * begins: `case N KIND`. When all are done the machine is reset once more, and what it can do then is shown: a picture, and PASS.
 */
#include "guest-tests/storm/storm.h"

#include "guest-tests/lib/painter.h"
#include "guest-tests/lib/print.h"

#define CASES 200
#define STEPS 6 /* of one kind in a case */

int main(void);

static const struct {
	const char *name;
	void (*run)(void);
	unsigned weight;
	bool once; /* no second step: it ends badly, or is long */
} kinds[] = {
	{ "long", attack_long, 8, false },
	{ "user", attack_user, 4, false },
	{ "compatible", attack_compatible, 4, false },
	{ "crossing", attack_crossing, 5, false },
	{ "legacy", attack_legacy, 8, false },
	{ "real", attack_real, 3, false },
	{ "msrs", attack_msrs, 5, false },
	{ "control", attack_control, 5, false },
	{ "xcr", attack_xcr, 3, false },
	{ "tables", attack_tables, 3, true },
	{ "paging", attack_paging, 6, false },
	{ "hypercalls", attack_hypercalls, 5, false },
	{ "ports", attack_ports, 5, false },
	{ "string-ports", attack_string_ports, 3, false },
	{ "mmio", attack_mmio, 5, false },
	{ "pci", attack_pci, 4, true },
	{ "rtc", attack_rtc, 2, true },
	{ "interrupts", attack_interrupts, 5, true },
	{ "nmi", attack_nmi, 3, true },
	{ "halt", attack_halt, 1, true },
	{ "triple", attack_triple, 1, true },
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

static uint32_t seed, cases, from, only;

static unsigned pick(void)
{
	unsigned total = 0, n;

	if (only < KINDS)
		return only;
	for (unsigned i = 0; i < KINDS; i++)
		total += kinds[i].weight;
	n = below(total);
	for (unsigned i = 0;; i++) {
		if (n < kinds[i].weight)
			return i;
		n -= kinds[i].weight;
	}
}

static void step(void *arg)
{
	(*(void (**)(void))arg)();
}

/* Cases until all are done. A trap that comes astray ends this too: main begins it anew, behind that case. */
static void go_on(void *arg)
{
	(void)arg;
	for (;;) {
		struct progress p = progress_load(seed);
		uint64_t state;
		unsigned kind;

		if (p.next >= from + cases)
			return;
		p.next = p.next < from ? from : p.next;
		state = ((uint64_t)seed << 32 | p.next) * 0x9e3779b97f4a7c15ull;
		dice.state = state ? state : 1;
		prng_next(&dice);
		kind = pick();
		print("case %u %s\n", p.next, kinds[kind].name);
		p.next++;
		progress_store(seed, p);
		for (unsigned i = 0; i < (kinds[kind].once ? 1 : STEPS); i++) {
			void (*run)(void) = kinds[kind].run;

			trap_run(step, &run);
			watch_stop();
			mend();
		}
		if (!image_whole()) {
			p.damaged++;
			progress_store(seed, p);
			reset_machine();
		}
	}
}

/* The machine as after power-on, whatever was done to it: it draws, and the far end sees it. */
static int finale(const struct progress *p)
{
	const char *why = heads_find();

	if (!why && !heads_shadow())
		why = "no memory for the heads' shadows";
	if (!check(!why, "storm-heads", why))
		return 1;
	for (unsigned i = 0; i < head_count; i++) {
		const struct head *h = &heads[i];

		for (uint32_t y = 0; y < h->height; y++)
			for (uint32_t x = 0; x < h->width; x++)
				paint_pixel(h, x, y, (x * 7 ^ y * 13 ^ seed) * 0x010305u);
	}
	heads_report("storm-picture");
	print("%u cases of seed %u, %u resets, %u of them for a damaged image\n", cases, seed, p->resets, p->damaged);
	print("PASS storm\n");
	return tests_failed() != 0;
}

int main(void)
{
	struct progress p;

	guest_init();
	seed = (uint32_t)boot_number("seed", 1);
	cases = (uint32_t)boot_number("cases", CASES);
	from = (uint32_t)boot_number("from", 0);
	only = (uint32_t)boot_number("kind", KINDS);
	p = progress_load(seed);
	if (p.next > from + cases)
		return finale(&p);
	p.resets += p.next != 0;
	progress_store(seed, p);
	modes_init();
	image_remember();
	mend();
	while (progress_load(seed).next < from + cases)
		trap_run(go_on, 0);
	p = progress_load(seed);
	p.next = from + cases + 1;
	progress_store(seed, p);
	reset_machine();
}
