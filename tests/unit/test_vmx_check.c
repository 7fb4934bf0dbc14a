/* The rules of VM entries for guest state: valid states of every mode pass, and each rule broken alone is the one that is named. */
/* links: vmm/vmx_check.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/vmx_check.h"
#include "vmm/vmx_vmcs.h"

enum base { LONG64, COMPAT, PROT32, PAE, FLAT, REAL, V86, BASES };

static const char *const base_names[BASES] = { "64-bit", "compatibility", "32-bit", "PAE", "paging off", "real", "virtual-8086" };

static void set_segments(struct vmx_guest_state *s, uint32_t cs, uint32_t data)
{
	for (unsigned n = SEG_ES; n <= SEG_GS; n++)
		s->seg[n] = (struct vsegment){ .sel = n == SEG_CS ? 8 : 16, .attr = n == SEG_CS ? cs : data, .limit = 0xffffffff };
}

/* A state that a CPU would enter: 46 physical address bits, 48 linear. */
static struct vmx_guest_state make(enum base b)
{
	struct vmx_guest_state s = {
		.cr0 = CR0_PE | CR0_NE | CR0_ET | CR0_PG,
		.cr3 = 0x1000,
		.cr4 = CR4_VMXE,
		.dr7 = 0x400,
		.pat = 0x0007040600070406,
		.gdtr = { 0x2000, 0x7f },
		.idtr = { 0x3000, 0xfff },
		.rip = 0x100000,
		.rflags = RFLAGS_ONE,
		.link_pointer = ~0ull,
		.unrestricted = b == REAL || b == FLAT,
		.ept = true,
		.virtual_nmis = true,
		.cr0_fixed0 = CR0_PE | CR0_NE | CR0_PG,
		.cr0_fixed1 = 0xffffffff,
		.cr4_fixed0 = CR4_VMXE,
		.cr4_fixed1 = 0x3767ff | CR4_CET,
		.phys_bits = 46,
		.linear_bits = 48,
		.activities = 7,
	};

	set_segments(&s, 0xc09b, 0xc093);
	s.seg[SEG_LDTR] = (struct vsegment){ .attr = SEG_ATTR_UNUSABLE };
	s.seg[SEG_TR] = (struct vsegment){ .sel = 0x18, .attr = 0x8b, .limit = 0x67 };
	switch (b) {
	case LONG64:
		s.seg[SEG_CS].attr = 0xa09b;
		s.rip = 0xffffffff80000000;
		s.seg[SEG_GS].base = 0xffff888000000000;
		__attribute__((fallthrough));
	case COMPAT:
		s.ia32e = true;
		s.efer = EFER_LME | EFER_LMA | EFER_SCE;
		s.cr4 |= CR4_PAE;
		break;
	case PAE:
		s.cr4 |= CR4_PAE;
		s.pdpte[0] = 0x5001;
		break;
	case FLAT: s.cr0 &= ~CR0_PG; break;
	case REAL:
		s.cr0 &= ~(CR0_PG | CR0_PE);
		set_segments(&s, 0x93, 0x93);
		for (unsigned n = SEG_ES; n <= SEG_GS; n++)
			s.seg[n].limit = 0xffff;
		s.rip = 0xfff0;
		break;
	case V86:
		s.rflags |= RFLAGS_VM;
		for (unsigned n = SEG_ES; n <= SEG_GS; n++)
			s.seg[n] = (struct vsegment){ .sel = 0x1234, .attr = 0xf3, .limit = 0xffff, .base = 0x12340 };
		s.rip = 0x100;
		break;
	default: break;
	}
	return s;
}

/* One or more fields set to values that break one rule. */
struct change {
	uint16_t offset;
	uint8_t size;
	uint64_t value;
};

#define SET(field, v)                                                                                                              \
	{                                                                                                                          \
		offsetof(struct vmx_guest_state, field), sizeof(((struct vmx_guest_state *)0)->field), v                           \
	}
