/* The emulator where no native run can check it: other modes, segments, faults midway, and what it does not know. */
/* links: tests/unit/emulate_world.c vmm/emulate.c vmm/emulate_alu.c vmm/emulate_rmw.c vmm/emulate_string.c vmm/emulate_stack.c */
/* links: vmm/emulate_vector.c vmm/gva.c vmm/gva_memo.c vmm/mtrr.c vmm/guest_mem.c vmm/vcpu.c vmm/decode.c vmm/decode_ea.c vmm/decode_tables.c */
/* links: mm/walk.c mm/pt_format.c devices/bus.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "tests/unit/emulate_world.h"
#include "vmm/hw/x86.h"

#define RUN(...) world_emulate((const uint8_t[]){ __VA_ARGS__ }, sizeof((const uint8_t[]){ __VA_ARGS__ }))

static uint32_t device32(unsigned at)
{
	uint32_t x;

	memcpy(&x, world.device + at, 4);
	return x;
}

static void test_16_bit(void **state)
{
	(void)state;
	world_begin();
	world_mode(16);
	world.v.seg[SEG_DS].base = WORLD_DEVICE - 0x1000;
	world.v.gpr[RBX] = 0xdead1800;
	world.v.gpr[RSI] = 0xbeef0010;
	world.v.gpr[RAX] = 0x12345678;
	assert_int_equal(RUN(0x89, 0x40, 0x20), 0); /* mov [bx+si+0x20], ax */
	assert_int_equal(device32(0x830), 0x5678);
	assert_int_equal(world.v.rip, WORLD_CODE + 3);
	assert_int_equal(RUN(0x66, 0x89, 0x40, 0x24), 0); /* mov [bx+si+0x24], eax */
	assert_int_equal(device32(0x834), 0x12345678);
	world.v.gpr[RBX] = 0xf000; /* the address wraps at 64 KiB */
	world.v.gpr[RSI] = 0x2840;
	world.device[0x840] = 0x77;
	assert_int_equal(RUN(0x8a, 0x20), 0); /* mov ah, [bx+si] */
	assert_int_equal(world.v.gpr[RAX], 0x12347778);
	/* ADD with a 32-bit address: 67 */
	world.v.seg[SEG_DS].base = 0;
	world.v.gpr[RBX] = WORLD_DEVICE + 8;
	world.v.gpr[RCX] = 0x10ffff;
	assert_int_equal(RUN(0x67, 0x01, 0x0b), 0); /* add [ebx], cx */
	assert_int_equal(device32(8), 0xffff);
	/* SI alone moves, and CX counts. */
	world.v.seg[SEG_DS].base = WORLD_DEVICE;
	world.v.gpr[RSI] = 0xaaaa0008;
	world.v.gpr[RCX] = 0xbbbb0003;
	assert_int_equal(RUN(0xf3, 0xac), 0); /* rep lodsb */
	assert_int_equal(world.v.gpr[RSI], 0xaaaa000b);
	assert_int_equal(world.v.gpr[RCX], 0xbbbb0000);
}

static void test_segments(void **state)
{
	(void)state;
	world_begin();
	world_mode(32);
	world.v.seg[SEG_ES].base = WORLD_DEVICE;
	world.v.seg[SEG_ES].limit = 0x103;
	world.v.seg[SEG_ES].attr = 0x4093;
	world.v.gpr[RBX] = 0x100;
	assert_int_equal(RUN(0x26, 0xc7, 0x03, 1, 2, 3, 4), 0); /* mov dword es:[ebx], 0x04030201 */
	assert_int_equal(device32(0x100), 0x04030201);
	world.v.gpr[RBX] = 0x101; /* its last byte is past the limit */
	assert_int_equal(RUN(0x26, 0xc7, 0x03, 5, 5, 5, 5), -EFAULT);
	assert_true(world.v.inject.valid);
	assert_int_equal(world.v.inject.vector, VEC_GP);
	assert_int_equal(world.writes, 0);
	world.v.seg[SEG_ES].attr = 0x4091; /* read-only */
	world.v.gpr[RBX] = 0;
	assert_int_equal(RUN(0x26, 0xc6, 0x03, 5), -EFAULT);
	assert_int_equal(world.v.inject.vector, VEC_GP);
	assert_int_equal(RUN(0x26, 0x8a, 0x03), 0);
	/* SS raises #SS; a base register EBP uses it. */
	world.v.seg[SEG_SS].limit = 0xfff;
	world.v.seg[SEG_SS].attr = 0x4093;
	world.v.gpr[RBP] = 0x1000;
	assert_int_equal(RUN(0x8a, 0x45, 0x00), -EFAULT);
	assert_int_equal(world.v.inject.vector, VEC_SS);
	assert_int_equal(RUN(0x26, 0x8c, 0x1b), -EFAULT); /* mov es:[ebx], ds: read-only */
	world.v.seg[SEG_ES].attr = 0x4093;
	world.v.seg[SEG_DS].sel = 0x1234;
	memset(world.device, 0xee, 4);
	assert_int_equal(RUN(0x26, 0x8c, 0x1b), 0);
	assert_int_equal(device32(0), 0xeeee1234);
	/* In 64-bit mode FS and GS have bases, and a non-canonical address is #GP. */
	world_begin();
	world.v.seg[SEG_GS].base = WORLD_DEVICE + 0x40;
	world.v.gpr[RAX] = 0x1122334455667788;
	assert_int_equal(RUN(0x65, 0x48, 0x89, 0x04, 0x25, 8, 0, 0, 0), 0); /* mov gs:[8], rax */
	assert_int_equal(device32(0x48), 0x55667788);
	assert_int_equal(device32(0x4c), 0x11223344);
	world.v.gpr[RBX] = 1ull << 63;
	assert_int_equal(RUN(0x88, 0x03), -EFAULT);
	assert_int_equal(world.v.inject.vector, VEC_GP);
}

