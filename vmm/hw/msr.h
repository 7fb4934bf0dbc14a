/* Model-specific registers: names, plain access, and access that survives #GP. */
#ifndef VMM_HW_MSR_H
#define VMM_HW_MSR_H

#include <errno.h>
#include <stdint.h>

/* Architectural (Intel SDM vol. 4 table 2-2). */
#define MSR_TSC 0x10
#define MSR_PLATFORM_ID 0x17
#define MSR_APIC_BASE 0x1b
#define MSR_FEATURE_CONTROL 0x3a
#define MSR_TSC_ADJUST 0x3b
#define MSR_SPEC_CTRL 0x48
#define MSR_PRED_CMD 0x49
#define MSR_BIOS_UPDT_TRIG 0x79
#define MSR_BIOS_SIGN_ID 0x8b
#define MSR_PMC0 0xc1
#define MSR_PLATFORM_INFO 0xce
#define MSR_MTRRCAP 0xfe
#define MSR_ARCH_CAPABILITIES 0x10a
#define MSR_FLUSH_CMD 0x10b
#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_MCG_CAP 0x179
#define MSR_MCG_STATUS 0x17a
#define MSR_MCG_CTL 0x17b
#define MSR_PERFEVTSEL0 0x186
#define MSR_PERF_STATUS 0x198
#define MSR_PERF_CTL 0x199
#define MSR_MISC_ENABLE 0x1a0
#define MSR_DEBUGCTL 0x1d9
#define MSR_MTRR_PHYSBASE0 0x200 /* base and mask alternate, 0x200 + 2n and 0x201 + 2n */
#define MSR_MTRR_PHYSMASK0 0x201
#define MSR_MTRR_FIX64K_00000 0x250
#define MSR_MTRR_FIX16K_80000 0x258
#define MSR_MTRR_FIX16K_A0000 0x259
#define MSR_MTRR_FIX4K_C0000 0x268
#define MSR_MTRR_FIX4K_F8000 0x26f
#define MSR_PAT 0x277
#define MSR_MTRR_DEF_TYPE 0x2ff
#define MSR_FIXED_CTR0 0x309
#define MSR_PERF_CAPABILITIES 0x345
#define MSR_FIXED_CTR_CTRL 0x38d
#define MSR_PERF_GLOBAL_STATUS 0x38e
#define MSR_PERF_GLOBAL_CTRL 0x38f
#define MSR_MC0_CTL 0x400 /* four for each bank */
#define MSR_DS_AREA 0x600
#define MSR_U_CET 0x6a0
#define MSR_S_CET 0x6a2
#define MSR_PL0_SSP 0x6a4
#define MSR_TSC_DEADLINE 0x6e0
#define MSR_X2APIC_BASE 0x800 /* 0x800 + (xAPIC register offset >> 4) */
#define MSR_XSS 0xda0
#define MSR_BNDCFGS 0xd90

/* VMX capabilities (SDM vol. 3 appendix A). */
#define MSR_VMX_BASIC 0x480
#define MSR_VMX_PINBASED_CTLS 0x481
#define MSR_VMX_PROCBASED_CTLS 0x482
#define MSR_VMX_EXIT_CTLS 0x483
#define MSR_VMX_ENTRY_CTLS 0x484
#define MSR_VMX_MISC 0x485
#define MSR_VMX_CR0_FIXED0 0x486
#define MSR_VMX_CR0_FIXED1 0x487
#define MSR_VMX_CR4_FIXED0 0x488
#define MSR_VMX_CR4_FIXED1 0x489
#define MSR_VMX_VMCS_ENUM 0x48a
#define MSR_VMX_PROCBASED_CTLS2 0x48b
#define MSR_VMX_EPT_VPID_CAP 0x48c
#define MSR_VMX_TRUE_PINBASED_CTLS 0x48d
#define MSR_VMX_TRUE_PROCBASED_CTLS 0x48e
#define MSR_VMX_TRUE_EXIT_CTLS 0x48f
#define MSR_VMX_TRUE_ENTRY_CTLS 0x490
#define MSR_VMX_VMFUNC 0x491

