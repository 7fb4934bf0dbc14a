#include "guest-tests/lib/trap.h"

#include "guest-tests/lib/print.h"

/* A GUARDed instruction; the linker script gathers these. */
struct guard {
	uint64_t start, end;
};
extern const struct guard guards_start[], guards_end[];
extern uint64_t trap_stack;
extern const struct table_pointer gdt_pointer;
void trap_unwind(void);
void user_return(void);
_Noreturn void user_enter(uint64_t rip, uint64_t rsp, uint64_t arg, uint64_t cs);
void trap_dispatch(struct trap_frame *f);

struct trap trap_last;
struct tss tss __attribute__((aligned(16)));
struct gate idt[256] __attribute__((aligned(16)));
static bool (*handlers[256])(struct trap_frame *f);
static uint8_t double_fault_stack[4096] __attribute__((aligned(16)));
static uint8_t user_stack[8192] __attribute__((aligned(16)));
static uint8_t ring0_stack[8192] __attribute__((aligned(16)));

#define GATE_INTERRUPT 0x8e
#define GATE_DPL3 0x60
#define TSS_AVAILABLE 0x89ull

static void gate_set(unsigned vector, uint8_t type, uint8_t ist)
{
	uint64_t at = (uint64_t)trap_stubs + vector * 16u;

	idt[vector] = (struct gate){
		.offset0 = (uint16_t)at,
		.offset1 = (uint16_t)(at >> 16),
		.offset2 = (uint32_t)(at >> 32),
		.selector = KERNEL_CS,
		.type = type,
		.ist = ist,
	};
}

void trap_reset(void)
{
	const struct table_pointer p = { .limit = sizeof(idt) - 1, .base = (uint64_t)idt };
	uint64_t base = (uint64_t)&tss;

	for (unsigned v = 0; v < 256; v++) {
		gate_set(v, GATE_INTERRUPT | (v == VEC_BP || v == VEC_OF || v == VEC_USER ? GATE_DPL3 : 0), v == VEC_DF);
		handlers[v] = NULL;
	}
	tss = (struct tss){
		.rsp = { (uint64_t)ring0_stack + sizeof(ring0_stack) },
		.ist = { (uint64_t)double_fault_stack + sizeof(double_fault_stack) },
		.io_map = sizeof(tss),
	};
	gdt[TSS_SELECTOR / 8] = (sizeof(tss) - 1) | (base & 0xffffff) << 16 | TSS_AVAILABLE << 40 | (base >> 24 & 0xff) << 56;
	gdt[TSS_SELECTOR / 8 + 1] = base >> 32;
	lgdt(&gdt_pointer);
	lidt(&p);
	__asm__ volatile("ltr %w0; lldt %w1" ::"r"(TSS_SELECTOR), "r"(0));
	__asm__ volatile("mov %0, %%ds; mov %0, %%es; mov %0, %%ss" ::"r"(KERNEL_DS) : "memory");
}

void trap_init(void)
{
	trap_reset();
}

void trap_handler(unsigned vector, bool (*handler)(struct trap_frame *f))
{
	handlers[vector & 255] = handler;
}

/* Where a trap at rip goes on: faults point into the guarded instruction, traps behind it. */
static uint64_t guard_end(uint64_t rip)
{
	/* cppcheck-suppress comparePointers; the linker script sets both around one section */
	for (const struct guard *g = guards_start; g < guards_end; g++)
		if (rip >= g->start && rip < g->end)
			return g->end;
	/* cppcheck-suppress comparePointers; the linker script sets both around one section */
	for (const struct guard *g = guards_start; g < guards_end; g++)
		if (rip == g->end)
			return g->end;
	return 0;
}

void trap_dispatch(struct trap_frame *f)
{
	uint64_t cr2 = read_cr2(), dr6 = read_dr6(), end;

	if (handlers[f->vector & 255] && handlers[f->vector & 255](f))
		return;
	trap_last = (struct trap){ .vector = (int)f->vector, .error = f->error, .cr2 = cr2, .dr6 = dr6, .frame = *f };
	end = guard_end(f->rip);
	if (end) {
		f->rip = end;
		f->rflags &= ~(uint64_t)RFLAGS_TF;
		return;
	}
	if (trap_stack) {
		f->rip = (uint64_t)trap_unwind;
		f->rsp = trap_stack;
		f->cs = KERNEL_CS;
		f->ss = KERNEL_DS;
		f->rflags = RFLAGS_FIXED;
		return;
	}
	print("FAIL guest: trap %u error 0x%lx at 0x%lx, cr2 0x%lx\n", (unsigned)f->vector, f->error, f->rip, cr2);
	guest_exit(2);
}

struct user_call {
	uint64_t (*fn)(uint64_t arg);
	uint64_t arg;
};

static void user_call(void *p)
{
	const struct user_call *c = p;
	uint64_t *stack = (uint64_t *)(user_stack + sizeof(user_stack) - 16);

	*--stack = user_address((void *)user_return);
	user_enter(user_address((void *)c->fn), user_address(stack), c->arg, USER_CS);
}

bool user_run(uint64_t (*fn)(uint64_t arg), uint64_t arg, uint64_t *result)
{
	struct user_call c = { fn, arg };

	trap_run(user_call, &c);
	if (trap_last.vector != VEC_USER)
		return true;
	if (result)
		*result = trap_last.frame.rax;
	trap_last.vector = TRAP_NONE;
	return false;
}

int try_rdmsr(uint32_t msr, uint64_t *value)
{
	uint32_t lo = 0, hi = 0;

	trap_begin();
	__asm__ volatile(GUARD("rdmsr") : "+a"(lo), "+d"(hi) : "c"(msr) : "memory");
	if (value)
		*value = (uint64_t)hi << 32 | lo;
	return trap_end();
}

int try_wrmsr(uint32_t msr, uint64_t value)
{
	trap_begin();
	__asm__ volatile(GUARD("wrmsr")::"c"(msr), "a"((uint32_t)value), "d"((uint32_t)(value >> 32)) : "memory");
	return trap_end();
}