/* Tables in RAM: the code at its own address, the device's first page at 0x400000, nothing behind it. */
static void paging(void)
{
	uint64_t e;
	const struct {
		uint64_t at, entry;
	} tables[] = {
		{ 0x18000, 0x19003 },	      { 0x19000, 0x1a003 },	     { 0x1a000, 0x1b003 }, { 0x1b000 + 8 * 0x10, 0x10003 },
		{ 0x1a000 + 8 * 2, 0x1c003 }, { 0x1c000, WORLD_DEVICE | 3 },
	};

	for (unsigned i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
		e = tables[i].entry;
		assert_int_equal(guest_mem_write(&world.vm.mem, tables[i].at, &e, 8), 0);
	}
	world.v.cr0 |= CR0_PG;
	world.v.cr4 = CR4_PAE;
	world.v.cr3 = 0x18000;
}

static void test_faults(void **state)
{
	(void)state;
	world_begin();
	paging();
	world.v.gpr[RBX] = 0x400ffc;
	world.v.gpr[RAX] = 0x1122334455667788;
	assert_int_equal(RUN(0x89, 0x03), 0); /* the last four bytes */
	assert_int_equal(device32(0xffc), 0x55667788);
	/* One byte over the edge: #PF at the second page, and not one byte was read or written. */
	world.v.gpr[RBX] = 0x400ffd;
	assert_int_equal(RUN(0x01, 0x03), -EFAULT);
	assert_int_equal(world.v.inject.vector, VEC_PF);
	assert_int_equal(world.v.cr2, 0x401000);
	assert_int_equal(world.v.inject.error, 2);
	assert_int_equal(world.reads + world.writes, 0);
	assert_int_equal(world.v.rip, WORLD_CODE);
	/* A string keeps the iterations that were whole. */
	world.v.gpr[RDI] = 0x400ff0;
	world.v.gpr[RCX] = 10;
	assert_int_equal(RUN(0xf3, 0xab), -EFAULT); /* rep stosd */
	assert_int_equal(world.v.gpr[RCX], 6);
	assert_int_equal(world.v.gpr[RDI], 0x401000);
	assert_int_equal(world.v.cr2, 0x401000);
	assert_int_equal(world.writes, 4);
	assert_int_equal(world.v.rip, WORLD_CODE);
	/* MOVS whose destination faults does not read its source. */
	world.v.gpr[RSI] = 0x400000;
	assert_int_equal(RUN(0xa5), -EFAULT);
	assert_int_equal(world.reads, 0);
	/* POP to a page that is not there leaves RSP. */
	world.v.gpr[RSP] = 0x400100;
	world.v.gpr[RBX] = 0x402000;
	assert_int_equal(RUN(0x8f, 0x03), -EFAULT);
	assert_int_equal(world.v.gpr[RSP], 0x400100);
	/* A user's access to a supervisor's page. */
	world.v.seg[SEG_SS].attr |= 3 << 5;
	world.v.gpr[RBX] = 0x400000;
	assert_int_equal(RUN(0x8b, 0x03), -EFAULT);
	assert_int_equal(world.v.inject.vector, VEC_PF);
}

