/* MSRs of the local APIC (devices/vlapic.h), and of what it must know: the TSC. */
#include <errno.h>

#include "vmm/cpu.h"
#include "vmm/exit.h"
#include "vmm/hw/hw.h"
#include "vmm/vm.h"

int apic_base_get(struct vcpu *v, uint64_t *value)
{
	*value = pc_vlapic(v->vm->pc)->base;
	return 0;
}

int apic_base_set(struct vcpu *v, uint64_t value)
{
	if (value >> v->cpu->features.phys_bits || vlapic_set_base(pc_vlapic(v->vm->pc), value))
		return -EINVAL;
	cpuid_apic(v);
	return 0;
}

int tsc_deadline_get(struct vcpu *v, uint64_t *value)
{
	*value = vlapic_deadline(pc_vlapic(v->vm->pc));
	return 0;
}

int tsc_deadline_set(struct vcpu *v, uint64_t value)
{
	vlapic_set_deadline(pc_vlapic(v->vm->pc), value);
	return 0;
}

int x2apic_get(struct vcpu *v, uint64_t *value)
{
	return vlapic_msr_read(pc_vlapic(v->vm->pc), (uint32_t)v->gpr[RCX], value);
}

int x2apic_set(struct vcpu *v, uint64_t value)
{
	return vlapic_msr_write(pc_vlapic(v->vm->pc), (uint32_t)v->gpr[RCX], value);
}

int tsc_get(struct vcpu *v, uint64_t *value)
{
	*value = rdtsc() + (uint64_t)v->vm->tsc_offset;
	return 0;
}

int tsc_set(struct vcpu *v, uint64_t value)
{
	v->vm->tsc_offset = (int64_t)(value - rdtsc());
	v->ops->tsc_offset(v, v->vm->tsc_offset);
	vlapic_tsc_changed(pc_vlapic(v->vm->pc));
	return 0;
}
