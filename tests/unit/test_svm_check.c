/* VMRUN's consistency rules: states that a CPU enters pass, and every rule broken alone is found and named. */
/* links: vmm/svm_check.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/svm_check.h"
#include "vmm/svm_vmcb.h"
#include "vmm/vcpu.h"

#define CR4_OF_CPU (0x7ffull | CR4_UMIP | CR4_FSGSBASE | CR4_OSXSAVE | CR4_SMEP | CR4_SMAP | CR4_CET)
#define EFER_OF_CPU (EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE | EFER_SVME | EFER_FFXSR)

/* What all modes have in common. */
static struct svm_check base(void)
{
	return (struct svm_check){
		.phys_bits = 40,
		.long_mode = true,
		.cr4_valid = CR4_OF_CPU,
		.efer_valid = EFER_OF_CPU,
		.vmrun_intercept = true,
		.asid = 1,
		.iopm = 0x10000000,
		.msrpm = 0x10003000,
		.nested_paging = true,
		.ncr3 = 0x10006000,
		.g_pat = 0x0007040600070406,
		.dr6 = DR6_FIXED,
		.dr7 = DR7_FIXED,
		.efer = EFER_SVME,
	};
}

static struct svm_check long_mode(void)
{
	struct svm_check s = base();

	s.efer |= EFER_LME | EFER_LMA | EFER_NXE | EFER_SCE;
	s.cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_NE | CR0_WP;
	s.cr3 = 0x1000;
	s.cr4 = CR4_PAE | CR4_PGE;
	s.cs_l = true;
	return s;
}

static struct svm_check pae(void)
{
	struct svm_check s = base();

	s.efer |= EFER_NXE;
	s.cr0 = CR0_PE | CR0_PG | CR0_ET;
	s.cr3 = 0x2020;
	s.cr4 = CR4_PAE;
	s.cs_d = true;
	return s;
}

static struct svm_check protected32(void)
{
	struct svm_check s = base();

	s.cr0 = CR0_PE | CR0_ET;
	s.cs_d = true;
	return s;
}

static struct svm_check real_mode(void)
{
	struct svm_check s = base();

	s.cr0 = CR0_CD | CR0_NW | CR0_ET;
	return s;
}

static struct svm_check (*const modes[])(void) = { long_mode, pae, protected32, real_mode };
#define MODES (sizeof(modes) / sizeof(modes[0]))

static void valid_states_pass(void **state)
{
	(void)state;
	for (size_t i = 0; i < MODES; i++) {
		struct svm_check s = modes[i]();
		char why[256] = "";

		assert_int_equal(svm_check(&s, why, sizeof(why)), 0);
		assert_string_equal(why, "");
	}
}

/* Legal, though it looks odd. */
static void odd_but_legal(void **state)
{
	struct svm_check s;
	char why[256];

	(void)state;
	s = real_mode(); /* 15.19: paged real mode exists under VMRUN */
	s.cr0 = CR0_PG | CR0_ET;
	assert_int_equal(svm_check(&s, why, sizeof(why)), 0);
	s = protected32(); /* long mode enabled, not active: no PAE needed yet, and L and D mean nothing together */
	s.efer |= EFER_LME;
	s.cs_l = s.cs_d = true;
	assert_int_equal(svm_check(&s, why, sizeof(why)), 0);
	s = long_mode();
	s.cr0 |= CR0_CD;
	assert_int_equal(svm_check(&s, why, sizeof(why)), 0);
	s = long_mode(); /* compatibility mode */
	s.cs_l = false;
	s.cs_d = true;
	assert_int_equal(svm_check(&s, why, sizeof(why)), 0);
	s = long_mode(); /* maps that end at the last byte */
	s.iopm = (1ull << 40) - 0x3000;
	s.msrpm = (1ull << 40) - 0x2000;
	assert_int_equal(svm_check(&s, why, sizeof(why)), 0);
	s = long_mode(); /* not looked at without nested paging */
	s.nested_paging = false;
	s.ncr3 = ~0ull;
	s.g_pat = ~0ull;
	assert_int_equal(svm_check(&s, why, sizeof(why)), 0);
	s = long_mode();
	s.phys_bits = 52;
	s.cr3 = (1ull << 52) - 4096;
	assert_int_equal(svm_check(&s, why, sizeof(why)), 0);
}

