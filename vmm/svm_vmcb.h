/*
 * The virtual machine control block (AMD APM vol. 2, appendix B). Who reads it does so through a pointer to const; who changes it
 * must use the setters below, which clear the clean bit of the field (15.15.3): a stale cached copy is never run with.
 */
#ifndef VMM_SVM_VMCB_H
#define VMM_SVM_VMCB_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "mm/layout.h"

struct vmcb_segment {
	uint16_t sel, attr; /* attr: bits 47:40 and 55:52 of the descriptor, in 12 bits */
	uint32_t limit;
	uint64_t base;
};

/* The intercept vectors are one array of bits indexed by exit code: 0 - 0xbf (appendix C). */
#define VMCB_INTERCEPT_WORDS 6

struct vmcb_control {
	uint32_t intercept[VMCB_INTERCEPT_WORDS];
	uint8_t reserved_018[0x3c - 0x18];
	uint16_t pause_threshold, pause_count;
	uint64_t iopm, msrpm, tsc_offset;
	uint32_t asid;
	uint8_t tlb_control, reserved_05d[3];
	uint32_t int_ctl, int_vector;
	uint64_t int_state, exit_code, exit_info1, exit_info2, exit_int_info, np_enable;
	uint8_t reserved_098[0xa8 - 0x98];
	uint64_t event_inj, ncr3, lbr_ctl;
	uint32_t clean, reserved_0c4;
	uint64_t nrip;
	uint8_t insn_bytes, insn[15];
	uint8_t reserved_0e0[0x400 - 0xe0];
};

struct vmcb_save {
	struct vmcb_segment es, cs, ss, ds, fs, gs, gdtr, ldtr, idtr, tr;
	uint8_t reserved_4a0[0x4cb - 0x4a0], cpl;
	uint32_t reserved_4cc;
	uint64_t efer;
	uint8_t reserved_4d8[0x548 - 0x4d8];
	uint64_t cr4, cr3, cr0, dr7, dr6, rflags, rip;
	uint8_t reserved_580[0x5d8 - 0x580];
	uint64_t rsp, s_cet, ssp, isst_addr, rax, star, lstar, cstar, sfmask, kernel_gs_base;
	uint64_t sysenter_cs, sysenter_esp, sysenter_eip, cr2;
	uint8_t reserved_648[0x668 - 0x648];
	uint64_t g_pat, debugctl, br_from, br_to, last_excp_from, last_excp_to;
	uint8_t reserved_698[0x1000 - 0x698];
};

struct vmcb {
	struct vmcb_control control;
	struct vmcb_save save;
};

#define VMCB_AT(field, offset) _Static_assert(offsetof(struct vmcb, field) == (offset), "APM vol. 2, appendix B: " #field)
VMCB_AT(control.intercept, 0x000);
VMCB_AT(control.pause_threshold, 0x03c);
VMCB_AT(control.pause_count, 0x03e);
VMCB_AT(control.iopm, 0x040);
VMCB_AT(control.msrpm, 0x048);
VMCB_AT(control.tsc_offset, 0x050);
VMCB_AT(control.asid, 0x058);
VMCB_AT(control.tlb_control, 0x05c);
VMCB_AT(control.int_ctl, 0x060);
VMCB_AT(control.int_vector, 0x064);
VMCB_AT(control.int_state, 0x068);
VMCB_AT(control.exit_code, 0x070);
VMCB_AT(control.exit_info1, 0x078);
VMCB_AT(control.exit_info2, 0x080);
VMCB_AT(control.exit_int_info, 0x088);
VMCB_AT(control.np_enable, 0x090);
VMCB_AT(control.event_inj, 0x0a8);
VMCB_AT(control.ncr3, 0x0b0);
VMCB_AT(control.lbr_ctl, 0x0b8);
VMCB_AT(control.clean, 0x0c0);
VMCB_AT(control.nrip, 0x0c8);
VMCB_AT(control.insn_bytes, 0x0d0);
VMCB_AT(control.insn, 0x0d1);
VMCB_AT(save.es, 0x400);
VMCB_AT(save.cs, 0x410);
VMCB_AT(save.ss, 0x420);
VMCB_AT(save.ds, 0x430);
VMCB_AT(save.fs, 0x440);
VMCB_AT(save.gs, 0x450);
VMCB_AT(save.gdtr, 0x460);
VMCB_AT(save.ldtr, 0x470);
VMCB_AT(save.idtr, 0x480);
VMCB_AT(save.tr, 0x490);
VMCB_AT(save.cpl, 0x4cb);
VMCB_AT(save.efer, 0x4d0);
VMCB_AT(save.cr4, 0x548);
VMCB_AT(save.cr3, 0x550);
VMCB_AT(save.cr0, 0x558);
VMCB_AT(save.dr7, 0x560);
VMCB_AT(save.dr6, 0x568);
VMCB_AT(save.rflags, 0x570);
VMCB_AT(save.rip, 0x578);
VMCB_AT(save.rsp, 0x5d8);
VMCB_AT(save.rax, 0x5f8);
VMCB_AT(save.star, 0x600);
VMCB_AT(save.lstar, 0x608);
VMCB_AT(save.cstar, 0x610);
VMCB_AT(save.sfmask, 0x618);
VMCB_AT(save.kernel_gs_base, 0x620);
VMCB_AT(save.sysenter_cs, 0x628);
VMCB_AT(save.sysenter_esp, 0x630);
VMCB_AT(save.sysenter_eip, 0x638);
VMCB_AT(save.cr2, 0x640);
VMCB_AT(save.g_pat, 0x668);
VMCB_AT(save.debugctl, 0x670);
VMCB_AT(save.br_from, 0x678);
VMCB_AT(save.br_to, 0x680);
VMCB_AT(save.last_excp_from, 0x688);
VMCB_AT(save.last_excp_to, 0x690);
#undef VMCB_AT
_Static_assert(sizeof(struct vmcb) == PAGE_SIZE, "APM vol. 2, 15.5.1: one 4 KiB page");
_Static_assert(sizeof(struct vmcb_segment) == 16, "APM vol. 2, table B-2");

