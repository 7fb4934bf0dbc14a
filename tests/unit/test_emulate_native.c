/*
 * The emulator against this machine's CPU: each instruction runs natively on a scratch page and in the emulator on a device, with
 * the same random registers, flags and memory; all that the manual defines must come out the same.
 *
 * TESSERA_FUZZ_N     instructions (default 300,000)
 */
/* links: tests/unit/emulate_world.c vmm/emulate.c vmm/emulate_alu.c vmm/emulate_rmw.c vmm/emulate_string.c vmm/emulate_stack.c */
/* links: vmm/emulate_vector.c vmm/gva.c vmm/gva_memo.c vmm/mtrr.c vmm/guest_mem.c vmm/vcpu.c vmm/decode.c vmm/decode_ea.c vmm/decode_tables.c */
/* links: mm/walk.c mm/pt_format.c devices/bus.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "tests/unit/emulate_world.h"
#include "tests/unit/random.h"
#include "vmm/hw/x86.h"

#define ARITH (RFLAGS_CF | RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF | RFLAGS_OF)
#define WINDOW 2048u /* bytes in the middle of the device's two pages that operands may lie in; it crosses their border */
#define WINDOW_AT (4096u - WINDOW / 2)

/* ---- the native side */

struct native {
	uint64_t gpr[16], flags, code, own_rsp, back;
	uint8_t xmm[16][16];
};
struct native native __attribute__((used, visibility("hidden")));
void native_run(void);
void native_back(void);

/* Loads all of the state, jumps to the code, which jumps to native_back, and stores all of it. */
__asm__(".text\n.globl native_run, native_back\n"
	"native_run:\n"
	"push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15; pushfq\n"
	"lea native(%rip), %rax\n"
	"mov %rsp, 144(%rax)\n"
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n movups 160+16*\\n(%rax), %xmm\\n\n .endr\n"
	"push 128(%rax); popfq\n"
	"mov 8(%rax), %rcx; mov 16(%rax), %rdx; mov 24(%rax), %rbx; mov 40(%rax), %rbp; mov 48(%rax), %rsi; mov 56(%rax), %rdi\n"
	"mov 64(%rax), %r8; mov 72(%rax), %r9; mov 80(%rax), %r10; mov 88(%rax), %r11; mov 96(%rax), %r12; mov 104(%rax), %r13\n"
	"mov 112(%rax), %r14; mov 120(%rax), %r15; mov 32(%rax), %rsp; mov (%rax), %rax\n"
	"jmp *native+136(%rip)\n"
	"native_back:\n"
	"mov %rax, native(%rip); lea native(%rip), %rax; mov %rsp, 32(%rax); mov 144(%rax), %rsp\n"
	"pushfq; pop 128(%rax); cld\n"
	"mov %rcx, 8(%rax); mov %rdx, 16(%rax); mov %rbx, 24(%rax); mov %rbp, 40(%rax); mov %rsi, 48(%rax); mov %rdi, 56(%rax)\n"
	"mov %r8, 64(%rax); mov %r9, 72(%rax); mov %r10, 80(%rax); mov %r11, 88(%rax); mov %r12, 96(%rax); mov %r13, 104(%rax)\n"
	"mov %r14, 112(%rax); mov %r15, 120(%rax)\n"
	".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n movups %xmm\\n, 160+16*\\n(%rax)\n .endr\n"
	"popfq; pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx; ret\n");
_Static_assert(offsetof(struct native, flags) == 128 && offsetof(struct native, code) == 136 &&
		       offsetof(struct native, own_rsp) == 144 && offsetof(struct native, xmm) == 160,
	       "the assembly above");

static uint8_t *code, *memory; /* memory lies at WORLD_DEVICE, so that addresses are the same on both sides */