/* Each breaks one rule; modes: which of the four it can be broken in, one bit each. */
enum { M_LONG = 1, M_PAE = 2, M_32 = 4, M_REAL = 8, M_ANY = 15 };

#define BREAK(id, statement)                                                                                                       \
	static void break_##id(struct svm_check *s)                                                                                \
	{                                                                                                                          \
		statement;                                                                                                         \
	}
BREAK(svme, s->efer &= ~EFER_SVME)
BREAK(nw, s->cr0 = (s->cr0 | CR0_NW) & ~CR0_CD)
BREAK(cr0_bit32, s->cr0 |= 1ull << 32)
BREAK(cr0_bit63, s->cr0 |= 1ull << 63)
BREAK(cr3_width, s->cr3 |= 1ull << 40)
BREAK(cr3_bit63, s->cr3 |= 1ull << 63)
BREAK(cr4_la57, s->cr4 |= CR4_LA57)
BREAK(cr4_vmxe, s->cr4 |= CR4_VMXE)
BREAK(cr4_high, s->cr4 |= 1ull << 32)
BREAK(cet_wp, s->cr4 |= CR4_CET; s->cr0 &= ~CR0_WP)
BREAK(dr6, s->dr6 |= 1ull << 32)
BREAK(dr7, s->dr7 |= 1ull << 63)
BREAK(no_long_lme, s->long_mode = false; s->efer |= EFER_LME)
BREAK(no_long_lma, s->long_mode = false; s->efer = (s->efer | EFER_LMA) & ~EFER_LME)
BREAK(efer_bit1, s->efer |= 2)
BREAK(efer_tce, s->efer |= EFER_TCE)
BREAK(efer_high, s->efer |= 1ull << 40)
BREAK(long_pae, s->cr4 &= ~CR4_PAE)
BREAK(pae_long, s->efer |= EFER_LME; s->cr4 &= ~CR4_PAE)
BREAK(long_pe, s->cr0 &= ~CR0_PE)
BREAK(real_long, s->efer |= EFER_LME; s->cr0 |= CR0_PG; s->cr4 |= CR4_PAE)
BREAK(cs, s->cs_d = true)
BREAK(vmrun, s->vmrun_intercept = false)
BREAK(iopm_beyond, s->iopm = 1ull << 40)
BREAK(iopm_end, s->iopm = (1ull << 40) - 0x2000)
BREAK(msrpm_beyond, s->msrpm = ~0ull)
BREAK(msrpm_end, s->msrpm = (1ull << 40) - 0x1000)
BREAK(type_1, s->event_inj = EVENT_VALID | 1 << 8)
BREAK(type_7, s->event_inj = EVENT_VALID | 7 << 8)
BREAK(vector_nmi, s->event_inj = EVENT_VALID | EVENT_EXCEPTION << 8 | 2)
BREAK(vector_15, s->event_inj = EVENT_VALID | EVENT_EXCEPTION << 8 | 15)
BREAK(vector_32, s->event_inj = EVENT_VALID | EVENT_EXCEPTION << 8 | 32)
BREAK(vector_255, s->event_inj = EVENT_VALID | EVENT_EXCEPTION << 8 | 255)
BREAK(bound_64, s->event_inj = EVENT_VALID | EVENT_EXCEPTION << 8 | VEC_BR)
BREAK(into_64, s->event_inj = EVENT_VALID | EVENT_EXCEPTION << 8 | VEC_OF)
BREAK(asid, s->asid = 0)
BREAK(ncr3, s->ncr3 |= 1ull << 40)
BREAK(pat_first, s->g_pat = 0x0007040600070402)
BREAK(pat_last, s->g_pat = 0x0807040600070406)
BREAK(pat_high, s->g_pat = 0x0007040686070406)

