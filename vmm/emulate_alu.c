/* Integer arithmetic with the flags that it sets. Pure. */
#include "vmm/emulate_internal.h"
#include "vmm/hw/x86.h"

#define FLAGS_ZSP (RFLAGS_PF | RFLAGS_ZF | RFLAGS_SF)
#define FLAGS_ALL (FLAGS_ZSP | RFLAGS_CF | RFLAGS_AF | RFLAGS_OF)

static uint64_t top_bit(unsigned size)
{
	return 1ull << (8 * size - 1);
}

static uint64_t zsp(uint64_t r, unsigned size)
{
	return (__builtin_parity((uint8_t)r) ? 0 : RFLAGS_PF) | (r ? 0 : RFLAGS_ZF) | (r & top_bit(size) ? RFLAGS_SF : 0);
}

static void set_flags(uint64_t *flags, uint64_t which, bool cf, bool of, uint64_t other)
{
	*flags = (*flags & ~which) | (((cf ? RFLAGS_CF : 0) | (of ? RFLAGS_OF : 0) | other) & which);
}

uint64_t alu_binary(unsigned op, unsigned size, uint64_t a, uint64_t b, uint64_t *flags)
{
	uint64_t m = emu_mask(size), top = top_bit(size), r;
	bool carry = (op == 2 || op == 3) && (*flags & RFLAGS_CF), cf = false, of = false, af = false;

	a &= m;
	b &= m;
	switch (op) {
	case 0:
	case 2:
		r = (a + b + carry) & m;
		cf = r < a || (carry && r == a);
		of = (a ^ r) & (b ^ r) & top;
		af = (a ^ b ^ r) & 0x10;
		break;
	case 3:
	case 5:
	case 7:
		r = (a - b - carry) & m;
		cf = a < b || (carry && a == b);
		of = (a ^ b) & (a ^ r) & top;
		af = (a ^ b ^ r) & 0x10;
		break;
	case 1: r = a | b; break;
	case 4: r = a & b; break;
	default: r = a ^ b; break;
	}
	set_flags(flags, FLAGS_ALL, cf, of, zsp(r, size) | (af ? RFLAGS_AF : 0));
	return r;
}

/* ROL, ROR, RCL, RCR: CF and OF alone change. RCL and RCR turn one bit more than the operand has: CF is the extra one. */
static uint64_t rotate(unsigned op, unsigned size, uint64_t a, unsigned count, uint64_t *flags)
{
	unsigned bits = 8 * size;
	uint64_t m = emu_mask(size), top = top_bit(size), r = a;
	bool cf = *flags & RFLAGS_CF;

	for (unsigned i = op < 2 ? count % bits : count % (bits + 1); i; i--) {
		bool out = op & 1 ? r & 1 : r & top, in = op < 2 ? out : cf;

		r = op & 1 ? r >> 1 | (in ? top : 0) : (r << 1 | in) & m;
		cf = out;
	}
	if (op < 2)
		cf = op ? r & top : r & 1;
	set_flags(flags, RFLAGS_CF | RFLAGS_OF, cf, op & 1 ? (r ^ r << 1) & top : !(r & top) != !cf, 0);
	return r;
}

uint64_t alu_shift(unsigned op, unsigned size, uint64_t a, unsigned count, uint64_t *flags)
{
	unsigned bits = 8 * size;
	uint64_t m = emu_mask(size), top = top_bit(size), r;
	bool cf, of;

	a &= m;
	count &= size == 8 ? 63 : 31;
	if (!count)
		return a;
	if (op < 4)
		return rotate(op, size, a, count, flags);
	if (op == 7) {
		int64_t wide = (int64_t)emu_sign_extend(a, size);

		r = (uint64_t)(wide >> count) & m;
		cf = wide >> (count - 1) & 1;
		of = false;
	} else if (op == 5) {
		r = count < bits ? a >> count : 0;
		cf = count <= bits && a >> (count - 1) & 1;
		of = a & top;
	} else {
		r = count < bits ? a << count & m : 0;
		cf = count <= bits && a >> (bits - count) & 1;
		of = !(r & top) != !cf;
	}
	set_flags(flags, FLAGS_ZSP | RFLAGS_CF | RFLAGS_OF, cf, of, zsp(r, size));
	return r;
}

/* With 16-bit operands and a count past 16 result and flags are undefined: they are as if a:b:a had been shifted. */
uint64_t alu_shift_double(bool left, unsigned size, uint64_t a, uint64_t b, unsigned count, uint64_t *flags)
{
	uint64_t m = emu_mask(size), top = top_bit(size), r;
	bool cf = false;

	a &= m;
	b &= m;
	count &= size == 8 ? 63 : 31;
	if (!count)
		return a;
	r = a;
	for (unsigned i = count; i; i--) {
		cf = left ? r & top : r & 1;
		r = left ? (r << 1 | !!(b & top)) & m : r >> 1 | (b & 1 ? top : 0);
		b = left ? (b << 1 | !!(b & top)) & m : b >> 1 | (b & 1 ? top : 0);
	}
	set_flags(flags, FLAGS_ZSP | RFLAGS_CF | RFLAGS_OF, cf, (a ^ r) & top, zsp(r, size));
	return r;
}

uint64_t alu_inc_dec(bool dec, unsigned size, uint64_t a, uint64_t *flags)
{
	uint64_t carry = *flags & RFLAGS_CF, r = alu_binary(dec ? 5 : 0, size, a, 1, flags);

	*flags = (*flags & ~RFLAGS_CF) | carry;
	return r;
}

uint64_t alu_multiply(bool is_signed, unsigned size, uint64_t a, uint64_t b, uint64_t *high, uint64_t *flags)
{
	unsigned __int128 product;
	uint64_t m = emu_mask(size), low;
	bool spills;

	if (is_signed)
		product = (unsigned __int128)((__int128)(int64_t)emu_sign_extend(a, size) * (int64_t)emu_sign_extend(b, size));
	else
		product = (unsigned __int128)(a & m) * (b & m);
	low = (uint64_t)product & m;
	*high = (uint64_t)(product >> 8 * size) & m;
	spills = is_signed ? *high != ((low & top_bit(size)) ? m : 0) : *high != 0;
	set_flags(flags, RFLAGS_CF | RFLAGS_OF, spills, spills, 0);
	return low;
}

bool alu_condition(unsigned code, uint64_t flags)
{
	bool cf = flags & RFLAGS_CF, zf = flags & RFLAGS_ZF, less = !(flags & RFLAGS_SF) != !(flags & RFLAGS_OF), yes;

	switch (code >> 1 & 7) {
	case 0: yes = flags & RFLAGS_OF; break;
	case 1: yes = cf; break;
	case 2: yes = zf; break;
	case 3: yes = cf || zf; break;
	case 4: yes = flags & RFLAGS_SF; break;
	case 5: yes = flags & RFLAGS_PF; break;
	case 6: yes = less; break;
	default: yes = zf || less; break;
	}
	return yes != (code & 1);
}
