#include "guest-tests/pagewalk/world.h"

#include "guest-tests/lib/boot.h"
#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/print.h"
#include "guest-tests/lib/string.h"
#include "guest-tests/lib/trap.h"
#include "guest-tests/lib/window.h"

#define PAGE __attribute__((aligned(4096)))
#define TSS32_SELECTOR 0x48
#define USED (PTE_P | PTE_W | PTE_A)

extern const struct table_pointer gdt_pointer;
extern uint64_t script_op, script_end, script_result, world_fatal_ip, world_fatal_cr2, world_fatal_error;
extern uint32_t world_fatal;
extern uint8_t world_trap_stack_top[];
extern uint8_t world_stubs_64[], world_stubs_32[], world_return_64[], world_return_32[];
void world_enter(const struct world *w);

struct op ops[OPS_MAX];
struct result results[OPS_MAX];

/* An IDT gate outside of long mode (Intel SDM vol. 3, 6.11). */
struct __attribute__((packed)) gate32 {
	uint16_t offset0, selector;
	uint8_t zero, type;
	uint16_t offset1;
};
_Static_assert(sizeof(struct gate32) == 8, "SDM vol. 3, 6.11");

/* The 32-bit TSS (Intel SDM vol. 3, 7.2.1), of which only the stack for CPL 0 and the I/O map's offset count here. */
struct __attribute__((packed)) tss32 {
	uint32_t link, esp0, ss0, rest[22];
	uint16_t trap, io_map;
};
_Static_assert(sizeof(struct tss32) == 104, "SDM vol. 3, 7.2.1");

static struct gate idt64[256] PAGE;
static struct gate32 idt32[256] PAGE;
static uint64_t world_gdt[16] __attribute__((aligned(16)));
static struct tss world_tss64 __attribute__((aligned(16)));
static struct tss32 world_tss32 __attribute__((aligned(16)));
static uint8_t user_stack[4096] PAGE;

static uint32_t home_pt32[1024] PAGE, user_pt32[1024] PAGE, pool_pt32[1024] PAGE;
static uint64_t home_pt[2][512] PAGE, user_pt[512] PAGE, home_pd[512] PAGE, home_pdpt[512] PAGE;

struct table_pointer world_gdt_pointer = { sizeof(world_gdt) - 1, (uint64_t)world_gdt };
struct table_pointer world_idt_64_pointer = { sizeof(idt64) - 1, (uint64_t)idt64 };
struct table_pointer world_idt_32_pointer = { sizeof(idt32) - 1, (uint64_t)idt32 };

static void set_gates(unsigned vector, uint64_t at64, uint64_t at32, uint8_t type)
{
	idt64[vector] = (struct gate){
		.offset0 = (uint16_t)at64,
		.offset1 = (uint16_t)(at64 >> 16),
		.offset2 = (uint32_t)(at64 >> 32),
		.selector = KERNEL_CS,
		.type = type,
	};
	idt32[vector] = (struct gate32){
		.offset0 = (uint16_t)at32,
		.offset1 = (uint16_t)(at32 >> 16),
		.selector = KERNEL_CS32,
		.type = type,
	};
}

static void init_descriptors(void)
{
	uint64_t base = (uint64_t)&world_tss64, base32 = (uint64_t)&world_tss32;

	for (unsigned v = 0; v < 32; v++)
		set_gates(v, (uint64_t)world_stubs_64 + v * 16, (uint64_t)world_stubs_32 + v * 16, 0x8e);
	set_gates(VEC_USER, (uint64_t)world_return_64, (uint64_t)world_return_32, 0xee);
	set_gates(0x80, (uint64_t)world_return_64, (uint64_t)world_return_32, 0xee);
	memcpy(world_gdt, gdt, 7 * sizeof(gdt[0]));
	world_gdt[TSS_SELECTOR / 8] = (sizeof(world_tss64) - 1) | (base & 0xffffff) << 16 | 0x89ull << 40 | (base >> 24) << 56;
	world_gdt[TSS32_SELECTOR / 8] =
		(sizeof(world_tss32) - 1) | (base32 & 0xffffff) << 16 | 0x89ull << 40 | (base32 >> 24) << 56;
	world_tss64.rsp[0] = (uint64_t)world_trap_stack_top;
	world_tss64.io_map = sizeof(world_tss64);
	world_tss32.esp0 = (uint32_t)(uint64_t)world_trap_stack_top;
	world_tss32.ss0 = KERNEL_DS;
	world_tss32.io_map = sizeof(world_tss32);
	*(uint64_t *)(user_stack + (USER_STACK_TOP - USER_STACK)) = USER_CODE; /* where routines return to: user_return */
}

