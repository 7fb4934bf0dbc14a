/*
 * Ends in a state from which no CPU goes on; the VMM must report it and live. The option says how: triple (the default), gate,
 * wild, cr0, cr4, efer, stall. All but gate do without an IDT, so the first exception is the last.
 */
#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/hyper.h"
#include "guest-tests/lib/print.h"

#define NOWHERE 0xc8123000ull /* neither RAM nor a device, above 3 GiB */
#define EFER_RESERVED (1u << 9)

int main(void);

static void triple(void)
{
	__asm__ volatile("ud2");
}

/* Each vector has its gate, to a code segment behind the GDT's end: the double fault starts well and does not get through. */
static void bad_gate(void)
{
	static uint64_t idt[32][2];

	for (unsigned i = 0; i < 32; i++)
		idt[i][0] = 1ull << 47 | 0xeull << 40 | 0xfff8ull << 16;
	lidt(&(const struct table_pointer){ sizeof(idt) - 1, (uint64_t)idt });
	__asm__ volatile("ud2");
}

static void wild(void)
{
	void (*volatile nowhere)(void) = (void (*)(void))NOWHERE;

	nowhere();
}

/* Paging without protection: Intel SDM vol. 3, 2.5 (CR0.PG). */
static void bad_cr0(void)
{
	write_cr0((read_cr0() | CR0_PG) & ~(uint64_t)CR0_PE);
}

/* PAE off in IA-32e mode, and reserved bits: Intel SDM vol. 3, 2.5 and 4.1.1. */
static void bad_cr4(void)
{
	write_cr4((read_cr4() | 1u << 31) & ~(uint64_t)CR4_PAE);
}

/* LME off while paging is on, and a reserved bit: Intel SDM vol. 3, 4.1.1; AMD APM vol. 2, 3.1.7. */
static void bad_efer(void)
{
	wrmsr(MSR_EFER, (rdmsr(MSR_EFER) | EFER_RESERVED) & ~(uint64_t)EFER_LME);
}

/* Not its own fault: the VMM is asked for an exit that does not end, which it knows only for tests. */
static void stall(void)
{
	hypercall(HC_STALL, 0, 0);
}

static const struct {
	const char *name;
	void (*fn)(void);
} ways[] = {
	{ "triple", triple }, { "gate", bad_gate }, { "wild", wild },	{ "cr0", bad_cr0 },
	{ "cr4", bad_cr4 },   { "efer", bad_efer }, { "stall", stall },
};

int main(void)
{
	static const struct table_pointer none = { 0, 0 };
	unsigned way = 0;

	guest_init();
	for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
		if (boot_option(ways[i].name))
			way = i;
	print("About to crash by %s.\n", ways[way].name);
	lidt(&none);
	ways[way].fn();
	check(false, ways[way].name, "the CPU went on");
	return 1;
}
