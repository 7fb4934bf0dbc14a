/*
 * What the VMM's work costs, as a guest sees it, in ticks of the TSC: on machines whose time counts instructions these are
 * instructions. Prints a line for each row, `bench NAME VALUE exits=N vmcs=N flushes=N`: the smallest of RUNS values, and what one
 * operation adds to the VMM's counters. docs/bench.md tells what each row is.
 */
#include "guest-tests/bench/bench.h"

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/string.h"
#include "guest-tests/lib/trap.h"

#define ROWS 40
#define RUNS 9

int main(void);

static struct {
	const char *name;
	struct bench_cost cost;
} rows[ROWS];
static unsigned row_count;

/* ---- counters */

static struct hc_dirty_cost counters(void)
{
	struct hc_dirty_cost c;

	expect_call("HC_DIRTY_COST", hypercall(HC_DIRTY_COST, (uint64_t)&c, 0));
	return c;
}

/* What reading the counters twice adds to them. */
static struct bench_cost own;

static void own_cost(void)
{
	struct hc_dirty_cost a, b;

	counters();
	a = counters();
	b = counters();
	own = (struct bench_cost){ 0, b.exits - a.exits, b.vmcs_accesses - a.vmcs_accesses, b.tlb_flushes - a.tlb_flushes };
}

void bench_row(const char *name, void (*prepare)(uint64_t arg), uint64_t (*measure)(uint64_t arg), uint64_t arg)
{
	struct bench_cost best = { .ticks = UINT64_MAX };

	for (unsigned i = 0; i < RUNS; i++) {
		struct hc_dirty_cost a, b;
		struct bench_cost now;

		if (prepare)
			prepare(arg);
		a = counters();
		now.ticks = measure(arg);
		b = counters();
		if (now.ticks == BENCH_VMM)
			now.ticks = b.query_ticks;
		now.exits = b.exits - a.exits - own.exits;
		now.vmcs = b.vmcs_accesses - a.vmcs_accesses - own.vmcs;
		now.flushes = b.tlb_flushes - a.tlb_flushes - own.flushes;
		if (now.ticks < best.ticks)
			best = now;
	}
	bench_put(name, best);
}

void bench_put(const char *name, struct bench_cost cost)
{
	if (row_count == ROWS) {
		check(false, name, "there is no room for another row");
		return;
	}
	rows[row_count].name = name;
	rows[row_count++].cost = cost;
}

void expect_call(const char *what, int64_t result)
{
	if (result >= 0)
		return;
	print("FAIL bench: %s: error %lu\n", what, (unsigned long)-result);
	guest_exit(1);
}

/* ---- exits */

/* The low halves are enough: a round trip is far below 2^32. */
static uint64_t cpuid_trip(uint64_t leaf)
{
	uint32_t from, to = (uint32_t)leaf, b, c, d;

	__asm__ volatile("mov %%eax, %%ecx\n\t"
			 "rdtsc\n\t"
			 "mov %%eax, %[from]\n\t"
			 "mov %%ecx, %%eax\n\t"
			 "cpuid\n\t"
			 "rdtsc"
			 : "+a"(to), "=b"(b), "=c"(c), "=d"(d), [from] "=&r"(from)
			 :
			 : "memory");
	return to - from;
}

static uint64_t port_trip(uint64_t port)
{
	uint64_t from = rdtsc();

	outb((uint16_t)port, 0);
	return rdtsc() - from;
}

static uint64_t call_trip(uint64_t number)
{
	uint64_t from = rdtsc();

	hypercall((uint32_t)number, 0, 0);
	return rdtsc() - from;
}

/* ---- the local APIC, which interrupts end at */

#define APIC_REGISTER(offset) (*(volatile uint32_t *)(0xfee00000ull + (offset)))
#define APIC_TPR 0x80u
#define APIC_EOI 0xb0u
#define MSR_X2APIC_EOI 0x80b
#define MSR_X2APIC_SVR 0x80f
#define MSR_X2APIC_LVT_TIMER 0x832
#define MSR_X2APIC_SELF_IPI 0x83f
#define MSR_TSC_DEADLINE 0x6e0
#define SVR_ON 0x1ffu
#define LVT_TSC_DEADLINE (2u << 17)
#define BASE_X2APIC (1u << 10)

static uint64_t apic_trip(uint64_t offset)
{
	uint64_t from = rdtsc();

	APIC_REGISTER(offset) = 0;
	return rdtsc() - from;
}

static uint64_t cr8_trip(uint64_t value)
{
	uint64_t from = rdtsc();

	write_cr8(value);
	return rdtsc() - from;
}

static uint64_t wrmsr_trip(uint64_t msr)
{
	uint64_t from = rdtsc();

	wrmsr((uint32_t)msr, 0);
	return rdtsc() - from;
}

/* ---- interrupts, as x2APIC has them */

#define VECTOR 0x50u
#define SOON 100000u /* ticks */

static volatile uint64_t taken; /* when the last one was */

static bool on_interrupt(struct trap_frame *f)
{
	(void)f;
	taken = rdtsc();
	wrmsr(MSR_X2APIC_EOI, 0);
	return true;
}

/* From the request to the instruction behind it. */
static uint64_t ipi_trip(uint64_t vector)
{
	uint64_t from = rdtsc();

	wrmsr(MSR_X2APIC_SELF_IPI, vector);
	return rdtsc() - from;
}

/* How late one is that comes while the guest computes. */
static uint64_t timer_trip(uint64_t ticks)
{
	uint64_t deadline = rdtsc() + ticks;

	taken = 0;
	wrmsr(MSR_TSC_DEADLINE, deadline);
	while (!taken)
		;
	return taken - deadline;
}

static void bench_interrupts(void)
{
	trap_handler(VECTOR, on_interrupt);
	wrmsr(MSR_X2APIC_SVR, SVR_ON);
	wrmsr(MSR_X2APIC_LVT_TIMER, LVT_TSC_DEADLINE | VECTOR);
	__asm__ volatile("mfence; sti");
	bench_row("interrupt", NULL, ipi_trip, VECTOR);
	bench_row("timer_late", NULL, timer_trip, SOON);
	__asm__ volatile("cli");
}

static void bench_apic(void)
{
	bench_row("apic_eoi", NULL, apic_trip, APIC_EOI);
	bench_row("apic_tpr", NULL, apic_trip, APIC_TPR);
	bench_row("cr8_write", NULL, cr8_trip, 0);
	wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | BASE_X2APIC);
	bench_row("x2apic_eoi", NULL, wrmsr_trip, MSR_X2APIC_EOI);
}

int main(void)
{
	guest_init();
	if (!hyper_present()) {
		check_skip("bench", "it measures Tessera");
		return 0;
	}
	own_cost();
	bench_row("cpuid_exit", NULL, cpuid_trip, 1);
	bench_row("io_exit", NULL, port_trip, 0x80);
	bench_row("hypercall", NULL, call_trip, HC_GET_VERSION);
	bench_tracking();
	bench_apic();
	bench_interrupts();
	for (unsigned i = 0; i < row_count; i++)
		print("bench %s %lu exits=%lu vmcs=%lu flushes=%lu\n", rows[i].name, rows[i].cost.ticks, rows[i].cost.exits,
		      rows[i].cost.vmcs, rows[i].cost.flushes);
	check(true, "bench", NULL);
	return tests_failed() ? 1 : 0;
}
