/* What this CPU's VMX can do, and the controls that follow from it. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/log.h"
#include "vmm/vmx.h"

#define PROC2_THERE(c) ((c)->proc >> 32 & PROC_SECONDARY)

void vmx_caps_read(struct vmx_caps *c, uint8_t phys_bits)
{
	uint32_t r[4];
	bool precise;

	*c = (struct vmx_caps){ .basic = rdmsr(MSR_VMX_BASIC), .phys_bits = phys_bits, .linear_bits = 48 };
	/* A.2: the TRUE MSRs tell which of the default-1 bits may be 0 after all. */
	precise = c->basic & VMX_BASIC_TRUE;
	c->pin = rdmsr(precise ? MSR_VMX_TRUE_PINBASED_CTLS : MSR_VMX_PINBASED_CTLS);
	c->proc = rdmsr(precise ? MSR_VMX_TRUE_PROCBASED_CTLS : MSR_VMX_PROCBASED_CTLS);
	c->exit = rdmsr(precise ? MSR_VMX_TRUE_EXIT_CTLS : MSR_VMX_EXIT_CTLS);
	c->entry = rdmsr(precise ? MSR_VMX_TRUE_ENTRY_CTLS : MSR_VMX_ENTRY_CTLS);
	if (PROC2_THERE(c))
		c->proc2 = rdmsr(MSR_VMX_PROCBASED_CTLS2);
	if (c->proc2 >> 32 & (PROC2_EPT | PROC2_VPID))
		c->ept_vpid = rdmsr(MSR_VMX_EPT_VPID_CAP);
	c->misc = rdmsr(MSR_VMX_MISC);
	c->cr0_fixed0 = rdmsr(MSR_VMX_CR0_FIXED0);
	c->cr0_fixed1 = rdmsr(MSR_VMX_CR0_FIXED1);
	c->cr4_fixed0 = rdmsr(MSR_VMX_CR4_FIXED0);
	c->cr4_fixed1 = rdmsr(MSR_VMX_CR4_FIXED1);
	cpuid(0x80000000, 0, r);
	if (r[0] >= 0x80000008) {
		cpuid(0x80000008, 0, r);
		c->linear_bits = r[0] >> 8 & 0xff;
	}
}

/* ---- controls */

enum need {
	NEEDED,	    /* Tessera does not run without */
	NEEDED_HAP, /* nor does paging=hap */
	IF_THERE,
};

struct control {
	uint8_t word; /* offset in struct vmx_controls */
	uint8_t need;
	uint32_t bit;
	const char *name; /* the manual's */
};

#define WORD(w) offsetof(struct vmx_controls, w)

