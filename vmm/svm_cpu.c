/* SVM on the physical CPU: finding it, turning it on, what it can do (APM vol. 2, 15.4, 15.30; vol. 3, appendix E). */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mm/frames.h"
#include "mm/pt_format.h"
#include "vmm/cpu.h"
#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/log.h"
#include "vmm/svm.h"

enum { EAX, EBX, ECX, EDX };

#define LEAF_EXT_FEATURES 0x80000001u
#define LEAF_SVM 0x8000000au
#define EXT_ECX_SVM (1u << 2)
#define EXT_EDX_LM (1u << 29)

/* Frames of cpu->virt: struct svm_cpu, the host save area, the VMSAVE area. */
#define CPU_FRAMES 3

/* Bits of CR4 and EFER that exist when a CPUID bit says so; leaf 0: always. */
struct valid_bit {
	uint64_t bits;
	uint32_t leaf;
	uint8_t reg, bit;
};

static const struct valid_bit cr4_bits[] = {
	{ CR4_VME | CR4_PVI, 1, EDX, 1 }, { CR4_TSD, 1, EDX, 4 },	  { CR4_DE, 1, EDX, 2 },       { CR4_PSE, 1, EDX, 3 },
	{ CR4_PAE, 1, EDX, 6 },		  { CR4_MCE, 1, EDX, 7 },	  { CR4_PGE, 1, EDX, 13 },     { CR4_PCE, 0, 0, 0 },
	{ CR4_OSFXSR, 1, EDX, 24 },	  { CR4_OSXMMEXCPT, 1, EDX, 25 }, { CR4_UMIP, 7, ECX, 2 },     { CR4_LA57, 7, ECX, 16 },
	{ CR4_FSGSBASE, 7, EBX, 0 },	  { CR4_PCIDE, 1, ECX, 17 },	  { CR4_OSXSAVE, 1, ECX, 26 }, { CR4_SMEP, 7, EBX, 7 },
	{ CR4_SMAP, 7, EBX, 20 },	  { CR4_PKE, 7, ECX, 3 },	  { CR4_CET, 7, ECX, 7 },
};

/* Those that the guest is never given are not asked for one by one. */
static const struct valid_bit efer_bits[] = {
	{ EFER_SCE | EFER_LME | EFER_LMA | EFER_SVME | EFER_LMSLE, 0, 0, 0 },
	{ EFER_NXE, LEAF_EXT_FEATURES, EDX, 20 },
	{ EFER_FFXSR, LEAF_EXT_FEATURES, EDX, 25 },
	{ EFER_TCE, LEAF_EXT_FEATURES, ECX, 17 },
};

static uint64_t valid_mask(const struct cpu_features *f, const struct valid_bit *bits, size_t count)
{
	uint64_t mask = 0;
	uint32_t r[4];

	for (size_t i = 0; i < count; i++) {
		if (!bits[i].leaf) {
			mask |= bits[i].bits;
			continue;
		}
		if (bits[i].leaf > (bits[i].leaf >> 31 ? f->max_ext_leaf : f->max_leaf))
			continue;
		cpuid(bits[i].leaf, 0, r);
		if (r[bits[i].reg] >> bits[i].bit & 1)
			mask |= bits[i].bits;
	}
	return mask;
}

/* 15.4: the CPU has it, and the firmware lets us. */
static int check_available(const struct cpu_features *f)
{
	uint64_t vm_cr;
	uint32_t r[4] = { 0 };

	if (f->max_ext_leaf >= LEAF_SVM)
		cpuid(LEAF_EXT_FEATURES, 0, r);
	if (!(r[ECX] & EXT_ECX_SVM)) {
		log_error("this CPU has no SVM (AMD-V): in QEMU use -cpu max, on metal use an AMD CPU with AMD-V");
		return -ENODEV;
	}
	if (rdmsr_safe(MSR_VM_CR, &vm_cr) || !(vm_cr & VM_CR_SVMDIS))
		return 0;
	cpuid(LEAF_SVM, 0, r);
	if (!(vm_cr & VM_CR_LOCK) && !wrmsr_safe(MSR_VM_CR, vm_cr & ~VM_CR_SVMDIS) && !(rdmsr(MSR_VM_CR) & VM_CR_SVMDIS))
		return 0;
	if (r[EDX] & SVM_FEATURE_LOCK)
		log_error("SVM is disabled and locked with a key (VM_CR.SVMDIS): enable \"SVM Mode\" in the firmware's set-up, "
			  "or have the firmware unlock it, then power-cycle");
	else
		log_error("SVM is disabled by the firmware (VM_CR.SVMDIS): enable \"SVM Mode\" in its set-up, then power-cycle");
	return -ENODEV;
}