#define EVENT(type, vector) (EVENT_INFO_VALID | (type) << 8 | (vector))
#define FIXED1_ALL SET(cr4_fixed1, ~0ull)

static const struct broken_case {
	enum base base;
	const char *field, *rule; /* both must be in the text */
	struct change set[4];
} cases[] = {
	/* 27.3.1.1 */
	{ LONG64, "CR0", "FIXED0", { SET(cr0, CR0_PE | CR0_PG) } },
	{ LONG64, "CR0", "FIXED0", { SET(cr0, CR0_NE | CR0_PG) } },
	{ PROT32, "CR0", "FIXED0", { SET(cr0, CR0_PE | CR0_NE) } },
	{ LONG64, "CR0", "FIXED1", { SET(cr0, 1ull << 32 | CR0_PE | CR0_NE | CR0_PG) } },
	{ REAL, "CR0", "PG is set without PE", { SET(cr0, CR0_NE | CR0_PG) } },
	{ LONG64, "CR4", "FIXED0", { SET(cr4, CR4_PAE) } },
	{ LONG64, "CR4", "FIXED1", { SET(cr4, CR4_VMXE | CR4_PAE | CR4_LA57) } },
	{ LONG64, "CR4", "CET", { SET(cr4, CR4_VMXE | CR4_PAE | CR4_CET) } },
	{ LONG64, "CR0", "needs PG", { SET(cr0, CR0_PE | CR0_NE), SET(unrestricted, 1) } },
	{ LONG64, "CR4", "needs PAE", { SET(cr4, CR4_VMXE) } },
	{ PROT32, "CR4", "PCIDE", { SET(cr4, CR4_VMXE | CR4_PCIDE), FIXED1_ALL } },
	{ LONG64, "CR3", "physical-address width", { SET(cr3, 1ull << 46) } },
	{ PROT32, "CR3", "physical-address width", { SET(cr3, 1ull << 63) } },
	{ LONG64, "IA32_DEBUGCTL", "reserved", { SET(debugctl, 1u << 3) } },
	{ LONG64, "IA32_DEBUGCTL", "reserved", { SET(debugctl, 1u << 16) } },
	{ LONG64, "DR7", "63:32", { SET(dr7, 1ull << 32) } },
	{ LONG64, "IA32_SYSENTER_ESP", "canonical", { SET(sysenter_esp, 1ull << 47) } },
	{ REAL, "IA32_SYSENTER_EIP", "canonical", { SET(sysenter_eip, 1ull << 63) } },
	{ LONG64, "IA32_PAT", "none of", { SET(pat, 0x0207040600070406) } },
	{ LONG64, "IA32_PAT", "none of", { SET(pat, 3) } },
	{ LONG64, "IA32_PAT", "none of", { SET(pat, 8) } },
	{ LONG64, "IA32_EFER", "reserved", { SET(efer, EFER_LME | EFER_LMA | EFER_SVME) } },
	{ LONG64, "IA32_EFER", "LMA differs", { SET(efer, EFER_LME) } },
	{ PROT32, "IA32_EFER", "LMA differs", { SET(efer, EFER_LME | EFER_LMA) } },
	{ LONG64, "IA32_EFER", "what LME is", { SET(efer, EFER_LMA) } },
	{ PROT32, "IA32_EFER", "what LME is", { SET(efer, EFER_LME) } },
	/* 27.3.1.2, virtual-8086 mode */
	{ V86, "CS base", "times 16", { SET(seg[SEG_CS].base, 0x12341) } },
	{ V86, "GS limit", "ffff", { SET(seg[SEG_GS].limit, 0xfffff) } },
	{ V86, "ES access rights", "f3", { SET(seg[SEG_ES].attr, 0x93) } },
	/* CS */
	{ LONG64, "CS base", "63:32", { SET(seg[SEG_CS].base, 1ull << 32) } },
	{ LONG64, "CS access rights", "9, 11, 13 or 15", { SET(seg[SEG_CS].attr, 0xa093) } },
	{ REAL, "CS access rights", "3, 9, 11, 13 or 15", { SET(seg[SEG_CS].attr, 0x97) } },
	{ LONG64, "CS access rights", "S must be set", { SET(seg[SEG_CS].attr, 0xa08b) } },
	{ REAL, "CS access rights", "DPL must be 0", { SET(seg[SEG_CS].attr, 0xf3) } },
	{ LONG64, "CS access rights", "non-conforming", { SET(seg[SEG_CS].attr, 0xa0fb) } },
	{ LONG64, "CS access rights", "must not exceed", { SET(seg[SEG_CS].attr, 0xa0ff) } },
	{ LONG64, "CS access rights", "P must be set", { SET(seg[SEG_CS].attr, 0xa01b) } },
	{ LONG64, "CS access rights", "bits 11:8", { SET(seg[SEG_CS].attr, 0xa19b) } },
	{ LONG64, "CS access rights", "bits 11:8", { SET(seg[SEG_CS].attr, 1u << 17 | 0xa09b) } },
	{ LONG64, "CS limit", "11:0", { SET(seg[SEG_CS].limit, 0xfffffffe) } },
	{ REAL, "CS limit", "below 100000", { SET(seg[SEG_CS].limit, 0x100000) } },
	{ LONG64, "CS access rights", "L and D", { SET(seg[SEG_CS].attr, 0xe09b) } },
	/* SS */
	{ PROT32, "SS selector", "RPL", { SET(seg[SEG_SS].sel, 3) } },
	{ PROT32, "SS access rights", "selector's RPL", { SET(seg[SEG_SS].attr, 0xc0b3), SET(seg[SEG_CS].attr, 0xc0bb) } },
	{ REAL, "SS access rights", "DPL must be 0", { SET(seg[SEG_SS].attr, 0xf3), SET(seg[SEG_CS].attr, 0xfb) } },
	{ FLAT, "SS access rights", "DPL must be 0", { SET(seg[SEG_SS].attr, 0xc0f3), SET(seg[SEG_CS].attr, 0xc093) } },
	{ LONG64, "SS base", "63:32", { SET(seg[SEG_SS].base, 1ull << 32) } },
	{ LONG64, "SS access rights", "3 or 7", { SET(seg[SEG_SS].attr, 0xc091) } },
	{ LONG64, "SS access rights", "S must be set", { SET(seg[SEG_SS].attr, 0xc083) } },
	{ LONG64, "SS access rights", "P must be set", { SET(seg[SEG_SS].attr, 0xc013) } },
	{ LONG64, "SS limit", "11:0", { SET(seg[SEG_SS].limit, 0) } },
	/* DS, ES, FS, GS */
	{ LONG64, "DS base", "63:32", { SET(seg[SEG_DS].base, 1ull << 40) } },
	{ LONG64, "FS base", "canonical", { SET(seg[SEG_FS].base, 1ull << 47) } },
	{ LONG64, "GS base", "canonical", { SET(seg[SEG_GS].base, 1ull << 47), SET(seg[SEG_GS].attr, SEG_ATTR_UNUSABLE) } },
	{ LONG64, "ES access rights", "accessed", { SET(seg[SEG_ES].attr, 0xc092) } },
	{ LONG64, "ES access rights", "readable", { SET(seg[SEG_ES].attr, 0xc099) } },
	{ LONG64, "DS access rights", "S must be set", { SET(seg[SEG_DS].attr, 0xc083) } },
	{ PROT32, "DS access rights", "below the selector's RPL", { SET(seg[SEG_DS].sel, 19) } },
	{ LONG64, "DS access rights", "P must be set", { SET(seg[SEG_DS].attr, 0xc013) } },
	{ LONG64, "FS access rights", "bits 11:8", { SET(seg[SEG_FS].attr, 0xc893) } },
	{ LONG64, "GS limit", "below 100000", { SET(seg[SEG_GS].attr, 0x4093), SET(seg[SEG_GS].limit, 0x1fffff) } },
	/* TR, LDTR */
	{ LONG64, "TR selector", "TI", { SET(seg[SEG_TR].sel, 4) } },
	{ V86, "TR base", "canonical", { SET(seg[SEG_TR].base, 1ull << 47) } },
	{ LONG64, "TR access rights", "usable", { SET(seg[SEG_TR].attr, 0x1008b) } },
	{ LONG64, "TR access rights", "must be 11", { SET(seg[SEG_TR].attr, 0x83) } },
	{ PROT32, "TR access rights", "3 or 11", { SET(seg[SEG_TR].attr, 0x89) } },
	{ LONG64, "TR access rights", "S must be 0", { SET(seg[SEG_TR].attr, 0x9b) } },
	{ LONG64, "TR access rights", "P must be set", { SET(seg[SEG_TR].attr, 0x0b) } },
	{ LONG64, "TR limit", "11:0", { SET(seg[SEG_TR].attr, 0x808b) } },
	{ LONG64, "LDTR selector", "TI", { SET(seg[SEG_LDTR].attr, 0x82), SET(seg[SEG_LDTR].sel, 4) } },
	{ LONG64, "LDTR base", "canonical", { SET(seg[SEG_LDTR].attr, 0x82), SET(seg[SEG_LDTR].base, 1ull << 50) } },
	{ LONG64, "LDTR access rights", "must be 2", { SET(seg[SEG_LDTR].attr, 0x8b) } },
	{ LONG64, "LDTR access rights", "S must be 0", { SET(seg[SEG_LDTR].attr, 0x92) } },
	{ LONG64, "LDTR access rights", "P must be set", { SET(seg[SEG_LDTR].attr, 0x02) } },
	/* 27.3.1.3 */
	{ LONG64, "GDTR base", "canonical", { SET(gdtr.base, 1ull << 48) } },
	{ LONG64, "GDTR limit", "31:16", { SET(gdtr.limit, 0x10000) } },
	{ LONG64, "IDTR base", "canonical", { SET(idtr.base, 1ull << 48) } },
	{ LONG64, "IDTR limit", "31:16", { SET(idtr.limit, 0xfffff) } },
	/* 27.3.1.4 */
	{ PROT32, "RIP", "63:32", { SET(rip, 1ull << 32) } },
	{ COMPAT, "RIP", "63:32", { SET(rip, 1ull << 32) } },
	{ LONG64, "RIP", "canonical", { SET(rip, 1ull << 47) } },
	{ LONG64, "RFLAGS", "reserved", { SET(rflags, 1u << 15 | 2) } },
	{ LONG64, "RFLAGS", "reserved", { SET(rflags, 1u << 22 | 2) } },
	{ LONG64, "RFLAGS", "reserved", { SET(rflags, 1u << 3 | 2) } },
	{ LONG64, "RFLAGS", "bit 1", { SET(rflags, 0) } },
	{ V86, "RFLAGS", "IA-32e", { SET(ia32e, 1), SET(efer, EFER_LME | EFER_LMA), SET(cr4, CR4_VMXE | CR4_PAE) } },
	{ V86, "RFLAGS", "real mode", { SET(unrestricted, 1), SET(cr0, CR0_NE) } },
	{ LONG64, "RFLAGS", "IF is 0", { SET(entry_event, EVENT(EVENT_IRQ, 0x20)) } },
	/* 27.3.1.5 */
	{ LONG64, "activity state", "0 to 3", { SET(activity, 4) } },
	{ LONG64, "activity state", "not support", { SET(activity, 1), SET(activities, 6) } },
	{ LONG64,
	  "activity state",
	  "privilege level 0",
	  { SET(activity, 1), SET(unrestricted, 1), SET(seg[SEG_SS].attr, 0xc0f3), SET(seg[SEG_CS].attr, 0xa0fb) } },
	{ LONG64, "activity state", "must be active", { SET(activity, 1), SET(interruptibility, BLOCKED_SS) } },
	{ LONG64, "activity state", "cannot reach", { SET(activity, 1), SET(entry_event, EVENT(EVENT_EXCEPTION, 13)) } },
	{ LONG64, "activity state", "cannot reach", { SET(activity, 2), SET(entry_event, EVENT(EVENT_EXCEPTION, 1)) } },
	{ LONG64, "activity state", "cannot reach", { SET(activity, 3), SET(entry_event, EVENT(EVENT_NMI, 2)) } },
	{ LONG64, "interruptibility", "31:5", { SET(interruptibility, 1u << 5) } },
	{ LONG64, "interruptibility", "both", { SET(interruptibility, BLOCKED_STI | BLOCKED_SS), SET(rflags, 0x202) } },
	{ LONG64, "interruptibility", "RFLAGS.IF", { SET(interruptibility, BLOCKED_STI) } },
	{ LONG64,
	  "interruptibility",
	  "external interrupt",
	  { SET(interruptibility, BLOCKED_STI), SET(rflags, 0x202), SET(entry_event, EVENT(EVENT_IRQ, 0x20)) } },
	{ LONG64,
	  "interruptibility",
	  "NMI is injected while MOV SS",
	  { SET(interruptibility, BLOCKED_SS), SET(entry_event, EVENT(EVENT_NMI, 2)) } },
	{ LONG64, "interruptibility", "SMM", { SET(interruptibility, BLOCKED_SMI) } },
	{ LONG64,
	  "interruptibility",
	  "NMIs are blocked",
	  { SET(interruptibility, BLOCKED_NMI), SET(entry_event, EVENT(EVENT_NMI, 2)) } },
	{ LONG64, "interruptibility", "enclave", { SET(interruptibility, BLOCKED_ENCLAVE | BLOCKED_SS) } },
	{ LONG64, "pending debug", "must be 0", { SET(pending_debug, 1u << 4) } },
	{ LONG64, "pending debug", "must be 0", { SET(pending_debug, 1ull << 63) } },
	{ LONG64, "pending debug", "BS must be set", { SET(interruptibility, BLOCKED_SS), SET(rflags, 0x102) } },
	{ LONG64, "pending debug", "BS must be 0", { SET(interruptibility, BLOCKED_SS), SET(pending_debug, PENDING_BS) } },
	{ LONG64,
	  "pending debug",
	  "BS must be 0",
	  { SET(interruptibility, BLOCKED_SS), SET(pending_debug, PENDING_BS), SET(rflags, 0x102), SET(debugctl, DEBUGCTL_BTF) } },
	{ LONG64, "pending debug", "bit 16", { SET(pending_debug, PENDING_RTM) } },
	{ LONG64,
	  "pending debug",
	  "MOV SS blocks",
	  { SET(pending_debug, PENDING_RTM | PENDING_ENABLED), SET(interruptibility, BLOCKED_SS) } },
	{ LONG64, "VMCS link pointer", "page", { SET(link_pointer, 0x1001) } },
	{ LONG64, "VMCS link pointer", "page", { SET(link_pointer, 1ull << 46) } },
	/* 27.3.1.6 */
	{ PAE, "PDPTE 0", "reserved", { SET(pdpte[0], 0x5003) } },
	{ PAE, "PDPTE 2", "reserved", { SET(pdpte[2], 0x5101) } },
	{ PAE, "PDPTE 3", "reserved", { SET(pdpte[3], 1ull << 46 | 1) } },
};