static const struct control wanted[] = {
	{ WORD(pin), NEEDED, PIN_EXTERNAL_INTERRUPT, "external-interrupt exiting" },
	{ WORD(pin), NEEDED, PIN_NMI, "NMI exiting" },
	{ WORD(pin), NEEDED, PIN_VIRTUAL_NMIS, "virtual NMIs" },
	{ WORD(pin), IF_THERE, PIN_PREEMPTION_TIMER, "activate VMX-preemption timer" },
	{ WORD(proc), NEEDED, PROC_TSC_OFFSET, "use TSC offsetting" },
	{ WORD(proc), NEEDED, PROC_HLT, "HLT exiting" },
	{ WORD(proc), NEEDED, PROC_MWAIT, "MWAIT exiting" },
	{ WORD(proc), NEEDED, PROC_RDPMC, "RDPMC exiting" },
	/* Without a TPR shadow a guest's CR8 would be the host's task priority. */
	{ WORD(proc), NEEDED, PROC_CR8_LOAD, "CR8-load exiting" },
	{ WORD(proc), NEEDED, PROC_CR8_STORE, "CR8-store exiting" },
	{ WORD(proc), NEEDED, PROC_IO, "unconditional I/O exiting" },
	{ WORD(proc), NEEDED, PROC_MSR_BITMAPS, "use MSR bitmaps" },
	{ WORD(proc), NEEDED, PROC_MONITOR, "MONITOR exiting" },
	{ WORD(proc), NEEDED_HAP, PROC_SECONDARY, "activate secondary controls" },
	{ WORD(proc2), NEEDED_HAP, PROC2_EPT, "enable EPT" },
	{ WORD(proc2), NEEDED_HAP, PROC2_UNRESTRICTED, "unrestricted guest" },
	{ WORD(proc2), IF_THERE, PROC2_RDTSCP, "enable RDTSCP" },
	{ WORD(proc2), IF_THERE, PROC2_VPID, "enable VPID" },
	{ WORD(proc2), IF_THERE, PROC2_WBINVD, "WBINVD exiting" },
	{ WORD(proc2), IF_THERE, PROC2_PML, "enable PML" },
	{ WORD(exit), NEEDED, EXITC_SAVE_DEBUG, "save debug controls" },
	{ WORD(exit), NEEDED, EXITC_HOST_64, "host address-space size" },
	{ WORD(exit), NEEDED, EXITC_SAVE_PAT, "save IA32_PAT" },
	{ WORD(exit), NEEDED, EXITC_LOAD_PAT, "load IA32_PAT (exit)" },
	{ WORD(exit), NEEDED, EXITC_SAVE_EFER, "save IA32_EFER" },
	{ WORD(exit), NEEDED, EXITC_LOAD_EFER, "load IA32_EFER (exit)" },
	{ WORD(entry), NEEDED, ENTRYC_LOAD_DEBUG, "load debug controls" },
	{ WORD(entry), NEEDED, ENTRYC_LOAD_PAT, "load IA32_PAT (entry)" },
	{ WORD(entry), NEEDED, ENTRYC_LOAD_EFER, "load IA32_EFER (entry)" },
};

/* Bits that are switched on and off at run time: windows, IA-32e mode guest. They need only be there. */
static const struct control toggled[] = {
	{ WORD(proc), NEEDED, PROC_IRQ_WINDOW, "interrupt-window exiting" },
	{ WORD(proc), NEEDED, PROC_NMI_WINDOW, "NMI-window exiting" },
	{ WORD(entry), NEEDED, ENTRYC_IA32E, "IA-32e mode guest" },
};

/* Reserved bits that are 1 for ever (A.3 to A.5), and what old CPUs don't let go: CR3 exits, which we answer, debug controls. */
static const struct vmx_controls default1 = {
	.pin = 0x16,
	.proc = 0x0401e172,
	.exit = 0x36dff,
	.entry = 0x11ff,
};

static uint32_t *word_of(struct vmx_controls *ctl, const struct control *k)
{
	return (uint32_t *)((char *)ctl + k->word);
}

static uint64_t cap_of(const struct vmx_caps *c, uint8_t word)
{
	switch (word) {
	case WORD(pin): return c->pin;
	case WORD(proc): return c->proc;
	case WORD(proc2): return c->proc2;
	case WORD(exit): return c->exit;
	default: return c->entry;
	}
}

static int missing(const struct control *k, char *why, size_t why_len)
{
	if (k->need == NEEDED_HAP)
		snprintf(why, why_len,
			 "paging=hap needs \"%s\", and this CPU's VMX does not have it: use a CPU that does (Bochs: "
			 "corei7_skylake_x), or let the hypervisor below expose it",
			 k->name);
	else
		snprintf(why, why_len,
			 "this CPU's VMX lacks the control \"%s\": use a newer CPU, or let the hypervisor below expose it",
			 k->name);
	return -ENODEV;
}

