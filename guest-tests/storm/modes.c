/* Random code in every mode that a CPU has: 64-bit at CPL 0 and 3, compatibility, and by way of legacy.asm all the others. */
#include "guest-tests/storm/storm.h"

#include "guest-tests/lib/enter.h"
#include "guest-tests/lib/hyper.h"
#include "guest-tests/lib/paging.h"
#include "guest-tests/lib/string.h"
#include "guest-tests/lib/window.h"

#define CODE_BYTES 400
#define WATCH_US 4000
#define LOW_CODE (LOW_PAGE + 0x800)
#define LOW_STACK 0x7f00
#define GATE32 0xee /* present, DPL 3, 32-bit interrupt gate */
#define DS16 0x50
#define CS16 0x48
#define TSS32 0x70
#define USER_CS16 (FREE_SELECTOR | 3)
#define USER_DS16 ((FREE_SELECTOR + 8) | 3)
#define RFLAGS_VM (1u << 17)
#define RFLAGS_IOPL3 (3u << 12)

static uint8_t code[4 * PAGE] __attribute__((aligned(4096)));
static uint8_t scratch[2 * PAGE] __attribute__((aligned(4096)));

void modes_init(void)
{
	uint64_t *first = (uint64_t *)(pml4[0] & ~(uint64_t)(PAGE - 1));

	for (unsigned i = 0; i < 4; i++)
		first[i] |= PTE_U;
}

/* ---- 64-bit and compatibility mode */

static void random_start(struct start *s, uint64_t rip, uint64_t cs, uint64_t ss)
{
	uint64_t *general = &s->rax;

	for (unsigned i = 0; i < 15; i++)
		general[i] = once_in(3) ? an_address() : once_in(2) ? (uint64_t)scratch + below(sizeof(scratch)) : a_value();
	if (once_in(2))
		s->rcx = below(200);
	s->rip = rip;
	s->cs = cs;
	s->ss = ss;
	s->rsp = once_in(8) ? an_address() : (uint64_t)scratch + sizeof(scratch) - 256;
	s->rflags = RFLAGS_FIXED | (once_in(2) ? RFLAGS_IF : 0) | (once_in(16) ? RFLAGS_TF : 0) | (once_in(8) ? RFLAGS_AC : 0) |
		    (once_in(8) ? RFLAGS_IOPL3 : 0) | (once_in(6) ? RFLAGS_DF : 0);
}

static void run(const struct start *s)
{
	if (s->cs & 3) { /* CPL 3 reaches what CPL 0 does, at the same addresses, until mend() */
		pml4[0] |= PTE_U;
		write_cr3((uint64_t)pml4);
	}
	watch_start(WATCH_US);
	__asm__ volatile("mov %0, %%ds; mov %0, %%es" ::"r"((s->cs & 3) ? USER_DS : KERNEL_DS));
	program_enter(s);
}

static void run_code(uint64_t cs, uint64_t ss, bool wide_mode)
{
	struct start s;

	bytes_make(code, CODE_BYTES, wide_mode);
	random_start(&s, (uint64_t)code, cs, ss);
	run(&s);
}

void attack_long(void)
{
	run_code(KERNEL_CS, KERNEL_DS, true);
}

void attack_user(void)
{
	run_code(USER_CS, USER_DS, true);
}

void attack_compatible(void)
{
	if (once_in(2))
		run_code(USER_CS32, USER_DS, false);
	else
		run_code(KERNEL_CS32, KERNEL_DS, false);
}

/* Code over the edge of a page, to what is absent, a device, or itself seen twice; code that is written while it runs. */
void attack_crossing(void)
{
	uint64_t next = once_in(3) ? 0 : once_in(2) ? an_address() & 0xfffff000 : (uint64_t)code;
	struct start s;
	uint8_t *at;

	window_map(0, (uint64_t)code, PTE_P | PTE_W | PTE_U);
	window_map(1, next, next ? PTE_P | PTE_W | PTE_U | (once_in(4) ? PTE_NX : 0) : 0);
	at = (uint8_t *)(WINDOW_BASE + PAGE) - 1 - below(40);
	bytes_make(code, PAGE, true);
	random_start(&s, (uint64_t)at, once_in(2) ? KERNEL_CS : USER_CS, KERNEL_DS);
	if (s.cs == USER_CS)
		s.ss = USER_DS;
	switch (below(4)) {
	case 0: /* the code itself is what string instructions move */
		s.rdi = WINDOW_BASE + PAGE - below(64);
		s.rsi = once_in(2) ? an_address() : s.rdi - below(32);
		s.rcx = below(64);
		at[0] = 0xf3;
		at[1] = once_in(2) ? 0xa4 : 0xaa;
		break;
	case 1: /* executing what is not memory */ s.rip = an_address(); break;
	case 2: /* an access over the edge */ s.rdi = s.rsi = WINDOW_BASE + PAGE - 1 - below(15); break;
	default: break;
	}
	run(&s);
}

/* ---- everything else */

struct legacy {
	uint32_t cr0, cr3, cr4, efer, real, gpr[7], eip, cs, eflags, esp, ss, ds;
};
extern uint8_t legacy_stubs[], legacy_blob[], legacy_blob_end[], legacy_stack_top[];
extern const char legacy_real_trap[]; /* its value is an offset */
uint32_t legacy_run(void);
extern struct legacy legacy;
extern uint64_t legacy_idt[256];

