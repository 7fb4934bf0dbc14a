/* What this CPU can do, and what to do about what it can't. */
#include "vmm/cpu.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/log.h"

enum { EAX, EBX, ECX, EDX };

/* A feature bit: its leaf, register and bit (SDM vol. 2 CPUID, APM vol. 3 appendix E), and where it goes. */
static const struct feature {
	uint32_t leaf;
	uint8_t reg, bit;
	size_t field;
	const char *name;
	const char *without; /* what its lack means; NULL: nothing to be said */
} features[] = {
#define FIELD(f) offsetof(struct cpu_features, f), #f
	{ 0x80000001, EDX, 20, FIELD(nx),
	  "no NX: the VMM's data stays executable; enable \"Execute Disable\" in the firmware's set-up" },
	{ 1, EDX, 13, FIELD(pge), NULL },
	{ 1, ECX, 17, FIELD(pcid), NULL },
	{ 7, EBX, 10, FIELD(invpcid), NULL },
	{ 7, EBX, 7, FIELD(smep), NULL },
	{ 7, EBX, 20, FIELD(smap), NULL },
	{ 7, ECX, 2, FIELD(umip), NULL },
	{ 0x80000001, EDX, 26, FIELD(page1g), NULL },
	{ 1, ECX, 21, FIELD(x2apic), NULL },
	{ 1, ECX, 24, FIELD(tsc_deadline), NULL },
	{ 0x80000007, EDX, 8, FIELD(tsc_invariant),
	  "the TSC is not said to be invariant: times drift when the CPU changes its clock; fix the clock in the firmware's "
	  "set-up" },
	{ 1, ECX, 26, FIELD(xsave), "no XSAVE: guests get x87 and SSE state only" },
	{ 1, ECX, 28, FIELD(avx), NULL },
	{ 1, EDX, 24, FIELD(fxsr), "no FXSAVE: guests can't use SSE" },
	{ 7, ECX, 16, FIELD(la57), NULL },
#undef FIELD
};

#define FEATURE_COUNT (sizeof(features) / sizeof(features[0]))

/* Zero for leaves that the CPU does not have: Intel answers those with the data of the last one. */
static void leaf(const struct cpu_features *f, uint32_t number, uint32_t r[4])
{
	uint32_t max = number & 0x80000000 ? f->max_ext_leaf : f->max_leaf;
	memset(r, 0, 4 * sizeof(r[0]));
	if (number <= max)
		cpuid(number, 0, r);
}

static void detect_names(struct cpu_features *f)
{
	uint32_t r[4];
	cpuid(0, 0, r);
	f->max_leaf = r[EAX];
	memcpy(f->vendor, &r[EBX], 4);
	memcpy(f->vendor + 4, &r[EDX], 4);
	memcpy(f->vendor + 8, &r[ECX], 4);
	cpuid(1, 0, r);
	if (r[ECX] & 1u << 31) {
		cpuid(0x40000000, 0, r);
		memcpy(f->hypervisor, &r[EBX], 12);
	}
	cpuid(0x80000000, 0, r);
	f->max_ext_leaf = r[EAX] >= 0x80000000 ? r[EAX] : 0;
	if (f->max_ext_leaf < 0x80000004)
		return;
	for (uint32_t i = 0; i < 3; i++) {
		cpuid(0x80000002 + i, 0, r);
		memcpy(f->brand + 16 * i, r, 16);
	}
}

/* VMX may be there and yet shut by the firmware (SDM vol. 3 24.7). */
static void detect_vmx(struct cpu_features *f)
{
	uint64_t control;
	if (rdmsr_safe(MSR_FEATURE_CONTROL, &control)) {
		snprintf(f->virt_problem, sizeof(f->virt_problem),
			 "this CPU shows VMX but has no IA32_FEATURE_CONTROL: the hypervisor below hides it; let it nest VMX");
	} else if (control & FEATURE_CONTROL_LOCK && !(control & FEATURE_CONTROL_VMX)) {
		snprintf(f->virt_problem, sizeof(f->virt_problem),
			 "VMX is locked off in IA32_FEATURE_CONTROL: enable \"Virtualization Technology\" in the firmware's "
			 "set-up, then power-cycle");
	} else {
		f->virt = VIRT_VMX;
	}
}

/* SVM likewise (APM vol. 2 15.4 and 15.30.1). SVMDIS that is not locked the SVM code clears itself. */
static void detect_svm(struct cpu_features *f)
{
	uint64_t vm_cr;
	uint32_t r[4];
	leaf(f, 0x8000000a, r);
	if (!rdmsr_safe(MSR_VM_CR, &vm_cr) && vm_cr & VM_CR_SVMDIS && (vm_cr & VM_CR_LOCK || r[EDX] & 1u << 2)) {
		snprintf(f->virt_problem, sizeof(f->virt_problem),
			 "SVM is disabled and locked in VM_CR: enable \"SVM Mode\" in the firmware's set-up, then power-cycle");
		return;
	}
	f->virt = VIRT_SVM;
}

void cpu_detect(struct cpu_features *f)
{
	uint32_t r[4];
	memset(f, 0, sizeof(*f));
	detect_names(f);
	for (size_t i = 0; i < FEATURE_COUNT; i++) {
		leaf(f, features[i].leaf, r);
		*((bool *)f + features[i].field) = r[features[i].reg] >> features[i].bit & 1;
	}
	leaf(f, 0x80000008, r);
	f->phys_bits = r[EAX] & 0xff ? r[EAX] & 0xff : 36;

	leaf(f, 1, r);
	if (r[ECX] & 1u << 5) {
		detect_vmx(f);
		return;
	}
	leaf(f, 0x80000001, r);
	if (r[ECX] & 1u << 2) {
		detect_svm(f);
		return;
	}
	snprintf(f->virt_problem, sizeof(f->virt_problem),
		 "this CPU has no VMX or SVM: in QEMU use -cpu max (or -cpu host with nested KVM); in Bochs cpu: "
		 "model=corei7_skylake_x or ryzen");
}

void cpu_report(const struct cpu_features *f)
{
	static const char *const virt[] = { [VIRT_NONE] = "none", [VIRT_VMX] = "VMX (Intel)", [VIRT_SVM] = "SVM (AMD)" };
	char has[200] = "", lacks[200] = "";
	for (size_t i = 0; i < FEATURE_COUNT; i++) {
		char *list = *((const bool *)f + features[i].field) ? has : lacks;
		size_t n = strlen(list);
		snprintf(list + n, sizeof(has) - n, " %s", features[i].name);
	}
	const char *brand = f->brand;
	while (*brand == ' ')
		brand++;
	log_info("cpu: %s, %s", f->vendor, *brand ? brand : "no brand string");
	log_info("cpu: CPUID leaves to %x and %x, physical addresses of %u bits", f->max_leaf, f->max_ext_leaf, f->phys_bits);
	if (*f->hypervisor)
		log_info("cpu: on a hypervisor itself: %s", f->hypervisor);
	log_info("cpu: has%s", has);
	log_info("cpu: lacks%s", *lacks ? lacks : " nothing of note");
	log_info("cpu: hardware virtualization: %s", virt[f->virt]);
	for (size_t i = 0; i < FEATURE_COUNT; i++) {
		/* Below another hypervisor the TSC is that one's affair. */
		if (*f->hypervisor && features[i].field == offsetof(struct cpu_features, tsc_invariant))
			continue;
		if (!*((const bool *)f + features[i].field) && features[i].without)
			log_warn("cpu: %s", features[i].without);
	}
	if (f->virt == VIRT_NONE)
		log_error("cpu: %s", f->virt_problem);
}
