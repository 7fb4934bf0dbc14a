#include "vmm/exit.h"

#include <string.h>

#include "vmm/cpu.h"
#include "vmm/gva.h"
#include "vmm/hw/hw.h"
#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/log.h"
#include "vmm/paging.h"
#include "vmm/report.h"
#include "vmm/vm.h"

static __attribute__((noinline)) void skip(struct vcpu *v, struct vm_exit *x)
{
	if (!vcpu_skip_plain(v, x->insn_len) && vcpu_exit_length(v, x))
		vcpu_skip(v, x->insn_len);
}

static __attribute__((noinline)) void exit_hlt(struct vcpu *v, struct vm_exit *x)
{
	skip(v, x);
	v->halted = !v->inject.valid;
}

static __attribute__((noinline)) void exit_rdtsc(struct vcpu *v, struct vm_exit *x)
{
	uint64_t tsc = rdtsc() + (uint64_t)v->vm->tsc_offset;

	v->gpr[RAX] = (uint32_t)tsc;
	v->gpr[RDX] = tsc >> 32;
	if (x->kind == EXIT_RDTSCP)
		v->gpr[RCX] = (uint32_t)v->ops->msr_get(v, VMSR_TSC_AUX);
	skip(v, x);
}

static __attribute__((noinline)) void exit_exception(struct vcpu *v, struct vm_exit *x)
{
	if (x->exc.vector == VEC_MC) {
		vcpu_park(v, "machine check while the guest ran");
		return;
	}
	if (x->exc.vector == VEC_PF && paging_shadow(v)) {
		exit_page_fault(v, x);
		return;
	}
	/* No other is intercepted for its own sake: the guest gets what it would have got. */
	if (x->exc.vector == VEC_PF)
		vcpu_set_cr2(v, x->exc.dr6_or_cr2);
	if (x->exc.vector == VEC_DB)
		v->ops->dr6_set(v, ~0ull, x->exc.dr6_or_cr2);
	vcpu_exception(v, x->exc.vector, x->exc.has_error, x->exc.error);
}

static __attribute__((noinline)) void exit_task_switch(struct vcpu *v, struct vm_exit *x)
{
	vcpu_park(v, "hardware task switch to selector 0x%x: not supported", x->task.selector);
}

static __attribute__((noinline)) void exit_entry_failed(struct vcpu *v)
{
	char rule[sizeof(v->problem)];

	memcpy(rule, v->problem, sizeof(rule));
	vcpu_park(v, "%s refused the guest's state: %s", v->ops->name, rule[0] ? rule : "no rule of ours is broken");
}

static void note(struct vcpu *v, const struct vm_exit *x)
{
	unsigned at = v->trace_pos++ % VCPU_TRACE;

	v->trace[at] = (struct vcpu_trace){ .raw = x->raw_reason, .info1 = x->info1, .kind = x->kind };
	v->exits[x->kind]++;
}

/* Flags that lie together, looked at as one. */
#define FLAGS_TOGETHER(type, first, last, n)                                                                                       \
	_Static_assert(offsetof(struct type, last) + sizeof(bool) == offsetof(struct type, first) + (n), "read as one")
FLAGS_TOGETHER(vcpu, nmi_pending, root_wanted, 5);
FLAGS_TOGETHER(vm, attention, hold, 4);
FLAGS_TOGETHER(cpu, irq_uart, irq_timer, 2);

static inline bool goes_on(const struct vcpu *v)
{
	const struct vm *vm = v->vm;
	uint32_t waits, irqs = *(const volatile uint16_t *)&v->cpu->irq_uart;
	uint64_t stops;

	__builtin_memcpy(&stops, &v->nmi_pending, sizeof(stops));
	__builtin_memcpy(&waits, &vm->attention, sizeof(waits));
	return !(stops | waits | irqs);
}

static __attribute__((noinline)) bool skip_and_go(struct vcpu *v)
{
	skip(v, &v->exit);
	return goes_on(v);
}

bool exit_skip(struct vcpu *v)
{
	return vcpu_skip_plain(v, v->exit.insn_len) ? goes_on(v) : skip_and_go(v);
}

static __attribute__((noinline)) bool handle(struct vcpu *v)
{
	switch (v->exit.kind) {
	case EXIT_NONE: break;
	case EXIT_HOST_INTERRUPT: irq_poll(); break;
	case EXIT_NMI: break;
	case EXIT_EXCEPTION: exit_exception(v, &v->exit); break;
	case EXIT_IRQ_WINDOW: v->want_irq_window = false; break;
	case EXIT_NMI_WINDOW: v->want_nmi_window = false; break;
	case EXIT_RDMSR: exit_rdmsr(v, &v->exit); break;
	case EXIT_WRMSR: exit_wrmsr(v, &v->exit); break;
	case EXIT_IO: exit_io(v, &v->exit); break;
	case EXIT_HLT: exit_hlt(v, &v->exit); break;
	case EXIT_CR: exit_cr(v, &v->exit); break;
	case EXIT_XSETBV: exit_xsetbv(v, &v->exit); break;
	case EXIT_INVD: /* the guest's memory is coherent with every device it has: dropping caches is writing them back */
	case EXIT_WBINVD:
	case EXIT_PAUSE: return exit_skip(v);
	case EXIT_RDTSC:
	case EXIT_RDTSCP: exit_rdtsc(v, &v->exit); break;
	case EXIT_RDPMC: vcpu_gp(v); break;
	case EXIT_INVLPG: exit_invlpg(v, &v->exit); break;
	case EXIT_MONITOR: /* CPUID does not offer these */
	case EXIT_MWAIT:
	case EXIT_VIRT_INSN: vcpu_ud(v); break;
	case EXIT_HYPERCALL: exit_hypercall(v, &v->exit); break;
	case EXIT_TASK_SWITCH: exit_task_switch(v, &v->exit); break;
	case EXIT_SLAT_FAULT:
		/* A write, or the CPU setting A and D bits in guest tables that live in a tracked page. */
		if (!(v->exit.slat.write | v->exit.slat.walk) || !dirty_write_fault(&v->vm->dirty, v->exit.slat.gpa))
			exit_slat_fault(v, &v->exit);
		break;
	case EXIT_PML_FULL: dirty_log_full(&v->vm->dirty); break;
	case EXIT_SLAT_MISCONFIG:
		vcpu_park(v, "the VMM's second-level table entry for gpa 0x%llx is malformed", (unsigned long long)v->exit.slat.gpa);
		break;
	case EXIT_TRIPLE_FAULT: vcpu_park(v, "triple fault"); break;
	case EXIT_SHUTDOWN: vcpu_park(v, "shutdown (INIT or SIPI without an APIC)"); break;
	case EXIT_ENTRY_FAILED: exit_entry_failed(v); break;
	case EXIT_DR:
	default:
		vcpu_park(v, "%s exit 0x%llx, which was not asked for", v->ops->name, (unsigned long long)v->exit.raw_reason);
		break;
	}
	return goes_on(v);
}

/* The shortest of all handlers goes without the frame that the others share. */
bool exit_handle(struct vcpu *v)
{
	note(v, &v->exit);
	return v->exit.kind == EXIT_CPUID ? exit_cpuid(v) : handle(v);
}
