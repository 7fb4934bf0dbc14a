/* VMX's failures and state in words. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vmm/log.h"
#include "vmm/vmx.h"

static const char *const insn_errors[] = {
	[1] = "VMCALL executed in VMX root operation",
	[2] = "VMCLEAR with invalid physical address",
	[3] = "VMCLEAR with VMXON pointer",
	[4] = "VMLAUNCH with non-clear VMCS",
	[5] = "VMRESUME with non-launched VMCS",
	[6] = "VMRESUME after VMXOFF",
	[7] = "VM entry with invalid control field(s)",
	[8] = "VM entry with invalid host-state field(s)",
	[9] = "VMPTRLD with invalid physical address",
	[10] = "VMPTRLD with VMXON pointer",
	[11] = "VMPTRLD with incorrect VMCS revision identifier",
	[12] = "VMREAD or VMWRITE of an unsupported VMCS component",
	[13] = "VMWRITE to a read-only VMCS component",
	[15] = "VMXON executed in VMX root operation",
	[16] = "VM entry with invalid executive-VMCS pointer",
	[17] = "VM entry with non-launched executive VMCS",
	[18] = "VM entry with executive-VMCS pointer not VMXON pointer",
	[19] = "VMCALL with non-clear VMCS",
	[20] = "VMCALL with invalid VM-exit control fields",
	[22] = "VMCALL with incorrect MSEG revision identifier",
	[23] = "VMXOFF under dual-monitor treatment of SMIs and SMM",
	[24] = "VMCALL with invalid SMM-monitor features",
	[25] = "VM entry with invalid VM-execution control fields in executive VMCS",
	[26] = "VM entry with events blocked by MOV SS",
	[28] = "invalid operand to INVEPT or INVVPID",
};

const char *vmx_insn_error(uint32_t number)
{
	if (number < sizeof(insn_errors) / sizeof(insn_errors[0]) && insn_errors[number])
		return insn_errors[number];
	return "an error that the manual does not list";
}

/* The error number of the last instruction that failed with ZF, 0 when it cannot be read. */
static uint32_t last_insn_error(void)
{
	uint64_t value = 0;
	bool failed;

	__asm__ volatile("vmread %2, %0" : "+r"(value), "=@ccbe"(failed) : "r"((uint64_t)VMCS_INSN_ERROR) : "memory");
	return failed ? 0 : (uint32_t)value;
}

const char *vmx_status_text(enum vmx_status s)
{
	switch (s) {
	case VMX_OK: return "success";
	case VMX_FAIL_INVALID: return "there is no current VMCS (CF is set)";
	default: return vmx_insn_error(last_insn_error());
	}
}