static void apply(struct vmx_guest_state *s, const struct change *c)
{
	memcpy((char *)s + c->offset, &c->value, c->size); /* little-endian: the low bytes */
}

static void valid_states_pass(void **state)
{
	char why[256];

	(void)state;
	for (enum base b = 0; b < BASES; b++) {
		struct vmx_guest_state s = make(b);

		why[0] = 0;
		if (vmx_check(&s, why, sizeof(why)))
			fail_msg("%s: %s", base_names[b], why);
	}
}

static void each_rule_is_named(void **state)
{
	char why[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct broken_case *c = &cases[i];
		struct vmx_guest_state s = make(c->base);

		for (unsigned n = 0; n < 4 && c->set[n].size; n++)
			apply(&s, &c->set[n]);
		strcpy(why, "nothing");
		if (vmx_check(&s, why, sizeof(why)) != -EINVAL || strncmp(why, c->field, strlen(c->field)) || !strstr(why, c->rule))
			fail_msg("case %zu (%s): expected %s ... %s, got: %s", i, base_names[c->base], c->field, c->rule, why);
	}
}

/* What only looks wrong: rules that depend on other fields must not fire without them. */
static void exceptions_to_the_rules(void **state)
{
	static const struct {
		enum base base;
		struct change set[4];
	} fine[] = {
		{ LONG64, { SET(seg[SEG_DS].attr, SEG_ATTR_UNUSABLE), SET(seg[SEG_DS].base, ~0ull), SET(seg[SEG_DS].limit, 5) } },
		{ LONG64, { SET(seg[SEG_SS].attr, SEG_ATTR_UNUSABLE), SET(seg[SEG_SS].sel, 0) } },
		{ LONG64, { SET(cr0, CR0_PE | CR0_NE | CR0_PG | CR0_CD | CR0_NW) } },
		{ LONG64, { SET(pdpte[0], ~0ull) } },
		{ PAE, { SET(pdpte[1], ~1ull) } },
		{ PAE, { SET(pdpte[1], ~0ull), SET(ept, 0) } },
		{ PROT32, { SET(seg[SEG_TR].attr, 0x83) } },
		{ FLAT, { SET(efer, EFER_LME) } },
		{ FLAT, { SET(seg[SEG_SS].sel, 3), SET(seg[SEG_DS].sel, 3) } },
		{ REAL, { SET(seg[SEG_CS].attr, 0x9b), SET(seg[SEG_CS].base, 0xffff0000) } },
		{ LONG64, { SET(rip, 1ull << 47), SET(linear_bits, 57) } },
		{ LONG64, { SET(interruptibility, BLOCKED_STI), SET(rflags, 0x302), SET(pending_debug, PENDING_BS) } },
		{ LONG64, { SET(activity, 1), SET(entry_event, EVENT(EVENT_NMI, 2)) } },
		{ LONG64, { SET(activity, 1), SET(entry_event, EVENT(7, 0)) } },
		{ LONG64, { SET(interruptibility, BLOCKED_NMI), SET(entry_event, EVENT(EVENT_NMI, 2)), SET(virtual_nmis, 0) } },
		{ LONG64, { SET(link_pointer, 0x1000) } },
		{ LONG64, { SET(cr4, CR4_VMXE | CR4_PAE | CR4_PCIDE), FIXED1_ALL } },
	};
	char why[256];

	(void)state;
	for (size_t i = 0; i < sizeof(fine) / sizeof(fine[0]); i++) {
		struct vmx_guest_state s = make(fine[i].base);

		for (unsigned n = 0; n < 4 && fine[i].set[n].size; n++)
			apply(&s, &fine[i].set[n]);
		if (vmx_check(&s, why, sizeof(why)))
			fail_msg("case %zu (%s): %s", i, base_names[fine[i].base], why);
	}
}

static void text_is_cut_to_size(void **state)
{
	struct vmx_guest_state s = make(LONG64);
	char why[8];

	(void)state;
	s.rflags = 0;
	memset(why, 'x', sizeof(why));
	assert_int_equal(vmx_check(&s, why, 5), -EINVAL);
	assert_string_equal(why, "RFLA");
	assert_int_equal(why[5], 'x');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(valid_states_pass),
		cmocka_unit_test(each_rule_is_named),
		cmocka_unit_test(exceptions_to_the_rules),
		cmocka_unit_test(text_is_cut_to_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
