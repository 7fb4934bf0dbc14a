/* Writes by the CPU's instructions. Their sizes and offsets make about every second one cross a page where the place is near its
 * end. */
#include "guest-tests/dirty/dirty.h"

#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/fpu.h"
#include "guest-tests/lib/trap.h"

#define F1_CX16 (1u << 13)
#define F1_MOVBE (1u << 22)

static uint8_t source[SPAN + 64];
static uint64_t xcr0;
static uint32_t features;

void cpu_means_prepare(void)
{
	struct prng r = { 77 };

	xcr0 = fpu_on();
	features = cpuid(1, 0).ecx;
	for (unsigned i = 0; i < sizeof(source); i++)
		source[i] = (uint8_t)prng_next(&r);
}

static uint8_t *aligned(const uint8_t *p, uint64_t to)
{
	return (uint8_t *)(((uint64_t)p + to - 1) & ~(to - 1));
}

#define WRITE(insn, at, value) __asm__ volatile(insn ::"r"(at), "r"(value), "c"((uint8_t)7) : "memory", "cc")

static void store(const struct place *p, struct prng *r)
{
	uint8_t *at = p->at + prng_below(r, 64);
	uint64_t v = random64(r);

	switch (prng_below(r, 6)) {
	case 0: WRITE("movb %b1, (%0)", at, v); break;
	case 1: WRITE("movw %w1, (%0)", at, v); break;
	case 2: WRITE("movl %k1, (%0)", at, v); break;
	case 3: WRITE("movq %1, (%0)", at, v); break;
	case 4: WRITE("movnti %1, (%0)", at, v); break;
	default: WRITE("movl $0x12345678, 3(%0)", at, v); break;
	}
}

/* Reads and writes without LOCK. */
static void modify(const struct place *p, struct prng *r)
{
	uint8_t *at = p->at + prng_below(r, 64);
	uint64_t v = random64(r);

	switch (prng_below(r, 12)) {
	case 0: WRITE("addb %b1, (%0)", at, v); break;
	case 1: WRITE("xorw %w1, (%0)", at, v); break;
	case 2: WRITE("subl %k1, (%0)", at, v); break;
	case 3: WRITE("orq %1, (%0)", at, v); break;
	case 4: WRITE("notq (%0)", at, v); break;
	case 5: WRITE("negl (%0)", at, v); break;
	case 6: WRITE("incw (%0)", at, v); break;
	case 7: WRITE("rolq $5, (%0)", at, v); break;
	case 8: WRITE("shldq $9, %1, (%0)", at, v); break;
	case 9: WRITE("btcq %1, (%0)", at, v % (PAGE * 8)); break; /* a bit far behind its operand */
	case 10: WRITE("cmp %1, %0; seta (%0)", at, v); break;
	default: WRITE("push %1; popq (%0)", at, v); break;
	}
}

static void locked(const struct place *p, struct prng *r)
{
	uint8_t *at = p->at + prng_below(r, 64), *at16 = aligned(at, 16);
	uint64_t v = random64(r), a = random64(r), d = random64(r);

	switch (prng_below(r, 11)) {
	case 0: WRITE("lock incb (%0)", at, v); break;
	case 1: WRITE("lock addw %w1, (%0)", at, v); break;
	case 2: WRITE("lock xorl %k1, (%0)", at, v); break;
	case 3: WRITE("lock decq (%0)", at, v); break;
	case 4: WRITE("lock notq (%0)", at, v); break;
	case 5: WRITE("lock btsq $17, (%0)", at, v); break;
	case 6: __asm__ volatile("lock xaddq %1, (%0)" : "+r"(at), "+r"(v)::"memory", "cc"); break;
	case 7: __asm__ volatile("xchgl %k1, (%0)" : "+r"(at), "+r"(v)::"memory"); break;
	case 8: /* with the value that is there, so that it stores the new one; else it stores the old one */
		a = prng_below(r, 2) ? *(uint64_t *)at : a;
		__asm__ volatile("lock cmpxchgq %2, (%1)" : "+a"(a) : "r"(at), "r"(v) : "memory", "cc");
		break;
	case 9:
		a = *(uint32_t *)at;
		d = *(uint32_t *)(at + 4);
		__asm__ volatile("lock cmpxchg8b (%2)" : "+a"(a), "+d"(d) : "r"(at), "b"(v), "c"(v >> 32) : "memory", "cc");
		break;
	default:
		if (!(features & F1_CX16))
			break;
		a = *(uint64_t *)at16;
		d = *(uint64_t *)(at16 + 8);
		__asm__ volatile("lock cmpxchg16b (%2)" : "+a"(a), "+d"(d) : "r"(at16), "b"(v), "c"(~v) : "memory", "cc");
		break;
	}
}

