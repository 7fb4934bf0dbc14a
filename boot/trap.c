/* What happens when an exception or an interrupt hits the VMM. */
#include "boot/trap.h"

#include <stdbool.h>
#include <stddef.h>

#include "boot/image.h"
#include "vmm/cpu.h"
#include "vmm/hw/hw.h"
#include "vmm/hw/x86.h"
#include "vmm/log.h"
#include "vmm/watchdog.h"

static const char *const vector_names[32] = {
	[VEC_DE] = "#DE divide error",
	[VEC_DB] = "#DB debug",
	[VEC_NMI] = "NMI",
	[VEC_BP] = "#BP breakpoint",
	[VEC_OF] = "#OF overflow",
	[VEC_BR] = "#BR bound",
	[VEC_UD] = "#UD invalid opcode",
	[VEC_NM] = "#NM no FPU",
	[VEC_DF] = "#DF double fault",
	[VEC_TS] = "#TS invalid TSS",
	[VEC_NP] = "#NP segment not present",
	[VEC_SS] = "#SS stack fault",
	[VEC_GP] = "#GP general protection",
	[VEC_PF] = "#PF page fault",
	[VEC_MF] = "#MF x87 error",
	[VEC_AC] = "#AC alignment check",
	[VEC_MC] = "#MC machine check",
	[VEC_XM] = "#XM SIMD error",
	[VEC_VE] = "#VE virtualization",
	[VEC_CP] = "#CP control protection",
	[VEC_SX] = "#SX security",
};

struct fixup {
	uint64_t insn, landing;
};
extern const struct fixup fixup_start[], fixup_end[];

static bool fix_up(struct trap_frame *f)
{
	for (const struct fixup *x = fixup_start; (uintptr_t)x < (uintptr_t)fixup_end; x++) {
		if (x->insn == f->rip) {
			f->rip = x->landing;
			return true;
		}
	}
	return false;
}

/* The stack whose guard page holds the address, or NULL. */
static const char *guarded_stack(uint64_t address)
{
	const struct {
		uint64_t low;
		const char *name;
	} stacks[] = {
		{ this_cpu()->stack_low, "the VMM's stack" },  { (uintptr_t)ist_stack_df, "the #DF stack" },
		{ (uintptr_t)ist_stack_nmi, "the NMI stack" }, { (uintptr_t)ist_stack_mc, "the #MC stack" },
		{ (uintptr_t)ist_stack_pf, "the #PF stack" },
	};
	for (size_t i = 0; i < sizeof(stacks) / sizeof(stacks[0]); i++) {
		if (address < stacks[i].low && address >= stacks[i].low - PAGE_SIZE)
			return stacks[i].name;
	}
	return NULL;
}

static _Noreturn void page_fault(const struct trap_frame *f)
{
	uint64_t address = read_cr2();
	const char *stack = guarded_stack(address), *did = "read", *why = "not mapped";
	if (stack)
		panic_trap(f, "#PF page fault: stack overflow: %s ran into its guard page at %016llx", stack,
			   (unsigned long long)address);
	if (f->error & PF_FETCH)
		did = "executed";
	else if (f->error & PF_W)
		did = "wrote";
	if (f->error & PF_RSVD)
		why = "mapped by a broken entry";
	else if (f->error & PF_P)
		why = "mapped without that right";
	panic_trap(f, "#PF page fault: %s %016llx, which is %s (error %04llx)", did, (unsigned long long)address, why,
		   (unsigned long long)f->error);
}

void trap(struct trap_frame *f)
{
	if (f->vector >= 32) {
		irq_dispatch((unsigned)f->vector);
		return;
	}
	switch (f->vector) {
	case VEC_NMI:
		this_cpu()->nmi = true;
		watchdog_nmi(f);
		return;
	case VEC_DB: /* vmm/svm_entry.asm */
	case VEC_GP:
	case VEC_UD:
		if (fix_up(f))
			return;
		break;
	case VEC_PF: page_fault(f);
	default: break;
	}
	const char *name = vector_names[f->vector];
	panic_trap(f, "vector %llu %s, error %04llx", (unsigned long long)f->vector, name ? name : "(reserved)",
		   (unsigned long long)f->error);
}
