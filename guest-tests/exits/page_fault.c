/* #PF: error code and CR2 for each combination of present, write, user, reserved bit and fetch (Intel SDM vol. 3, 4.7). */
#include "guest-tests/exits/exits.h"

#define PAGE_RET 0xc3
/* A reserved bit is found in a present entry; QEMU's translator leaves P out, where it is what walks the guest's tables. */
#define RESERVED (cpu_is_tcg() && !hyper_shadow_paging() ? ERR_RSVD : ERR_P | ERR_RSVD)
#define ERR_P 1u
#define ERR_W 2u
#define ERR_U 4u
#define ERR_RSVD 8u
#define ERR_I 16u
#define E1_NX (1u << 20)
#define F7_SMEP (1u << 7)
#define F7_SMAP (1u << 20)

enum access { READ, WRITE, FETCH };

static uint8_t page[4096] __attribute__((aligned(4096)));

static void kernel_access(enum access how, uint64_t at)
{
	switch (how) {
	case READ: (void)*(volatile uint8_t *)at; break;
	case WRITE: *(volatile uint8_t *)at = PAGE_RET; break;
	case FETCH: ((void (*)(void))at)(); break;
	}
}

struct attempt {
	enum access how;
	uint64_t at;
};

static void kernel_attempt(void *p)
{
	const struct attempt *a = p;

	kernel_access(a->how, a->at);
}

static uint64_t user_read(uint64_t at)
{
	return *(volatile uint8_t *)at;
}

static uint64_t user_write(uint64_t at)
{
	*(volatile uint8_t *)at = PAGE_RET;
	return 0;
}

static uint64_t user_fetch(uint64_t at)
{
	((void (*)(void))at)();
	return 0;
}

/* Does it; returns the vector or TRAP_NONE. */
static int attempt(bool user, enum access how, uint64_t at)
{
	static uint64_t (*const user_fn[])(uint64_t) = { user_read, user_write, user_fetch };
	struct attempt a = { how, at };

	trap_last.vector = TRAP_NONE;
	if (user)
		return user_run(user_fn[how], at, NULL) ? trap_last.vector : TRAP_NONE;
	return trap_run(kernel_attempt, &a) ? trap_last.vector : TRAP_NONE;
}

static const struct {
	const char *name;
	uint64_t flags; /* of the page; 0: not present */
	bool user;
	enum access how;
	int error; /* -1: no fault */
} cases[] = {
	{ "reading a hole", 0, false, READ, 0 },
	{ "writing a hole", 0, false, WRITE, ERR_W },
	{ "writing a read-only page", PTE_P, false, WRITE, ERR_P | ERR_W },
	{ "reading a read-only page", PTE_P, false, READ, -1 },
	{ "user reading a hole", 0, true, READ, ERR_U },
	{ "user writing a hole", 0, true, WRITE, ERR_U | ERR_W },
	{ "user reading the kernel's page", PTE_P | PTE_W, true, READ, ERR_U | ERR_P },
	{ "user writing the kernel's page", PTE_P | PTE_W, true, WRITE, ERR_U | ERR_P | ERR_W },
	{ "user writing a read-only page", PTE_P | PTE_U, true, WRITE, ERR_U | ERR_P | ERR_W },
	{ "user reading its page", PTE_P | PTE_U, true, READ, -1 },
	{ "user writing its page", PTE_P | PTE_W | PTE_U, true, WRITE, -1 },
	{ "kernel writing the user's page", PTE_P | PTE_W | PTE_U, false, WRITE, -1 },
	{ "user running its page", PTE_P | PTE_U, true, FETCH, -1 },
};

static void run_case(const char *name, uint64_t flags, bool user, enum access how, int error)
{
	uint64_t at = (uint64_t)window_map(11, (uint64_t)page, flags) + 0x123;
	int vector;

	page[0x123] = PAGE_RET;
	vector = attempt(user, how, at);
	if (error < 0) {
		expect_trap(name, vector, TRAP_NONE);
		return;
	}
	expect_error(name, vector, VEC_PF, (uint64_t)error);
	expect_eq("CR2", trap_last.cr2, at);
}

