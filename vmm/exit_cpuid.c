/*
 * CPUID: what the guest is told, leaf by leaf. A leaf that the table does not name is all zero, so nothing of the host shows
 * through by accident. The guest sees one CPU, its local APIC, no VMX or SVM, and only features that work without help from the VMM or
 * that it helps with.
 */
#include <stddef.h>

#include "vmm/cpu.h"
#include "vmm/exit.h"
#include "vmm/hw/hw.h"
#include "vmm/hw/x86.h"
#include "vmm/hypercall.h"
#include "vmm/log.h"
#include "vmm/paging.h"
#include "vmm/vm.h"

#define BIT(n) (1u << (n))

/* Leaf 1 ECX: SSE3 PCLMULQDQ SSSE3 FMA CX16 SSE4.1 SSE4.2 MOVBE POPCNT AES XSAVE AVX F16C RDRAND */
#define F1_ECX                                                                                                                     \
	(BIT(0) | BIT(1) | BIT(9) | BIT(12) | BIT(13) | BIT(19) | BIT(20) | BIT(22) | BIT(23) | BIT(25) | BIT(26) | BIT(28) |      \
	 BIT(29) | BIT(30))
#define F1_ECX_APIC (BIT(21) | BIT(24)) /* x2APIC and TSC deadline, which need nothing of the host */
#define F1_ECX_OSXSAVE BIT(27)
#define F1_ECX_HYPERVISOR BIT(31)
/* Leaf 1 EDX: FPU VME DE PSE TSC MSR PAE MCE CX8 SEP MTRR PGE MCA CMOV PAT PSE36 CLFSH MMX FXSR SSE SSE2 SS */
#define F1_EDX                                                                                                                     \
	(0x1ffu | BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(15) | BIT(16) | BIT(17) | BIT(19) | BIT(23) | BIT(24) | BIT(25) | BIT(26) |    \
	 BIT(27))
/* Leaf 7.0 EBX: FSGSBASE BMI1 AVX2 SMEP BMI2 ERMS RDSEED ADX SMAP CLFLUSHOPT CLWB SHA; ECX: UMIP GFNI VAES VPCLMULQDQ; EDX: FSRM */
#define F7_EBX (BIT(0) | BIT(3) | BIT(5) | BIT(7) | BIT(8) | BIT(9) | BIT(18) | BIT(19) | BIT(20) | BIT(23) | BIT(24) | BIT(29))
#define F7_ECX (BIT(2) | BIT(8) | BIT(9) | BIT(10))
#define F7_EDX BIT(4)
/* Leaf 0xd.1 EAX: XSAVEOPT XSAVEC XGETBV1, not XSAVES */
#define FD1_EAX (BIT(0) | BIT(1) | BIT(2))
/* Leaf 80000001 ECX: LAHF ABM SSE4A MISALIGNSSE 3DNOWPREFETCH XOP FMA4 TBM; EDX: SYSCALL NX MMXEXT FFXSR 1G RDTSCP LM 3DNOWEXT
 * 3DNOW, and leaf 1's bits that AMD repeats */
#define FE1_ECX (BIT(0) | BIT(5) | BIT(6) | BIT(7) | BIT(8) | BIT(11) | BIT(16) | BIT(21))
#define FE1_EDX                                                                                                                    \
	(BIT(11) | BIT(20) | BIT(22) | BIT(25) | BIT(26) | BIT(27) | BIT(29) | BIT(30) | BIT(31) | (F1_EDX & 0x0183f3ffu & ~BIT(9)))

#define ANY UINT32_MAX

struct cpuid_rule {
	uint32_t leaf, sub; /* sub ANY: the leaf has no subleaves; else they follow each other from 0 on */
	uint32_t mask[4];   /* of what the host says: EAX EBX ECX EDX */
	void (*adjust)(const struct vcpu *v, uint32_t r[4]); /* then this, or NULL; all up to here once, by cpuid_setup */
	void (*live)(struct vcpu *v);			     /* at each CPUID: changes the answer in v's registers; or NULL */
};

static void leaf_0(const struct vcpu *v, uint32_t r[4])
{
	(void)v;
	if (r[0] > 0x15)
		r[0] = 0x15;
	if (r[0] < 0xb)
		r[0] = 0xb;
}

