/*
 * The decoder against Zydis, on random byte strings that are shaped so as to reach all maps and addressing forms. What Zydis
 * decodes we must decode, with the same length and fields; what we alone accept is counted. Every fourth instruction that we accept
 * is also cut short at each length, at the end of its heap block: it must ask for more, and read nothing past the cut.
 *
 * TESSERA_FUZZ_N   strings for each mode (default 1,000,000)
 * TESSERA_FUZZ_SEED
 *
 * links: vmm/decode.c vmm/decode_ea.c vmm/decode_tables.c */
/* libs: -lZydis -lZycore */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <Zydis/Zydis.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/decode.h"

#define RIP 0x00007ffffffff123ull

static uint64_t rng_state, seed = 0x7e55e7a, rounds = 1000000;
static ZydisRegisterContext zregs;
static uint64_t gpr[16];
static uint8_t *block; /* INSN_MAX bytes; what is put at its end cannot be overrun unseen */

/* splitmix64 */
static uint64_t rnd(void)
{
	uint64_t z = rng_state += 0x9e3779b97f4a7c15ull;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
	z = (z ^ z >> 27) * 0x94d049bb133111ebull;
	return z ^ z >> 31;
}

static unsigned below(unsigned n)
{
	return (uint32_t)rnd() % n;
}

static unsigned put_prefixes(uint8_t *p)
{
	static const uint8_t legacy[] = {
		0x66, 0x66, 0x66, 0x67, 0x67, 0xf2, 0xf2, 0xf3, 0xf3, 0xf0, 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
	};
	static const uint8_t counts[] = { 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 2, 2, 2, 3, 4, 13 };
	unsigned i, n = counts[below(sizeof(counts))];

	if (n == 13)
		n = below(14);
	for (i = 0; i < n; i++)
		p[i] = legacy[below(sizeof(legacy))];
	if (below(3) == 0)
		p[n++] = 0x40 | below(16);
	if (below(40) == 0)
		p[n++] = legacy[below(sizeof(legacy))];
	return n;
}

/* Escape bytes of a random map; the opcode follows. Fixed bits of vector prefixes are right three times in four. */
static unsigned put_map(uint8_t p[4])
{
	bool proper = below(4) != 0;
	uint64_t r = rnd();

	switch (below(16)) {
	case 0:
	case 1:
	case 2: p[0] = 0x0f; return 1;
	case 3:
		p[0] = 0x0f;
		p[1] = 0x38;
		return 2;
	case 4:
		p[0] = 0x0f;
		p[1] = 0x3a;
		return 2;
	case 5:
	case 6:
		p[0] = 0xc5;
		p[1] = proper ? r | 0x78 : r;
		return 2;
	case 7:
	case 8:
		p[0] = 0xc4;
		p[1] = proper ? (r & 0xe0) | (1 + below(3)) : r;
		p[2] = proper && below(2) ? (r >> 8) | 0x78 : r >> 8;
		return 3;
	case 9:
	case 10:
	case 11:
		p[0] = 0x62;
		p[1] = proper ? (r & 0xf0) | (1 + below(6)) : r;
		p[2] = proper ? (r >> 8 & 0x83) | 0x7c : r >> 8;
		p[3] = proper ? (r >> 16 & 0x67) | 0x08 : r >> 16;
		return 4;
	case 12:
		p[0] = 0x8f;
		p[1] = proper ? (r & 0xe0) | (8 + below(3)) : r;
		p[2] = proper && below(2) ? 0x78 : r >> 8;
		return 3;
	default: return 0;
	}
}

static void make_bytes(uint8_t buf[INSN_MAX])
{
	uint8_t tmp[40];
	unsigned i, n = 0;

	for (i = 0; i < sizeof(tmp); i++)
		tmp[i] = rnd();
	if (below(50)) {
		uint8_t map[4];
		unsigned len = put_map(map);

		/* Before VEX, EVEX and XOP most other prefixes are invalid: let those stand first most of the time. */
		if (len == 0 || map[0] == 0x0f || below(8) == 0)
			n = put_prefixes(tmp);
		memcpy(tmp + n, map, len);
		n += len + 1;
		/* SIB, disp32 and no-base forms more often than chance has them. */
		if (below(3) == 0)
			tmp[n] = (tmp[n] & 0xf8) | (4 + below(3));
		if (below(3) == 0)
			tmp[n + 1] = (tmp[n + 1] & 0xf8) | 5;
		if (below(4) == 0)
			tmp[n + 1] = (tmp[n + 1] & 0xc7) | 4 << 3;
	}
	memcpy(buf, tmp, INSN_MAX);
}