static void test_codes(void)
{
	write_cr0(read_cr0() | CR0_WP);
	for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		run_case(cases[i].name, cases[i].flags, cases[i].user, cases[i].how, cases[i].error);
	write_cr0(read_cr0() & ~(uint64_t)CR0_WP);
	run_case("writing a read-only page without WP", PTE_P, false, WRITE, -1);
}

static void test_nx(void)
{
	uint64_t efer = rdmsr(MSR_EFER);

	if (!(cpuid(0x80000001, 0).edx & E1_NX)) {
		skip("the CPU has no NX");
		return;
	}
	wrmsr(MSR_EFER, efer | EFER_NXE);
	run_case("running an NX page", PTE_P | PTE_NX, false, FETCH, ERR_P | ERR_I);
	run_case("user running an NX page", PTE_P | PTE_U | PTE_NX, true, FETCH, ERR_P | ERR_U | ERR_I);
	run_case("reading an NX page", PTE_P | PTE_NX, false, READ, -1);
	window_map(11, 0, 0);
	wrmsr(MSR_EFER, efer & ~(uint64_t)EFER_NXE);
	write_cr3(read_cr3());
	run_case("bit 63 without NXE", PTE_P | PTE_W | PTE_NX, false, READ, RESERVED);
	window_map(11, 0, 0);
	wrmsr(MSR_EFER, efer);
}

static void test_reserved(void)
{
	unsigned bits = cpuid(0x80000008, 0).eax & 255;

	if (bits >= 52) {
		skip("all physical address bits are in use");
		return;
	}
	run_case("a reserved bit", PTE_P | PTE_W | 1ull << 51, false, READ, RESERVED);
	run_case("a reserved bit, writing", PTE_P | PTE_W | 1ull << bits, false, WRITE, RESERVED | ERR_W);
}

static void test_smep_smap(void)
{
	uint32_t ebx = cpuid(0, 0).eax >= 7 ? cpuid(7, 0).ebx : 0;

	if (!(ebx & (F7_SMEP | F7_SMAP))) {
		skip("the CPU has neither SMEP nor SMAP");
		return;
	}
	if (ebx & F7_SMEP) {
		write_cr4(read_cr4() | CR4_SMEP);
		run_case("kernel running the user's page", PTE_P | PTE_U, false, FETCH, ERR_P | ERR_I);
	}
	if (ebx & F7_SMAP) {
		write_cr4(read_cr4() | CR4_SMAP);
		run_case("kernel reading the user's page", PTE_P | PTE_U, false, READ, ERR_P);
		__asm__ volatile("stac" ::: "memory");
		(void)*(volatile uint8_t *)(WINDOW_BASE + 11 * 4096);
		__asm__ volatile("clac" ::: "memory");
	}
}

/* The CPU sets accessed on a use and dirty on a write only. */
static void test_accessed_dirty(void)
{
	volatile uint8_t *at = window_map(12, (uint64_t)page, PTE_P | PTE_W);

	expect_eq("A and D before", window_table[12] & (PTE_A | PTE_D), 0);
	(void)*at;
	expect_eq("A and D after a read", window_table[12] & (PTE_A | PTE_D), PTE_A);
	*at = 1;
	expect_eq("A and D after a write", window_table[12] & (PTE_A | PTE_D), PTE_A | PTE_D);
}

const struct test page_fault_tests[] = {
	{ "pf-codes", test_codes },
	{ "pf-nx", test_nx },
	{ "pf-reserved", test_reserved },
	{ "pf-smep-smap", test_smep_smap },
	{ "pf-accessed-dirty", test_accessed_dirty },
	{ 0 },
};
