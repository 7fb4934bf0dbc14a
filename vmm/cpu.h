/* State per physical CPU, and what the CPU can do. Only the boot CPU runs for now; nothing here is global on purpose. */
#ifndef VMM_CPU_H
#define VMM_CPU_H

#include <stdbool.h>
#include <stdint.h>

enum cpu_virt { VIRT_NONE, VIRT_VMX, VIRT_SVM };

struct cpu_features {
	char vendor[13], brand[49];
	char hypervisor[13]; /* of the one below, empty on metal */
	uint32_t max_leaf, max_ext_leaf;
	uint8_t phys_bits; /* MAXPHYADDR */
	bool nx, pge, pcid, invpcid, smep, smap, umip, page1g, x2apic, tsc_deadline, tsc_invariant, xsave, avx, fxsr, la57;
	enum cpu_virt virt;
	char virt_problem[160]; /* a sentence that says what to do, when virt is VIRT_NONE */
};

struct vcpu;

struct cpu {
	struct cpu *self; /* first: read through GS */
	unsigned index;
	uint32_t apic_id;
	struct cpu_features features;
	uint64_t tsc_hz; /* calibrated */
	struct vcpu *current;
	void *virt; /* VMXON region or host save area, by vendor */
	/* filled by the host interrupt handlers (vmm/hw) */
	volatile bool irq_uart, irq_timer;
	volatile bool nmi;		/* an NMI hit the VMM: the guest's, whoever takes it clears this */
	uint64_t stack_low, stack_high; /* the CPU's own stack, for the backtrace */
};

/** The CPU that runs this. */
static inline struct cpu *this_cpu(void)
{
	struct cpu *c;
	__asm__("mov %%gs:0, %0" : "=r"(c));
	return c;
}

/** Fills in features from CPUID and MSRs; logs nothing. */
void cpu_detect(struct cpu_features *f);

/** Prints the features in one screenful, and a sentence with the remedy for each missing one that matters. */
void cpu_report(const struct cpu_features *f);

#endif
