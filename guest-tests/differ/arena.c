/* The memory of random programs, and the CPU's state around them. */
#include "guest-tests/differ/differ.h"

#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/window.h"

#define FRAMES ARENA_PAGES
#define WORDS (FRAMES * PAGE / 8)
#define RW (PTE_P | PTE_W)
#define DR6_INIT 0xffff0ff0ull
#define DR7_INIT 0x400ull
#define PAT_INIT 0x0007040600070406ull

static uint64_t frames[WORDS] __attribute__((aligned(4096)));
static uint8_t trap_stack_memory[8192] __attribute__((aligned(16)));
static uint64_t cr0, cr4, efer;

/* MSRs that programs write; none has a say in what this kernel does. */
static const uint32_t msrs[] = { MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP, MSR_STAR,	   MSR_LSTAR,
				 MSR_CSTAR,	  MSR_FMASK,	    MSR_FS_BASE,      MSR_GS_BASE, MSR_KERNEL_GS_BASE };

uint64_t arena_address(enum arena_page page)
{
	return WINDOW_BASE + page * (uint64_t)PAGE;
}

uint8_t *arena_code(void)
{
	return (uint8_t *)frames;
}

static uint64_t frame(enum arena_page page)
{
	return (uint64_t)frames + page * (uint64_t)PAGE;
}

void arena_make(void)
{
	window_map(CODE, frame(CODE), RW);
	write_cr4(read_cr4() | CR4_OSFXSR | CR4_OSXMMEXCPT);
	cr0 = (read_cr0() | CR0_NE) & ~(uint64_t)(CR0_TS | CR0_EM);
	cr4 = read_cr4();
	efer = rdmsr(MSR_EFER);
	if (cpuid(0x80000001, 0).edx &
	    1u << 20) /* bit 63 of an entry is never reserved then: QEMU's translator leaves P out of such faults */
		wrmsr(MSR_EFER, efer |= EFER_NXE);
}

static void map(enum arena_page page, uint64_t to, uint64_t flags)
{
	window_table[page] = flags ? to | flags : 0;
}

static void map_all(bool user)
{
	uint64_t u = user ? PTE_U : 0, nx = efer & EFER_NXE ? PTE_NX : 0;

	for (unsigned i = 0; i < WINDOW_PAGES; i++)
		window_table[i] = 0;
	map(CODE, frame(CODE), PTE_P | u);
	map(PLAIN, frame(PLAIN), RW | u);
	map(PLAIN + 1, frame(PLAIN + 1), RW | u);
	map(READ_ONLY, frame(READ_ONLY), PTE_P | u);
	map(NO_EXECUTE, frame(NO_EXECUTE), RW | u | nx);
	map(ABSENT, frame(ABSENT), PTE_W | u);
	map(ALIAS, frame(PLAIN), RW | u);
	map(SYSTEM, frame(SYSTEM), RW);
	map(STACK, frame(STACK), RW | u);
	map(TABLE, (uint64_t)window_table, RW);
	write_cr3(read_cr3());
}

void arena_reset(bool user)
{
	write_cr0(cr0);
	write_cr4(cr4);
	write_cr8(0);
	if (rdmsr(MSR_EFER) != efer)
		wrmsr(MSR_EFER, efer);
	for (unsigned i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++)
		wrmsr(msrs[i], 0);
	wrmsr(MSR_PAT, PAT_INIT);
	write_dr7(DR7_INIT);
	write_dr6(DR6_INIT);
	write_dr0(0);
	write_dr1(0);
	write_dr2(0);
	write_dr3(0);
	write_cr2(0);
	/* Not trap_reset: no program gets at the tables, but the handlers' stack must not be the program's. */
	tss.ist[1] = (uint64_t)trap_stack_memory + sizeof(trap_stack_memory);
	for (unsigned v = 0; v < 256; v++)
		idt[v].ist = v == VEC_DF ? 1 : 2;
	__asm__ volatile("fninit; pxor %xmm0, %xmm0; pxor %xmm1, %xmm1; pxor %xmm2, %xmm2; pxor %xmm3, %xmm3");
	for (unsigned i = 0; i < WORDS; i++)
		frames[i] = i * 0x9e3779b97f4a7c15ull;
	map_all(user);
}

static uint64_t mix(uint64_t digest, uint64_t value)
{
	digest = (digest ^ value) * 0xff51afd7ed558ccdull;
	return digest ^ digest >> 32;
}

uint64_t arena_page_digest(enum arena_page page)
{
	const volatile uint64_t *words = page == TABLE ? window_table : frames + page * PAGE / 8;
	uint64_t digest = 0;

	for (unsigned i = 0; i < PAGE / 8; i++)
		digest = mix(digest, words[i]);
	return digest;
}

unsigned arena_registers(uint64_t out[ARENA_REGISTERS])
{
	unsigned n = 0;

	out[n++] = read_cr0();
	out[n++] = read_cr4();
	out[n++] = read_cr8();
	out[n++] = read_dr0();
	out[n++] = read_dr1();
	out[n++] = read_dr2();
	out[n++] = read_dr3();
	out[n++] = read_dr7();
	out[n++] = rdmsr(MSR_PAT);
	for (unsigned i = 0; i < sizeof(msrs) / sizeof(msrs[0]); i++)
		out[n++] = rdmsr(msrs[i]);
	return n;
}

uint64_t arena_digest(void)
{
	uint64_t digest = 0, registers[ARENA_REGISTERS];
	unsigned n = arena_registers(registers);

	for (enum arena_page page = PLAIN; page < ARENA_PAGES; page++)
		digest = mix(digest, arena_page_digest(page));
	for (unsigned i = 0; i < n; i++)
		digest = mix(digest, registers[i]);
	return digest;
}