static _Noreturn void mismatch(const char *what, const uint8_t *b, enum insn_mode mode, uint64_t ours, uint64_t theirs)
{
	unsigned i;

	printf("mode %d, seed %#llx, bytes", mode, (unsigned long long)seed);
	for (i = 0; i < INSN_MAX; i++)
		printf(" %02x", b[i]);
	printf(": %s is %#llx, Zydis has %#llx\n", what, (unsigned long long)ours, (unsigned long long)theirs);
	fflush(stdout);
	fail();
	abort();
}

#define SAME(what, ours, theirs)                                                                                                   \
	do {                                                                                                                       \
		uint64_t ours_ = (uint64_t)(ours), theirs_ = (uint64_t)(theirs);                                                   \
		if (ours_ != theirs_)                                                                                              \
			mismatch(what, b, in->mode, ours_, theirs_);                                                               \
	} while (0)

static uint64_t low_bytes(uint64_t v, unsigned bytes)
{
	return bytes >= 8 ? v : v & ((1ull << bytes * 8) - 1);
}

static int reg_number(ZydisRegister reg)
{
	return reg == ZYDIS_REGISTER_NONE ? -1 : ZydisRegisterGetId(reg);
}

static void check_encoding(const struct insn *in, const ZydisDecodedInstruction *z, const uint8_t *b)
{
	bool has_modrm = z->attributes & ZYDIS_ATTRIB_HAS_MODRM, has_sib = z->attributes & ZYDIS_ATTRIB_HAS_SIB;

	SAME("VEX", in->vex, z->encoding == ZYDIS_INSTRUCTION_ENCODING_VEX);
	SAME("EVEX", in->evex, z->encoding == ZYDIS_INSTRUCTION_ENCODING_EVEX);
	SAME("XOP", in->xop, z->encoding == ZYDIS_INSTRUCTION_ENCODING_XOP);
	SAME("has_modrm", in->has_modrm, has_modrm);
	SAME("has_sib", in->has_sib, has_sib);
	if (has_modrm) {
		SAME("modrm", in->modrm, z->raw.modrm.mod << 6 | z->raw.modrm.reg << 3 | z->raw.modrm.rm);
	}
	if (has_sib)
		SAME("sib", in->sib, z->raw.sib.scale << 6 | z->raw.sib.index << 3 | z->raw.sib.base);
	SAME("displacement's length", in->disp_len, z->raw.disp.size / 8);
	if (in->disp_len && has_modrm)
		SAME("displacement", in->disp, z->raw.disp.value);
	else if (in->disp_len)
		SAME("moffs", in->disp, low_bytes(z->raw.disp.value, in->disp_len));
	if (z->encoding == ZYDIS_INSTRUCTION_ENCODING_3DNOW) {
		SAME("3DNow! suffix", in->imm, z->opcode);
		return;
	}
	SAME("opcode", in->opcode, z->opcode);
	SAME("immediate's length", in->imm_len, z->raw.imm[0].size / 8);
	SAME("second immediate's length", in->imm2_len, z->raw.imm[1].size / 8);
	SAME("immediate", low_bytes(in->imm, in->imm_len), low_bytes(z->raw.imm[0].value.u, in->imm_len));
	SAME("second immediate", in->imm2, low_bytes(z->raw.imm[1].value.u, in->imm2_len));
	if (z->raw.imm[0].is_relative)
		SAME("branch offset", in->imm, z->raw.imm[0].value.s);
}