static void leaf_1(const struct vcpu *v, uint32_t r[4])
{
	(void)v;
	r[1] |= 1u << 16; /* one logical CPU; APIC id 0 */
	r[2] |= F1_ECX_HYPERVISOR | F1_ECX_APIC;
	if (!cpuid_xcr0_mask())
		r[2] &= ~(BIT(12) | BIT(26) | BIT(28) | BIT(29)); /* no XSAVE, so no AVX, FMA, F16C */
}

/* Topology: one thread in one core, x2APIC id 0. */
static void leaf_b0(const struct vcpu *v, uint32_t r[4])
{
	(void)v;
	r[1] = 1;
	r[2] = 1 << 8;
}

static void leaf_b1(const struct vcpu *v, uint32_t r[4])
{
	(void)v;
	r[1] = 1;
	r[2] = 2 << 8 | 1;
}

static void leaf_b2(const struct vcpu *v, uint32_t r[4])
{
	(void)v;
	r[2] = 2;
}

/*
 * The TSC's rate, as it was measured, is EBX/EAX of the clock that the local APIC's timer has. Linux (6.1) multiplies EBX and that clock's
 * kHz in 32 bits: EBX is kept below what they hold, which tells the rate to 1 part in 80,000.
 */
#define CLOCK_KHZ (VLAPIC_HZ / 1000)
#define NUMERATOR 42000u
_Static_assert((uint64_t)NUMERATOR * CLOCK_KHZ < UINT32_MAX - CLOCK_KHZ, "32 bits");

static void leaf_15(const struct vcpu *v, uint32_t r[4])
{
	uint64_t khz = tsc_hz() / 1000;

	(void)v;
	r[0] = (uint32_t)((uint64_t)NUMERATOR * CLOCK_KHZ / khz);
	r[1] = (uint32_t)((khz * r[0] + CLOCK_KHZ / 2) / CLOCK_KHZ);
	r[2] = VLAPIC_HZ;
}

static void leaf_4(const struct vcpu *v, uint32_t r[4])
{
	(void)v;
	r[0] &= 0x3ff; /* one core, one thread on each cache */
}

static void leaf_7(const struct vcpu *v, uint32_t r[4])
{
	(void)v;
	r[0] = 0; /* no further subleaf */
}

static void leaf_d0(const struct vcpu *v, uint32_t r[4])
{
	uint64_t mask = cpuid_xcr0_mask();
	uint32_t size = 512 + 64, part[4];

	(void)v;
	if (!mask) {
		r[0] = r[1] = r[2] = r[3] = 0;
		return;
	}
	r[0] = (uint32_t)mask;
	r[3] = (uint32_t)(mask >> 32);
	/* ECX: the size for all that the guest may set. */
	for (unsigned i = 2; i < 32; i++)
		if (mask >> i & 1) {
			cpuid(0xd, i, part);
			if (part[0] + part[1] > size)
				size = part[0] + part[1];
		}
	r[2] = size;
}

/* EBX is a size for the XCR0 in force, and the guest's is the CPU's. */
static void xsave_size(struct vcpu *v, uint32_t sub)
{
	uint32_t r[4];

	if (!cpuid_xcr0_mask())
		return;
	cpuid(0xd, sub, r);
	v->gpr[RBX] = r[1];
}

static void xsave_size_0(struct vcpu *v)
{
	xsave_size(v, 0);
}

static void xsave_size_1(struct vcpu *v)
{
	xsave_size(v, 1);
}

static void leaf_hyper0(const struct vcpu *v, uint32_t r[4])
{
	(void)v;
	r[0] = 0x40000001;
	r[1] = 0x73736554; /* "TesseraHyper" */
	r[2] = 0x48617265;
	r[3] = 0x72657079;
}

static void leaf_hyper1(const struct vcpu *v, uint32_t r[4])
{
	r[0] = HC_VERSION;
	r[2] = (v->cpu->features.virt == VIRT_VMX) | (paging_shadow(v) ? BIT(1) : 0) |
	       (paging_shadow(v) && v->ops->shadow_needs_protected_mode ? BIT(2) : 0);
	r[3] = 0;
}

static void head_count(struct vcpu *v)
{
	v->gpr[RBX] = v->vm->head_count;
}

static void leaf_ext0(const struct vcpu *v, uint32_t r[4])
{
	(void)v;
	if (r[0] > 0x80000008)
		r[0] = 0x80000008;
}

static void leaf_ext8(const struct vcpu *v, uint32_t r[4])
{
	(void)v;
	r[0] &= 0xffff; /* physical and linear bits; no other guest size */
}

