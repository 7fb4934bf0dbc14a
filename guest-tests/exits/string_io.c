/* INS and OUTS with and without REP: counts, both directions, page boundaries, faults in the middle, segment and address-size
 * prefixes. */
#include "guest-tests/exits/exits.h"

#define COM1_SCRATCH 0x3ff
#define PAGE 4096u

static uint8_t pages[3][PAGE] __attribute__((aligned(4096)));

/* Two window pages whose physical pages are not neighbours, and then a hole. */
static uint8_t *two_pages(void)
{
	uint8_t *at = window_map(0, (uint64_t)pages[2], PTE_P | PTE_W);

	window_map(1, (uint64_t)pages[0], PTE_P | PTE_W);
	window_map(2, 0, 0);
	memset(pages, 0, sizeof(pages));
	return at;
}

struct string_regs {
	uint64_t rcx, rsi, rdi;
};

#define STRING(insn, r)                                                                                                            \
	({                                                                                                                         \
		trap_begin();                                                                                                      \
		__asm__ volatile(GUARD(insn) : "+c"((r).rcx), "+S"((r).rsi), "+D"((r).rdi) : "d"(COM1_SCRATCH) : "memory", "cc");  \
		trap_end();                                                                                                        \
	})

static void expect_string(const char *what, const struct string_regs *r, uint64_t rcx, uint64_t rsi, uint64_t rdi)
{
	expect(r->rcx == rcx, "%s left RCX 0x%lx, not 0x%lx", what, r->rcx, rcx);
	expect(r->rsi == rsi, "%s left RSI 0x%lx, not 0x%lx", what, r->rsi, rsi);
	expect(r->rdi == rdi, "%s left RDI 0x%lx, not 0x%lx", what, r->rdi, rdi);
}

static void test_outs(void)
{
	static const uint8_t text[] = "scratch";
	struct string_regs r = { 5, (uint64_t)text, 77 };

	expect_trap("OUTSB", STRING("outsb", r), TRAP_NONE);
	expect_string("OUTSB", &r, 5, (uint64_t)text + 1, 77);
	expect_eq("scratch after OUTSB", inb(COM1_SCRATCH), 's');
	r.rcx = 6;
	expect_trap("REP OUTSB", STRING("rep outsb", r), TRAP_NONE);
	expect_string("REP OUTSB", &r, 0, (uint64_t)text + 7, 77);
	expect_eq("scratch after REP OUTSB", inb(COM1_SCRATCH), 'h');
	r.rcx = 0;
	expect_trap("REP OUTSB of none", STRING("rep outsb", r), TRAP_NONE);
	expect_string("REP OUTSB of none", &r, 0, (uint64_t)text + 7, 77);
	r = (struct string_regs){ 4, (uint64_t)text + 3, 77 };
	expect_trap("downwards", STRING("std; rep outsb; cld", r), TRAP_NONE);
	expect_string("REP OUTSB downwards", &r, 0, (uint64_t)text - 1, 77);
	expect_eq("scratch after REP OUTSB downwards", inb(COM1_SCRATCH), 's');
}

static void test_ins(void)
{
	uint8_t *at = two_pages() + PAGE - 5;
	struct string_regs r = { 10, 55, (uint64_t)at };

	outb(COM1_SCRATCH, 0xa7);
	expect_trap("REP INSB", STRING("rep insb", r), TRAP_NONE);
	expect_string("REP INSB over a page boundary", &r, 0, 55, (uint64_t)at + 10);
	for (unsigned i = 0; i < 12; i++)
		expect(at[i] == (i < 10 ? 0xa7 : 0), "byte %u is 0x%x", i, (unsigned)at[i]);
	outb(COM1_SCRATCH, 0x31);
	r = (struct string_regs){ 3, 55, (uint64_t)at + 6 };
	expect_trap("downwards", STRING("std; rep insb; cld", r), TRAP_NONE);
	expect_string("REP INSB downwards", &r, 0, 55, (uint64_t)at + 3);
	expect(at[3] == 0xa7 && at[4] == 0x31 && at[6] == 0x31 && at[7] == 0xa7, "wrong bytes after REP INSB downwards: 0x%x 0x%x",
	       (unsigned)at[3], (unsigned)at[4]);
}

