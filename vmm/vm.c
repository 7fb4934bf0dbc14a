#include "vmm/vm.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "mm/frames.h"
#include "mm/shadow.h"
#include "vmm/control.h"
#include "vmm/cpu.h"
#include "vmm/exit.h"
#include "vmm/firmware.h"
#include "vmm/firmware_files.h"
#include "vmm/fpu.h"
#include "vmm/hotplug.h"
#include "vmm/hw/hw.h"
#include "vmm/hw/x86.h"
#include "vmm/line.h"
#include "vmm/log.h"
#include "vmm/paging.h"
#include "vmm/speculation.h"
#include "vmm/wall.h"

#define VM_DEFAULT_MIB 128
#define VM_MAX_MIB (1024 * 1024)

static struct vm the_vm;
static struct vcpu the_vcpu;

/* ---- what the PC asks for */

static bool pc_serial_out(void *arg, uint8_t byte)
{
	(void)arg;
	return line_serial_out(byte);
}

static void pc_serial_drained(void *arg)
{
	(void)arg;
	line_serial_drained();
}

static void pc_debug_exit(void *arg, uint32_t value)
{
	vm_end(arg, END_DEBUG_EXIT, value);
}

static void pc_power_off(void *arg)
{
	vm_end(arg, END_POWEROFF, 0);
}

static void pc_reset_asked(void *arg)
{
	struct vm *vm = arg;

	vm->reset_wanted = vm->attention = true;
}

static void pc_firmware_says(void *arg, const char *text)
{
	(void)arg;
	log_info("firmware: %s", text);
}

static void pc_intr_changed(void *arg)
{
	((struct vm *)arg)->intr_changed = true;
}

static int pc_memory_read(void *arg, uint64_t gpa, void *to, size_t len)
{
	return guest_mem_read(&((struct vm *)arg)->mem, gpa, to, len);
}

static int pc_memory_write(void *arg, uint64_t gpa, const void *from, size_t len)
{
	return guest_mem_write(&((struct vm *)arg)->mem, gpa, from, len);
}

static void pc_ejected(void *arg, unsigned slot)
{
	hotplug_ejected(arg, slot);
}

static void pc_nmi(void *arg)
{
	((struct vm *)arg)->vcpu->nmi_pending = true;
}

static uint64_t guest_now(void *arg)
{
	const struct vm *vm = arg;

	return time_ns() - vm->start_ns;
}

static uint64_t pc_tsc(void *arg)
{
	const struct vm *vm = arg;

	return rdtsc() + (uint64_t)vm->tsc_offset;
}

static uint64_t pc_tsc_time(void *arg, uint64_t tsc)
{
	uint64_t ticks = tsc - pc_tsc(arg), ns;

	if (tsc <= pc_tsc(arg))
		return guest_now(arg);
	ns = time_of_ticks(ticks);
	return ns == UINT64_MAX ? CLOCK_NEVER : guest_now(arg) + ns + 1;
}

static const struct pc_ops pc_callbacks = {
	.serial_out = pc_serial_out,
	.serial_drained = pc_serial_drained,
	.debug_exit = pc_debug_exit,
	.power_off = pc_power_off,
	.reset = pc_reset_asked,
	.firmware_says = pc_firmware_says,
	.intr = pc_intr_changed,
	.nmi = pc_nmi,
	.tsc = pc_tsc,
	.tsc_time = pc_tsc_time,
	.ejected = pc_ejected,
	.memory_read = pc_memory_read,
	.memory_write = pc_memory_write,
};

/* ---- memory */

int vm_memory_add(struct vm *vm, uint64_t gpa, uint64_t len, uint64_t hpa)
{
	int e = guest_mem_add(&vm->mem, gpa, len, hpa);

	if (e)
		return e;
	e = vm->mem.shadow ? shadow_slot_added(vm->mem.shadow, guest_mem_slot_for_change(&vm->mem, gpa)) : slat_map(&vm->slat, gpa, hpa, len);
	if (e)
		(void)guest_mem_remove(&vm->mem, gpa);
	else
		dirty_mark(&vm->dirty, gpa, len);
	return e;
}

