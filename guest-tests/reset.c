/*
 * Registers that power-on and reset set, and the boot loader leaves alone (Intel SDM vol. 3, table 10-1): checks them, then fills
 * them. With the argument `wait` it goes on when a byte comes on COM1, so that `tessera ctl reset` can make it check once more.
 * With times=N it resets itself N times, by each of the ways that a PC has, after it has had the VMM allocate what that allocates
 * for a guest; in the end the VMM has as many free frames as at the second boot. (The first one is what makes room that later ones
 * keep.)
 */
#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/hyper.h"
#include "guest-tests/lib/paging.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/trap.h"
#include "guest-tests/lib/window.h"

#define DR6_INIT 0xffff0ff0ull
#define DR7_INIT 0x400ull
#define PAT_INIT 0x0007040600070406ull
#define FILL 0x7ffe0ull /* valid in each of them */

int main(void);

#define REGISTER(name, init, fill)                                                                                                 \
	{                                                                                                                          \
#name, read_##name, write_##name, init, fill                                                                       \
	}

static const struct {
	const char *name;
	uint64_t (*read)(void);
	void (*write)(uint64_t v);
	uint64_t init, fill;
} registers[] = {
	REGISTER(cr2, 0, FILL),
	REGISTER(cr8, 0, 9),
	REGISTER(dr0, 0, FILL),
	REGISTER(dr1, 0, FILL),
	REGISTER(dr2, 0, FILL),
	REGISTER(dr3, 0, FILL),
	REGISTER(dr6, DR6_INIT, DR6_INIT | 0x600f),
	REGISTER(dr7, DR7_INIT, DR7_INIT | 0x100),
};

static const struct {
	const char *name;
	uint32_t msr;
	uint64_t init, fill;
} msrs[] = {
	{ "SYSENTER_CS", MSR_SYSENTER_CS, 0, 0x20 },
	{ "SYSENTER_ESP", MSR_SYSENTER_ESP, 0, FILL },
	{ "SYSENTER_EIP", MSR_SYSENTER_EIP, 0, FILL },
	{ "PAT", MSR_PAT, PAT_INIT, PAT_INIT ^ 1ull << 56 },
	{ "STAR", MSR_STAR, 0, FILL },
	{ "LSTAR", MSR_LSTAR, 0, FILL },
	{ "FMASK", MSR_FMASK, 0, 0x200 },
	{ "KERNEL_GS_BASE", MSR_KERNEL_GS_BASE, 0, FILL },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void test_initial(void)
{
	for (unsigned i = 0; i < COUNT(registers); i++)
		expect_eq(registers[i].name, registers[i].read(), registers[i].init);
	for (unsigned i = 0; i < COUNT(msrs); i++)
		expect_eq(msrs[i].name, rdmsr(msrs[i].msr), msrs[i].init);
}

static void test_fill(void)
{
	for (unsigned i = 0; i < COUNT(registers); i++) {
		registers[i].write(registers[i].fill);
		expect_eq(registers[i].name, registers[i].read(), registers[i].fill);
	}
	for (unsigned i = 0; i < COUNT(msrs); i++) {
		wrmsr(msrs[i].msr, msrs[i].fill);
		expect_eq(msrs[i].name, rdmsr(msrs[i].msr), msrs[i].fill);
	}
}

static const struct test tests[] = {
	{ "reset-initial", test_initial },
	{ "reset-fill", test_fill },
	{ 0 },
};

/* ---- again and again: count and frames are in the RTC's RAM, which a reset keeps */

#define RTC_COUNT 0x60u
#define RTC_FRAMES 0x64u
#define RANGES 12u
#define RANGE_BYTES 0x50000u
#define RANGE_BASE 0x200000u

static uint32_t kept(unsigned at)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < 4; i++) {
		outb(0x70, (uint8_t)(at + i));
		value |= (uint32_t)inb(0x71) << 8 * i;
	}
	return value;
}

static void keep(unsigned at, uint32_t value)
{
	for (unsigned i = 0; i < 4; i++) {
		outb(0x70, (uint8_t)(at + i));
		outb(0x71, (uint8_t)(value >> 8 * i));
	}
}

static uint32_t frames_free(void)
{
	static struct hc_dirty_cost cost;

	return hypercall(HC_DIRTY_COST, (uint64_t)&cost, 0) ? 0 : (uint32_t)cost.frames_free;
}

/* Ranges that split second-level leaves, records for consumers, shadow tables for a window that maps all over. */
static void have_it_allocate(uint32_t n)
{
	for (unsigned i = 0; i < RANGES; i++)
		hypercall4(HC_DIRTY_RANGE_ADD, RANGE_BASE + i * RANGE_BYTES + (n & 7) * 4096, RANGE_BYTES, 0, 0);
	hypercall(HC_DIRTY_CONSUMER_ADD, 0, 0);
	for (unsigned i = 0; i < WINDOW_PAGES; i += 5)
		*(volatile uint8_t *)window_map(i, RANGE_BASE + ((i + n) & 511) * 4096ull, PTE_P | PTE_W) = (uint8_t)n;
	for (uint64_t i = 0; i < 4; i++) {
		volatile uint64_t *e = paging_entry(pml4, PAGING_FREE + (i * 7 + n % 5) * 0x40000000ull, 1);

		if (e) {
			*e = RANGE_BASE | PTE_P | PTE_W;
			*(volatile uint8_t *)(PAGING_FREE + (i * 7 + n % 5) * 0x40000000ull) = 1;
		}
	}
}

static void again(uint32_t n)
{
	static const struct table_pointer none;

	switch (n % 4) {
	case 0: outb(0x64, 0xfe); break;
	case 1: outb(0x92, 1); break;
	default: break;
	}
	outb(0xcf9, 0);
	outb(0xcf9, 6);
	lidt(&none);
	__asm__ volatile("ud2");
}

static void reset_times(uint32_t times)
{
	uint32_t n = kept(RTC_COUNT), frames;

	if (n == 1 || n >= times)
		hyper_screenshot(); /* by then the VMM follows the heads, which takes memory */
	frames = frames_free();
	if (n == 1)
		keep(RTC_FRAMES, frames);
	if (n >= times) {
		print("%u resets, %u frames are free, %u were\n", n, frames, kept(RTC_FRAMES));
		if (boot_option("tell"))
			check(true, "reset-told", NULL);
		else
			check(frames && frames == kept(RTC_FRAMES), "reset-frees-all", "the VMM has another number of free frames");
		return;
	}
	have_it_allocate(n);
	keep(RTC_COUNT, n + 1);
	again(n);
}

int main(void)
{
	uint32_t times;

	guest_init();
	times = (uint32_t)boot_number("times", 0);
	if (times) {
		reset_times(times);
		return tests_failed() ? 1 : 0;
	}
	tests_run(tests);
	print("ready\n");
	if (boot_option("wait"))
		console_wait();
	return tests_failed() ? 1 : 0;
}
