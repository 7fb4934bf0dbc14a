/* Control registers: what is written reads back, and combinations that no CPU takes raise #GP. */
#include "guest-tests/exits/exits.h"

#define NO_CHECK "QEMU's translator does not check control registers"
#define F1_PCID (1u << 17)
#define F1_VMX (1u << 5)
#define F7_FSGSBASE (1u << 0)
#define F7_SMEP (1u << 7)
#define F7_SMAP (1u << 20)
#define F7C_UMIP (1u << 2)

static void test_cr0(void)
{
	static const uint32_t bits[] = { CR0_MP, CR0_EM, CR0_TS, CR0_NE, CR0_WP, CR0_AM, CR0_CD, CR0_CD | CR0_NW };
	uint64_t cr0 = read_cr0() & ~(uint64_t)(CR0_CD | CR0_NW);

	write_cr0(cr0);
	expect((cr0 & (CR0_PE | CR0_PG | CR0_ET)) == (CR0_PE | CR0_PG | CR0_ET), "CR0 is 0x%lx", cr0);
	for (unsigned i = 0; i < sizeof(bits) / sizeof(bits[0]); i++) {
		write_cr0(cr0 | bits[i]);
		expect_eq("CR0 with a bit set", read_cr0(), cr0 | bits[i]);
		write_cr0(cr0 & ~(uint64_t)bits[i]);
		expect_eq("CR0 with a bit clear", read_cr0(), cr0 & ~(uint64_t)bits[i]);
	}
	write_cr0(cr0 & ~(uint64_t)CR0_ET);
	expect(read_cr0() & CR0_ET, "ET does not read as 1");
	write_cr0(cr0);
}

static void test_cr0_refused(void)
{
	uint64_t cr0 = read_cr0();

	if (bare_tcg()) {
		skip(NO_CHECK);
		return;
	}
	expect_error("PG without PE", TRY_IN("mov %0, %%cr0", cr0 & ~(uint64_t)CR0_PE), VEC_GP, 0);
	expect_error("PG off in 64-bit code", TRY_IN("mov %0, %%cr0", cr0 & ~(uint64_t)CR0_PG), VEC_GP, 0);
	expect_error("NW without CD", TRY_IN("mov %0, %%cr0", (cr0 & ~(uint64_t)CR0_CD) | CR0_NW), VEC_GP, 0);
	if (!cpu_is_tcg()) /* which drops the upper half before anyone looks */
		expect_error("bit 32", TRY_IN("mov %0, %%cr0", cr0 | 1ull << 32), VEC_GP, 0);
	expect_eq("CR0", read_cr0(), cr0);
}

/* CLTS, LMSW, SMSW: the 286's way to the low bits of CR0. */
static void test_msw(void)
{
	uint64_t cr0 = read_cr0() & ~(uint64_t)(CR0_TS | CR0_EM | CR0_MP), v;
	uint16_t memory;

	write_cr0(cr0);
	__asm__ volatile("lmsw %w0" ::"r"(CR0_PE | CR0_TS | CR0_MP));
	expect_eq("CR0 after LMSW", read_cr0(), cr0 | CR0_TS | CR0_MP);
	__asm__ volatile("clts");
	expect_eq("CR0 after CLTS", read_cr0(), cr0 | CR0_MP);
	memory = CR0_EM;
	__asm__ volatile("lmsw %0" ::"m"(memory));
	expect_eq("CR0 after LMSW from memory, which cannot clear PE", read_cr0(), cr0 | CR0_EM);
	__asm__ volatile("smsw %0" : "=r"(v));
	expect_eq("SMSW to a register", v & 0xffff, read_cr0() & 0xffff);
	__asm__ volatile("smsw %0" : "=m"(memory));
	expect_eq("SMSW to memory", memory, read_cr0() & 0xffff);
}

/* TS, EM and MP make floating point raise #NM or #UD (Intel SDM vol. 3, table 2-2, 13.1). */
static void test_fpu_traps(void)
{
	uint64_t cr0 = read_cr0() & ~(uint64_t)(CR0_TS | CR0_EM | CR0_MP);

	write_cr4(read_cr4() | CR4_OSFXSR);
	write_cr0(cr0);
	expect_trap("FNOP", TRY("fnop"), TRAP_NONE);
	write_cr0(cr0 | CR0_TS);
	expect_trap("FNOP with TS", TRY("fnop"), VEC_NM);
	expect_trap("MOVAPS with TS", TRY("movaps %%xmm0, %%xmm0"), VEC_NM);
	expect_trap("FWAIT with TS", TRY("fwait"), TRAP_NONE);
	write_cr0(cr0 | CR0_TS | CR0_MP);
	expect_trap("FWAIT with TS and MP", TRY("fwait"), VEC_NM);
	write_cr0(cr0 | CR0_EM);
	expect_trap("FNOP with EM", TRY("fnop"), VEC_NM);
	expect_trap("MOVAPS with EM", TRY("movaps %%xmm0, %%xmm0"), VEC_UD);
	write_cr0(cr0);
	write_cr4(read_cr4() & ~(uint64_t)CR4_OSFXSR);
	expect_trap("MOVAPS without OSFXSR", TRY("movaps %%xmm0, %%xmm0"), VEC_UD);
}

