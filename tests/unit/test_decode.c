/*
 * The decoder on encodings worked out by hand from the manuals: prefixes, maps, groups, addressing forms, immediates, in each mode.
 * test_decode_fuzz.c compares it with a disassembler.
 *
 * links: vmm/decode.c vmm/decode_ea.c vmm/decode_tables.c */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vmm/decode.h"
#include "vmm/decode_internal.h"

/*
 * One encoding. want is what describe() says: length, opcode with its map and encoding, operand size (b for byte operands), then
 * as far as there: address size if not the mode's, prefixes, vvvv and vector length, /reg, register rm or memory operand
 * [segment:base+index*scale+disp], immediates. "UD" is -EINVAL, "MORE" is -EFAULT.
 */
struct encoding {
	enum insn_mode mode;
	const char *bytes, *want;
};

static const struct encoding encodings[] = {
	/* no operands, and what a hypervisor steps over */
	{ 64, "90", "1 90 o4" },
	{ 64, "f4", "1 f4 o4" },
	{ 64, "0f a2", "2 0f.a2 o4" },
	{ 64, "0f 30", "2 0f.30 o4" },
	{ 64, "0f 31", "2 0f.31 o4" },
	{ 64, "0f 32", "2 0f.32 o4" },
	{ 64, "0f 01 f9", "3 0f.01 o4 /7 r1" },
	{ 64, "0f 01 d9", "3 0f.01 o4 /3 r1" },
	{ 64, "0f 01 c1", "3 0f.01 o4 /0 r1" },
	{ 64, "0f 01 d1", "3 0f.01 o4 /2 r1" },
	{ 64, "0f 01 38", "3 0f.01 o4 /7 [DS:r0]" },
	{ 64, "0f 08", "2 0f.08 o4" },
	{ 64, "0f 09", "2 0f.09 o4" },
	{ 64, "f3 90", "2 90 o4 f3" },
	{ 64, "48 0f a2", "3 0f.a2 o8" },
	{ 64, "66 66 2e 0f 1f 84 00 00 02 00 00", "11 0f.1f o2 pp1 /0 [DS:r0+r0*1+0x200]" },
	/* MOV CR, DR: mod is ignored, the size is the mode's */
	{ 64, "0f 20 c0", "3 0f.20 o8 /0 r0" },
	{ 64, "0f 22 d8", "3 0f.22 o8 /3 r0" },
	{ 64, "0f 22 04", "3 0f.22 o8 /0 r4" },
	{ 64, "0f 22 05", "3 0f.22 o8 /0 r5" },
	{ 64, "41 0f 22 e7", "4 0f.22 o8 /4 r15" },
	{ 64, "44 0f 20 c1", "4 0f.20 o8 /8 r1" },
	{ 64, "f0 0f 20 c1", "4 0f.20 o8 lock /8 r1" },
	{ 32, "f0 0f 22 c1", "4 0f.22 o4 lock /8 r1" },
	{ 32, "f0 0f 22 d9", "UD" },
	{ 32, "f0 0f 23 c1", "UD" },
	{ 64, "0f 22 c8", "UD" },
	{ 64, "44 0f 22 c8", "UD" },
	{ 64, "0f 23 f8", "3 0f.23 o8 /7 r0" },
	{ 64, "44 0f 23 f8", "UD" },
	{ 32, "0f 21 44", "3 0f.21 o4 /0 r4" },
	{ 16, "66 0f 20 c0", "4 0f.20 o4 pp1 /0 r0" },
	/* 64-bit addressing */
	{ 64, "48 8b 00", "3 8b o8 /0 [DS:r0]" },
	{ 64, "48 8b 44 24 08", "5 8b o8 /0 [SS:r4+0x8]" },
	{ 64, "4c 8b 6d f8", "4 8b o8 /13 [SS:r5-0x8]" },
	{ 64, "49 8b 45 00", "4 8b o8 /0 [DS:r13]" },
	{ 64, "49 8b 04 24", "4 8b o8 /0 [DS:r12]" },
	{ 64, "8b 05 78 56 34 12", "6 8b o4 /0 [DS:rip+0x12345678]" },
	{ 64, "41 8b 05 f0 ff ff ff", "7 8b o4 /0 [DS:rip-0x10]" },
	{ 64, "67 8b 05 00 00 00 00", "7 8b o4 a4 /0 [DS:rip]" },
	{ 64, "8b 04 25 00 00 00 80", "7 8b o4 /0 [DS:-0x80000000]" },
	{ 64, "43 8b 04 25 10 00 00 00", "8 8b o4 /0 [DS:r12*1+0x10]" },
	{ 64, "41 8b 04 25 10 00 00 00", "8 8b o4 /0 [DS:0x10]" },
	{ 64, "8b 04 e5 10 00 00 00", "7 8b o4 /0 [DS:0x10]" },
	{ 64, "8b 04 8b", "3 8b o4 /0 [DS:r3+r1*4]" },
	{ 64, "47 8b b4 da 44 33 22 11", "8 8b o4 /14 [DS:r10+r11*8+0x11223344]" },
	{ 64, "8b 44 6d 7f", "4 8b o4 /0 [SS:r5+r5*2+0x7f]" },
	{ 64, "67 8b 40 80", "4 8b o4 a4 /0 [DS:r0-0x80]" },
	{ 64, "65 48 8b 04 25 28 00 00 00", "9 8b o8 /0 [GS:0x28]" },
	{ 64, "64 2e 8b 00", "4 8b o4 /0 [FS:r0]" },
	{ 64, "2e 8b 45 00", "4 8b o4 /0 [SS:r5]" },
	{ 64, "64 65 8b 00", "4 8b o4 /0 [GS:r0]" },
	/* 32-bit addressing */
	{ 32, "8b 05 78 56 34 12", "6 8b o4 /0 [DS:0x12345678]" },
	{ 32, "8b 04 24", "3 8b o4 /0 [SS:r4]" },
	{ 32, "36 8b 00", "3 8b o4 /0 [SS:r0]" },
	{ 32, "36 26 8b 00", "4 8b o4 /0 [ES:r0]" },
	{ 32, "64 2e 8b 00", "4 8b o4 /0 [CS:r0]" },
	{ 32, "67 8b 00", "3 8b o4 a2 /0 [DS:r3+r6*1]" },
	{ 32, "67 8b 06 34 12", "5 8b o4 a2 /0 [DS:0x1234]" },
	{ 32, "66 89 54 8e fc", "5 89 o2 /2 [DS:r6+r1*4-0x4]" },
	/* 16-bit addressing */
	{ 16, "8b 00", "2 8b o2 /0 [DS:r3+r6*1]" },
	{ 16, "8b 01", "2 8b o2 /0 [DS:r3+r7*1]" },
	{ 16, "8b 02", "2 8b o2 /0 [SS:r5+r6*1]" },
	{ 16, "8b 0b", "2 8b o2 /1 [SS:r5+r7*1]" },
	{ 16, "8b 04", "2 8b o2 /0 [DS:r6]" },
	{ 16, "8b 05", "2 8b o2 /0 [DS:r7]" },
	{ 16, "8b 06 fe ff", "4 8b o2 /0 [DS:-0x2]" },
	{ 16, "8b 46 fe", "3 8b o2 /0 [SS:r5-0x2]" },
	{ 16, "8b 87 00 80", "4 8b o2 /0 [DS:r3-0x8000]" },
	{ 16, "66 67 8b 04 8b", "5 8b o4 a4 /0 [DS:r3+r1*4]" },
	{ 16, "67 8b 05 78 56 34 12", "7 8b o2 a4 /0 [DS:0x12345678]" },
	/* immediates */
	{ 64, "b8 78 56 34 12", "5 b8 o4 i4=0x12345678" },
	{ 64, "48 b8 88 77 66 55 44 33 22 11", "10 b8 o8 i8=0x1122334455667788" },
	{ 64, "66 b8 34 12", "4 b8 o2 i2=0x1234" },
	{ 64, "66 48 b8 88 77 66 55 44 33 22 11", "11 b8 o8 i8=0x1122334455667788" },
	{ 64, "48 66 b8 34 12", "5 b8 o2 i2=0x1234" },
	{ 64, "48 c7 00 ff ff ff ff", "7 c7 o8 /0 [DS:r0] i4=0xffffffffffffffff" },
	{ 64, "66 c7 40 08 34 12", "6 c7 o2 /0 [DS:r0+0x8] i2=0x1234" },
	{ 64, "c6 05 01 00 00 00 ff", "7 c6 b /0 [DS:rip+0x1] i1=0xff" },
	{ 64, "83 c0 f0", "3 83 o4 /0 r0 i1=0xfffffffffffffff0" },
	{ 64, "6a ff", "2 6a o8 i1=0xffffffffffffffff" },
	{ 64, "66 68 00 80", "4 68 o2 i2=0xffffffffffff8000" },
	{ 64, "68 00 00 00 80", "5 68 o8 i4=0xffffffff80000000" },
	{ 64, "69 c0 00 01 00 00", "6 69 o4 /0 r0 i4=0x100" },
	{ 64, "cd 80", "2 cd o4 i1=0x80" },
	{ 64, "e4 fe", "2 e4 b i1=0xfe" },
	{ 64, "c8 00 80 01", "4 c8 o8 i2=0x8000 i1=0x1" },
	{ 64, "c2 fc ff", "3 c2 o8 i2=0xfffc" },
	{ 64, "ca 08 00", "3 ca o4 i2=0x8" },
	{ 64, "c1 e0 ff", "3 c1 o4 /4 r0 i1=0xff" },
	{ 64, "d3 e0", "2 d3 o4 /4 r0" },
	{ 16, "81 06 00 10 34 12", "6 81 o2 /0 [DS:0x1000] i2=0x1234" },
	{ 64, "0f ba e0 07", "4 0f.ba o4 /4 r0 i1=0x7" },
	{ 64, "0f a4 c8 04", "4 0f.a4 o4 /1 r0 i1=0x4" },
	/* groups whose immediate depends on reg */
	{ 64, "f6 00 12", "3 f6 b /0 [DS:r0] i1=0x12" },
	{ 64, "f6 08 12", "3 f6 b /1 [DS:r0] i1=0x12" },
	{ 64, "f6 10", "2 f6 b /2 [DS:r0]" },
	{ 64, "f7 c0 01 00 00 00", "6 f7 o4 /0 r0 i4=0x1" },
	{ 64, "66 f7 c8 01 00", "5 f7 o2 /1 r0 i2=0x1" },
	{ 64, "48 f7 f1", "3 f7 o8 /6 r1" },
	{ 64, "4c f7 d8", "3 f7 o8 /11 r0" },
	{ 64, "c6 f8 01", "3 c6 b /7 r0 i1=0x1" },
	{ 64, "c7 f8 00 00 00 80", "6 c7 o4 /7 r0 i4=0xffffffff80000000" },
	{ 64, "c7 38 00 00 00 00", "UD" },
	/* moffs by address size */
	{ 64, "a1 88 77 66 55 44 33 22 f1", "9 a1 o4 [DS:-0xeddccbbaa998878]" },
	{ 64, "67 a1 44 33 22 f1", "6 a1 o4 a4 [DS:0xf1223344]" },
	{ 64, "48 a3 01 00 00 00 00 00 00 00", "10 a3 o8 [DS:0x1]" },
	{ 32, "a2 78 56 34 12", "5 a2 b [DS:0x12345678]" },
	{ 32, "67 a0 fe ff", "4 a0 b a2 [DS:0xfffe]" },
	{ 16, "26 a1 34 12", "4 a1 o2 [ES:0x1234]" },
	/* far pointers, RETs, branches */
	{ 32, "9a 78 56 34 12 08 00", "7 9a o4 i4=0x12345678 i2=0x8" },
	{ 16, "ea f0 ff 00 f0", "5 ea o2 i2=0xfff0 i2=0xf000" },
	{ 16, "66 ea 00 00 01 00 08 00", "8 ea o4 i4=0x10000 i2=0x8" },
	{ 64, "ea 00 00 00 00 08 00", "UD" },
	{ 64, "e8 fb ff ff ff", "5 e8 o8 i4=0xfffffffffffffffb" },
	{ 64, "66 e8 fb ff ff ff", "6 e8 o8 i4=0xfffffffffffffffb" },
	{ 65, "66 e8 fb ff", "4 e8 o2 i2=0xfffffffffffffffb" },
	{ 65, "e9 00 00 00 01", "5 e9 o8 i4=0x1000000" },
	{ 65, "66 48 e9 00 00 00 01", "7 e9 o8 i4=0x1000000" },
	{ 64, "66 0f 84 00 01 00 00", "7 0f.84 o8 pp1 i4=0x100" },
	{ 65, "66 0f 84 00 01", "5 0f.84 o2 pp1 i2=0x100" },
	{ 32, "66 e8 fb ff", "4 e8 o2 i2=0xfffffffffffffffb" },
	{ 16, "e8 fb ff", "3 e8 o2 i2=0xfffffffffffffffb" },
	{ 64, "eb fe", "2 eb o8 i1=0xfffffffffffffffe" },
	{ 64, "66 c3", "2 c3 o8" },
	{ 65, "66 c3", "2 c3 o2" },
	{ 64, "ff d0", "2 ff o8 /2 r0" },
	{ 64, "66 ff 20", "3 ff o8 /4 [DS:r0]" },
	{ 64, "48 ff 28", "3 ff o8 /5 [DS:r0]" },
	{ 64, "ff 28", "2 ff o4 /5 [DS:r0]" },
	{ 64, "ff 30", "2 ff o8 /6 [DS:r0]" },
	{ 64, "66 ff 30", "3 ff o2 /6 [DS:r0]" },
	{ 64, "ff e8", "UD" },
	{ 64, "ff f8", "UD" },
	{ 64, "66 50", "2 50 o2" },
	{ 64, "41 57", "2 57 o8" },
	{ 64, "66 9c", "2 9c o2" },
	{ 64, "0f a0", "2 0f.a0 o8" },
	/* bytes, and string instructions */
	{ 64, "88 07", "2 88 b /0 [DS:r7]" },
	{ 64, "f3 a4", "2 a4 b f3" },
	{ 64, "f3 48 ab", "3 ab o8 f3" },
	{ 64, "f2 ae", "2 ae b f2" },
	{ 64, "f3 66 6f", "3 6f o2 f3" },
	{ 64, "0f b6 00", "3 0f.b6 b /0 [DS:r0]" },
	{ 64, "48 0f b7 00", "4 0f.b7 o8 /0 [DS:r0]" },
	{ 64, "0f 94 c0", "3 0f.94 b /0 r0" },
	{ 64, "d7", "1 d7 b" },
	{ 64, "ec", "1 ec b" },
	{ 64, "66 ed", "2 ed o2" },
	{ 64, "48 ed", "2 ed o4" },
	{ 64, "f3 48 6d", "3 6d o4 f3" },
	{ 16, "ef", "1 ef o2" },
	/* LOCK */
	{ 64, "f0 48 0f b1 0a", "5 0f.b1 o8 lock /1 [DS:r2]" },
	{ 64, "f0 ff 00", "3 ff o4 lock /0 [DS:r0]" },
	{ 64, "f0 ff 10", "UD" },
	{ 64, "f0 01 c0", "UD" },
	{ 64, "f0 8b 00", "UD" },
	{ 64, "f0 83 38 00", "UD" },
	{ 64, "f0 f7 18", "3 f7 o4 lock /3 [DS:r0]" },
	{ 64, "f0 f7 20", "UD" },
	{ 64, "f0 0f c7 08", "4 0f.c7 o4 lock /1 [DS:r0]" },
	{ 64, "f0 0f a2", "UD" },
	/* SSE and friends */
	{ 64, "66 0f 6f 00", "4 0f.6f o2 pp1 /0 [DS:r0]" },
	{ 64, "f3 0f 7f 40 10", "5 0f.7f o4 f3 /0 [DS:r0+0x10]" },
	{ 64, "66 f2 0f 10 00", "5 0f.10 o2 f2 /0 [DS:r0]" },
	{ 64, "0f c6 c1 1b", "4 0f.c6 o4 /0 r1 i1=0x1b" },
	{ 64, "66 0f 38 00 c1", "5 38.00 o2 pp1 /0 r1" },
	{ 64, "66 0f 3a 0f c1 08", "6 3a.0f o2 pp1 /0 r1 i1=0x8" },
	{ 64, "0f 38 f0 00", "4 38.f0 o4 /0 [DS:r0]" },
	{ 64, "0f 71 f0 04", "4 0f.71 o4 /6 r0 i1=0x4" },
	{ 64, "0f 71 30 04", "UD" },
	{ 64, "0f 77", "2 0f.77 o4" },
	{ 64, "0f 0f c1 9e", "4 0f.0f o4 /0 r1 i1=0x9e" },
	{ 64, "0f 0f 40 08 bf", "5 0f.0f o4 /0 [DS:r0+0x8] i1=0xbf" },
	{ 64, "0f 78 c1", "3 0f.78 o8 /0 r1" },
	{ 64, "0f 79 c1", "3 0f.79 o8 /0 r1" },
	{ 64, "66 0f 78 c1 04 08", "6 0f.78 o8 pp1 /0 r1 i1=0x4 i1=0x8" },
	{ 64, "f2 0f 78 c1 04 08", "6 0f.78 o8 f2 /0 r1 i1=0x4 i1=0x8" },
	{ 64, "f2 0f 79 c1", "4 0f.79 o8 f2 /0 r1" },
	{ 64, "f3 0f 78 c1", "UD" },
	{ 64, "66 0f 78 00 04 08", "UD" },
	{ 64, "0f ae f0", "3 0f.ae o4 /6 r0" },
	{ 64, "48 0f ae 20", "4 0f.ae o8 /4 [DS:r0]" },
	{ 64, "d9 05 00 00 00 00", "6 d9 o4 /0 [DS:rip]" },
	{ 64, "dd c0", "2 dd o4 /0 r0" },
	/* VEX, or LES and LDS */
	{ 64, "c5 f8 77", "3 vex.0f.77 o4" },
	{ 64, "c5 fd 6f 00", "4 vex.0f.6f o4 pp1 v0 l1 /0 [DS:r0]" },
	{ 64, "c5 78 28 c1", "4 vex.0f.28 o4 v0 l0 /8 r1" },
	{ 64, "c5 f0 c6 c2 1b", "5 vex.0f.c6 o4 v1 l0 /0 r2 i1=0x1b" },
	{ 64, "c4 c1 79 70 c1 1b", "6 vex.0f.70 o4 pp1 v0 l0 /0 r9 i1=0x1b" },
	{ 64, "c4 e2 f1 90 04 0f", "6 vex.38.90 o8 pp1 v1 l0 /0 [DS:r7+v*1]" },
	{ 64, "c4 e2 f1 90 07", "UD" },
	{ 64, "c4 e3 7d 39 c1 01", "6 vex.3a.39 o4 pp1 v0 l1 /0 r1 i1=0x1" },
	{ 64, "c4 e2 f0 f2 c1", "5 vex.38.f2 o8 v1 l0 /0 r1" },
	{ 64, "66 c5 f8 77", "UD" },
	{ 64, "48 c5 f8 77", "UD" },
	{ 64, "f0 c5 f8 77", "UD" },
	{ 64, "2e c5 f8 77", "4 vex.0f.77 o4" },
	{ 64, "48 2e c5 f8 77", "5 vex.0f.77 o4" },
	{ 64, "c5 f8 a2", "UD" },
	{ 64, "c4 e0 78 10 c0", "UD" },
	{ 64, "c4 e8 78 10 c0", "UD" },
	{ 32, "c5 f8 77", "3 vex.0f.77 o4" },
	{ 32, "c5 00", "2 c5 o4 /0 [DS:r0]" },
	{ 32, "c4 44 24 08", "4 c4 o4 /0 [SS:r4+0x8]" },
	{ 32, "c4 e2 79 00 c1", "5 vex.38.00 o4 pp1 v0 l0 /0 r1" },
	{ 16, "c4 06 00 10", "4 c4 o2 /0 [DS:0x1000]" },
	/* EVEX, or BOUND */
	{ 64, "62 f1 7c 48 28 40 01", "7 evex.0f.28 o4 v0 l2 /0 [DS:r0+0x1]" },
	{ 64, "62 f3 fd 48 1b c1 01", "7 evex.3a.1b o8 pp1 v0 l2 /0 r1 i1=0x1" },
	{ 64, "62 f1 7d 48 72 f1 05", "7 evex.0f.72 o4 pp1 v0 l2 /6 r1 i1=0x5" },
	{ 64, "62 f5 7c 48 58 c1", "6 evex.m5.58 o4 v0 l2 /0 r1" },
	{ 64, "62 f2 7d 49 a0 04 0f", "7 evex.38.a0 o4 pp1 v0 l2 /0 [DS:r7+v*1]" },
	{ 64, "62 f1 78 48 28 c0", "UD" },
	{ 64, "62 f9 7c 48 28 c0", "UD" },
	{ 64, "62 f4 7c 48 28 c0", "UD" },
	{ 32, "62 00", "2 62 o4 /0 [DS:r0]" },
	{ 32, "62 44 24 08", "4 62 o4 /0 [SS:r4+0x8]" },
	{ 32, "62 f1 7c 48 28 c1", "6 evex.0f.28 o4 v0 l2 /0 r1" },
	/* XOP, or POP */
	{ 64, "8f 00", "2 8f o8 /0 [DS:r0]" },
	{ 64, "8f c0", "2 8f o8 /0 r0" },
	{ 64, "66 8f 04 24", "4 8f o2 /0 [SS:r4]" },
	{ 64, "8f e8 78 c0 c1 03", "6 xop.8.c0 o4 v0 l0 /0 r1 i1=0x3" },
	{ 64, "8f e9 78 01 c9", "5 xop.9.01 o4 v0 l0 /1 r1" },
	{ 64, "8f ea 78 10 c1 04 03 00 00", "9 xop.a.10 o4 v0 l0 /0 r1 i4=0x304" },
	{ 64, "8f eb 78 10 c1", "UD" },
	{ 32, "8f 04 24", "3 8f o4 /0 [SS:r4]" },
	{ 32, "8f e9 78 01 c9", "5 xop.9.01 o4 v0 l0 /1 r1" },
	/* not in 64-bit mode, or nowhere */
	{ 64, "06", "UD" },
	{ 64, "60", "UD" },
	{ 64, "27", "UD" },
	{ 64, "82 c0 00", "UD" },
	{ 64, "ce", "UD" },
	{ 64, "d4 0a", "UD" },
	{ 32, "06", "1 06 o4" },
	{ 32, "60", "1 60 o4" },
	{ 32, "82 c0 01", "3 82 b /0 r0 i1=0x1" },
	{ 32, "d4 0a", "2 d4 b i1=0xa" },
	{ 32, "40", "1 40 o4" },
	{ 16, "48", "1 48 o2" },
	{ 32, "63 c0", "2 63 o4 /0 r0" },
	{ 64, "48 63 c0", "3 63 o8 /0 r0" },
	{ 64, "0f 04", "UD" },
	{ 64, "0f 24 c0", "UD" },
	{ 64, "0f 3b", "UD" },
	{ 64, "fe d0", "UD" },
	{ 64, "8d c0", "UD" },
	{ 64, "8e c8", "UD" },
	{ 64, "8e d8", "2 8e o4 /3 r0" },
	{ 64, "0f 0b", "2 0f.0b o4" },
	{ 64, "0f c7 c8", "UD" },
	{ 64, "0f ba 00 01", "UD" },
	{ 64, "0f 01", "MORE" },
	{ 64, "", "MORE" },
	{ 64, "c5", "MORE" },
	{ 64, "66 67 48", "MORE" },
	/* the limit of 15 bytes */
	{ 64, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 90", "15 90 o2" },
	{ 64, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90", "UD" },
	{ 64, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 66", "UD" },
	{ 64, "66 66 66 66 66 66 66 66 66 66 66 66 66 66", "MORE" },
	{ 64, "2e 2e 2e 2e 2e 2e 2e 2e 2e 2e b8 00 00 00 00", "15 b8 o4 i4=0x0" },
	{ 64, "2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e b8 00 00 00 00", "UD" },
	{ 64, "2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 2e 8b 80 00 00", "UD" },
};

static size_t parse_hex(const char *text, uint8_t *out)
{
	size_t n = 0;
	char *end;

	while (*text) {
		out[n++] = strtoul(text, &end, 16);
		text = end;
	}
	return n;
}

static char *say_signed(char *p, int64_t v, bool plus)
{
	return p + sprintf(p, "%s0x%llx", v < 0 ? "-" : plus ? "+" : "", (unsigned long long)(v < 0 ? -(uint64_t)v : (uint64_t)v));
}

static char *say_memory(char *p, const struct insn *in)
{
	static const char *const segs[] = { "ES", "CS", "SS", "DS", "FS", "GS" };
	char *start;

	p += sprintf(p, " [%s:", segs[in->segment >= 0 ? in->segment : in->seg_default]);
	start = p;
	if (in->rip_relative)
		p += sprintf(p, "rip");
	if (in->base >= 0)
		p += sprintf(p, "r%d", in->base);
	if (in->index >= 0)
		p += sprintf(p, "%sr%d*%d", p > start ? "+" : "", in->index, in->scale);
	if (in->vsib)
		p += sprintf(p, "%sv*%d", p > start ? "+" : "", in->scale);
	if (in->disp || p == start)
		p = say_signed(p, in->disp, p > start);
	return p + sprintf(p, "]");
}

static void describe(char *p, const struct insn *in)
{
	static const char *const maps[] = { "", "0f.", "38.", "3a.", "8.", "9.", "a.", "m5.", "m6." };
	bool vector = in->vex || in->evex || in->xop;

	p += sprintf(p, "%d %s%s%02x ", in->length,
		     in->vex	? "vex."
		     : in->evex ? "evex."
		     : in->xop	? "xop."
				: "",
		     maps[in->map], in->opcode);
	p += in->byte_op ? sprintf(p, "b") : sprintf(p, "o%d", in->opsize);
	if (in->addrsize != in->mode / 8)
		p += sprintf(p, " a%d", in->addrsize);
	p += sprintf(p, "%s%s", in->rep == REP_F2 ? " f2" : in->rep == REP_F3 ? " f3" : "", in->lock ? " lock" : "");
	if (in->pp != PP_NONE && in->rep == REP_NONE && in->map != MAP_1BYTE)
		p += sprintf(p, " pp%d", in->pp);
	if (vector && in->has_modrm)
		p += sprintf(p, " v%d l%d", in->vvvv, in->vl);
	if (in->has_modrm)
		p += sprintf(p, " /%d", in->reg);
	if (in->mem)
		p = say_memory(p, in);
	else if (in->has_modrm)
		p += sprintf(p, " r%d", in->rm);
	if (in->imm_len)
		p += sprintf(p, " i%d=0x%llx", in->imm_len, (unsigned long long)in->imm);
	if (in->imm2_len)
		sprintf(p, " i%d=0x%llx", in->imm2_len, (unsigned long long)in->imm2);
}

static void test_encodings(void **state)
{
	unsigned i, bad = 0;

	(void)state;
	for (i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
		const struct encoding *e = &encodings[i];
		uint8_t bytes[32];
		char got[200];
		struct insn in;
		size_t n = parse_hex(e->bytes, bytes);
		int rc = insn_decode(&in, bytes, n, e->mode);

		if (rc)
			strcpy(got, rc == -EINVAL ? "UD" : rc == -EFAULT ? "MORE" : "?");
		else
			describe(got, &in);
		if (strcmp(got, e->want)) {
			print_error("mode %d, %s: \"%s\", not \"%s\"\n", e->mode, e->bytes, got, e->want);
			bad++;
		}
	}
	assert_int_equal(bad, 0);
}

/* Each byte that is missing at the end is asked for; what follows an instruction never changes it. */
static void test_cut_short(void **state)
{
	unsigned i, cut;

	(void)state;
	for (i = 0; i < sizeof(encodings) / sizeof(encodings[0]); i++) {
		struct insn in, again;
		uint8_t bytes[64];
		size_t n;

		memset(bytes, 0xff, sizeof(bytes));
		n = parse_hex(encodings[i].bytes, bytes);
		if (insn_decode(&in, bytes, n, encodings[i].mode))
			continue;
		assert_int_equal(in.length, n);
		for (cut = 0; cut < n; cut++)
			assert_int_equal(insn_decode(&again, bytes, cut, encodings[i].mode), -EFAULT);
		assert_int_equal(insn_decode(&again, bytes, sizeof(bytes), encodings[i].mode), 0);
		assert_memory_equal(&in, &again, sizeof(in));
	}
}

struct address {
	enum insn_mode mode;
	const char *bytes;
	uint64_t ea, linear;
	unsigned seg;
};

static const uint64_t gprs[16] = {
	[0] = 0x1111111100001000,
	[1] = 0xffffffffffffffff,
	[3] = 0x00000000f000fff0,
	[4] = 0x7fffffffe000,
	[5] = 0x20000,
	[6] = 0x30020,
	[7] = 0x40,
	[12] = 0x12000,
	[13] = 0x13000,
};

/* RIP is 0x7ffffff0; bases: ES 0x10000, CS 0x20000, SS 0x30000, DS 0x40000 (0 in 64-bit mode), FS 2^40, GS -0x1000. */
static const struct address addresses[] = {
	{ 64, "48 8b 00", 0x1111111100001000, 0x1111111100001000, 3 },
	{ 64, "8b 04 24", 0x7fffffffe000, 0x7fffffffe000, 2 },
	{ 64, "8b 44 08 01", 0x1111111100001000, 0x1111111100001000, 3 },
	{ 64, "67 8b 44 08 01", 0x1000, 0x1000, 3 },
	{ 64, "8b 05 10 00 00 00", 0x80000006, 0x80000006, 3 },
	{ 64, "c7 05 10 00 00 00 01 00 00 00", 0x8000000a, 0x8000000a, 3 },
	{ 64, "8b 05 00 00 00 80", 0xfffffffffffffff6, 0xfffffffffffffff6, 3 },
	{ 64, "67 8b 05 00 00 00 80", 0xfffffff7, 0xfffffff7, 3 },
	{ 64, "64 8b 47 f0", 0x30, 0x10000000030, 4 },
	{ 64, "65 8b 04 25 00 20 00 00", 0x2000, 0x1000, 5 },
	{ 64, "65 67 8b 43 10", 0xf0010000, 0xf000f000, 5 },
	{ 64, "43 8b 44 e5 00", 0x13000 + 0x12000 * 8, 0x13000 + 0x12000 * 8, 3 },
	{ 64, "8b 04 25 00 00 00 80", 0xffffffff80000000, 0xffffffff80000000, 3 },
	{ 64, "a1 00 00 00 00 00 80 ff ff", 0xffff800000000000, 0xffff800000000000, 3 },
	{ 32, "8b 45 fc", 0x1fffc, 0x4fffc, 2 },
	{ 32, "3e 8b 45 fc", 0x1fffc, 0x5fffc, 3 },
	{ 32, "8b 41 02", 0x1, 0x40001, 3 },
	{ 32, "65 8b 00", 0x1000, 0, 5 },
	{ 32, "8b 05 00 00 ff ff", 0xffff0000, 0x30000, 3 },
	{ 16, "8b 00", 0x0010, 0x40010, 3 },
	{ 16, "8b 42 f0", 0x0010, 0x30010, 2 },
	{ 16, "26 8b 47 f0", 0xffe0, 0x1ffe0, 0 },
	{ 16, "8b 06 ff ff", 0xffff, 0x4ffff, 3 },
	{ 16, "2e a0 34 12", 0x1234, 0x21234, 1 },
	{ 16, "67 8b 03", 0xf000fff0, 0xf004fff0, 3 },
	{ 64, "0f a2", 0, 0, 3 },
};

static void test_addresses(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
		const struct address *a = &addresses[i];
		uint64_t unit = a->mode == INSN_64 ? 0 : 0x10000;
		struct insn_regs r = {
			.gpr = gprs,
			.rip = 0x7ffffff0,
			.seg_base = { unit, 2 * unit, 3 * unit, 4 * unit, 1ull << 40, -0x1000ull },
		};
		uint64_t linear;
		unsigned seg;
		uint8_t bytes[32];
		struct insn in;
		size_t n = parse_hex(a->bytes, bytes);

		assert_int_equal(insn_decode(&in, bytes, n, a->mode), 0);
		if (insn_effective(&in, &r, &linear, &seg) != a->ea || linear != a->linear || seg != a->seg)
			fail_msg("mode %d, %s: linear %#llx, segment %u", a->mode, a->bytes, (unsigned long long)linear, seg);
		assert_true(insn_effective(&in, &r, NULL, NULL) == a->ea);
	}
}

/* The tables agree with one another: an opcode that asks for a group has one. */
static void test_groups(void **state)
{
	static const enum insn_map maps[] = { MAP_1BYTE, MAP_0F };
	unsigned m, op, found = 0;

	(void)state;
	for (m = 0; m < 2; m++) {
		for (op = 0; op < 256; op++) {
			const struct insn_group *g;

			if (!(insn_attr(maps[m], op, false) & ATTR_GROUP))
				continue;
			g = insn_group_of(maps[m], op);
			assert_int_equal(g->map, maps[m]);
			assert_int_equal(g->opcode, op);
			found++;
		}
	}
	assert_int_equal(found, 21);
}

/* VEX and EVEX share maps with the legacy instructions, but are not these. */
static void test_insn_is(void **state)
{
	static const uint8_t legacy[] = { 0x0f, 0x28, 0xc1 }, vex[] = { 0xc5, 0xf8, 0x28, 0xc1 };
	struct insn in;

	(void)state;
	assert_int_equal(insn_decode(&in, legacy, sizeof(legacy), INSN_64), 0);
	assert_true(insn_is(&in, MAP_0F, 0x28));
	assert_false(insn_is(&in, MAP_1BYTE, 0x28));
	assert_int_equal(insn_decode(&in, vex, sizeof(vex), INSN_64), 0);
	assert_false(insn_is(&in, MAP_0F, 0x28));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encodings), cmocka_unit_test(test_cut_short), cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_groups),	  cmocka_unit_test(test_insn_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