static void check_memory(const struct insn *in, const ZydisDecodedInstruction *z, const ZydisDecodedOperand *op, const uint8_t *b)
{
	static const uint64_t seg_base[6];
	struct insn_regs regs = { .gpr = gpr, .rip = RIP };
	uint64_t ea, theirs;
	unsigned seg;

	SAME("memory operand", in->mem, 1);
	SAME("address size", in->addrsize * 8, z->address_width);
	SAME("RIP-relative", in->rip_relative, op->mem.base == ZYDIS_REGISTER_RIP || op->mem.base == ZYDIS_REGISTER_EIP);
	/* Zydis 4.0 names R13D where SIB has no base and REX.B is set (its issue 592). */
	if (in->base < 0 && op->mem.base == ZYDIS_REGISTER_R13D && in->addrsize == 4)
		return;
	if (!in->rip_relative)
		SAME("base", in->base, reg_number(op->mem.base));
	if (op->mem.type == ZYDIS_MEMOP_TYPE_VSIB) {
		SAME("vector index", in->vsib, 1);
		SAME("scale", in->scale, op->mem.scale);
		return;
	}
	SAME("vector index", in->vsib, 0);
	SAME("index", in->index, reg_number(op->mem.index));
	if (in->index >= 0)
		SAME("scale", in->scale, op->mem.scale);
	memcpy(regs.seg_base, seg_base, sizeof(seg_base));
	ea = insn_effective(in, &regs, NULL, &seg);
	/* LEA: no segment takes part. To Zydis 3E of an indirect branch is only CET's no-track prefix. */
	if (op->mem.type != ZYDIS_MEMOP_TYPE_AGEN && !(z->attributes & ZYDIS_ATTRIB_HAS_NOTRACK))
		SAME("segment", seg, reg_number(op->mem.segment));
	if (in->evex && in->disp_len == 1)
		return;
	if (!ZYAN_SUCCESS(ZydisCalcAbsoluteAddressEx(z, op, RIP, &zregs, &theirs)))
		fail_msg("Zydis computes no address");
	SAME("effective address", ea, theirs);
}

/* Of the one-byte map, where both mean the same by it. To Zydis AMD's short jumps ignore 66, INS and OUTS heed REX.W. */
static void check_size(const struct insn *in, const ZydisDecodedInstruction *z, const uint8_t *b)
{
	uint8_t op = in->opcode;
	bool differs = (op >= 0xd4 && op <= 0xd7) || (op >= 0x6c && op <= 0x6f) || (op == 0xc6 && in->mod == 3 && in->reg);

	if (in->map == MAP_1BYTE && in->mode != INSN_64_AMD && !differs)
		SAME("operand size", in->byte_op ? 8 : in->opsize * 8, z->operand_width);
}

static void check_operands(const struct insn *in, const ZydisDecoder *d, const ZydisDecoderContext *ctx,
			   const ZydisDecodedInstruction *z, const uint8_t *b)
{
	ZydisDecodedOperand ops[ZYDIS_MAX_OPERAND_COUNT];
	unsigned i, memory = 0;

	if (!ZYAN_SUCCESS(ZydisDecoderDecodeOperands(d, ctx, z, ops, z->operand_count_visible)))
		fail_msg("Zydis decodes no operands");
	for (i = 0; i < z->operand_count_visible; i++) {
		if (ops[i].type != ZYDIS_OPERAND_TYPE_MEMORY || ops[i].visibility != ZYDIS_OPERAND_VISIBILITY_EXPLICIT)
			continue;
		if (ops[i].encoding != ZYDIS_OPERAND_ENCODING_MODRM_RM && ops[i].encoding != ZYDIS_OPERAND_ENCODING_DISP16_32_64)
			continue;
		memory++;
		check_memory(in, z, &ops[i], b);
	}
	SAME("memory operands", in->mem, memory != 0);
}

/* Cut short, the instruction must ask for more; with exactly its bytes it must decode as before. */
static void check_truncation(const struct insn *in, const uint8_t *b)
{
	struct insn again;
	unsigned cut;

	for (cut = 0; cut <= in->length; cut++) {
		uint8_t *end = block + INSN_MAX - cut;
		int rc;

		memcpy(end, b, cut);
		rc = insn_decode(&again, end, cut, in->mode);
		if (cut < in->length)
			SAME("error when cut short", rc, -EFAULT);
		else if (rc || memcmp(&again, in, sizeof(again)))
			mismatch("decoding without what follows", b, in->mode, rc, 0);
	}
}

struct tally {
	uint64_t both, ours, ours_legacy, neither;
};