/* Words and doublewords, one of them across the boundary between the pages. */
static void test_wide(void)
{
	uint8_t *at = two_pages() + PAGE - 6;
	uint64_t rdi = (uint64_t)at, rsi, rcx = 3;

	__asm__ volatile("rep insl" : "+D"(rdi), "+c"(rcx) : "d"(UNCLAIMED_PORT) : "memory");
	expect(rdi == (uint64_t)at + 12 && !rcx, "REP INSL left RDI 0x%lx, RCX 0x%lx", rdi, rcx);
	for (unsigned i = 0; i < 13; i++)
		expect(at[i] == (i < 12 ? 0xff : 0), "byte %u is 0x%x", i, (unsigned)at[i]);
	rdi = (uint64_t)at - 1;
	rcx = 4;
	__asm__ volatile("rep insw" : "+D"(rdi), "+c"(rcx) : "d"(UNCLAIMED_PORT) : "memory");
	expect(rdi == (uint64_t)at + 7 && !rcx, "REP INSW left RDI 0x%lx, RCX 0x%lx", rdi, rcx);
	rsi = (uint64_t)at;
	rcx = 3;
	__asm__ volatile("rep outsl" : "+S"(rsi), "+c"(rcx) : "d"(UNCLAIMED_PORT) : "memory");
	expect(rsi == (uint64_t)at + 12 && !rcx, "REP OUTSL left RSI 0x%lx, RCX 0x%lx", rsi, rcx);
}

/* The fault comes at the first element that can't be done, with the registers telling how far it got. */
static void test_faults(void)
{
	uint8_t *at = two_pages(), *end = at + 2 * PAGE;
	struct string_regs r = { 9, 1, (uint64_t)end - 4 };

	outb(COM1_SCRATCH, 0x66);
	expect_error("REP INSB into a hole", STRING("rep insb", r), VEC_PF, 2);
	expect_eq("CR2", trap_last.cr2, (uint64_t)end);
	expect_string("REP INSB into a hole", &r, 5, 1, (uint64_t)end);
	expect_eq("last byte before the hole", end[-1], 0x66);
	r = (struct string_regs){ 1, 2, (uint64_t)end - 1 };
	expect_error("INSL halfway into a hole", STRING("insl", r), VEC_PF, 2);
	expect_eq("CR2 is where the hole begins", trap_last.cr2, (uint64_t)end);
	expect_string("INSL halfway into a hole", &r, 1, 2, (uint64_t)end - 1);
	expect_eq("last byte before the hole", end[-1], 0x66);
	end[-1] = 0x99;
	r = (struct string_regs){ 9, (uint64_t)end - 1, 2 };
	expect_error("REP OUTSB out of a hole", STRING("rep outsb", r), VEC_PF, 0);
	expect_eq("CR2", trap_last.cr2, (uint64_t)end);
	expect_string("REP OUTSB out of a hole", &r, 8, (uint64_t)end, 2);
	expect_eq("scratch", inb(COM1_SCRATCH), 0x99);
	write_cr0(read_cr0() | CR0_WP);
	window_map(1, (uint64_t)pages[0], PTE_P);
	r = (struct string_regs){ 2, 3, (uint64_t)at + PAGE };
	expect_error("REP INSB into a read-only page", STRING("rep insb", r), VEC_PF, 3);
	expect_string("REP INSB into a read-only page", &r, 2, 3, (uint64_t)at + PAGE);
	r = (struct string_regs){ 2, 3, 0x8000000000000000ull };
	expect_error("REP INSB to a non-canonical address", STRING("rep insb", r), VEC_GP, 0);
}

static void test_prefixes(void)
{
	static const uint8_t bytes[4] = { 0x12, 0x34, 0x56, 0x78 };
	static uint8_t to[4];
	struct string_regs r = { 1, 2, 0 };

	wrmsr(MSR_FS_BASE, (uint64_t)bytes);
	expect_trap("FS OUTSB", STRING("fs outsb", r), TRAP_NONE);
	wrmsr(MSR_FS_BASE, 0);
	expect_eq("through FS", inb(COM1_SCRATCH), 0x56);
	r = (struct string_regs){ 0xffffffff00000002ull, 0xffffffff00000000ull | (uint64_t)(bytes + 2), 0 };
	expect_trap("REP OUTSB with 32-bit addresses", STRING("addr32 rep outsb", r), TRAP_NONE);
	expect_string("REP OUTSB with 32-bit addresses", &r, 0, (uint64_t)(bytes + 4), 0);
	expect_eq("with 32-bit addresses", inb(COM1_SCRATCH), 0x78);
	r = (struct string_regs){ 3, 0, (uint64_t)to };
	expect_trap("REP INSB with 32-bit addresses", STRING("addr32 rep insb", r), TRAP_NONE);
	expect(to[0] == 0x78 && to[2] == 0x78 && !to[3], "REP INSB with 32-bit addresses wrote 0x%x, 0x%x", (unsigned)to[0],
	       (unsigned)to[3]);
}

const struct test string_io_tests[] = {
	{ "outs", test_outs },
	{ "ins", test_ins },
	{ "ins-outs-wide", test_wide },
	{ "ins-outs-faults", test_faults },
	{ "ins-outs-prefixes", test_prefixes },
	{ 0 },
};