void vm_memory_remove(struct vm *vm, uint64_t gpa)
{
	struct mem_slot *s = guest_mem_slot_for_change(&vm->mem, gpa);

	if (!s)
		return;
	dirty_harvest(&vm->dirty, gpa, s->len);
	if (vm->mem.shadow) {
		shadow_slot_removed(vm->mem.shadow, s);
		if (vm->vcpu) /* its tables may have lain there */
			paging_changed(vm->vcpu);
	} else {
		(void)slat_unmap(&vm->slat, gpa, s->len); /* as it was mapped, so no leaf is split */
	}
	(void)guest_mem_remove(&vm->mem, gpa);
}

/* RAM is one contiguous piece, so that it maps in the largest leaves; beyond GUEST_MMIO_START the rest goes on at 4 GiB. */
static int make_ram(struct vm *vm, char *why, size_t why_len)
{
	uint64_t low = vm->ram_bytes < GUEST_MMIO_START ? vm->ram_bytes : GUEST_MMIO_START, high = vm->ram_bytes - low;
	size_t align = low >= HUGE_PAGE_SIZE && vm->slat.max_leaf >= 3 ? 262144 : 512;
	uint64_t hpa = frames_alloc(low >> PAGE_SHIFT, align), hpa_high = 0;
	int e;

	if (!hpa)
		hpa = frames_alloc(low >> PAGE_SHIFT, 512);
	if (hpa && high)
		hpa_high = frames_alloc(high >> PAGE_SHIFT, 512);
	if (!hpa || (high && !hpa_high)) {
		snprintf(why, why_len, "no %llu MiB of memory in one piece for the guest (%zu MiB are free): give the machine more, or lower memory=",
			 (unsigned long long)(vm->ram_bytes >> 20), frames_available() >> 8);
		return -ENOMEM;
	}
	e = vm_memory_add(vm, 0, low, hpa);
	if (!e && high)
		e = vm_memory_add(vm, GUEST_HIGH_RAM, high, hpa_high);
	if (e)
		snprintf(why, why_len, "the guest's memory could not be mapped (%d)", e);
	return e;
}

/* Where a firmware image will be. */
static int make_rom(struct vm *vm, char *why, size_t why_len)
{
	uint64_t hpa = frames_alloc(vm->kernel.len >> PAGE_SHIFT, 1);

	if (hpa && !vm_memory_add(vm, GUEST_ROM_END - vm->kernel.len, vm->kernel.len, hpa))
		return 0;
	snprintf(why, why_len, "no memory for a firmware image of 0x%zx bytes", vm->kernel.len);
	return -ENOMEM;
}

/* ---- options */

static int check_options(struct vm *vm, const struct boot_options *opt, char *why, size_t why_len)
{
	uint64_t mib = opt->memory_mib ? opt->memory_mib : VM_DEFAULT_MIB;

	bool shadow = !strcmp(opt->paging, "shadow");

	if (shadow && *opt->dirty && strcmp(opt->dirty, "auto") && strcmp(opt->dirty, "dbit")) {
		snprintf(why, why_len, "dirty=%s: shadow paging notices writes by the D bits of its own tables (dirty=auto or dirty=dbit)",
			 opt->dirty);
		return -EINVAL;
	}
	if (opt->cpus > 1) {
		snprintf(why, why_len, "cpus=%u: this version gives a guest one CPU", opt->cpus);
		return -EINVAL;
	}
	if (mib < 2 || mib > VM_MAX_MIB) {
		snprintf(why, why_len, "memory=%llu: a guest has 2 MiB to 1 TiB", (unsigned long long)mib);
		return -EINVAL;
	}
	vm->ram_bytes = mib << 20;
	return 0;
}

/* ---- paging */

/* The dirty source on second-level tables. NULL: this CPU lacks it. */
static const struct dirty_source *hap_source(const char *want, bool ad_bits, bool page_log, char *why, size_t why_len)
{
	if (!strcmp(want, "fault"))
		return &dirty_fault;
	if (!strcmp(want, "dbit")) {
		if (ad_bits)
			return &dirty_dbit;
		snprintf(why, why_len, "dirty=dbit: this CPU's second-level paging has no dirty bits: use dirty=auto or dirty=fault");
		return NULL;
	}
	if (!strcmp(want, "pml")) {
		if (page_log)
			return &dirty_pml;
		snprintf(why, why_len, "dirty=pml: this CPU has no page-modification logging (Intel's have): use dirty=auto, dbit or fault");
		return NULL;
	}
	return page_log ? &dirty_pml : ad_bits ? &dirty_auto : &dirty_fault;
}

