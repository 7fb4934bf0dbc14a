/* The host-state area: what each exit loads (SDM vol. 3, 25.5, 28.5). */
#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/log.h"
#include "vmm/vmx.h"

/* Base of the 64-bit TSS that the descriptor at `selector` names (SDM vol. 3, figure 8-4). */
static uint64_t tss_base(const struct x86_table *gdtr, uint16_t selector)
{
	const uint64_t *d;

	ASSERT(selector && !(selector & 4) && (selector & ~7u) + 15 <= gdtr->limit);
	d = (const uint64_t *)(uintptr_t)(gdtr->base + (selector & ~7u));
	return (d[0] >> 16 & 0xffffff) | (d[0] >> 56 & 0xff) << 24 | d[1] << 32;
}

/*
 * Exits leave the limits of GDTR and IDTR at 0xffff and TR's at 0x67 (28.5.2): no need to restore them. The VMM loads no selector
 * past its own, its IDT has all 256 vectors, and it has no use for an I/O permission map.
 */
void vmx_host_state(struct vmx_vcpu *a)
{
	struct x86_table gdtr, idtr;

	sgdt(&gdtr);
	sidt(&idtr);
	vmwrite(a, VMCS_HOST_CR0, read_cr0());
	vmwrite(a, VMCS_HOST_CR3, read_cr3());
	vmwrite(a, VMCS_HOST_CR4, read_cr4());
	/* 27.2.3: RPL and TI must be 0. The VMM keeps no selectors in DS, ES, FS and GS that an exit would have to bring back. */
	vmwrite(a, VMCS_HOST_CS_SEL, read_cs());
	vmwrite(a, VMCS_HOST_SS_SEL, read_ss());
	vmwrite(a, VMCS_HOST_DS_SEL, read_ds());
	vmwrite(a, VMCS_HOST_ES_SEL, read_es());
	vmwrite(a, VMCS_HOST_FS_SEL, 0);
	vmwrite(a, VMCS_HOST_GS_SEL, 0);
	vmwrite(a, VMCS_HOST_TR_SEL, read_tr());
	vmwrite(a, VMCS_HOST_FS_BASE, 0);
	vmwrite(a, VMCS_HOST_GS_BASE, rdmsr(MSR_GS_BASE));
	vmwrite(a, VMCS_HOST_TR_BASE, tss_base(&gdtr, read_tr()));
	vmwrite(a, VMCS_HOST_GDTR_BASE, gdtr.base);
	vmwrite(a, VMCS_HOST_IDTR_BASE, idtr.base);
	vmwrite(a, VMCS_HOST_SYSENTER_CS, rdmsr(MSR_SYSENTER_CS));
	vmwrite(a, VMCS_HOST_SYSENTER_ESP, rdmsr(MSR_SYSENTER_ESP));
	vmwrite(a, VMCS_HOST_SYSENTER_EIP, rdmsr(MSR_SYSENTER_EIP));
	vmwrite(a, VMCS_HOST_PAT, rdmsr(MSR_PAT));
	vmwrite(a, VMCS_HOST_EFER, rdmsr(MSR_EFER));
	vmwrite(a, VMCS_HOST_RIP, (uintptr_t)vmx_exit_point);
}