/* The iterations of a string instruction: mostly few, now and then over pages. */
static uint64_t iterations(struct prng *r, unsigned width)
{
	return prng_below(r, 8) ? prng_below(r, 40) : prng_below(r, 2 * PAGE / width);
}

#define REP(insn, di, si, n, a) __asm__ volatile(insn : "+D"(di), "+S"(si), "+c"(n) : "a"(a) : "memory", "cc")

static void rep_stos(const struct place *p, struct prng *r)
{
	unsigned width = 1u << prng_below(r, 4);
	uint8_t *at = p->at + prng_below(r, 64);
	const uint8_t *si = source;
	uint64_t n = iterations(r, width), v = random64(r);

	if (prng_below(r, 2)) {
		switch (width) {
		case 1: REP("rep stosb", at, si, n, v); break;
		case 2: REP("rep stosw", at, si, n, v); break;
		case 4: REP("rep stosl", at, si, n, v); break;
		default: REP("rep stosq", at, si, n, v); break;
		}
		return;
	}
	at += n ? (n - 1) * width : 0;
	switch (width) {
	case 1: REP("std; rep stosb; cld", at, si, n, v); break;
	case 2: REP("std; rep stosw; cld", at, si, n, v); break;
	case 4: REP("std; rep stosl; cld", at, si, n, v); break;
	default: REP("std; rep stosq; cld", at, si, n, v); break;
	}
}

/* From elsewhere, or from a little further on in the same memory. */
static void rep_movs(const struct place *p, struct prng *r)
{
	unsigned width = 1u << prng_below(r, 4);
	uint8_t *at = p->at + prng_below(r, 64);
	const uint8_t *si = prng_below(r, 2) ? source + prng_below(r, 64) : at + prng_below(r, 100);
	uint64_t n = iterations(r, width);

	if (prng_below(r, 2)) {
		switch (width) {
		case 1: REP("rep movsb", at, si, n, 0); break;
		case 2: REP("rep movsw", at, si, n, 0); break;
		case 4: REP("rep movsl", at, si, n, 0); break;
		default: REP("rep movsq", at, si, n, 0); break;
		}
		return;
	}
	at += n ? (n - 1) * width : 0;
	si += n ? (n - 1) * width : 0;
	switch (width) {
	case 1: REP("std; rep movsb; cld", at, si, n, 0); break;
	case 2: REP("std; rep movsw; cld", at, si, n, 0); break;
	case 4: REP("std; rep movsl; cld", at, si, n, 0); break;
	default: REP("std; rep movsq; cld", at, si, n, 0); break;
	}
}

/* PUSH, CALL and ENTER with the stack there. */
static void stack(const struct place *p, struct prng *r)
{
	uint8_t *top = p->at + 512 + prng_below(r, 128);
	uint64_t v = random64(r);

	__asm__ volatile("mov %%rsp, %%r12; mov %%rbp, %%r13; mov %1, %%rbp; mov %0, %%rsp\n\t"
			 "push %1; pushq $-77; pushw %w1; call 1f\n"
			 "1:\n\t"
			 "enter $24, $0; push $5; movl $6, -40(%%rsp)\n\t"
			 "mov %%r12, %%rsp; mov %%r13, %%rbp" ::"r"(top),
			 "r"(v)
			 : "r12", "r13", "memory", "cc");
}

static void sse(const struct place *p, struct prng *r)
{
	uint8_t *at = p->at + prng_below(r, 64), *at16 = aligned(at, 16);
	uint64_t value[2] = { random64(r), random64(r) };

	__asm__ volatile("movups (%0), %%xmm1; movq (%0), %%mm1; movups (%1), %%xmm2" ::"r"(value), "r"(source) : "memory");
	switch (prng_below(r, 8)) {
	case 0: WRITE("movups %%xmm1, (%0)", at, 0); break;
	case 1: WRITE("movaps %%xmm1, (%0)", at16, 0); break;
	case 2: WRITE("movntps %%xmm1, (%0)", at16, 0); break;
	case 3: WRITE("movss %%xmm1, (%0)", at, 0); break;
	case 4: WRITE("movhps %%xmm1, (%0)", at, 0); break;
	case 5: WRITE("movntq %%mm1, (%0)", aligned(at, 8), 0); break;
	case 6: __asm__ volatile("maskmovdqu %%xmm2, %%xmm1" ::"D"(at) : "memory"); break;
	default: WRITE("movdqu %%xmm2, (%0)", at, 0); break;
	}
	__asm__ volatile("emms");
}