/* Clean bits (15.15.3). A zero says: read it again from the VMCB. What none of them covers is read by every VMRUN. */
#define CLEAN_INTERCEPTS (1u << 0) /* intercepts, TSC offset, pause filter */
#define CLEAN_IOPM (1u << 1)       /* IOPM and MSRPM base */
#define CLEAN_ASID (1u << 2)
#define CLEAN_TPR (1u << 3)        /* int_ctl and int_vector */
#define CLEAN_NP (1u << 4)         /* NP_ENABLE, nCR3, G_PAT */
#define CLEAN_CR (1u << 5)         /* CR0, CR3, CR4, EFER */
#define CLEAN_DR (1u << 6)
#define CLEAN_DT (1u << 7)
#define CLEAN_SEG (1u << 8)        /* ES, CS, SS, DS, CPL */
#define CLEAN_CR2 (1u << 9)
#define CLEAN_LBR (1u << 10)
#define CLEAN_ALL 0x7ffu
#define CLEAN_NEVER 0u             /* fields that no bit covers */

/* The only way to change a field: void vmcb_set_NAME(vmcb, value). A value that is there already costs nothing. */
#define VMCB_SETTER(name, area, type, bits)                                                                                        \
	static inline void vmcb_set_##name(const struct vmcb *read_only, type value)                                               \
	{                                                                                                                          \
		struct vmcb *b = (struct vmcb *)(uintptr_t)read_only;                                                              \
		if (b->area.name != value) {                                                                                       \
			b->area.name = value;                                                                                      \
			b->control.clean &= ~(bits);                                                                               \
		}                                                                                                                  \
	}

VMCB_SETTER(iopm, control, uint64_t, CLEAN_IOPM)
VMCB_SETTER(msrpm, control, uint64_t, CLEAN_IOPM)
VMCB_SETTER(tsc_offset, control, uint64_t, CLEAN_INTERCEPTS)
VMCB_SETTER(asid, control, uint32_t, CLEAN_ASID)
VMCB_SETTER(tlb_control, control, uint8_t, CLEAN_NEVER)
VMCB_SETTER(int_ctl, control, uint32_t, CLEAN_TPR)
VMCB_SETTER(int_vector, control, uint32_t, CLEAN_TPR)
VMCB_SETTER(int_state, control, uint64_t, CLEAN_NEVER)
VMCB_SETTER(np_enable, control, uint64_t, CLEAN_NP)
VMCB_SETTER(event_inj, control, uint64_t, CLEAN_NEVER)
VMCB_SETTER(ncr3, control, uint64_t, CLEAN_NP)
VMCB_SETTER(lbr_ctl, control, uint64_t, CLEAN_LBR)
VMCB_SETTER(cpl, save, uint8_t, CLEAN_SEG)
VMCB_SETTER(efer, save, uint64_t, CLEAN_CR)
VMCB_SETTER(cr4, save, uint64_t, CLEAN_CR)
VMCB_SETTER(cr3, save, uint64_t, CLEAN_CR)
VMCB_SETTER(cr0, save, uint64_t, CLEAN_CR)
VMCB_SETTER(dr7, save, uint64_t, CLEAN_DR)
VMCB_SETTER(dr6, save, uint64_t, CLEAN_DR)
VMCB_SETTER(cr2, save, uint64_t, CLEAN_CR2)
VMCB_SETTER(rflags, save, uint64_t, CLEAN_NEVER)
VMCB_SETTER(rip, save, uint64_t, CLEAN_NEVER)
VMCB_SETTER(rsp, save, uint64_t, CLEAN_NEVER)
VMCB_SETTER(rax, save, uint64_t, CLEAN_NEVER)
VMCB_SETTER(g_pat, save, uint64_t, CLEAN_NP)
VMCB_SETTER(debugctl, save, uint64_t, CLEAN_LBR)
/* VMLOAD reads these. */
VMCB_SETTER(star, save, uint64_t, CLEAN_NEVER)
VMCB_SETTER(lstar, save, uint64_t, CLEAN_NEVER)
VMCB_SETTER(cstar, save, uint64_t, CLEAN_NEVER)
VMCB_SETTER(sfmask, save, uint64_t, CLEAN_NEVER)
VMCB_SETTER(kernel_gs_base, save, uint64_t, CLEAN_NEVER)
VMCB_SETTER(sysenter_cs, save, uint64_t, CLEAN_NEVER)
VMCB_SETTER(sysenter_esp, save, uint64_t, CLEAN_NEVER)
VMCB_SETTER(sysenter_eip, save, uint64_t, CLEAN_NEVER)
#undef VMCB_SETTER