static int make_slat(struct vm *vm, struct cpu *cpu, const struct vcpu_ops *ops, const char *dirty, char *why, size_t why_len)
{
	const struct dirty_source *source;
	const struct pt_format *format;
	unsigned max_leaf;
	bool ad_bits, page_log;

	if (ops->slat_features(cpu, &format, &max_leaf, &ad_bits, &page_log)) {
		snprintf(why, why_len, "this CPU has no second-level paging that the guest could use (see the lines above): paging=shadow "
				       "does without");
		return -ENODEV;
	}
	source = hap_source(dirty, ad_bits, page_log, why, why_len);
	if (!source)
		return -ENODEV;
	if (slat_init(&vm->slat, format, max_leaf, ad_bits)) {
		snprintf(why, why_len, "no memory for the second-level tables");
		return -ENOMEM;
	}
	dirty_init(&vm->dirty, source, &vm->slat);
	return 0;
}

/* One shadow table for 32 pages of RAM: more than a guest that maps all of its memory has in use. */
#define SHADOW_SHARE 32
#define SHADOW_TABLES_FEW 512u
#define SHADOW_TABLES_MANY 16384u

static int make_shadow(struct vm *vm, char *why, size_t why_len)
{
	uint64_t tables = (vm->ram_bytes >> PAGE_SHIFT) / SHADOW_SHARE;

	tables = tables < SHADOW_TABLES_FEW ? SHADOW_TABLES_FEW : tables > SHADOW_TABLES_MANY ? SHADOW_TABLES_MANY : tables;
	vm->mem.shadow = shadow_create(&vm->mem, (unsigned)tables, &vm->slat.stale);
	if (!vm->mem.shadow) {
		snprintf(why, why_len, "no memory for %llu shadow tables in one piece below 4 GiB: give the machine more",
			 (unsigned long long)tables);
		return -ENOMEM;
	}
	dirty_init(&vm->dirty, &shadow_dirty_source, vm->mem.shadow);
	shadow_set_dirty(vm->mem.shadow, &vm->dirty);
	return 0;
}

static void take_modules(struct vm *vm, const struct boot_info *bi)
{
	struct loader_blob *to = &vm->kernel;

	for (unsigned i = 0; i < bi->module_count; i++) {
		const struct boot_module *m = &bi->module[i];

		*to = (struct loader_blob){ .data = (const uint8_t *)(uintptr_t)m->start, .len = m->end - m->start, .args = m->args };
		to = i ? to + 1 : vm->module;
	}
	vm->module_count = bi->module_count ? bi->module_count - 1 : 0;
}

struct vm *vm_create(struct cpu *cpu, const struct vcpu_ops *ops, const struct boot_info *bi, const struct boot_options *opt, char *why,
		     size_t why_len)
{
	struct vm *vm = &the_vm;
	struct vcpu *v = &the_vcpu;

	if (check_options(vm, opt, why, why_len))
		return NULL;
	take_modules(vm, bi);
	vm->firmware = vm->kernel.data && rom_is(&vm->kernel) && !linux_is(&vm->kernel);
	if (vm->firmware && ops->shadow_needs_protected_mode && !strcmp(opt->paging, "shadow")) {
		snprintf(why, why_len, "firmware begins in real mode, which %s cannot run under shadow paging: use paging=hap", ops->name);
		return NULL;
	}
	vm->start_ns = time_ns();
	vm->hold = !strcmp(opt->wait, "host");
	vm->clock = (struct clock){ .now = guest_now, .arg = vm, .epoch = cmos_epoch(), .changed = &vm->rearm };
	if (strcmp(opt->paging, "shadow") ? make_slat(vm, cpu, ops, opt->dirty, why, why_len) : make_shadow(vm, why, why_len))
		return NULL;
	vm->mem.dirty = &vm->dirty;
	if (make_ram(vm, why, why_len) || (vm->firmware && make_rom(vm, why, why_len)))
		return NULL;
	vm->pc = pc_create(&vm->bus, &vm->clock, &pc_callbacks, vm, vm->ram_bytes);
	if (!vm->pc) {
		snprintf(why, why_len, "the guest's devices do not fit on its bus");
		return NULL;
	}
	firmware_make(vm);
	if (vm->firmware && firmware_files(vm, why, why_len))
		return NULL;
	if (heads_make(vm, opt->heads, why, why_len))
		return NULL;
	hotplug_init(vm);
	*v = (struct vcpu){ .vm = vm, .cpu = cpu, .ops = ops };
	vm->vcpu = v;
	cpu->current = v;
	vcpu_reset(v);
	cpuid_setup(v);
	if (ops->create(v)) {
		snprintf(why, why_len, "the %s control structures could not be made (see the lines above)", ops->name);
		return NULL;
	}
	msr_setup(v);
	return vm;
}

