/* Out of 64-bit mode, through 32-bit paging and real mode, and back (mode.asm): CR0.PG, PE and EFER.LMA change for real. */
#include "guest-tests/exits/exits.h"

extern uint8_t mode_blob[], mode_blob_end[];
extern uint64_t mode_directory;
uint32_t mode_trip(void);

/* What was seen on the way (mode.asm stores these). */
extern struct mode_seen {
	uint32_t efer_unpaged, efer_paged32, value_paged32, real_cr0, real_interrupts, real_cpuid, real_segment, ticks;
} mode_seen;

extern uint64_t mode_probe;

static void test_trip(void)
{
	static uint32_t directory[1024] __attribute__((aligned(4096)));
	static uint8_t saved[4096];
	uint8_t *low = (uint8_t *)(uint64_t)LOW_PAGE;
	uint64_t efer = rdmsr(MSR_EFER);

	if (!hyper_real_mode()) {
		skip("no real mode under shadow paging on VMX");
		return;
	}
	for (uint32_t i = 0; i < 1024; i++)
		directory[i] = i << 22 | 0x83; /* 4 MiB pages */
	mode_directory = (uint64_t)directory;
	memcpy(saved, low, sizeof(saved));
	/* cppcheck-suppress comparePointers; both labels are in mode.asm's one section */
	memcpy(low, mode_blob, (uint64_t)(mode_blob_end - mode_blob));
	memset(&mode_seen, 0, sizeof(mode_seen));
	timer_start(1000);
	mode_trip();
	timer_stop();
	pic_init();
	memcpy(low, saved, sizeof(saved));
	expect_eq("EFER.LMA with paging off", mode_seen.efer_unpaged & EFER_LMA, 0);
	expect_eq("EFER.LMA in 32-bit paging", mode_seen.efer_paged32 & (EFER_LMA | EFER_LME), 0);
	expect_eq("memory through 32-bit paging", mode_seen.value_paged32, (uint32_t)mode_probe);
	expect_eq("CR0 in real mode", mode_seen.real_cr0 & (CR0_PE | CR0_PG), 0);
	expect_eq("INT in real mode", mode_seen.real_interrupts, 1);
	expect_eq("CPUID in real mode", mode_seen.real_cpuid, cpuid(0, 0).ebx);
	expect_eq("a load through DS in real mode", mode_seen.real_segment & 0xffff, *(uint16_t *)mode_blob);
	expect(mode_seen.ticks >= 1, "no timer interrupt in real mode");
	expect_eq("EFER in the end", rdmsr(MSR_EFER), efer);
}

const struct test mode_tests[] = {
	{ "mode-trip", test_trip },
	{ 0 },
};
