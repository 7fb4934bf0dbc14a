/* Guest-physical addresses that nothing answers: they read as ones, writes are dropped, and the instructions work as on RAM. */
#include "guest-tests/exits/exits.h"

static bool under_tessera(void)
{
	if (!hyper_present())
		skip("what an empty address reads as is the machine's affair");
	return hyper_present();
}

#define LOAD(insn, constraint)                                                                                                     \
	({                                                                                                                         \
		uint64_t v_ = 0x1122334455667788ull;                                                                               \
		__asm__ volatile(insn : "+" constraint(v_) : "r"(UNBACKED + 8) : "memory");                                        \
		v_;                                                                                                                \
	})

static void test_reads(void)
{
	if (!under_tessera())
		return;
	expect_eq("MOV r8", LOAD("movb (%1), %b0", "r"), 0x11223344556677ffull);
	expect_eq("MOV r16", LOAD("movw (%1), %w0", "r"), 0x112233445566ffffull);
	expect_eq("MOV r32", LOAD("movl (%1), %k0", "r"), 0xffffffff);
	expect_eq("MOV r64", LOAD("movq (%1), %0", "r"), ~0ull);
	expect_eq("MOVZX r8", LOAD("movzbl (%1), %k0", "r"), 0xff);
	expect_eq("MOVZX r16", LOAD("movzwq (%1), %0", "r"), 0xffff);
	expect_eq("MOVSX r8", LOAD("movsbq (%1), %0", "r"), ~0ull);
	expect_eq("MOV to AH", LOAD("movb (%1), %h0", "a"), 0x112233445566ff88ull);
	expect_eq("MOV r32 at an odd address", LOAD("movl 3(%1), %k0", "r"), 0xffffffff);
}

static void test_writes(void)
{
	volatile uint8_t *p = (volatile uint8_t *)UNBACKED;

	if (!under_tessera())
		return;
	p[0] = 0;
	*(volatile uint16_t *)(p + 2) = 0;
	*(volatile uint32_t *)(p + 4) = 0;
	*(volatile uint64_t *)(p + 8) = 0;
	__asm__ volatile("movb $0, (%0); movw $0, (%0); movl $0, (%0); movq $0, (%0)" ::"r"(p) : "memory");
	__asm__ volatile("movb %%ah, (%0)" ::"r"(p), "a"(0) : "memory");
	for (unsigned i = 0; i < 16; i++)
		expect_eq("a byte that was written", p[i], 0xff);
}

/* All addressing forms of one MOV: base, index and scale, displacement, REX registers, RIP-relative through the window. */
static void test_addressing(void)
{
	uint64_t v, base = UNBACKED;

	if (!under_tessera())
		return;
	__asm__ volatile("mov %1, %%r13; mov $4, %%r14d; movl 0x10(%%r13, %%r14, 8), %%r9d; mov %%r9, %0"
			 : "=r"(v)
			 : "r"(base)
			 : "r9", "r13", "r14", "memory");
	expect_eq("base, index, displacement", v, 0xffffffff);
	wrmsr(MSR_GS_BASE, base);
	__asm__ volatile("movl %%gs:0x20, %k0" : "=r"(v)::"memory");
	wrmsr(MSR_GS_BASE, 0);
	expect_eq("through GS", v, 0xffffffff);
	__asm__ volatile("addr32 movl (%k1), %k0" : "=r"(v) : "r"(base | 1ull << 40) : "memory");
	expect_eq("with a 32-bit address", v, 0xffffffff);
}

/* The guest's own page tables decide first. */
static void test_mapped(void)
{
	volatile uint32_t *p = window_map(30, UNBACKED & ~0xfffull, PTE_P | PTE_W | PTE_PCD);

	if (!under_tessera())
		return;
	expect_eq("through a 4 KiB page", *p, 0xffffffff);
	*p = 0;
	expect_eq("after writing", *p, 0xffffffff);
	write_cr0(read_cr0() | CR0_WP);
	p = window_map(30, UNBACKED & ~0xfffull, PTE_P);
	expect_error("writing a read-only mapping of it", TRY_IN("movl $0, (%0)", p), VEC_PF, 3);
}

