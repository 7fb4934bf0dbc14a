/* Guest MSRs and debug status: in the VMCS, or live in the CPU. */
#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/log.h"
#include "vmm/vmx.h"

/*
 * The VMM uses neither SYSCALL nor SWAPGS nor RDTSCP, so the guest's values of those MSRs stay in the CPU while the VMM runs. One
 * guest CPU runs on a physical one for now; two that share one will have to swap these.
 */
static const struct {
	bool vmcs;
	uint32_t where; /* field or MSR */
} places[VMSR_COUNT] = {
	[VMSR_STAR] = { false, MSR_STAR },
	[VMSR_LSTAR] = { false, MSR_LSTAR },
	[VMSR_CSTAR] = { false, MSR_CSTAR },
	[VMSR_SFMASK] = { false, MSR_SFMASK },
	[VMSR_KERNEL_GS_BASE] = { false, MSR_KERNEL_GS_BASE },
	[VMSR_SYSENTER_CS] = { true, VMCS_GUEST_SYSENTER_CS },
	[VMSR_SYSENTER_ESP] = { true, VMCS_GUEST_SYSENTER_ESP },
	[VMSR_SYSENTER_EIP] = { true, VMCS_GUEST_SYSENTER_EIP },
	[VMSR_PAT] = { true, VMCS_GUEST_PAT },
	[VMSR_DEBUGCTL] = { true, VMCS_GUEST_DEBUGCTL },
	[VMSR_TSC_AUX] = { false, MSR_TSC_AUX },
};

uint64_t vmx_msr_get(struct vcpu *v, enum vmsr m)
{
	struct vmx_vcpu *a = v->arch;
	uint64_t value;

	ASSERT(m < VMSR_COUNT);
	if (places[m].vmcs) {
		vmx_make_current(a);
		return vmread(a, (enum vmcs_field)places[m].where);
	}
	/* TSC_AUX may not exist: then it reads 0. The others do on every 64-bit CPU. */
	rdmsr_safe(places[m].where, &value);
	return value;
}

void vmx_msr_set(struct vcpu *v, enum vmsr m, uint64_t value)
{
	struct vmx_vcpu *a = v->arch;

	ASSERT(m < VMSR_COUNT);
	if (places[m].vmcs) {
		vmx_make_current(a);
		vmwrite(a, (enum vmcs_field)places[m].where, value);
	} else if (wrmsr_safe(places[m].where, value)) {
		log_warn("VMX: the CPU refuses %llx for MSR %x", (unsigned long long)value, places[m].where);
	}
}

/* MSR bitmaps (SDM vol. 3, 25.6.9): four of 1 KiB: reads of low and high MSRs, then writes. A bit that is set: exit. */
#define BITMAP_HIGH 0x400
#define BITMAP_WRITE 0x800
#define MSRS_PER_BITMAP 0x2000u
#define MSRS_HIGH 0xc0000000u

static void bitmap_set(uint8_t *map, uint32_t bit, bool exits)
{
	if (exits)
		map[bit / 8] |= (uint8_t)(1u << bit % 8);
	else
		map[bit / 8] &= (uint8_t)~(1u << bit % 8);
}

void vmx_msr_pass(struct vcpu *v, uint32_t msr, bool read, bool write)
{
	struct vmx_vcpu *a = v->arch;
	uint32_t index = msr & (MSRS_PER_BITMAP - 1), base = msr - index;
	uint8_t *map = a->msr_bitmap + (base ? BITMAP_HIGH : 0);

	/* Others always exit. */
	if (base && base != MSRS_HIGH) {
		if (read || write)
			log_warn("VMX: MSR %x cannot be passed to the guest: it is not in the bitmaps", msr);
		return;
	}
	bitmap_set(map, index, !read);
	bitmap_set(map + BITMAP_WRITE, index, !write);
	if (msr == MSR_EFER)
		a->keeps = write ? a->keeps & ~VG_EFER : a->keeps | VG_EFER;
}

/* DR6 is not part of the VMCS: the guest's is the CPU's. */
void vmx_dr6_set(struct vcpu *v, uint64_t keep, uint64_t bits)
{
	(void)v;
	write_dr6((read_dr6() & keep) | bits);
}
