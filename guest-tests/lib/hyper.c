#include "guest-tests/lib/hyper.h"

#include "guest-tests/lib/cpu.h"
#include "guest-tests/lib/string.h"

#define CPUID1_HYPERVISOR (1u << 31)
#define CPUID_HYPERVISOR 0x40000000u

bool hyper_present(void)
{
	struct regs4 r;

	if (!(cpuid(1, 0).ecx & CPUID1_HYPERVISOR))
		return false;
	r = cpuid(CPUID_HYPERVISOR, 0);
	return r.eax >= CPUID_HYPERVISOR + 1 && !memcmp(&r.ebx, "TesseraHyper", 12);
}

bool hyper_is_vmcall(void)
{
	return cpuid(CPUID_HYPERVISOR + 1, 0).ecx & 1;
}

bool hyper_shadow_paging(void)
{
	return hyper_present() && cpuid(CPUID_HYPERVISOR + 1, 0).ecx & 2;
}

bool hyper_real_mode(void)
{
	return !hyper_present() || !(cpuid(CPUID_HYPERVISOR + 1, 0).ecx & 4);
}

int64_t hypercall4(uint32_t number, uint64_t rbx, uint64_t rcx, uint64_t rdx, uint64_t rsi)
{
	static int vmcall = -1; /* asked once: CPUID is an exit too */
	int64_t r = number;

	if (vmcall < 0)
		vmcall = hyper_is_vmcall();
	if (vmcall)
		__asm__ volatile("vmcall" : "+a"(r) : "b"(rbx), "c"(rcx), "d"(rdx), "S"(rsi) : "memory");
	else
		__asm__ volatile("vmmcall" : "+a"(r) : "b"(rbx), "c"(rcx), "d"(rdx), "S"(rsi) : "memory");
	return r;
}

int64_t hypercall(uint32_t number, uint64_t rbx, uint64_t rcx)
{
	return hypercall4(number, rbx, rcx, 0, 0);
}

int64_t hyper_screenshot(void)
{
	return hyper_present() ? hypercall(HC_SCREENSHOT, 0, 0) : -HYPER_ENOSYS;
}

bool cpu_is_amd(void)
{
	struct regs4 r = cpuid(0, 0);

	return !memcmp(&r.ebx, "Auth", 4) || !memcmp(&r.ebx, "Hygo", 4);
}

bool cpu_is_tcg(void)
{
	struct regs4 r;

	if (cpuid(0x80000000, 0).eax < 0x80000004)
		return false;
	r = cpuid(0x80000002, 0);
	return !memcmp(&r, "QEMU", 4) && (r.ebx & 0xffffff) == (' ' | 'T' << 8 | 'C' << 16);
}

bool bare_tcg(void)
{
	return cpu_is_tcg() && !hyper_present();
}