static void avx(const struct place *p, struct prng *r)
{
	uint8_t *at = p->at + prng_below(r, 64);
	uint64_t value[4] = { random64(r), random64(r), random64(r), random64(r) };

	if (!(xcr0 & XCR0_AVX))
		return;
	__asm__ volatile("vmovups (%0), %%ymm1; vmovups (%1), %%ymm2" ::"r"(value), "r"(source) : "memory");
	switch (prng_below(r, 4)) {
	case 0: WRITE("vmovups %%ymm1, (%0)", at, 0); break;
	case 1: WRITE("vmovntps %%ymm1, (%0)", aligned(at, 32), 0); break;
	case 2: WRITE("vmaskmovps %%ymm1, %%ymm2, (%0)", at, 0); break;
	default: WRITE("vextractf128 $1, %%ymm1, (%0)", at, 0); break;
	}
	__asm__ volatile("vzeroupper");
}

/* Save areas: hundreds of bytes in one instruction. */
static void save(const struct place *p, struct prng *r)
{
	uint8_t *at = p->at + prng_below(r, 64);

	__asm__ volatile("fninit; fld1");
	switch (prng_below(r, 4)) {
	case 0: WRITE("fxsave (%0)", aligned(at, 16), 0); break;
	case 1: WRITE("fxsave64 (%0)", aligned(at, 16), 0); break;
	case 2: WRITE("fstpt (%0)", at, 0); break;
	default:
		if (xcr0)
			__asm__ volatile("xsave (%0)" ::"r"(aligned(at, 64)), "a"((uint32_t)xcr0), "d"(0) : "memory");
		break;
	}
	__asm__ volatile("fninit");
}

/*
 * These store where the last x87 instruction was, which need not be the same twice: who switches the FPU's state underneath, as KVM
 * does, need not keep it (APM vol. 2, 11.4.4).
 */
static void environment(const struct place *p, struct prng *r)
{
	uint8_t *at = p->at + prng_below(r, 64);

	__asm__ volatile("fninit; fld1");
	if (prng_below(r, 2))
		WRITE("fnsave (%0)", at, 0);
	else
		WRITE("fnstenv (%0)", at, 0);
	__asm__ volatile("fninit");
}

/* Instructions whose operand is written and nothing else. */
static void others(const struct place *p, struct prng *r)
{
	uint8_t *at = p->at + prng_below(r, 64);

	switch (prng_below(r, 8)) {
	case 0: WRITE("sgdt (%0)", at, 0); break;
	case 1: WRITE("sidt (%0)", at, 0); break;
	case 2: WRITE("stmxcsr (%0)", at, 0); break;
	case 3: WRITE("fnstcw (%0)", at, 0); break;
	case 4: WRITE("smsw (%0)", at, 0); break;
	case 5: WRITE("str (%0)", at, 0); break;
	case 6: WRITE("mov %%ss, (%0)", at, 0); break;
	default:
		if (features & F1_MOVBE)
			WRITE("movbe %1, (%0)", at, random64(r));
		break;
	}
}

/* Frames that the CPU pushes: RSP is in them, so no twin can have the same. */
static void trap(const struct place *p, struct prng *r)
{
	uint8_t *top = p->at + 2 * PAGE + prng_below(r, PAGE / 2);

#define ON_STACK(insn)                                                                                                             \
	__asm__ volatile("mov %%rsp, %%r12; mov %0, %%rsp\n" GUARD(insn) "mov %%r12, %%rsp" ::"r"(top)                             \
			 : "r12", "memory", "cc", "rax", "rcx", "rdx")
	switch (prng_below(r, 4)) {
	case 0: ON_STACK("ud2"); break;
	case 1: ON_STACK("int3"); break;
	case 2: ON_STACK("int $0x30"); break;
	default: ON_STACK("mov $0xfff8, %%eax; mov %%eax, %%ds"); break;
	}
}

const struct means cpu_means[] = {
	{ "a store", store, 30, false },
	{ "read-modify-write", modify, 15, false },
	{ "LOCK", locked, 15, false },
	{ "REP STOS", rep_stos, 8, false },
	{ "REP MOVS", rep_movs, 8, false },
	{ "a stack", stack, 8, false },
	{ "SSE", sse, 8, false },
	{ "AVX", avx, 8, false },
	{ "a save area", save, 4, false },
	{ "x87's environment", environment, 2, true },
	{ "SGDT and others", others, 8, false },
	{ "an exception's frame", trap, 4, true },
	{ 0 },
};
