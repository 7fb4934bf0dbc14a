/* Page-modification logging: the VMCS's side of mm/dirty_pml.c (SDM vol. 3, 29.3.6). */
#include "mm/layout.h"
#include "vmm/vm.h"
#include "vmm/vmx.h"

static uint16_t pml_index(void *arg)
{
	struct vmx_vcpu *a = arg;

	vmx_make_current(a);
	return (uint16_t)vmread(a, VMCS_GUEST_PML_INDEX);
}

static void pml_load(void *arg, const uint64_t *page)
{
	struct vmx_vcpu *a = arg;

	vmx_make_current(a);
	vmwrite(a, VMCS_PML_ADDRESS, (uintptr_t)page);
	vmwrite(a, VMCS_GUEST_PML_INDEX, DIRTY_LOG_ENTRIES - 1);
}

void vmx_pml_start(struct vcpu *v, struct vmx_vcpu *a)
{
	a->log = (struct dirty_log){ .arg = a, .index = pml_index, .load = pml_load };
	for (unsigned i = 0; i < DIRTY_LOG_PAGES; i++)
		a->log.page[i] = (uint64_t *)(uintptr_t)(a->pml + i * PAGE_SIZE);
	v->vm->dirty.log = &a->log;
	pml_load(a, a->log.page[0]);
}