static void test_registers(void)
{
	uint64_t flags;

	if (!under_tessera())
		return;
	__asm__ volatile("pushf; orl $0x8d5, (%%rsp); popf; movl (%1), %%eax; pushf; pop %0"
			 : "=r"(flags)
			 : "r"(UNBACKED)
			 : "rax", "cc", "memory");
	expect_eq("flags after a load", flags & 0x8d5, 0x8d5);
}

/* Forms beyond MOV; the vector registers are the CPU's own, so these prove that they reach the right one. */
static void test_forms(void)
{
	uint64_t v, flags, out[2] = { 0, 0 }, in[2] = { 0x0123456789abcdef, 0x1122334455667788 };

	if (!under_tessera())
		return;
	expect_eq("XCHG", LOAD("xchgq %0, (%1)", "r"), ~0ull);
	expect_eq("XADD", LOAD("lock xaddw %w0, (%1)", "r"), 0x112233445566ffffull);
	__asm__ volatile("lock btsl $3, (%1); pushf; pop %0" : "=r"(flags) : "r"(UNBACKED) : "cc", "memory");
	expect_eq("CF after BTS", flags & 1, 1);
	__asm__ volatile("movq $-1, %%rax; lock cmpxchgq %2, (%1); pushf; pop %0"
			 : "=r"(flags)
			 : "r"(UNBACKED), "r"(0ull)
			 : "rax", "cc", "memory");
	expect_eq("ZF after CMPXCHG", flags >> 6 & 1, 1);
	{
		uint64_t at = UNBACKED;

		v = 20;
		__asm__ volatile("cld; repe scasb" : "+D"(at), "+c"(v) : "a"(0xff) : "cc", "memory");
	}
	expect_eq("REPE SCASB", v, 0);
	__asm__ volatile("pushq (%1); pop %0" : "=r"(v) : "r"(UNBACKED) : "memory");
	expect_eq("PUSH", v, ~0ull);
	write_cr4(read_cr4() | CR4_OSFXSR);
	__asm__ volatile("movdqu (%0), %%xmm5; movdqu (%1), %%xmm11; movdqu %%xmm11, (%2)" ::"r"(in), "r"(UNBACKED), "r"(out)
			 : "memory");
	expect_eq("MOVDQU, low half", out[0], ~0ull);
	expect_eq("MOVDQU, high half", out[1], ~0ull);
	__asm__ volatile("movntdq %%xmm5, (%0); movups %%xmm5, 1(%0); movdqu %%xmm5, (%1)" ::"r"(UNBACKED & ~0xfull), "r"(out)
			 : "memory");
	expect_eq("a stored register, low half", out[0], in[0]);
	expect_eq("a stored register, high half", out[1], in[1]);
}

/* pc-testdev's memory: a device that keeps what is written, so read-modify-write shows its result. */
static void test_device_memory(void)
{
	volatile uint64_t *p = (volatile uint64_t *)0xff000100ull;
	uint64_t v, from, to, count = 13;

	if (!under_tessera())
		return;
	*p = 0x1122334455667788;
	p[1] = 0;
	__asm__ volatile("lock addq $0x11, (%0); xorl $-1, 4(%0); lock btsq $60, (%0); incw 8(%0); setz 9(%0)" ::"r"(p)
			 : "memory", "cc");
	expect_eq("ADD, XOR, BTS", *p, 0xfeddccbb55667799);
	expect_eq("INC, SETZ", p[1], 1);
	from = (uint64_t)p;
	to = from + 64;
	__asm__ volatile("cld; rep movsb" : "+S"(from), "+D"(to), "+c"(count)::"memory");
	expect_eq("REP MOVSB", p[8], *p);
	__asm__ volatile("xchgb %%al, (%1); movzbl %%al, %k0" : "=a"(v) : "r"(p), "0"(0x5aull) : "memory");
	expect_eq("XCHG", v, 0x99);
	expect_eq("its byte", *p & 0xff, 0x5a);
	outl(0xe0, 0xcafe1234);
	expect_eq("the latch", inl(0xe0), 0xcafe1234);
}

const struct test mmio_tests[] = {
	{ "mmio-reads", test_reads },		{ "mmio-writes", test_writes },
	{ "mmio-addressing", test_addressing }, { "mmio-mapped", test_mapped },
	{ "mmio-registers", test_registers },	{ "mmio-forms", test_forms },
	{ "mmio-device", test_device_memory },	{ 0 },
};
