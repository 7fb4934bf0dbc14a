/* The loop that runs a guest, its timers and the line. */
#include <errno.h>

#include "vmm/control.h"
#include "vmm/cpu.h"
#include "vmm/exit.h"
#include "vmm/hw/hw.h"
#include "vmm/hw/x86.h"
#include "vmm/line.h"
#include "vmm/log.h"
#include "vmm/paging.h"
#include "vmm/vm.h"
#include "vmm/watchdog.h"

static bool runnable(const struct vm *vm)
{
	const struct vcpu *v = vm->vcpu;

	return !v->halted && !v->waiting && !v->parked && !vm->paused && !vm->hold && !vm->ended;
}

/* The guest can take a maskable interrupt now. */
static bool interruptible(struct vcpu *v)
{
	if (v->inject.valid || !(vcpu_rflags(v) & RFLAGS_IF))
		return false;
	vcpu_need(v, VG_SHADOW);
	return !v->shadow_sti && !v->shadow_ss;
}

static void deliver_nmi(struct vcpu *v)
{
	vcpu_need(v, VG_SHADOW);
	if (v->inject.valid || v->nmi_blocked || v->shadow_ss) {
		v->want_nmi_window = true;
		return;
	}
	v->inject = (struct vevent){ .valid = true, .vector = VEC_NMI, .type = EVENT_NMI };
	v->nmi_pending = false;
	v->halted = false;
}

static void deliver_interrupts(struct vm *vm)
{
	struct vcpu *v = vm->vcpu;

	if (v->cr8 != pc_cr8(vm->pc))
		vcpu_set_cr8(v, pc_cr8(vm->pc));
	if (v->nmi_pending)
		deliver_nmi(v);
	vm->intr_changed = pc_intr(vm->pc); /* asked again at each exit until it was taken */
	if (!vm->intr_changed) {
		v->want_irq_window = false;
		return;
	}
	if (!interruptible(v)) {
		v->want_irq_window = true;
		return;
	}
	v->inject = (struct vevent){ .valid = true, .vector = pc_ack(vm->pc), .type = EVENT_IRQ };
	v->want_irq_window = vm->intr_changed = pc_intr(vm->pc);
	v->halted = false;
}

/* Steps of what waits for the far end: first the pictures and texts, then the message about them. */
static void advance_sync(struct vm *vm)
{
	uint32_t number = vm->shots - 1;

	if (vm->sync == SYNC_PICTURES && line_settled()) {
		vm->sync = SYNC_MESSAGE;
		if (vm->ended && line_up()) /* else it is told to whoever attaches */
			control_announce_end(vm);
		else if (!vm->ended)
			line_message(MSG_SHOT, &number, sizeof(number));
	}
	if (vm->sync == SYNC_MESSAGE && line_settled()) {
		vm->sync = SYNC_NONE;
		vm->vcpu->waiting = false;
	}
}

static void restart(struct vm *vm)
{
	char why[256];
	int e;

	vm->reset_wanted = false;
	log_info("the guest is reset");
	watchdog_pause(true);
	e = vm_boot(vm, why, sizeof(why));
	watchdog_pause(false);
	if (e) {
		log_error("the guest could not be loaded again: %s", why);
		vm_end(vm, END_VMM_ERROR, 0);
	}
}

static void arm_timer(struct vm *vm)
{
	uint64_t next = line_deadline(), guest = clock_next(&vm->clock);

	if (guest != CLOCK_NEVER && guest + vm->start_ns < next)
		next = guest + vm->start_ns;
	timer_arm(next);
	vm->rearm = false;
}

/* Everything that is not the vCPU: timers, devices, the line. */
static void service(struct vm *vm, bool idle)
{
	struct cpu *cpu = vm->vcpu->cpu;

	vm->attention = cpu->irq_uart = cpu->irq_timer = false;
	if (vm->reset_wanted)
		restart(vm);
	if (!vm->ended && !vm->paused)
		clock_run(&vm->clock);
	line_pump(idle);
	vm->hold &= !line_up();
	if (vm->sync != SYNC_NONE) {
		advance_sync(vm);
		line_pump(idle);
	}
	arm_timer(vm);
}

/* A guest that ended while nobody watches ends the machine, as a bare emulator would; a crashed one stays for whoever comes. */
static bool nobody_cares(const struct vm *vm)
{
	return vm->ended && !line_up() && (vm->how == END_DEBUG_EXIT || vm->how == END_POWEROFF);
}

void vm_run(struct vm *vm)
{
	struct vcpu *v = vm->vcpu;
	struct cpu *cpu = v->cpu;

	vm->attention = true;
	while (!(vm->quit && line_settled())) {
		vm->turns++;
		if (cpu->irq_uart || cpu->irq_timer || vm->attention)
			service(vm, !runnable(vm));
		else if (vm->rearm)
			arm_timer(vm);
		if (nobody_cares(vm))
			return;
		if (!v->parked && !vm->ended)
			deliver_interrupts(vm);
		if (!runnable(vm)) {
			if (line_wants_idle())
				vm->attention = true;
			else if (!cpu->irq_uart && !cpu->irq_timer && !vm->attention)
				irq_wait();
			continue;
		}
		if (v->root_wanted)
			paging_new_root(v);
		if (!v->parked)
			v->ops->run(v);
	}
}