/* ---- power-on */

/* From the state after power-on to that which boot loaders leave (struct loader_out): protected mode, flat segments, and no paging or 64-bit mode. */
static void enter_kernel(struct vcpu *v, const struct loader_out *out)
{
	struct vsegment data = { .sel = 0x18, .attr = 0xc093, .limit = 0xffffffff }, code = data;

	code.sel = 0x10;
	code.attr = out->cr3 ? 0xa09b : 0xc09b; /* L, or D */
	for (unsigned i = SEG_ES; i <= SEG_GS; i++)
		v->seg[i] = i == SEG_CS ? code : data;
	v->seg[SEG_LDTR] = (struct vsegment){ .attr = SEG_ATTR_UNUSABLE };
	v->seg[SEG_TR] = (struct vsegment){ .attr = 0x8b, .limit = 0x67 };
	v->gdtr = (struct vtable){ .base = out->gdt, .limit = out->gdt_limit };
	v->idtr = (struct vtable){ 0 };
	v->cr0 = CR0_PE | CR0_ET | CR0_NE;
	if (out->cr3) {
		v->cr0 |= CR0_PG;
		v->cr3 = out->cr3;
		v->cr4 = CR4_PAE;
		v->efer = EFER_LME | EFER_LMA;
	}
	v->rip = out->entry;
	v->gpr[RAX] = out->eax;
	v->gpr[RBX] = out->ebx;
	v->gpr[RSI] = out->esi;
	v->gpr[RDX] = 0;
}

/* What the vendors' control structures do not hold: DR0 - DR3 are the CPU's own while the guest runs (SDM vol. 3, table 10-1). */
static void reset_debug(struct vcpu *v)
{
	write_dr0(0);
	write_dr1(0);
	write_dr2(0);
	write_dr3(0);
	v->ops->dr6_set(v, 0, DR6_FIXED);
}

/* MSRs as power-on leaves them (SDM vol. 3, table 10-1; PAT: 12.12.4). */
static void reset_msrs(struct vcpu *v)
{
	for (unsigned m = 0; m < VMSR_COUNT; m++)
		if (m != VMSR_TSC_AUX || cpuid_has_tsc_aux())
			v->ops->msr_set(v, (enum vmsr)m, m == VMSR_PAT ? 0x0007040600070406ull : 0);
}

