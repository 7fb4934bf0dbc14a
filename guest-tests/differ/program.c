/*
 * Random programs. They stay where they are put: memory is only reached through pointers (RBX, RSI, RDI, RBP, R12 to R15, RSP),
 * which move in small steps only, and jumps go forward only, so that every program ends, by its last instruction or by a fault.
 */
#include "guest-tests/differ/differ.h"

#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/hyper.h"
#include "guest-tests/lib/window.h"

#define LEA_STEP 600
#define COUNT_MAX 700
#define JUMPS 8

struct program {
	struct prng r;
	uint8_t *at;
	bool user;
	bool tcg;	      /* QEMU's translator loses flags when some instructions fault: they are left out */
	uint8_t *jump[JUMPS]; /* displacement bytes of jumps that wait for their target */
	unsigned jump_after[JUMPS], jumps;
};

static const uint8_t pointers[] = { 3, 6, 7, 5, 12, 13, 15 }; /* R14 points to the page table, and does not move */
static const uint8_t data[] = { 0, 1, 2, 8, 9, 10, 11 };
static const uint8_t sizes[] = { 1, 2, 4, 8 };

#define TABLE_POINTER 14
#define PICK(p, array) ((array)[prng_below(&(p)->r, sizeof(array) / sizeof((array)[0]))])

static uint32_t below(struct program *p, uint32_t n)
{
	return prng_below(&p->r, n);
}

static uint64_t wide(struct prng *r)
{
	uint64_t high = prng_next(r);

	return high << 32 | prng_next(r);
}

static void byte(struct program *p, unsigned b)
{
	*p->at++ = (uint8_t)b;
}

static void bytes(struct program *p, uint64_t value, unsigned n)
{
	for (unsigned i = 0; i < n; i++)
		byte(p, (unsigned)(value >> 8 * i));
}

/* Prefixes for an operand size, REX always: so byte registers 4 to 7 are SPL to DIL, of which none is ever chosen. */
static void prefixes(struct program *p, unsigned size, unsigned reg, unsigned base)
{
	if (size == 2)
		byte(p, 0x66);
	byte(p, 0x40 | (size == 8) << 3 | (reg >> 3) << 2 | base >> 3);
}

static void opcode(struct program *p, unsigned op)
{
	if (op > 0xff)
		byte(p, op >> 8);
	byte(p, op);
}

/* ModRM (and SIB) for [base + a small displacement]. */
static void memory(struct program *p, unsigned reg, unsigned base)
{
	bool small = below(p, 4) != 0;

	byte(p, (small ? 0x40 : 0x80) | (reg & 7) << 3 | (base & 7));
	if ((base & 7) == 4)
		byte(p, 0x24);
	if (small)
		byte(p, below(p, 256));
	else
		bytes(p, (uint64_t)below(p, 2048) - 1024, 4);
}

/* An instruction with a memory or a register operand (a data register: anything may be done to it). */
static void operand(struct program *p, unsigned op, unsigned size, unsigned reg, bool to_memory)
{
	unsigned base = to_memory ? PICK(p, pointers) : PICK(p, data);

	prefixes(p, size, reg, base);
	opcode(p, op);
	if (to_memory)
		memory(p, reg, base);
	else
		byte(p, 0xc0 | (reg & 7) << 3 | (base & 7));
}

static void imm(struct program *p, unsigned size)
{
	bytes(p, prng_next(&p->r), size > 4 ? 4 : size);
}

static void lock_sometimes(struct program *p)
{
	if (!below(p, 6))
		byte(p, 0xf0);
}

/* ---- plain work */

static void i_alu(struct program *p)
{
	unsigned size = PICK(p, sizes), alu = below(p, 8) << 3, reg = PICK(p, data);
	bool mem = below(p, 4) != 0;

	switch (below(p, 3)) {
	case 0: /* to memory */
		if (mem)
			lock_sometimes(p);
		operand(p, alu | (size > 1), size, reg, mem);
		break;
	case 1: operand(p, alu | 2 | (size > 1), size, reg, mem); break;
	default:
		if (mem)
			lock_sometimes(p);
		operand(p, size > 1 ? 0x81 : 0x80, size, alu >> 3, mem);
		imm(p, size);
		break;
	}
}