#define ALL                                                                                                                        \
	{                                                                                                                          \
		~0u, ~0u, ~0u, ~0u                                                                                                 \
	}

static const struct cpuid_rule rules[] = {
	{ 0, ANY, ALL, leaf_0, NULL },
	{ 1, ANY, { ~0u, 0x0000ff00, F1_ECX, F1_EDX }, leaf_1, NULL },
	{ 2, ANY, ALL, NULL, NULL },
	{ 4, 0, ALL, leaf_4, NULL },
	{ 4, 1, ALL, leaf_4, NULL },
	{ 4, 2, ALL, leaf_4, NULL },
	{ 4, 3, ALL, leaf_4, NULL },
	{ 7, 0, { 0, F7_EBX, F7_ECX, F7_EDX }, leaf_7, NULL },
	{ 0xb, 0, { 0 }, leaf_b0, NULL },
	{ 0xb, 1, { 0 }, leaf_b1, NULL },
	{ 0xb, 2, { 0 }, leaf_b2, NULL },
	{ 0xd, 0, ALL, leaf_d0, xsave_size_0 },
	{ 0xd, 1, { FD1_EAX, ~0u, 0, 0 }, NULL, xsave_size_1 },
	{ 0xd, 2, { ~0u, ~0u, ~0u, 0 }, NULL, NULL },
	{ 0x15, ANY, { 0 }, leaf_15, NULL },
	{ 0x40000000, ANY, { 0 }, leaf_hyper0, NULL },
	{ 0x40000001, ANY, { 0 }, leaf_hyper1, head_count },
	{ 0x80000000, ANY, ALL, leaf_ext0, NULL },
	{ 0x80000001, ANY, { ~0u, 0, FE1_ECX, FE1_EDX }, NULL, NULL },
	{ 0x80000002, ANY, ALL, NULL, NULL },
	{ 0x80000003, ANY, ALL, NULL, NULL },
	{ 0x80000004, ANY, ALL, NULL, NULL },
	{ 0x80000005, ANY, ALL, NULL, NULL },
	{ 0x80000006, ANY, ALL, NULL, NULL },
	{ 0x80000007, ANY, { 0, 0, 0, BIT(8) }, NULL, NULL }, /* invariant TSC */
	{ 0x80000008, ANY, { ~0u, 0, 0, 0 }, leaf_ext8, NULL },
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

/*
 * The answers are made once, so that an exit is a look-up: every group of leaves has 32 places, for the answer to a leaf, or
 * to its subleaf 0. Answer 0 is all zero, for the rest: beyond
 * the highest basic leaf Intel's CPUs answer with that leaf, AMD's with zeros (SDM vol. 2, CPUID); zeros are safe for both.
 */
#define GROUP 32u

struct cpuid_answer {
	uint32_t r[4];
	void (*live)(struct vcpu *v);
	uint32_t subs; /* how many subleaves the leaf has, with this one, where this is the first; 0: none */
	bool varied;   /* subs or live */
	uint64_t cr4;  /* bits that ECX has too, where F1_ECX_OSXSAVE is to CR4_OSXSAVE */
};

static struct cpuid_answer answers[1 + RULES];
static const struct cpuid_answer *basic[GROUP], *extended[GROUP], *hypervisor[GROUP];

/* Where the answer to a leaf is noted, or NULL. */
static inline const struct cpuid_answer **place_of(uint32_t leaf)
{
	if (leaf < GROUP)
		return &basic[leaf];
	if (leaf - 0x80000000 < GROUP)
		return &extended[leaf - 0x80000000];
	return leaf - 0x40000000 < GROUP ? &hypervisor[leaf - 0x40000000] : NULL;
}

static void answer(const struct vcpu *v, const struct cpuid_rule *rule, struct cpuid_answer *to)
{
	const struct cpu_features *f = &v->cpu->features;

	*to = (struct cpuid_answer){ .live = rule->live };
	if (rule->mask[0] | rule->mask[1] | rule->mask[2] | rule->mask[3]) {
		if (rule->leaf > (rule->leaf >= 0x80000000 ? f->max_ext_leaf : f->max_leaf)) {
			to->live = NULL;
			return;
		}
		cpuid(rule->leaf, rule->sub == ANY ? 0 : rule->sub, to->r);
	}
	for (unsigned k = 0; k < 4; k++)
		to->r[k] &= rule->mask[k];
	if (rule->adjust)
		rule->adjust(v, to->r);
}

void cpuid_setup(const struct vcpu *v)
{
	struct cpuid_answer *first = answers;

	for (unsigned i = 0; i < GROUP; i++)
		basic[i] = extended[i] = hypervisor[i] = answers;
	for (unsigned i = 0; i < RULES; i++) {
		const struct cpuid_rule *rule = &rules[i];

		answer(v, rule, &answers[1 + i]);
		answers[1 + i].varied = answers[1 + i].live;
		answers[1 + i].cr4 = rule->leaf == 1 ? CR4_OSXSAVE : 0;
		if (rule->sub == ANY || rule->sub == 0) {
			const struct cpuid_answer **place = place_of(rule->leaf);

			ASSERT(place);
			*place = first = &answers[1 + i];
		}
		if (rule->sub != ANY) {
			first->subs = rule->sub + 1;
			first->varied = true;
		}
	}
}

#define EDX_APIC BIT(9)

static void apic_bit(uint32_t leaf, bool on)
{
	const struct cpuid_answer **place = place_of(leaf);
	ASSERT(place);
	uint32_t *edx = &answers[*place - answers].r[3];

	*edx = on ? *edx | EDX_APIC : *edx & ~EDX_APIC;
}

void cpuid_apic(const struct vcpu *v)
{
	bool on = vlapic_enabled(pc_vlapic(v->vm->pc));

	apic_bit(1, on);
	if (v->cpu->features.virt == VIRT_SVM) /* AMD's CPUs have it there once more */
		apic_bit(0x80000001, on);
}

/* The guest never changes OSXSAVE without an exit, so v->cr4 has it right also while the group is not available. */
static inline void give(struct vcpu *v, const struct cpuid_answer *a)
{
	v->gpr[RAX] = a->r[0];
	v->gpr[RBX] = a->r[1];
	v->gpr[RCX] = a->r[2] | (v->cr4 & a->cr4) * (F1_ECX_OSXSAVE / CR4_OSXSAVE);
	v->gpr[RDX] = a->r[3];
}

/* Of a leaf with subleaves, or whose answer depends on the guest's state. */
static __attribute__((noinline)) bool give_varied(struct vcpu *v, const struct cpuid_answer *a)
{
	uint32_t sub = (uint32_t)v->gpr[RCX];

	if (a->subs)
		a = sub < a->subs ? a + sub : answers;
	give(v, a);
	if (a->live)
		a->live(v);
	return exit_skip(v);
}

static const struct cpuid_answer *high(uint32_t leaf)
{
	const struct cpuid_answer **place = place_of(leaf);

	return place ? *place : answers;
}

bool exit_cpuid(struct vcpu *v)
{
	uint32_t leaf = (uint32_t)v->gpr[RAX];
	const struct cpuid_answer *a = leaf < GROUP ? basic[leaf] : high(leaf);

	if (a->varied)
		return give_varied(v, a);
	give(v, a);
	return exit_skip(v);
}

uint64_t cpuid_xcr0_mask(void)
{
	const struct cpu_features *f = &this_cpu()->features;
	uint32_t r[4];

	if (!f->xsave)
		return 0;
	cpuid(0xd, 0, r);
	return r[0] & (XCR0_X87 | XCR0_SSE | XCR0_AVX);
}

uint64_t cpuid_cr4_mask(const struct vcpu *v)
{
	const struct cpu_features *f = &v->cpu->features;
	uint64_t mask = CR4_VME | CR4_PVI | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE | CR4_PGE | CR4_PCE | CR4_OSFXSR |
			CR4_OSXMMEXCPT;
	uint32_t r[4] = { 0 };

	if (f->max_leaf >= 7)
		cpuid(7, 0, r);
	mask |= (r[1] & BIT(0) ? CR4_FSGSBASE : 0) | (f->smep ? CR4_SMEP : 0) | (f->smap ? CR4_SMAP : 0) | (f->umip ? CR4_UMIP : 0);
	return mask | (cpuid_xcr0_mask() ? CR4_OSXSAVE : 0);
}

bool cpuid_has_tsc_aux(void)
{
	uint32_t r[4];

	if (this_cpu()->features.max_ext_leaf < 0x80000001)
		return false;
	cpuid(0x80000001, 0, r);
	return r[3] & BIT(27);
}
