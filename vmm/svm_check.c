#include "vmm/svm_check.h"

#include <errno.h>
#include <stdio.h>

#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/svm_vmcb.h"
#include "vmm/vcpu.h"

#define IOPM_BYTES 0x3000ull
#define MSRPM_BYTES 0x2000ull

/* Vectors of AMD's exceptions: what EVENTINJ may inject as one (APM vol. 2, table 8-1). */
#define EXCEPTION_VECTORS 0x702f7dfbu

static bool beyond_memory(const struct svm_check *s, uint64_t base, uint64_t bytes)
{
	uint64_t limit = 1ull << s->phys_bits;

	base &= ~PAGE_MASK;
	return base >= limit || limit - base < bytes;
}

static bool mode_64(const struct svm_check *s)
{
	return (s->efer & EFER_LME) && (s->cr0 & CR0_PG) && s->cs_l;
}

static bool exception_injected(const struct svm_check *s)
{
	return (s->event_inj & EVENT_VALID) && EVENT_TYPE(s->event_inj) == EVENT_EXCEPTION;
}

static bool event_type_reserved(const struct svm_check *s)
{
	unsigned type = EVENT_TYPE(s->event_inj);

	return (s->event_inj & EVENT_VALID) && type != EVENT_IRQ && type != EVENT_NMI && type != EVENT_EXCEPTION &&
	       type != EVENT_SOFT_INT;
}

static bool event_no_exception(const struct svm_check *s)
{
	uint8_t vector = EVENT_VECTOR(s->event_inj);

	return exception_injected(s) && (vector > 31 || !(EXCEPTION_VECTORS >> vector & 1));
}

/* INTO and BOUND, the only sources of #OF and #BR, do not exist in 64-bit mode. */
static bool event_impossible(const struct svm_check *s)
{
	uint8_t vector = EVENT_VECTOR(s->event_inj);

	return exception_injected(s) && mode_64(s) && (vector == VEC_OF || vector == VEC_BR);
}

/* Types 0, 1, 4 - 7 in each of eight bytes. */
static bool pat_bad(const struct svm_check *s)
{
	for (unsigned i = 0; i < 64; i += 8) {
		uint8_t type = (uint8_t)(s->g_pat >> i);

		if (type > 7 || type == 2 || type == 3)
			return s->nested_paging;
	}
	return false;
}

/* The rules, in the order of 15.5.1, then 15.25.3: name, field whose value is shown, text, what breaks it. */
/* clang-format off */
#define RULES(rule)                                                                                                                \
	rule(svme, efer, "EFER.SVME is 0", !(s->efer & EFER_SVME))                                                                 \
	rule(nw, cr0, "CR0.NW is 1 while CR0.CD is 0", (s->cr0 & CR0_NW) && !(s->cr0 & CR0_CD))                                    \
	rule(cr0_high, cr0, "CR0[63:32] must be zero", s->cr0 >> 32)                                                               \
	rule(cr3_mbz, cr3, "CR3 has bits beyond the physical address width", s->cr3 >> s->phys_bits)                               \
	rule(cr4_mbz, cr4, "CR4 has bits that this CPU reserves", s->cr4 & ~s->cr4_valid)                                          \
	rule(cet_wp, cr4, "CR4.CET is 1 while CR0.WP is 0", (s->cr4 & CR4_CET) && !(s->cr0 & CR0_WP))                              \
	rule(dr6_high, dr6, "DR6[63:32] must be zero", s->dr6 >> 32)                                                               \
	rule(dr7_high, dr7, "DR7[63:32] must be zero", s->dr7 >> 32)                                                               \
	rule(no_long, efer, "EFER.LME or EFER.LMA is 1 on a CPU without long mode",                                                \
	     !s->long_mode && (s->efer & (EFER_LME | EFER_LMA)))                                                                   \
	rule(efer_mbz, efer, "EFER has bits that this CPU reserves", s->efer & ~s->efer_valid)                                     \
	rule(long_pae, cr4, "EFER.LME and CR0.PG are 1 while CR4.PAE is 0",                                                        \
	     (s->efer & EFER_LME) && (s->cr0 & CR0_PG) && !(s->cr4 & CR4_PAE))                                                     \
	rule(long_pe, cr0, "EFER.LME and CR0.PG are 1 while CR0.PE is 0",                                                          \
	     (s->efer & EFER_LME) && (s->cr0 & CR0_PG) && !(s->cr0 & CR0_PE))                                                      \
	rule(cs_l_d, efer, "CS.L and CS.D are both 1 in long mode", mode_64(s) && (s->cr4 & CR4_PAE) && s->cs_d)                   \
	rule(vmrun, vmrun_intercept, "the intercept of VMRUN is off", !s->vmrun_intercept)                                         \
	rule(iopm_far, iopm, "the I/O permission map is not in physical memory", beyond_memory(s, s->iopm, IOPM_BYTES))            \
	rule(msrpm_far, msrpm, "the MSR permission map is not in physical memory", beyond_memory(s, s->msrpm, MSRPM_BYTES))        \
	rule(event_type, event_inj, "EVENTINJ has a reserved type", event_type_reserved(s))                                        \
	rule(event_vector, event_inj, "EVENTINJ's vector is no exception", event_no_exception(s))                                  \
	rule(event_mode, event_inj, "EVENTINJ's exception cannot occur in 64-bit mode", event_impossible(s))                       \
	rule(asid_zero, asid, "ASID 0 is the host's", !s->asid)                                                                    \
	rule(ncr3_mbz, ncr3, "nCR3 has bits beyond the physical address width", s->nested_paging && s->ncr3 >> s->phys_bits)       \
	rule(pat, g_pat, "G_PAT has a memory type that does not exist", pat_bad(s))
/* clang-format on */

#define RULE_BROKEN(id, field, text, condition)                                                                                    \
	static bool broken_##id(const struct svm_check *s)                                                                         \
	{                                                                                                                          \
		return condition;                                                                                                  \
	}
#define RULE_VALUE(id, field, text, condition)                                                                                     \
	static unsigned long long value_##id(const struct svm_check *s)                                                            \
	{                                                                                                                          \
		return s->field;                                                                                                   \
	}
#define RULE_ROW(id, field, text, condition) { #field, text, broken_##id, value_##id },

RULES(RULE_BROKEN)
RULES(RULE_VALUE)

static const struct {
	const char *field, *text;
	bool (*broken)(const struct svm_check *s);
	unsigned long long (*value)(const struct svm_check *s);
} rules[] = { RULES(RULE_ROW) };

int svm_check(const struct svm_check *s, char *why, size_t size)
{
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].broken(s)) {
			snprintf(why, size, "%s = 0x%llx: %s", rules[i].field, rules[i].value(s), rules[i].text);
			return -EINVAL;
		}
	return 0;
}
