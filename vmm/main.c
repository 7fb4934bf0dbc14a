/* The VMM proper: from a machine that works to a guest that runs. */
#include "vmm/main.h"

#include <stdio.h>
#include <string.h>

#include "mm/frames.h"
#include "vmm/cpu.h"
#include "vmm/fpu.h"
#include "vmm/hw/hw.h"
#include "vmm/line.h"
#include "vmm/log.h"
#include "vmm/speculation.h"
#include "vmm/vm.h"
#include "vmm/wall.h"
#include "vmm/watchdog.h"

static const struct vcpu_ops *const vendors[] = { [VIRT_NONE] = NULL, [VIRT_VMX] = &vmx_ops, [VIRT_SVM] = &svm_ops };

/*
 * There is no guest to run, but whoever attaches is to hear why: says it, and serves the line until told to go. (The attribute and
 * not _Noreturn, which cppcheck 2.10 does not see.)
 */
static __attribute__((noreturn)) void serve_without_guest(enum guest_end how, const char *why)
{
	static struct vm none;
	static struct vcpu nobody;

	log_error("%s", why);
	nobody = (struct vcpu){ .cpu = this_cpu(), .parked = true };
	none.vcpu = &nobody;
	none.clock.timers = NULL;
	none.ended = true;
	none.how = how;
	line_attach(&none);
	line_message(MSG_PARKED, why, strnlen(why, 512));
	vm_run(&none);
	line_close();
	machine_off(62);
}

void tessera_main(struct boot_info *bi, struct boot_options *opt)
{
	struct cpu *cpu = this_cpu();
	char why[384] = "no memory for the line's buffers";
	const struct vcpu_ops *ops;
	struct vm *vm;
	uint32_t code;

	cpu_report(&cpu->features);
	if (line_init(opt->baud, opt->share))
		panic("%s", why);
	wall_begin(!strcmp(opt->canary, "yes"));
	frames_fail(opt->failalloc);
	ops = vendors[cpu->features.virt];
	if (!ops)
		serve_without_guest(END_VMM_ERROR, cpu->features.virt_problem);
	fpu_enable();
	speculation_begin();
	if (ops->cpu_enable(cpu)) {
		snprintf(why, sizeof(why), "%s cannot be used on this CPU (see the lines above)", ops->name);
		serve_without_guest(END_VMM_ERROR, why);
	}
	vm = vm_create(cpu, ops, bi, opt, why, sizeof(why));
	if (!vm)
		serve_without_guest(END_VMM_ERROR, why);
	vm->stalls = !strcmp(opt->selftest, "stall");
	line_attach(vm);
	if (vm_boot(vm, why, sizeof(why)))
		serve_without_guest(END_BAD_GUEST, why);
	watchdog_init(bi, opt->watchdog);
	watchdog_run(vm);
	irq_nmi_stop();
	code = vm->how == END_DEBUG_EXIT ? vm->value : vm->how == END_POWEROFF ? 0 : 126;
	line_close();
	ops->cpu_disable(cpu);
	machine_off(code);
}
