#include "vmm/watchdog.h"

#include <stdio.h>

#include "boot/image.h"
#include "boot/trap.h"
#include "vmm/cpu.h"
#include "vmm/hw/hw.h"
#include "vmm/hw/x86.h"
#include "vmm/log.h"
#include "vmm/report.h"
#include "vmm/symbols.h"
#include "vmm/vm.h"

#define BACKTRACE_MAX 12
#define TICKS_A_SECOND 18	  /* 1,193,182 / 65,536 Hz */
#define FIRST_NMI_NS 200000000ull /* within this it must have come */

static struct {
	volatile uint32_t ticks;
	uint32_t limit; /* ticks; 0: off */
	bool paused;
	struct vm *vm; /* NULL: nothing is watched */
	uint64_t seen; /* exits and turns, as of `since` */
	uint32_t since;
	bool fired;
	uint64_t at[BACKTRACE_MAX]; /* where it hung: RIP, and who called it */
	unsigned depth;
} dog;

static uint64_t progress(void)
{
	return dog.vm->vcpu->trace_pos + dog.vm->turns;
}

/* Frame pointers, each above the last on this CPU's stack. */
static void remember(const struct trap_frame *f)
{
	const struct cpu *c = this_cpu();
	uint64_t rbp = f->rbp;

	dog.depth = 0;
	dog.at[dog.depth++] = f->rip;
	while (dog.depth < BACKTRACE_MAX && rbp % 8 == 0 && rbp >= c->stack_low && rbp <= c->stack_high - 16) {
		const uint64_t *frame = (const uint64_t *)(uintptr_t)rbp;

		if (!frame[1] || frame[0] <= rbp)
			break;
		dog.at[dog.depth++] = frame[1];
		rbp = frame[0];
	}
}

static bool on_own_stack(const struct trap_frame *f)
{
	const struct cpu *c = this_cpu();

	return f->rsp > c->stack_low && f->rsp <= c->stack_high;
}

void watchdog_nmi(struct trap_frame *f)
{
	uint64_t now;

	dog.ticks++;
	if (!dog.limit || !dog.vm || dog.paused)
		return;
	now = progress();
	if (now != dog.seen) {
		dog.seen = now;
		dog.since = dog.ticks;
		return;
	}
	/* On another stack an exception is being handled, which ends by itself or by a panic. */
	if (dog.ticks - dog.since < dog.limit || !on_own_stack(f))
		return;
	dog.since = dog.ticks;
	remember(f);
	if (dog.fired && dog.vm->vcpu->parked) /* it is not the guest's exit that hangs */
		panic_trap(f, "nothing went on for %u s, once more", dog.limit / TICKS_A_SECOND);
	dog.fired = true;
	f->rip = (uintptr_t)watchdog_land;
	f->rflags = RFLAGS_ONE;
}

static void report(void)
{
	struct vcpu *v = dog.vm->vcpu;
	uint64_t offset = 0;
	const char *name = symbol_find(dog.at[0], &offset);

	for (unsigned i = 0; i < dog.depth; i++) {
		uint64_t o = 0;
		const char *n = symbol_find(dog.at[i] - (i != 0), &o);

		log_error("  %s%016llx %s+0x%llx", i ? "from " : "at   ", (unsigned long long)dog.at[i], n ? n : "?",
			  (unsigned long long)(o + (i != 0)));
	}
	vcpu_park(v, "the VMM did not get on after an exit (%s): what it did was given up in %s+0x%llx after %u s",
		  exit_name(v->exit.kind), name ? name : "?", (unsigned long long)offset, dog.limit / TICKS_A_SECOND);
}

static void run(void *arg)
{
	vm_run(arg);
}

void watchdog_run(struct vm *vm)
{
	dog.vm = vm;
	dog.since = dog.ticks;
	while (watchdog_call(run, vm)) {
		log_error("watchdog: nothing went on for %u s", dog.limit / TICKS_A_SECOND);
		report();
	}
	dog.vm = NULL;
}

void watchdog_pause(bool on)
{
	dog.paused = on;
	dog.since = dog.ticks;
}

void watchdog_init(const struct boot_info *bi, uint32_t seconds)
{
	uint64_t until = time_ns() + FIRST_NMI_NS;

	if (!seconds)
		return;
	if (!irq_nmi_start(bi))
		while (!dog.ticks && time_ns() < until)
			cpu_pause();
	if (!dog.ticks) {
		irq_nmi_stop();
		log_info("watchdog: none: no NMI comes from the 8254 through an I/O APIC");
		return;
	}
	dog.limit = seconds * TICKS_A_SECOND;
	log_debug("watchdog: NMIs from the 8254, %u s", seconds);
}