/* A long REP is done in batches: RIP stays, and the next entry goes on. */
static void test_batches(void **state)
{
	unsigned rounds = 0;

	(void)state;
	world_begin();
	world.v.gpr[RDI] = WORLD_DEVICE;
	world.v.gpr[RAX] = 0x5a;
	world.v.gpr[RCX] = 5000;
	do {
		assert_int_equal(RUN(0xf3, 0xaa), 0);
		assert_true(world.writes <= 512);
		rounds++;
	} while (world.v.rip == WORLD_CODE);
	assert_int_equal(rounds, 10);
	assert_int_equal(world.v.gpr[RCX], 0);
	for (unsigned i = 0; i < WORLD_DEVICE_BYTES; i++)
		assert_int_equal(world.device[i], i < 5000 ? 0x5a : 0);
}

static void test_vectors(void **state)
{
	(void)state;
	world_begin();
	world.v.gpr[RBX] = WORLD_DEVICE;
	memset(world.vector[9], 0x99, 32);
	assert_int_equal(RUN(0xc5, 0x7c, 0x11, 0x0b), 0); /* vmovups [rbx], ymm9 */
	assert_memory_equal(world.device, world.vector[9], 32);
	memset(world.device, 0x42, 16);
	memset(world.vector[1], 0xff, 32);
	assert_int_equal(RUN(0xc5, 0xfa, 0x6f, 0x0b), 0); /* vmovdqu xmm1, [rbx]: the upper half is cleared */
	assert_memory_equal(world.vector[1], world.device, 16);
	for (unsigned i = 16; i < 32; i++)
		assert_int_equal(world.vector[1][i], 0);
	memset(world.vector[2], 0xff, 32);
	assert_int_equal(RUN(0x0f, 0x10, 0x13), 0); /* movups xmm2, [rbx]: it stays */
	assert_int_equal(world.vector[2][16], 0xff);
	memcpy(world.mmx[3], "12345678", 8);
	assert_int_equal(RUN(0x0f, 0x7f, 0x1b), 0); /* movq [rbx], mm3 */
	assert_memory_equal(world.device, "12345678", 8);
	assert_int_equal(RUN(0x0f, 0x6f, 0x23), 0); /* movq mm4, [rbx] */
	assert_memory_equal(world.mmx[4], "12345678", 8);
}

static void unknown(const char *bytes_in_report, int answer)
{
	assert_int_equal(answer, -ENOSYS);
	assert_true(world.parked);
	assert_non_null(strstr(world.problem, bytes_in_report));
	assert_int_equal(world.reads + world.writes, 0);
}

static void test_unknown(void **state)
{
	(void)state;
	world_begin();
	world.v.gpr[RBX] = WORLD_DEVICE;
	unknown("f7 3b", RUN(0xf7, 0x3b)); /* idiv dword [rbx] */
	world_begin();
	world.v.gpr[RBX] = WORLD_DEVICE;
	unknown("d9 03", RUN(0xd9, 0x03)); /* fld dword [rbx] */
	world_begin();
	unknown("66 0f 58 03", RUN(0x66, 0x0f, 0x58, 0x03)); /* addpd xmm0, [rbx] */
	world_begin();
	unknown("62 f1 7c 48 11 03", RUN(0x62, 0xf1, 0x7c, 0x48, 0x11, 0x03)); /* vmovups [rbx], zmm0 */
}

static void test_stack_and_table(void **state)
{
	(void)state;
	world_begin();
	world.v.gpr[RSP] = WORLD_DEVICE + 0x100;
	world.v.gpr[R8] = 0x8877665544332211;
	assert_int_equal(RUN(0x41, 0x50), 0); /* push r8 */
	assert_int_equal(world.v.gpr[RSP], WORLD_DEVICE + 0xf8);
	assert_int_equal(device32(0xf8), 0x44332211);
	assert_int_equal(RUN(0x6a, 0xff), 0); /* push -1 */
	assert_int_equal(device32(0xf4), 0xffffffff);
	assert_int_equal(RUN(0x59), 0); /* pop rcx */
	assert_int_equal(world.v.gpr[RCX], UINT64_MAX);
	assert_int_equal(RUN(0x8f, 0x44, 0x24, 0x40), 0); /* pop [rsp+0x40]: counted after the pop */
	assert_int_equal(device32(0x140), 0x44332211);
	world.v.gpr[RBX] = WORLD_DEVICE;
	world.v.gpr[RAX] = 0xaaaaaaaaaaaaaa22;
	world.device[0x22] = 0x33;
	assert_int_equal(RUN(0xd7), 0); /* xlat */
	assert_int_equal(world.v.gpr[RAX] & 0xffff, 0xaa33);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_16_bit),		cmocka_unit_test(test_segments), cmocka_unit_test(test_faults),
		cmocka_unit_test(test_batches),		cmocka_unit_test(test_vectors),	 cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_stack_and_table),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
