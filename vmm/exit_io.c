/* IN, OUT, INS, OUTS (SDM vol. 1, ch. 19; vol. 2). */
#include "vmm/exit.h"
#include "vmm/gva.h"
#include "vmm/hw/x86.h"
#include "vmm/vm.h"

#define IO_REP_BATCH 256 /* iterations done in one exit; then the guest may take interrupts and goes on */

static uint64_t width_mask(unsigned bytes)
{
	return bytes == 8 ? ~0ull : (1ull << 8 * bytes) - 1;
}

/* Adds to a register at the given address size: 16-bit writes keep the upper part, 32-bit ones clear it. */
static void add_register(struct vcpu *v, unsigned reg, int64_t delta, unsigned bytes)
{
	uint64_t old = vcpu_gpr(v, reg), sum = (old + (uint64_t)delta) & width_mask(bytes);

	vcpu_set_gpr(v, reg, bytes == 2 ? (old & ~0xffffull) | sum : sum);
}

static void io_simple(struct vcpu *v, const struct vm_exit *x)
{
	uint64_t value;

	if (!x->io.in) {
		bus_write(&v->vm->bus, BUS_PIO, x->io.port, x->io.size, v->gpr[RAX] & width_mask(x->io.size));
		return;
	}
	value = bus_read(&v->vm->bus, BUS_PIO, x->io.port, x->io.size);
	if (x->io.size == 4)
		v->gpr[RAX] = (uint32_t)value;
	else
		v->gpr[RAX] = (v->gpr[RAX] & ~width_mask(x->io.size)) | (value & width_mask(x->io.size));
}

/* One iteration. Returns 0, or -EFAULT with a fault queued: nothing moved. */
static int io_string_one(struct vcpu *v, const struct vm_exit *x, unsigned asize, enum vseg seg)
{
	unsigned reg = x->io.in ? RDI : RSI, size = x->io.size;
	struct gva_span span;
	uint64_t gva, value = 0;
	int e = gva_linear(v, seg, vcpu_gpr(v, reg) & width_mask(asize), size, x->io.in, &gva);

	if (e)
		return e;
	if (x->io.in) {
		/* The store must be known to work before the device is read: reading has effects. */
		e = gva_resolve(v, gva, size, true, &span);
		if (e)
			return e;
		value = bus_read(&v->vm->bus, BUS_PIO, x->io.port, size);
		gva_span_write(v, &span, &value);
	} else {
		e = gva_read(v, gva, &value, size);
		if (!e)
			bus_write(&v->vm->bus, BUS_PIO, x->io.port, size, value);
	}
	if (e)
		return e;
	add_register(v, reg, vcpu_rflags(v) & RFLAGS_DF ? -(int64_t)size : (int64_t)size, asize);
	return 0;
}

static void io_string(struct vcpu *v, struct vm_exit *x)
{
	unsigned asize = x->io.addr_size, len, batch = IO_REP_BATCH;
	enum vseg seg = x->io.in ? SEG_ES : (enum vseg)x->io.seg;
	struct insn in;

	if (!asize || (!x->io.in && x->io.seg == 0xff) || (!x->insn_len && !x->io.next_rip)) {
		if (vcpu_decode(v, &in))
			return;
		asize = in.addrsize;
		x->insn_len = in.length;
		if (!x->io.in)
			seg = in.segment >= 0 ? (enum vseg)in.segment : SEG_DS;
	}
	len = x->insn_len ? x->insn_len : (unsigned)(x->io.next_rip - vcpu_rip(v));
	while (!x->io.rep || (v->gpr[RCX] & width_mask(asize))) {
		if (!batch--)
			return; /* RIP stays: the instruction goes on */
		if (io_string_one(v, x, asize, seg))
			return;
		if (!x->io.rep)
			break;
		add_register(v, RCX, -1, asize);
		if (v->parked)
			return;
	}
	vcpu_skip(v, len);
}

void exit_io(struct vcpu *v, struct vm_exit *x)
{
	unsigned len;

	if (x->io.string) {
		io_string(v, x);
		return;
	}
	len = x->insn_len ? x->insn_len : x->io.next_rip ? (unsigned)(x->io.next_rip - vcpu_rip(v)) : vcpu_exit_length(v, x);
	if (!len)
		return;
	/* RIP first: a device may reset or stop the guest, and that state must not move. */
	vcpu_skip(v, len);
	io_simple(v, x);
}
