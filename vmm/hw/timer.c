/* One-shot timer: the local APIC's, in TSC-deadline mode where the CPU has it (SDM vol. 3 11.5.4). */
#include "vmm/hw/timer.h"

#include <errno.h>

#include "vmm/cpu.h"
#include "vmm/hw/hw.h"
#include "vmm/hw/lapic.h"
#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/log.h"

#define DIVIDE_BY_1 0xbu
#define NEVER UINT64_MAX
#define POLL_NS 1000000u

static bool ready, deadline_mode, uart_polled;
static uint64_t lapic_hz;
static uint64_t deadline = NEVER; /* in TSC ticks */
static uint64_t next_poll = NEVER;

/* a * b / c in 128 bits, at most NEVER - 1. */
static uint64_t muldiv(uint64_t a, uint64_t b, uint64_t c)
{
	unsigned __int128 product = (unsigned __int128)a * b;
	uint64_t high = (uint64_t)(product >> 64), low = (uint64_t)product;
	if (high >= c)
		return NEVER - 1;
	__asm__("div %2" : "+a"(low), "+d"(high) : "r"(c) : "cc");
	return low < NEVER ? low : NEVER - 1;
}

/* Programs the hardware for the earlier of deadline and next_poll. */
static void program(void)
{
	uint64_t target = deadline < next_poll ? deadline : next_poll, now = rdtsc();
	if (!ready)
		return;
	if (deadline_mode) {
		/* 0 disarms; a time that has passed fires at once. */
		wrmsr(MSR_TSC_DEADLINE, target == NEVER ? 0 : target ? target : 1);
		return;
	}
	if (target == NEVER) {
		lapic_write(LAPIC_TIMER_INITIAL, 0);
		return;
	}
	/* What does not fit into the counter is reached in several turns, see timer_interrupt. */
	uint64_t ticks = target > now ? muldiv(target - now, lapic_hz, tsc_hz()) + 1 : 1;
	lapic_write(LAPIC_TIMER_INITIAL, ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX);
}

void timer_arm(uint64_t deadline_ns)
{
	uint64_t ns = time_ns(), now = rdtsc();
	if (deadline_ns == UINT64_MAX) {
		deadline = NEVER;
	} else {
		/* Round up by more than a nanosecond: time_ns() is never short of the deadline when the flag is seen. */
		uint64_t ticks = deadline_ns > ns ? muldiv(deadline_ns - ns, tsc_hz(), 1000000000) + tsc_hz() / 1000000000 + 1 : 0;
		deadline = ticks < NEVER - 1 - now ? now + ticks : NEVER - 1;
	}
	program();
}

void timer_interrupt(void)
{
	uint64_t now = rdtsc();
	if (now >= deadline) {
		deadline = NEVER;
		this_cpu()->irq_timer = true;
	}
	if (now >= next_poll) {
		next_poll = now + muldiv(POLL_NS, tsc_hz(), 1000000000);
		this_cpu()->irq_uart = true;
	}
	program();
}

void timer_poll_uart(void)
{
	uart_polled = true;
	if (!ready)
		return;
	next_poll = rdtsc();
	program();
}

#define EXACT 1000
#define ROUNDS_MAX 50

/* The count against the TSC, which is read on both sides of both readings: something may come between. The narrowest of some rounds. */
static int measure(void)
{
	uint64_t wait = tsc_hz() / 100, least = UINT64_MAX;
	lapic_write(LAPIC_LVT_TIMER, LVT_MASKED | VECTOR_TIMER);
	lapic_write(LAPIC_TIMER_DIVIDE, DIVIDE_BY_1);
	for (unsigned i = 0; i < ROUNDS_MAX && least > wait / EXACT; i++) {
		uint64_t before = rdtsc();
		lapic_write(LAPIC_TIMER_INITIAL, UINT32_MAX);
		uint64_t start = rdtsc();
		tsc_pass(start, wait);
		uint64_t end = rdtsc();
		uint32_t ticks = UINT32_MAX - lapic_read(LAPIC_TIMER_CURRENT);
		uint64_t doubt = rdtsc() - end + start - before;
		if (doubt < least) {
			least = doubt;
			lapic_hz = muldiv(ticks, tsc_hz(), end - start + doubt / 2);
		}
	}
	lapic_write(LAPIC_TIMER_INITIAL, 0);
	return lapic_hz ? 0 : -ENODEV;
}

int timer_init(bool tsc_deadline)
{
	deadline_mode = tsc_deadline;
	if (tsc_deadline) {
		lapic_write(LAPIC_LVT_TIMER, LVT_TSC_DEADLINE | VECTOR_TIMER);
		/* Orders the store to the xAPIC before the first WRMSR (SDM vol. 3 11.5.4.1). */
		__asm__ volatile("mfence" : : : "memory");
		log_info("timer: TSC deadline");
	} else {
		int err = measure();
		if (err)
			return err;
		lapic_write(LAPIC_LVT_TIMER, VECTOR_TIMER);
		log_info("timer: local APIC, %llu kHz", (unsigned long long)(lapic_hz / 1000));
	}
	ready = true;
	if (uart_polled)
		timer_poll_uart();
	return 0;
}
