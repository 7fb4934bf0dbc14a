/* EPT violations and nested page faults: a tracked page's first write, a device, or nothing at all. */
#include "vmm/exit.h"
#include "vmm/gva.h"
#include "vmm/vm.h"

#define STRANGE_MAX 1000 /* faults without a reason at one instruction */

/* RAM is always mapped read, write, execute; a stale translation is the only harmless reason, and a flush ends it. */
static void strange_fault(struct vcpu *v, uint64_t gpa)
{
	uint64_t rip = vcpu_rip(v);

	v->ops->slat_flush(v);
	if (v->strange.rip != rip || v->strange.rcx != v->gpr[RCX])
		v->strange.run = 0;
	v->strange.rip = rip;
	v->strange.rcx = v->gpr[RCX];
	if (++v->strange.run > STRANGE_MAX)
		vcpu_park(v, "gpa 0x%llx faults again and again though it is mapped", (unsigned long long)gpa);
}

void exit_slat_fault(struct vcpu *v, struct vm_exit *x)
{
	uint64_t gpa = x->slat.gpa;

	/* A write, or the CPU setting A and D bits in guest tables that live in a tracked page. */
	if ((x->slat.write || x->slat.walk) && dirty_write_fault(&v->vm->dirty, gpa))
		return;
	if (guest_mem_slot(&v->vm->mem, gpa)) {
		strange_fault(v, gpa);
		return;
	}
	if (x->slat.walk) {
		vcpu_park(v, "the guest's page tables point to gpa 0x%llx, where there is no memory", (unsigned long long)gpa);
		return;
	}
	if (x->interrupted.valid) {
		vcpu_park(v, "delivering vector %u needs gpa 0x%llx (a stack or table), where there is no memory", x->interrupted.vector,
			  (unsigned long long)gpa);
		return;
	}
	if (x->slat.fetch) { /* an open bus reads as ones, and ff ff is no instruction */
		vcpu_ud(v);
		return;
	}
	emulate_mmio(v, gpa);
}