int vmx_controls_choose(const struct vmx_caps *c, bool hap, struct vmx_controls *ctl, char *why, size_t why_len)
{
	struct vmx_controls fixed = { 0 };

	*ctl = (struct vmx_controls){ 0 };
	for (size_t i = 0; i < sizeof(toggled) / sizeof(toggled[0]); i++)
		if (!(cap_of(c, toggled[i].word) >> 32 & toggled[i].bit))
			return missing(&toggled[i], why, why_len);
	for (size_t i = 0; i < sizeof(wanted) / sizeof(wanted[0]); i++) {
		const struct control *k = &wanted[i];
		bool need = k->need == NEEDED || (k->need == NEEDED_HAP && hap);

		if (k->need == NEEDED_HAP && !hap && k->word == WORD(proc2))
			continue;
		if (cap_of(c, k->word) >> 32 & k->bit)
			*word_of(ctl, k) |= k->bit;
		else if (need)
			return missing(k, why, why_len);
	}
	/* What the CPU insists on must be known to do no harm. Without EPT the guest's paging is the VMM's: CR3 and INVLPG exit. */
	fixed = (struct vmx_controls){ (uint32_t)c->pin, (uint32_t)c->proc, (uint32_t)c->proc2, (uint32_t)c->exit,
				       (uint32_t)c->entry };
	if ((fixed.pin & ~(ctl->pin | default1.pin)) || (fixed.proc & ~(ctl->proc | default1.proc)) ||
	    (fixed.proc2 & ~ctl->proc2) || (fixed.exit & ~(ctl->exit | default1.exit)) ||
	    (fixed.entry & ~(ctl->entry | default1.entry))) {
		snprintf(why, why_len,
			 "this CPU's VMX forces controls that Tessera does not know: pin %x proc %x %x exit %x entry %x", fixed.pin,
			 fixed.proc, fixed.proc2, fixed.exit, fixed.entry);
		return -ENODEV;
	}
	if (!hap)
		ctl->proc |= PROC_INVLPG | PROC_CR3_LOAD | PROC_CR3_STORE;
	ctl->pin |= fixed.pin;
	ctl->proc |= fixed.proc;
	ctl->proc2 |= fixed.proc2;
	ctl->exit |= fixed.exit;
	ctl->entry |= fixed.entry & ~ENTRYC_IA32E;
	return 0;
}

/* ---- EPT */

int vmx_ept_check(const struct vmx_caps *c, char *why, size_t why_len)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} needs[] = {
		{ EPTCAP_WALK_4, "a walk of 4 levels" },
		{ EPTCAP_WB, "write-back EPT structures" },
		{ EPTCAP_INVEPT, "INVEPT" },
		{ EPTCAP_INVEPT_SINGLE | EPTCAP_INVEPT_ALL, "a type of INVEPT" },
	};

	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		if (c->ept_vpid & needs[i].bit)
			continue;
		snprintf(why, why_len, "this CPU's EPT lacks %s (IA32_VMX_EPT_VPID_CAP %llx): use a CPU that has it", needs[i].name,
			 (unsigned long long)c->ept_vpid);
		return -ENODEV;
	}
	return 0;
}

void vmx_caps_report(const struct vmx_caps *c)
{
	static const struct {
		uint64_t bit;
		const char *name;
	} names[] = {
		{ EPTCAP_2M, " 2M" },		{ EPTCAP_1G, " 1G" },
		{ EPTCAP_AD, " A/D" },		{ EPTCAP_INVEPT_SINGLE, " INVEPT-single" },
		{ EPTCAP_INVVPID, " INVVPID" }, { EPTCAP_INVVPID_SINGLE, " INVVPID-single" },
	};
	char ept[96] = "";
	size_t n = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (c->ept_vpid & names[i].bit)
			n += (size_t)snprintf(ept + n, sizeof(ept) - n, "%s", names[i].name);
	log_info("VMX: revision %x,%s%s%s%s%s%s", VMX_BASIC_REVISION(c->basic), c->basic & VMX_BASIC_TRUE ? " true controls," : "",
		 c->proc2 >> 32 & PROC2_VPID ? " VPID," : "", c->proc2 >> 32 & PROC2_UNRESTRICTED ? " unrestricted guest," : "",
		 c->proc2 >> 32 & PROC2_PML ? " PML," : "", c->proc2 >> 32 & PROC2_EPT ? " EPT with" : " no EPT", ept);
}