static int setup(void **state)
{
	(void)state;
	memory = mmap((void *)WORLD_DEVICE, WORLD_DEVICE_BYTES, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
	code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	return memory == MAP_FAILED || code == MAP_FAILED;
}

static void run_native(const uint8_t *bytes, unsigned len)
{
	static const uint8_t jump[] = { 0xff, 0x25, 0, 0, 0, 0 }; /* JMP [RIP]: the address follows */
	uint64_t back = (uint64_t)(uintptr_t)native_back;

	memcpy(code, bytes, len);
	memcpy(code + len, jump, sizeof(jump));
	memcpy(code + len + sizeof(jump), &back, 8);
	native.code = (uint64_t)(uintptr_t)code;
	native_run();
}

/* ---- what is tried */

enum {
	NO_W = 1,
	STRING = 2,
	BITS = 4,
	BYTE = 8,
	WIDE = 16,
	SHIFT = 32,
	VECTOR = 64,
	ALIGN = 128,
	STACK = 256,
	NO16 = 512,
	REX_W_ONLY = 1024
};

struct form {
	uint16_t op;  /* high byte: 0x0f, or 0x38 for 0f 38; prefix F2, F3, 66 in pfx */
	int8_t group; /* ModRM.reg, or -1: any register; -2: no ModRM */
	uint8_t imm;  /* bytes; 4: imm32 or imm16 by operand size */
	uint16_t what;
	uint64_t undefined; /* flags */
	uint8_t pfx;
};

#define LOGIC RFLAGS_AF
#define MULTIPLY (RFLAGS_PF | RFLAGS_AF | RFLAGS_ZF | RFLAGS_SF)
#define BIT_UNDEFINED (RFLAGS_PF | RFLAGS_AF | RFLAGS_SF | RFLAGS_OF)

#define ALU4(n, u)                                                                                                                 \
	{ n, -1, 0, BYTE, u, 0 }, { n + 1, -1, 0, 0, u, 0 }, { n + 2, -1, 0, BYTE, u, 0 },                                         \
	{                                                                                                                          \
		n + 3, -1, 0, 0, u, 0                                                                                              \
	}
#define GROUP1(g, u)                                                                                                               \
	{ 0x80, g, 1, BYTE, u, 0 }, { 0x81, g, 4, 0, u, 0 },                                                                       \
	{                                                                                                                          \
		0x83, g, 1, 0, u, 0                                                                                                \
	}
#define GROUP2(g)                                                                                                                  \
	{ 0xc0, g, 1, BYTE | SHIFT, 0, 0 }, { 0xc1, g, 1, SHIFT, 0, 0 }, { 0xd0, g, 0, BYTE | SHIFT, 0, 0 },                       \
		{ 0xd1, g, 0, SHIFT, 0, 0 }, { 0xd2, g, 0, BYTE | SHIFT, 0, 0 },                                                   \
	{                                                                                                                          \
		0xd3, g, 0, SHIFT, 0, 0                                                                                            \
	}
#define CC8(n)                                                                                                                     \
	{ n, -1, 0, 0, 0, 0 }, { n + 1, -1, 0, 0, 0, 0 }, { n + 2, -1, 0, 0, 0, 0 }, { n + 3, -1, 0, 0, 0, 0 },                    \
		{ n + 4, -1, 0, 0, 0, 0 }, { n + 5, -1, 0, 0, 0, 0 }, { n + 6, -1, 0, 0, 0, 0 },                                   \
	{                                                                                                                          \
		n + 7, -1, 0, 0, 0, 0                                                                                              \
	}

static const struct form forms[] = {
	ALU4(0x00, 0),
	ALU4(0x08, LOGIC),
	ALU4(0x10, 0),
	ALU4(0x18, 0),
	ALU4(0x20, LOGIC),
	ALU4(0x28, 0),
	ALU4(0x30, LOGIC),
	ALU4(0x38, 0),
	GROUP1(0, 0),
	GROUP1(1, LOGIC),
	GROUP1(2, 0),
	GROUP1(3, 0),
	GROUP1(4, LOGIC),
	GROUP1(5, 0),
	GROUP1(6, LOGIC),
	GROUP1(7, 0),
	{ 0x84, -1, 0, BYTE, LOGIC, 0 },
	{ 0x85, -1, 0, 0, LOGIC, 0 },
	{ 0x86, -1, 0, BYTE, 0, 0 },
	{ 0x87, -1, 0, 0, 0, 0 },
	{ 0x88, -1, 0, BYTE, 0, 0 },
	{ 0x89, -1, 0, 0, 0, 0 },
	{ 0x8a, -1, 0, BYTE, 0, 0 },
	{ 0x8b, -1, 0, 0, 0, 0 },
	{ 0x63, -1, 0, 0, 0, 0 },
	{ 0x69, -1, 4, 0, MULTIPLY, 0 },
	{ 0x6b, -1, 1, 0, MULTIPLY, 0 },
	GROUP2(0),
	GROUP2(1),
	GROUP2(2),
	GROUP2(3),
	GROUP2(4),
	GROUP2(5),
	GROUP2(7),
	{ 0xc6, 0, 1, BYTE, 0, 0 },
	{ 0xc7, 0, 4, 0, 0, 0 },
	{ 0xf6, 0, 1, BYTE, LOGIC, 0 },
	{ 0xf7, 0, 4, 0, LOGIC, 0 },
	{ 0xf6, 2, 0, BYTE, 0, 0 },
	{ 0xf7, 2, 0, 0, 0, 0 },
	{ 0xf6, 3, 0, BYTE, 0, 0 },
	{ 0xf7, 3, 0, 0, 0, 0 },
	{ 0xf6, 4, 0, BYTE, MULTIPLY, 0 },
	{ 0xf7, 4, 0, 0, MULTIPLY, 0 },
	{ 0xf6, 5, 0, BYTE, MULTIPLY, 0 },
	{ 0xf7, 5, 0, 0, MULTIPLY, 0 },
	{ 0xfe, 0, 0, BYTE, 0, 0 },
	{ 0xfe, 1, 0, BYTE, 0, 0 },
	{ 0xff, 0, 0, 0, 0, 0 },
	{ 0xff, 1, 0, 0, 0, 0 },
	{ 0xff, 6, 0, STACK, 0, 0 },
	{ 0x8f, 0, 0, STACK, 0, 0 },
	{ 0xa4, -2, 0, STRING | BYTE, 0, 0 },
	{ 0xa5, -2, 0, STRING, 0, 0 },
	{ 0xa6, -2, 0, STRING | BYTE, 0, 0 },
	{ 0xa7, -2, 0, STRING, 0, 0 },
	{ 0xaa, -2, 0, STRING | BYTE, 0, 0 },
	{ 0xab, -2, 0, STRING, 0, 0 },
	{ 0xac, -2, 0, STRING | BYTE, 0, 0 },
	{ 0xad, -2, 0, STRING, 0, 0 },
	{ 0xae, -2, 0, STRING | BYTE, 0, 0 },
	{ 0xaf, -2, 0, STRING, 0, 0 },
	CC8(0x0f40),
	CC8(0x0f48),
	CC8(0x0f90),
	CC8(0x0f98),
	{ 0x0fa3, -1, 0, BITS, BIT_UNDEFINED, 0 },
	{ 0x0fab, -1, 0, BITS, BIT_UNDEFINED, 0 },
	{ 0x0fb3, -1, 0, BITS, BIT_UNDEFINED, 0 },
	{ 0x0fbb, -1, 0, BITS, BIT_UNDEFINED, 0 },
	{ 0x0fba, 4, 1, 0, BIT_UNDEFINED, 0 },
	{ 0x0fba, 5, 1, 0, BIT_UNDEFINED, 0 },
	{ 0x0fba, 6, 1, 0, BIT_UNDEFINED, 0 },
	{ 0x0fba, 7, 1, 0, BIT_UNDEFINED, 0 },
	{ 0x0fa4, -1, 1, SHIFT, RFLAGS_AF | RFLAGS_OF, 0 },
	{ 0x0fa5, -1, 0, SHIFT, RFLAGS_AF | RFLAGS_OF, 0 },
	{ 0x0fac, -1, 1, SHIFT, RFLAGS_AF | RFLAGS_OF, 0 },
	{ 0x0fad, -1, 0, SHIFT, RFLAGS_AF | RFLAGS_OF, 0 },
	{ 0x0faf, -1, 0, 0, MULTIPLY, 0 },
	{ 0x0fb0, -1, 0, BYTE, 0, 0 },
	{ 0x0fb1, -1, 0, 0, 0, 0 },
	{ 0x0fb6, -1, 0, 0, 0, 0 },
	{ 0x0fb7, -1, 0, 0, 0, 0 },
	{ 0x0fbe, -1, 0, 0, 0, 0 },
	{ 0x0fbf, -1, 0, 0, 0, 0 },
	{ 0x0fc0, -1, 0, BYTE, 0, 0 },
	{ 0x0fc1, -1, 0, 0, 0, 0 },
	{ 0x0fc3, -1, 0, NO16, 0, 0 },
	{ 0x0fc7, 1, 0, WIDE | ALIGN | NO16, 0, 0 },
	{ 0x38f0, -1, 0, 0, 0, 0 },
	{ 0x38f1, -1, 0, 0, 0, 0 },
	{ 0x0f10, -1, 0, VECTOR, 0, 0 },
	{ 0x0f10, -1, 0, VECTOR, 0, 0x66 },
	{ 0x0f10, -1, 0, VECTOR, 0, 0xf3 },
	{ 0x0f10, -1, 0, VECTOR, 0, 0xf2 },
	{ 0x0f11, -1, 0, VECTOR, 0, 0 },
	{ 0x0f11, -1, 0, VECTOR, 0, 0x66 },
	{ 0x0f11, -1, 0, VECTOR, 0, 0xf3 },
	{ 0x0f11, -1, 0, VECTOR, 0, 0xf2 },
	{ 0x0f13, -1, 0, VECTOR, 0, 0 },
	{ 0x0f17, -1, 0, VECTOR, 0, 0x66 },
	{ 0x0f28, -1, 0, VECTOR | ALIGN, 0, 0 },
	{ 0x0f29, -1, 0, VECTOR | ALIGN, 0, 0x66 },
	{ 0x0f2b, -1, 0, VECTOR | ALIGN, 0, 0 },
	{ 0x0f6f, -1, 0, VECTOR | ALIGN, 0, 0x66 },
	{ 0x0f6f, -1, 0, VECTOR, 0, 0xf3 },
	{ 0x0f7f, -1, 0, VECTOR | ALIGN, 0, 0x66 },
	{ 0x0f7f, -1, 0, VECTOR, 0, 0xf3 },
	{ 0x0f7e, -1, 0, VECTOR, 0, 0xf3 },
	{ 0x0f7e, -1, 0, VECTOR, 0, 0x66 },
	{ 0x0f6e, -1, 0, VECTOR, 0, 0x66 },
	{ 0x0fd6, -1, 0, VECTOR, 0, 0x66 },
	{ 0x0fe7, -1, 0, VECTOR | ALIGN, 0, 0x66 },
	{ 0x382a, -1, 0, VECTOR | ALIGN, 0, 0x66 },
};

struct trial {
	const struct form *f;
	uint8_t bytes[INSN_MAX];
	unsigned len;
	unsigned opsize, imm_at;
	uint64_t seed;
};

static bool has_movbe(void)
{
	unsigned a, b, c, d;

	__asm__("cpuid" : "=a"(a), "=b"(b), "=c"(c), "=d"(d) : "a"(1), "c"(0));
	return c >> 22 & 1;
}

static uint64_t random64(struct rng *rng)
{
	return (uint64_t)rng_next(rng) << 32 | rng_next(rng);
}

static uint64_t interesting(struct rng *rng)
{
	static const uint64_t some[] = { 0,	 1,	     0x7f,	 0x80,	0xff,	    0x7fff,
					 0x8000, 0x7fffffff, 0x80000000, ~0ull, 1ull << 63, ~0ull >> 1 };
	uint64_t r = random64(rng);

	return r % 3 > 0 ? random64(rng) : some[(r >> 8) % (sizeof(some) / 8)];
}

/* ModRM, SIB and displacement for an operand at target; sets the base and index registers so. */
static void put_operand(struct trial *t, struct rng *rng, uint8_t reg, uint64_t target, uint8_t *rex)
{
	uint64_t r = random64(rng);
	unsigned mod = r % 3, base = r >> 8 & 15, index = r >> 16 & 15, scale = r >> 24 & 3;
	bool sib = (base & 7) == 4 || (r >> 32 & 1);
	int32_t disp = mod == 0 ? 0 : mod == 1 ? (int8_t)(r >> 40) : (int32_t)(r >> 33) >> 4;
	uint64_t rest;

	if ((base & 7) == 4 || (mod == 0 && (base & 7) == 5))
		base = 3;
	if (index == base || index == 4)
		sib = false;
	*rex |= (base >> 3) | (sib ? index >> 3 << 1 : 0);
	t->bytes[t->len++] = (uint8_t)(mod << 6 | (reg & 7) << 3 | (sib ? 4 : base & 7));
	if (sib)
		t->bytes[t->len++] = (uint8_t)(scale << 6 | (index & 7) << 3 | (base & 7));
	memcpy(t->bytes + t->len, &disp, mod == 1 ? 1 : mod == 2 ? 4 : 0);
	t->len += mod == 1 ? 1 : mod == 2 ? 4 : 0;
	rest = target - (uint64_t)(int64_t)disp;
	if (sib) {
		native.gpr[index] &= 0xffff;
		rest -= native.gpr[index] << scale;
	}
	native.gpr[base] = rest;
}

static void make_state(struct rng *rng)
{
	for (unsigned i = 0; i < 16; i++)
		native.gpr[i] = interesting(rng);
	for (unsigned i = 0; i < 16; i++)
		for (unsigned k = 0; k < 16; k++)
			native.xmm[i][k] = (uint8_t)random64(rng);
	for (unsigned i = 0; i < WORLD_DEVICE_BYTES; i += 8) {
		uint64_t x = interesting(rng);

		memcpy(memory + i, &x, 8);
	}
	native.flags = (random64(rng) & ARITH) | RFLAGS_ONE | RFLAGS_IF;
	native.gpr[RSP] = WORLD_DEVICE + WINDOW_AT - 512;
}

static void make_string(struct trial *t, struct rng *rng)
{
	uint64_t r = random64(rng);

	native.gpr[RSI] = WORLD_DEVICE + WINDOW_AT + r % WINDOW;
	native.gpr[RDI] = WORLD_DEVICE + WINDOW_AT + (r >> 16) % WINDOW;
	native.gpr[RCX] = r >> 32 & 0x1f;
	if (r >> 40 & 1)
		native.flags |= 0x400; /* DF */
	if (r >> 41 & 1)
		t->bytes[t->len++] = r >> 42 & 1 ? 0xf2 : 0xf3;
	if ((r >> 43 & 3) == 3) /* runs of equal elements, so that REPE goes on */
		memset(memory + WINDOW_AT / 2, 0x5a, WORLD_DEVICE_BYTES - WINDOW_AT / 2);
}

/* Makes an instruction and the state that it runs on. */
static void make(struct trial *t, const struct form *f, struct rng *rng)
{
	uint64_t r = random64(rng), target = WORLD_DEVICE + WINDOW_AT + (r >> 8) % WINDOW;
	bool pfx66 = !f->pfx && !(f->what & (VECTOR | NO16)) && (r & 3) == 1;
	uint8_t rex = 0, reg = f->group >= 0 ? (uint8_t)f->group : r >> 32 & 15;
	unsigned imm = f->imm, at;
	uint8_t operand[8];
	struct trial o = { .len = 0 };

	*t = (struct trial){ .f = f };
	make_state(rng);
	if (f->what & STRING)
		make_string(t, rng);
	if (f->pfx)
		t->bytes[t->len++] = f->pfx;
	if (pfx66)
		t->bytes[t->len++] = 0x66;
	if (f->group == -1)
		rex |= reg >> 3 << 2;
	if ((r >> 40 & 3) == 2)
		rex |= 0x48;
	if (f->what & ALIGN)
		target &= ~15ull;
	if (f->group > -2)
		put_operand(&o, rng, reg, target, &rex);
	memcpy(operand, o.bytes, o.len);
	if (rex || (r >> 44 & 1))
		t->bytes[t->len++] = 0x40 | rex;
	t->opsize = f->what & BYTE ? 1 : rex & 8 ? 8 : pfx66 ? 2 : 4;
	if (f->op >> 8)
		t->bytes[t->len++] = 0x0f;
	if (f->op >> 8 == 0x38)
		t->bytes[t->len++] = 0x38;
	t->bytes[t->len++] = (uint8_t)f->op;
	memcpy(t->bytes + t->len, operand, o.len);
	t->len += o.len;
	at = imm == 4 && t->opsize == 2 ? 2 : imm;
	t->imm_at = t->len;
	for (unsigned i = 0; i < at; i++)
		t->bytes[t->len++] = (uint8_t)(r >> (48 + 8 * (i & 1)));
	if (f->what & BITS) { /* the bit's word must be in the memory that is there; base and index were made for offset 0 */
		uint64_t m = t->opsize == 2 ? 0xffff : ~0ull;

		if ((t->bytes[t->len - o.len] & 0xc7) == (reg & 7) || native.gpr[reg] == 0)
			return;
		native.gpr[reg] = (native.gpr[reg] & ~m) | ((uint64_t)((int64_t)(random64(rng) % 8000) - 4000) & m);
	}
}

/* Registers that the operand's address uses must not have been changed behind it: true when the trial is sound. */
static bool sound(const struct trial *t)
{
	struct insn in;
	struct insn_regs regs = { .gpr = native.gpr };
	uint64_t ea;

	if (insn_decode(&in, t->bytes, t->len, INSN_64) || in.length != t->len)
		return false;
	if (t->f->what & STRING)
		return true;
	ea = insn_effective(&in, &regs, NULL, NULL);
	if (in.base == RSP || ea < WORLD_DEVICE + WINDOW_AT || ea >= WORLD_DEVICE + WINDOW_AT + WINDOW)
		return false;
	if (t->f->what & BITS) {
		int64_t i = (int64_t)native.gpr[in.reg];

		i = in.opsize == 2 ? (int16_t)i : in.opsize == 4 ? (int32_t)i : i;
		return i > -4100 && i < 4100;
	}
	return true;
}

static uint64_t undefined_flags(const struct trial *t, uint8_t cl)
{
	unsigned bits = 8 * t->opsize, count;

	if (!(t->f->what & SHIFT))
		return t->f->undefined;
	count = t->f->imm ? t->bytes[t->imm_at] : t->f->op == 0xd0 || t->f->op == 0xd1 ? 1 : cl;
	count &= t->opsize == 8 ? 63 : 31;
	if (!count)
		return 0;
	if (t->f->op >> 8) /* SHLD, SHRD */
		return count > bits ? ARITH : RFLAGS_AF | (count > 1 ? RFLAGS_OF : 0);
	return (t->f->group >= 4 ? RFLAGS_AF : 0) | (count > 1 ? RFLAGS_OF : 0) |
	       (count >= bits && t->f->group >= 4 ? RFLAGS_CF : 0);
}

static void fail_trial(const struct trial *t, const char *what, uint64_t got, uint64_t want)
{
	char hex[64] = "";

	for (unsigned i = 0; i < t->len; i++)
		sprintf(hex + 3 * i, "%02x ", t->bytes[i]);
	fail_msg("%s: %s is %llx, the CPU has %llx (seed %llx)", hex, what, (unsigned long long)got, (unsigned long long)want,
		 (unsigned long long)t->seed);
}

static void try(const struct trial *t)
{
	uint64_t undefined, before[16], rflags;
	char name[32];
	int e;

	world_begin();
	memcpy(world.v.gpr, native.gpr, sizeof(native.gpr));
	memcpy(before, native.gpr, sizeof(before));
	memcpy(world.device, memory, WORLD_DEVICE_BYTES);
	for (unsigned i = 0; i < 16; i++)
		memcpy(world.vector[i], native.xmm[i], 16);
	world.v.rflags = native.flags;
	undefined = undefined_flags(t, (uint8_t)native.gpr[RCX]);
	run_native(t->bytes, t->len);
	e = world_emulate(t->bytes, t->len);
	if (e || world.parked || world.v.inject.valid)
		fail_trial(t, world.parked ? world.problem : "the answer", (uint64_t)(int64_t)e, 0);
	if (world.v.rip != WORLD_CODE + t->len)
		fail_trial(t, "rip", world.v.rip, WORLD_CODE + t->len);
	if ((t->f->what & SHIFT) && t->f->op >> 8 && t->opsize == 2 && undefined == ARITH)
		return; /* the result is undefined too */
	for (unsigned i = 0; i < 16; i++)
		if (world.v.gpr[i] != native.gpr[i]) {
			snprintf(name, sizeof(name), "register %u (was %llx)", i, (unsigned long long)before[i]);
			fail_trial(t, name, world.v.gpr[i], native.gpr[i]);
		}
	rflags = world.v.rflags ^ native.flags;
	if (rflags & (ARITH | 0x400) & ~undefined)
		fail_trial(t, "rflags", world.v.rflags, native.flags);
	for (unsigned i = 0; i < WORLD_DEVICE_BYTES; i++)
		if (world.device[i] != memory[i]) {
			snprintf(name, sizeof(name), "memory at %x", i);
			fail_trial(t, name, world.device[i], memory[i]);
		}
	for (unsigned i = 0; i < 16; i++)
		if (memcmp(world.vector[i], native.xmm[i], 16)) {
			snprintf(name, sizeof(name), "xmm%u", i);
			fail_trial(t, name, world.vector[i][0], native.xmm[i][0]);
		}
}

static void test_against_cpu(void **state)
{
	const char *env = getenv("TESSERA_FUZZ_N");
	unsigned long n = env ? strtoul(env, NULL, 0) : 300000, done[sizeof(forms) / sizeof(forms[0])] = { 0 };
	struct rng rng = rng_seed(0x7e55e7a);
	bool movbe = has_movbe();

	(void)state;
	for (unsigned long i = 0; i < n; i++) {
		unsigned which = (unsigned)(i % (sizeof(forms) / sizeof(forms[0])));
		struct trial t;
		uint64_t seed = rng.s;

		if (!movbe && (forms[which].op == 0x38f0 || forms[which].op == 0x38f1))
			continue;
		make(&t, &forms[which], &rng);
		t.seed = seed;
		if (!sound(&t))
			continue;
		try(&t);
		done[which]++;
	}
	for (unsigned i = 0; i < sizeof(forms) / sizeof(forms[0]); i++)
		if (movbe || forms[i].op >> 8 != 0x38)
			assert_true(done[i] > n / (sizeof(forms) / sizeof(forms[0])) / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_against_cpu) };

	return cmocka_run_group_tests(tests, setup, NULL);
}