static void i_move(struct program *p)
{
	unsigned size = PICK(p, sizes), reg = PICK(p, data), wide_bit = size > 1;

	switch (below(p, 5)) {
	case 0: operand(p, 0x88 | wide_bit, size, reg, true); break;
	case 1: operand(p, 0x8a | wide_bit, size, reg, true); break;
	case 2:
		operand(p, 0xc6 | wide_bit, size, 0, true);
		imm(p, size);
		break;
	case 3: operand(p, (below(p, 2) ? 0x0fb6 : 0x0fbe) | below(p, 2), size == 1 ? 4 : size, reg, true); break;
	default: operand(p, 0x0fc3, below(p, 2) ? 4 : 8, reg, true); break; /* MOVNTI */
	}
}

static void i_exchange(struct program *p)
{
	unsigned size = PICK(p, sizes), reg = PICK(p, data);

	lock_sometimes(p);
	switch (below(p, p->tcg ? 3 : 4)) {
	case 0: operand(p, 0x86 | (size > 1), size, reg, true); break;
	case 1: operand(p, 0x0fc0 | (size > 1), size, reg, true); break;
	case 2: operand(p, 0x0fb0 | (size > 1), size, reg, true); break;
	default: operand(p, 0x0fc7, below(p, 2) ? 4 : 8, 1, true); break; /* CMPXCHG8B, CMPXCHG16B */
	}
}

/* The manual leaves some flags open after these instructions; ADC keeps what CF said. */
static void settle(struct program *p, bool carry)
{
	byte(p, 0x80);
	byte(p, carry ? 0xd2 : 0xc2); /* ADC or ADD DL */
	imm(p, 1);
}

static void i_bit(struct program *p)
{
	bool mem = below(p, 4) != 0;

	if (mem) /* QEMU's translator aborts at a LOCK before a register operand */
		lock_sometimes(p);
	operand(p, 0x0fba, sizes[1 + below(p, 3)], 4 + below(p, 4), mem);
	byte(p, below(p, 256));
	settle(p, true);
}

static void i_shift(struct program *p)
{
	unsigned size = PICK(p, sizes), how = below(p, 8);

	if (p->tcg && (how & 6) == 2)
		how ^= 4; /* RCL, RCR */
	switch (below(p, 3)) {
	case 0:
		operand(p, 0xc0 | (size > 1), size, how, below(p, 2));
		byte(p, below(p, 256));
		break;
	case 1: operand(p, 0xd2 | (size > 1), size, how, below(p, 2)); break;
	default:
		operand(p, below(p, 2) ? 0x0fa4 : 0x0fac, size == 1 ? 4 : size, PICK(p, data), below(p, 2));
		byte(p, below(p, 256));
		break;
	}
	settle(p, false);
}

static void i_one(struct program *p)
{
	unsigned size = PICK(p, sizes);

	if (below(p, 2)) {
		lock_sometimes(p);
		operand(p, 0xfe | (size > 1), size, below(p, 2), true);
	} else { /* NOT, NEG, MUL, IMUL, DIV, IDIV */
		operand(p, 0xf6 | (size > 1), size, 2 + below(p, 6), below(p, 2));
		settle(p, false);
	}
}

static void i_conditional(struct program *p)
{
	unsigned reg = PICK(p, data);

	if (below(p, 2))
		operand(p, 0x0f40 | below(p, 16), sizes[1 + below(p, 3)], reg, true);
	else
		operand(p, 0x0f90 | below(p, 16), 1, 0, !p->tcg);
}

static void i_jump(struct program *p)
{
	if (p->jumps == JUMPS)
		return;
	byte(p, 0x70 | below(p, 16));
	p->jump[p->jumps] = p->at;
	p->jump_after[p->jumps++] = 1 + below(p, 3);
	byte(p, 0);
}

