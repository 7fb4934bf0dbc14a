/*
 * Every VM exit that the VMM handles, seen from inside: each instruction or event must do what it does on a CPU without a
 * hypervisor. Runs on a bare machine too, where the CPU itself is the reference; what it lacks is skipped.
 */
#include "guest-tests/exits/exits.h"

int main(void);

static struct prng prng = { 0x5eed };

#define FLAGS_ARITHMETIC 0xcd5ull /* CF PF AF ZF SF DF OF */

void regs_random(struct regs *r)
{
	uint64_t *p = (uint64_t *)r;

	for (unsigned i = 0; i < sizeof(*r) / 8; i++)
		p[i] = (uint64_t)prng_next(&prng) << 32 | prng_next(&prng);
	r->rflags = (r->rflags & FLAGS_ARITHMETIC) | RFLAGS_FIXED;
}

void expect_regs(const char *what, const struct regs *after, const struct regs *before, uint32_t changed)
{
	static const char *const name[] = { "RAX", "RBX", "RCX", "RDX", "RSI", "RDI", "RBP", "R8",
					    "R9",  "R10", "R11", "R12", "R13", "R14", "R15", "RFLAGS" };
	const uint64_t *a = (const uint64_t *)after, *b = (const uint64_t *)before;

	for (unsigned i = 0; i < sizeof(name) / sizeof(name[0]); i++)
		if (!(changed >> i & 1))
			expect(a[i] == b[i], "%s changed %s from 0x%lx to 0x%lx", what, name[i], b[i], a[i]);
}

int main(void)
{
	static const struct test *const subjects[] = {
		cpuid_tests,	   msr_tests,	    cr_tests,	      xcr_tests,   string_io_tests, io_tests,
		irq_tests,	   exception_tests, page_fault_tests, ring3_tests, debug_tests,	    table_tests,
		instruction_tests, hyper_tests,	    fpu_tests,	      mmio_tests,  mode_tests,	    vram_tests,
	};
	const char *why;

	guest_init();
	why = heads_find();
	check(!why, "heads", why);
	for (unsigned i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++)
		tests_run(subjects[i]);
	print("%u failed\n", tests_failed());
	return tests_failed() ? 1 : 0;
}