static const struct {
	unsigned modes;
	void (*broken)(struct svm_check *s);
	const char *field, *rule;
} breaks[] = {
	{ M_ANY, break_svme, "efer", "SVME" },
	{ M_ANY, break_nw, "cr0", "CR0.NW" },
	{ M_ANY, break_cr0_bit32, "cr0", "CR0[63:32]" },
	{ M_ANY, break_cr0_bit63, "cr0", "CR0[63:32]" },
	{ M_ANY, break_cr3_width, "cr3", "physical address width" },
	{ M_ANY, break_cr3_bit63, "cr3", "physical address width" },
	{ M_ANY, break_cr4_la57, "cr4", "reserves" },
	{ M_ANY, break_cr4_vmxe, "cr4", "reserves" },
	{ M_ANY, break_cr4_high, "cr4", "reserves" },
	{ M_ANY, break_cet_wp, "cr4", "CR0.WP" },
	{ M_ANY, break_dr6, "dr6", "DR6" },
	{ M_ANY, break_dr7, "dr7", "DR7" },
	{ M_LONG | M_32, break_no_long_lme, "efer", "without long mode" },
	{ M_ANY, break_no_long_lma, "efer", "without long mode" },
	{ M_ANY, break_efer_bit1, "efer", "reserves" },
	{ M_ANY, break_efer_tce, "efer", "reserves" },
	{ M_ANY, break_efer_high, "efer", "reserves" },
	{ M_LONG, break_long_pae, "cr4", "CR4.PAE is 0" },
	{ M_PAE, break_pae_long, "cr4", "CR4.PAE is 0" },
	{ M_LONG, break_long_pe, "cr0", "CR0.PE is 0" },
	{ M_REAL, break_real_long, "cr0", "CR0.PE is 0" },
	{ M_LONG, break_cs, "efer", "CS.L and CS.D" },
	{ M_ANY, break_vmrun, "vmrun_intercept", "VMRUN" },
	{ M_ANY, break_iopm_beyond, "iopm", "I/O permission map" },
	{ M_ANY, break_iopm_end, "iopm", "I/O permission map" },
	{ M_ANY, break_msrpm_beyond, "msrpm", "MSR permission map" },
	{ M_ANY, break_msrpm_end, "msrpm", "MSR permission map" },
	{ M_ANY, break_type_1, "event_inj", "reserved type" },
	{ M_ANY, break_type_7, "event_inj", "reserved type" },
	{ M_ANY, break_vector_nmi, "event_inj", "no exception" },
	{ M_ANY, break_vector_15, "event_inj", "no exception" },
	{ M_ANY, break_vector_32, "event_inj", "no exception" },
	{ M_ANY, break_vector_255, "event_inj", "no exception" },
	{ M_LONG, break_bound_64, "event_inj", "64-bit mode" },
	{ M_LONG, break_into_64, "event_inj", "64-bit mode" },
	{ M_ANY, break_asid, "asid", "ASID" },
	{ M_ANY, break_ncr3, "ncr3", "nCR3" },
	{ M_ANY, break_pat_first, "g_pat", "G_PAT" },
	{ M_ANY, break_pat_last, "g_pat", "G_PAT" },
	{ M_ANY, break_pat_high, "g_pat", "G_PAT" },
};

static void each_rule_is_found(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(breaks) / sizeof(breaks[0]); i++)
		for (size_t m = 0; m < MODES; m++) {
			struct svm_check s = modes[m]();
			char why[256] = "", field[64];

			if (!(breaks[i].modes >> m & 1))
				continue;
			breaks[i].broken(&s);
			if (svm_check(&s, why, sizeof(why)) != -EINVAL)
				fail_msg("break %zu in mode %zu is not found", i, m);
			snprintf(field, sizeof(field), "%s = 0x", breaks[i].field);
			if (strncmp(why, field, strlen(field)) || !strstr(why, breaks[i].rule))
				fail_msg("break %zu in mode %zu: \"%s\"", i, m, why);
		}
}

