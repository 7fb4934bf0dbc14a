#include "vmm/report.h"

#include <stdio.h>
#include <string.h>

#include "vmm/gva.h"
#include "vmm/log.h"
#include "vmm/vm.h"

static const char *const exit_names[EXIT_KINDS] = {
	[EXIT_NONE] = "none",
	[EXIT_HOST_INTERRUPT] = "host_interrupt",
	[EXIT_NMI] = "nmi",
	[EXIT_EXCEPTION] = "exception",
	[EXIT_IRQ_WINDOW] = "irq_window",
	[EXIT_NMI_WINDOW] = "nmi_window",
	[EXIT_CPUID] = "cpuid",
	[EXIT_RDMSR] = "rdmsr",
	[EXIT_WRMSR] = "wrmsr",
	[EXIT_IO] = "io",
	[EXIT_HLT] = "hlt",
	[EXIT_CR] = "cr",
	[EXIT_DR] = "dr",
	[EXIT_XSETBV] = "xsetbv",
	[EXIT_INVD] = "invd",
	[EXIT_WBINVD] = "wbinvd",
	[EXIT_RDTSC] = "rdtsc",
	[EXIT_RDTSCP] = "rdtscp",
	[EXIT_RDPMC] = "rdpmc",
	[EXIT_INVLPG] = "invlpg",
	[EXIT_MONITOR] = "monitor",
	[EXIT_MWAIT] = "mwait",
	[EXIT_PAUSE] = "pause",
	[EXIT_HYPERCALL] = "hypercall",
	[EXIT_VIRT_INSN] = "virt_insn",
	[EXIT_TASK_SWITCH] = "task_switch",
	[EXIT_SLAT_FAULT] = "slat_fault",
	[EXIT_SLAT_MISCONFIG] = "slat_misconfig",
	[EXIT_PML_FULL] = "pml_full",
	[EXIT_TRIPLE_FAULT] = "triple_fault",
	[EXIT_SHUTDOWN] = "shutdown",
	[EXIT_ENTRY_FAILED] = "entry_failed",
	[EXIT_UNKNOWN] = "unknown",
};

const char *exit_name(enum exit_kind kind)
{
	return kind < EXIT_KINDS ? exit_names[kind] : "?";
}

static void report_registers(struct vcpu *v)
{
	static const char *const names[16] = { "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi",
					       "r8 ", "r9 ", "r10", "r11", "r12", "r13", "r14", "r15" };
	static const char *const segs[SEG_COUNT] = { "es", "cs", "ss", "ds", "fs", "gs", "ldtr", "tr" };

	for (unsigned i = 0; i < 16; i += 4)
		log_error("  %s %016llx  %s %016llx  %s %016llx  %s %016llx", names[i], (unsigned long long)v->gpr[i], names[i + 1],
			  (unsigned long long)v->gpr[i + 1], names[i + 2], (unsigned long long)v->gpr[i + 2], names[i + 3],
			  (unsigned long long)v->gpr[i + 3]);
	log_error("  rip %016llx  rflags %08llx  efer %llx  xcr0 %llx", (unsigned long long)v->rip, (unsigned long long)v->rflags,
		  (unsigned long long)v->efer, (unsigned long long)v->xcr0);
	log_error("  cr0 %08llx  cr2 %016llx  cr3 %016llx  cr4 %08llx  dr7 %llx", (unsigned long long)v->cr0,
		  (unsigned long long)v->cr2, (unsigned long long)v->cr3, (unsigned long long)v->cr4, (unsigned long long)v->dr7);
	for (unsigned i = 0; i < SEG_COUNT; i++)
		log_error("  %-4s %04x  base %016llx  limit %08x  attr %05x", segs[i], v->seg[i].sel,
			  (unsigned long long)v->seg[i].base, v->seg[i].limit, v->seg[i].attr);
	log_error("  gdtr %016llx/%x  idtr %016llx/%x  sti shadow %d, mov ss shadow %d, nmi blocked %d",
		  (unsigned long long)v->gdtr.base, v->gdtr.limit, (unsigned long long)v->idtr.base, v->idtr.limit, v->shadow_sti,
		  v->shadow_ss, v->nmi_blocked);
}

/* The bytes at RIP. A fault of this fetch is not the guest's: nothing stays queued. */
static void report_code(struct vcpu *v)
{
	uint8_t bytes[INSN_MAX];
	char text[3 * INSN_MAX + 1];
	struct vevent keep = v->inject;
	uint64_t cr2 = vcpu_cr2(v);
	size_t n = gva_fetch(v, bytes, sizeof(bytes));

	v->inject = keep;
	v->cr2 = cr2;
	if (!n) {
		log_error("  code at rip: not mapped");
		return;
	}
	for (size_t i = 0; i < n; i++)
		snprintf(text + 3 * i, 4, "%02x ", bytes[i]);
	log_error("  code at rip: %s", text);
}

void report_vcpu(struct vcpu *v)
{
	char text[1024];
	char *line = text, *end;

	vcpu_need(v, VG_ALL);
	log_error("guest stopped: %s", v->problem);
	log_error("  last exit: %s (%s reason 0x%llx, info 0x%llx 0x%llx)", exit_name(v->exit.kind), v->ops->name,
		  (unsigned long long)v->exit.raw_reason, (unsigned long long)v->exit.info1, (unsigned long long)v->exit.info2);
	report_registers(v);
	report_code(v);
	text[0] = 0;
	v->ops->describe(v, text, sizeof(text));
	for (; *line; line = end) {
		end = strchr(line, '\n');
		if (!end)
			end = line + strlen(line);
		else
			*end++ = 0;
		log_error("  %s", line);
	}
	log_error("  last exits, oldest first:");
	for (unsigned i = 0; i < VCPU_TRACE; i++) {
		unsigned at = (v->trace_pos + i) % VCPU_TRACE;

		if (v->trace[at].kind)
			log_error("    %-14s reason 0x%llx info 0x%llx", exit_name(v->trace[at].kind),
				  (unsigned long long)v->trace[at].raw, (unsigned long long)v->trace[at].info1);
	}
}
