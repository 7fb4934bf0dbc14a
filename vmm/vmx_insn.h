/*
 * The VMX instructions (SDM vol. 3, ch. 31). They succeed, or fail with CF (there is no current VMCS) or ZF (the current VMCS's
 * instruction-error field says why): 31.2.
 */
#ifndef VMM_VMX_INSN_H
#define VMM_VMX_INSN_H

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>

#include "vmm/hw/msr.h"

/* What an instruction said; vmx_enter gives the same numbers. */
enum vmx_status { VMX_OK, VMX_FAIL_INVALID, VMX_FAIL_VALID };

#define VMX_STATUS(cf, zf) ((cf) ? VMX_FAIL_INVALID : (zf) ? VMX_FAIL_VALID : VMX_OK)

/** VMXON. *gp: it raised #GP or #UD instead (CR0, CR4, feature control or A20 not as it must be). */
static inline enum vmx_status vmxon(uint64_t region, bool *gp)
{
	int err = -EIO;
	bool cf = false, zf = false;

	__asm__ volatile("1: vmxon %[region]\n\t"
			 "setc %[cf]\n\t"
			 "setz %[zf]\n\t"
			 "xor %[err], %[err]\n"
			 "2:\n\t" FIXUP("1b", "2b")
			 : [err] "+r"(err), [cf] "+q"(cf), [zf] "+q"(zf)
			 : [region] "m"(region)
			 : "memory", "cc");
	*gp = err != 0;
	return VMX_STATUS(cf, zf);
}

static inline enum vmx_status vmxoff(void)
{
	bool cf, zf;

	__asm__ volatile("vmxoff" : "=@ccc"(cf), "=@ccz"(zf) : : "memory");
	return VMX_STATUS(cf, zf);
}

static inline enum vmx_status vmclear(uint64_t vmcs)
{
	bool cf, zf;

	__asm__ volatile("vmclear %2" : "=@ccc"(cf), "=@ccz"(zf) : "m"(vmcs) : "memory");
	return VMX_STATUS(cf, zf);
}

static inline enum vmx_status vmptrld(uint64_t vmcs)
{
	bool cf, zf;

	__asm__ volatile("vmptrld %2" : "=@ccc"(cf), "=@ccz"(zf) : "m"(vmcs) : "memory");
	return VMX_STATUS(cf, zf);
}

/* Types of INVEPT and INVVPID. */
#define INV_SINGLE 1ull
#define INV_ALL 2ull

struct inv_descriptor {
	uint64_t first, second;
};
_Static_assert(sizeof(struct inv_descriptor) == 16, "SDM vol. 3, figures 31-1 and 31-2");

static inline enum vmx_status invept(uint64_t type, uint64_t eptp)
{
	struct inv_descriptor d = { eptp, 0 };
	bool cf, zf;

	__asm__ volatile("invept %2, %3" : "=@ccc"(cf), "=@ccz"(zf) : "m"(d), "r"(type) : "memory");
	return VMX_STATUS(cf, zf);
}

static inline enum vmx_status invvpid(uint64_t type, uint16_t vpid)
{
	struct inv_descriptor d = { vpid, 0 };
	bool cf, zf;

	__asm__ volatile("invvpid %2, %3" : "=@ccc"(cf), "=@ccz"(zf) : "m"(d), "r"(type) : "memory");
	return VMX_STATUS(cf, zf);
}

#endif