/* The count first: it bounds what a repeat prefix does. */
static void i_string(struct program *p)
{
	static const uint8_t ops[] = { 0xa4, 0xa6, 0xaa, 0xac, 0xae };
	unsigned size = PICK(p, sizes), rep = below(p, 3);

	byte(p, 0xb9);
	bytes(p, below(p, COUNT_MAX), 4);
	byte(p, below(p, 4) ? 0xfc : 0xfd);
	if (rep)
		byte(p, 0xf1 + rep);
	if (size == 2)
		byte(p, 0x66);
	if (size == 8)
		byte(p, 0x48);
	byte(p, PICK(p, ops) | (size > 1));
}

static void i_stack(struct program *p)
{
	unsigned reg = PICK(p, data);

	switch (below(p, 8)) {
	case 0:
	case 1:
	case 2:
		if (reg > 7)
			byte(p, 0x41);
		byte(p, (below(p, 2) ? 0x50 : 0x58) | (reg & 7));
		break;
	case 3:
		byte(p, 0x68);
		imm(p, 4);
		break;
	case 4: byte(p, 0x9c); break; /* PUSHF */
	case 5: operand(p, 0xff, 4, 6, true); break;
	case 6: operand(p, 0x8f, 4, 0, true); break;
	default: /* flags of the program's choice: TF ends it, AC and IF with IOPL are judged by the CPU */
		byte(p, 0x68);
		bytes(p, prng_next(&p->r) & 0x240dd5 & ~(below(p, 8) ? 0x100u : 0), 4);
		byte(p, 0x9d);
		break;
	}
}

static void i_step(struct program *p)
{
	unsigned reg = PICK(p, pointers);

	prefixes(p, 8, reg, reg);
	byte(p, 0x8d);
	byte(p, 0x80 | (reg & 7) << 3 | (reg & 7));
	if ((reg & 7) == 4)
		byte(p, 0x24);
	bytes(p, (uint64_t)below(p, 2 * LEA_STEP) - LEA_STEP, 4);
}

static void i_vector(struct program *p)
{
	static const uint16_t ops[] = { 0x0f6f, 0x0f7f, 0x0f28, 0x0f29, 0x0fef, 0x0ffe, 0x0f10, 0x0f11, 0x0fe7, 0x0fd6 };
	unsigned base = PICK(p, pointers), reg = below(p, 4);
	static const uint8_t x87[] = { 0xd9, 0xdb, 0xdd };

	if (!below(p, 4)) { /* FLD, FST, FSTP and integers, control words, all of its state */
		reg = below(p, 8);
		/* FLDENV, FRSTOR: at a fault in the operand's second page, Bochs has loaded what the first has */
		if (reg == 4 && !p->tcg)
			reg = 5;
		byte(p, 0x40 | base >> 3);
		byte(p, PICK(p, x87));
		memory(p, reg, base);
		return;
	}
	byte(p, 0x66);
	byte(p, 0x40 | base >> 3);
	opcode(p, PICK(p, ops));
	memory(p, reg, base);
}

/* ---- what a hypervisor has a hand in */

/* A register takes a number. */
static void load(struct program *p, unsigned reg, uint64_t value)
{
	byte(p, 0x48 | reg >> 3);
	byte(p, 0xb8 | (reg & 7));
	bytes(p, value, 8);
}

/* What differs between machines must not stay in a register. */
static void forget(struct program *p)
{
	for (unsigned reg = 0; reg < 3; reg++)
		load(p, reg, wide(&p->r));
}