#define VMCB_SEGMENT_SETTER(name, bits)                                                                                            \
	static inline void vmcb_set_##name(const struct vmcb *read_only, struct vmcb_segment value)                                \
	{                                                                                                                          \
		struct vmcb *b = (struct vmcb *)(uintptr_t)read_only;                                                              \
		b->save.name = value;                                                                                              \
		b->control.clean &= ~(bits);                                                                                       \
	}

VMCB_SEGMENT_SETTER(es, CLEAN_SEG)
VMCB_SEGMENT_SETTER(cs, CLEAN_SEG)
VMCB_SEGMENT_SETTER(ss, CLEAN_SEG)
VMCB_SEGMENT_SETTER(ds, CLEAN_SEG)
VMCB_SEGMENT_SETTER(fs, CLEAN_NEVER)
VMCB_SEGMENT_SETTER(gs, CLEAN_NEVER)
VMCB_SEGMENT_SETTER(ldtr, CLEAN_NEVER)
VMCB_SEGMENT_SETTER(tr, CLEAN_NEVER)
VMCB_SEGMENT_SETTER(gdtr, CLEAN_DT)
VMCB_SEGMENT_SETTER(idtr, CLEAN_DT)
#undef VMCB_SEGMENT_SETTER

/** Switches the intercept that exits with this code (below 0xc0) on or off. */
static inline void vmcb_intercept(const struct vmcb *read_only, unsigned code, bool on)
{
	struct vmcb *b = (struct vmcb *)(uintptr_t)read_only;
	uint32_t bit = 1u << (code & 31), *word = &b->control.intercept[code >> 5];

	if (!(*word & bit) == on) {
		*word ^= bit;
		b->control.clean &= ~CLEAN_INTERCEPTS;
	}
}

static inline bool vmcb_intercepts(const struct vmcb *b, unsigned code)
{
	return b->control.intercept[code >> 5] >> (code & 31) & 1;
}

/** Says after an exit that the CPU's cached copies (of the groups in `bits`) are those of the VMCB. */
static inline void vmcb_set_clean(const struct vmcb *read_only, uint32_t bits)
{
	((struct vmcb *)(uintptr_t)read_only)->control.clean = bits;
}

/** RIP and RAX: what an entry writes that changes nothing else. They have no clean bit. */
static inline void vmcb_put_plain(const struct vmcb *read_only, uint64_t rip, uint64_t rax)
{
	struct vmcb *b = (struct vmcb *)(uintptr_t)read_only;

	b->save.rip = rip;
	b->save.rax = rax;
}

/* TLB_CONTROL (15.16.1, table 15-9). */
#define TLB_KEEP 0
#define TLB_FLUSH_ALL 1
#define TLB_FLUSH_GUEST 3 /* CPUID 8000000A EDX.FlushByAsid */

/* int_ctl: offset 060h (15.21). */
#define INT_CTL_TPR 0xffu
#define INT_CTL_IRQ (1u << 8)
#define INT_CTL_PRIORITY_15 (15u << 16)
#define INT_CTL_IGNORE_TPR (1u << 20)
#define INT_CTL_MASKING (1u << 24)

#define INT_STATE_SHADOW 1ull
#define NP_ENABLE 1ull
#define LBR_CTL_ENABLE 1ull

/* EVENTINJ and EXITINTINFO (15.20, 15.7.2). Types as in enum vevent_type. */
#define EVENT_VECTOR(e) ((uint8_t)(e))
#define EVENT_TYPE(e) ((unsigned)((e) >> 8) & 7)
#define EVENT_EV (1ull << 11)
#define EVENT_VALID (1ull << 31)
#define EVENT_ERROR_SHIFT 32

/* Segment attributes as the VMCB packs them. */
#define VMCB_ATTR_P (1u << 7)
#define VMCB_ATTR_DPL_SHIFT 5
#define VMCB_ATTR_L (1u << 9)
#define VMCB_ATTR_DB (1u << 10)

#endif