/* Knights Corner, a coprocessor without VMX, has mask instructions in VEX's map 0F that no other CPU knows. */
static bool knights_corner(const ZydisDecodedInstruction *z)
{
	ZydisISAExt ext = z->meta.isa_ext;

	return ext == ZYDIS_ISA_EXT_KNC || ext == ZYDIS_ISA_EXT_KNCE || ext == ZYDIS_ISA_EXT_KNCV;
}

static void compare(const ZydisDecoder *d, enum insn_mode mode, const uint8_t *b, struct tally *t)
{
	ZydisDecodedInstruction z;
	ZydisDecoderContext ctx;
	struct insn insn, *in = &insn;
	int rc = insn_decode(in, b, INSN_MAX, mode);
	bool valid = ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(d, &ctx, b, INSN_MAX, &z)) && !knights_corner(&z);

	if (rc && rc != -EINVAL)
		mismatch("error", b, mode, rc, 0);
	if (rc && valid)
		mismatch("error", b, mode, rc, z.length);
	if (!rc && valid) {
		SAME("length", in->length, z.length);
		check_encoding(in, &z, b);
		check_size(in, &z, b);
		check_operands(in, d, &ctx, &z, b);
	}
	if (!rc && (t->both + t->ours) % 4 == 0)
		check_truncation(in, b);
	t->both += !rc && valid;
	t->ours += !rc && !valid;
	t->ours_legacy += !rc && !valid && !in->vex && !in->evex && !in->xop;
	t->neither += rc && !valid;
}

static void run(enum insn_mode mode, ZydisMachineMode machine, ZydisStackWidth stack)
{
	struct tally t = { 0 };
	uint8_t b[INSN_MAX];
	ZydisDecoder d;
	uint64_t i;

	assert_true(ZYAN_SUCCESS(ZydisDecoderInit(&d, machine, stack)));
	assert_true(ZYAN_SUCCESS(ZydisDecoderEnableMode(&d, ZYDIS_DECODER_MODE_AMD_BRANCHES, mode == INSN_64_AMD)));
	/* MPX ignores 67 in 64-bit mode; without MPX, which CPUs lost again, 0F 1A and 1B are NOPs with ordinary operands. */
	assert_true(ZYAN_SUCCESS(ZydisDecoderEnableMode(&d, ZYDIS_DECODER_MODE_MPX, false)));
	rng_state = seed + mode;
	for (i = 0; i < rounds; i++) {
		make_bytes(b);
		compare(&d, mode, b, &t);
	}
	print_message("mode %d: both accept %.1f %%, only we %.1f %% (without VEX, EVEX, XOP: %.1f %%), neither %.1f %%\n", mode,
		      100.0 * t.both / rounds, 100.0 * t.ours / rounds, 100.0 * t.ours_legacy / rounds, 100.0 * t.neither / rounds);
	/* The strings must really exercise the decoder. */
	assert_true(t.both * 5 > rounds);
}

static void test_16(void **state)
{
	(void)state;
	run(INSN_16, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
}

static void test_32(void **state)
{
	(void)state;
	run(INSN_32, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
}

static void test_64(void **state)
{
	(void)state;
	run(INSN_64, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
}

static void test_64_amd(void **state)
{
	(void)state;
	run(INSN_64_AMD, ZYDIS_MACHINE_MODE_LONG_64, ZYDIS_STACK_WIDTH_64);
}

static int setup(void **state)
{
	const char *n = getenv("TESSERA_FUZZ_N"), *s = getenv("TESSERA_FUZZ_SEED");
	unsigned i;

	(void)state;
	if (n)
		rounds = strtoull(n, NULL, 0);
	if (s)
		seed = strtoull(s, NULL, 0);
	rng_state = seed;
	for (i = 0; i < 16; i++) {
		gpr[i] = rnd();
		zregs.values[ZYDIS_REGISTER_RAX + i] = gpr[i];
		zregs.values[ZYDIS_REGISTER_EAX + i] = (uint32_t)gpr[i];
		zregs.values[ZYDIS_REGISTER_AX + i] = (uint16_t)gpr[i];
	}
	block = malloc(INSN_MAX);
	return rounds == 0 || !block;
}

static int teardown(void **state)
{
	(void)state;
	free(block);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_16),
		cmocka_unit_test(test_32),
		cmocka_unit_test(test_64),
		cmocka_unit_test(test_64_amd),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