static const char *field_name(enum vmcs_field f)
{
	static const struct {
		uint32_t encoding;
		const char *name;
	} names[] = {
#define X(name, encoding) { encoding, #name },
		VMCS_FIELDS(X)
#undef X
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (names[i].encoding == (uint32_t)f)
			return names[i].name;
	return "?";
}

_Noreturn void vmx_access_failed(bool write, enum vmcs_field f, uint64_t value)
{
	uint32_t error = last_insn_error();

	panic("%s of VMCS field %s (%04x), value %llx: VM-instruction error %u, %s", write ? "VMWRITE" : "VMREAD", field_name(f), f,
	      (unsigned long long)value, error, error ? vmx_insn_error(error) : "no current VMCS");
}

/* ---- entries that failed */

static void read_guest_state(struct vcpu *v, struct vmx_guest_state *s)
{
	struct vmx_vcpu *a = v->arch;
	const struct vmx_caps *c = &a->cpu->caps;

	vmx_fetch(v, VG_ALL);
	*s = (struct vmx_guest_state){
		.cr0 = vmread(a, VMCS_GUEST_CR0),
		.cr3 = v->cr3,
		.cr4 = vmread(a, VMCS_GUEST_CR4),
		.dr7 = v->dr7,
		.debugctl = vmread(a, VMCS_GUEST_DEBUGCTL),
		.sysenter_esp = vmread(a, VMCS_GUEST_SYSENTER_ESP),
		.sysenter_eip = vmread(a, VMCS_GUEST_SYSENTER_EIP),
		.pat = vmread(a, VMCS_GUEST_PAT),
		.efer = v->efer,
		.rip = v->rip,
		.rflags = v->rflags,
		.gdtr = v->gdtr,
		.idtr = v->idtr,
		.activity = (uint32_t)vmread(a, VMCS_GUEST_ACTIVITY),
		.interruptibility = (uint32_t)vmread(a, VMCS_GUEST_INTERRUPTIBILITY),
		.pending_debug = vmread(a, VMCS_GUEST_PENDING_DEBUG),
		.link_pointer = vmread(a, VMCS_LINK_POINTER),
		.entry_event = (uint32_t)vmread(a, VMCS_ENTRY_EVENT),
		.ia32e = a->ctl.entry & ENTRYC_IA32E,
		.unrestricted = a->ctl.proc2 & PROC2_UNRESTRICTED,
		.ept = a->ctl.proc2 & PROC2_EPT,
		.virtual_nmis = a->ctl.pin & PIN_VIRTUAL_NMIS,
		.cr0_fixed0 = c->cr0_fixed0,
		.cr0_fixed1 = c->cr0_fixed1,
		.cr4_fixed0 = c->cr4_fixed0,
		.cr4_fixed1 = c->cr4_fixed1,
		.phys_bits = c->phys_bits,
		.linear_bits = c->linear_bits,
		.activities = c->misc >> 6 & 7,
	};
	memcpy(s->seg, v->seg, sizeof(s->seg));
	for (unsigned i = 0; s->ept && i < 4; i++)
		s->pdpte[i] = vmread(a, (enum vmcs_field)(VMCS_GUEST_PDPTE0 + 2 * i));
}

void vmx_entry_failed(struct vcpu *v, const struct vm_exit *x)
{
	/* Qualifications of a failure by invalid guest state (27.8). */
	static const char *const why[] = { "", "", "PDPTEs", "NMI injection while MOV SS or STI blocks", "VMCS link pointer" };
	uint32_t basic = (uint32_t)x->raw_reason & REASON_BASIC;
	struct vmx_guest_state s;
	char rule[192];

	read_guest_state(v, &s);
	/* Only exits clear the event (25.8.3), and this was none. */
	vmwrite(v->arch, VMCS_ENTRY_EVENT, 0);
	if (basic != 33) {
		snprintf(v->problem, sizeof(v->problem), "%s (reason %u, qualification %llu)", vmx_reason_name(basic), basic,
			 (unsigned long long)x->info1);
		return;
	}
	if (vmx_check(&s, rule, sizeof(rule)))
		snprintf(v->problem, sizeof(v->problem), "%s", rule);
	else
		snprintf(v->problem, sizeof(v->problem), "no rule that Tessera knows is broken (qualification %llu%s%s)",
			 (unsigned long long)x->info1, x->info1 > 1 && x->info1 < 5 ? ": " : "", x->info1 < 5 ? why[x->info1] : "");
}

void vmx_refused(struct vcpu *v, struct vm_exit *x, enum vmx_status status)
{
	struct vmx_vcpu *a = v->arch;
	uint32_t error = status == VMX_FAIL_VALID ? last_insn_error() : 0;

	*x = (struct vm_exit){ .kind = EXIT_ENTRY_FAILED, .raw_reason = error };
	snprintf(v->problem, sizeof(v->problem), "%s failed, VM-instruction error %u: %s", a->launched ? "VMRESUME" : "VMLAUNCH",
		 error, error ? vmx_insn_error(error) : "no current VMCS");
	if (status == VMX_FAIL_VALID)
		vmwrite(a, VMCS_ENTRY_EVENT, 0);
}

/* ---- crash reports */

struct text {
	char *buf;
	size_t size, used;
};

static void add(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static void add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (t->used >= t->size)
		return;
	va_start(ap, fmt);
	n = vsnprintf(t->buf + t->used, t->size - t->used, fmt, ap);
	va_end(ap);
	if (n > 0)
		t->used += (size_t)n;
}

void vmx_describe(struct vcpu *v, char *buf, size_t size)
{
	static const enum vmcs_field fields[] = {
		VMCS_EXIT_REASON,
		VMCS_QUALIFICATION,
		VMCS_GUEST_PHYSICAL,
		VMCS_GUEST_LINEAR,
		VMCS_EXIT_EVENT,
		VMCS_EXIT_EVENT_ERROR,
		VMCS_VECTORING_EVENT,
		VMCS_VECTORING_EVENT_ERROR,
		VMCS_EXIT_INSN_LEN,
		VMCS_EXIT_INSN_INFO,
		VMCS_ENTRY_EVENT,
		VMCS_ENTRY_EVENT_ERROR,
		VMCS_GUEST_CR0,
		VMCS_CR0_SHADOW,
		VMCS_GUEST_CR4,
		VMCS_CR4_SHADOW,
		VMCS_GUEST_INTERRUPTIBILITY,
		VMCS_GUEST_ACTIVITY,
		VMCS_GUEST_PENDING_DEBUG,
		VMCS_PIN_CONTROLS,
		VMCS_PROC_CONTROLS,
		VMCS_EXIT_CONTROLS,
		VMCS_ENTRY_CONTROLS,
		VMCS_EXCEPTION_BITMAP,
	};
	struct text t = { buf, size, 0 };
	struct vmx_vcpu *a = v->arch;
	uint64_t accesses = a->accesses;
	uint32_t reason;

	if (!size)
		return;
	buf[0] = 0;
	vmx_make_current(a);
	reason = (uint32_t)vmread(a, VMCS_EXIT_REASON);
	add(&t, "VMX exit %u, %s%s\n", reason & REASON_BASIC, vmx_reason_name(reason & REASON_BASIC),
	    reason & REASON_ENTRY_FAILED ? " (the entry failed)" : "");
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		add(&t, "%s %llx%s", field_name(fields[i]), (unsigned long long)vmread(a, fields[i]), i % 4 == 3 ? "\n" : ", ");
	add(&t, "VMCS accesses %llu, translation flushes %llu\n", (unsigned long long)accesses, (unsigned long long)a->flushes);
	a->accesses = accesses;
}