static void i_exits(struct program *p)
{
	switch (below(p, 6)) {
	case 0: /* CPUID; RBX is a pointer */
		byte(p, 0x53);
		bytes(p, 0xa20f, 2);
		byte(p, 0x5b);
		forget(p);
		break;
	case 1: /* RDTSC; behind a NOP, for the trap of a POPF that has set TF comes after one instruction */
		byte(p, 0x90);
		bytes(p, 0x310f, 2);
		forget(p);
		break;
	case 2:
		bytes(p, 0xd0010f, 3); /* XGETBV; CR4.OSXSAVE is off */
		break;
	case 3: bytes(p, p->tcg ? 0x0b0f : 0x330f, 2); break; /* RDPMC, which QEMU's translator does not know */
	case 4:
		byte(p, 0xba);
		bytes(p, below(p, 2) ? 0x80 : 0x4444, 4);
		if (below(p, 2))
			byte(p, 0x66);
		byte(p, 0xe4 | 8 | below(p, 2) | (below(p, 2) ? 2 : 0)); /* IN and OUT by DX; nobody answers */
		forget(p);
		break;
	default: bytes(p, 0x90f3, 2); break; /* PAUSE */
	}
}

static void i_string_port(struct program *p)
{
	byte(p, 0xb9);
	bytes(p, below(p, 40), 4);
	byte(p, 0xba);
	bytes(p, 0x4444, 4);
	byte(p, below(p, 4) ? 0xfc : 0xfd);
	if (below(p, 2))
		byte(p, 0xf3);
	byte(p, 0x6c | below(p, 4));
}

static void i_msr(struct program *p)
{
	static const uint32_t msrs[] = { MSR_SYSENTER_CS, MSR_SYSENTER_ESP, MSR_SYSENTER_EIP,	MSR_STAR, MSR_LSTAR, MSR_FMASK,
					 MSR_FS_BASE,	  MSR_GS_BASE,	    MSR_KERNEL_GS_BASE, MSR_PAT,  0x40001234 };
	uint32_t msr = p->tcg ? msrs[below(p, sizeof(msrs) / sizeof(msrs[0]) - 1)] : PICK(p, msrs); /* it takes unknown ones */
	uint64_t value = wide(&p->r);

	if (below(p, 2) || p->tcg) /* QEMU's translator takes other addresses too, and its VMRUN makes them canonical */
		value = (uint64_t)((int64_t)(value << 17) >> 17);
	if (msr == MSR_PAT && (below(p, 2) || p->tcg)) /* nor does it look at types */
		value = value & 0x0101010101010101ull ? 0x0600040106050004ull : 0x0706050401040006ull;
	if (msr == MSR_FMASK)
		value &= 0xffffffff;
	load(p, 0, value & 0xffffffff);
	load(p, 2, value >> 32);
	load(p, 1, msr);
	bytes(p, below(p, 3) ? 0x300f : 0x320f, 2);
}

static void i_control(struct program *p)
{
	static const uint32_t cr4_bits[] = { CR4_TSD, CR4_DE, CR4_PGE, CR4_PCE, CR4_OSFXSR, CR4_UMIP };
	unsigned reg = PICK(p, data);

	switch (below(p, 8)) {
	case 0: /* CR0 */
		load(p, reg,
		     0x80000011u | (prng_next(&p->r) & (CR0_TS | CR0_MP | CR0_WP | CR0_AM | CR0_NE)) |
			     (below(p, 8) || p->tcg ? CR0_NE : 1ull << (32 + below(p, 32))));
		bytes(p, 0x220f40u | reg >> 3 | (uint32_t)(0xc0 | (reg & 7)) << 24, 4);
		break;
	case 1: /* CR4 */
		load(p, reg, CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT | PICK(p, cr4_bits) | PICK(p, cr4_bits));
		bytes(p, 0x220f40u | reg >> 3 | (uint32_t)(0xe0 | (reg & 7)) << 24, 4);
		break;
	case 2: /* CR8: some have reserved bits, which QEMU's translator takes */
		load(p, reg, below(p, p->tcg ? 16 : 20));
		bytes(p, 0x220f44u | reg >> 3 | (uint32_t)(0xc0 | (reg & 7)) << 24, 4);
		break;
	case 3: /* CR2 */
		load(p, reg, wide(&p->r));
		bytes(p, 0x220f40u | reg >> 3 | (uint32_t)(0xd0 | (reg & 7)) << 24, 4);
		break;
	case 4: bytes(p, 0x060f, 2); break; /* CLTS */
	case 5:				    /* CR3, as it is */
		bytes(p, 0xd8200f, 3);
		bytes(p, 0xd8220f, 3);
		load(p, 0, wide(&p->r));
		break;
	case 6: /* DR0 to DR3, and DR7 with everything off or reserved bits on */
		if (below(p, 2)) {
			load(p, reg, wide(&p->r));
			bytes(p, 0x230f40u | reg >> 3 | (uint32_t)(0xc0 | below(p, 4) << 3 | (reg & 7)) << 24, 4);
		} else {
			load(p, reg, below(p, 4) ? 0x400 | (wide(&p->r) & 0xffff0000) : wide(&p->r) & ~0x20ffull);
			bytes(p, 0x230f40u | reg >> 3 | (uint32_t)(0xf8 | (reg & 7)) << 24, 4);
		}
		break;
	default: /* what was written */
		reg = PICK(p, data);
		bytes(p,
		      (below(p, 2) ? 0x200f40u | (uint32_t)(0xc0 | below(p, 2) << 5 | (reg & 7)) << 24
				   : 0x210f40u | (uint32_t)(0xc0 | below(p, 4) << 3 | (reg & 7)) << 24) |
			      reg >> 3,
		      4);
		break;
	}
}