static void legal_events_pass(void **state)
{
	static const uint64_t events[] = {
		0,
		7 << 8 | 255, /* not valid: not looked at */
		EVENT_VALID | EVENT_IRQ << 8 | 0xff,
		EVENT_VALID | EVENT_NMI << 8 | 2,
		EVENT_VALID | EVENT_SOFT_INT << 8 | 0x80,
		EVENT_VALID | EVENT_EXCEPTION << 8 | VEC_DE,
		EVENT_VALID | EVENT_EXCEPTION << 8 | VEC_DB,
		EVENT_VALID | EVENT_EXCEPTION << 8 | VEC_UD,
		EVENT_VALID | EVENT_EXCEPTION << 8 | VEC_DF | EVENT_EV,
		EVENT_VALID | EVENT_EXCEPTION << 8 | VEC_PF | EVENT_EV | 7ull << EVENT_ERROR_SHIFT,
		EVENT_VALID | EVENT_EXCEPTION << 8 | VEC_SX | EVENT_EV,
	};
	char why[256];

	(void)state;
	for (size_t i = 0; i < sizeof(events) / sizeof(events[0]); i++)
		for (size_t m = 0; m < MODES; m++) {
			struct svm_check s = modes[m]();

			s.event_inj = events[i];
			assert_int_equal(svm_check(&s, why, sizeof(why)), 0);
		}
	for (size_t m = 1; m < MODES; m++) { /* possible outside 64-bit mode */
		struct svm_check s = modes[m]();

		s.event_inj = EVENT_VALID | EVENT_EXCEPTION << 8 | VEC_BR;
		assert_int_equal(svm_check(&s, why, sizeof(why)), 0);
	}
}

static void the_text_shows_the_value_and_fits(void **state)
{
	struct svm_check s = long_mode();
	char why[256], small[8];

	(void)state;
	s.cr4 = 0xabcd0020ull << 24 | CR4_PAE;
	assert_int_equal(svm_check(&s, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "cr4 = 0xabcd0020000020:"));
	assert_int_equal(svm_check(&s, small, sizeof(small)), -EINVAL);
	assert_string_equal(small, "cr4 = 0");
}

/* The first rule in the manual's order is the one that is told. */
static void several_at_once(void **state)
{
	struct svm_check s = long_mode();
	char why[256];

	(void)state;
	s.asid = 0;
	s.dr7 = ~0ull;
	s.efer = 0;
	assert_int_equal(svm_check(&s, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "SVME"));
	s.efer = EFER_SVME;
	assert_int_equal(svm_check(&s, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "DR7"));
}

/* The setters are what keeps clean bits honest: each change clears exactly its own, and no change clears none. */
static void setters_clear_their_clean_bit(void **state)
{
	static struct vmcb b;

	(void)state;
	memset(&b, 0, sizeof(b));
	vmcb_set_clean(&b, CLEAN_ALL);
	vmcb_set_cr0(&b, 0);
	vmcb_set_rip(&b, 0x1234);
	vmcb_set_tlb_control(&b, TLB_FLUSH_ALL);
	vmcb_intercept(&b, 0x72, false);
	assert_int_equal(b.control.clean, CLEAN_ALL);
	vmcb_set_cr0(&b, 1);
	assert_int_equal(b.control.clean, CLEAN_ALL & ~CLEAN_CR);
	vmcb_set_clean(&b, CLEAN_ALL);
	vmcb_intercept(&b, 0x72, true);
	assert_int_equal(b.control.clean, CLEAN_ALL & ~CLEAN_INTERCEPTS);
	assert_int_equal(b.control.intercept[3], 1u << 18); /* 00Ch, bit 18: CPUID */
	assert_true(vmcb_intercepts(&b, 0x72));
	assert_false(vmcb_intercepts(&b, 0x73));
	vmcb_set_clean(&b, CLEAN_ALL);
	vmcb_set_cpl(&b, 3);
	vmcb_set_dr7(&b, 0x400);
	vmcb_set_g_pat(&b, 6);
	vmcb_set_asid(&b, 2);
	vmcb_set_int_ctl(&b, INT_CTL_IRQ);
	vmcb_set_cr2(&b, 4);
	vmcb_set_iopm(&b, 0x1000);
	vmcb_set_gdtr(&b, (struct vmcb_segment){ .limit = 7 });
	vmcb_set_debugctl(&b, 1);
	assert_int_equal(b.control.clean, CLEAN_ALL & ~(CLEAN_SEG | CLEAN_DR | CLEAN_NP | CLEAN_ASID | CLEAN_TPR | CLEAN_CR2 |
							CLEAN_IOPM | CLEAN_DT | CLEAN_LBR));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_states_pass),
		cmocka_unit_test(odd_but_legal),
		cmocka_unit_test(each_rule_is_found),
		cmocka_unit_test(legal_events_pass),
		cmocka_unit_test(the_text_shows_the_value_and_fits),
		cmocka_unit_test(several_at_once),
		cmocka_unit_test(setters_clear_their_clean_bit),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