static void test_cr2(void)
{
	static const uint64_t values[] = { 0, 0x123456789abcdef0ull, ~0ull, 0xffff800000000000ull };

	for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		write_cr2(values[i]);
		cpuid(0, 0);
		expect_eq("CR2 after an exit", read_cr2(), values[i]);
	}
}

static void test_cr3(void)
{
	uint64_t cr3 = read_cr3(), phys = cpuid(0x80000008, 0).eax & 255;

	write_cr3(cr3 | 0x18); /* PWT, PCD */
	expect_eq("CR3 with PWT and PCD", read_cr3(), cr3 | 0x18);
	write_cr3(cr3);
	expect_eq("CR3", read_cr3(), cr3);
	if (bare_tcg()) /* it takes a bad CR3 for the end of a guest's turn, also where there is no guest */
		return;
	if (phys < 52)
		expect_error("CR3 beyond the physical address", TRY_IN("mov %0, %%cr3", cr3 | 1ull << 51), VEC_GP, 0);
	expect_error("CR3 bit 63 without PCIDE", TRY_IN("mov %0, %%cr3", cr3 | 1ull << 63), VEC_GP, 0);
	expect_eq("CR3 in the end", read_cr3(), cr3);
}

/* A new CR3, INVLPG, and turning PGE off and on forget old translations. */
static void test_flush(void)
{
	static uint64_t pages[2][512] __attribute__((aligned(4096)));
	volatile uint64_t *p = window_map(7, (uint64_t)pages[0], PTE_P | PTE_W);

	pages[0][0] = 1;
	pages[1][0] = 2;
	expect_eq("first page", *p, 1);
	window_table[7] = (uint64_t)pages[1] | PTE_P | PTE_W;
	write_cr3(read_cr3());
	expect_eq("after MOV CR3", *p, 2);
	window_table[7] = (uint64_t)pages[0] | PTE_P | PTE_W | PTE_G;
	invlpg((const void *)p);
	expect_eq("after INVLPG", *p, 1);
	write_cr4(read_cr4() | CR4_PGE);
	expect_eq("a global page", *p, 1);
	window_table[7] = (uint64_t)pages[1] | PTE_P | PTE_W | PTE_G;
	write_cr4(read_cr4() & ~(uint64_t)CR4_PGE);
	expect_eq("after CR4.PGE changed", *p, 2);
	window_map(7, 0, 0);
}

static uint64_t cr4_offered(void)
{
	struct regs4 f1 = cpuid(1, 0), f7 = { 0 };
	uint64_t bits = CR4_TSD | CR4_DE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_PCE;

	if (cpuid(0, 0).eax >= 7)
		f7 = cpuid(7, 0);
	bits |= f1.ecx >> 26 & 1 ? CR4_OSXSAVE : 0;
	bits |= f7.ebx & F7_FSGSBASE ? CR4_FSGSBASE : 0;
	bits |= f7.ebx & F7_SMEP ? CR4_SMEP : 0;
	bits |= f7.ebx & F7_SMAP ? CR4_SMAP : 0;
	bits |= f7.ecx & F7C_UMIP ? CR4_UMIP : 0;
	return bits;
}

static void test_cr4(void)
{
	uint64_t cr4 = read_cr4(), offered = cr4_offered();

	expect(cr4 & CR4_PAE, "CR4 is 0x%lx in long mode", cr4);
	expect(hyper_present() ? !(cr4 & CR4_VMXE) : 1, "the guest sees VMXE in CR4");
	for (unsigned bit = 0; bit < 32; bit++) {
		if (!(offered >> bit & 1))
			continue;
		write_cr4(cr4 | 1ull << bit);
		expect_eq("CR4 with a bit set", read_cr4(), cr4 | 1ull << bit);
		write_cr4(cr4 & ~(1ull << bit));
		expect_eq("CR4 with a bit clear", read_cr4(), cr4 & ~(1ull << bit));
	}
	write_cr4(cr4 | offered);
	expect_eq("CR4 with all bits", read_cr4(), cr4 | offered);
}

