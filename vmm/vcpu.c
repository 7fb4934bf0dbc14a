#include "vmm/vcpu.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mm/shadow.h"
#include "vmm/cpu.h"
#include "vmm/gva.h"
#include "vmm/hw/msr.h"
#include "vmm/hw/x86.h"
#include "vmm/log.h"
#include "vmm/report.h"
#include "vmm/vm.h"

enum insn_mode vcpu_mode(struct vcpu *v)
{
	uint32_t cs = vcpu_attr(v, SEG_CS, VG_CS_ATTR);

	if ((vcpu_efer(v) & EFER_LMA) && (cs & SEG_ATTR_L))
		return INSN_64;
	return cs & SEG_ATTR_DB ? INSN_32 : INSN_16;
}

void vcpu_reset(struct vcpu *v)
{
	memset(v->gpr, 0, sizeof(v->gpr));
	v->gpr[RDX] = 0x600; /* family 6 */
	v->cr2 = 0;
	v->rip = 0xfff0;
	v->rflags = RFLAGS_ONE;
	v->cr0 = CR0_CD | CR0_NW | CR0_ET;
	v->cr3 = v->cr4 = v->cr8 = v->efer = 0;
	v->dr7 = DR7_FIXED;
	v->xcr0 = XCR0_X87;
	mtrr_reset(&v->mtrr);
	v->shadow_sti = v->shadow_ss = v->nmi_blocked = false;
	for (unsigned i = 0; i < SEG_COUNT; i++)
		v->seg[i] = (struct vsegment){ .attr = 0x93, .limit = 0xffff };
	v->seg[SEG_CS] = (struct vsegment){ .sel = 0xf000, .attr = 0x9b, .limit = 0xffff, .base = 0xffff0000 };
	v->seg[SEG_LDTR].attr = 0x82;
	v->seg[SEG_TR].attr = 0x8b;
	v->gdtr = v->idtr = (struct vtable){ .limit = 0xffff };
	v->inject.valid = false;
	v->want_irq_window = v->want_nmi_window = v->nmi_pending = false;
	v->halted = v->parked = false;
	v->problem[0] = 0;
	vcpu_changed(v, VG_ALL);
}

/* SDM vol. 3, 6.15, table 6-4. */
static bool contributory(uint8_t vector)
{
	return vector == VEC_DE || (vector >= VEC_TS && vector <= VEC_GP) || vector == VEC_CP;
}

void vcpu_exception(struct vcpu *v, uint8_t vector, bool has_error, uint32_t error)
{
	struct vevent *old = &v->inject;

	if (old->valid && old->type == EVENT_EXCEPTION) {
		bool first_fault = contributory(old->vector) || old->vector == VEC_PF;

		if (old->vector == VEC_DF && (contributory(vector) || vector == VEC_PF)) {
			vcpu_park(v, "triple fault: exception %u while a double fault was being delivered", vector);
			return;
		}
		if ((contributory(old->vector) && contributory(vector)) ||
		    (old->vector == VEC_PF && first_fault && (contributory(vector) || vector == VEC_PF))) {
			vector = VEC_DF;
			has_error = true;
			error = 0;
		}
	}
	/* The image of RFLAGS that a fault pushes has RF set; of an injected event the CPU pushes RFLAGS as it is (SDM vol.
	 * 3, 17.3.1.1). */
	if (vector != VEC_DB && vector != VEC_BP && vector != VEC_OF)
		vcpu_set_rflags(v, vcpu_rflags(v) | RFLAGS_RF);
	*old = (struct vevent){ .valid = true, .vector = vector, .type = EVENT_EXCEPTION, .has_error = has_error, .error = error };
	/* Real mode pushes no error code (SDM vol. 3, 27.2.1.3: it must not be delivered then). */
	if (!(vcpu_cr0(v) & CR0_PE))
		old->has_error = false;
}

void vcpu_page_fault(struct vcpu *v, uint64_t addr, uint32_t error)
{
	vcpu_set_cr2(v, addr);
	/* A page fault forgets what is cached for its address (SDM vol. 3, 4.10.4.1), also where the shadow is the cache. */
	if (v->vm->mem.shadow)
		shadow_invlpg(v->vm->mem.shadow, addr);
	vcpu_exception(v, VEC_PF, true, error);
}

void vcpu_skip(struct vcpu *v, unsigned len)
{
	uint64_t rip = vcpu_rip(v) + len;

	vcpu_need(v, VCPU_SKIP_NEEDS);
	/* Outside of 64-bit mode RIP has 32 bits; only a carry out of them needs to know the mode. */
	if (rip >> 32 && !(v->rip >> 32) && vcpu_mode(v) != INSN_64)
		rip &= 0xffffffff;
	vcpu_set_rip(v, rip);
	if (v->shadow_sti || v->shadow_ss) {
		v->shadow_sti = v->shadow_ss = false;
		vcpu_changed(v, VG_SHADOW);
	}
	if (vcpu_rflags(v) & (RFLAGS_TF | RFLAGS_RF)) {
		if (v->rflags & RFLAGS_TF) {
			v->ops->dr6_set(v, ~0ull, DR6_BS);
			vcpu_exception(v, VEC_DB, false, 0);
		}
		vcpu_set_rflags(v, v->rflags & ~RFLAGS_RF);
	}
}

/* As insn_decode; what was decoded at this RIP before, of the same bytes, is the same. */
static int decode(struct vcpu *v, struct insn *in, const uint8_t *bytes, size_t n, enum insn_mode mode)
{
	unsigned i = vcpu_rip(v) % VCPU_DECODED;
	struct insn *known = &v->decoded[i].insn;
	int e;

	if (known->length && n == INSN_MAX && known->mode == mode && !memcmp(v->decoded[i].bytes, bytes, n)) {
		*in = *known;
		return 0;
	}
	e = insn_decode(in, bytes, n, mode);
	if (!e && n == INSN_MAX) {
		memcpy(v->decoded[i].bytes, bytes, n);
		*known = *in;
	}
	return e;
}

int vcpu_decode(struct vcpu *v, struct insn *in)
{
	uint8_t bytes[INSN_MAX];
	size_t n = gva_fetch(v, bytes, sizeof(bytes));
	enum insn_mode mode;
	uint64_t gpa, base;
	int e;

	if (!n)
		return -EFAULT;
	mode = vcpu_mode(v);
	if (mode == INSN_64 && v->cpu->features.virt == VIRT_SVM)
		mode = INSN_64_AMD;
	e = decode(v, in, bytes, n, mode);
	if (e == -EFAULT && n < sizeof(bytes)) {
		/* It goes on in a page that cannot be fetched: that is the fault the guest gets. */
		base = vcpu_mode(v) == INSN_64 ? 0 : vcpu_seg(v, SEG_CS)->base;
		if (gva_translate(v, vcpu_rip(v) + base + n, gva_access(v, false, true), &gpa))
			return -EFAULT;
	}
	if (e)
		vcpu_ud(v);
	return e ? -EINVAL : 0;
}

unsigned vcpu_exit_length(struct vcpu *v, struct vm_exit *x)
{
	struct insn in;

	if (!x->insn_len && !vcpu_decode(v, &in))
		x->insn_len = in.length;
	return x->insn_len;
}

void vcpu_park(struct vcpu *v, const char *fmt, ...)
{
	va_list ap;

	if (v->parked)
		return;
	v->parked = true;
	v->inject.valid = false;
	va_start(ap, fmt);
	vsnprintf(v->problem, sizeof(v->problem), fmt, ap);
	va_end(ap);
	report_vcpu(v);
	vm_parked(v->vm, v->problem);
}