static void report(const struct svm_cpu *c)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {
		{ SVM_FEATURE_NP, "NPT" },
		{ SVM_FEATURE_NRIPS, "next RIP" },
		{ SVM_FEATURE_DECODE_ASSISTS, "decode assists" },
		{ SVM_FEATURE_VMCB_CLEAN, "clean bits" },
		{ SVM_FEATURE_FLUSH_BY_ASID, "flush by ASID" },
		{ SVM_FEATURE_PAUSE_FILTER, "pause filter" },
		{ SVM_FEATURE_LBR_VIRT, "LBR" },
	};
	char text[160];
	size_t n = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]) && n < sizeof(text); i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n, "%s%s%s", i ? ", " : "", c->features & names[i].bit ? "" : "no ",
				      names[i].name);
	log_info("SVM revision %u, %u ASIDs: %s", c->revision, c->asids, text);
}

/* QEMU's TCG says its name in the hypervisor leaf, or, where a KVM that runs in it says its own there, in the brand. */
static bool is_tcg(const struct cpu_features *f)
{
	return !strcmp(f->hypervisor, "TCGTCGTCGTCG") || !strncmp(f->brand, "QEMU TCG", 8);
}

static void detect(struct svm_cpu *c, const struct cpu_features *f)
{
	uint32_t r[4];

	cpuid(LEAF_SVM, 0, r);
	c->revision = (uint8_t)r[EAX];
	c->asids = r[EBX];
	c->features = r[EDX];
	c->clean = c->features & SVM_FEATURE_VMCB_CLEAN ? CLEAN_ALL : 0;
	cpuid(LEAF_EXT_FEATURES, 0, r);
	c->long_mode = r[EDX] & EXT_EDX_LM;
	c->phys_bits = f->phys_bits;
	c->cr4_valid = valid_mask(f, cr4_bits, sizeof(cr4_bits) / sizeof(cr4_bits[0]));
	c->efer_valid = valid_mask(f, efer_bits, sizeof(efer_bits) / sizeof(efer_bits[0]));
	c->forgets_shadow = c->forgets_exception = c->quits_at_cr3 = is_tcg(f);
	/* Not with a KVM in between: an NPF that it has to itself while TCG delivers V_IRQ is, to TCG's EXITINTINFO, that of an exception
	 * with this vector. KVM would inject that, and a VMRUN with an exception of a vector above 31 is refused. */
	c->irq_by_virq = !strcmp(f->hypervisor, "TCGTCGTCGTCG");
	/* As if all ASIDs were used up: the first guest begins a generation, and so flushes what the firmware may have left. */
	c->generation = 1;
	c->asid_next = c->asids;
}

int svm_cpu_enable(struct cpu *cpu)
{
	struct svm_cpu *c;
	uint64_t frames;
	int e = check_available(&cpu->features);

	if (e)
		return e;
	frames = frames_alloc(CPU_FRAMES, 1);
	if (!frames) {
		log_error("no memory for SVM's host save area: give the machine more");
		return -ENOMEM;
	}
	c = (struct svm_cpu *)(uintptr_t)frames;
	c->hsave = frames + PAGE_SIZE;
	c->host = frames + 2 * PAGE_SIZE;
	detect(c, &cpu->features);
	if (c->asids < 2) {
		log_error("SVM offers no ASID for a guest: the hypervisor below hides them; let it nest SVM");
		e = -ENODEV;
	} else if (wrmsr_safe(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME) || wrmsr_safe(MSR_VM_HSAVE_PA, c->hsave)) {
		log_error("EFER.SVME or VM_HSAVE_PA cannot be set: the hypervisor below forbids SVM; let it nest SVM");
		e = -ENODEV;
	}
	if (e) {
		frames_free(frames, CPU_FRAMES);
		return e;
	}
	svm_save_host(c->host);
	cpu->virt = c;
	report(c);
	return 0;
}

void svm_cpu_disable(struct cpu *cpu)
{
	struct svm_cpu *c = cpu->virt;

	if (!c)
		return;
	wrmsr(MSR_VM_HSAVE_PA, 0);
	wrmsr(MSR_EFER, rdmsr(MSR_EFER) & ~EFER_SVME);
	cpu->virt = NULL;
	frames_free((uint64_t)(uintptr_t)c, CPU_FRAMES);
}

int svm_slat_features(struct cpu *cpu, const struct pt_format **format, unsigned *max_leaf, bool *ad_bits, bool *page_log)
{
	const struct svm_cpu *c = cpu->virt;

	if (!(c->features & SVM_FEATURE_NP)) {
		log_error("this CPU has SVM without nested paging: use a newer one, or paging=shadow");
		return -ENODEV;
	}
	/* Nested tables have the format of the VMM's own paging mode: 4-level long mode (15.25.3). A and D are always set. */
	*format = &pt_npt;
	*max_leaf = cpu->features.page1g ? 3 : 2;
	*ad_bits = true;
	*page_log = false;
	return 0;
}