int vm_boot(struct vm *vm, char *why, size_t why_len)
{
	uint64_t low = vm->ram_bytes < GUEST_MMIO_START ? vm->ram_bytes : GUEST_MMIO_START;
	struct loader_map map[] = {
		{ 0, GUEST_EBDA, MAP_RAM },
		{ GUEST_EBDA, GUEST_LOW_END - GUEST_EBDA, MAP_RESERVED },
		{ GUEST_ACPI, firmware_nvs_bytes(), MAP_ACPI_NVS },
		{ GUEST_ACPI + firmware_nvs_bytes(), firmware_table_bytes(), MAP_ACPI },
		{ GUEST_FIRMWARE, GUEST_HIGH_START - GUEST_FIRMWARE, MAP_RESERVED },
		{ GUEST_HIGH_START, low - GUEST_HIGH_START, MAP_RAM },
		{ GUEST_ECAM, PCI_ECAM_BYTES, MAP_RESERVED },
		{ GUEST_HIGH_RAM, vm->ram_bytes - low, MAP_RAM },
	};
	struct loader_in in = {
		.kernel = vm->kernel,
		.modules = vm->module,
		.module_count = vm->module_count,
		.map = map,
		.map_count = sizeof(map) / sizeof(map[0]) - (vm->ram_bytes > low ? 0 : 1),
	};
	struct loader_out out = { 0 };
	const struct head *head;
	int e;

	if (!vm->kernel.data) {
		snprintf(why, why_len, "no guest: give one as the first boot module (tessera run GUEST does; in grub.cfg: module2 /guest.elf)");
		return -ENOENT;
	}
	speculation_new_guest();
	hypercall_dirty_reset(vm);
	pc_reset(vm->pc);
	cpuid_apic(vm->vcpu);
	for (unsigned i = 0; vm->used && i < vm->mem.count; i++)
		guest_mem_fill(&vm->mem, vm->mem.slot[i].gpa, 0, vm->mem.slot[i].len);
	hotplug_reset(vm);
	head = heads_first(vm);
	in.text = vm->view[0].present && !(linux_is(&vm->kernel) ? linux_wants_graphics : multiboot_wants_graphics)(&vm->kernel);
	heads_reset(vm);
	vm->used = true;
	if (!vm->firmware) {
		heads_boot(vm, in.text);
		in.rsdp = firmware_write(vm);
	}
	if (head && !in.text && head->gpa != HEAD_NOWHERE) {
		in.fb_addr = head->gpa + head->start;
		in.fb_pitch = head->stride;
		in.fb_width = head->width;
		in.fb_height = head->height;
		in.fb_bpp = head->bpp;
	}
	e = (vm->firmware ? loader_rom : linux_is(&vm->kernel) ? loader_linux : loader_multiboot)(&vm->mem, &in, &out, why, why_len);
	if (e)
		return e;
	vcpu_reset(vm->vcpu);
	if (!out.reset_vector) {
		enter_kernel(vm->vcpu, &out);
		mtrr_boot(&vm->vcpu->mtrr, vm->vcpu->cpu->features.phys_bits);
	}
	fpu_reset();
	reset_debug(vm->vcpu);
	reset_msrs(vm->vcpu);
	vm->tsc_offset = -(int64_t)rdtsc();
	vm->vcpu->ops->tsc_offset(vm->vcpu, vm->tsc_offset);
	vm->ended = vm->reset_wanted = false;
	vm->sync = SYNC_NONE;
	vm->vcpu->waiting = false;
	if (vm->mem.shadow)
		shadow_clear(vm->mem.shadow);
	paging_pat_changed(vm->vcpu);
	paging_changed(vm->vcpu);
	log_info("guest: %s, entry 0x%x, %s paging, %llu MiB, %u head%s, %u module%s", out.protocol, out.entry,
		 vm->mem.shadow ? "shadow" : vm->slat.format->name,
		 (unsigned long long)(vm->ram_bytes >> 20), vm->head_count, vm->head_count == 1 ? "" : "s", vm->module_count,
		 vm->module_count == 1 ? "" : "s");
	return 0;
}

/* ---- the end of a run, and screenshots */

static const char *const end_words[] = {
	[END_DEBUG_EXIT] = "the guest ended the run by isa-debug-exit with", [END_POWEROFF] = "the guest powered off,",
	[END_CRASH] = "the guest crashed,", [END_VMM_ERROR] = "the VMM could not go on with this guest,",
	[END_BAD_GUEST] = "the guest could not be loaded,",
};

void vm_end(struct vm *vm, enum guest_end how, uint32_t value)
{
	if (vm->ended)
		return;
	vm->ended = vm->attention = true;
	vm->how = how;
	vm->value = value;
	log_info("%s value %u", end_words[how], value);
	wall_check(vm, how != END_CRASH); /* a crashed one may be reset again and again: 'ctl audit' looks at the rest */
	line_refresh();
	vm->sync = SYNC_PICTURES;
}

void vm_parked(struct vm *vm, const char *problem)
{
	line_message(MSG_PARKED, problem, strnlen(problem, 512));
	vm_end(vm, END_CRASH, 0);
}

int vm_screenshot(struct vm *vm)
{
	if (!line_up())
		return -ENOTCONN;
	line_refresh();
	vm->sync = SYNC_PICTURES;
	vm->vcpu->waiting = vm->attention = true;
	return (int)(vm->shots++ & 0x7fffffff);
}