/* Flips a bit of a page's entry, or stores all of one, and flushes that address. */
static void i_table(struct program *p)
{
	static const uint8_t pages[] = { PLAIN, PLAIN + 1, READ_ONLY, NO_EXECUTE, ABSENT, ALIAS, SYSTEM };
	static const uint8_t bits[] = { 0, 0, 1, 1, 2, 5, 6, 63 };
	unsigned page = PICK(p, pages), bit = PICK(p, bits);

	lock_sometimes(p);
	bytes(p, 0xba0f49, 3); /* BTC qword [R14 + 8 * page], bit */
	byte(p, 0x78 | (TABLE_POINTER & 7));
	byte(p, page * 8);
	byte(p, bit);
	if (bit == 1 && below(p, 4) == 0) { /* what it maps, too: another frame */
		bytes(p, 0xba0f49, 3);
		byte(p, 0x78 | (TABLE_POINTER & 7));
		byte(p, page * 8);
		byte(p, 12);
	}
	settle(p, true);
	load(p, 0, arena_address((enum arena_page)page));
	bytes(p, 0x38010f, 3); /* INVLPG [RAX] */
}

static void i_system(struct program *p)
{
	unsigned reg = PICK(p, data);

	switch (below(p, 10)) {
	case 0: bytes(p, 0x090f, 2); break;			      /* WBINVD */
	case 1: operand(p, 0x0f00, 2, 4 + below(p, 2), false); break; /* VERR, VERW */
	case 2:							      /* LAR, LSL */
		load(p, reg, below(p, 16) << 3);
		byte(p, 0x40 | (reg >> 3) << 2 | reg >> 3);
		opcode(p, below(p, 2) ? 0x0f02 : 0x0f03);
		byte(p, 0xc0 | (reg & 7) << 3 | (reg & 7));
		break;
	case 3: operand(p, 0x0f00, 2, below(p, 2), true); break; /* SLDT, STR */
	case 4: operand(p, 0x0f01, 8, below(p, 2), true); break; /* SGDT, SIDT */
	case 5: operand(p, 0x0f01, 2, 4, true); break;		 /* SMSW */
	case 6: bytes(p, 0xf8010f, 3); break;			 /* SWAPGS */
	case 7: byte(p, below(p, 2) ? 0xfa : 0xfb); break;	 /* CLI, STI: nothing is pending */
	case 8:							 /* INT, INT3, UD2 */
		if (below(p, 3))
			bytes(p, 0xcd | (below(p, 4) ? 0x31 : below(p, 256)) << 8, 2);
		else
			bytes(p, below(p, 2) ? 0xcc90 : 0x0b0f, 2);
		break;
	default: operand(p, 0x0fae, 4, 7, true); break; /* CLFLUSH */
	}
}

