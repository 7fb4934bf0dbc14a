/*
 * MMX, SSE and AVX moves that compilers and drivers use to copy to and from device memory. The registers are live in the CPU
 * (fpu.h). The CPU has checked CR0.TS, CR4.OSFXSR, XCR0 and alignment before it made the access that brought us here.
 */
#include <errno.h>
#include <string.h>

#include "vmm/emulate_internal.h"
#include "vmm/fpu.h"

struct move {
	uint8_t opcode, pps;   /* pps: bit n, for enum insn_pp n */
	uint8_t bytes;	       /* 0: the register's size, 16 or VEX's 32 */
	bool store, high, mmx; /* high: of the register's upper half */
};

#define NP 1
#define P66 2
#define PF3 4
#define PF2 8

static const struct move moves[] = {
	{ 0x10, NP | P66, .bytes = 0 }, /* MOVUPS, MOVUPD */
	{ 0x10, PF3, .bytes = 4 },	/* MOVSS */
	{ 0x10, PF2, .bytes = 8 },	/* MOVSD */
	{ 0x11, NP | P66, .bytes = 0, .store = true },
	{ 0x11, PF3, .bytes = 4, .store = true },
	{ 0x11, PF2, .bytes = 8, .store = true },
	{ 0x13, NP | P66, .bytes = 8, .store = true },		     /* MOVLPS, MOVLPD */
	{ 0x17, NP | P66, .bytes = 8, .store = true, .high = true }, /* MOVHPS, MOVHPD */
	{ 0x28, NP | P66, .bytes = 0 },				     /* MOVAPS, MOVAPD */
	{ 0x29, NP | P66, .bytes = 0, .store = true },
	{ 0x2b, NP | P66, .bytes = 0, .store = true }, /* MOVNTPS, MOVNTPD */
	{ 0x6f, P66 | PF3, .bytes = 0 },	       /* MOVDQA, MOVDQU */
	{ 0x6f, NP, .bytes = 8, .mmx = true },	       /* MOVQ */
	{ 0x7e, PF3, .bytes = 8 },		       /* MOVQ */
	{ 0x7f, P66 | PF3, .bytes = 0, .store = true },
	{ 0x7f, NP, .bytes = 8, .store = true, .mmx = true },
	{ 0xd6, P66, .bytes = 8, .store = true },	      /* MOVQ */
	{ 0xe7, P66, .bytes = 0, .store = true },	      /* MOVNTDQ */
	{ 0xe7, NP, .bytes = 8, .store = true, .mmx = true }, /* MOVNTQ */
	{ 0xf0, PF2, .bytes = 0 },			      /* LDDQU */
};

static const struct move *find(const struct insn *in)
{
	for (size_t i = 0; i < sizeof(moves) / sizeof(moves[0]); i++)
		if (moves[i].opcode == in->opcode && moves[i].pps >> in->pp & 1)
			return moves[i].mmx && in->vex ? NULL : &moves[i];
	return NULL;
}

/* MOVD and MOVQ between memory and a vector register: 6E, 7E; by REX.W 4 or 8 bytes. */
static bool movd(const struct insn *in, struct move *m)
{
	if ((in->opcode != 0x6e && in->opcode != 0x7e) || in->pp > PP_66)
		return false;
	*m = (struct move){ .bytes = in->opsize == 8 ? 8 : 4, .store = in->opcode == 0x7e, .mmx = in->pp == PP_NONE };
	return !(m->mmx && in->vex);
}

int emulate_vector(struct vcpu *v, const struct insn *in)
{
	bool movntdqa = in->map == MAP_0F38 && in->opcode == 0x2a && in->pp == PP_66;
	const struct move *known = in->map == MAP_0F ? find(in) : NULL;
	uint8_t data[32] = { 0 };
	struct gva_span s;
	struct move m = { 0 };
	unsigned bytes;
	int e;

	if (!in->mem || in->evex || in->xop)
		return -ENOSYS;
	if (known)
		m = *known;
	else if (!movntdqa && !(in->map == MAP_0F && movd(in, &m)))
		return -ENOSYS;
	bytes = m.bytes ? m.bytes : in->vex && in->vl ? 32 : 16;
	e = emu_operand(v, in, 0, bytes, m.store, &s);
	if (e)
		return e;
	if (m.store) {
		if (m.mmx)
			fpu_mmx_get(in->reg & 7, data);
		else
			fpu_vector_get(in->reg, bytes > 16, data);
		gva_span_write(v, &s, data + (m.high ? 8 : 0));
		return 0;
	}
	gva_span_read(v, &s, data);
	if (m.mmx)
		fpu_mmx_set(in->reg & 7, data);
	else
		fpu_vector_set(in->reg, in->vex, data); /* what the move does not bring is zero */
	return 0;
}