static void test_cr4_refused(void)
{
	uint64_t cr4 = read_cr4();

	if (bare_tcg()) {
		skip(NO_CHECK);
		return;
	}
	expect_error("PAE off in long mode", TRY_IN("mov %0, %%cr4", cr4 & ~(uint64_t)CR4_PAE), VEC_GP, 0);
	expect_error("bit 31", TRY_IN("mov %0, %%cr4", cr4 | 1ull << 31), VEC_GP, 0);
	expect_error("bit 63", TRY_IN("mov %0, %%cr4", cr4 | 1ull << 63), VEC_GP, 0);
	expect_error("LA57 in long mode", TRY_IN("mov %0, %%cr4", cr4 ^ CR4_LA57), VEC_GP, 0);
	if (!(cpuid(1, 0).ecx & F1_VMX))
		expect_error("VMXE, which is not offered", TRY_IN("mov %0, %%cr4", cr4 | CR4_VMXE), VEC_GP, 0);
	if (!(cpuid(1, 0).ecx & F1_PCID))
		expect_error("PCIDE, which is not offered", TRY_IN("mov %0, %%cr4", cr4 | CR4_PCIDE), VEC_GP, 0);
	for (unsigned bit = 0; bit < 32; bit++)
		if ((CR4_SMEP | CR4_SMAP | CR4_UMIP | CR4_FSGSBASE | CR4_OSXSAVE) & ~cr4_offered() & 1ull << bit)
			expect_error("a bit that is not offered", TRY_IN("mov %0, %%cr4", cr4 | 1ull << bit), VEC_GP, 0);
	expect_eq("CR4", read_cr4(), cr4);
}

static void test_cr8(void)
{
	for (uint64_t v = 0; v < 16; v++) {
		write_cr8(v);
		cpuid(0, 0);
		expect_eq("CR8", read_cr8(), v);
	}
	write_cr8(0);
	if (!cpu_is_tcg())
		expect_error("CR8 = 16", TRY_IN("mov %0, %%cr8", 16), VEC_GP, 0);
}

/* MOV to and from CR1, CR5, CR7 (AT&T syntax has no names for them). */
static void test_absent(void)
{
	expect_trap("MOV from CR1", TRY(".byte 0x0f, 0x20, 0xc8"), VEC_UD);
	expect_trap("MOV to CR5", TRY(".byte 0x0f, 0x22, 0xe8"), VEC_UD);
	expect_trap("MOV from CR7", TRY(".byte 0x0f, 0x20, 0xf8"), VEC_UD);
}

/* All sixteen registers take part: the encoding's register field and REX.B. */
static void test_every_register(void)
{
	uint64_t want = read_cr0(), v;

#define READ(reg)                                                                                                                  \
	__asm__ volatile("mov %%cr0, %%" reg "; mov %%" reg ", %0" : "=m"(v)::reg);                                                \
	expect_eq("CR0 through " reg, v, want)
#define WRITE(reg)                                                                                                                 \
	__asm__ volatile("mov %0, %%" reg "; mov %%" reg ", %%cr2" ::"m"(want) : reg);                                             \
	expect_eq("CR2 through " reg, read_cr2(), want);                                                                           \
	want++
	READ("rax");
	READ("rcx");
	READ("rdx");
	READ("rbx");
	READ("rsi");
	READ("rdi");
	READ("r8");
	READ("r11");
	READ("r12");
	READ("r15");
	WRITE("rax");
	WRITE("rbx");
	WRITE("rsi");
	WRITE("r9");
	WRITE("r13");
	WRITE("r15");
	__asm__ volatile("mov %%rsp, %%r12; mov %%cr0, %%rsp; mov %%rsp, %0; mov %%r12, %%rsp" : "=r"(v)::"r12");
	expect_eq("CR0 through rsp", v, read_cr0());
#undef READ
#undef WRITE
}

const struct test cr_tests[] = {
	{ "cr0-bits", test_cr0 },
	{ "cr0-refused", test_cr0_refused },
	{ "cr0-msw", test_msw },
	{ "cr0-fpu", test_fpu_traps },
	{ "cr2-kept", test_cr2 },
	{ "cr3-bits", test_cr3 },
	{ "cr3-flush", test_flush },
	{ "cr4-bits", test_cr4 },
	{ "cr4-refused", test_cr4_refused },
	{ "cr8-bits", test_cr8 },
	{ "cr-absent", test_absent },
	{ "cr-registers", test_every_register },
	{ 0 },
};