static const struct {
	void (*make)(struct program *p);
	unsigned weight;
} kinds[] = {
	{ i_alu, 20 },	      { i_move, 20 },	    { i_exchange, 8 }, { i_bit, 6 },	 { i_shift, 6 },  { i_one, 6 },
	{ i_conditional, 4 }, { i_jump, 4 },	    { i_string, 8 },   { i_stack, 8 },	 { i_step, 12 },  { i_vector, 8 },
	{ i_exits, 6 },	      { i_string_port, 2 }, { i_msr, 3 },      { i_control, 5 }, { i_table, 10 }, { i_system, 3 },
};

/* What only CPL 0 may do ends a program of CPL 3 at once: seldom, then. */
static bool privileged(void (*make)(struct program *p))
{
	return make == i_string_port || make == i_msr || make == i_control || make == i_table || make == i_system;
}

static void one(struct program *p)
{
	unsigned total = 0, n;

	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		total += kinds[i].weight;
	for (;;) {
		n = below(p, total);
		for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
			if (n >= kinds[i].weight) {
				n -= kinds[i].weight;
				continue;
			}
			if (p->user && privileged(kinds[i].make) && below(p, 12))
				break;
			kinds[i].make(p);
			return;
		}
	}
}

static void land(struct program *p, bool all)
{
	for (unsigned i = 0; i < p->jumps;) {
		if (!all && --p->jump_after[i]) {
			i++;
			continue;
		}
		*p->jump[i] = (uint8_t)(p->at - p->jump[i] - 1);
		p->jumps--;
		p->jump[i] = p->jump[p->jumps];
		p->jump_after[i] = p->jump_after[p->jumps];
	}
}

void program_make(uint64_t seed, bool user, unsigned most, uint8_t *code)
{
	struct program p = { .r = { seed * 0x9e3779b97f4a7c15ull | 1 }, .at = code, .user = user, .tcg = cpu_is_tcg() };
	unsigned count = 4 + below(&p, PROGRAM_MAX - 4);

	for (unsigned i = 0; i < count && i < most; i++) {
		one(&p);
		land(&p, false);
	}
	land(&p, true);
	bytes(&p, 0xcd | VEC_USER << 8, 2);
}

void program_start(uint64_t seed, bool user, struct start *s)
{
	static const uint8_t places[] = { PLAIN, PLAIN, PLAIN + 1, READ_ONLY, NO_EXECUTE, ABSENT, ALIAS, SYSTEM, STACK };
	struct prng r = { seed * 0xd1342543de82ef95ull | 1 };
	uint64_t *pointer[] = { &s->rbx, &s->rsi, &s->rdi, &s->rbp, &s->r12, &s->r13, &s->r15 };
	uint64_t *value[] = { &s->rax, &s->rcx, &s->rdx, &s->r8, &s->r9, &s->r10, &s->r11 };

	for (unsigned i = 0; i < sizeof(pointer) / sizeof(pointer[0]); i++) {
		unsigned place = prng_below(&r, 3) ? PLAIN : places[prng_below(&r, sizeof(places))];

		*pointer[i] = arena_address((enum arena_page)place) + prng_below(&r, PAGE);
		if (prng_below(&r, 4))
			*pointer[i] &= ~7ull;
	}
	for (unsigned i = 0; i < sizeof(value) / sizeof(value[0]); i++)
		*value[i] = prng_below(&r, 3) ? wide(&r) : prng_below(&r, 300);
	s->r14 = arena_address(TABLE);
	s->rip = arena_address(CODE);
	s->cs = user ? USER_CS : KERNEL_CS;
	s->ss = user ? USER_DS : KERNEL_DS;
	s->rsp = arena_address(STACK) + PAGE / 2;
	s->rflags = RFLAGS_FIXED;
}