static void init_home(void)
{
	const uint64_t leaf = USED | PTE_D;

	for (uint32_t i = 0; i < 1024; i++) {
		home_pt32[i] = i << 12 | (uint32_t)leaf;
		pool_pt32[i] = (POOL + (i << 12)) | (uint32_t)leaf;
		home_pt[i / 512][i % 512] = home_pt32[i];
	}
	user_pt32[0] = (uint32_t)((uint64_t)routines | PTE_P | PTE_U | PTE_A);
	user_pt32[1] = (uint32_t)((uint64_t)user_stack | leaf | PTE_U);
	user_pt[0] = user_pt32[0];
	user_pt[1] = user_pt32[1];
	home_pd[0] = (uint64_t)home_pt[0] | USED;
	home_pd[1] = (uint64_t)home_pt[1] | USED;
	home_pd[USER_CODE >> 21] = (uint64_t)user_pt | USED | PTE_U;
	home_pd[POOL >> 21] = POOL | leaf | PTE_PS;
	home_pd[(POOL >> 21) + 1] = (POOL + 0x200000) | leaf | PTE_PS;
	home_pdpt[0] = (uint64_t)home_pd | USED | PTE_U;
}

void home_legacy(uint32_t *root, bool pse)
{
	root[0] = (uint32_t)((uint64_t)home_pt32 | USED);
	root[USER_CODE >> 22] = (uint32_t)((uint64_t)user_pt32 | USED | PTE_U);
	root[POOL >> 22] = pse ? (uint32_t)(POOL | USED | PTE_D | PTE_PS) : (uint32_t)((uint64_t)pool_pt32 | USED);
}

void home_pae(uint64_t *root)
{
	root[0] = (uint64_t)home_pd | PTE_P;
}

void home_long(uint64_t *root)
{
	root[0] = (uint64_t)home_pdpt | USED | PTE_U;
}

static bool pool_is_ram(void)
{
	for (unsigned i = 0; i < boot.module_count; i++)
		if (boot.module[i].start < POOL + POOL_SIZE && boot.module[i].end > POOL)
			return false;
	for (unsigned i = 0; i < boot.range_count; i++)
		if (boot.range[i].type == 1 && boot.range[i].base <= POOL &&
		    boot.range[i].base + boot.range[i].len >= POOL + POOL_SIZE)
			return true;
	return false;
}

const char *world_init(void)
{
	if ((uint64_t)image_end > HOME_END)
		return "the program reaches beyond 4 MiB";
	if (!pool_is_ram())
		return "no free RAM from 16 to 20 MiB";
	init_descriptors();
	init_home();
	return NULL;
}

/* The TSS descriptors are busy after a use. */
static void tss_free(uint64_t *table, unsigned selector)
{
	table[selector / 8] &= ~(2ull << 40);
}

const char *world_run(const struct world *w, unsigned n)
{
	static char why[120];
	struct table_pointer saved_idt;

	memset(results, 0, n * sizeof(results[0]));
	script_op = (uint64_t)ops;
	script_end = (uint64_t)(ops + n);
	script_result = (uint64_t)results;
	world_fatal = 0;
	tss_free(world_gdt, TSS_SELECTOR);
	tss_free(world_gdt, TSS32_SELECTOR);
	sidt(&saved_idt);
	world_enter(w);
	tss_free(gdt, TSS_SELECTOR);
	lgdt(&gdt_pointer);
	lidt(&saved_idt);
	__asm__ volatile("ltr %w0; lldt %w1" ::"r"(TSS_SELECTOR), "r"(0));
	__asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%ss; mov %1, %%gs" ::"r"(KERNEL_DS), "r"(0) : "memory");
	if (!world_fatal)
		return NULL;
	print_to(why, sizeof(why), "trap %u, error 0x%lx, at 0x%lx, cr2 0x%lx, outside of op %lu", world_fatal - 1,
		 world_fatal_error, world_fatal_ip, world_fatal_cr2, (script_op - (uint64_t)ops) / sizeof(struct op));
	return why;
}

const void *world_idt(bool long_mode)
{
	return long_mode ? (const void *)idt64 : idt32;
}

uint64_t *world_ldt_descriptor(void)
{
	return &world_gdt[LDT_SELECTOR / 8];
}