struct legacy legacy;
uint64_t legacy_idt[256] __attribute__((aligned(16)));
static uint32_t tss32[26 + 2048 / 4 + 1];
static uint32_t directory[1024] __attribute__((aligned(4096)));
static uint64_t pae_pointers[4] __attribute__((aligned(32))), pae_directory[4][512] __attribute__((aligned(4096)));

static void make_tables(void)
{
	uint64_t base = (uint64_t)tss32;

	for (unsigned v = 0; v < 256; v++) {
		uint64_t at = (uint64_t)legacy_stubs + 16 * v;

		legacy_idt[v] = (at & 0xffff) | KERNEL_CS32 << 16 | (uint64_t)GATE32 << 40 | (at >> 16 & 0xffff) << 48;
	}
	memset(tss32, 0, sizeof(tss32));
	tss32[1] = (uint32_t)(uint64_t)legacy_stack_top;
	tss32[2] = KERNEL_DS;
	tss32[25] = (once_in(2) ? sizeof(tss32) : 104) << 16; /* no map of ports, or one that lets all through */
	gdt[FREE_SELECTOR / 8] = 0x0000fb000000ffff;
	gdt[FREE_SELECTOR / 8 + 1] = 0x0000f3000000ffff;
	gdt[TSS32 / 8] = (sizeof(tss32) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24 & 0xff) << 56;
	gdt[TSS32 / 8 + 1] = 0;
	lgdt(&(const struct table_pointer){ .limit = 127, .base = (uint64_t)gdt });
}

/* Identity, by large pages; what lies above the image may be noise. */
static void make_paging(bool pae)
{
	bool noise = once_in(3);

	for (uint32_t i = 0; i < 1024; i++)
		directory[i] = noise && i >= 16 && once_in(3) ? (uint32_t)wide() : i << 22 | 0x87;
	for (uint32_t i = 0; i < 4; i++) {
		pae_pointers[i] = (uint64_t)pae_directory[i] | PTE_P | (noise && i && once_in(4) ? wide() : 0);
		for (uint64_t n = 0; n < 512; n++)
			pae_directory[i][n] = noise && (i || n >= 32) && once_in(3) ? wide() & ~0xffff000000000000ull
										    : (uint64_t)i << 30 | n << 21 | 0x87;
	}
	legacy.cr3 = (uint32_t)(pae ? (uint64_t)pae_pointers : (uint64_t)directory);
}

static void legacy_registers(void)
{
	for (unsigned i = 0; i < 7; i++)
		legacy.gpr[i] = (uint32_t)(once_in(2) ? an_address() : a_value());
	legacy.eflags =
		RFLAGS_FIXED | (once_in(2) ? RFLAGS_IF : 0) | (once_in(16) ? RFLAGS_TF : 0) | (once_in(4) ? RFLAGS_IOPL3 : 0);
}

static void go(void)
{
	watch_start(WATCH_US);
	legacy_run();
}

static void low_code(void)
{
	bytes_make((uint8_t *)(uint64_t)LOW_CODE, CODE_BYTES, false);
}

void attack_legacy(void)
{
	unsigned paging = below(3), kind = below(5);

	if (kind == 4 && boot_option("no-v86")) /* Bochs 2.7 stops at a VMRUN into virtual-8086 mode */
		kind = below(4);
	legacy = (struct legacy){ .cr4 = 0x10 | (paging == 2 ? CR4_PAE : 0),
				  .cr0 = CR0_PE | CR0_ET | CR0_NE | (paging ? CR0_PG : 0) };
	make_tables();
	make_paging(paging == 2);
	legacy_registers();
	legacy.efer = once_in(2) ? EFER_NXE : 0;
	switch (kind) {
	case 0:
	case 1: /* 32 bits, CPL 0 and 3 */
		bytes_make(code, CODE_BYTES, false);
		legacy.eip = (uint32_t)(uint64_t)code;
		legacy.cs = kind ? USER_CS32 : KERNEL_CS32;
		legacy.ss = legacy.ds = kind ? USER_DS : KERNEL_DS;
		legacy.esp = (uint32_t)(uint64_t)scratch + sizeof(scratch) - 256;
		break;
	case 2:
	case 3: /* 16 bits */
		low_code();
		legacy.eip = LOW_CODE;
		legacy.cs = kind == 2 ? CS16 : USER_CS16;
		legacy.ss = legacy.ds = kind == 2 ? DS16 : USER_DS16;
		legacy.esp = LOW_STACK;
		break;
	default: /* virtual-8086 */
		low_code();
		legacy.eip = once_in(8) ? below(0x10000) : LOW_CODE & 15;
		legacy.cs = LOW_CODE >> 4;
		legacy.ss = 0;
		legacy.ds = below(0x10000);
		legacy.esp = LOW_STACK;
		legacy.eflags |= RFLAGS_VM;
		break;
	}
	go();
}

void attack_real(void)
{
	uint8_t *low = (uint8_t *)(uint64_t)LOW_PAGE;
	volatile uint32_t *vectors = (volatile uint32_t *)0;

	if (!hyper_real_mode()) {
		attack_legacy();
		return;
	}
	legacy = (struct legacy){ .real = 1 };
	make_tables();
	__asm__ volatile("" : "+r"(vectors));
	for (unsigned i = 0; i < 256; i++)
		vectors[i] = (LOW_PAGE >> 4) << 16 | (uint32_t)(uint64_t)legacy_real_trap;
	/* cppcheck-suppress comparePointers; both labels are in legacy.asm's one section */
	memcpy(low, legacy_blob, (uint64_t)(legacy_blob_end - legacy_blob));
	low_code();
	go();
}
