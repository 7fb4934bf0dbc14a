/* MSRs: the permission map (APM vol. 2, 15.11), and the values that VMLOAD, VMRUN or the CPU itself keep. */
#include "vmm/hw/msr.h"
#include "vmm/svm.h"

/* Three vectors of 8192 MSRs, two bits each: the low one intercepts reads, the high one writes. */
#define MSRPM_RANGE 0x2000u

static const uint32_t range_start[] = { 0, 0xc0000000, 0xc0010000 };

/* Byte and bit of an MSR, or false when the map has no place for it: then every access exits. */
static bool map_place(uint32_t msr, size_t *byte, unsigned *shift)
{
	for (size_t i = 0; i < sizeof(range_start) / sizeof(range_start[0]); i++) {
		uint32_t n = msr - range_start[i];

		if (n < MSRPM_RANGE) {
			*byte = i * (MSRPM_RANGE / 4) + n / 4;
			*shift = n % 4 * 2;
			return true;
		}
	}
	return false;
}

void svm_msr_pass(struct vcpu *v, uint32_t msr, bool read, bool write)
{
	struct svm_vcpu *a = v->arch;
	size_t byte;
	unsigned shift;

	if (!map_place(msr, &byte, &shift))
		return;
	a->msrpm[byte] = (uint8_t)((a->msrpm[byte] & ~(3u << shift)) | (read ? 0u : 1u) << shift | (write ? 0u : 2u) << shift);
	vmcb_set_clean(a->vmcb, a->vmcb->control.clean & ~CLEAN_IOPM);
}

uint64_t svm_msr_get(struct vcpu *v, enum vmsr m)
{
	const struct svm_vcpu *a = v->arch;
	const struct vmcb_save *s = &a->vmcb->save;
	uint64_t value = 0;

	switch (m) {
	case VMSR_STAR: return s->star;
	case VMSR_LSTAR: return s->lstar;
	case VMSR_CSTAR: return s->cstar;
	case VMSR_SFMASK: return s->sfmask;
	case VMSR_KERNEL_GS_BASE: return s->kernel_gs_base;
	case VMSR_SYSENTER_CS: return s->sysenter_cs;
	case VMSR_SYSENTER_ESP: return s->sysenter_esp;
	case VMSR_SYSENTER_EIP: return s->sysenter_eip;
	case VMSR_PAT: return s->g_pat;
	case VMSR_DEBUGCTL: return s->debugctl;
	case VMSR_TSC_AUX: rdmsr_safe(MSR_TSC_AUX, &value); return value;
	case VMSR_COUNT: break;
	}
	return 0;
}

void svm_msr_set(struct vcpu *v, enum vmsr m, uint64_t value)
{
	struct svm_vcpu *a = v->arch;
	const struct vmcb *b = a->vmcb;

	switch (m) {
	case VMSR_STAR: vmcb_set_star(b, value); break;
	case VMSR_LSTAR: vmcb_set_lstar(b, value); break;
	case VMSR_CSTAR: vmcb_set_cstar(b, value); break;
	case VMSR_SFMASK: vmcb_set_sfmask(b, value); break;
	case VMSR_KERNEL_GS_BASE: vmcb_set_kernel_gs_base(b, value); break;
	case VMSR_SYSENTER_CS: vmcb_set_sysenter_cs(b, value); break;
	case VMSR_SYSENTER_ESP: vmcb_set_sysenter_esp(b, value); break;
	case VMSR_SYSENTER_EIP: vmcb_set_sysenter_eip(b, value); break;
	case VMSR_PAT: vmcb_set_g_pat(b, value); break;
	case VMSR_DEBUGCTL:
		/* The VMCB's copy reaches the CPU with LBR virtualisation only (15.23). Without it the register has no owner but
		 * the guest: the VMM uses neither LBR nor BTF. A CPU that lacks the register keeps the value alone. */
		vmcb_set_debugctl(b, value);
		if (!(b->control.lbr_ctl & LBR_CTL_ENABLE))
			wrmsr_safe(MSR_DEBUGCTL, value);
		break;
	case VMSR_TSC_AUX: /* the VMM does not use it, so the guest's stays in the CPU */ wrmsr_safe(MSR_TSC_AUX, value); break;
	case VMSR_COUNT: break;
	}
}