/* Long mode and AMD (APM vol. 2 appendix A). */
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_SFMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define MSR_TSC_AUX 0xc0000103
#define MSR_TSC_RATIO 0xc0000104
#define MSR_AMD_PERFEVTSEL0 0xc0010000
#define MSR_AMD_PMC0 0xc0010004
#define MSR_SYSCFG 0xc0010010
#define MSR_HWCR 0xc0010015
#define MSR_INT_PENDING 0xc0010055
#define MSR_TOP_MEM 0xc001001a
#define MSR_TOP_MEM2 0xc001001d
#define MSR_AMD_PATCH_LEVEL 0x8b
#define MSR_NB_CFG 0xc001001f
#define MSR_VM_CR 0xc0010114
#define MSR_IGNNE 0xc0010115
#define MSR_SMM_CTL 0xc0010116
#define MSR_VM_HSAVE_PA 0xc0010117
#define MSR_SVM_KEY 0xc0010118
#define MSR_OSVW_ID_LENGTH 0xc0010140
#define MSR_OSVW_STATUS 0xc0010141
#define MSR_DE_CFG 0xc0011029

#define APIC_BASE_BSP (1ull << 8)
#define APIC_BASE_X2APIC (1ull << 10)
#define APIC_BASE_ENABLE (1ull << 11)
#define APIC_BASE_ADDR 0x000ffffffffff000ull

#define FEATURE_CONTROL_LOCK (1ull << 0)
#define FEATURE_CONTROL_VMX_SMX (1ull << 1)
#define FEATURE_CONTROL_VMX (1ull << 2) /* outside SMX */

#define EFER_SCE (1ull << 0)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)
#define EFER_NXE (1ull << 11)
#define EFER_SVME (1ull << 12)
#define EFER_LMSLE (1ull << 13)
#define EFER_FFXSR (1ull << 14)
#define EFER_TCE (1ull << 15)

#define VM_CR_DPD (1ull << 0)
#define VM_CR_R_INIT (1ull << 1)
#define VM_CR_DIS_A20M (1ull << 2)
#define VM_CR_LOCK (1ull << 3)
#define VM_CR_SVMDIS (1ull << 4)

/** Reads an MSR that is known to exist; one that does not is a bug of the VMM and traps. */
static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;
	__asm__ volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return (uint64_t)hi << 32 | lo;
}

/** Writes an MSR; a reserved bit or a missing MSR traps. */
static inline void wrmsr(uint32_t msr, uint64_t v)
{
	__asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

/*
 * For inline assembly whose instruction at label `insn` may raise #GP or #UD and is then to be given up: trap() goes on at label
 * `landing` with all registers as they were. Entries live in .fixup; boot/trap.c searches them.
 */
#define FIXUP(insn, landing)                                                                                                       \
	".pushsection .fixup, \"a\", @progbits\n\t"                                                                                \
	".quad " insn ", " landing "\n\t"                                                                                          \
	".popsection\n\t"

/** Reads an MSR that may not exist. Returns 0, or -EIO when the CPU refuses (#GP); *v is then 0. */
static inline int rdmsr_safe(uint32_t msr, uint64_t *v)
{
	uint32_t lo = 0, hi = 0;
	int err = -EIO;
	__asm__ volatile("1: rdmsr\n\t"
			 "xor %[err], %[err]\n"
			 "2:\n\t" FIXUP("1b", "2b")
			 : "+a"(lo), "+d"(hi), [err] "+r"(err)
			 : "c"(msr)
			 : "memory", "cc");
	*v = (uint64_t)hi << 32 | lo;
	return err;
}

/** Writes an MSR. Returns 0, or -EIO when the CPU refuses the MSR or the value (#GP). */
static inline int wrmsr_safe(uint32_t msr, uint64_t v)
{
	int err = -EIO;
	__asm__ volatile("1: wrmsr\n\t"
			 "xor %[err], %[err]\n"
			 "2:\n\t" FIXUP("1b", "2b")
			 : [err] "+r"(err)
			 : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32))
			 : "memory", "cc");
	return err;
}

#endif
