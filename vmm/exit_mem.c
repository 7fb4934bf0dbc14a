/* EPT violations and nested page faults that the dirty tracker did not ask for: a device, or nothing at all. */
#include "vmm/exit.h"
#include "vmm/gva.h"
#include "vmm/vm.h"

void exit_no_memory(struct vcpu *v, struct vm_exit *x, uint64_t gpa, bool fetch)
{
	if (x->interrupted.valid) {
		vcpu_park(v, "delivering vector %u needs gpa 0x%llx (a stack or table), where there is no memory", x->interrupted.vector,
			  (unsigned long long)gpa);
		return;
	}
	if (fetch) { /* an open bus reads as ones, and ff ff is no instruction */
		vcpu_ud(v);
		return;
	}
	emulate_mmio(v, gpa);
}

#define STRANGE_MAX 1000 /* faults without a reason at one instruction */

void exit_strange_fault(struct vcpu *v, const char *what, uint64_t addr)
{
	uint64_t rip = vcpu_rip(v);

	v->ops->slat_flush(v);
	v->ops->tlb_flush(v);
	if (v->strange.rip != rip || v->strange.rcx != v->gpr[RCX])
		v->strange.run = 0;
	v->strange.rip = rip;
	v->strange.rcx = v->gpr[RCX];
	if (++v->strange.run > STRANGE_MAX)
		vcpu_park(v, "%s 0x%llx faults again and again though it is mapped", what, (unsigned long long)addr);
}

void exit_slat_fault(struct vcpu *v, struct vm_exit *x)
{
	uint64_t gpa = x->slat.gpa;

	if (guest_mem_slot(&v->vm->mem, gpa)) {
		exit_strange_fault(v, "gpa", gpa); /* RAM is always mapped read, write, execute */
		return;
	}
	/* A table in nowhere: whose access that was is not told, so the instruction is gone through again, and its own walk faults. */
	exit_no_memory(v, x, gpa, x->slat.fetch && !x->slat.walk);
}
